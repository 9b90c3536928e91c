//! What of the fleet one viewer is told: what it wants, of what it may know. Pure.

use std::collections::HashSet;

use bugbrother_wire::{
    UnixMs, Vin,
    live::{Change, Delta, LiveVehicle, MAX_ONLY, MAX_WANTED_SIGNALS, MAX_WHOLE, Snapshot, Want, Which},
};

use crate::{
    feed::Tick,
    fleet::{Fleet, Placed},
};

/// Longest key of a signal.
const MAX_KEY: usize = 32;

/// Signals that are wanted; all of them without a list. In their order, so that equal wishes are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Signals(Option<Vec<String>>);

impl Signals {
    pub fn all() -> Self {
        Signals(None)
    }

    pub fn of(keys: Option<Vec<String>>) -> Self {
        Signals(keys.map(|mut keys| {
            keys.sort_unstable();
            keys.dedup();
            keys
        }))
    }

    fn wants(&self, key: &str) -> bool {
        self.0.as_ref().is_none_or(|keys| keys.binary_search_by(|one| one.as_str().cmp(key)).is_ok())
    }

    /// Takes the others out of these vehicles.
    pub fn keep_in(&self, vehicles: &mut [LiveVehicle]) {
        if self.0.is_some() {
            for vehicle in vehicles {
                vehicle.values.retain(|key, _| self.wants(key));
            }
        }
    }

    fn cut(&self, change: &Change) -> Change {
        let values = change.4.iter().filter(|(key, _)| self.wants(key)).cloned().collect();
        Change(change.0, change.1, change.2, change.3, values)
    }
}

/// A delta with the wanted signals alone.
pub(crate) fn cut(delta: &Delta, signals: &Signals) -> Delta {
    if signals.0.is_none() {
        return delta.clone();
    }
    let mut named = delta.named.clone();
    signals.keep_in(&mut named);
    let changed = delta.changed.iter().map(|change| signals.cut(change)).collect();
    Delta { named, changed, alerts: delta.alerts.clone(), left: Vec::new(), notices: delta.notices.clone(), ..*delta }
}

/// Why a wish is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WantError {
    #[error("too many vehicles or signals are named")]
    TooMany,
    #[error("a rectangle needs a latitude from -90 to 90 and a longitude from -180 to 180 for each edge")]
    Area,
    #[error("a signal's key has 1 to 32 bytes")]
    Key,
}

/// What one viewer wants, what it may know of, and what it has been told of.
pub(crate) struct View {
    which: Which,
    pub signals: Signals,
    only: HashSet<Vin>,
    whole: HashSet<Vin>,
    /// The vehicles that the viewer may know of; all without it.
    pub allowed: Option<HashSet<Vin>>,
    /// Numbers of vehicles that the viewer has been told of, where that is not simply all of them.
    told: HashSet<u32>,
}

impl View {
    pub fn new(allowed: Option<HashSet<Vin>>) -> Self {
        View {
            which: Which::Fleet,
            signals: Signals::all(),
            only: HashSet::new(),
            whole: HashSet::new(),
            allowed,
            told: HashSet::new(),
        }
    }

    /// Takes a wish in place of the one before.
    pub fn want(&mut self, want: Want) -> Result<(), WantError> {
        let only = match &want.which {
            Which::Only(vins) if vins.len() > MAX_ONLY => return Err(WantError::TooMany),
            Which::Only(vins) => vins.iter().copied().collect(),
            Which::Area { south, west, north, east } => {
                let fits = [south, north].iter().all(|lat| lat.abs() <= 90.0)
                    && [west, east].iter().all(|lon| lon.abs() <= 180.0);
                if !fits {
                    return Err(WantError::Area);
                }
                HashSet::new()
            }
            Which::Fleet => HashSet::new(),
        };
        let signals = want.signals.as_deref().unwrap_or_default();
        if want.whole.len() > MAX_WHOLE || signals.len() > MAX_WANTED_SIGNALS {
            return Err(WantError::TooMany);
        }
        if signals.iter().any(|key| !(1..=MAX_KEY).contains(&key.len())) {
            return Err(WantError::Key);
        }
        self.whole = want.whole.into_iter().collect();
        self.signals = Signals::of(want.signals);
        (self.which, self.only) = (want.which, only);
        Ok(())
    }

    /// Whether it is told what everybody with the same signals is told.
    pub fn is_common(&self) -> bool {
        self.which == Which::Fleet && self.allowed.is_none()
    }

