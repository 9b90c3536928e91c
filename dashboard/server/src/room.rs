//! Room for photos and clips: all of them together have so many bytes. Where there is none for a new one, the oldest go that nobody is
//! owed: what a contract says is kept stays for as long as it says, and what belongs to an alert whose cause is not gone stays until
//! it is. Only where nothing else is left, a new one is refused.
//!
//! What goes before its time is counted, logged, and in the audit log: somebody has to make the room larger or the times shorter.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use bugbrother_store::{AuditEntry, AuditFilter, AuditId, MediaFile, Offered, Store, StoreError};
use bugbrother_wire::{MediaId, UnixMs, Vin, api::Eviction, live::News};
use futures_util::StreamExt;
use serde_json::json;
use tokio::sync::Mutex;
use tracing::warn;
use uuid::Uuid;

use crate::{feed::Feed, films, gardener, library::Library};

/// Who takes files away, in the audit log; no person has a name with a colon.
const WHO: &str = "server:library";
const WHAT: &str = "media_evicted";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Files of a vehicle that are coming at a time.
pub(crate) const MAX_COMING: u32 = 32;
/// Files that go at a time, and files that are looked at for that: whoever offers one waits for it.
const MAX_GONE: usize = 256;
const MAX_LOOKED_AT: usize = 2_000;
const PAGE: u32 = 200;
/// So often that is done for one film, in whose place many photos go.
const MAX_ROUNDS: usize = 8;
/// So much more of the room is made than is needed now, so that it is not made for each file anew.
const SPARE_PARTS: u64 = 100;
/// Where nothing may go, it is looked again after so long.
const NOTHING_FOR: Duration = Duration::from_secs(60);
/// What had to stay may go by then: it is looked at from the oldest on again.
const ANEW_AFTER: Duration = Duration::from_secs(600);
/// Files that are removed from the store at a time.
const REMOVED_AT_ONCE: usize = 8;

/// The room. One at a time makes some.
pub(crate) struct Room {
    most_bytes: u64,
    feed: Arc<Feed>,
    search: Mutex<Search>,
}

/// How far the oldest files have been looked at.
struct Search {
    after: Option<(UnixMs, Vin, MediaId)>,
    begun: Instant,
    /// All of them had to stay, then.
    in_vain: Option<Instant>,
}

impl Room {
    /// For so many bytes. `feed` tells viewers what has gone.
    pub fn new(most_bytes: u64, feed: Arc<Feed>) -> Self {
        let search = Mutex::new(Search { after: None, begun: Instant::now(), in_vain: None });
        Room { most_bytes, feed, search }
    }

    /// How many bytes it has.
    pub fn most_bytes(&self) -> u64 {
        self.most_bytes
    }

    /// A file is offered. Where there is no room for it, older ones go; where none may, the answer is that it is full.
    pub async fn offer(&self, store: &Store, library: &Library, file: &MediaFile) -> Result<Offered, StoreError> {
        let offered = store.offer_media(file, self.most_bytes, MAX_COMING).await?;
        if offered != Offered::Full || file.bytes > self.most_bytes {
            return Ok(offered);
        }
        for _ in 0..MAX_ROUNDS {
            let gone = self.make(store, library, file.bytes, file.offered).await?;
            let offered = store.offer_media(file, self.most_bytes, MAX_COMING).await?;
            if offered != Offered::Full || gone.is_empty() {
                return Ok(offered);
            }
        }
        Ok(Offered::Full)
    }

    /// Makes room for so many bytes, as far as something may go; how many files went.
    async fn make(
        &self,
        store: &Store,
        library: &Library,
        needed: u64,
        now: UnixMs,
    ) -> Result<Vec<MediaFile>, StoreError> {
        let mut search = self.search.lock().await;
        // Another one may have made some meanwhile.
        let missing = store.media_bytes().await?.saturating_add(needed).saturating_sub(self.most_bytes);
        if missing == 0 || search.in_vain.is_some_and(|then| then.elapsed() < NOTHING_FOR) {
            return Ok(Vec::new());
        }
        let gone = search.let_go(store, missing + self.most_bytes / SPARE_PARTS, now).await?;
        drop(search);
        if gone.is_empty() {
            warn!("there is no room for more photos and clips: all that are there have to be kept");
            return Ok(gone);
        }
        self.tell(store, &gone, now).await?;
        let removals = futures_util::stream::iter(&gone);
        removals
            .for_each_concurrent(REMOVED_AT_ONCE, |file| async move {
                // What is left over is swept away within the hour.
                if let Err(error) = gardener::remove(library, file).await {
                    warn!(error = &error as &dyn std::error::Error, "a file that has to go is not removed yet");
                }
            })
            .await;
        Ok(gone)
    }

