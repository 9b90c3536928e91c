//! The fleet as it stands, and what of it viewers have not been told yet. Pure: time is an argument.

mod vehicle;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bugbrother_store::VehicleState;
use bugbrother_wire::{
    AlertId, Message, Topic, UnixMs, Vin, live,
    live::{Delta, LiveVehicle, Notice, Snapshot},
    message::{Alert, AlertState},
    topic::Kind,
};

use vehicle::{News, Vehicle};

/// Most alerts that are kept as active.
pub(crate) const MAX_ALERTS: usize = 10_000;

/// Resolved alerts that a viewer is told of who was away.
const MAX_RESOLVED: usize = 4_096;

/// Every vehicle and every alert that is not resolved.
pub(crate) struct Fleet {
    vehicles: Vec<Vehicle>,
    by_vin: HashMap<Vin, usize>,
    alerts: BTreeMap<AlertId, Alert>,
    /// Those that have not been heard of since the line to the broker was lost.
    doubtful_alerts: BTreeSet<AlertId>,
    max_vehicles: usize,
    untold_vehicles: BTreeSet<usize>,
    untold_alerts: BTreeMap<AlertId, Alert>,
    untold_notices: BTreeSet<Notice>,
    /// Number of the last delta.
    tick: u64,
    /// Alerts that were resolved, with the delta that said so, the oldest first.
    resolved: VecDeque<(u64, Alert)>,
    /// What has changed since a delta before this one cannot be told any more.
    known_since: u64,
}

/// A vehicle and its position in degrees, if it has one.
pub(crate) type Placed = (Vin, Option<(f64, f64)>);

/// What a message did to the fleet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It was taken in, or had nothing new to tell.
    Known,
    /// It was taken in, and is the first word of its vehicle.
    NewVehicle,
    /// It was dropped: the fleet holds as much as it may.
    Full,
}