    /// Everything that is wanted.
    pub fn snapshot(&mut self, fleet: &Fleet, now: UnixMs) -> Snapshot {
        let mut snapshot = fleet.snapshot(now, |placed| self.wants(placed), |vin| self.may_know(vin));
        self.told = snapshot.vehicles.iter().map(|vehicle| vehicle.n).collect();
        self.shorten(&mut snapshot.vehicles);
        snapshot
    }

    /// What has changed for a viewer that knows everything up to a tick, if that can be told.
    pub fn since(&mut self, fleet: &Fleet, tick: u64, now: UnixMs) -> Option<Delta> {
        let mut delta = fleet.since(tick, now, |placed| self.wants(placed), false)?;
        delta.alerts.retain(|alert| self.may_know(alert.vin));
        // What it was told of before, it may still have: it is told of it when that changes.
        self.told.extend(delta.named.iter().map(|vehicle| vehicle.n));
        self.shorten(&mut delta.named);
        Some(delta)
    }

    /// The vehicles that are wanted whole, whatever was told of them before.
    pub fn wholes(&mut self, fleet: &Fleet, now: UnixMs) -> Option<Delta> {
        let numbers = self.whole.iter().filter(|vin| self.may_know(**vin)).filter_map(|vin| fleet.number_of(*vin));
        let named: Vec<LiveVehicle> = numbers.filter_map(|n| fleet.whole(n)).collect();
        self.told.extend(named.iter().map(|vehicle| vehicle.n));
        let tick = fleet.tick();
        let (changed, alerts, notices) = (Vec::new(), Vec::new(), Vec::new());
        let delta = Delta { now, tick, named, left: Vec::new(), changed, alerts, notices };
        (!delta.named.is_empty()).then_some(delta)
    }

    /// What a tick has for this viewer alone; nothing, if it has nothing.
    pub fn take(&mut self, tick: &Tick, fleet: impl FnOnce(&mut dyn FnMut(&Fleet))) -> Option<Delta> {
        let delta = &tick.delta;
        let (named, changed, left) = (Vec::new(), Vec::new(), Vec::new());
        let mut mine = Delta { named, changed, left, alerts: Vec::new(), notices: Vec::new(), ..*delta };
        if self.is_common() {
            // The rest comes in the common one.
            if !self.whole.is_empty() && self.signals != Signals::all() {
                fleet(&mut |fleet| mine.changed = tick.changes_of(&self.whole, fleet).cloned().collect());
                mine.named = delta.named.iter().filter(|live| self.whole.contains(&live.vin)).cloned().collect();
            }
            return (!mine.named.is_empty() || !mine.changed.is_empty()).then_some(mine);
        }
        fleet(&mut |fleet| self.sort_out(tick, fleet, &mut mine));
        mine.alerts = delta.alerts.iter().filter(|alert| self.may_know(alert.vin)).cloned().collect();
        let nothing = crate::fleet::is_empty(delta);
        // A heartbeat is for everybody.
        (nothing || !crate::fleet::is_empty(&mine) || !mine.left.is_empty()).then_some(mine)
    }

    fn sort_out(&mut self, tick: &Tick, fleet: &Fleet, mine: &mut Delta) {
        let delta = &tick.delta;
        for live in &delta.named {
            if self.wants(&(live.vin, place_of(live))) {
                self.told.insert(live.n);
                mine.named.push(live.clone());
            } else if self.told.remove(&live.n) {
                mine.left.push(live.n);
            }
        }
        match &self.which {
            // Those that are named are few, and those that change are many.
            Which::Only(_) => {
                let asked: Vec<Vin> = self.only.union(&self.whole).copied().filter(|vin| self.may_know(*vin)).collect();
                for change in tick.changes_of(&asked, fleet) {
                    let Some(placed) = fleet.place(change.0) else { continue };
                    self.follow(change, &placed, fleet, mine);
                }
            }
            Which::Fleet | Which::Area { .. } => {
                for (change, placed) in delta.changed.iter().zip(&tick.places) {
                    self.follow(change, placed, fleet, mine);
                }
            }
        }
        let knows = |n: u32| fleet.place(n).is_some_and(|(vin, _)| self.may_know(vin));
        mine.notices = delta.notices.iter().filter(|notice| knows(notice.0)).copied().collect();
        self.shorten(&mut mine.named);
    }

    /// A change: of what the viewer was told of, of what it has not heard of yet, or of what it wants no more.
    fn follow(&mut self, change: &Change, placed: &Placed, fleet: &Fleet, mine: &mut Delta) {
        if !self.wants(placed) {
            if self.told.remove(&change.0) {
                mine.left.push(change.0);
            }
        } else if !self.told.insert(change.0) {
            let keep_all = self.whole.contains(&placed.0);
            mine.changed.push(if keep_all { change.clone() } else { self.signals.cut(change) });
        } else {
            mine.named.extend(fleet.whole(change.0));
        }
    }

