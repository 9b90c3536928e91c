use std::time::Duration;

use bugbrother_store::{Rule, Store};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

const EVERY: Duration = Duration::from_secs(10);

/// Reads the rules from time to time until `stop` and hands them over when they have changed.
pub fn follow(store: Store, tasks: &TaskTracker, stop: CancellationToken) -> mpsc::Receiver<Vec<Rule>> {
    let (changed, receiver) = mpsc::channel(1);
    tasks.spawn(async move {
        let mut known = None;
        loop {
            match store.rules().await {
                Ok(rules) if known.as_ref() == Some(&rules) => {}
                Ok(rules) => {
                    known = Some(rules.clone());
                    tokio::select! {
                        sent = changed.send(rules) => if sent.is_err() { return },
                        () = stop.cancelled() => return,
                    }
                }
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    warn!(error, "the rules cannot be read; the known ones stay in force");
                }
            }
            tokio::select! {
                () = sleep(EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    });
    receiver
}