    async fn tell(&self, store: &Store, gone: &[MediaFile], now: UnixMs) -> Result<(), StoreError> {
        let (files, bytes) = (gone.len() as u64, gone.iter().map(|file| file.bytes).sum::<u64>());
        metrics::counter!("bugbrother_dashboard_media_evicted_total").increment(files);
        warn!(files, bytes, "the oldest photos and clips went before their time: there was no room for new ones");
        let vins: BTreeSet<Vin> = gone.iter().map(|file| file.vin).collect();
        self.feed.change(|fleet| vins.iter().for_each(|vin| fleet.notice(*vin, News::Media)));
        let seen = gone.iter().map(MediaFile::seen);
        let detail = json!({ "files": files, "bytes": bytes, "from": seen.clone().min(), "to": seen.max(), "vehicles": vins.len() });
        let entry = AuditEntry {
            id: AuditId(Uuid::now_v7()),
            at: now,
            who: WHO.to_owned(),
            what: WHAT.to_owned(),
            object: None,
            detail: detail.as_object().cloned().unwrap_or_default(),
            address: None,
        };
        store.append_audit(&entry).await
    }
}

impl Search {
    /// Lets the oldest go that may, until so many bytes are free.
    async fn let_go(&mut self, store: &Store, wanted: u64, now: UnixMs) -> Result<Vec<MediaFile>, StoreError> {
        if self.begun.elapsed() > ANEW_AFTER {
            (self.after, self.begun) = (None, Instant::now());
        }
        let is_from_the_oldest = self.after.is_none();
        let (mut gone, mut freed, mut looked_at) = (Vec::new(), 0, 0);
        while looked_at < MAX_LOOKED_AT {
            let page = store.old_media(UnixMs::MAX, self.after, PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            for file in page {
                looked_at += 1;
                if !is_owed(store, &file, now).await? && store.let_media_go(file.vin, file.id, now).await? {
                    freed += file.bytes;
                    gone.push(file);
                } else {
                    self.after = Some((file.seen(), file.vin, file.id));
                }
                if freed >= wanted || gone.len() >= MAX_GONE {
                    self.in_vain = None;
                    return Ok(gone);
                }
            }
            if is_last {
                self.after = None;
                self.in_vain = (gone.is_empty() && is_from_the_oldest).then(Instant::now);
                break;
            }
        }
        Ok(gone)
    }
}

/// Whether a file has to be kept: by a contract, or for an alert whose cause is not gone.
async fn is_owed(store: &Store, file: &MediaFile, now: UnixMs) -> Result<bool, StoreError> {
    let seen = file.seen();
    let promised = store.contract_retention(file.vin, seen).await?.media_days;
    if promised.is_some_and(|days| seen >= now - i64::from(days) * DAY_MS) {
        return Ok(true);
    }
    films::is_held(store, file.vin, seen, file.to.unwrap_or(seen)).await
}

/// What went before its time last, if anything did within the time for which the audit log is kept.
pub(crate) async fn last_eviction(store: &Store) -> Result<Option<Eviction>, StoreError> {
    let by_it = AuditFilter { who: Some(WHO), ..AuditFilter::default() };
    let last = store.audit(by_it, None, 1).await?.into_iter().next();
    let number = |entry: &AuditEntry, name: &str| entry.detail.get(name).and_then(serde_json::Value::as_u64);
    Ok(last.and_then(|entry| {
        Some(Eviction { at: entry.at, files: number(&entry, "files")?, bytes: number(&entry, "bytes")? })
    }))
}

#[cfg(test)]
mod tests {
    use bugbrother_store::{Assignment, Client, ClientId, Contract, ContractId};
    use bugbrother_wire::{
        AlertId,
        message::{Alert, AlertState, MediaKind, Severity},
    };
    use tempfile::TempDir;

    use super::*;
    use crate::fleet::Fleet;

    const NOW: UnixMs = 1_790_000_000_000;
    const MINUTE: i64 = 60_000;

    struct Place {
        _dir: TempDir,
        store: Store,
        library: Library,
        room: Room,
        vin: Vin,
    }

    impl Place {
        async fn of(most_bytes: u64) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(&format!("sqlite://{}", dir.path().join("fleet.db").display())).await.unwrap();
            let library = Library::open(&dir.path().join("media")).unwrap();
            let room = Room::new(most_bytes, Arc::new(Feed::new(Fleet::new(10))));
            let vin: Vin = "WVWZZZ1JZ3W386752".parse().unwrap();
            store.name_vehicle(vin, "Van", None, 0).await.unwrap();
            Place { _dir: dir, store, library, room, vin }
        }

        /// Seen so many minutes ago.
        fn file(&self, n: u128, bytes: u64, minutes: i64) -> MediaFile {
            let id = MediaId(Uuid::from_u128(n));
            MediaFile {
                vin: self.vin,
                id,
                camera: "dash-1".to_owned().try_into().unwrap(),
                kind: MediaKind::Photo,
                bytes,
                sha256: "ab".repeat(32),
                object_key: Library::key(self.vin, id, MediaKind::Photo),
                cause: None,
                from: Some(NOW - minutes * MINUTE),
                to: Some(NOW - minutes * MINUTE),
                offered: NOW,
                stored: None,
                gone: None,
                thumb_bytes: None,
            }
        }

