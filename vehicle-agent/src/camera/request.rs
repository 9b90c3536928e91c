//! What a camera is asked to do.

use std::time::{Duration, Instant};

use bugbrother_wire::MediaId;
use tokio::sync::oneshot;

/// Why something is done.
#[derive(Debug, Clone, Default)]
pub(super) struct Cause {
    /// The event or command.
    pub id: Option<String>,
    /// Whether what comes of it is uploaded first.
    pub urgent: bool,
}

/// What a camera is to do.
pub(super) enum Request {
    Photo {
        cause: Cause,
        answer: oneshot::Sender<Result<MediaId, String>>,
    },
    Film {
        cause: Cause,
        at: Instant,
        before: Duration,
        after: Duration,
        answer: oneshot::Sender<Result<MediaId, String>>,
    },
    Live {
        until: Instant,
        ticket: Option<String>,
        answer: oneshot::Sender<Result<(), String>>,
    },
    EndLive,
}

impl Request {
    /// It is not done, for this reason.
    pub fn refuse(self, reason: &str) {
        let reason = reason.to_owned();
        match self {
            Request::Photo { answer, .. } | Request::Film { answer, .. } => drop(answer.send(Err(reason))),
            Request::Live { answer, .. } => drop(answer.send(Err(reason))),
            Request::EndLive => {}
        }
    }
}
