//! Which alerts are active, and why. Pure: messages and the clock come in, alerts that changed go out.

use std::collections::{BTreeMap, HashMap};

use bugbrother_rule::{Change, Limit, Side, Silence, Watch};
use bugbrother_store::{Condition, Latest, Rule, VehicleState};
use bugbrother_wire::{
    AlertId, Message, SCHEMA_VERSION, UnixMs, Vin,
    message::{Alert, AlertState, Presence, Row, Telemetry},
};
use uuid::{NoContext, Timestamp, Uuid};

/// While an alert is active, a value that merely gets worse is said again only this often.
const WORSENED_EVERY_MS: i64 = 5_000;
/// A sample that is older is late data. A vehicle's clock may be this far behind ours.
const LATE_AFTER_MS: i64 = 10 * 60_000;
/// When ticks lie further apart, this computer slept or its clock was set: silence is counted anew.
const TICK_GAP_MS: i64 = 30_000;

/// All that the notifier knows.
#[derive(Debug, Default)]
pub struct Desk {
    rules: Vec<Rule>,
    vehicles: BTreeMap<Vin, Vehicle>,
    active: HashMap<(Vin, String), Alert>,
    /// Since when we would hear a vehicle that speaks; `None` without a connection.
    listening_since: Option<UnixMs>,
    last_tick: UnixMs,
}

#[derive(Debug, Default)]
struct Vehicle {
    /// When it last said something, by our clock.
    heard: UnixMs,
    /// It said that it goes to sleep: it is silent on purpose.
    asleep: bool,
    /// Samples up to here were judged before the notifier was started.
    judged_until: UnixMs,
    /// Where it was last.
    place: Option<Seen>,
    watches: HashMap<String, Watch>,
}

/// What is known of a vehicle that a desk takes on.
#[derive(Debug, Default)]
pub struct Adopted {
    /// As it was last known, where it is.
    pub state: Option<VehicleState>,
    /// What the desk that had it last has kept of it.
    pub memory: Option<String>,
    /// Its alerts that are active.
    pub alerts: Vec<Alert>,
}

/// Where a vehicle was, and when that was measured.
type Seen = (UnixMs, (f64, f64));

impl Desk {
    /// A desk that goes on where the last one stopped. The second part are alerts that end here, because their rule is
    /// gone.
    pub fn new(rules: Vec<Rule>, vehicles: Vec<VehicleState>, alerts: Vec<Alert>, now: UnixMs) -> (Self, Vec<Alert>) {
        let mut desk = Desk { last_tick: now, ..Desk::default() };
        let mut ended = desk.set_rules(rules, now);
        let mut of_vehicle: BTreeMap<Vin, Adopted> = BTreeMap::new();
        for state in vehicles {
            let of_vehicle = of_vehicle.entry(state.vin).or_default();
            of_vehicle.state = Some(state);
        }
        for alert in alerts {
            of_vehicle.entry(alert.vin).or_default().alerts.push(alert);
        }
        for (vin, adopted) in of_vehicle {
            ended.extend(desk.adopt(vin, adopted, now));
        }
        (desk, ended)
    }

    /// Takes a vehicle on, where somebody else left it. Returns its alerts that end here, because their rule is gone.
    pub fn adopt(&mut self, vin: Vin, adopted: Adopted, now: UnixMs) -> Vec<Alert> {
        if let Some(VehicleState { latest, .. }) = adopted.state.filter(|state| state.latest.received_ts > 0) {
            let vehicle = Vehicle {
                heard: latest.received_ts,
                asleep: latest.presence == Presence::Asleep,
                judged_until: latest.source_ts,
                place: position(&latest),
                watches: HashMap::new(),
            };
            self.vehicles.insert(vin, vehicle);
        }
        let mut ended = Vec::new();
        for alert in adopted.alerts {
            // Who sees to it is the database's to know: a person may take it back.
            let alert = Alert { state: AlertState::Open, acknowledged_by: None, ..alert };
            let Some(rule) = self.rules.iter().find(|rule| rule.id == alert.rule) else {
                ended.push(resolved(alert, now, now));
                continue;
            };
            let side = Limit::of(&rule.condition).map_or(Side::Above, |limit| limit.threshold.side);
            let watch = Watch::resumed(alert.value.unwrap_or(side.best()));
            self.vehicles.entry(vin).or_default().watches.insert(alert.rule.clone(), watch);
            self.active.insert((vin, alert.rule.clone()), alert);
        }
        ended
    }

    /// Gives a vehicle up: from now on somebody else looks after it, or nobody. Returns what is to be kept for whoever
    /// [adopts](Desk::adopt) it.
    pub fn release(&mut self, vin: Vin) -> Option<String> {
        self.vehicles.remove(&vin);
        self.active.retain(|(of, _), _| *of != vin);
        None
    }

