//! Which alerts are active, and why. Pure: messages and the clock come in, alerts that changed go out.
//!
//! `book` is what it goes by, `vehicle` what it knows of each. A desk has as many vehicles as it is given: it can
//! [adopt](Desk::adopt) and [release](Desk::release) them at any time.

mod book;
mod vehicle;

use std::collections::BTreeMap;

use bugbrother_rule::{Books, Case, Hearing, Member, Moment, News, Place, position};
use bugbrother_store::{Samples, VehicleState};
use bugbrother_wire::{
    AlertId, Message, UnixMs, Vin,
    message::{Alert, Presence, Status},
};

pub use book::{Book, Entry, InForce};
pub use vehicle::LateSpan;

use book::Shelf;
use vehicle::{Vehicle, resolved};

/// A sample that is older is late data. A vehicle's clock may be this far behind ours.
pub const LATE_AFTER_MS: i64 = 10 * 60_000;
/// When ticks lie further apart, this computer slept or its clock was set: silence is counted anew.
const TICK_GAP_MS: i64 = 30_000;
/// Late data is judged when nothing more of it has come for so long.
const LATE_QUIET_MS: i64 = 60_000;
/// Or when it has been coming for so long.
const LATE_PATIENCE_MS: i64 = 10 * 60_000;
/// So much of a past is judged at a time.
const LATE_PART_MS: i64 = 24 * 60 * 60_000;
/// What a vehicle has done is written down this often, beside what goes with its alerts.
const KEEP_EVERY_MS: i64 = 60_000;

