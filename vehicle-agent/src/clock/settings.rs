//! What has set the computer's clock, as far as the system tells.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use bugbrother_wire::UnixMs;
use tokio::{process::Command, time::timeout};

/// What has set the computer's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Setter {
    /// The network (NTP).
    Network,
    /// A battery-backed clock, when the computer was started.
    Battery,
    /// The firmware or the hypervisor of a computer that has a clock, as PCs do, as far as can be told.
    Firmware,
    /// Nobody: it goes on from where it stood, or from 1970.
    #[default]
    Nobody,
}

/// 2026-01-01T00:00:00Z. This program is younger, so a clock that says less was never set.
const PLAUSIBLE: UnixMs = 1_767_225_600_000;
/// A clock that was set by its battery-backed one is not further away from it.
const AGREES_MS: i64 = 300_000;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a Linux system tells what has set its clock.
#[derive(Debug, Clone)]
pub struct ClockSettings {
    root: PathBuf,
    /// Whether `timedatectl` is asked, too.
    ask: bool,
}

impl ClockSettings {
    /// Of this system.
    pub fn of_this_system() -> Self {
        ClockSettings { root: PathBuf::from("/"), ask: true }
    }

    /// Of the system whose files are in `root`; no program is run.
    pub fn in_folder(root: impl Into<PathBuf>) -> Self {
        ClockSettings { root: root.into(), ask: false }
    }

    /// What has set the clock, which now says `system`.
    ///
    /// - *Network*: systemd-timesyncd leaves `/run/systemd/timesync/synchronized`. For chrony and others `timedatectl` is
    ///   asked, which asks the kernel (STA_UNSYNC of adjtimex(2), which may not be called from here without `unsafe`).
    /// - *Battery*: `hctosys` of a clock in `/sys/class/rtc` says that the kernel took its time; the clock itself must
    ///   still agree, since one with an empty battery begins anew.
    /// - *Nobody*: on a board with a device tree, as a Raspberry Pi, no clock but such a one is there.
    /// - *Firmware*: everywhere else, if the year can be right.
    pub async fn setter(&self, system: UnixMs) -> Setter {
        if system < PLAUSIBLE {
            Setter::Nobody
        } else if self.path("run/systemd/timesync/synchronized").exists() || (self.ask && says_synchronized().await) {
            Setter::Network
        } else if self.clocks().iter().any(|clock| is_source(clock, system)) {
            Setter::Battery
        } else if self.path("proc/device-tree/model").exists() {
            Setter::Nobody
        } else {
            Setter::Firmware
        }
    }

    /// The identity of the computer's start; `None` where the kernel does not tell.
    pub fn boot_id(&self) -> Option<String> {
        let id = fs::read_to_string(self.path("proc/sys/kernel/random/boot_id")).ok()?;
        Some(id.trim().to_owned()).filter(|id| !id.is_empty() && id.len() <= 64)
    }

    /// Milliseconds since the computer's start, in steps of 10.
    pub fn up_ms(&self) -> Option<i64> {
        let text = fs::read_to_string(self.path("proc/uptime")).ok()?;
        let seconds: f64 = text.split(' ').next()?.parse().ok()?;
        Some((seconds * 1000.0).round() as i64).filter(|up| *up >= 0)
    }

    fn clocks(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("sys/class/rtc")).into_iter().flatten();
        entries.flatten().map(|entry| entry.path()).take(8).collect()
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }
}

fn is_source(clock: &Path, system: UnixMs) -> bool {
    let read = |name| fs::read_to_string(clock.join(name)).map(|text| text.trim().to_owned());
    let told = read("since_epoch").ok().and_then(|seconds| seconds.parse::<i64>().ok());
    read("hctosys").is_ok_and(|took| took == "1")
        && told.is_some_and(|seconds| (seconds.saturating_mul(1000) - system).abs() <= AGREES_MS)
}

async fn says_synchronized() -> bool {
    let mut command = Command::new("timedatectl");
    command.args(["show", "--property=NTPSynchronized", "--value"]).kill_on_drop(true);
    let answer = timeout(ANSWER_TIMEOUT, command.output()).await;
    matches!(answer, Ok(Ok(output)) if output.status.success() && output.stdout.starts_with(b"yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_790_000_000_000;

    #[tokio::test]
    async fn what_set_the_clock_is_read_from_what_the_system_leaves() {
        let dir = tempfile::tempdir().unwrap();
        let settings = ClockSettings::in_folder(dir.path());
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(settings.setter(NOW).await, Setter::Firmware);
        assert_eq!(settings.setter(1_000).await, Setter::Nobody);
        write("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0");
        assert_eq!(settings.setter(NOW).await, Setter::Nobody);
        write("sys/class/rtc/rtc0/hctosys", "1\n");
        write("sys/class/rtc/rtc0/since_epoch", "1789999990\n");
        assert_eq!(settings.setter(NOW).await, Setter::Battery);
        // Its battery was empty, and something else has moved the computer's clock forward.
        write("sys/class/rtc/rtc0/since_epoch", "4711\n");
        assert_eq!(settings.setter(NOW).await, Setter::Nobody);
        write("sys/class/rtc/rtc0/since_epoch", "1789999990\n");
        write("sys/class/rtc/rtc0/hctosys", "0\n");
        assert_eq!(settings.setter(NOW).await, Setter::Nobody);
        write("run/systemd/timesync/synchronized", "");
        assert_eq!(settings.setter(NOW).await, Setter::Network);
        assert_eq!(settings.setter(1_000).await, Setter::Nobody);
    }

    #[test]
    fn the_start_of_the_computer_is_told_by_the_kernel_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let settings = ClockSettings::in_folder(dir.path());
        assert_eq!((settings.boot_id(), settings.up_ms()), (None, None));
        fs::create_dir_all(dir.path().join("proc/sys/kernel/random")).unwrap();
        fs::write(dir.path().join("proc/sys/kernel/random/boot_id"), "74bf163d-b0d7-41aa-b51d-7cedd7c90f31\n").unwrap();
        fs::write(dir.path().join("proc/uptime"), "16928.32 7885.05\n").unwrap();
        assert_eq!(settings.boot_id().unwrap(), "74bf163d-b0d7-41aa-b51d-7cedd7c90f31");
        assert_eq!(settings.up_ms(), Some(16_928_320));
        let here = ClockSettings::of_this_system();
        assert!(here.boot_id().is_some() && here.up_ms().is_some(), "a Linux system");
    }
}
