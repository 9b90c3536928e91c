//! What systemd is told: that the agent is ready, and, as long as its parts answer, that it is alive.

use std::{future::pending, io, time::Duration};

use sd_notify::NotifyState;
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::outbox::Outbox;

/// A question whether a part still goes round; the answer is nothing but that it comes.
pub type Ping = oneshot::Sender<()>;

/// Says that the agent is ready, and then that it is alive as often as systemd wants to hear it, until `stop`. A part that
/// hangs is not restarted by itself: systemd is told nothing any more and starts the whole agent anew.
pub(crate) async fn watch(outbox: Outbox, uplink: mpsc::Sender<Ping>, stop: CancellationToken) {
    tell(&[NotifyState::Ready]);
    let Some(wanted) = sd_notify::watchdog_enabled() else { return };
    let interval = wanted / 3;
    let mut complained = false;
    while stop.run_until_cancelled(sleep(interval)).await.is_some() {
        match stuck(&outbox, &uplink, interval).await {
            None => {
                complained = false;
                tell(&[NotifyState::Watchdog]);
            }
            Some(part) if !complained => {
                complained = true;
                error!(part, "a part of the agent does not answer");
            }
            Some(_) => {}
        }
    }
}

/// Which part does not answer within `patience`, if one does not.
async fn stuck(outbox: &Outbox, uplink: &mpsc::Sender<Ping>, patience: Duration) -> Option<&'static str> {
    // A disk that refuses is an answer: starting anew would not help it.
    if timeout(patience, outbox.unfinished_commands()).await.is_err() {
        return Some("outbox");
    }
    let asked = async {
        let (answer, answered) = oneshot::channel();
        // One that has ended is none that hangs.
        if uplink.send(answer).await.is_ok() {
            drop(answered.await);
        }
    };
    timeout(patience, asked).await.is_err().then_some("uplink")
}

/// What `future` gives. It may take for ever, and nothing can hang meanwhile: the agent is ready, and alive.
pub(crate) async fn meanwhile<T>(future: impl Future<Output = T>) -> T {
    tell(&[NotifyState::Ready]);
    let interval = sd_notify::watchdog_enabled().map(|wanted| wanted / 3);
    let telling = async {
        while let Some(interval) = interval {
            tell(&[NotifyState::Watchdog]);
            sleep(interval).await;
        }
        pending().await
    };
    tokio::select! {
        outcome = future => outcome,
        () = telling => unreachable!("it goes on for ever"),
    }
}

/// Says that the agent is about to end because it was told to.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    match sd_notify::notify(states) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => debug!(%error, "systemd does not hear"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::message::VinSource;

    use super::*;

    #[tokio::test]
    async fn a_part_that_does_not_answer_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        let path = dir.path().join("outbox.db");
        let outbox = Outbox::open(&path, 1 << 20, vin, VinSource::Configured, 1_790_000_000_000).await.unwrap();
        let (uplink, mut asked) = mpsc::channel::<Ping>(1);
        let patience = Duration::from_millis(200);
        assert_eq!(stuck(&outbox, &uplink, patience).await, Some("uplink"));
        asked.recv().await.unwrap();
        let answering = tokio::spawn(async move { asked.recv().await.unwrap().send(()).unwrap() });
        assert_eq!(stuck(&outbox, &uplink, Duration::from_secs(20)).await, None);
        answering.await.unwrap();
        assert_eq!(stuck(&outbox, &uplink, patience).await, None, "it has ended");
    }
}
