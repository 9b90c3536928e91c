//! A rule on a vehicle.

use bugbrother_wire::{UnixMs, message::AlertCause};
use serde::{Deserialize, Serialize};

use crate::{Moment, Note, Plan, leaf::LeafState};

/// A cause that comes back sooner is the same one: what a vehicle says costs others only so much, however it says it.
const RAISED_EVERY_MS: i64 = 10_000;

/// How far a rule has come on a vehicle. It is stored, so that a restart forgets nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    pub(crate) leaves: Vec<LeafState>,
    open: bool,
    /// When it was last opened or came back, by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raised: Option<UnixMs>,
}

/// What a moment changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// It holds since then.
    Opened(UnixMs),
    /// Its cause came once more.
    Recurred,
    /// It is worse, or there is more to be said.
    Worsened,
    /// It holds no longer since then.
    Resolved(UnixMs),
}

/// What is to be said of a rule that holds: by the first of its leaves that hold and have a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence<'a> {
    /// The signal.
    pub signal: Option<&'a str>,
    /// The worst value.
    pub value: Option<f64>,
    /// The limit.
    pub limit: Option<f64>,
    /// What else there is to be said.
    pub cause: Option<&'a AlertCause>,
}

impl Case {
    pub(crate) fn of(leaves: Vec<LeafState>, open: bool) -> Self {
        Case { leaves, open, raised: None }
    }

    /// Whether an alert is active.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The same, with no alert active: while it holds, the next moment raises one.
    pub fn closed(self) -> Self {
        Case { open: false, raised: None, ..self }
    }

    /// Takes in what is new. `now`: our clock, which says how often an alert may be raised.
    ///
    /// What would be raised too soon after the last time waits until the cause has lasted longer, or counts as that last
    /// time.
    pub fn step(&mut self, plan: &Plan, moment: &Moment<'_>, now: UnixMs) -> Option<Transition> {
        let (mut recurred, mut worsened, mut ended) = (false, false, None::<UnixMs>);
        for (leaf, state) in plan.leaves.iter().zip(&mut self.leaves) {
            match leaf.step(state, moment) {
                None => {}
                Some(Note::Began | Note::Recurred) => recurred = true,
                Some(Note::Worsened) => worsened = true,
                Some(Note::Ended(at)) => ended = ended.max(Some(at)),
            }
        }
        let too_soon = self.raised.is_some_and(|raised| (0..RAISED_EVERY_MS).contains(&(now - raised)));
        match (self.open, plan.since(&self.leaves)) {
            (false, Some(since)) if !too_soon => {
                (self.open, self.raised) = (true, Some(now));
                Some(Transition::Opened(since))
            }
            (false, _) => None,
            (true, None) => {
                self.open = false;
                Some(Transition::Resolved(ended.unwrap_or(moment.ts)))
            }
            (true, Some(_)) if recurred && !too_soon => {
                self.raised = Some(now);
                Some(Transition::Recurred)
            }
            (true, Some(_)) => (recurred || worsened).then_some(Transition::Worsened),
        }
    }

    /// What is to be said of it as it stands.
    pub fn evidence<'a>(&'a self, plan: &'a Plan) -> Evidence<'a> {
        let holding = || self.leaves.iter().enumerate().filter_map(|(n, state)| Some((n, state.held.as_deref()?)));
        let of_value = holding().find(|(_, hold)| hold.value.is_some());
        let of_cause = holding().find(|(_, hold)| hold.cause != AlertCause::default());
        Evidence {
            signal: of_value.and_then(|(n, _)| plan.signal(n)),
            value: of_value.and_then(|(_, hold)| hold.value),
            limit: of_value.and_then(|(_, hold)| hold.limit),
            cause: of_cause.map(|(_, hold)| &hold.cause),
        }
    }
}
