//! A stock Mosquitto in place of our broker, and the other way round.

use std::{
    fs::{self, DirBuilder},
    io::{self, Write as _},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use bugbrother_mosquitto_compat::conf::{self, Finding, Verdict};
use tempfile::NamedTempFile;

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
pub async fn export(
    data: &DataDir,
    folder: &Path,
    mqtt: SocketAddr,
    doors: &Doors,
    keep_owner: bool,
) -> Result<PathBuf> {
    if doors.mosquitto_conf.is_some() {
        bail!("what is exported is said by the other options, not by a mosquitto.conf");
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    // Mosquitto takes relative paths from where it is started.
    let folder = fs::canonicalize(folder).with_context(|| format!("cannot find `{}`", folder.display()))?;
    let target = Target::open(&folder, keep_owner)?;
    accounts::ensure(data)?;
    let authority = authority::open(data, &data.store().await?).await?;
    authority::ensure_server(&authority, &data.access(), &doors.hosts)?;
    let (from, to) = (data.access(), AccessFolder::at(&folder));
    let conf = listeners::of_arguments(mqtt, doors, &to)?;
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
        target.write(&to, &text, mode)?;
    }
    let conf_path = folder.join(CONF);
    target.write(&conf_path, conf::render(&conf).as_bytes(), 0o644)?;
    Ok(conf_path)
}

/// What each line of a mosquitto.conf does here, and whether our broker would take the file.
pub fn check(path: &Path) -> Result<(Vec<Finding>, bool)> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let findings = conf::check(&text, path);
    let taken = findings.iter().all(|finding| matches!(finding.verdict, Verdict::Supported | Verdict::WithoutEffect));
    Ok((findings, taken))
}

/// The folder that is written to. Its owner gets the server's key, so nobody becomes that by having been there first.
struct Target {
    folder: PathBuf,
    owner: u32,
    group: u32,
}

impl Target {
    fn open(folder: &Path, keep_owner: bool) -> Result<Self> {
        let look = || {
            let ours = NamedTempFile::new_in(folder)?.as_file().metadata()?.uid();
            io::Result::Ok((ours, fs::metadata(folder)?))
        };
        let (ours, of_folder) = look().with_context(|| format!("cannot write to `{}`", folder.display()))?;
        if of_folder.uid() != ours && !keep_owner {
            bail!("`{}` is another user's: with --keep-owner the files will be too", folder.display());
        }
        if of_folder.mode() & 0o022 != 0 {
            bail!("others may write to `{0}`: chmod 700 {0}", folder.display());
        }
        Ok(Target { folder: folder.to_owned(), owner: of_folder.uid(), group: of_folder.gid() })
    }

    /// Replaces a file, or a link, whole.
    fn write(&self, path: &Path, text: &[u8], mode: u32) -> Result<()> {
        let write = || {
            let mut file = NamedTempFile::new_in(&self.folder)?;
            file.write_all(text)?;
            file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
            fchown(file.as_file(), Some(self.owner), Some(self.group))?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            io::Result::Ok(())
        };
        write().with_context(|| format!("cannot write `{}`", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_may_write_to_is_no_place_for_a_key() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Target::open(folder.path(), false).is_ok());
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Target::open(folder.path(), false).is_err());
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (elsewhere, link) = (folder.path().join("elsewhere"), folder.path().join("server.key"));
        fs::write(&elsewhere, "theirs").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        Target::open(folder.path(), false).unwrap().write(&link, b"ours", 0o600).unwrap();
        assert_eq!(fs::read(&elsewhere).unwrap(), b"theirs");
        assert_eq!(fs::read(&link).unwrap(), b"ours");
        assert_eq!(fs::symlink_metadata(&link).unwrap().mode() & 0o7777, 0o600);
    }
}
