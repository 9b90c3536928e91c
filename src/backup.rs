//! `backup` and `restore`: the data folder as one file, made while everything runs.
//!
//! A backup is a tar file: `manifest.json` first (version, time, SHA-256 of each file), then the database, the access files
//! and the secrets. Who can read it can be the fleet, so it is its owner's alone.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use bugbrother_store::Store;
use bugbrother_wire::UnixMs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::{data::DataDir, services::now_ms};

const DATABASE: &str = "fleet.db";
const MANIFEST: &str = "manifest.json";
const MANIFEST_BYTES: u64 = 1 << 20;
/// Folders that are taken whole.
const FOLDERS: [&str; 3] = ["access", "secrets", "documents"];
const FORM: u32 = 1;

/// What is in a backup.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the form.
    form: u32,
    /// Of the program that wrote it.
    pub version: String,
    /// When it was made.
    pub made_ts: UnixMs,
    /// Path → SHA-256.
    files: BTreeMap<String, String>,
}

impl Manifest {
    /// How many files are in it.
    pub fn count(&self) -> usize {
        self.files.len()
    }
}

/// Writes a backup to `target`, which must not be there.
pub async fn backup(data: &DataDir, target: &Path) -> Result<Manifest> {
    if target.exists() {
        bail!("`{}` is there already", target.display());
    }
    // Beside the data: the copy is as large as the database.
    let work = tempfile::Builder::new().prefix("backup-").tempdir_in(data.path())?;
    let copy = work.path().join(DATABASE);
    data.store().await?.copy_to(&copy).await.context("cannot copy the database")?;

    let mut files = vec![(DATABASE.to_owned(), copy)];
    // Copies, so that what is packed is what was summed up, whoever changes the files meanwhile.
    let lock = data.lock()?;
    for folder in FOLDERS {
        let mut found = Vec::new();
        list(&data.path().join(folder), folder, &mut found)?;
        for (name, path) in found {
            let copy = work.path().join(&name);
            if let Some(folder) = copy.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::copy(&path, &copy).with_context(|| format!("cannot read `{}`", path.display()))?;
            files.push((name, copy));
        }
    }
    drop(lock);
    let mut sums = BTreeMap::new();
    for (name, path) in &files {
        sums.insert(name.clone(), digest(File::open(path)?).with_context(|| format!("cannot read `{name}`"))?);
    }
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let manifest = Manifest { form: FORM, version, made_ts: now_ms(), files: sums };

    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Made with mode 0600, and there under its name when it is whole.
    let file = NamedTempFile::new_in(folder).with_context(|| format!("cannot write to `{}`", folder.display()))?;
    let mut tar = tar::Builder::new(io::BufWriter::new(file.as_file()));
    let text = serde_json::to_vec_pretty(&manifest)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    tar.append_data(&mut header, MANIFEST, text.as_slice())?;
    for (name, path) in &files {
        tar.append_path_with_name(path, name).with_context(|| format!("cannot write `{name}` into the backup"))?;
    }
    tar.into_inner()?.flush()?;
    file.as_file().sync_all()?;
    file.persist_noclobber(target).with_context(|| format!("cannot write `{}`", target.display()))?;
    Ok(manifest)
}

/// Unpacks a backup into a data folder that has no database yet, checks every file, and gives the database another identity.
pub async fn restore(source: &Path, target: &Path) -> Result<Manifest> {
    for name in [DATABASE, "fleet.db-wal", "fleet.db-shm", "fleet.db-journal"] {
        if target.join(name).exists() {
            bail!("there is a database in `{}` (`{name}`): restore into another folder", target.display());
        }
    }
    let open = || File::open(source).with_context(|| format!("cannot open `{}`", source.display()));
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // Whole or not at all: only what has been checked gets its name.
    let work = tempfile::Builder::new().prefix("restore-").tempdir_in(folder)?;
    let mut archive = tar::Archive::new(io::BufReader::new(open()?));
    let mut entries = archive.entries()?;
    let first = entries.next().context("the file is empty")?.context("this is no backup")?;
    if first.path()?.as_ref() != Path::new(MANIFEST) {
        bail!("`{}` is no backup: it does not begin with `{MANIFEST}`", source.display());
    }
    let manifest: Manifest = serde_json::from_reader(first.take(MANIFEST_BYTES)).context("cannot read the manifest")?;
    if manifest.form != FORM {
        bail!("the backup is of another form ({}) than this version reads ({FORM})", manifest.form);
    }
    let mut missing = manifest.files.clone();
    for entry in entries {
        let mut entry = entry.context("the backup is cut short")?;
        let path = entry.path()?.into_owned();
        let name = path.to_str().filter(|_| is_ours(&path)).map(str::to_owned);
        let Some((name, sum)) = name.and_then(|name| missing.remove_entry(&name)) else {
            bail!("the backup holds `{}`, which is not in its manifest", path.display());
        };
        let place = work.path().join(&path);
        if let Some(folder) = place.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&place)?;
        io::copy(&mut entry, &mut file).with_context(|| format!("cannot unpack `{name}`"))?;
        file.sync_all()?;
        if digest(File::open(&place)?)? != sum {
            bail!("`{name}` in the backup is damaged");
        }
    }
    if let Some(name) = missing.keys().next() {
        bail!("the backup is cut short: `{name}` is missing");
    }
    let database = work.path().join(DATABASE);
    let url = format!("sqlite://{}", database.to_str().context("the folder's name is not UTF-8")?);
    let store = Store::open(&url).await.context("cannot open the database of the backup")?;
    if !store.is_whole().await? {
        bail!("the database in the backup is damaged");
    }
    store.renew_identity().await?;
    store.close().await;
    if fs::metadata(work.path().join("fleet.db-wal")).is_ok_and(|wal| wal.len() > 0) {
        bail!("the database could not be closed; try again");
    }

    fs::DirBuilder::new().recursive(true).mode(0o700).create(target)?;
    for folder in FOLDERS {
        let (from, to) = (work.path().join(folder), target.join(folder));
        if !from.exists() {
            continue;
        }
        if fs::read_dir(&to).is_ok_and(|mut there| there.next().is_some()) {
            bail!("there are files in `{}`: restore into another folder, or move this one away", to.display());
        }
        fs::remove_dir(&to).ok();
        fs::rename(from, to)?;
    }
    // The database last: a folder without one is not taken for restored.
    fs::rename(database, target.join(DATABASE))?;
    File::open(target)?.sync_all()?;
    Ok(manifest)
}

