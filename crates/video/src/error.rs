//! Why an RTSP session could not be made or has ended.

use std::{fmt, time::Duration};

/// Most characters of what retina says that people are told.
const MAX_SAID: usize = 160;

/// A step on the way to a playing stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Connecting, signing in and asking what there is.
    Describe,
    /// Choosing the stream and how it comes.
    Setup,
    /// Starting it.
    Play,
    /// Receiving it.
    Receive,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Describe => "DESCRIBE",
            Step::Setup => "SETUP",
            Step::Play => "PLAY",
            Step::Receive => "the stream",
        })
    }
}

/// Why there is no video.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The URL cannot be one of a camera.
    #[error("camera URL: {reason}")]
    Url {
        /// What is wrong, and what would be right.
        reason: &'static str,
    },
    /// The camera wants a name and password, or others.
    #[error("camera refused the credentials (401)")]
    Unauthorized,
    /// The camera did not answer in time.
    #[error("camera did not answer {step} within {} s", .deadline.as_secs_f32())]
    TimedOut {
        /// Which step.
        step: Step,
        /// How long was waited.
        deadline: Duration,
    },
    /// The camera answered with an error, or not in RTSP.
    #[error("camera failed at {step}")]
    Protocol {
        /// Which step.
        step: Step,
        /// What retina says.
        #[source]
        source: retina::Error,
    },
    /// The camera has no stream that we know.
    #[error("camera has no H.264, H.265 or JPEG video; it has {found}")]
    NoVideo {
        /// What it has, as `kind/encoding`.
        found: String,
    },
    /// Pictures that are shown before others that came earlier.
    #[error(
        "camera sends B-frames, which cannot be passed on live: set its H.264 profile to Baseline, or its number of B-frames to 0"
    )]
    BFrames,
    /// No picture came for too long.
    #[error("camera sent no picture for {} s", .deadline.as_secs_f32())]
    Stalled {
        /// How long was waited.
        deadline: Duration,
    },
    /// The camera closed the stream.
    #[error("camera ended the stream")]
    Ended,
}

impl SourceError {
    pub(crate) fn at(step: Step, source: retina::Error) -> Self {
        match source.status_code() {
            Some(401) => SourceError::Unauthorized,
            _ => SourceError::Protocol { step, source },
        }
    }

    /// The same for people, with what the camera answered, in a line.
    pub fn told(&self) -> String {
        let SourceError::Protocol { source, .. } = self else { return self.to_string() };
        match source.status_code() {
            Some(status) => format!("{self} ({status})"),
            None => {
                // What retina says of a connection fills many lines.
                let said = source.to_string();
                let line: String = said.lines().next().unwrap_or_default().chars().take(MAX_SAID).collect();
                format!("{self}: {line}")
            }
        }
    }

    /// Whether the camera may be holding a session that we were cut off from, and has no room for another one.
    pub(crate) fn is_full(&self) -> bool {
        // RFC 2326, 7.1.1: not enough bandwidth, internal error, not available.
        let SourceError::Protocol { source, .. } = self else { return false };
        matches!(source.status_code(), Some(453 | 500 | 503))
    }

    /// Whether trying again later may help; a wrong URL or password needs a person first.
    pub fn is_transient(&self) -> bool {
        match self {
            SourceError::Url { .. }
            | SourceError::Unauthorized
            | SourceError::NoVideo { .. }
            | SourceError::BFrames => false,
            SourceError::TimedOut { .. }
            | SourceError::Protocol { .. }
            | SourceError::Stalled { .. }
            | SourceError::Ended => true,
        }
    }
}
