//! Which fixes are believed.

use bugbrother_wire::{UnixMs, codec::EARLIEST};
use tracing::warn;

use super::{Fix, fix::NoFix, jump::Jumps, rollover};

/// 2080: as far as the two digits of a year in RMC reach.
const LATEST: UnixMs = 3_471_292_800_000;

/// Puts dates right, and refuses what cannot follow what was before.
#[derive(Debug)]
pub struct Judge {
    live: bool,
    jumps: Jumps,
    rolled_over: bool,
}

impl Judge {
    /// Of a receiver that measures now: its dates are put right.
    pub fn of_receiver() -> Self {
        Judge { live: true, jumps: Jumps::default(), rolled_over: false }
    }

    /// Of a recording, whose dates are what they were, from 2000 on.
    pub fn of_recording() -> Self {
        Judge { live: false, jumps: Jumps::default(), rolled_over: false }
    }

    /// The fix as it is believed, or why it is not.
    pub fn take(&mut self, mut fix: Fix) -> Result<Fix, NoFix> {
        if self.live {
            let (ts, rollovers) = rollover::resolve(fix.ts).ok_or(NoFix::Date)?;
            if rollovers > 0 {
                metrics::counter!("bugbrother_agent_week_rollovers_total").increment(1);
                if !std::mem::replace(&mut self.rolled_over, true) {
                    warn!(weeks = 1024 * rollovers, "the receiver's date is wrong by a GPS week roll-over: put right");
                }
            }
            fix.ts = ts;
        }
        if !(EARLIEST..LATEST).contains(&fix.ts) {
            return Err(NoFix::Date);
        }
        if self.jumps.take(&fix) { Ok(fix) } else { Err(NoFix::Jump) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gps::fix::Quality;

    fn fix(ts: i64) -> Fix {
        Fix { ts, lat: 47.0, lon: 7.0, hdg: None, gspd: None, quality: Quality::default() }
    }

    #[test]
    fn dates_of_a_receiver_are_put_right_and_those_of_a_recording_are_not() {
        let (told, meant) = (1_270_293_745_844, 1_270_293_745_844 + 1024 * 7 * 86_400_000);
        assert_eq!(Judge::of_receiver().take(fix(told)).unwrap().ts, meant);
        assert_eq!(Judge::of_recording().take(fix(told)).unwrap().ts, told);
        for wrong in [EARLIEST - 1, LATEST] {
            assert_eq!(Judge::of_recording().take(fix(wrong)), Err(NoFix::Date));
        }
        assert_eq!(Judge::of_receiver().take(fix(316_000_000_000)), Err(NoFix::Date), "1980-01-06");
    }

    #[test]
    fn a_date_that_is_refused_leaves_no_trace_in_the_path() {
        let mut judge = Judge::of_recording();
        assert!(judge.take(Fix { lat: -80.0, ..fix(5) }).is_err());
        assert!(judge.take(fix(1_790_000_000_000)).is_ok());
        assert_eq!(judge.take(Fix { lat: 48.0, ..fix(1_790_000_001_000) }), Err(NoFix::Jump));
    }
}