/// All that the notifier knows.
#[derive(Debug, Default)]
pub struct Desk {
    shelf: Shelf,
    vehicles: BTreeMap<Vin, Vehicle>,
    /// Since when we would hear a vehicle that speaks; `None` without a connection.
    listening_since: Option<UnixMs>,
    last_tick: UnixMs,
    /// A sample, by slot: used again for each.
    row: Vec<Option<f64>>,
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

/// A part of a vehicle's past that is to be judged, and by what.
#[derive(Debug, Clone)]
pub struct LateJob {
    /// The vehicle.
    pub vin: Vin,
    /// What people know of it.
    pub member: Member,
    /// The part.
    pub span: LateSpan,
    /// The rules about it that can be judged on a past, and how each begins there.
    pub rules: Vec<(InForce, Case)>,
    /// The signals that they look at, by slot.
    pub keys: Vec<String>,
}

impl Desk {
    /// A desk that goes on where the last one stopped, of which it is known which alerts are active. The second part are
    /// alerts that end here, because their rule is gone.
    pub fn new(
        book: impl Into<Book>,
        vehicles: Vec<VehicleState>,
        alerts: Vec<Alert>,
        now: UnixMs,
    ) -> (Self, Vec<Alert>) {
        let mut desk = Desk { last_tick: now, ..Desk::default() };
        let mut ended = desk.set_book(book, now);
        let mut of_vehicle: BTreeMap<Vin, Adopted> = BTreeMap::new();
        for state in vehicles {
            let vin = state.vin;
            of_vehicle.entry(vin).or_default().state = Some(state);
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
        let Adopted { state, memory, alerts } = adopted;
        let mut vehicle = Vehicle::new(vin, state.as_ref().map(|state| &state.latest), &self.shelf, now);
        let ended = vehicle.recall(vin, memory.as_deref(), alerts, &self.shelf);
        vehicle.kept = if memory.is_some() { now } else { 0 };
        self.vehicles.insert(vin, vehicle);
        ended.into_iter().map(|alert| resolved(alert, now, now)).collect()
    }

    /// Gives a vehicle up: from now on somebody else looks after it, or nobody. Returns what is to be kept for whoever
    /// [adopts](Desk::adopt) it.
    pub fn release(&mut self, vin: Vin) -> Option<String> {
        let vehicle = self.vehicles.remove(&vin)?;
        Some(vehicle.memory(&self.shelf))
    }

    /// What is to be kept of a vehicle with the alerts that it has just changed.
    pub fn memory(&mut self, vin: Vin, now: UnixMs) -> Option<String> {
        let vehicle = self.vehicles.get_mut(&vin)?;
        (vehicle.dirty, vehicle.kept) = (false, now);
        Some(vehicle.memory(&self.shelf))
    }

    /// What is to be kept of up to `most` vehicles that have said something since they were written down, a while ago.
    pub fn memories(&mut self, most: usize, now: UnixMs) -> Vec<(Vin, String)> {
        let due = self.vehicles.iter_mut().filter(|(_, vehicle)| vehicle.dirty && now - vehicle.kept >= KEEP_EVERY_MS);
        let kept = due.take(most).map(|(vin, vehicle)| {
            (vehicle.dirty, vehicle.kept) = (false, now);
            (*vin, vehicle.memory(&self.shelf))
        });
        kept.collect()
    }

    /// What is to be kept of all vehicles that have said something since they were written down: for the end.
    pub fn all_memories(&mut self, now: UnixMs) -> Vec<(Vin, String)> {
        self.vehicles.values_mut().for_each(|vehicle| vehicle.kept = vehicle.kept.min(now - KEEP_EVERY_MS));
        self.memories(usize::MAX, now)
    }

    /// The signals that rules look at.
    pub fn keys(&self) -> Vec<String> {
        self.shelf.slots.keys().to_vec()
    }

    /// Up to when the samples of a vehicle were judged.
    pub fn head(&self, vin: Vin) -> Option<UnixMs> {
        self.vehicles.get(&vin).map(|vehicle| vehicle.head)
    }

    /// Goes by another book. Returns the alerts that end with their rules. A rule goes on where it stands when only its
    /// limits have changed; one that looks at something else begins anew.
    pub fn set_book(&mut self, book: impl Into<Book>, now: UnixMs) -> Vec<Alert> {
        let before = std::mem::replace(&mut self.shelf, Shelf::new(book.into()));
        self.row = vec![None; self.shelf.slots.keys().len()];
        let mut ended = Vec::new();
        for (vin, vehicle) in &mut self.vehicles {
            let known = vehicle.untrack(&before);
            ended.extend(vehicle.track(*vin, &self.shelf, known));
            vehicle.dirty = true;
        }
        ended.into_iter().map(|alert| resolved(alert, now, now)).collect()
    }

    /// From now on we hear who speaks.
    pub fn listen(&mut self, now: UnixMs) {
        self.listening_since = Some(now);
    }

    /// The connection is gone: nobody's silence means anything.
    pub fn stop_listening(&mut self) {
        self.listening_since = None;
    }

    /// The vehicles that it has.
    pub fn vins(&self) -> impl Iterator<Item = Vin> {
        self.vehicles.keys().copied()
    }

    /// Whether it has that vehicle.
    pub fn knows(&self, vin: Vin) -> bool {
        self.vehicles.contains_key(&vin)
    }

    /// An alert is known to the database under another identity: from now on here, too.
    pub fn rename(&mut self, was: AlertId, stored: &Alert) {
        let tracked =
            self.vehicles.get_mut(&stored.vin).map(|vehicle| vehicle.tracked.as_mut_slice()).unwrap_or_default();
        for alert in tracked.iter_mut().filter_map(|one| one.alert.as_mut()).filter(|alert| alert.id == was) {
            (alert.id, alert.count) = (stored.id, alert.count.max(stored.count));
        }
    }

    /// The alerts that are active.
    pub fn active(&self) -> impl Iterator<Item = &Alert> {
        self.vehicles.values().flat_map(|vehicle| &vehicle.tracked).filter_map(|one| one.alert.as_ref())
    }

    /// Whether an alert is active.
    pub fn is_active(&self, vin: Vin, id: AlertId) -> bool {
        let tracked = self.vehicles.get(&vin).map(|vehicle| vehicle.tracked.as_slice()).unwrap_or_default();
        tracked.iter().any(|one| one.alert.as_ref().is_some_and(|alert| alert.id == id))
    }

    /// Takes a message of a vehicle in. `retained`: it was said before we subscribed. Returns the alerts that changed.
    pub fn hear(&mut self, vin: Vin, message: &Message, retained: bool, now: UnixMs) -> Vec<Alert> {
        let mut changed = Vec::new();
        if retained && !self.vehicles.contains_key(&vin) {
            // It was said by nobody we have heard.
            return changed;
        }
        let shelf = &self.shelf;
        let vehicle = self.vehicles.entry(vin).or_insert_with(|| Vehicle::new(vin, None, shelf, now));
        if let Message::Status(status) = message
            && !vehicle.follow(status, now)
        {
            return changed;
        }
        if !retained {
            (vehicle.heard, vehicle.offline_since) = (now, None);
            self.judge(vin, (now, News::Word), None, now, &mut changed);
        }
        match message {
            Message::Telemetry(batch) if !retained => {
                let rows = batch.rows.iter().map(|row| (batch.t0 + i64::from(row.dt_ms), row.values.as_slice()));
                self.measure(vin, &batch.keys, rows, now, &mut changed);
            }
            // It builds history and never wakes anybody up.
            Message::Backfill(batch) if !retained => {
                if let (Some(vehicle), Some(last)) = (self.vehicles.get_mut(&vin), batch.last_ts()) {
                    vehicle.mark_late(batch.t0, last, now);
                }
            }
            Message::Event(event) if !retained => {
                if event.at < now - LATE_AFTER_MS {
                    self.mark_late(vin, (event.at, event.at), now);
                } else {
                    let place = event.lat.zip(event.lon);
                    self.judge(vin, (event.at, News::Event(event)), place, now, &mut changed);
                }
            }
            // What the car said last is so, whenever it said it.
            Message::Diagnostics(picture) => {
                if picture.at < now - LATE_AFTER_MS && !retained {
                    self.mark_late(vin, (picture.at, picture.at), now);
                } else {
                    self.judge(vin, (picture.at, News::Diagnostics(picture)), None, now, &mut changed);
                }
            }
            _ => {}
        }
        changed
    }

    /// Takes in what was stored of a vehicle while nobody judged it.
    pub fn catch_up(&mut self, vin: Vin, samples: &Samples, now: UnixMs) -> Vec<Alert> {
        let mut changed = Vec::new();
        let rows = samples.rows.iter().map(|row| (row.ts, row.values.as_slice()));
        self.measure(vin, &samples.keys, rows, now, &mut changed);
        changed
    }

    /// Takes in what the books say of vehicles; of those that are not among them they say nothing.
    pub fn read(&mut self, books: &BTreeMap<Vin, Books>, now: UnixMs) -> Vec<Alert> {
        let mut changed = Vec::new();
        let nothing = Books::default();
        for vin in self.vehicles.keys().copied().collect::<Vec<_>>() {
            let of_vehicle = books.get(&vin).unwrap_or(&nothing);
            self.judge(vin, (now, News::Books(of_vehicle)), None, now, &mut changed);
        }
        changed
    }

    /// Looks at what time alone changes: who has been silent for too long, what has lasted for long enough. To be called
    /// about once a second.
    pub fn tick(&mut self, now: UnixMs) -> Vec<Alert> {
        let slept = !(0..=TICK_GAP_MS).contains(&(now - self.last_tick));
        self.last_tick = now;
        if slept && let Some(since) = &mut self.listening_since {
            *since = now;
        }
        let mut changed = Vec::new();
        let Desk { shelf, vehicles, listening_since, .. } = self;
        for (vin, vehicle) in vehicles {
            let hearing = listening_since.map(|since| vehicle.hearing(since));
            let place = vehicle.place.map(|(_, place)| place);
            let entry = shelf.entry(*vin);
            for tracked in &mut vehicle.tracked {
                let one = &shelf.rules[tracked.rule];
                // While nobody would be heard, silence is not counted.
                let is_deaf = hearing.is_none() && one.plan.hears(&News::Word);
                if is_deaf || !one.plan.hears(&News::Time) {
                    continue;
                }
                let hearing = hearing.unwrap_or_default();
                let moment = Moment { ts: now, news: News::Time, place, member: &entry.member, hearing };
                if let Some(transition) = tracked.case.step(&one.plan, &moment, now) {
                    vehicle.dirty = true;
                    changed.extend(tracked.apply(*vin, one, transition, place, now));
                }
            }
        }
        changed
    }

    /// A part of a vehicle's past that came late and is to be judged now. Whoever cannot do so [marks](Desk::mark_late) it
    /// again.
    pub fn take_late(&mut self, now: UnixMs) -> Option<LateJob> {
        let is_due = |late: &LateSpan| now - late.received >= LATE_QUIET_MS || now - late.since >= LATE_PATIENCE_MS;
        let (vin, vehicle) = self.vehicles.iter_mut().find(|(_, vehicle)| vehicle.late.as_ref().is_some_and(is_due))?;
        let whole = vehicle.late.take()?;
        vehicle.dirty = true;
        let span = LateSpan { to: whole.to.min(whole.from + LATE_PART_MS), ..whole };
        if span.to < whole.to {
            vehicle.late = Some(LateSpan { from: span.to, ..whole });
        }
        let of_the_past = |tracked: &vehicle::Tracked| {
            let one = &self.shelf.rules[tracked.rule];
            one.plan.is_of_the_past().then(|| (one.clone(), one.plan.of_the_past(&tracked.case)))
        };
        let rules = vehicle.tracked.iter().filter_map(of_the_past).collect();
        let member = self.shelf.entry(*vin).member.clone();
        Some(LateJob { vin: *vin, member, span, rules, keys: self.shelf.slots.keys().to_vec() })
    }

    /// Notes that a part of a vehicle's past came late.
    pub fn mark_late(&mut self, vin: Vin, (from, to): (UnixMs, UnixMs), now: UnixMs) {
        if let Some(vehicle) = self.vehicles.get_mut(&vin) {
            vehicle.mark_late(from, to, now);
        }
    }

    /// Judges rows of values, the columns of which are named by `keys`.
    fn measure<'a>(
        &mut self,
        vin: Vin,
        keys: &[String],
        rows: impl Iterator<Item = (UnixMs, &'a [Option<f64>])>,
        now: UnixMs,
        changed: &mut Vec<Alert>,
    ) {
        let Desk { shelf, vehicles, row, .. } = self;
        let Some(vehicle) = vehicles.get_mut(&vin) else { return };
        vehicle.asleep = false;
        let columns: Vec<Option<usize>> = keys.iter().map(|key| shelf.slots.find(key)).collect();
        row.iter_mut().for_each(|value| *value = None);
        // Rules that look at something of this.
        let is_sent = |one: &InForce| one.plan.slots().iter().any(|slot| columns.contains(&Some(*slot)));
        let wanted: Vec<usize> =
            (0..vehicle.tracked.len()).filter(|at| is_sent(&shelf.rules[vehicle.tracked[*at].rule])).collect();
        let member = &shelf.entry(vin).member;
        let hearing = Hearing { heard: now, counted_from: now, ..Hearing::default() };
        for (ts, values) in rows {
            for (column, value) in columns.iter().zip(values) {
                if let Some(slot) = column {
                    row[*slot] = *value;
                }
            }
            if ts <= now - LATE_AFTER_MS {
                vehicle.mark_late(ts, ts, now);
                continue;
            }
            if let Some(place) = position(row)
                && vehicle.place.is_none_or(|(known, _)| ts > known)
            {
                vehicle.place = Some((ts, place));
            }
            if ts <= vehicle.before {
                continue;
            }
            vehicle.head = vehicle.head.max(ts);
            let place = vehicle.place.map(|(_, place)| place);
            let moment = Moment { ts, news: News::Sample(row.as_slice()), place, member, hearing };
            for at in &wanted {
                let tracked = &mut vehicle.tracked[*at];
                let one = &shelf.rules[tracked.rule];
                if one.plan.hears(&moment.news)
                    && let Some(transition) = tracked.case.step(&one.plan, &moment, now)
                {
                    changed.extend(tracked.apply(vin, one, transition, place, now));
                }
            }
        }
        vehicle.dirty = true;
    }

    /// Judges what is no sample.
    fn judge(
        &mut self,
        vin: Vin,
        (ts, news): (UnixMs, News<'_>),
        place: Option<Place>,
        now: UnixMs,
        changed: &mut Vec<Alert>,
    ) {
        let Desk { shelf, vehicles, listening_since, .. } = self;
        let Some(vehicle) = vehicles.get_mut(&vin) else { return };
        let hearing = vehicle.hearing(listening_since.unwrap_or(now));
        let place = place.or(vehicle.place.map(|(_, place)| place));
        let moment = Moment { ts, news, place, member: &shelf.entry(vin).member, hearing };
        for tracked in &mut vehicle.tracked {
            let one = &shelf.rules[tracked.rule];
            if !one.plan.hears(&news) {
                continue;
            }
            if let Some(transition) = tracked.case.step(&one.plan, &moment, now) {
                changed.extend(tracked.apply(vin, one, transition, place, now));
            }
            vehicle.dirty |= !matches!(news, News::Word);
        }
    }
}

impl Vehicle {
    /// Takes in whether it is connected. False when it was said by the broker in its name, or is of a connection before.
    fn follow(&mut self, status: &Status, now: UnixMs) -> bool {
        if status.status == Presence::Offline {
            // Silence goes on.
            if status.since >= self.online_since {
                self.offline_since.get_or_insert(now);
            }
            return false;
        }
        self.asleep = status.status == Presence::Asleep;
        (self.online_since, self.offline_since) = (status.since, None);
        true
    }
}
