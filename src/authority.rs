//! The fleet's certificate authority and what the broker reads of it.

use std::{
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use bugbrother_pki::{Authority, Revoked};
use bugbrother_store::Store;
use bugbrother_wire::UnixMs;
use tempfile::NamedTempFile;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::{
    data::{AccessFolder, DataDir},
    services::now_ms,
};

/// How often certificates are looked at; they live for months.
const ROUND: Duration = Duration::from_secs(60 * 60);

/// Opens the authority, made at the first call, and puts its certificate and the list of revoked ones where the broker
/// reads them.
pub async fn open(data: &DataDir, store: &Store) -> Result<Authority> {
    let authority = Authority::open_or_create(&data.authority(), SystemTime::now())?;
    let path = data.access().ca_certificate();
    let certificate = authority.certificate_pem().as_bytes();
    if fs::read(&path).ok().as_deref() != Some(certificate) {
        write(&path, certificate).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    publish_revoked(data, &authority, store).await?;
    Ok(authority)
}

/// Writes the list of revoked certificates; a running broker reads it at once.
pub async fn publish_revoked(data: &DataDir, authority: &Authority, store: &Store) -> Result<()> {
    // Under one lock, or an older list could be the last one written.
    let _lock = data.lock()?;
    let revoked = store.revoked(now_ms()).await?;
    let revoked: Vec<_> = revoked.into_iter().map(|(serial, at)| Revoked { serial, at: time_of(at) }).collect();
    Ok(authority.write_crl(&data.access().revoked(), &revoked, SystemTime::now())?)
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
    authority: Authority,
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