        async fn has(&self, n: u128, bytes: u64, minutes: i64) {
            let file = self.file(n, bytes, minutes);
            assert_eq!(self.room.offer(&self.store, &self.library, &file).await.unwrap(), Offered::New);
            assert!(self.store.store_media(file.vin, file.id, &file.sha256, NOW).await.unwrap());
            self.library.put(&file.object_key, vec![0; 3]).await.unwrap();
        }

        async fn left(&self) -> Vec<u128> {
            let files = self.store.old_media(UnixMs::MAX, None, 100).await.unwrap();
            assert_eq!(self.library.list(None, 100).await.unwrap().len(), files.len(), "their files, and no others");
            files.iter().map(|file| file.id.0.as_u128()).collect()
        }

        async fn alert(&self, minutes: i64, state: AlertState) {
            let alert = Alert {
                v: 1,
                vin: self.vin,
                id: AlertId(Uuid::from_u128(7)),
                rule: "fast".to_owned(),
                title: "Too fast".to_owned(),
                severity: Severity::Warning,
                state,
                opened: NOW - minutes * MINUTE,
                updated: NOW,
                resolved: (state == AlertState::Resolved).then_some(NOW),
                count: 1,
                value: None,
                signal: None,
                limit: None,
                lat: None,
                lon: None,
                acknowledged_by: None,
                late: false,
                detail: None,
            };
            self.store.save_alert(&alert).await.unwrap();
        }
    }

    #[tokio::test]
    async fn the_oldest_go_when_there_is_no_room_and_that_is_noted() {
        let place = Place::of(1_000).await;
        for (n, minutes) in [(2, 20), (1, 50), (3, 10)] {
            place.has(n, 300, minutes).await;
        }
        assert_eq!(last_eviction(&place.store).await.unwrap(), None);
        place.has(4, 50, 5).await;
        assert_eq!(place.left().await, [1, 2, 3, 4], "there was room");
        place.has(5, 400, 1).await;
        // 350 bytes are missing, and one in a hundred is spared.
        assert_eq!(place.left().await, [3, 4, 5]);
        let last = last_eviction(&place.store).await.unwrap().unwrap();
        assert_eq!((last.files, last.bytes), (2, 600));
        let larger = place.file(9, 1_001, 0);
        assert_eq!(place.room.offer(&place.store, &place.library, &larger).await.unwrap(), Offered::Full);
        assert_eq!(place.left().await, [3, 4, 5], "nothing goes for what never fits");
    }

    #[tokio::test]
    async fn what_is_owed_stays_and_where_nothing_else_is_left_there_is_no_room() {
        let place = Place::of(1_000).await;
        place.alert(50, AlertState::Open).await;
        for (n, minutes) in [(1, 50), (2, 20), (3, 10)] {
            place.has(n, 300, minutes).await;
        }
        place.has(4, 300, 1).await;
        assert_eq!(place.left().await, [1, 3, 4], "the first is what an open alert is about");
        // A contract that keeps pictures for a day, of the last quarter of an hour.
        let client = ClientId(Uuid::from_u128(1));
        let office = Client {
            id: client,
            name: "Office".to_owned(),
            contact: None,
            email: None,
            phone: None,
            note: None,
            created: 0,
            archived: None,
        };
        place.store.add_client(&office).await.unwrap();
        let contract = Contract {
            id: ContractId(Uuid::from_u128(1)),
            client,
            title: "All of it".to_owned(),
            starts: 0,
            ends: None,
            retention_days: None,
            media_retention_days: Some(1),
            video: true,
            options: serde_json::Map::new(),
            note: None,
        };
        place.store.add_contract(&contract).await.unwrap();
        let (from, to) = (NOW - 15 * MINUTE, None);
        let assignment = Assignment { contract: contract.id, vin: place.vin, from, to };
        place.store.assign_vehicle(&assignment, 0).await.unwrap();
        let new = place.file(5, 300, 0);
        let made = async |now| place.room.make(&place.store, &place.library, 300, now).await.unwrap().len();
        assert_eq!(made(NOW).await, 0);
        assert_eq!(place.room.offer(&place.store, &place.library, &new).await.unwrap(), Offered::Full);
        assert_eq!(place.left().await, [1, 3, 4]);

        // The alert is over, and what it was about may go: it is looked at again in a minute.
        place.alert(50, AlertState::Resolved).await;
        assert_eq!(made(NOW).await, 0);
        place.room.search.lock().await.in_vain = None;
        assert_eq!(made(NOW).await, 1);
        assert_eq!(place.left().await, [3, 4]);
        // And what a contract says, for as long as it says.
        place.has(6, 300, 0).await;
        assert_eq!(made(NOW).await, 0);
        place.room.search.lock().await.in_vain = None;
        assert_eq!(made(NOW + 2 * DAY_MS).await, 1);
        assert_eq!(place.left().await, [4, 6]);
    }
}
