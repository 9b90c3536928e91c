//! Nothing said for too long, and a connection that broke off.

use bugbrother_wire::UnixMs;

use crate::{
    Moment, News, Note, hold,
    hold::{Held, Hold},
};

/// A leaf on saying nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// For how long, in ms.
    pub after_ms: i64,
}

impl Silence {
    /// Whether who was last heard at `heard` is silent at `now`.
    pub fn is_too_long(self, heard: UnixMs, now: UnixMs) -> bool {
        now - heard >= self.after_ms
    }

    /// Silent, and not on purpose.
    pub(crate) fn step(self, held: &mut Held, moment: &Moment<'_>) -> Option<Note> {
        let hearing = moment.hearing;
        match moment.news {
            News::Time => {
                let is_missed = hearing.heard > 0 && !hearing.asleep;
                let is_silent = is_missed && self.is_too_long(hearing.counted_from, moment.ts);
                if is_silent { hold::begin(held, || Hold::since(hearing.heard)) } else { None }
            }
            _ => hold::end(held, moment.ts),
        }
    }

    /// Offline by the broker's word.
    pub(crate) fn step_offline(self, held: &mut Held, moment: &Moment<'_>) -> Option<Note> {
        match moment.hearing.offline_since {
            None => hold::end(held, moment.ts),
            Some(since) => {
                let lasts = matches!(moment.news, News::Time) && self.is_too_long(since, moment.ts);
                if lasts { hold::begin(held, || Hold::since(since)) } else { None }
            }
        }
    }
}
