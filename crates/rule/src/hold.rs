//! Whether a leaf holds, since when, and what is to be said of it.

use bugbrother_wire::{UnixMs, message::AlertCause};
use serde::{Deserialize, Serialize};

use crate::Change;

/// A leaf that holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// Since when.
    pub since: UnixMs,
    /// The value that matters: the worst one so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What it is measured against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// What else is to be said.
    #[serde(default)]
    pub cause: AlertCause,
}

/// What a leaf makes of what it hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// It holds from now on.
    Began,
    /// It held, and its cause came once more.
    Recurred,
    /// It held, and is worse.
    Worsened,
    /// It holds no longer since that moment.
    Ended(UnixMs),
}

/// A leaf that holds, or does not.
pub(crate) type Held = Option<Box<Hold>>;

impl Hold {
    /// One that began then.
    pub(crate) fn since(since: UnixMs) -> Self {
        Hold { since, value: None, limit: None, cause: AlertCause::default() }
    }
}

/// Makes a leaf hold; one that does goes on as it was.
pub(crate) fn begin(held: &mut Held, make: impl FnOnce() -> Hold) -> Option<Note> {
    if held.is_some() {
        return None;
    }
    *held = Some(Box::new(make()));
    Some(Note::Began)
}

/// Makes a leaf hold no longer.
pub(crate) fn end(held: &mut Held, at: UnixMs) -> Option<Note> {
    held.take().map(|hold| Note::Ended(at.max(hold.since)))
}

/// Takes over what a threshold says.
pub(crate) fn follow(held: &mut Held, change: Change, ts: UnixMs, limit: f64) -> Option<Note> {
    match change {
        Change::Opened { since, worst } => {
            let hold = Hold { value: Some(worst), limit: Some(limit), ..Hold::since(since) };
            *held = Some(Box::new(hold));
            Some(Note::Began)
        }
        Change::Recurred { worst } => {
            held.as_mut()?.value = Some(worst);
            Some(Note::Recurred)
        }
        Change::Worsened { worst } => {
            held.as_mut()?.value = Some(worst);
            Some(Note::Worsened)
        }
        Change::Resolved { .. } => end(held, ts),
    }
}
