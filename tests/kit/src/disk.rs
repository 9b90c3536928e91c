//! A disk whose power can be cut.

use std::{
    fs::{self, File},
    io::{self, Seek},
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use tempfile::NamedTempFile;
use tokio::process::Command;

use crate::{command::run, janitor::Janitor};

/// ext4 on a block device of its own, which is a file. Its cache is written back only when somebody asks for it, so that
/// the file has what a disk has for certain, and the rest is what a power cut takes.
///
/// Of what was written and not yet flushed a real disk may lose a part, too; that is not imitated. The device is gone with
/// this value, or with the test; what uses it must have ended.
pub struct Disk {
    folder: PathBuf,
    device: File,
    _janitor: Janitor,
}

/// Five minutes: longer than any test.
const OPTIONS: &str = "loop,commit=300,noatime";

impl Disk {
    /// An empty one of that size. Only root can make one.
    pub async fn mount(size_mb: u32) -> Result<Self> {
        let user = fs::metadata("/proc/self").context("cannot tell who runs the test")?.uid();
        ensure!(user == 0, "a test that cuts the power of a disk needs root, to mount one: run it as root, as CI does");
        let image = NamedTempFile::new()?;
        image.as_file().set_len(u64::from(size_mb) << 20)?;
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(image.path()))
            .await
            .context("mkfs.ext4 (e2fsprogs)")?;
        let folder = tempfile::tempdir()?.keep();
        let janitor = Janitor::of_volume(&folder)?;
        attach(image.path(), &folder).await?;
        // Without a name, the file is gone with the device.
        Ok(Disk { folder, device: image.into_file(), _janitor: janitor })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Bytes that were written to the device since it was mounted.
    pub fn written(&self) -> Result<u64> {
        let mounts = fs::read_to_string("/proc/mounts")?;
        let folder = self.folder.display().to_string();
        let line = mounts.lines().find(|line| line.split(' ').nth(1) == Some(&folder)).context("it is not mounted")?;
        let device = line.split(' ').next().and_then(|device| device.strip_prefix("/dev/")).context("no device")?;
        // The seventh number is sectors of 512 bytes (Documentation/block/stat.rst).
        let stat = fs::read_to_string(format!("/sys/block/{device}/stat"))?;
        let sectors: u64 = stat.split_whitespace().nth(6).context("no count of sectors")?.parse()?;
        Ok(sectors * 512)
    }

    /// Takes everything away that is not on the device, as a power cut does. What wrote to it must have ended just now.
    pub async fn cut_power(&mut self) -> Result<()> {
        let mut copy = NamedTempFile::new()?;
        // Another descriptor of the same open file would share its position.
        let mut device = File::open(format!("/proc/self/fd/{}", self.device.as_raw_fd()))?;
        io::copy(&mut device, copy.as_file_mut())?;
        copy.as_file_mut().rewind()?;
        run(Command::new("umount").arg(&self.folder)).await.context("something still uses the disk")?;
        attach(copy.path(), &self.folder).await?;
        self.device = copy.into_file();
        Ok(())
    }
}

async fn attach(image: &Path, folder: &Path) -> Result<()> {
    let mut mount = Command::new("mount");
    run(mount.args(["-t", "ext4", "-o", OPTIONS]).arg(image).arg(folder))
        .await
        .context("a test that cuts the power of a disk needs the right to mount one (CAP_SYS_ADMIN) and loop devices")
        .map(drop)
}