    /// Puts other rules in force. Returns the alerts that end with theirs. A rule goes on where it stands when only its
    /// limits have changed; one that looks at something else begins anew.
    pub fn set_rules(&mut self, rules: Vec<Rule>, now: UnixMs) -> Vec<Alert> {
        let before = std::mem::replace(&mut self.rules, rules.into_iter().filter(|rule| rule.enabled).collect());
        let goes_on = |rule: &Rule| {
            let known = before.iter().find(|known| known.id == rule.id);
            known.is_none_or(|known| known.condition.continues(&rule.condition))
        };
        let in_force = |id: &str| self.rules.iter().any(|rule| rule.id == id && goes_on(rule));
        for vehicle in self.vehicles.values_mut() {
            vehicle.watches.retain(|id, _| in_force(id));
        }
        let ended = self.active.extract_if(|(_, id), _| !in_force(id));
        ended.map(|(_, alert)| resolved(alert, now, now)).collect()
    }

    /// From now on we hear who speaks.
    pub fn listen(&mut self, now: UnixMs) {
        self.listening_since = Some(now);
    }

    /// The connection is gone: nobody's silence means anything.
    pub fn stop_listening(&mut self) {
        self.listening_since = None;
    }

    /// The vehicles that it looks after.
    pub fn vins(&self) -> impl Iterator<Item = Vin> {
        self.vehicles.keys().copied()
    }

    /// An alert is known to the database under another identity: from now on here, too.
    pub fn rename(&mut self, was: AlertId, stored: &Alert) {
        let known = self.active.get_mut(&(stored.vin, stored.rule.clone()));
        if let Some(alert) = known.filter(|alert| alert.id == was) {
            (alert.id, alert.count) = (stored.id, alert.count.max(stored.count));
        }
    }

    /// The alerts that are active.
    pub fn active(&self) -> impl Iterator<Item = &Alert> {
        self.active.values()
    }

    /// Whether an alert is active.
    pub fn is_active(&self, vin: Vin, id: AlertId) -> bool {
        let mut of_vehicle = self.rules.iter().filter_map(|rule| self.active.get(&(vin, rule.id.clone())));
        of_vehicle.any(|alert| alert.id == id)
    }

    /// Takes a message of a vehicle in. `retained`: it was said before we subscribed. Returns the alerts that changed.
    pub fn hear(&mut self, vin: Vin, message: &Message, retained: bool, now: UnixMs) -> Vec<Alert> {
        match message {
            // Said by the broker, in the vehicle's name: silence goes on.
            Message::Status(status) if status.status == Presence::Offline => return Vec::new(),
            Message::Status(status) => {
                if let Some(vehicle) = self.known(vin, retained) {
                    vehicle.asleep = status.status == Presence::Asleep;
                }
            }
            _ => {}
        }
        if retained {
            return Vec::new();
        }
        self.vehicles.entry(vin).or_default().heard = now;
        let mut changed = self.end_silence(vin, now);
        // `Backfill` is late data: it builds history and never wakes anybody up.
        if let Message::Telemetry(batch) = message {
            self.vehicles.entry(vin).or_default().asleep = false;
            self.judge(batch, now, &mut changed);
        }
        changed
    }

    /// Looks at who has been silent for too long. To be called about once a second.
    pub fn tick(&mut self, now: UnixMs) -> Vec<Alert> {
        let slept = !(0..=TICK_GAP_MS).contains(&(now - self.last_tick));
        self.last_tick = now;
        let Some(since) = &mut self.listening_since else { return Vec::new() };
        if slept {
            *since = now;
        }
        let since = *since;
        let mut opened = Vec::new();
        for rule in &self.rules {
            let Condition::Silent { after_ms } = rule.condition else { continue };
            let silence = Silence { after_ms: i64::from(after_ms) };
            for (vin, vehicle) in self.vehicles.iter().filter(|(_, vehicle)| !vehicle.asleep && vehicle.heard > 0) {
                let place = (*vin, rule.id.clone());
                let is_silent = silence.is_too_long(vehicle.heard.max(since), now);
                if is_silent && !self.active.contains_key(&place) {
                    let at = vehicle.place.map(|(_, place)| place);
                    let alert = open(*vin, rule, (vehicle.heard, None), at, now);
                    self.active.insert(place, alert.clone());
                    opened.push(alert);
                }
            }
        }
        opened
    }

    /// The vehicle, unless a message from the past is the first that is heard of it.
    fn known(&mut self, vin: Vin, retained: bool) -> Option<&mut Vehicle> {
        if retained { self.vehicles.get_mut(&vin) } else { Some(self.vehicles.entry(vin).or_default()) }
    }