impl Fleet {
    pub fn new(max_vehicles: usize) -> Self {
        Fleet {
            vehicles: Vec::new(),
            by_vin: HashMap::new(),
            alerts: BTreeMap::new(),
            doubtful_alerts: BTreeSet::new(),
            max_vehicles,
            untold_vehicles: BTreeSet::new(),
            untold_alerts: BTreeMap::new(),
            untold_notices: BTreeSet::new(),
            // A tick of 0 is the one before everything.
            tick: 1,
            resolved: VecDeque::new(),
            known_since: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.vehicles.len()
    }

    /// Takes in what a vehicle or the notifier said.
    pub fn apply(&mut self, topic: &Topic, message: Message, now: UnixMs) -> Applied {
        match message {
            Message::Telemetry(batch) | Message::Backfill(batch) => {
                self.tell(topic.vin, |vehicle| vehicle.take_batch(&batch, now))
            }
            Message::Status(status) => self.tell(topic.vin, |vehicle| vehicle.take_status(&status)),
            Message::Birth(_) => self.tell(topic.vin, |_| News::None),
            Message::Alert(alert) => self.take_alert(alert),
            Message::AlertCleared => {
                if let Kind::Alert(id) = topic.kind {
                    self.resolve(id, now);
                }
                Applied::Known
            }
            _ => Applied::Known,
        }
    }

    /// Takes in a vehicle as the database has it. What is known better already stays.
    pub fn restore(&mut self, state: VehicleState, now: UnixMs) -> Applied {
        self.tell(state.vin, |vehicle| vehicle.restore(state, now))
    }

    /// Gives a vehicle its name; one that is not known yet becomes known by it.
    pub fn rename(&mut self, vin: Vin, name: &str, plate: Option<&str>) -> Applied {
        self.tell(vin, |vehicle| vehicle.rename(name, plate))
    }

    /// It serves the client of that name. A vehicle that is not known stays so.
    pub fn serve(&mut self, vin: Vin, client: Option<String>) {
        if self.by_vin.contains_key(&vin) {
            self.tell(vin, |vehicle| vehicle.serve(client));
        }
    }

    /// There is something new of a vehicle that viewers have to ask for.
    pub fn notice(&mut self, vin: Vin, news: live::News) {
        if let Some(n) = self.number_of(vin) {
            self.untold_notices.insert(Notice(n, news));
        }
    }

    /// Takes in an alert that somebody sees to.
    pub fn see_to(&mut self, alert: Alert) {
        self.take_alert(alert);
    }

    /// The line to the broker is lost: alerts may end from now on without being heard.
    pub fn doubt_alerts(&mut self) {
        self.doubtful_alerts = self.alerts.keys().copied().collect();
    }

    /// Takes in the alerts that the database has as active. If these are all, those in doubt are over.
    pub fn reconcile_alerts(&mut self, active: Vec<Alert>, complete: bool, now: UnixMs) {
        for alert in active {
            self.take_alert(alert);
        }
        if complete {
            for id in std::mem::take(&mut self.doubtful_alerts) {
                self.resolve(id, now);
            }
        }
    }

    /// Number of the last delta.
    pub fn tick(&self) -> u64 {
        self.tick
    }

    /// The vehicles that are wanted, and every alert of such as `knows` lets through.
    pub fn snapshot(&self, now: UnixMs, wants: impl Fn(&Placed) -> bool, knows: impl Fn(Vin) -> bool) -> Snapshot {
        let wanted = self.vehicles.iter().enumerate().filter(|(_, vehicle)| wants(&vehicle.place()));
        Snapshot {
            now,
            tick: self.tick,
            vehicles: wanted.map(|(n, vehicle)| vehicle.whole(number(n))).collect(),
            alerts: self.alerts.values().filter(|alert| knows(alert.vin)).cloned().collect(),
        }
    }

    /// What has changed of the vehicles that are wanted since a delta, as far as that is still known. Alerts are all told
    /// again. Who `knew_all` the vehicles then is told the values alone of those that still are what they were.
    pub fn since(&self, tick: u64, now: UnixMs, wants: impl Fn(&Placed) -> bool, knew_all: bool) -> Option<Delta> {
        if tick < self.known_since || tick > self.tick {
            return None;
        }
        let resolved = self.resolved.iter().filter(|(at, _)| *at > tick).map(|(_, alert)| alert);
        let mut delta = Delta {
            now,
            tick: self.tick,
            named: Vec::new(),
            left: Vec::new(),
            changed: Vec::new(),
            alerts: resolved.chain(self.alerts.values()).cloned().collect(),
            notices: Vec::new(),
        };
        let vehicles = self.vehicles.iter().enumerate().filter(|(_, vehicle)| vehicle.told > tick);
        for (n, vehicle) in vehicles.filter(|(_, vehicle)| wants(&vehicle.place())) {
            if knew_all && vehicle.told_whole <= tick {
                delta.changed.push(vehicle.values(number(n)));
            } else {
                delta.named.push(vehicle.whole(number(n)));
            }
        }
        Some(delta)
    }

    /// The number of a vehicle, if it is known.
    pub fn number_of(&self, vin: Vin) -> Option<u32> {
        self.by_vin.get(&vin).map(|n| number(*n))
    }

    /// A vehicle by its number.
    pub fn whole(&self, n: u32) -> Option<LiveVehicle> {
        self.vehicles.get(n as usize).map(|vehicle| vehicle.whole(n))
    }

    /// Where a vehicle is.
    pub fn place(&self, n: u32) -> Option<Placed> {
        self.vehicles.get(n as usize).map(Vehicle::place)
    }

    /// What has changed since the last call, in the order of the vehicles' numbers.
    pub fn delta(&mut self, now: UnixMs) -> Delta {
        self.tick += 1;
        let mut delta = Delta {
            now,
            tick: self.tick,
            named: Vec::new(),
            left: Vec::new(),
            changed: Vec::new(),
            alerts: std::mem::take(&mut self.untold_alerts).into_values().collect(),
            notices: std::mem::take(&mut self.untold_notices).into_iter().collect(),
        };
        let over = delta.alerts.iter().filter(|alert| alert.state == AlertState::Resolved);
        self.resolved.extend(over.map(|alert| (self.tick, alert.clone())));
        while self.resolved.len() > MAX_RESOLVED {
            let (at, _) = self.resolved.pop_front().expect("it is longer than that");
            self.known_since = at;
        }
        for n in std::mem::take(&mut self.untold_vehicles) {
            self.vehicles[n].told = self.tick;
            match self.vehicles[n].take_news(number(n)) {
                vehicle::Told::Whole(vehicle) => {
                    self.vehicles[n].told_whole = self.tick;
                    delta.named.push(vehicle);
                }
                vehicle::Told::Change(change) => delta.changed.push(change),
            }
        }
        delta
    }

    fn tell(&mut self, vin: Vin, take: impl FnOnce(&mut Vehicle) -> News) -> Applied {
        let (n, applied) = match self.by_vin.get(&vin) {
            Some(n) => (*n, Applied::Known),
            None if self.vehicles.len() >= self.max_vehicles => return Applied::Full,
            None => {
                let n = self.vehicles.len();
                self.vehicles.push(Vehicle::new(vin));
                self.by_vin.insert(vin, n);
                (n, Applied::NewVehicle)
            }
        };
        let news = take(&mut self.vehicles[n]);
        if news != News::None || applied == Applied::NewVehicle {
            self.untold_vehicles.insert(n);
        }
        applied
    }

    fn take_alert(&mut self, alert: Alert) -> Applied {
        self.doubtful_alerts.remove(&alert.id);
        let known = self.alerts.get(&alert.id);
        if known.is_some_and(|known| known.updated > alert.updated || *known == alert) {
            return Applied::Known;
        }
        if alert.state == AlertState::Resolved {
            if self.alerts.remove(&alert.id).is_some() {
                self.untold_alerts.insert(alert.id, alert);
            }
            return Applied::Known;
        }
        if known.is_none() && self.alerts.len() >= MAX_ALERTS {
            return Applied::Full;
        }
        self.untold_alerts.insert(alert.id, alert.clone());
        self.alerts.insert(alert.id, alert);
        Applied::Known
    }

    fn resolve(&mut self, id: AlertId, now: UnixMs) {
        if let Some(mut alert) = self.alerts.remove(&id) {
            alert.state = AlertState::Resolved;
            alert.resolved = Some(now);
            alert.updated = now.max(alert.updated);
            self.untold_alerts.insert(id, alert);
        }
    }
}

/// Whether a delta says nothing.
pub(crate) fn is_empty(delta: &Delta) -> bool {
    delta.named.is_empty() && delta.changed.is_empty() && delta.alerts.is_empty() && delta.notices.is_empty()
}

fn number(n: usize) -> u32 {
    u32::try_from(n).expect("a fleet has fewer vehicles than `max_vehicles`, which fits")
}
