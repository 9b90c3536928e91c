use std::{
    collections::BTreeMap,
    error::Error,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bugbrother_client::{Publisher, Qos, Receipt};
use bugbrother_store::Store;
use bugbrother_wire::{
    AlertId, Topic, Vin, encode,
    message::{Alert, AlertState},
    topic::Kind,
};
use metrics::counter;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// Alerts that may wait. There are no more active ones than rules times vehicles; this bounds what piles up beside them
/// while neither the broker nor the database takes anything.
const MAX_WAITING: usize = 65_536;
/// Between two tries of what failed.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A database that takes longer does not hold up what is to be said.
const SAVE_TIMEOUT: Duration = Duration::from_secs(1);
/// For the last ones at a shutdown.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// What is still to be done with an alert.
#[derive(Clone)]
struct Task {
    vin: Vin,
    /// `None`: the broker keeps an alert that is not active; its topic is cleared.
    alert: Option<Alert>,
    store: bool,
    publish: bool,
}

type Tasks = BTreeMap<AlertId, Task>;

/// Alerts on their way to the database and to the broker: the newest word on each. One that is down does not keep
/// alerts from the other.
#[derive(Default)]
pub struct Outgoing {
    tasks: Mutex<Tasks>,
    wake: Notify,
}

impl Outgoing {
    /// Has alerts that changed stored and published. Never waits.
    pub fn send(&self, alerts: impl IntoIterator<Item = Alert>) {
        self.add(alerts.into_iter().map(|alert| (alert, true)));
    }

    /// Has alerts that are stored published again: a broker that was started anew has forgotten them.
    pub fn repeat<'a>(&self, alerts: impl IntoIterator<Item = &'a Alert>) {
        self.add(alerts.into_iter().map(|alert| (alert.clone(), false)));
    }

    /// Has the broker forget an alert that it keeps though it is not active.
    pub fn clear(&self, vin: Vin, id: AlertId) {
        let task = Task { vin, alert: None, store: false, publish: true };
        let mut tasks = self.lock();
        if tasks.len() < MAX_WAITING {
            tasks.entry(id).or_insert(task);
        }
        drop(tasks);
        self.wake.notify_one();
    }

    fn add(&self, alerts: impl Iterator<Item = (Alert, bool)>) {
        let mut tasks = self.lock();
        for (alert, store) in alerts {
            let store = store || tasks.get(&alert.id).is_some_and(|task| task.store);
            let (vin, id) = (alert.vin, alert.id);
            if tasks.len() < MAX_WAITING || tasks.contains_key(&id) {
                tasks.insert(id, Task { vin, alert: Some(alert), store, publish: true });
            } else {
                counter!("bugbrother_notifier_alerts_dropped_total").increment(1);
            }
        }
        drop(tasks);
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
        let tasks = mem::take(&mut *self.lock());
        let mut under_way = Vec::with_capacity(tasks.len());
        let mut stored = true;
        for (id, mut task) in tasks {
            if let Some(alert) = task.alert.as_ref().filter(|_| task.store && stored) {
                stored = save(store, alert, log).await;
                task.store = !stored;
            }
            let receipt = if task.publish { publish(publisher, id, &task).await } else { None };
            under_way.push((id, task, receipt));
        }
        let mut left = Tasks::new();
        for (id, mut task, receipt) in under_way {
            if let Some(receipt) = receipt {
                task.publish = receipt.await.is_err();
            }
            if task.store || task.publish {
                left.insert(id, task);
            }
        }
        self.put_back(left);
        stored
    }

    fn put_back(&self, left: Tasks) {
        let mut tasks = self.lock();
        for (id, old) in left {
            match tasks.get_mut(&id) {
                Some(newer) => newer.store |= old.store,
                None => drop(tasks.insert(id, old)),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tasks> {
        // The map is whole between any two statements.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn save(store: &Store, alert: &Alert, log: bool) -> bool {
    let saved = timeout(SAVE_TIMEOUT, store.save_alert(alert)).await;
    let failure: &(dyn Error + 'static) = match &saved {
        Ok(Ok(())) => return true,
        Ok(Err(failure)) => failure,
        Err(elapsed) => elapsed,
    };
    counter!("bugbrother_notifier_store_failures_total").increment(1);
    if log {
        error!(failure, "the fleet database takes no alerts; trying again");
    }
    false
}

/// Queues what is to be said of an alert; `None` without a connection. The receipt is of the last part.
async fn publish(publisher: &Publisher, id: AlertId, task: &Task) -> Option<Receipt> {
    let topic = Topic::new(task.vin, Kind::Alert(id)).to_string();
    let mut receipt = None;
    if let Some(alert) = &task.alert {
        receipt = Some(publisher.publish(topic.as_str(), encode(alert), Qos::AtLeastOnce, true).await.ok()?);
    }
    if task.alert.as_ref().is_none_or(|alert| alert.state == AlertState::Resolved) {
        receipt = Some(publisher.publish(topic, Vec::new(), Qos::AtLeastOnce, true).await.ok()?);
    }
    receipt
}