    fn end_silence(&mut self, vin: Vin, now: UnixMs) -> Vec<Alert> {
        let silent = self.rules.iter().filter(|rule| matches!(rule.condition, Condition::Silent { .. }));
        silent
            .filter_map(|rule| self.active.remove(&(vin, rule.id.clone())))
            .map(|alert| resolved(alert, now, now))
            .collect()
    }

    fn judge(&mut self, batch: &Telemetry, now: UnixMs, changed: &mut Vec<Alert>) {
        let Some(vehicle) = self.vehicles.get_mut(&batch.vin) else { return };
        let places = places(batch, vehicle.place);
        let judged_until = vehicle.judged_until.max(now - LATE_AFTER_MS);
        for rule in &self.rules {
            let Some(Limit { signals, threshold }) = Limit::of(&rule.condition) else { continue };
            let columns: Vec<_> = signals.iter().map(|signal| batch.column(signal)).collect();
            let watch = vehicle.watches.entry(rule.id.clone()).or_default();
            for (row, place) in batch.rows.iter().zip(&places) {
                let ts = batch.t0 + i64::from(row.dt_ms);
                let sent = columns.iter().enumerate();
                let mut sent = sent.filter_map(|(rank, column)| Some((rank, row.values.get((*column)?).copied()??)));
                let Some(best) = sent.next().filter(|_| ts > judged_until) else { continue };
                if let Some(change) = watch.step(threshold, ts, best, now) {
                    let place = place.map(|(_, place)| place);
                    changed.extend(apply(&mut self.active, batch.vin, rule, change, (ts, place), now));
                }
            }
        }
        vehicle.place = places.last().copied().unwrap_or(vehicle.place);
    }
}

/// Where the vehicle was at each row: there, or where it was last before that.
fn places(batch: &Telemetry, mut last: Option<Seen>) -> Vec<Option<Seen>> {
    let [lat, lon] = ["lat", "lon"].map(|key| batch.column(key));
    let measured = |row: &Row| {
        let value = |column: Option<usize>| row.values.get(column?).copied()?;
        Some((batch.t0 + i64::from(row.dt_ms), (value(lat)?, value(lon)?)))
    };
    let of_row = |row: &Row| {
        let newer = measured(row).filter(|(ts, _)| last.is_none_or(|(known, _)| *ts > known));
        last = newer.or(last);
        last
    };
    batch.rows.iter().map(of_row).collect()
}

/// Where a vehicle was by its last state.
fn position(latest: &Latest) -> Option<Seen> {
    let (ts, lat) = latest.signals.get("lat")?;
    let (_, lon) = latest.signals.get("lon")?;
    Some((*ts, (*lat, *lon)))
}

fn apply(
    active: &mut HashMap<(Vin, String), Alert>,
    vin: Vin,
    rule: &Rule,
    change: Change,
    (ts, at): (UnixMs, Option<(f64, f64)>),
    now: UnixMs,
) -> Option<Alert> {
    let place = (vin, rule.id.clone());
    if let Change::Opened { since, worst } = change {
        let alert = open(vin, rule, (since, Some(worst)), at, now);
        active.insert(place, alert.clone());
        return Some(alert);
    }
    let alert = active.get_mut(&place)?;
    match change {
        Change::Opened { .. } => None,
        Change::Recurred { worst } => {
            (alert.value, alert.updated, alert.count) = (Some(worst), now, alert.count.saturating_add(1));
            Some(alert.clone())
        }
        Change::Worsened { worst } => {
            alert.value = Some(worst);
            if now - alert.updated < WORSENED_EVERY_MS {
                return None;
            }
            alert.updated = now;
            Some(alert.clone())
        }
        Change::Resolved { .. } => active.remove(&place).map(|alert| resolved(alert, ts, now)),
    }
}

fn open(
    vin: Vin,
    rule: &Rule,
    (opened, value): (UnixMs, Option<f64>),
    place: Option<(f64, f64)>,
    now: UnixMs,
) -> Alert {
    let now_ms = u64::try_from(now).unwrap_or_default();
    let time = Timestamp::from_unix(NoContext, now_ms / 1000, (now_ms % 1000) as u32 * 1_000_000);
    Alert {
        v: SCHEMA_VERSION,
        vin,
        id: AlertId(Uuid::new_v7(time)),
        rule: rule.id.clone(),
        title: rule.title.clone(),
        severity: rule.severity,
        state: AlertState::Open,
        opened,
        updated: now,
        resolved: None,
        count: 1,
        value,
        signal: rule.condition.signals().first().cloned(),
        limit: rule.condition.limit(),
        lat: place.map(|(lat, _)| lat),
        lon: place.map(|(_, lon)| lon),
        acknowledged_by: None,
    }
}

fn resolved(alert: Alert, at: UnixMs, now: UnixMs) -> Alert {
    Alert { state: AlertState::Resolved, resolved: Some(at.max(alert.opened)), updated: now, ..alert }
}
