//! Tells others how the fleet stands: each vehicle's `state` as JSON, and, where Home Assistant is to know of them, a device
//! for each.
//!
//! What was said is retained by the broker. So at every connection the herald hears what is there, whoever said it, and takes
//! back what is of vehicles that the database does not know any more.

mod discovery;
mod state;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bugbrother_client::{Delivery, Publisher, Qos};
use bugbrother_store::{Store, StoreError};
use bugbrother_wire::{Message, Topic, Vin, live::LiveVehicle, topic::Kind};
use sha2::{Digest as _, Sha256};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use discovery::Prefix;

use crate::feed::Feed;

/// Every vehicle's state.
pub(crate) const ALL_STATES: &str = "fleet/v1/+/state";
/// Vehicles that are read from the database at a time.
const PAGE: u32 = 500;
/// Messages that are said in one go, and how long the connection then belongs to commands and wishes.
const BURST: usize = 50;
const PAUSE: Duration = Duration::from_millis(50);

/// What of the fleet is told to whom.
#[derive(Debug, Clone)]
pub struct Heralding {
    /// A vehicle's state is told so often, if it has changed.
    pub every: Duration,
    /// Where Home Assistant looks for devices; `None` when it is not to know of them.
    pub home_assistant: Option<Prefix>,
    /// The database is asked so often which vehicles there are.
    pub roll_every: Duration,
}

impl Heralding {
    /// Of state alone, with a look at the database once a minute.
    pub fn new(every: Duration) -> Self {
        Heralding { every, home_assistant: None, roll_every: Duration::from_secs(60) }
    }
}

/// Tells it.
pub(crate) struct Herald {
    settings: Heralding,
    publisher: Publisher,
    store: Store,
    feed: Arc<Feed>,
    max_vehicles: usize,
    heard: Mutex<Heard>,
}

/// What is known by the broker.
#[derive(Default)]
struct Heard {
    /// Trouble codes that vehicles have told of.
    codes: HashMap<Vin, u32>,
    /// Vehicles of which there is something retained.
    retained: BTreeSet<Vin>,
    /// Digests of what this connection has said, by topic.
    said: BTreeMap<String, [u8; 32]>,
}

impl Herald {
    pub fn new(settings: Heralding, publisher: Publisher, store: Store, feed: Arc<Feed>, max_vehicles: usize) -> Self {
        Herald { settings, publisher, store, feed, max_vehicles, heard: Mutex::default() }
    }

    /// What it has to hear.
    pub fn filters(settings: &Heralding) -> Vec<(String, Qos)> {
        let devices = settings.home_assistant.as_ref().map(Prefix::filter);
        devices.into_iter().chain([ALL_STATES.to_owned()]).map(|filter| (filter, Qos::AtLeastOnce)).collect()
    }

    /// There is a connection again, to a broker that may have forgotten everything.
    pub fn connected(&self) {
        self.lock().said.clear();
    }

    /// Takes what was said here or by another dashboard; `false` when it is not of that kind.
    pub fn take(&self, delivery: &Delivery) -> bool {
        let state = || delivery.topic.parse::<Topic>().ok().filter(|topic| topic.kind == Kind::State);
        let device = || self.settings.home_assistant.as_ref()?.vin(&delivery.topic);
        let vin = match (state(), device()) {
            (Some(topic), _) => topic.vin,
            (None, Some(vin)) => vin,
            // Devices of others come by the same filter.
            (None, None) => return delivery.topic.ends_with("/config") && !delivery.topic.starts_with("fleet/"),
        };
        let mut heard = self.lock();
        if !delivery.payload.is_empty() && heard.retained.len() < 2 * self.max_vehicles {
            heard.retained.insert(vin);
        }
        true
    }

    /// Hears what vehicles tell of trouble.
    pub fn hear(&self, message: &Message) {
        if let Message::Diagnostics(diagnostics) = message {
            let mut heard = self.lock();
            if heard.codes.len() < self.max_vehicles || heard.codes.contains_key(&diagnostics.vin) {
                heard.codes.insert(diagnostics.vin, u32::try_from(diagnostics.dtcs.len()).unwrap_or(u32::MAX));
            }
        }
    }

