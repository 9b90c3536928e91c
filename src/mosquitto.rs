//! A stock Mosquitto in place of our broker, and the other way round.

use std::{
    fs::{self, DirBuilder},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use bugbrother_mosquitto_compat::conf::{self, Finding, Verdict};

use crate::{
    accounts,
    arguments::Doors,
    authority,
    data::{AccessFolder, DataDir},
    listeners,
};

const CONF: &str = "mosquitto.conf";

/// Writes a folder with which a stock Mosquitto 2 serves this fleet; what was exported there before is replaced. The
/// configuration's path.
pub async fn export(data: &DataDir, folder: &Path, mqtt: SocketAddr, doors: &Doors) -> Result<PathBuf> {
    if doors.mosquitto_conf.is_some() {
        bail!("what is exported is said by the other options, not by a mosquitto.conf");
    }
    accounts::ensure(data)?;
    let authority = authority::open(data, &data.store().await?).await?;
    authority::ensure_server(&authority, &data.access(), &doors.hosts)?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    // Mosquitto takes relative paths from where it is started.
    let folder = fs::canonicalize(folder).with_context(|| format!("cannot find `{}`", folder.display()))?;
    let conf_path = folder.join(CONF);
    let to = AccessFolder::at(&folder);
    let conf = listeners::of_arguments(mqtt, doors, &to)?;
    let from = data.access();
    let _lock = data.lock()?;
    for (from, to, mode) in [
        (from.passwords(), to.passwords(), 0o600),
        (from.acl(), to.acl(), 0o600),
        (from.ca_certificate(), to.ca_certificate(), 0o644),
        (from.revoked(), to.revoked(), 0o644),
        (from.server_certificate(), to.server_certificate(), 0o644),
        (from.server_key(), to.server_key(), 0o600),
    ] {
        let text = fs::read(&from).with_context(|| format!("cannot read `{}`", from.display()))?;
        write(&to, &text, mode)?;
    }
    write(&conf_path, conf::render(&conf).as_bytes(), 0o644)?;
    Ok(conf_path)
}

/// What each line of a mosquitto.conf does here, and whether our broker would take the file.
pub fn check(path: &Path) -> Result<(Vec<Finding>, bool)> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let findings = conf::check(&text, path);
    let taken = findings.iter().all(|finding| matches!(finding.verdict, Verdict::Supported | Verdict::WithoutEffect));
    Ok((findings, taken))
}

/// Keeps the owner of a file that is there: Mosquitto's user, mostly.
fn write(path: &Path, text: &[u8], mode: u32) -> Result<()> {
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        std::io::Write::write_all(&mut file, text)?;
        file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
        if let Ok(before) = fs::metadata(path) {
            use std::os::unix::fs::MetadataExt as _;
            std::os::unix::fs::fchown(file.as_file(), Some(before.uid()), Some(before.gid()))?;
        }
        file.persist(path)?;
        std::io::Result::Ok(())
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))
}
