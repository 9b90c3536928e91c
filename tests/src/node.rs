//! Scripts for Node.js with what they need from npm.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

/// Installs what the lock file in `folder` names.
pub fn install(folder: &Path) -> Result<()> {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(folder);
    let output = npm.output().context("npm does not start; `apt-get install npm` (make setup does it)")?;
    if !output.status.success() {
        bail!("npm ci: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
