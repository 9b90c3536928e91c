//! The processes of a server, found by their working directory: those whose parent was killed are found, too.

use std::{
    fs,
    future::ready,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::wait;

const LIMIT: Duration = Duration::from_secs(30);

/// All processes that work in one folder.
pub(crate) struct Crew {
    folder: PathBuf,
}

impl Crew {
    /// Those in `folder`, which exists.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        // As the kernel will tell it.
        Ok(Crew { folder: folder.canonicalize()? })
    }

    /// Their ids, in ascending order.
    pub(crate) fn members(&self) -> Result<Vec<u32>> {
        let mut members = Vec::new();
        for entry in fs::read_dir("/proc").context("processes are found by /proc, as Linux has it")? {
            let entry = entry?;
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A process that has ended has no working directory, and a stranger's cannot be read.
            if fs::read_link(entry.path().join("cwd")).is_ok_and(|folder| folder == self.folder) {
                members.push(id);
            }
        }
        members.sort_unstable();
        Ok(members)
    }

    /// Kill -9 for all of them; returns when none is left.
    pub(crate) async fn kill(&self) -> Result<()> {
        self.signal_until("all processes have ended", "KILL", |_| Ok(false)).await
    }

    /// Stops all of them in their tracks; returns when none moves any more.
    pub(crate) async fn pause(&self) -> Result<()> {
        self.signal_until("all processes stand still", "STOP", is_stopped).await
    }

    /// Lets them go on.
    pub(crate) fn resume(&self) -> Result<()> {
        signal("CONT", &self.members()?)
    }

    /// Signals who is not yet as wanted, until nobody is left to signal and no new one has come meanwhile.
    async fn signal_until(&self, what: &str, name: &str, as_wanted: impl Fn(u32) -> Result<bool>) -> Result<()> {
        let look = || -> Result<bool> {
            let members = self.members()?;
            let mut others = Vec::new();
            for id in &members {
                if !as_wanted(*id)? {
                    others.push(*id);
                }
            }
            if others.is_empty() {
                return Ok(self.members()? == members);
            }
            signal(name, &others)?;
            Ok(false)
        };
        let what = format!("{what} in `{}`", self.folder.display());
        wait::until(&what, LIMIT, || ready(look().map(|done| done.then_some(())).transpose())).await?
    }
}

/// Sends a signal by its name without `SIG`; who has ended meanwhile does not matter.
fn signal(name: &str, ids: &[u32]) -> Result<()> {
    let ids = ids.iter().map(u32::to_string);
    Command::new("kill").arg(format!("-{name}")).args(ids).output().context("cannot run `kill`")?;
    Ok(())
}

fn is_stopped(id: u32) -> Result<bool> {
    match fs::read_to_string(format!("/proc/{id}/stat")) {
        // proc(5): the state follows the program's name, which is in brackets and may hold any character.
        Ok(stat) => Ok(stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error).with_context(|| format!("cannot read the state of process {id}")),
    }
}
