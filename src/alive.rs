//! What systemd is told: that everything has started, that it is alive, and that it ends.

use std::io;

use anyhow::Result;
use sd_notify::NotifyState;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

/// Says that everything has started, and then that it is alive as often as systemd wants to hear it, until `stop`. What waits
/// for a database is alive: to be started anew would not help it.
pub async fn watch(stop: CancellationToken) -> Result<()> {
    tell(&[NotifyState::Ready]);
    let Some(wanted) = sd_notify::watchdog_enabled() else {
        stop.cancelled().await;
        return Ok(());
    };
    let interval = wanted / 3;
    let mut complained = false;
    while stop.run_until_cancelled(sleep(interval)).await.is_some() {
        // That this task goes on shows that tasks do; threads for what blocks (files, passwords) may all hang for themselves.
        let blocking = tokio::task::spawn_blocking(|| ());
        match timeout(interval, blocking).await {
            Ok(_) => {
                complained = false;
                tell(&[NotifyState::Watchdog]);
            }
            Err(_) if !complained => {
                complained = true;
                error!("nothing that reads files or checks passwords is answered");
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// Says that the program is about to end because it was told to.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    match sd_notify::notify(states) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => debug!(%error, "systemd does not hear"),
        _ => {}
    }
}
