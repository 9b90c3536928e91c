//! What arrives from the broker, into the fleet.

use std::{error::Error as _, num::NonZeroU32, sync::Arc, time::Duration};

use bugbrother_client::{Delivery, Event, Events, Options, Qos};
use bugbrother_store::{Store, StoreError};
use bugbrother_wire::{
    Message, Refused, Vin, judge_present,
    message::Presence,
    topic::{ALL_ALERTS, ALL_UP},
};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, warn};

use crate::{
    clock,
    downlink::Downlink,
    feed::Feed,
    films,
    fleet::{Applied, Fleet, MAX_ALERTS},
    herald::{Herald, Heralding},
    notices::{Ear, Told},
    video::Relay,
};

/// Vehicles that are read from the database at a time.
const PAGE: u32 = 500;
/// Contracts begin and end by the clock: so often is looked whom the vehicles serve.
const MATCH_EVERY: Duration = Duration::from_secs(60);
/// Bad messages that are logged in a minute; all are counted.
const LOGGED_PER_MINUTE: NonZeroU32 = NonZeroU32::new(10).expect("10 is not 0");

/// The account's options with a client id and the filters of a dashboard.
pub(crate) fn options(account: Options, heralding: Option<&Heralding>) -> Options {
    let own = [ALL_UP, ALL_ALERTS].map(|filter| (filter.to_owned(), Qos::AtLeastOnce));
    Options {
        // Random: two dashboards must not take over each other's connection.
        client_id: format!("dashboard-{:08x}", rand::random::<u32>()),
        will: None,
        subscriptions: own.into_iter().chain(heralding.map(Herald::filters).unwrap_or_default()).collect(),
        ..account
    }
}

/// Who else is told of what arrives.
pub(crate) struct Ears {
    /// Of what is new in the database soon.
    pub news: Ear,
    /// Of alerts.
    pub films: films::Ear,
    /// Tells others of the fleet, if anybody does.
    pub herald: Option<Arc<Herald>>,
}

/// Feeds the fleet from the broker and the database.
pub(crate) struct Subscription {
    feed: Arc<Feed>,
    store: Store,
    downlink: Arc<Downlink>,
    ears: Ears,
    relay: Arc<Relay>,
    logged: DefaultDirectRateLimiter,
}

impl Subscription {
    pub fn new(feed: Arc<Feed>, store: Store, downlink: Arc<Downlink>, ears: Ears, relay: Arc<Relay>) -> Self {
        let logged = RateLimiter::direct(Quota::per_minute(LOGGED_PER_MINUTE));
        Subscription { feed, store, downlink, ears, relay, logged }
    }

    /// Takes in the database's vehicles and active alerts.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.store.vehicles(after, PAGE).await?;
            let now = clock::now();
            let full = page.len() == PAGE as usize;
            after = page.last().map(|vehicle| vehicle.vin);
            self.feed.change(|fleet| {
                for vehicle in page {
                    count(&fleet.restore(vehicle, now));
                }
            });
            if !full {
                break;
            }
        }
        self.match_clients().await?;
        let limit = u32::try_from(MAX_ALERTS).expect("the limit of alerts is small");
        let active = self.store.active_alerts(limit).await?;
        let complete = active.len() < MAX_ALERTS;
        self.feed.change(|fleet| fleet.reconcile_alerts(active, complete, clock::now()));
        Ok(())
    }

    /// Takes in whom the vehicles serve.
    async fn match_clients(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.store.served_clients(after, PAGE, clock::now()).await?;
            let full = page.len() == PAGE as usize;
            after = page.last().map(|(vin, _)| *vin);
            self.feed.change(|fleet| {
                for (vin, client) in page {
                    fleet.serve(vin, client);
                }
            });
            if !full {
                return Ok(());
            }
        }
    }

    /// Follows the session until its end.
    pub async fn run(&self, mut events: Events) {
        let mut match_again = interval(MATCH_EVERY);
        match_again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                _ = match_again.tick() => {
                    if let Err(error) = self.match_clients().await {
                        failed(&error);
                    }
                    continue;
                }
            };
            let Some(event) = event else { break };
            match event {
                Event::Up => {
                    self.feed.set_mqtt_up(true);
                    self.downlink.connected();
                    if let Some(herald) = &self.ears.herald {
                        herald.connected();
                    }
                    // What happened in between was said while nobody listened here.
                    if let Err(error) = self.refresh().await {
                        failed(&error);
                    }
                }
                // The session has logged the reason.
                Event::Down { .. } => {
                    self.feed.set_mqtt_up(false);
                    self.feed.change(Fleet::doubt_alerts);
                }
                Event::Message(delivery) => {
                    if let Some(vin) = self.take(&delivery) {
                        self.introduce(vin).await;
                    }
                    delivery.ack();
                }
            }
        }
        self.feed.set_mqtt_up(false);
    }

    /// The vehicle whose first word it was.
    fn take(&self, delivery: &Delivery) -> Option<Vin> {
        if self.ears.herald.as_ref().is_some_and(|herald| herald.take(delivery)) {
            return None;
        }
        let now = clock::now();
        let (topic, message) = match judge_present(&delivery.topic, &delivery.payload, now) {
            Ok(taken) => taken,
            Err(refused) => {
                self.refuse(delivery, &refused);
                return None;
            }
        };
        metrics::counter!("bugbrother_dashboard_messages_total").increment(1);
        if matches!(&message, Message::Status(status) if status.status == Presence::Online) {
            self.downlink.tell_commands(topic.vin);
        }
        if let Some(herald) = &self.ears.herald {
            herald.hear(&message);
        }
        if let Message::Reply(reply) = &message {
            self.relay.hear(reply);
        }
        // When so many wait that there is no room, viewers learn it when they ask.
        if let Some(told) = Told::by(&message)
            && self.ears.news.try_send(told).is_err()
        {
            metrics::counter!("bugbrother_dashboard_notices_dropped_total").increment(1);
        }
        if let Message::Alert(alert) = &message
            && films::is_fresh(alert, now)
            && self.ears.films.try_send(alert.clone()).is_err()
        {
            metrics::counter!("bugbrother_dashboard_films_dropped_total").increment(1);
        }
        if let Message::Telemetry(batch) = &message
            && let Some(record) = bugbrother_trace::followed(batch)
        {
            self.feed.follow(record, now);
        }
        let applied = self.feed.change(|fleet| fleet.apply(&topic, message, now));
        count(&applied);
        (applied == Applied::NewVehicle).then_some(topic.vin)
    }

    /// Gives a vehicle that has just appeared the name that the database has for it.
    async fn introduce(&self, vin: Vin) {
        match self.store.vehicle(vin).await {
            Ok(Some(state)) => {
                self.feed.change(|fleet| fleet.restore(state, clock::now()));
            }
            Ok(None) => {}
            Err(error) => failed(&error),
        }
    }

    fn refuse(&self, delivery: &Delivery, refused: &Refused) {
        metrics::counter!("bugbrother_dashboard_messages_refused_total", "reason" => refused.reason()).increment(1);
        if self.logged.check().is_ok() {
            let topic: String = delivery.topic.chars().take(128).collect();
            // As Debug: a topic is a stranger's text, and may hold line breaks.
            warn!(?topic, bytes = delivery.payload.len(), why = ?refused.to_string(), "refused a message");
        }
    }
}

fn count(applied: &Applied) {
    if *applied == Applied::Full {
        metrics::counter!("bugbrother_dashboard_messages_over_limit_total").increment(1);
    }
}

fn failed(error: &StoreError) {
    error!(%error, cause = error.source(), "the live feed cannot read the fleet database");
}
