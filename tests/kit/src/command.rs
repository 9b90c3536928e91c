//! A program that ends.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::{process::Command, time::timeout};

/// Longer than any takes, so that a test that hangs says where.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs it to its end; what it prints.
pub(crate) async fn run(command: &mut Command) -> Result<String> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).kill_on_drop(true);
    let ended = timeout(LIMIT, command.output()).await;
    let output =
        ended.with_context(|| format!("{name} does not end"))?.with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        // `curl` prints what the server has to say of its refusal.
        let (error, printed) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
        bail!("{name}: {}", format!("{}\n{}", error.trim(), printed.trim()).trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}
