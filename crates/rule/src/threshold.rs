//! "Beyond a value for a while", sample by sample, in the vehicle's time.

use bugbrother_wire::UnixMs;
use serde::{Deserialize, Serialize};

/// When samples lie further apart than this, nobody knows what was between them: what had begun begins anew.
pub const CONTINUITY_MS: i64 = 30_000;

/// On which side of a threshold things are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Above it.
    Above,
    /// Below it.
    Below,
}

impl Side {
    /// Whether a value lies on this side of a limit, and not at it.
    fn is_beyond(self, value: f64, limit: f64) -> bool {
        match self {
            Side::Above => value > limit,
            Side::Below => value < limit,
        }
    }

    fn worse(self, a: f64, b: f64) -> f64 {
        match self {
            Side::Above => a.max(b),
            Side::Below => a.min(b),
        }
    }

    /// What every value is worse than.
    pub fn best(self) -> f64 {
        match self {
            Side::Above => f64::MIN,
            Side::Below => f64::MAX,
        }
    }
}

/// A threshold with hysteresis. "Beyond" is on the side where things are wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Where things are wrong.
    pub side: Side,
    /// Beyond this it begins.
    pub on: f64,
    /// When it is no longer beyond this it ends.
    pub off: f64,
    /// For how long it has to be beyond `on`.
    pub for_ms: i64,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub enum Phase {
    /// Nothing is the matter.
    #[default]
    Quiet,
    /// Beyond `on`, not yet for long enough.
    Rising {
        /// First sample beyond.
        since: UnixMs,
        /// Worst value since.
        worst: f64,
    },
    /// The alert is active.
    Active {
        /// Worst value so far.
        worst: f64,
        /// Whether the last sample was beyond `on`: between the two values it is neither over nor new.
        beyond: bool,
    },
}

/// What a sample changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// It was beyond for long enough.
    Opened {
        /// First sample beyond.
        since: UnixMs,
        /// Worst value so far.
        worst: f64,
    },
    /// It came back from `on`, though not to `off`, and went beyond again.
    Recurred {
        /// Worst value so far.
        worst: f64,
    },
    /// A new worst value.
    Worsened {
        /// That one.
        worst: f64,
    },
    /// It came back to `off`.
    Resolved {
        /// Worst value.
        worst: f64,
    },
}