    fn wants(&self, (vin, place): &Placed) -> bool {
        self.may_know(*vin)
            && (self.whole.contains(vin)
                || match &self.which {
                    Which::Fleet => true,
                    Which::Only(_) => self.only.contains(vin),
                    area @ Which::Area { .. } => area.holds(*place),
                })
    }

    fn may_know(&self, vin: Vin) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(&vin))
    }

    fn shorten(&self, vehicles: &mut [LiveVehicle]) {
        for vehicle in vehicles {
            if !self.whole.contains(&vehicle.vin) {
                self.signals.keep_in(std::slice::from_mut(vehicle));
            }
        }
    }
}

fn place_of(live: &LiveVehicle) -> Option<(f64, f64)> {
    let value = |key| live.values.get(key).copied();
    value("lat").zip(value("lon"))
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::{
        Epoch, Message, SCHEMA_VERSION, Seq, Topic,
        message::{Clock, Row, Telemetry},
        topic::Kind,
    };

    use super::*;

    const NOW: UnixMs = 1_790_000_000_000;

    fn vin(n: u32) -> Vin {
        format!("WVWZZZ1JZ3W{n:06}").parse().unwrap()
    }

    /// A vehicle says where it is and how fast.
    fn drive(fleet: &mut Fleet, n: u32, seq: u64, lat: f64) {
        let batch = Telemetry {
            v: SCHEMA_VERSION,
            vin: vin(n),
            epoch: Epoch(1),
            seq: Seq(seq),
            t0: NOW + seq as i64 * 1000,
            clock: Clock::Gnss,
            keys: ["lat", "lon", "spd", "ect"].map(str::to_owned).into(),
            rows: vec![Row {
                dt_ms: 0,
                values: vec![Some(lat), Some(6.5), Some(50.0 + seq as f64), Some(90.0 + seq as f64)],
            }],
            gap: None,
        };
        fleet.apply(&Topic::new(vin(n), Kind::Telemetry), Message::Telemetry(batch), NOW + seq as i64 * 1000);
    }

    fn area() -> Which {
        Which::Area { south: 46.0, west: 6.0, north: 47.0, east: 7.0 }
    }

    fn view(want: Want) -> View {
        let mut view = View::new(None);
        view.want(want).unwrap();
        view
    }

    fn take(view: &mut View, fleet: &mut Fleet) -> Option<Delta> {
        let delta = fleet.delta(NOW);
        view.take(&Tick::new(delta, fleet), |look| look(fleet))
    }

    #[test]
    fn a_vehicle_that_comes_into_the_area_is_told_whole_and_one_that_leaves_is_told_of_no_more() {
        let mut fleet = Fleet::new(10);
        drive(&mut fleet, 1, 1, 46.5);
        drive(&mut fleet, 2, 1, 48.0);
        fleet.delta(NOW);
        let mut view = view(Want { which: area(), ..Want::default() });
        let snapshot = view.snapshot(&fleet, NOW);
        assert_eq!(snapshot.vehicles.iter().map(|live| live.vin).collect::<Vec<_>>(), [vin(1)]);
        drive(&mut fleet, 1, 2, 46.6);
        drive(&mut fleet, 2, 2, 48.1);
        let delta = take(&mut view, &mut fleet).unwrap();
        assert_eq!((delta.changed.len(), delta.named.len(), delta.left.len()), (1, 0, 0));
        drive(&mut fleet, 1, 3, 47.5);
        drive(&mut fleet, 2, 3, 46.9);
        let delta = take(&mut view, &mut fleet).unwrap();
        assert_eq!(delta.left, [0]);
        assert_eq!((delta.named[0].vin, delta.named[0].values["ect"]), (vin(2), 93.0));
        assert!(delta.changed.is_empty());
        drive(&mut fleet, 1, 4, 47.6);
        assert_eq!(take(&mut view, &mut fleet), None, "what is outside is not said");
    }

    #[test]
    fn signals_that_are_not_wanted_stay_and_vehicles_that_are_wanted_whole_have_all() {
        let mut fleet = Fleet::new(10);
        for n in [1, 2, 3] {
            drive(&mut fleet, n, 1, 46.5);
        }
        fleet.delta(NOW);
        let signals = Some(vec!["spd".to_owned(), "lat".to_owned()]);
        let which = Which::Only(vec![vin(1)]);
        let mut view = view(Want { which, signals, whole: vec![vin(2)], since: None });
        let keys = |values: &std::collections::BTreeMap<String, f64>| values.keys().cloned().collect::<Vec<_>>();
        let snapshot = view.snapshot(&fleet, NOW);
        assert_eq!(snapshot.vehicles.len(), 2);
        assert_eq!(keys(&snapshot.vehicles[0].values), ["lat", "spd"]);
        assert_eq!(keys(&snapshot.vehicles[1].values), ["ect", "lat", "lon", "spd"]);
        for n in [1, 2, 3] {
            drive(&mut fleet, n, 2, 46.6);
        }
        let delta = take(&mut view, &mut fleet).unwrap();
        let lengths: Vec<_> = delta.changed.iter().map(|change| (change.0, change.4.len())).collect();
        assert_eq!(lengths, [(0, 2), (1, 3)]);
    }

    #[test]
    fn who_wants_what_all_want_is_told_only_what_it_wants_whole_on_its_own() {
        let mut fleet = Fleet::new(10);
        for n in [1, 2] {
            drive(&mut fleet, n, 1, 46.5);
        }
        fleet.delta(NOW);
        let signals = Some(vec!["spd".to_owned()]);
        let mut view = view(Want { signals, whole: vec![vin(2)], ..Want::default() });
        assert!(view.is_common());
        assert_eq!(view.wholes(&fleet, NOW).unwrap().named[0].values.len(), 4);
        for n in [1, 2] {
            drive(&mut fleet, n, 2, 46.6);
        }
        let delta = take(&mut view, &mut fleet).unwrap();
        assert_eq!(delta.changed.iter().map(|change| change.0).collect::<Vec<_>>(), [1]);
        drive(&mut fleet, 1, 3, 46.6);
        assert_eq!(take(&mut view, &mut fleet), None);
    }

    #[test]
    fn who_comes_back_is_told_what_has_changed_since_and_of_the_rest_nothing() {
        let mut fleet = Fleet::new(10);
        for n in [1, 2] {
            drive(&mut fleet, n, 1, 46.5);
        }
        let tick = fleet.delta(NOW).tick;
        drive(&mut fleet, 2, 2, 46.5);
        fleet.delta(NOW);
        let mut view = View::new(None);
        let delta = view.since(&fleet, tick, NOW).unwrap();
        assert_eq!(delta.named.iter().map(|live| live.vin).collect::<Vec<_>>(), [vin(2)]);
        assert_eq!(view.since(&fleet, fleet.tick(), NOW).unwrap().named, []);
        assert_eq!(view.since(&fleet, fleet.tick() + 1, NOW), None, "a tick that is yet to come is of another feed");
    }

    #[test]
    fn nothing_is_told_of_what_one_may_not_know_even_if_it_is_named() {
        let mut fleet = Fleet::new(10);
        for n in [1, 2] {
            drive(&mut fleet, n, 1, 46.5);
        }
        fleet.delta(NOW);
        let mut view = View::new(Some([vin(1)].into()));
        view.want(Want { which: Which::Only(vec![vin(1), vin(2)]), whole: vec![vin(2)], ..Want::default() }).unwrap();
        assert_eq!(view.snapshot(&fleet, NOW).vehicles.len(), 1);
        assert_eq!(view.wholes(&fleet, NOW), None);
        for n in [1, 2] {
            drive(&mut fleet, n, 2, 46.6);
        }
        let delta = take(&mut view, &mut fleet).unwrap();
        assert_eq!((delta.changed.len(), delta.named.len()), (1, 0));
        assert_eq!(delta.changed[0].0, 0);
    }

    #[test]
    fn a_wish_beyond_the_limits_is_refused_and_the_one_before_stays() {
        let mut view = view(Want { which: area(), ..Want::default() });
        let nowhere = Which::Area { south: f64::NAN, west: 6.0, north: 47.0, east: 7.0 };
        let many = Which::Only((0..501).map(vin).collect());
        for (which, error) in [(nowhere, WantError::Area), (many, WantError::TooMany)] {
            assert_eq!(view.want(Want { which, ..Want::default() }), Err(error));
        }
        let signals = Some(vec![String::new()]);
        assert_eq!(view.want(Want { signals, ..Want::default() }), Err(WantError::Key));
        let whole = (0..33).map(vin).collect();
        assert_eq!(view.want(Want { whole, ..Want::default() }), Err(WantError::TooMany));
        assert_eq!(view.which, area());
    }
}
