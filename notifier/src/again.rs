//! Alerts that are told again: because nobody has seen to them in time, or because their rest is over.

use std::{error::Error, sync::Arc, time::Duration};

use bugbrother_store::{Escalation, Store, StoreError};
use bugbrother_wire::UnixMs;
use metrics::counter;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use crate::{holding::Hand, now, outgoing::Outgoing};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// Looks after alerts of the vehicles that are held, until `stop`.
pub fn follow(store: Store, hand: Arc<Hand>, outgoing: Arc<Outgoing>, tasks: &TaskTracker, stop: CancellationToken) {
    tasks.spawn(async move {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_silent = false;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            // A transaction that is broken off changes nothing.
            match stop.run_until_cancelled(look(&store, &hand, &outgoing, now())).await {
                Some(Ok(())) => is_silent = false,
                Some(Err(error)) if is_silent => drop(error),
                Some(Err(error)) => {
                    is_silent = true;
                    let error: &dyn Error = &error;
                    warn!(error, "it cannot be looked which alerts are to be told again");
                }
                None => return,
            }
        }
    });
}

async fn look(store: &Store, hand: &Hand, outgoing: &Outgoing, now: UnixMs) -> Result<(), StoreError> {
    let held = hand.held();
    let woken = store.wake_alerts(&held, now).await?;
    let escalation = store.setting::<Escalation>().await?;
    let escalated = store.escalate_alerts(&held, &escalation, now).await?;
    counter!("bugbrother_notifier_alerts_escalated_total").increment(escalated.len() as u64);
    outgoing.say(woken);
    outgoing.say(escalated);
    Ok(())
}
