//! What goes of photos and clips: what is older than it is to be kept, uploads that were given up, and files of vehicles that were
//! erased. A file of which the database knows nothing for another reason stays: after a backup was restored it may be all that there
//! is of what happened since.
//!
//! How long a file is kept says the contract which its vehicle was in when it was taken, the longest of several, and else the
//! fleet's settings. What belongs to an alert whose cause is not gone stays until it is.

use std::time::Duration;

use bugbrother_store::{MediaFile, Retention, Store, StoreError};
use bugbrother_wire::{MediaId, UnixMs, Vin};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    clock, films,
    library::{Library, LibraryError},
};

const EVERY: Duration = Duration::from_secs(3600);
/// An upload that was begun so long ago and has not ended is not waited for any more.
const GIVEN_UP_MS: i64 = 7 * 24 * 60 * 60 * 1000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const PAGE: u32 = 200;

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Library(#[from] LibraryError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Looks after the files every hour, until `stop`.
pub(crate) async fn tend(library: Library, store: Store, stop: CancellationToken) {
    while stop.run_until_cancelled(sleep(EVERY)).await.is_some() {
        let now = clock::now();
        match expire(&library, &store, now).await {
            Ok(0) => {}
            Ok(gone) => {
                metrics::counter!("bugbrother_dashboard_media_expired_total").increment(gone);
                info!(files = gone, "photos and clips removed that are older than they are to be kept");
            }
            Err(trouble) => warn!(error = &trouble as &dyn std::error::Error, "old photos and clips are not removed"),
        }
        match sweep(&library, &store, now).await {
            Ok(0) => {}
            Ok(gone) => info!(files = gone, "files of photos and clips removed that nobody needs"),
            Err(trouble) => warn!(error = &trouble as &dyn std::error::Error, "photos and clips are not tidied up"),
        }
    }
}

/// Removes what is older than it is to be kept; how many files that were.
async fn expire(library: &Library, store: &Store, now: UnixMs) -> Result<u64, Trouble> {
    let usual = store.setting::<Retention>().await?.media_days;
    let Some(shortest) = usual.into_iter().chain(store.shortest_media_retention().await?).min() else { return Ok(0) };
    let (mut gone, mut after) = (0, None);
    loop {
        let old = store.old_media(now - i64::from(shortest) * DAY_MS, after, PAGE).await?;
        for file in &old {
            let contract = store.contract_retention(file.vin, file.seen()).await?.media_days;
            let Some(days) = contract.or(usual) else { continue };
            let is_old = file.seen() < now - i64::from(days) * DAY_MS;
            let until = file.to.unwrap_or_else(|| file.seen());
            if !is_old || films::is_held(store, file.vin, file.seen(), until).await? {
                continue;
            }
            // What is left over if this is the last that the process does, is swept away.
            if store.let_media_go(file.vin, file.id, now).await? {
                remove(library, file).await?;
                gone += 1;
            }
        }
        after = old.last().map(|last| (last.seen(), last.vin, last.id));
        if old.len() < PAGE as usize {
            return Ok(gone);
        }
    }
}

/// Takes a file and its small picture out of the store.
pub(crate) async fn remove(library: &Library, file: &MediaFile) -> Result<(), LibraryError> {
    library.remove(&Library::thumb_key(&file.object_key)).await?;
    library.remove(&file.object_key).await
}

/// Removes what nobody needs; how many files that were.
async fn sweep(library: &Library, store: &Store, now: UnixMs) -> Result<u64, Trouble> {
    let mut gone = 0;
    loop {
        let stale = store.stale_media(now - GIVEN_UP_MS, PAGE).await?;
        for file in &stale {
            if store.forget_media(file.vin, file.id).await? {
                library.forget(file.vin, file.id).await?;
                // It may have got that far and no further.
                remove(library, file).await?;
                gone += 1;
            }
        }
        if stale.len() < PAGE as usize {
            break;
        }
    }
    let mut after: Option<String> = None;
    loop {
        let names = library.list(after.as_deref(), PAGE as usize).await?;
        for name in &names {
            let Some((vin, id)) = read(name) else { continue };
            let is_over = match store.media_file(vin, id).await? {
                Some(file) => file.gone.is_some(),
                None => store.was_erased(vin).await?,
            };
            if is_over {
                library.remove(name).await?;
                gone += 1;
            }
        }
        after = names.last().cloned();
        if names.len() < PAGE as usize {
            return Ok(gone);
        }
    }
}

/// Whose file it is; `None` of what was not put there by us.
fn read(name: &str) -> Option<(Vin, MediaId)> {
    let (vin, file) = name.split_once('/')?;
    Some((vin.parse().ok()?, file.split_once('.')?.0.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bugbrother_store::{Assignment, Client, ClientId, Contract, ContractId, MediaFile};
    use bugbrother_wire::{
        AlertId,
        message::{Alert, AlertState, MediaKind, Severity},
    };
    use uuid::Uuid;

    use super::*;

    const NOW: UnixMs = 1_790_000_000_000;

    fn file(vin: Vin, n: u128, offered: UnixMs) -> MediaFile {
        let id = MediaId(Uuid::from_u128(n));
        MediaFile {
            vin,
            id,
            camera: "dash-1".to_owned().try_into().unwrap(),
            kind: MediaKind::Photo,
            bytes: 3,
            sha256: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881".to_owned(),
            object_key: Library::key(vin, id, MediaKind::Photo),
            cause: None,
            from: None,
            to: None,
            offered,
            stored: None,
            gone: None,
            thumb_bytes: None,
        }
    }

    #[tokio::test]
    async fn what_was_given_up_and_what_is_of_erased_vehicles_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}", dir.path().join("fleet.db").display())).await.unwrap();
        let library = Library::open(&dir.path().join("media")).unwrap();
        let vin: Vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        let (old, new, whole) = (file(vin, 1, NOW - GIVEN_UP_MS - 1), file(vin, 2, NOW - 1000), file(vin, 3, 0));
        for file in [&old, &new, &whole] {
            store.offer_media(file, 1000, 10).await.unwrap();
            library.append(vin, file.id, 0, vec!["x".into()]).await.unwrap();
        }
        assert!(store.store_media(vin, whole.id, &whole.sha256, NOW).await.unwrap());
        let objects = dir.path().join("media/objects").join(vin.as_str());
        fs::create_dir_all(&objects).unwrap();
        fs::write(objects.join("somebody's.txt"), b"x").unwrap();
        // Of which this database knows nothing, as after a backup of last month was restored; and of a vehicle that was erased.
        let (unknown, erased) = (file(vin, 4, 0), file("WVWZZZ1JZ3W000001".parse().unwrap(), 5, 0));
        store.erase_vehicle(erased.vin, "test", NOW).await.unwrap();
        for file in [&old, &whole, &unknown, &erased] {
            library.put(&file.object_key, b"xxx".to_vec()).await.unwrap();
        }
        let document = format!("documents/{}", Uuid::from_u128(5));
        library.put(&document, b"xxx".to_vec()).await.unwrap();
        assert_eq!(sweep(&library, &store, NOW).await.unwrap(), 2);
        assert!(store.media_file(vin, old.id).await.unwrap().is_none());
        assert_eq!((library.offset(vin, old.id).await.unwrap(), library.offset(vin, new.id).await.unwrap()), (0, 1));
        let left = library.list(None, 10).await.unwrap();
        assert_eq!(left.len(), 4, "{left:?}");
        assert!([&whole.object_key, &unknown.object_key, &document].iter().all(|key| left.contains(key)), "{left:?}");
        assert_eq!(sweep(&library, &store, NOW).await.unwrap(), 0);
    }

    fn contract(client: ClientId, n: u128, days: Option<u32>) -> Contract {
        Contract {
            id: ContractId(Uuid::from_u128(n)),
            client,
            title: "All of it".to_owned(),
            starts: 0,
            ends: None,
            retention_days: None,
            media_retention_days: days,
            video: true,
            options: serde_json::Map::new(),
            note: None,
        }
    }

    #[tokio::test]
    async fn files_go_by_the_contract_of_their_time_and_what_an_open_alert_is_about_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}", dir.path().join("fleet.db").display())).await.unwrap();
        let library = Library::open(&dir.path().join("media")).unwrap();
        let vin: Vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        store.name_vehicle(vin, "Van", None, 0).await.unwrap();
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
        store.add_client(&office).await.unwrap();
        let day = |days: i64| NOW - days * DAY_MS;
        // 200 to 100 days ago in a contract that keeps pictures for long, and for the last 50 in one that does not.
        for (n, days, from, to) in [(1, 150, day(200), Some(day(100))), (2, 10, day(50), None)] {
            store.add_contract(&contract(client, n, Some(days))).await.unwrap();
            let assignment = Assignment { contract: ContractId(Uuid::from_u128(n)), vin, from, to };
            store.assign_vehicle(&assignment, 0).await.unwrap();
        }
        // Seen so many days ago; the usual time is 90 days.
        for (n, days) in [(1, 140), (2, 151), (3, 89), (4, 95), (5, 9), (6, 11), (7, 12)] {
            let file = MediaFile { from: Some(day(days)), to: Some(day(days) + 1000), ..file(vin, n, NOW) };
            store.offer_media(&file, 1000, 10).await.unwrap();
            assert!(store.store_media(vin, file.id, &file.sha256, NOW).await.unwrap());
            for key in [file.object_key.clone(), Library::thumb_key(&file.object_key)] {
                library.put(&key, b"xxx".to_vec()).await.unwrap();
            }
        }
        let alert = Alert {
            v: 1,
            vin,
            id: AlertId(Uuid::from_u128(7)),
            rule: "fast".to_owned(),
            title: "Too fast".to_owned(),
            severity: Severity::Warning,
            state: AlertState::Open,
            opened: day(12) + 20_000,
            updated: NOW,
            resolved: None,
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
        store.save_alert(&alert).await.unwrap();
        let here = async || {
            let mut here = Vec::new();
            for n in 1..=7 {
                let file = store.media_file(vin, MediaId(Uuid::from_u128(n))).await.unwrap().unwrap();
                let is_in_store = library.whole(&file.object_key, 3).await.unwrap().is_some();
                assert_eq!(is_in_store, file.is_here(), "{n}");
                here.extend(is_in_store.then_some(n));
            }
            here
        };
        assert_eq!(expire(&library, &store, NOW).await.unwrap(), 3);
        assert_eq!(
            here().await,
            [1, 3, 5, 7],
            "by the contract then, the settings, the contract now, and an open alert"
        );
        assert_eq!(library.list(None, 20).await.unwrap().len(), 8, "a small picture goes with its photo");
        assert_eq!(expire(&library, &store, NOW).await.unwrap(), 0);
        let over = Alert { state: AlertState::Resolved, resolved: Some(NOW), ..alert };
        store.save_alert(&over).await.unwrap();
        assert_eq!(expire(&library, &store, NOW).await.unwrap(), 1);
        assert_eq!(here().await, [1, 3, 5]);

        // A process that ended between the note and the file leaves a file.
        let gone = store.media_file(vin, MediaId(Uuid::from_u128(7))).await.unwrap().unwrap();
        library.put(&gone.object_key, b"xxx".to_vec()).await.unwrap();
        assert_eq!(sweep(&library, &store, NOW).await.unwrap(), 1);
        assert_eq!(here().await, [1, 3, 5]);
        // And for ever, unless a contract says otherwise.
        let for_ever = Retention { media_days: None, ..Retention::default() };
        store.save_setting(&for_ever, None, NOW).await.unwrap();
        assert_eq!(expire(&library, &store, NOW + 1000 * DAY_MS).await.unwrap(), 2);
        assert_eq!(here().await, [3]);
    }
}
