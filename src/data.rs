//! The data folder: what lies where, and who may read it.
//!
//! ```text
//! data/fleet.db               the fleet's database (SQLite)
//! data/access/passwords, acl  Mosquitto's password_file and acl_file
//! data/access/ca.crt, crl.pem who signs vehicles' certificates, and which are revoked
//! data/access/server.*        the broker's own certificate and its key
//! data/broker/mqtt.redb        sessions and retained messages of the broker
//! data/secrets/               passwords of the services, keys of the sessions and of web push; 0600
//! data/secrets/ca/            the fleet's certificate authority and its key
//! data/media/                 photos and clips of vehicles, and what is coming in of them
//! data/documents/             files of the contracts' documents
//! data/demo/{vin}/outbox.db   outboxes of the demo's agents
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use bugbrother_store::Store;
use bugbrother_wire::Vin;
use tempfile::NamedTempFile;

/// An existing data folder, and where the databases are that may be elsewhere.
#[derive(Clone)]
pub struct DataDir {
    path: PathBuf,
    databases: Databases,
}

/// Addresses of databases. They may hold passwords and are never shown.
#[derive(Clone, Default)]
pub struct Databases {
    /// The fleet's database; a file in the data folder for `None`.
    pub fleet: Option<String>,
    /// The samples' store; the fleet's database for `None`.
    pub telemetry: Option<String>,
}

/// A folder with all files that a mosquitto.conf of this fleet names.
#[derive(Clone)]
pub struct AccessFolder(PathBuf);

impl AccessFolder {
    /// The files are taken to be in `path`.
    pub fn at(path: &Path) -> Self {
        AccessFolder(path.to_owned())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// password_file.
    pub fn passwords(&self) -> PathBuf {
        self.0.join("passwords")
    }

    /// acl_file.
    pub fn acl(&self) -> PathBuf {
        self.0.join("acl")
    }

    /// cafile.
    pub fn ca_certificate(&self) -> PathBuf {
        self.0.join("ca.crt")
    }

    /// crlfile.
    pub fn revoked(&self) -> PathBuf {
        self.0.join("crl.pem")
    }

    /// certfile.
    pub fn server_certificate(&self) -> PathBuf {
        self.0.join("server.crt")
    }

    /// keyfile.
    pub fn server_key(&self) -> PathBuf {
        self.0.join("server.key")
    }
}

impl DataDir {
    /// Makes the folder where it is missing, for its owner alone; one that others may look into is refused, since the
    /// database in it has the usual mode.
    pub fn open(path: &Path) -> Result<Self> {
        for folder in [path.to_owned(), path.join("access"), path.join("secrets")] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
            made.with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        }
        let path = fs::canonicalize(path).with_context(|| format!("cannot find `{}`", path.display()))?;
        let mode =
            fs::metadata(&path).with_context(|| format!("cannot look at `{}`", path.display()))?.permissions().mode();
        if mode & 0o077 != 0 {
            bail!("others may look into the data folder `{0}`: chmod 700 {0}", path.display());
        }
        Ok(DataDir { path, databases: Databases::default() })
    }

    /// With databases elsewhere.
    pub fn with(self, databases: Databases) -> Self {
        DataDir { databases, ..self }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the broker keeps.
    pub fn broker(&self) -> PathBuf {
        self.path.join("broker")
    }

    /// What the broker reads.
    pub fn access(&self) -> AccessFolder {
        AccessFolder(self.path.join("access"))
    }

    /// The certificate authority's folder.
    pub fn authority(&self) -> PathBuf {
        self.path.join("secrets/ca")
    }

    /// Photos and clips.
    pub fn media(&self) -> PathBuf {
        self.path.join("media")
    }

    /// Files of the contracts' documents.
    pub fn documents(&self) -> PathBuf {
        self.path.join("documents")
    }

    /// Key that sessions of the dashboard are signed with.
    pub fn session_key(&self) -> PathBuf {
        self.path.join("secrets/session.key")
    }

    /// Folder of a simulated car's agent.
    pub fn demo_agent(&self, vin: Vin) -> Result<PathBuf> {
        let path = self.path.join("demo").join(vin.as_str());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot make `{}`", path.display()))?;
        Ok(path)
    }

    /// The database.
    pub async fn store(&self) -> Result<Store> {
        let Databases { fleet, telemetry } = &self.databases;
        let telemetry = telemetry.as_deref();
        match fleet {
            Some(url) => {
                let kind = url.split("://").next().unwrap_or_default();
                let opened = Store::open_with(url, telemetry).await;
                opened.with_context(|| format!("cannot open the database that --database names ({kind}://…)"))
            }
            None => {
                let path = self.fleet_file();
                let path = path.to_str().with_context(|| format!("`{}` is not UTF-8", self.path.display()))?;
                let opened = Store::open_with(&format!("sqlite://{path}"), telemetry).await;
                opened.with_context(|| format!("cannot open the database `{path}`"))
            }
        }
    }

    /// The database's file, where it is one.
    pub fn fleet_file(&self) -> PathBuf {
        self.path.join("fleet.db")
    }

    /// A service's secret, if there is one yet.
    pub fn secret(&self, name: &str) -> Result<Option<String>> {
        let path = self.secret_path(name);
        match fs::read_to_string(&path) {
            // A file that was left empty by a full disk holds no secret.
            Ok(text) => Ok(Some(text.trim_end().to_owned()).filter(|secret| !secret.is_empty())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        }
    }

    /// Keeps a service's secret, for the owner alone; the old one stays until the new one is whole.
    pub fn keep_secret(&self, name: &str, secret: &str) -> Result<()> {
        let path = self.secret_path(name);
        let write = || -> io::Result<()> {
            // Made with mode 0600.
            let mut file = NamedTempFile::new_in(self.path.join("secrets"))?;
            writeln!(file, "{secret}")?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Keeps other processes from changing the access files as long as the returned file is open.
    pub fn lock(&self) -> Result<File> {
        let path = self.path.join("access/.lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.with_context(|| format!("cannot open `{}`", path.display()))?;
        file.lock().with_context(|| format!("cannot lock `{}`", path.display()))?;
        Ok(file)
    }

    /// The file of a service's secret.
    pub fn secret_path(&self, name: &str) -> PathBuf {
        self.path.join("secrets").join(name)
    }
}

/// A new data folder for a test, which goes with the first of both.
#[cfg(test)]
pub fn temporary() -> (tempfile::TempDir, DataDir) {
    let dir = tempfile::tempdir().expect("a test has a place for files");
    let data = DataDir::open(&dir.path().join("data")).expect("the place is new");
    (dir, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_and_its_secrets_are_their_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(&dir.path().join("new")).unwrap();
        assert_eq!(data.secret("ingest").unwrap(), None);
        data.keep_secret("ingest", "swordfish").unwrap();
        assert_eq!(data.secret("ingest").unwrap().as_deref(), Some("swordfish"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(data.path()), 0o700);
        assert_eq!(mode(&data.secret_path("ingest")), 0o600);
    }

    #[test]
    fn a_folder_that_others_may_look_into_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        DirBuilder::new().mode(0o755).create(&open).unwrap();
        assert!(DataDir::open(&open).err().unwrap().to_string().contains("chmod 700"));
    }

    #[test]
    fn a_secret_that_a_full_disk_left_empty_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(&dir.path().join("new")).unwrap();
        fs::write(data.secret_path("ingest"), "").unwrap();
        assert_eq!(data.secret("ingest").unwrap(), None);
    }
}
