//! The fleet's certificate authority and what the broker reads of it.

use std::{
    fs, io,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use bugbrother_pki::{Authority, Revoked};
use bugbrother_store::Store;
use bugbrother_wire::UnixMs;
use tempfile::NamedTempFile;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    data::{AccessFolder, DataDir},
    services::now_ms,
};

/// How often certificates are looked at; they live for months.
const ROUND: Duration = Duration::from_secs(60 * 60);
/// How often the database is asked what others have revoked: another site, or another process.
pub const FOLLOW_EVERY: Duration = Duration::from_secs(20);
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The authority, made at the first call, and its certificate where the broker reads it.
pub fn ensure(data: &DataDir) -> Result<Authority> {
    let authority = Authority::open_or_create(&data.authority(), SystemTime::now())?;
    let path = data.access().ca_certificate();
    let certificate = authority.certificate_pem().as_bytes();
    if fs::read(&path).ok().as_deref() != Some(certificate) {
        write(&path, certificate).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(authority)
}

/// The same, and the list of revoked certificates beside it.
pub async fn open(data: &DataDir, store: &Store) -> Result<Authority> {
    let authority = ensure(data)?;
    publish_revoked(data, &authority, store).await?;
    Ok(authority)
}

/// Writes the list of revoked certificates where the one that is there lacks something or is a day old; whether it did. A
/// running broker reads it at once.
pub async fn publish_revoked(data: &DataDir, authority: &Authority, store: &Store) -> Result<bool> {
    let revoked = timeout(PATIENCE, revoked(store)).await.context("the database does not answer")??;
    // Nothing is awaited under the lock: who waits for it blocks a thread. An older list takes nothing out of a newer one.
    let _lock = data.lock()?;
    Ok(authority.keep_crl(&data.access().revoked(), &revoked, SystemTime::now())?)
}

async fn revoked(store: &Store) -> Result<Vec<Revoked>> {
    let revoked = store.revoked(now_ms()).await?;
    Ok(revoked.into_iter().map(|(serial, at)| Revoked { serial, at: time_of(at) }).collect())
}

/// Keeps the list of revoked certificates as the database has it: what is revoked at another site counts here as well, and the
/// list is never older than a day. A database that is away is asked again; until then the list stays as it is.
pub async fn follow_revoked(
    data: DataDir,
    authority: Arc<Authority>,
    store: Store,
    every: Duration,
    stop: CancellationToken,
) -> Result<()> {
    let mut rounds = interval(every);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_told = false;
    while stop.run_until_cancelled(rounds.tick()).await.is_some() {
        match publish_revoked(&data, &authority, &store).await {
            Ok(written) => {
                is_told = false;
                if written {
                    tracing::info!("the list of revoked certificates is new");
                }
            }
            Err(error) if is_told => tracing::debug!("revoked certificates cannot be asked for: {error:#}"),
            Err(error) => {
                is_told = true;
                tracing::warn!("revoked certificates cannot be asked for, and the list stays as it is: {error:#}");
            }
        }
    }
    Ok(())
}

/// The broker's own certificate: made anew when it is not for these names or will end before long.
pub fn ensure_server(authority: &Authority, folder: &AccessFolder, hosts: &[String]) -> Result<bool> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    names.extend(hosts.iter().filter(|host| !host.is_empty()).cloned());
    names.sort_unstable();
    names.dedup();
    Ok(authority.ensure_server(folder.path(), &names, SystemTime::now())?)
}

/// Keeps the broker's certificate from ending as long as it runs.
pub async fn keep_server(
    authority: Arc<Authority>,
    folder: AccessFolder,
    hosts: Vec<String>,
    stop: CancellationToken,
) -> Result<()> {
    let mut rounds = interval(ROUND);
    while stop.run_until_cancelled(rounds.tick()).await.is_some() {
        match ensure_server(&authority, &folder, &hosts) {
            Ok(true) => tracing::info!("the broker has a new certificate"),
            Ok(false) => {}
            Err(error) => tracing::error!("the broker's certificate cannot be renewed: {error:#}"),
        }
    }
    Ok(())
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    io::Write::write_all(&mut file, text)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn time_of(at: UnixMs) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bugbrother_store::CertificateRecord;
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::data;

    #[tokio::test]
    async fn what_another_site_revokes_is_in_this_ones_list_before_long() {
        let (_dir, here) = data::temporary();
        let store = here.store().await.unwrap();
        let authority = open(&here, &store).await.unwrap();
        let (vin, now) = ("WVWZZZ1JZ3W386752".parse().unwrap(), now_ms());
        store.name_vehicle(vin, "Golf", None, now).await.unwrap();
        store.add_enrolment(vin, "code", now, now + 1000).await.unwrap();
        let record = CertificateRecord {
            serial: "4e01".to_owned(),
            vin,
            key_sha256: "key".to_owned(),
            not_before: now,
            not_after: now + 86_400_000,
            revoked: None,
            pem: "certificate".to_owned(),
        };
        store.enrol("code", &record, now).await.unwrap();
        let stop = CancellationToken::new();
        let every = Duration::from_millis(20);
        let following =
            tokio::spawn(follow_revoked(here.clone(), Arc::new(authority), store.clone(), every, stop.clone()));
        let before = fs::read(here.access().revoked()).unwrap();
        // As another site does: in the database, and in a list that is not this one.
        assert_eq!(store.revoke(vin, now_ms()).await.unwrap(), 1);
        let changed = async {
            while fs::read(here.access().revoked()).unwrap() == before {
                sleep(every).await;
            }
        };
        timeout(Duration::from_secs(60), changed).await.unwrap();
        let list = fs::read(here.access().revoked()).unwrap();
        // Nobody writes a list that says nothing new.
        assert!(!publish_revoked(&here, &open(&here, &store).await.unwrap(), &store).await.unwrap());
        assert_eq!(fs::read(here.access().revoked()).unwrap(), list);
        stop.cancel();
        following.await.unwrap().unwrap();
    }
}
