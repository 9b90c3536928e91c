//! Tells viewers where there is something new in the database: when a record that a vehicle has just sent is stored, and when
//! trips were made.

use std::{collections::VecDeque, error::Error, sync::Arc, time::Duration};

use bugbrother_store::{Place, Store, StoreError};
use bugbrother_wire::{Message, UnixMs, Vin, live::News};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{clock, feed::Feed};

/// Records that wait for being stored; of what is more, viewers learn when they ask.
const MAX_WAITING: usize = 1_024;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Ingest is down, or refuses the record: viewers look at what there is.
const PATIENCE: Duration = Duration::from_secs(10);
const TRIPS_EVERY: Duration = Duration::from_secs(3);
/// A transaction may take so long from reading the clock to its end.
const OVERLAP_MS: i64 = 10_000;
const MAX_TRIPS: u32 = 500;

/// Something that a vehicle has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    place: Place,
    news: News,
}

impl Told {
    /// What a message tells of that pages may have to ask for.
    pub fn by(message: &Message) -> Option<Self> {
        let news = match message {
            Message::Reply(_) => News::Command,
            Message::Diagnostics(_) => News::Diagnostics,
            Message::Event(_) => News::Event,
            Message::Media(_) => News::Media,
            _ => return None,
        };
        Some(Told { place: Place::of(message.as_record()?), news })
    }
}

/// The end to which records are given.
pub(crate) type Ear = mpsc::Sender<Told>;

/// The other end.
pub(crate) struct Notices {
    store: Store,
    feed: Arc<Feed>,
    told: mpsc::Receiver<Told>,
    waiting: VecDeque<(Instant, Told)>,
    /// Trips that were made after that are news, but for those that were told.
    trips_since: UnixMs,
    trips_told: VecDeque<(UnixMs, Vin)>,
    fails: bool,
}

impl Notices {
    pub fn new(store: Store, feed: Arc<Feed>) -> (Ear, Self) {
        let (ear, told) = mpsc::channel(MAX_WAITING);
        let (waiting, trips_told) = (VecDeque::new(), VecDeque::new());
        (ear, Notices { store, feed, told, waiting, trips_since: clock::now(), trips_told, fails: false })
    }

    /// Tells viewers until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut looks = interval(LOOK_EVERY);
        let mut trips = interval(TRIPS_EVERY);
        for ticks in [&mut looks, &mut trips] {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            let done = tokio::select! {
                Some(told) = self.told.recv(), if self.waiting.len() < MAX_WAITING => {
                    self.waiting.push_back((Instant::now(), told));
                    Ok(())
                }
                _ = looks.tick(), if !self.waiting.is_empty() => self.look().await,
                _ = trips.tick() => self.look_for_trips().await,
                () = stop.cancelled() => return,
            };
            match done {
                Ok(()) => self.fails = false,
                Err(_) if self.fails => {}
                Err(problem) => {
                    self.fails = true;
                    let problem: &(dyn Error + 'static) = &problem;
                    warn!(problem, "viewers are not told what is new: the fleet database cannot be read");
                }
            }
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        for _ in 0..self.waiting.len() {
            let Some((since, told)) = self.waiting.pop_front() else { break };
            if since.elapsed() > PATIENCE || self.store.has_record(told.place).await? {
                self.feed.change(|fleet| fleet.notice(told.place.vin, told.news));
            } else {
                self.waiting.push_back((since, told));
            }
        }
        Ok(())
    }

    async fn look_for_trips(&mut self) -> Result<(), StoreError> {
        let since = self.trips_since - OVERLAP_MS;
        let changed = self.store.changed_trips((since, None), MAX_TRIPS).await?;
        self.trips_told.retain(|(at, _)| *at > since);
        for (at, vin) in changed {
            if !self.trips_told.contains(&(at, vin)) {
                self.trips_told.push_back((at, vin));
                self.trips_since = self.trips_since.max(at);
                self.feed.change(|fleet| fleet.notice(vin, News::Trips));
            }
        }
        Ok(())
    }
}
