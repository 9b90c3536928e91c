//! Room on a disk that is smaller than the outbox may be.
//!
//! To give up records SQLite needs room: pages that change go to its log first. So a file beside a new outbox keeps some,
//! which goes when the disk is full for the first time. From then on the outbox holds a little less than it did.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use tracing::{debug, warn};

use super::{File, append::SHED_PART};

/// Twice what the log may grow to before it is written back.
const RESERVE: usize = 2 << 20;
/// An outbox that holds less than that is not what has filled the disk.
const LEAST: u64 = 256 << 10;

/// Its file.
pub(super) fn reserve(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.reserve", path.display()))
}

/// Takes room beside a new outbox. A disk that has none goes without.
pub(super) fn keep(path: &Path) {
    let path = reserve(path);
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(&path)?;
        file.write_all(&vec![0; RESERVE])?;
        file.sync_all()
    };
    if let Err(error) = write() {
        debug!(%error, "no room is kept for when the disk is full");
        fs::remove_file(&path).ok();
    }
}

impl File {
    /// The disk is full: the outbox holds less from now on. False when that helps nothing.
    pub(super) async fn shrink(&mut self) -> bool {
        let had_reserve = fs::remove_file(reserve(&self.path)).is_ok();
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut self.db).await {
            debug!(%error, "the log of the outbox cannot be emptied");
        }
        if self.bytes < LEAST {
            return had_reserve;
        }
        let room = self.bytes.min(self.max_bytes);
        self.max_bytes = room - room / SHED_PART;
        warn!(bytes = self.max_bytes, "the disk is full: the outbox holds no more than that from now on");
        true
    }
}
