//! Clearing up behind a test, also one that is killed and behind servers in a `static`, which Rust does not drop.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};

/// Ends who works in the first folder, frees the block of System V shared memory by which a killed PostgreSQL guarded
/// it (line 7 of `postmaster.pid` is its key and id), and removes all folders.
const SERVER: &str = r#"
tries=0
while ids=$(find /proc/[0-9]*/cwd -lname "$1" -printf '%h ' 2>/dev/null | sed 's,/proc/,,g') && [ -n "$ids" ]; do
    [ $((tries += 1)) -le 500 ] || exit 1
    kill -KILL $ids
    sleep 0.02
done
if [ -f "$1/postmaster.pid" ]; then
    block=$(sed -n '7s/.* //p' "$1/postmaster.pid")
    [ -z "$block" ] || ipcrm -m "$block"
fi
rm -rf "$@"
"#;

/// Unmounts the folder and removes it. What still uses it gets some time to end; then the folder goes all the same,
/// and that is reported.
const VOLUME: &str = r#"
tries=0
while mountpoint -q "$1" && ! umount "$1"; do
    [ $((tries += 1)) -le 100 ] || { umount --lazy "$1"; rmdir "$1"; exit 1; }
    sleep 0.02
done
rmdir "$1"
"#;

/// A process that clears up as soon as this value is dropped or the test's process has ended, however that was.
pub(crate) struct Janitor {
    child: Child,
    task: &'static str,
}

impl Janitor {
    /// Ends every process whose working directory is `data` (an absolute path without symbolic links) and removes that
    /// folder and `home`.
    pub(crate) fn of_server(data: &Path, home: &Path) -> Result<Self> {
        Self::hire("end a server and remove its folders", SERVER, &[data.as_ref(), home.as_ref()])
    }

    /// Unmounts `folder` and removes it.
    pub(crate) fn of_volume(folder: &Path) -> Result<Self> {
        Self::hire("unmount a volume that nobody uses any more", VOLUME, &[folder.as_ref()])
    }

    fn hire(task: &'static str, script: &str, arguments: &[&OsStr]) -> Result<Self> {
        // Its standard input ends when nobody holds the other end any more. In a session of its own it outlives the
        // signals by which test runners end a test with all its children.
        let child = Command::new("setsid")
            .args(["sh", "-c", &format!("cat >/dev/null\n{script}"), "janitor"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start `setsid sh`")?;
        Ok(Janitor { child, task })
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        match self.child.wait() {
            Ok(status) if status.success() => {}
            Ok(status) => eprintln!("the test could not {}: {status}", self.task),
            Err(error) => eprintln!("the test could not {}: {error}", self.task),
        }
    }
}
