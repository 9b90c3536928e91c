use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use bugbrother_client::{PublishError, Publisher, Qos, Receipt};
use bugbrother_store::{Store, shard_of};
use bugbrother_wire::{
    AlertId, Topic, Vin, encode,
    message::{Alert, AlertState},
    topic::Kind,
    unix_ms,
};
use metrics::counter;
use tokio::{
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{
    holding::Hand,
    waiting::{Task, Waiting},
};

/// Alerts that are stored in one transaction: between two of them the database is others'.
const AT_ONCE: usize = 64;
/// Between two tries of what failed.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A database that takes longer does not hold up what is to be said.
const SAVE_TIMEOUT: Duration = Duration::from_secs(1);
/// For the last ones at a shutdown.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// Alerts on their way to the database and to the broker: the newest word on each. One that is down does not keep
/// alerts from the other.
pub struct Outgoing {
    waiting: Mutex<Waiting>,
    /// What is to be kept of vehicles: the newest word on each. One that has alerts waiting is stored with them.
    memories: Mutex<BTreeMap<Vin, String>>,
    wake: Notify,
    /// Alerts have been stored.
    stored: Arc<Notify>,
    /// Something was done.
    done: Notify,
    hand: Arc<Hand>,
    /// Alerts that the database has under another identity than was said.
    renamed: mpsc::UnboundedSender<Renamed>,
}

/// An alert that the database had already: what was raised as `was` is that one.
#[derive(Debug)]
pub struct Renamed {
    /// As it was raised.
    pub was: AlertId,
    /// As it is stored.
    pub stored: Alert,
}

impl Outgoing {
    /// What of the vehicles in `hand` is to be stored and said. The second part hears of alerts that were there already.
    pub fn new(hand: Arc<Hand>) -> (Self, mpsc::UnboundedReceiver<Renamed>) {
        // Bounded by what waits: for each of those there is one at most.
        let (renamed, receiver) = mpsc::unbounded_channel();
        let outgoing = Outgoing {
            waiting: Mutex::default(),
            memories: Mutex::default(),
            wake: Notify::new(),
            stored: Arc::default(),
            done: Notify::new(),
            hand,
            renamed,
        };
        (outgoing, receiver)
    }

    /// Has alerts said that are stored as they are; what waits to be said of them is newer.
    pub fn say(&self, alerts: impl IntoIterator<Item = Alert>) {
        let mut waiting = self.lock();
        for alert in alerts {
            waiting.put_back(Task { vin: alert.vin, id: alert.id, alert: Some(alert), store: false, publish: true });
        }
        drop(waiting);
        self.wake.notify_one();
    }

    /// Waits until nothing of vehicles of these shards waits to be stored, neither alerts nor what is remembered.
    pub async fn stored(&self, shards: &[u8]) {
        loop {
            let done = self.done.notified();
            {
                let waiting = self.lock();
                let has_memories = self.memories().keys().any(|vin| shards.contains(&shard_of(*vin)));
                if !waiting.under_way && !waiting.has_unstored(shards) && !has_memories {
                    return;
                }
            }
            done.await;
        }
    }

    /// Has alerts that changed stored and published. Never waits.
    pub fn send(&self, alerts: impl IntoIterator<Item = Alert>) {
        let mut waiting = self.lock();
        for alert in alerts {
            waiting.put(Task { vin: alert.vin, id: alert.id, alert: Some(alert), store: true, publish: true });
        }
        drop(waiting);
        self.wake.notify_one();
    }

    /// Has what is remembered of vehicles stored: with their alerts that wait, or soon. Never waits.
    pub fn keep(&self, memories: impl IntoIterator<Item = (Vin, String)>) {
        self.memories().extend(memories);
        self.wake.notify_one();
    }

    /// Is notified when alerts have been stored.
    pub fn news(&self) -> Arc<Notify> {
        self.stored.clone()
    }

    /// Has active alerts published again: a broker that was started anew has forgotten them. They are stored again too,
    /// which tells whether somebody has acknowledged them.
    pub fn repeat<'a>(&self, alerts: impl IntoIterator<Item = &'a Alert>) {
        self.send(alerts.into_iter().cloned());
    }

    /// Has the broker forget an alert that it keeps though it is not active.
    pub fn clear(&self, vin: Vin, id: AlertId) {
        self.lock().put_back(Task { vin, id, alert: None, store: false, publish: true });
        self.wake.notify_one();
    }

    /// Does what is to be done until `last`, and then what is left.
    pub async fn work(self: Arc<Self>, store: Store, publisher: Publisher, last: CancellationToken) {
        let mut wait = FIRST_WAIT;
        let mut healthy = true;
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                () = sleep(wait), if !healthy => wait = (wait * 2).min(LONGEST_WAIT),
                () = last.cancelled() => break,
            }
            let done = self.do_all(&store, &publisher, healthy).await;
            if done && !healthy {
                info!("the fleet database takes alerts again");
            }
            if done {
                wait = FIRST_WAIT;
            }
            healthy = done;
        }
        timeout(LAST_TIMEOUT, self.do_all(&store, &publisher, false)).await.ok();
    }

    /// False when the database failed; what is left to do is put back. Without a connection it waits for the next one,
    /// when the active alerts are repeated.
    ///
    /// An alert is stored first and said then, so that a notifier that is started anew knows what was said. When the
    /// database fails it is said all the same.
    async fn do_all(&self, store: &Store, publisher: &Publisher, log: bool) -> bool {
        let mut due = {
            let mut waiting = self.lock();
            waiting.under_way = true;
            waiting.count()
        };
        let mut under_way = Vec::with_capacity(due);
        let mut stored = true;
        while due > 0 {
            let mut tasks = self.lock().take(due.min(AT_ONCE));
            due -= tasks.len();
            stored = stored && self.save(store, &mut tasks, log).await;
            if stored {
                self.stored.notify_one();
            }
            for task in tasks {
                let receipt = if task.publish { publish(publisher, &task).await } else { None };
                under_way.push((task, receipt));
            }
        }
        while stored && !self.memories().is_empty() {
            stored = self.save(store, &mut [], log).await;
        }
        // What was taken later is the newer word on its alert.
        let mut left = BTreeMap::new();
        for (mut task, receipt) in under_way {
            if let Some(receipt) = receipt {
                // What the broker refuses it refuses again; it is said anew at the next connection.
                task.publish = receipt.await == Err(PublishError::ConnectionLost);
            }
            // Without an alert there is nothing to keep: what the broker has, it tells again at the next connection.
            if task.alert.is_none() {
                continue;
            }
            if task.store || task.publish {
                left.insert(task.id, task);
            } else {
                left.remove(&task.id);
            }
        }
        let mut waiting = self.lock();
        left.into_values().for_each(|task| waiting.put_back(task));
        waiting.under_way = false;
        drop(waiting);
        self.done.notify_waiters();
        stored
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // It is whole between any two calls.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the alerts among the tasks, and what is remembered of their vehicles and of some others. What a person has made
    /// of alerts in the meantime is to be said, too. What is of a vehicle that another notifier looks after now is neither
    /// stored nor said.
    async fn save(&self, store: &Store, tasks: &mut [Task], log: bool) -> bool {
        let mut unsaved: Vec<_> = tasks.iter_mut().filter(|task| task.store && task.alert.is_some()).collect();
        let alerts: Vec<_> = unsaved.iter().filter_map(|task| task.alert.clone()).collect();
        let memories = self.take_memories(&alerts);
        if alerts.is_empty() && memories.is_empty() {
            return true;
        }
        let held = self.hand.held();
        let now = unix_ms(SystemTime::now());
        let saved = timeout(SAVE_TIMEOUT, store.save_judgement(&held, &alerts, &memories, now)).await;
        let failure: &(dyn Error + 'static) = match &saved {
            Ok(Ok(stored)) => {
                for (task, stored) in unsaved.iter_mut().zip(stored) {
                    self.settle(task, stored.clone());
                }
                return true;
            }
            Ok(Err(failure)) => failure,
            Err(elapsed) => elapsed,
        };
        counter!("bugbrother_notifier_store_failures_total").increment(1);
        if log {
            error!(failure, "the fleet database takes no alerts; trying again");
        }
        let mut waiting = self.memories();
        for (vin, body) in memories {
            waiting.entry(vin).or_insert(body);
        }
        false
    }

    /// What is left to do after a task was stored, or refused.
    fn settle(&self, task: &mut Task, stored: Option<Alert>) {
        task.store = false;
        let Some(stored) = stored else {
            counter!("bugbrother_notifier_alerts_refused_total").increment(1);
            (task.alert, task.publish) = (None, false);
            return;
        };
        if stored.id != task.id {
            // While the database was away it may have been said under the name that it was raised with.
            self.clear(task.vin, task.id);
            let was = std::mem::replace(&mut task.id, stored.id);
            self.renamed.send(Renamed { was, stored: stored.clone() }).ok();
        }
        task.publish |= task.alert.as_ref() != Some(&stored);
        task.alert = Some(stored);
    }

    /// Takes out what is remembered of the vehicles of these alerts, and of others up to [`AT_ONCE`].
    fn take_memories(&self, alerts: &[Alert]) -> Vec<(Vin, String)> {
        let mut waiting = self.memories();
        let mut taken = BTreeMap::new();
        for alert in alerts {
            taken.extend(waiting.remove_entry(&alert.vin));
        }
        while taken.len() < AT_ONCE
            && let Some((vin, body)) = waiting.pop_first()
        {
            taken.insert(vin, body);
        }
        taken.into_iter().collect()
    }

    fn memories(&self) -> MutexGuard<'_, BTreeMap<Vin, String>> {
        // It is whole between any two calls.
        self.memories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Queues what is to be said of an alert; `None` without a connection. The receipt is of the last part.
async fn publish(publisher: &Publisher, task: &Task) -> Option<Receipt> {
    let topic = Topic::new(task.vin, Kind::Alert(task.id)).to_string();
    let mut receipt = None;
    if let Some(alert) = &task.alert {
        receipt = Some(publisher.publish(topic.as_str(), encode(alert), Qos::AtLeastOnce, true).await.ok()?);
    }
    if task.alert.as_ref().is_none_or(|alert| alert.state == AlertState::Resolved) {
        receipt = Some(publisher.publish(topic, Vec::new(), Qos::AtLeastOnce, true).await.ok()?);
    }
    receipt
}

#[cfg(test)]
mod tests {
    use anyhow::Result;
    use bugbrother_wire::{SCHEMA_VERSION, message::Severity};
    use uuid::Uuid;

    use super::*;
    use crate::holding::Holding;

    fn alert(vin: &str, n: u128) -> Alert {
        Alert {
            v: SCHEMA_VERSION,
            vin: vin.parse().expect("it is a VIN"),
            id: AlertId(Uuid::from_u128(n)),
            rule: format!("fast {n}"),
            title: "Faster than 130 km/h".into(),
            severity: Severity::Warning,
            state: AlertState::Open,
            opened: 1_790_000_000_000,
            updated: 1_790_000_000_000,
            resolved: None,
            count: 1,
            value: Some(141.0),
            signal: None,
            limit: None,
            lat: None,
            lon: None,
            acknowledged_by: None,
            late: false,
            detail: None,
        }
    }

    #[tokio::test]
    async fn a_flood_from_one_vehicle_does_not_push_out_what_others_say() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(&format!("sqlite://{}/fleet.db", folder.path().display())).await?;
        let mut holding = Holding::new("one".into(), store.clone());
        while holding.first().await?.is_some() {}
        let (outgoing, _renamed) = Outgoing::new(holding.hand());
        outgoing.send((0..100_000).map(|n| alert("WVWZZZ1JZ3W386752", n)));
        let calm = alert("1M8GDM9AXKP042788", u128::MAX);
        outgoing.send([calm.clone()]);
        let unconnected = Publisher::default();
        assert!(outgoing.do_all(&store, &unconnected, true).await);
        let stored = store.active_alerts(1_000).await?;
        assert!(stored.contains(&calm));
        assert!(stored.len() > AT_ONCE, "and more than go into a transaction, {}", stored.len());
        assert_eq!(outgoing.lock().count(), stored.len(), "they wait for the broker");
        assert!(outgoing.lock().take(usize::MAX).iter().all(|task| task.publish && !task.store));
        Ok(())
    }
}
