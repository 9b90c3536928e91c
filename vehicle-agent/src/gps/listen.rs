use std::io;

use bugbrother_wire::message::EventKind;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    Fix, GpsSource, Outputs, Plan, count_refusal,
    ear::Told,
    fix::NoFix,
    search::{Found, Search},
};
use crate::{
    outbox::{Draft, Happening},
    retry::Retry,
};

const A_DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Opens a receiver again and again.
pub(super) async fn listen(plan: &Plan, outputs: Outputs, shutdown: &CancellationToken) {
    let (mut search, mut retry) = (Search::default(), Retry::new());
    let mut last_reason = String::new();
    let mut presence = Presence { lost: false, outputs: &outputs };
    while !shutdown.is_cancelled() && !outputs.fixes.is_closed() {
        let began = Instant::now();
        let finding = search.find(&plan.source, &plan.ports, plan.dead_after);
        let Some(found) = shutdown.run_until_cancelled(finding).await else { return };
        let reason = match found {
            Ok(found) => {
                info!(receiver = %found.place, "receiver opened");
                last_reason.clear();
                match follow(found, &mut presence, shutdown).await {
                    Some(reason) => reason.to_string(),
                    None => return,
                }
            }
            Err(error) => error.to_string(),
        };
        metrics::counter!("bugbrother_agent_receiver_losses_total").increment(1);
        // A receiver that is away for hours is one line in the log, not one for every attempt.
        if reason != last_reason {
            warn!(receiver = %plan.source, reason, "no receiver");
        }
        last_reason = reason;
        shutdown.run_until_cancelled(sleep(retry.next_wait(began.elapsed()))).await;
    }
}

/// Sends what a receiver tells until it is gone, which is why; `None` when the agent ends.
async fn follow(mut found: Found, presence: &mut Presence<'_>, shutdown: &CancellationToken) -> Option<io::Error> {
    let mut was_there = false;
    let ended = loop {
        let Some(told) = shutdown.run_until_cancelled(found.ear.listen()).await else { break None };
        if !was_there && found.ear.decoder().spoken() > 0 {
            was_there = true;
            presence.find(&found.place).await;
        }
        match told {
            Ok(told) => presence.send(told).await,
            Err(error) => break Some(error),
        }
        if presence.outputs.fixes.is_closed() {
            break None;
        }
    };
    presence.send(found.ear.end()).await;
    if let Some(reason) = &ended
        && was_there
    {
        presence.lose(&found.place, reason).await;
    }
    ended
}

/// Whether the receiver is there, for those who want to know. Nobody is told of one that was there all the time, nor of
/// one that never was.
struct Presence<'a> {
    lost: bool,
    outputs: &'a Outputs,
}

impl Presence<'_> {
    async fn find(&mut self, place: &GpsSource) {
        if std::mem::take(&mut self.lost) {
            self.tell(EventKind::ReceiverFound, place.to_string()).await;
        }
    }

    async fn lose(&mut self, place: &GpsSource, reason: &io::Error) {
        if !std::mem::replace(&mut self.lost, true) {
            self.tell(EventKind::ReceiverLost, format!("{place}: {reason}")).await;
        }
    }

    async fn tell(&self, kind: EventKind, text: String) {
        let happening = Happening { text: Some(text), ..Happening::new(kind, self.outputs.time.now()) };
        if self.outputs.drafts.send(Draft::Event(happening)).await.is_err() {
            debug!(?kind, "the receiver changed after the end");
        }
    }

    /// A date that only the network's clock can show to be wrong. One of the past is left alone: nothing that is shown as
    /// now waits for it.
    fn is_of_the_future(&self, fix: &Fix) -> bool {
        self.outputs.time.by_network().is_some_and(|now| fix.ts > now + A_DAY_MS)
    }

    async fn send(&self, told: Vec<Told>) {
        for told in told {
            match told {
                Ok(fix) if self.is_of_the_future(&fix) => count_refusal(NoFix::Date.reason()),
                Ok(fix) => {
                    metrics::counter!("bugbrother_agent_fixes_total").increment(1);
                    if self.outputs.fixes.send(fix).await.is_err() {
                        debug!("a fix came after the end");
                    }
                }
                Err(reason) => count_refusal(reason),
            }
        }
    }
}
