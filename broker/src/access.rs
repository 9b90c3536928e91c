//! Who may come in and what they may say: Mosquitto's two files, read again when they change.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::Arc,
    time::Duration,
};

use bugbrother_mosquitto_compat::{AclFile, PasswordFile, conf};
use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval},
};

use crate::Error;

const INTERVAL: Duration = Duration::from_millis(250);

/// What both files say.
pub(crate) struct Access {
    pub(crate) passwords: PasswordFile,
    pub(crate) acl: AclFile,
}

/// A client that has shown who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: String,
    pub(crate) client_id: String,
}

impl Access {
    pub(crate) fn may_write(&self, who: &Identity, topic: &str) -> bool {
        // A topic of the server's own is for nobody to write.
        !topic.starts_with('$') && self.acl.may_write(Some(&who.user), &who.client_id, topic)
    }

    pub(crate) fn may_read(&self, who: &Identity, topic: &str) -> bool {
        self.acl.may_read(Some(&who.user), &who.client_id, topic)
    }

    pub(crate) fn may_subscribe(&self, who: &Identity, filter: &str) -> bool {
        self.acl.may_subscribe(Some(&who.user), &who.client_id, filter)
    }
}

/// The two files and the state in which they were read last.
pub(crate) struct Files {
    settings: conf::Access,
    stamps: [Option<Stamp>; 2],
}

/// Tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    bytes: u64,
    inode: u64,
}

impl Files {
    pub(crate) fn new(settings: conf::Access) -> Self {
        Files { settings, stamps: [None; 2] }
    }

    /// Reads both files.
    pub(crate) fn load(&mut self) -> Result<Access, Error> {
        // Taken before reading: a change in between is seen at the next look.
        self.stamps = self.look();
        Ok(Access {
            passwords: match &self.settings.password_file {
                Some(path) => PasswordFile::load(path).map_err(Error::Passwords)?,
                None => PasswordFile::default(),
            },
            acl: match &self.settings.acl_file {
                Some(path) => AclFile::load(path).map_err(Error::Acl)?,
                None => AclFile::default(),
            },
        })
    }

    fn look(&self) -> [Option<Stamp>; 2] {
        [&self.settings.password_file, &self.settings.acl_file].map(|path| path.as_deref().and_then(stamp))
    }

    /// Reads both files again whenever one has changed. Files that cannot be used change nothing.
    pub(crate) async fn watch(mut self, access: watch::Sender<Arc<Access>>, reload: &Notify) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = ticks.tick() => false,
                () = reload.notified() => true,
            };
            let looked = tokio::task::spawn_blocking(move || {
                let loaded = (asked || self.look() != self.stamps).then(|| self.load());
                (self, loaded)
            });
            let Ok((files, loaded)) = looked.await else { return };
            self = files;
            match loaded {
                Some(Ok(new)) => {
                    tracing::info!("password and acl files were read again");
                    access.send_replace(Arc::new(new));
                }
                Some(Err(error)) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(
                        cause,
                        "changed password or acl file cannot be used: the last good ones stay in force"
                    );
                }
                None => {}
            }
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata: Metadata = fs::metadata(path).ok()?;
    Some(Stamp { modified: (metadata.mtime(), metadata.mtime_nsec()), bytes: metadata.len(), inode: metadata.ino() })
}
