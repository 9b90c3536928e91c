use std::{
    collections::HashMap,
    pin::pin,
    time::{Duration, SystemTime},
};

use bugbrother_rule::Member;
use bugbrother_store::{MAX_PAGE, Store, StoreError};
use bugbrother_wire::unix_ms;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use crate::desk::{Book, Entry};

/// How long a rule that another process has changed may wait for being noticed.
const EVERY: Duration = Duration::from_millis(500);
/// Everything is read this often even if nobody has counted a change: what people know of vehicles is not counted, and a
/// person may have changed rules in the database.
const ALL_EVERY: Duration = Duration::from_secs(60);
/// Vehicles that are read at a time.
const PAGE: u32 = 1000;

/// Follows the rules, and what they look at, until `stop`, and hands them over when they have changed.
pub fn follow(store: Store, tasks: &TaskTracker, stop: CancellationToken) -> mpsc::Receiver<Book> {
    let (changed, receiver) = mpsc::channel(1);
    tasks.spawn(async move {
        let mut known = Known::default();
        loop {
            // From before the look on: what changes during it is looked at again.
            let mut changes = pin!(store.rules_changed());
            match known.look(&store).await {
                Ok(None) => {}
                Ok(Some(book)) => {
                    tokio::select! {
                        sent = changed.send(book) => if sent.is_err() { return },
                        () = stop.cancelled() => return,
                    }
                }
                Err(error) if known.is_silent => drop(error),
                Err(error) => {
                    known.is_silent = true;
                    let error: &dyn std::error::Error = &error;
                    warn!(error, "the rules cannot be read; the known ones stay in force");
                }
            }
            tokio::select! {
                () = sleep(EVERY) => {}
                () = &mut changes => {}
                () = stop.cancelled() => return,
            }
        }
    });
    receiver
}

/// All that rules go by, as it stands.
pub async fn read(store: &Store) -> Result<Book, StoreError> {
    let now = unix_ms(SystemTime::now());
    let mut vehicles = HashMap::new();
    let mut after = None;
    loop {
        let page = store.roster(None, now, after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map(|entry| entry.vin);
        vehicles.extend(page.into_iter().map(|entry| {
            let member = Member { class: entry.facts.class, tank_l: entry.facts.tank_l };
            (entry.vin, Entry { member, client: entry.client })
        }));
        if is_last {
            break;
        }
    }
    let mut geofences = Vec::new();
    loop {
        let page = store.geofences(geofences.last().map(|one: &bugbrother_store::GeofenceRecord| one.id), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        geofences.extend(page);
        if is_last || geofences.len() >= MAX_PAGE as usize {
            break;
        }
    }
    Ok(Book { rules: store.rules().await?, geofences, vehicles })
}

/// What was read last.
#[derive(Default)]
struct Known {
    book: Option<Book>,
    version: i64,
    read: Option<Instant>,
    /// Whether it was said that they cannot be read.
    is_silent: bool,
}

impl Known {
    /// The book, if it is another one than before.
    async fn look(&mut self, store: &Store) -> Result<Option<Book>, StoreError> {
        let version = store.rules_version().await?;
        let is_fresh = self.read.is_some_and(|read| read.elapsed() < ALL_EVERY);
        if is_fresh && version == self.version {
            self.is_silent = false;
            return Ok(None);
        }
        // A change between the two is counted, and looked at next time.
        let book = read(store).await?;
        (self.version, self.read, self.is_silent) = (version, Some(Instant::now()), false);
        if self.book.as_ref() == Some(&book) {
            return Ok(None);
        }
        self.book = Some(book.clone());
        Ok(Some(book))
    }
}
