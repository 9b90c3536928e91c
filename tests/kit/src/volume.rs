//! A small disk, to fill.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::{command::run, janitor::Janitor};

/// A file system of its own in memory. It is unmounted with this value, or with the test; what uses it must have ended.
pub struct Volume {
    folder: PathBuf,
    _janitor: Janitor,
}

impl Volume {
    /// Mounts an empty one of that size, which every user may pass through. Only root can.
    pub async fn mount(size_mb: u32) -> Result<Self> {
        let user = fs::metadata("/proc/self").context("cannot tell who runs the test")?.uid();
        ensure!(user == 0, "a test that fills a disk needs root, to mount one: run it as root, as CI does");
        let folder = tempfile::tempdir()?.keep();
        let volume = Volume { _janitor: Janitor::of_volume(&folder)?, folder };
        let options = format!("size={size_mb}m,mode=0755");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "bugbrother-test"]).arg(&volume.folder);
        run(&mut mount).await.context("a test that fills a disk needs the right to mount one (CAP_SYS_ADMIN)")?;
        Ok(volume)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Takes all space that is left, to the last byte; also what became free since the last time.
    pub fn fill(&self) -> Result<()> {
        let mut file = File::options().create(true).append(true).open(self.ballast())?;
        let block = [0; 4096];
        loop {
            match file.write(&block) {
                Ok(written) => ensure!(written > 0, "the ballast does not grow"),
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot write the ballast"),
            }
        }
    }

    /// Gives back what [`Volume::fill`] took.
    pub fn free(&self) -> Result<()> {
        fs::remove_file(self.ballast()).context("the volume was not filled")
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}
