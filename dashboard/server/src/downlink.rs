//! What the dashboard says on the broker: commands and wishes to vehicles, and alerts that somebody sees to.
//!
//! What is to be said is in the database, and here is only noted of which vehicle or alert; so what fails is said again
//! when the database answers and at the next connection to the broker, and a command also when its vehicle comes back:
//! brokers keep no commands. A vehicle carries out an id once.

use std::{
    collections::BTreeSet,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bugbrother_client::{PublishError, Publisher, Qos};
use bugbrother_store::{ClientId, GeofenceRecord, Store, StoreError};
use bugbrother_wire::{
    AlertId, CameraId, CommandId, SCHEMA_VERSION, Topic, Vin,
    codec::MAX_MESSAGE_BYTES,
    encode,
    message::{AlertState, Argument, Command, Config, Geofence},
    topic::Kind,
};
use tokio::{
    sync::Notify,
    time::{interval, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use uuid::Uuid;

use crate::{
    clock,
    video::{Ask, STREAM_FOR},
};

/// Rows that are read at a time.
const PAGE: u32 = 500;
/// Most geofences that are looked at.
pub(crate) const MAX_GEOFENCES: u32 = 1_000;
/// Clients of a vehicle that are looked at.
const MAX_CLIENTS: u32 = 32;
/// Alerts that wait for a connection; the notifier says all that are active when it connects.
const MAX_ALERTS: usize = 1_000;
/// Contracts begin and end by themselves, and with them whose geofences a vehicle watches.
const RECONCILE_EVERY: Duration = Duration::from_secs(60 * 60);
/// After the database did not answer.
const RETRY: Duration = Duration::from_secs(5);
/// A vehicle that hears only later that somebody wants a stream, does not begin it.
const STREAM_ANSWER_MS: i64 = 20_000;
/// Of a message to a vehicle, what is left to geofences.
const FENCES_BYTES: usize = MAX_MESSAGE_BYTES - 16 * 1024;

/// Says what is due.
pub(crate) struct Downlink {
    publisher: Publisher,
    store: Store,
    due: Mutex<Due>,
    wake: Notify,
}

/// What is to be looked at in the database, and said.
#[derive(Debug, Default)]
struct Due {
    /// Unheard commands and wishes of all vehicles: the broker was started anew, or the line was cut.
    everything: bool,
    /// Which geofences which vehicle watches.
    fences: bool,
    commands: BTreeSet<Vin>,
    wishes: BTreeSet<Vin>,
    alerts: BTreeSet<AlertId>,
}

impl Due {
    /// What could not be said is due beside what became so since.
    fn merge(&mut self, other: Due) {
        self.everything |= other.everything;
        self.fences |= other.fences;
        self.commands.extend(other.commands);
        self.wishes.extend(other.wishes);
        other.alerts.into_iter().for_each(|alert| self.take_alert(alert));
    }

    fn take_alert(&mut self, alert: AlertId) {
        if self.alerts.len() < MAX_ALERTS {
            self.alerts.insert(alert);
        }
    }
}

impl Downlink {
    pub fn new(publisher: Publisher, store: Store) -> Self {
        Downlink { publisher, store, due: Mutex::default(), wake: Notify::new() }
    }

    /// There is a connection again.
    pub fn connected(&self) {
        self.note(|due| due.everything = true);
    }

    /// A vehicle was given a command, or came online: it may not have heard the last ones.
    pub fn tell_commands(&self, vin: Vin) {
        self.note(|due| {
            due.commands.insert(vin);
        });
    }

    /// What is wanted of a vehicle has changed.
    pub fn tell_wishes(&self, vin: Vin) {
        self.note(|due| {
            due.wishes.insert(vin);
        });
    }

    /// Geofences have changed, or whose vehicles are whose.
    pub fn reconcile(&self) {
        self.note(|due| due.fences = true);
    }

    /// Somebody sees to an alert, or no longer does.
    pub fn tell_alert(&self, alert: AlertId) {
        self.note(|due| due.take_alert(alert));
    }

    /// How a vehicle is asked for a camera's stream: at once, or not at all. What nobody hears now is of no use later, so it
    /// is not in the database.
    pub fn asking_for_streams(self: &Arc<Self>) -> Ask {
        let downlink = Arc::clone(self);
        Arc::new(move |vin, camera: &CameraId, by: &str| {
            let (id, issued) = (CommandId(Uuid::now_v7()), clock::now());
            let seconds = i64::try_from(STREAM_FOR.as_secs()).expect("a minute is no large number");
            let arguments = [("camera", Argument::Text(camera.to_string())), ("seconds", Argument::Integer(seconds))];
            let command = Command {
                v: SCHEMA_VERSION,
                vin,
                id,
                name: "stream_start".to_owned(),
                arguments: arguments.map(|(name, value)| (name.to_owned(), value)).into(),
                issued,
                expires: issued + STREAM_ANSWER_MS,
                by: by.to_owned(),
            };
            let downlink = Arc::clone(&downlink);
            Box::pin(async move {
                let topic = Topic::new(vin, Kind::Command).to_string();
                let said = downlink.publisher.publish(topic, encode(&command), Qos::AtLeastOnce, false).await;
                said.is_ok().then_some(id)
            })
        })
    }

    fn note(&self, change: impl FnOnce(&mut Due)) {
        change(&mut self.lock());
        self.wake.notify_one();
    }

    /// Says what is due until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut hours = interval(RECONCILE_EVERY);
        let mut is_failing = false;
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                _ = hours.tick() => self.lock().fences = true,
                () = stop.cancelled() => return,
            }
            if !self.publisher.is_connected() {
                continue;
            }
            let due = std::mem::take(&mut *self.lock());
            match stop.run_until_cancelled(self.say(&due)).await {
                None => return,
                Some(Ok(())) => is_failing = false,
                Some(Err(problem)) => {
                    metrics::counter!("bugbrother_dashboard_downlink_failures_total").increment(1);
                    if !is_failing {
                        let problem: &(dyn Error + 'static) = &problem;
                        error!(problem, "what is to be said to vehicles cannot be read; trying again");
                    }
                    is_failing = true;
                    self.note(|waiting| waiting.merge(due));
                    stop.run_until_cancelled(sleep(RETRY)).await;
                }
            }
        }
    }

    async fn say(&self, due: &Due) -> Result<(), StoreError> {
        for alert in &due.alerts {
            self.say_alert(*alert).await?;
        }
        if due.everything {
            self.say_commands(None).await?;
        } else {
            for vin in &due.commands {
                self.say_commands(Some(*vin)).await?;
            }
        }
        for vin in &due.wishes {
            self.say_wishes(*vin).await?;
        }
        if due.fences || due.everything {
            self.say_fences().await?;
        }
        if due.everything {
            self.say_all_wishes().await?;
        }
        Ok(())
    }

    async fn say_commands(&self, vin: Option<Vin>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.store.unheard_commands(vin, clock::now(), after, PAGE).await?;
            for command in &page {
                self.publish(Topic::new(command.vin, Kind::Command), encode(command), false).await;
                metrics::counter!("bugbrother_dashboard_commands_said_total").increment(1);
            }
            match page.last() {
                Some(last) if page.len() == PAGE as usize => after = Some((last.issued, last.id)),
                _ => return Ok(()),
            }
        }
    }

    async fn say_wishes(&self, vin: Vin) -> Result<(), StoreError> {
        if let Some(record) = self.store.wishes(vin).await? {
            self.say_config(&record.said).await;
        }
        Ok(())
    }

    /// The broker may have forgotten what it kept.
    async fn say_all_wishes(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.store.all_wishes(after, PAGE).await?;
            for record in &page {
                self.say_config(&record.said).await;
            }
            match page.last() {
                Some(last) if page.len() == PAGE as usize => after = Some(last.vin),
                _ => return Ok(()),
            }
        }
    }

    /// Has each vehicle watch the geofences that concern it.
    async fn say_fences(&self) -> Result<(), StoreError> {
        let fences = self.store.geofences(None, MAX_GEOFENCES).await?;
        let mut after = None;
        loop {
            let page = self.store.vehicles(after, PAGE).await?;
            for vehicle in &page {
                let wanted = self.fences_of(vehicle.vin, &fences).await?;
                let known = self.store.wishes(vehicle.vin).await?;
                if known.map_or(Vec::new(), |known| known.said.geofences) == wanted {
                    continue;
                }
                if let Some(config) = self.store.wish(vehicle.vin, None, wanted, clock::now()).await? {
                    self.say_config(&config).await;
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE as usize => after = Some(last.vin),
                _ => return Ok(()),
            }
        }
    }

    /// The geofences that a vehicle is to watch.
    pub async fn geofences(&self, vin: Vin) -> Result<Vec<Geofence>, StoreError> {
        let fences = self.store.geofences(None, MAX_GEOFENCES).await?;
        self.fences_of(vin, &fences).await
    }

    async fn fences_of(&self, vin: Vin, fences: &[GeofenceRecord]) -> Result<Vec<Geofence>, StoreError> {
        let clients: Vec<ClientId> = if fences.iter().any(|fence| fence.client.is_some()) {
            let clients = self.store.clients_of(vin, clock::now(), MAX_CLIENTS).await?;
            clients.into_iter().map(|(client, _)| client).collect()
        } else {
            Vec::new()
        };
        let concern = fences.iter().filter(|fence| fence.client.is_none_or(|client| clients.contains(&client)));
        let all: Vec<Geofence> = concern
            .map(|fence| Geofence { id: fence.id.to_string(), name: fence.name.clone(), shape: fence.shape.clone() })
            .collect();
        Ok(fitting(vin, all))
    }

    async fn say_config(&self, config: &Config) {
        self.publish(Topic::new(config.vin, Kind::Config), encode(config), true).await;
    }

    async fn say_alert(&self, id: AlertId) -> Result<(), StoreError> {
        let Some(record) = self.store.alert(id).await? else { return Ok(()) };
        // The notifier says the end, and clears the topic.
        if record.alert.state != AlertState::Resolved {
            self.publish(Topic::new(record.alert.vin, Kind::Alert(id)), encode(&record.alert), true).await;
        }
        Ok(())
    }

    async fn publish(&self, topic: Topic, payload: Vec<u8>, retain: bool) {
        let sent = self.publisher.publish(topic.to_string(), payload, Qos::AtLeastOnce, retain).await;
        let refused = match sent {
            Ok(receipt) => receipt.await.err(),
            Err(problem) => Some(problem),
        };
        match refused {
            // Everything is said again at the next connection.
            None | Some(PublishError::NotConnected | PublishError::ConnectionLost) => {}
            Some(problem) => {
                metrics::counter!("bugbrother_dashboard_publishes_refused_total").increment(1);
                let topic = topic.to_string();
                warn!(topic, %problem, "the broker does not take it; the account `dashboard` needs the rights of access/acl");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Due> {
        // It is whole between any two calls.
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As many as there is room for in a message, from the oldest on.
fn fitting(vin: Vin, mut fences: Vec<Geofence>) -> Vec<Geofence> {
    let mut bytes = 0;
    let fits = fences.iter().take_while(|fence| {
        bytes += encode(fence).len();
        bytes <= FENCES_BYTES
    });
    let fitting = fits.count();
    if fitting < fences.len() {
        warn!(%vin, left_out = fences.len() - fitting, "a vehicle cannot be told of so many geofences");
        fences.truncate(fitting);
    }
    fences
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::message::Shape;

    use super::*;

    #[test]
    fn geofences_that_do_not_fit_into_a_message_are_left_out() {
        let vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        let fence = |n: usize| Geofence {
            id: n.to_string(),
            name: "Yard".to_owned(),
            shape: Shape::Polygon((0..200).map(|at| (46.123_456 + f64::from(at) * 1e-5, 6.123_456)).collect()),
        };
        let told = fitting(vin, (0..100).map(fence).collect());
        assert!((5..100).contains(&told.len()), "{}", told.len());
        assert!(told.iter().map(|fence| encode(fence).len()).sum::<usize>() < MAX_MESSAGE_BYTES);
        assert_eq!(fitting(vin, vec![fence(1)]), [fence(1)]);
    }
}