impl Threshold {
    /// The phase after a sample at `ts`, and what that changed. `last_ts` is the time of the sample before; samples come
    /// in rising order of time.
    pub fn step(&self, phase: Phase, last_ts: Option<UnixMs>, ts: UnixMs, value: f64) -> (Phase, Option<Change>) {
        let beyond = self.side.is_beyond(value, self.on);
        let begin = || {
            if !beyond {
                (Phase::Quiet, None)
            } else if self.for_ms <= 0 {
                (Phase::Active { worst: value, beyond }, Some(Change::Opened { since: ts, worst: value }))
            } else {
                (Phase::Rising { since: ts, worst: value }, None)
            }
        };
        match phase {
            Phase::Quiet => begin(),
            Phase::Rising { .. } if last_ts.is_none_or(|last| ts - last > CONTINUITY_MS) => begin(),
            Phase::Rising { .. } if !beyond => (Phase::Quiet, None),
            Phase::Rising { since, worst } => {
                let worst = self.side.worse(worst, value);
                if ts - since >= self.for_ms {
                    (Phase::Active { worst, beyond }, Some(Change::Opened { since, worst }))
                } else {
                    (Phase::Rising { since, worst }, None)
                }
            }
            Phase::Active { worst, .. } if !self.side.is_beyond(value, self.off) => {
                (Phase::Quiet, Some(Change::Resolved { worst }))
            }
            Phase::Active { worst, beyond: was_beyond } => {
                let now_worst = self.side.worse(worst, value);
                let change = if beyond && !was_beyond {
                    Some(Change::Recurred { worst: now_worst })
                } else if self.side.is_beyond(now_worst, worst) {
                    Some(Change::Worsened { worst: now_worst })
                } else {
                    None
                };
                (Phase::Active { worst: now_worst, beyond }, change)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FAST: Threshold = Threshold { side: Side::Above, on: 130.0, off: 125.0, for_ms: 3_000 };

    fn drive(threshold: Threshold, samples: &[(UnixMs, f64)]) -> Vec<(UnixMs, Change)> {
        let (mut phase, mut last, mut changes) = (Phase::Quiet, None, Vec::new());
        for (ts, value) in samples {
            let (next, change) = threshold.step(phase, last, *ts, *value);
            changes.extend(change.map(|change| (*ts, change)));
            (phase, last) = (next, Some(*ts));
        }
        changes
    }

    #[test]
    fn a_short_burst_is_not_an_alert() {
        assert_eq!(drive(FAST, &[(0, 131.0), (2_999, 140.0), (3_500, 129.0), (4_000, 131.0)]), []);
    }

    #[test]
    fn it_opens_after_the_duration_and_tells_when_it_began() {
        let changes = drive(FAST, &[(0, 120.0), (1_000, 131.0), (2_500, 150.0), (4_000, 140.0)]);
        assert_eq!(changes, [(4_000, Change::Opened { since: 1_000, worst: 150.0 })]);
    }

    #[test]
    fn between_the_two_values_it_stays_open_and_counts_when_it_comes_back() {
        let changes =
            drive(FAST, &[(0, 131.0), (3_000, 131.0), (4_000, 127.0), (5_000, 132.0), (6_000, 135.0), (7_000, 125.0)]);
        assert_eq!(
            changes,
            [
                (3_000, Change::Opened { since: 0, worst: 131.0 }),
                (5_000, Change::Recurred { worst: 132.0 }),
                (6_000, Change::Worsened { worst: 135.0 }),
                (7_000, Change::Resolved { worst: 135.0 }),
            ]
        );
    }

    #[test]
    fn two_samples_on_either_side_of_a_tunnel_are_no_minute_of_speeding() {
        assert_eq!(drive(FAST, &[(0, 131.0), (60_000, 131.0), (62_000, 131.0)]), []);
    }

    #[test]
    fn without_a_duration_the_first_sample_opens_it() {
        let at_once = Threshold { for_ms: 0, ..FAST };
        assert_eq!(drive(at_once, &[(7, 131.0)]), [(7, Change::Opened { since: 7, worst: 131.0 })]);
    }

    /// The same on the other side of zero.
    fn mirrored(changes: &[(UnixMs, Change)]) -> Vec<(UnixMs, Change)> {
        let mirror = |change| match change {
            Change::Opened { since, worst } => Change::Opened { since, worst: -worst },
            Change::Recurred { worst } => Change::Recurred { worst: -worst },
            Change::Worsened { worst } => Change::Worsened { worst: -worst },
            Change::Resolved { worst } => Change::Resolved { worst: -worst },
        };
        changes.iter().map(|(ts, change)| (*ts, mirror(*change))).collect()
    }

    #[test]
    fn below_begins_under_the_value_and_ends_when_it_is_back() {
        let flat = Threshold { side: Side::Below, on: 11.8, off: 12.2, for_ms: 2_000 };
        let changes = drive(flat, &[(0, 12.6), (1_000, 11.7), (3_000, 11.5), (4_000, 12.0), (5_000, 12.2)]);
        let opened = Change::Opened { since: 1_000, worst: 11.5 };
        assert_eq!(changes, [(3_000, opened), (5_000, Change::Resolved { worst: 11.5 })]);
    }

    proptest! {
        /// Below is above, seen in a mirror.
        #[test]
        fn below_is_above_in_a_mirror(
            steps in proptest::collection::vec((1..40_000i64, 100.0..160.0f64), 0..60)
        ) {
            let mut ts = 0;
            let samples: Vec<_> = steps.iter().map(|(dt, value)| { ts += dt; (ts, *value) }).collect();
            let below = Threshold { side: Side::Below, on: -FAST.on, off: -FAST.off, for_ms: FAST.for_ms };
            let negative: Vec<_> = samples.iter().map(|(ts, value)| (*ts, -value)).collect();
            prop_assert_eq!(drive(below, &negative), mirrored(&drive(FAST, &samples)));
        }

        /// Against the sentence of the rule, looked up in the whole list of samples.
        #[test]
        fn it_is_open_exactly_when_the_rule_says_so(
            steps in proptest::collection::vec((1..2_000i64, prop_oneof![100.0..125.0f64, 125.0..130.0, 130.0..160.0]), 0..60)
        ) {
            let mut ts = 0;
            let samples: Vec<_> = steps.iter().map(|(dt, value)| { ts += dt; (ts, *value) }).collect();
            let mut open = false;
            let changes = drive(FAST, &samples);
            for (i, (ts, value)) in samples.iter().enumerate() {
                let run = samples[..=i].iter().rev().take_while(|(_, v)| *v > FAST.on).last();
                let was = open;
                open = if open { *value > FAST.off } else { run.is_some_and(|(since, _)| ts - since >= FAST.for_ms) };
                let at_ts: Vec<_> = changes.iter().filter(|(at, _)| at == ts).map(|(_, change)| *change).collect();
                prop_assert!(at_ts.len() <= 1);
                let opened = matches!(at_ts.first(), Some(Change::Opened { .. }));
                let resolved = matches!(at_ts.first(), Some(Change::Resolved { .. }));
                prop_assert_eq!((opened, resolved), (!was && open, was && !open));
                if let Some(Change::Opened { since, .. }) = at_ts.first() {
                    prop_assert_eq!(Some(*since), run.map(|(since, _)| *since));
                }
            }
        }
    }
}
