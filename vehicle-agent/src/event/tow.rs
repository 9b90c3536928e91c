use bugbrother_wire::{
    area::{Point, distance_m},
    message::EventKind,
};

use super::{Limits, manoeuvre::rounded, row::Row, situation::Situation, snapshot::Snapshot};
use crate::outbox::Happening;

/// Who switches off while rolling has not parked yet.
const SETTLES_MS: u64 = 60_000;
/// Positions that say the same one after the other.
const FIXES: u32 = 3;
/// The speed must be held for so long, without a gap.
const HELD_MS: u64 = 30_000;
const GAP_MS: u64 = 10_000;
/// And lead somewhere: a receiver between walls tells speeds of a vehicle that stands.
const LEADS_M: f64 = 50.0;

/// Movement with the ignition off: on a tow truck, or pushed away.
#[derive(Debug, Default)]
pub(super) struct Tow {
    off_since: Option<u64>,
    /// Where it was parked.
    anchor: Option<Point>,
    far: u32,
    fast_since: Option<u64>,
    fast_at: u64,
    told: bool,
}

impl Tow {
    pub fn take(&mut self, row: &Row, now: &Situation, limits: &Limits, out: &mut Vec<Happening>) {
        let (Some(place), Some(off_since)) = (row.place, self.off_since) else { return };
        let here = (place.lat, place.lon);
        if self.anchor.is_none() || row.at < off_since + SETTLES_MS {
            self.anchor = Some(here);
            return;
        }
        let Some(anchor) = self.anchor.filter(|_| !self.told) else { return };
        let away_m = distance_m(anchor, here);
        let far = limits.tow_distance.is_some_and(|limit| away_m > limit + place.accuracy_m);
        self.far = if far { self.far + 1 } else { 0 };
        let fast = limits.tow_speed.is_some_and(|limit| row.gspd.is_some_and(|gspd| gspd > limit));
        if !fast {
            self.fast_since = None;
        } else if self.fast_since.is_none() || row.at.saturating_sub(self.fast_at) > GAP_MS {
            self.fast_since = Some(row.at);
        }
        self.fast_at = row.at;
        let held = self.fast_since.is_some_and(|since| row.at.saturating_sub(since) >= HELD_MS);
        if self.far >= FIXES || (held && away_m > LEADS_M + place.accuracy_m) {
            self.told = true;
            let mut event = now.event(EventKind::Tow, row.at);
            event.values.insert("distance_m".to_owned(), rounded(away_m));
            if let Some(gspd) = row.gspd {
                event.values.insert("gspd".to_owned(), rounded(gspd));
            }
            out.push(event);
        }
    }

    /// Follows the ignition.
    pub fn tick(&mut self, now: &Situation) {
        match now.ignition {
            Some(false) => {
                self.off_since.get_or_insert(now.now);
            }
            // It is not known after a restart: where it was parked is kept until it is.
            None => self.off_since = None,
            Some(true) => *self = Tow::default(),
        }
    }

    pub fn anchor(&self) -> Option<Point> {
        self.anchor
    }

    pub fn is_told(&self) -> bool {
        self.told
    }

    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.anchor = snapshot.anchor;
        self.told = snapshot.towed;
        // It was parked long ago.
        self.off_since = snapshot.anchor.filter(|_| snapshot.ignition == Some(false)).map(|_| 0);
    }

    pub fn forget(&mut self) {
        self.off_since = self.off_since.map(|_| 0);
        (self.far, self.fast_since, self.fast_at) = (0, None, 0);
    }
}