    /// Tells it until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let (mut looks, mut rolls) = (interval(self.settings.every), interval(self.settings.roll_every));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        rolls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut roll = None;
        loop {
            tokio::select! {
                _ = rolls.tick() => match self.roll().await {
                    Ok(vins) => roll = Some(vins),
                    // Better that of before than none.
                    Err(problem) => warn!(%problem, "which vehicles there are cannot be read; their states are told as before"),
                },
                _ = looks.tick() => {}
                () = stop.cancelled() => return,
            }
            // Without the database nothing is taken for gone.
            let Some(roll) = roll.as_ref().filter(|_| self.publisher.is_connected()) else { continue };
            if stop.run_until_cancelled(self.tell(roll)).await.is_none() {
                return;
            }
        }
    }

    /// The vehicles that there are.
    async fn roll(&self) -> Result<BTreeSet<Vin>, StoreError> {
        let (mut all, mut after) = (BTreeSet::new(), None);
        loop {
            let page = self.store.vehicles(after, PAGE).await?;
            all.extend(page.iter().map(|vehicle| vehicle.vin));
            match page.last() {
                Some(last) if page.len() == PAGE as usize && all.len() < self.max_vehicles => after = Some(last.vin),
                _ => return Ok(all),
            }
        }
    }

    async fn tell(&self, roll: &BTreeSet<Vin>) {
        let gone: Vec<Vin> = self.lock().retained.iter().filter(|vin| !roll.contains(vin)).copied().collect();
        let mut said = 0;
        for vin in gone {
            said += self.forget(vin).await;
            pause(&mut said).await;
        }
        let vehicles = self.feed.look(|fleet| fleet.snapshot(0, |(vin, _)| roll.contains(vin), |_| false).vehicles);
        for vehicle in vehicles {
            said += self.tell_vehicle(vehicle).await;
            pause(&mut said).await;
        }
    }

    /// Takes back what was said of a vehicle.
    async fn forget(&self, vin: Vin) -> usize {
        let topics = self.topics(vin);
        let count = topics.len();
        for topic in topics {
            if self.publish(&topic, Vec::new(), Qos::AtLeastOnce).await {
                self.lock().said.remove(&topic);
            } else {
                return count;
            }
        }
        let mut heard = self.lock();
        heard.retained.remove(&vin);
        heard.codes.remove(&vin);
        drop(heard);
        info!(%vin, "what others were told of a vehicle is taken back: there is no such vehicle any more");
        count
    }

    /// The device goes before the state that it shows.
    fn topics(&self, vin: Vin) -> Vec<String> {
        let device = self.settings.home_assistant.as_ref().map(|prefix| prefix.topic(vin));
        device.into_iter().chain([Topic::new(vin, Kind::State).to_string()]).collect()
    }

    /// Says what has changed of a vehicle; how many messages that were.
    async fn tell_vehicle(&self, vehicle: LiveVehicle) -> usize {
        let codes = self.lock().codes.get(&vehicle.vin).copied();
        let state = state::of(vehicle, codes);
        let mut said = 0;
        if let Some(prefix) = &self.settings.home_assistant {
            let device = discovery::device(&state).to_string();
            said += usize::from(self.say(prefix.topic(state.vin), device.into_bytes(), Qos::AtLeastOnce).await);
        }
        match serde_json::to_vec(&state) {
            Ok(payload) => {
                let topic = Topic::new(state.vin, Kind::State).to_string();
                said += usize::from(self.say(topic, payload, Qos::AtMostOnce).await);
            }
            Err(problem) => warn!(vin = %state.vin, %problem, "a state cannot be written"),
        }
        said
    }

    /// Says it unless this connection has said it already; whether it has now.
    async fn say(&self, topic: String, payload: Vec<u8>, qos: Qos) -> bool {
        let digest: [u8; 32] = Sha256::digest(&payload).into();
        if self.lock().said.get(&topic) == Some(&digest) || !self.publish(&topic, payload, qos).await {
            return false;
        }
        self.lock().said.insert(topic, digest);
        true
    }

    async fn publish(&self, topic: &str, payload: Vec<u8>, qos: Qos) -> bool {
        let sent = self.publisher.publish(topic.to_owned(), payload, qos, true).await;
        let refused = match sent {
            Ok(receipt) => receipt.await.err(),
            Err(problem) => Some(problem),
        };
        match refused {
            None => {
                metrics::counter!("bugbrother_dashboard_states_said_total").increment(1);
                true
            }
            // It is said again at the next connection.
            Some(problem) => {
                if self.publisher.is_connected() {
                    metrics::counter!("bugbrother_dashboard_publishes_refused_total").increment(1);
                    warn!(topic, %problem, "the broker does not take it; the account `dashboard` needs the rights of access/acl");
                }
                false
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        // It is whole between any two calls.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pause(said: &mut usize) {
    if *said >= BURST {
        *said = 0;
        sleep(PAUSE).await;
    }
}
