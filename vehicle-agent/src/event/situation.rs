use bugbrother_wire::{UnixMs, message::EventKind};

use super::row::{Place, Row};
use crate::outbox::Happening;

/// A value, and when it was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Held<T = f64> {
    pub at: u64,
    pub value: T,
}

/// A speed or an engine speed counts for so long.
const FRESH_MS: u64 = 10_000;
/// Wheels that have told go before the receiver for so long.
const WHEELS_MS: u64 = 3_000;
/// Adapters are asked for the voltage now and then.
const VOLTS_MS: u64 = 60_000;
/// A place of a vehicle that stands stays its place for so long without a fix, as in a garage.
const STANDING_PLACE_MS: u64 = 10 * 60_000;
/// Slower is standing: receivers tell so much of a vehicle that does not move.
pub(super) const STANDING_KMH: f64 = 5.0;
/// The starter turns an engine at 200 to 250 rpm; none idles below 500.
const RUNNING_RPM: f64 = 300.0;
/// A battery at rest has 12.8 V at most; alternators and converters give 13.5 V and more.
pub(super) const CHARGING_V: f64 = 13.2;

/// What is known now.
#[derive(Debug, Default)]
pub(super) struct Situation {
    pub now: u64,
    pub ts: UnixMs,
    pub private: bool,
    pub ignition: Option<bool>,
    place: Option<Held<Place>>,
    wheels: Option<Held>,
    receiver: Option<Held>,
    rpm: Option<Held>,
    volts: Option<Held>,
    /// Whether control units have ever answered: then an engine that does not tell its speed is an electric one.
    pub answered: bool,
}

impl Situation {
    pub fn take(&mut self, row: &Row, ts: UnixMs) {
        if row.at >= self.now {
            (self.now, self.ts) = (row.at, ts);
        }
        hold(&mut self.place, row.at, row.place);
        hold(&mut self.wheels, row.at, row.spd);
        hold(&mut self.receiver, row.at, row.gspd);
        hold(&mut self.rpm, row.at, row.rpm);
        hold(&mut self.volts, row.at, row.volts);
        self.answered |= row.ecu;
    }

    pub fn advance(&mut self, at: u64, ts: UnixMs) {
        if at >= self.now {
            (self.now, self.ts) = (at, ts);
        }
    }

    pub fn forget(&mut self) {
        *self = Situation {
            private: self.private,
            ignition: self.ignition,
            answered: self.answered,
            place: self.place.map(|place| Held { at: 0, ..place }),
            ..Situation::default()
        };
    }

    /// km/h of the wheels, if they have told just now.
    pub fn wheels(&self) -> Option<f64> {
        self.fresh(self.wheels, WHEELS_MS)
    }

    /// km/h over ground.
    pub fn receiver(&self) -> Option<f64> {
        self.fresh(self.receiver, FRESH_MS)
    }

    /// Whether the receiver has told, after `since`, that it goes at least so fast.
    pub fn receiver_at_least(&self, kmh: f64, since: u64) -> bool {
        self.receiver.is_some_and(|held| held.at >= since && held.value >= kmh)
    }

    /// km/h: of the wheels, else over ground, else of wheels that have told a while ago.
    pub fn speed(&self) -> Option<f64> {
        self.wheels().or(self.receiver()).or(self.fresh(self.wheels, FRESH_MS))
    }

    pub fn rpm(&self) -> Option<f64> {
        self.fresh(self.rpm, FRESH_MS)
    }

    /// V, of a 12 V battery.
    pub fn volts(&self) -> Option<f64> {
        self.fresh(self.volts, VOLTS_MS)
    }

    /// Whether the engine turns.
    pub fn turns(&self) -> Option<bool> {
        self.rpm().map(|rpm| rpm > RUNNING_RPM)
    }

    /// Whether the engine turns or, where it does not tell, something charges the battery.
    pub fn runs(&self) -> Option<bool> {
        match (self.turns(), self.volts()) {
            (Some(true), _) => Some(true),
            (_, Some(volts)) if volts > CHARGING_V => Some(true),
            (Some(false), _) | (None, Some(_)) => Some(false),
            (None, None) => None,
        }
    }

    pub fn place(&self) -> Option<Place> {
        let moves = self.speed().is_some_and(|speed| speed >= STANDING_KMH);
        self.fresh(self.place, if moves { FRESH_MS } else { STANDING_PLACE_MS })
    }

    /// Latitude and longitude, if they may be told.
    pub fn place_to_tell(&self) -> Option<(f64, f64)> {
        self.place().filter(|_| !self.private).map(|place| (place.lat, place.lon))
    }

    /// An event that happened `at`, here.
    pub fn event(&self, kind: EventKind, at: u64) -> Happening {
        let ago = i64::try_from(self.now.saturating_sub(at)).unwrap_or_default();
        Happening { place: self.place_to_tell(), ..Happening::new(kind, self.ts - ago) }
    }

    fn fresh<T>(&self, held: Option<Held<T>>, ms: u64) -> Option<T> {
        held.filter(|held| held.at + ms >= self.now).map(|held| held.value)
    }
}

/// A value that comes late does not take the place of a newer one.
fn hold<T>(held: &mut Option<Held<T>>, at: u64, value: Option<T>) {
    if let Some(value) = value
        && held.as_ref().is_none_or(|held| held.at <= at)
    {
        *held = Some(Held { at, value });
    }
}
