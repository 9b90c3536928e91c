use std::time::Duration;

use bugbrother_store::{Rule, Store, StoreError};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

/// How long a changed rule may wait for being noticed.
const EVERY: Duration = Duration::from_secs(1);
/// The rules are read this often even if nobody has counted a change: a person may have changed them in the database.
const ALL_EVERY: Duration = Duration::from_secs(60);

/// Follows the rules until `stop` and hands them over when they have changed.
pub fn follow(store: Store, tasks: &TaskTracker, stop: CancellationToken) -> mpsc::Receiver<Vec<Rule>> {
    let (changed, receiver) = mpsc::channel(1);
    tasks.spawn(async move {
        let mut known = Known::default();
        loop {
            match known.look(&store).await {
                Ok(None) => {}
                Ok(Some(rules)) => {
                    tokio::select! {
                        sent = changed.send(rules) => if sent.is_err() { return },
                        () = stop.cancelled() => return,
                    }
                }
                Err(error) if known.is_silent => drop(error),
                Err(error) => {
                    known.is_silent = true;
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

/// What was read last.
#[derive(Default)]
struct Known {
    rules: Option<Vec<Rule>>,
    version: i64,
    read: Option<Instant>,
    /// Whether it was said that they cannot be read.
    is_silent: bool,
}

impl Known {
    /// The rules, if they are others than before.
    async fn look(&mut self, store: &Store) -> Result<Option<Vec<Rule>>, StoreError> {
        let version = store.rules_version().await?;
        let is_fresh = self.read.is_some_and(|read| read.elapsed() < ALL_EVERY);
        if is_fresh && version == self.version {
            self.is_silent = false;
            return Ok(None);
        }
        // A change between the two is counted, and looked at next time.
        let rules = store.rules().await?;
        (self.version, self.read, self.is_silent) = (version, Some(Instant::now()), false);
        if self.rules.as_ref() == Some(&rules) {
            return Ok(None);
        }
        self.rules = Some(rules.clone());
        Ok(Some(rules))
    }
}
