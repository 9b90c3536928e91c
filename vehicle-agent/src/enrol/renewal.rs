use std::time::Duration;

use bugbrother_wire::UnixMs;
use rand::Rng;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{EnrolError, Folder, Identity, Server, renew};
use crate::clock::Time;

/// Also the longest that a new certificate stays unseen.
const LOOK_EVERY: Duration = Duration::from_secs(3600);
const FIRST_WAIT: Duration = Duration::from_secs(60);
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);

/// When a certificate is to be renewed: after two thirds of its life, and by `share` (0 to 1) of a twelfth of it later,
/// so that a fleet that was enrolled on one day does not come back on one.
pub fn due(not_before: UnixMs, not_after: UnixMs, share: f64) -> UnixMs {
    let life = not_after.saturating_sub(not_before).max(0);
    let later = (life as f64 / 12.0 * share.clamp(0.0, 1.0)) as UnixMs;
    not_before.saturating_add(life / 3 * 2).saturating_add(later)
}

/// Has the certificate renewed in time, until `stop`. What fails is tried again, ever more seldom.
pub async fn keep_renewed(folder: Folder, time: Time, stop: CancellationToken) {
    let share: f64 = rand::rng().random();
    // A vehicle that drives for ten minutes a day has no hour to come back to it.
    let mut good = time.good();
    if !matches!(stop.run_until_cancelled(good.wait_for(Option::is_some)).await, Some(Ok(_))) {
        return;
    }
    let mut wait = FIRST_WAIT;
    let mut complained = false;
    loop {
        let looked = look(&folder, &time, share).await;
        let next = match looked {
            Ok(None) => LOOK_EVERY,
            Ok(Some(identity)) => {
                info!(not_after = identity.not_after, "certificate renewed");
                (wait, complained) = (FIRST_WAIT, false);
                LOOK_EVERY
            }
            Err(failure) => {
                metrics::counter!("bugbrother_agent_renewal_failures_total").increment(1);
                if failure.is_lasting() && !complained {
                    error!(
                        error = &failure as &dyn std::error::Error,
                        "the certificate cannot be renewed: before it ends, enrol anew with a code"
                    );
                } else if !complained {
                    warn!(error = &failure as &dyn std::error::Error, "the certificate is not renewed yet");
                }
                // One line in the log for a server that is away for days, not one for every attempt.
                complained = true;
                let jitter = rand::rng().random_range(0.5..1.0);
                let next = wait.mul_f64(jitter);
                wait = (wait * 2).min(LONGEST_WAIT);
                next
            }
        };
        if stop.run_until_cancelled(sleep(next)).await.is_none() {
            return;
        }
    }
}

/// Renews if it is time; tells of the new identity.
async fn look(folder: &Folder, time: &Time, share: f64) -> Result<Option<Identity>, EnrolError> {
    let now = time.now();
    let folder = folder.clone();
    let work = move || {
        let (Some(identity), Some(server)) = (folder.identity()?, folder.server()?) else { return Ok(None) };
        if now < due(identity.not_before, identity.not_after, share) {
            return Ok(None);
        }
        let server = Server::new(&server, folder.server_ca().as_deref())?;
        renew(&server, &folder).map(Some)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(renewed) => renewed,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

impl EnrolError {
    /// Whether asking again cannot help.
    fn is_lasting(&self) -> bool {
        match self {
            EnrolError::Refused { word, .. } => {
                matches!(
                    &**word,
                    "certificate_revoked" | "certificate_expired" | "foreign_certificate" | "wrong_signature"
                )
            }
            EnrolError::Content { .. } | EnrolError::Address(_) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_life_and_not_by_all_at_once() {
        const DAY: UnixMs = 24 * 60 * 60 * 1000;
        assert_eq!(due(0, 90 * DAY, 0.0), 60 * DAY);
        assert_eq!(due(0, 90 * DAY, 1.0), 67 * DAY + DAY / 2);
        assert_eq!(due(5, 5, 0.5), 5);
        assert_eq!(due(9, 5, 0.5), 9, "one that never was good");
    }
}
