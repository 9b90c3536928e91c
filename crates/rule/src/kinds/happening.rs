//! Something that happened in the vehicle, and counts for a while.

use bugbrother_wire::{
    UnixMs,
    message::{Event, EventKind},
    rule::Happening as Spec,
};
use serde::{Deserialize, Serialize};

use crate::{
    Moment, News, Note, hold,
    hold::{Held, Hold},
};

/// Kinds of events.
#[derive(Debug, Clone)]
pub struct Happening {
    kinds: Vec<EventKind>,
    hold_ms: i64,
}

/// What is remembered of a vehicle.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// When the last event was that counted.
    last_ts: Option<UnixMs>,
    /// Until when one counts that has no end of its own.
    until: UnixMs,
    /// Those that have one, and last.
    lasting: Vec<EventKind>,
}

impl Happening {
    pub fn new(spec: &Spec) -> Self {
        Happening { kinds: spec.kinds.clone(), hold_ms: i64::from(spec.hold_ms) }
    }

    pub fn step(&self, happened: &mut Happened, held: &mut Held, moment: &Moment<'_>) -> Option<Note> {
        match moment.news {
            News::Event(event) => self.hear(happened, held, event),
            _ => Self::expire(happened, held, moment.ts),
        }
    }

    fn hear(&self, happened: &mut Happened, held: &mut Held, event: &Event) -> Option<Note> {
        if happened.last_ts.is_some_and(|last| event.at <= last) {
            return None;
        }
        let wanted = self.kinds.contains(&event.kind);
        let ends = happened.lasting.iter().any(|kind| end_of(*kind) == Some(event.kind));
        if !wanted && !ends {
            return Self::expire(happened, held, event.at);
        }
        // What is over by now is not what comes once more.
        Self::expire(happened, held, event.at);
        happened.last_ts = Some(event.at);
        happened.lasting.retain(|kind| end_of(*kind) != Some(event.kind));
        if !wanted {
            happened.until = happened.until.max(if happened.lasting.is_empty() { event.at } else { happened.until });
            return Self::expire(happened, held, event.at);
        }
        if end_of(event.kind).is_some() {
            happened.lasting.push(event.kind);
        } else {
            happened.until = event.at + self.hold_ms;
        }
        let make = || {
            let mut hold = Hold::since(event.at);
            hold.cause.event = Some(event.kind);
            hold
        };
        match held {
            None => hold::begin(held, make),
            Some(hold) => {
                hold.cause.event = Some(event.kind);
                Some(Note::Recurred)
            }
        }
    }

    /// What has counted for long enough is over.
    fn expire(happened: &mut Happened, held: &mut Held, ts: UnixMs) -> Option<Note> {
        let is_over = happened.lasting.is_empty() && ts >= happened.until;
        if is_over { hold::end(held, happened.until) } else { None }
    }
}

/// What says that something of this kind is over.
fn end_of(kind: EventKind) -> Option<EventKind> {
    Some(match kind {
        EventKind::AdapterUnplugged => EventKind::AdapterPlugged,
        EventKind::ReceiverLost => EventKind::ReceiverFound,
        EventKind::CameraUnplugged => EventKind::CameraPlugged,
        EventKind::PrivacyOn => EventKind::PrivacyOff,
        EventKind::PrivacyOff => EventKind::PrivacyOn,
        EventKind::IgnitionOn => EventKind::IgnitionOff,
        EventKind::IgnitionOff => EventKind::IgnitionOn,
        EventKind::GeofenceEnter => EventKind::GeofenceLeave,
        EventKind::GeofenceLeave => EventKind::GeofenceEnter,
        _ => return None,
    })
}