/// Plain files below `folder`, without those whose names begin with a dot.
fn list(folder: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        // A fleet whose dashboard never ran has no documents.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let mut entries: Vec<_> = entries.collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let Some(own) = entry
            .file_name()
            .to_str()
            .filter(|own| !own.starts_with('.') && !own.starts_with("draft-"))
            .map(str::to_owned)
        else {
            continue;
        };
        let (name, kind) = (format!("{name}/{own}"), entry.file_type()?);
        // A link's target is backed up in its place.
        let is_folder = if kind.is_symlink() { fs::metadata(entry.path())?.is_dir() } else { kind.is_dir() };
        if is_folder {
            list(&entry.path(), &name, files)?;
        } else {
            files.push((name, entry.path()));
        }
    }
    Ok(())
}

/// Whether a path lies where backups have files.
fn is_ours(path: &Path) -> bool {
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    plain
        && (path == Path::new(DATABASE)
            || FOLDERS.iter().any(|folder| path.starts_with(folder) && path != Path::new(folder)))
}

fn digest(mut file: File) -> io::Result<String> {
    let mut sum = Sha256::new();
    io::copy(&mut file, &mut sum)?;
    Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIN: &str = "WVWZZZ1JZ3W386752";

    async fn filled() -> (tempfile::TempDir, DataDir) {
        let (dir, data) = crate::data::temporary();
        data.keep_secret("ingest", "swordfish").unwrap();
        fs::write(data.access().acl(), "user ada\n").unwrap();
        let store = data.store().await.unwrap();
        store.name_vehicle(VIN.parse().unwrap(), "Golf", None, 5).await.unwrap();
        (dir, data)
    }

    #[tokio::test]
    async fn what_was_backed_up_comes_back_as_another_database() {
        let (dir, data) = filled().await;
        let file = dir.path().join("backup.tar");
        backup(&data, &file).await.unwrap();
        let store = data.store().await.unwrap();
        store.name_vehicle("1M8GDM9AXKP042788".parse().unwrap(), "Later", None, 6).await.unwrap();

        let target = dir.path().join("restored");
        restore(&file, &target).await.unwrap();
        let restored = DataDir::open(&target).unwrap();
        assert_eq!(restored.secret("ingest").unwrap().as_deref(), Some("swordfish"));
        assert_eq!(fs::read_to_string(restored.access().acl()).unwrap(), "user ada\n");
        let again = restored.store().await.unwrap();
        let names: Vec<_> = again.vehicles(None, 10).await.unwrap().into_iter().map(|vehicle| vehicle.name).collect();
        assert_eq!(names, ["Golf"]);
        assert_ne!(again.identity(), store.identity());
        let left = fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with("backup-")));
    }

    #[tokio::test]
    async fn nothing_is_overwritten() {
        let (dir, data) = filled().await;
        let file = dir.path().join("backup.tar");
        backup(&data, &file).await.unwrap();
        assert!(backup(&data, &file).await.unwrap_err().to_string().contains("is there already"));
        assert!(restore(&file, data.path()).await.unwrap_err().to_string().contains("there is a database"));
    }

    #[tokio::test]
    async fn a_damaged_or_cut_backup_is_refused_and_leaves_nothing_behind() {
        let (dir, data) = filled().await;
        let file = dir.path().join("backup.tar");
        backup(&data, &file).await.unwrap();
        let whole = fs::read(&file).unwrap();
        let target = dir.path().join("restored");
        for (what, bytes) in [
            ("cut", whole[..whole.len() / 2].to_vec()),
            ("bent", {
                let mut bent = whole.clone();
                let middle = bent.len() / 2;
                bent[middle] ^= 0xff;
                bent
            }),
            ("foreign", b"not a tar file at all".repeat(100)),
            ("empty", Vec::new()),
        ] {
            fs::write(&file, bytes).unwrap();
            assert!(restore(&file, &target).await.is_err(), "{what}");
            assert!(!target.join(DATABASE).exists(), "{what}");
        }
    }

    #[test]
    fn only_our_own_places_are_written_to() {
        for (path, ours) in [
            ("fleet.db", true),
            ("access/acl", true),
            ("secrets/ca/ca.key", true),
            ("../fleet.db", false),
            ("/etc/passwd", false),
            ("access/../../x", false),
            ("secrets", false),
            ("other", false),
        ] {
            assert_eq!(is_ours(Path::new(path)), ours, "{path}");
        }
    }
}
