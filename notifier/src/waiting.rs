//! Alerts that wait to be stored and published: the newest word on each. Pure.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bugbrother_store::shard_of;
use bugbrother_wire::{AlertId, Vin, message::Alert};
use metrics::counter;

/// Alerts that may wait. There are no more active ones than rules times vehicles; this bounds what piles up beside them
/// while neither the broker nor the database takes anything.
const MAX_WAITING: usize = 65_536;
/// Alerts of one vehicle that may wait: one that raises them without end leaves the others their places.
const MAX_OF_VEHICLE: usize = 256;

/// What is still to be done with an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub vin: Vin,
    pub id: AlertId,
    /// `None`: the broker keeps an alert that is not active; its topic is cleared.
    pub alert: Option<Alert>,
    pub store: bool,
    pub publish: bool,
}

/// Tasks by vehicle. The vehicles take turns.
#[derive(Debug, Default)]
pub struct Waiting {
    vehicles: HashMap<Vin, BTreeMap<AlertId, Task>>,
    /// Each vehicle that has tasks, once.
    turns: VecDeque<Vin>,
    count: usize,
    /// Whether tasks were taken out of which nobody knows yet whether they are done.
    pub under_way: bool,
}

impl Waiting {
    /// Whether alerts of vehicles of these shards wait to be stored.
    pub fn has_unstored(&self, shards: &[u8]) -> bool {
        let mut of_shards = self.vehicles.iter().filter(|(vin, _)| shards.contains(&shard_of(**vin)));
        of_shards.any(|(_, tasks)| tasks.values().any(|task| task.store))
    }

    /// How many wait.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds a task, in place of an older one on the same alert.
    pub fn put(&mut self, task: Task) {
        let (vin, id) = (task.vin, task.id);
        let known = self.vehicles.get(&vin);
        let fits = self.count < MAX_WAITING && known.is_none_or(|tasks| tasks.len() < MAX_OF_VEHICLE);
        if !fits && !known.is_some_and(|tasks| tasks.contains_key(&id)) {
            counter!("bugbrother_notifier_alerts_dropped_total").increment(1);
            return;
        }
        let tasks = self.vehicles.entry(vin).or_default();
        if tasks.is_empty() {
            self.turns.push_back(vin);
        }
        if tasks.insert(id, task).is_none() {
            self.count += 1;
        }
    }

    /// Adds a task unless a newer word on its alert waits.
    pub fn put_back(&mut self, task: Task) {
        let newer = self.vehicles.get(&task.vin).and_then(|tasks| tasks.get(&task.id));
        if newer.is_none_or(|newer| newer.alert.is_none()) {
            self.put(task);
        }
    }

    /// Takes up to `most` tasks out: the oldest alert of each vehicle, vehicle by vehicle.
    pub fn take(&mut self, most: usize) -> Vec<Task> {
        let mut taken = Vec::with_capacity(most.min(self.count));
        while taken.len() < most
            && let Some(vin) = self.turns.pop_front()
        {
            let Some(tasks) = self.vehicles.get_mut(&vin) else { continue };
            taken.extend(tasks.pop_first().map(|(_, task)| task));
            if tasks.is_empty() {
                self.vehicles.remove(&vin);
            } else {
                self.turns.push_back(vin);
            }
        }
        self.count -= taken.len();
        taken
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn loud() -> Vin {
        "WVWZZZ1JZ3W386752".parse().expect("it is a VIN")
    }

    fn calm() -> Vin {
        "1M8GDM9AXKP042788".parse().expect("it is a VIN")
    }

    fn clear(vin: Vin, n: usize) -> Task {
        Task { vin, id: AlertId(Uuid::from_u128(n as u128)), alert: None, store: false, publish: true }
    }

    #[test]
    fn a_vehicle_that_raises_alerts_without_end_leaves_the_others_their_places() {
        let mut waiting = Waiting::default();
        (0..2 * MAX_WAITING).for_each(|n| waiting.put(clear(loud(), n)));
        waiting.put(clear(calm(), usize::MAX));
        assert_eq!(waiting.count(), MAX_OF_VEHICLE + 1);
        assert!(waiting.take(2).contains(&clear(calm(), usize::MAX)), "and need not wait for its end");
    }

    #[test]
    fn what_waits_is_bounded_and_a_newer_word_on_it_still_comes_in() {
        let mut waiting = Waiting { count: MAX_WAITING - 1, ..Waiting::default() };
        waiting.put(clear(loud(), 1));
        waiting.put(clear(calm(), 2));
        waiting.put(Task { store: true, ..clear(loud(), 1) });
        assert_eq!(waiting.take(2), [Task { store: true, ..clear(loud(), 1) }]);
        assert_eq!(waiting.count(), MAX_WAITING - 1);
    }

    #[test]
    fn every_task_is_taken_once_and_vehicles_take_turns() {
        let mut waiting = Waiting::default();
        let tasks = [clear(loud(), 1), clear(loud(), 2), clear(loud(), 3), clear(calm(), 4), clear(calm(), 5)];
        tasks.iter().for_each(|task| waiting.put(task.clone()));
        let [a, b, c, d, e] = tasks;
        assert_eq!(waiting.take(3), [a, d, b]);
        assert_eq!(waiting.take(64), [e, c]);
        assert_eq!((waiting.count(), waiting.take(64)), (0, Vec::new()));
    }
}
