//! "Above a value for a while": one rule on one vehicle, sample by sample. Pure, in the vehicle's time.

use bugbrother_wire::UnixMs;

/// When samples lie further apart than this, nobody knows what was between them: what had begun begins anew.
pub const CONTINUITY_MS: i64 = 30_000;

/// A threshold with hysteresis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Above this it begins.
    pub on: f64,
    /// At or below this it ends.
    pub off: f64,
    /// For how long it has to be above `on`.
    pub for_ms: i64,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Phase {
    /// Nothing is the matter.
    #[default]
    Quiet,
    /// Above `on`, not yet for long enough.
    Rising {
        /// First sample above.
        since: UnixMs,
        /// Worst value since.
        worst: f64,
    },
    /// The alert is active.
    Active {
        /// Worst value so far.
        worst: f64,
        /// Whether the last sample was above `on`: between the two values it is neither over nor new.
        above: bool,
    },
}

/// What a sample changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// It was above for long enough.
    Opened {
        /// First sample above.
        since: UnixMs,
        /// Worst value so far.
        worst: f64,
    },
    /// It fell below `on`, though not to `off`, and rose again.
    Recurred {
        /// Worst value so far.
        worst: f64,
    },
    /// A new worst value.
    Worsened {
        /// That one.
        worst: f64,
    },
    /// It fell to `off`.
    Resolved {
        /// Worst value.
        worst: f64,
    },
}

impl Threshold {
    /// The phase after a sample at `ts`, and what that changed. `last_ts` is the time of the sample before; samples come
    /// in rising order of time.
    pub fn step(&self, phase: Phase, last_ts: Option<UnixMs>, ts: UnixMs, value: f64) -> (Phase, Option<Change>) {
        let above = value > self.on;
        let begin = || {
            if !above {
                (Phase::Quiet, None)
            } else if self.for_ms <= 0 {
                (Phase::Active { worst: value, above }, Some(Change::Opened { since: ts, worst: value }))
            } else {
                (Phase::Rising { since: ts, worst: value }, None)
            }
        };
        match phase {
            Phase::Quiet => begin(),
            Phase::Rising { .. } if last_ts.is_none_or(|last| ts - last > CONTINUITY_MS) => begin(),
            Phase::Rising { .. } if !above => (Phase::Quiet, None),
            Phase::Rising { since, worst } => {
                let worst = worst.max(value);
                if ts - since >= self.for_ms {
                    (Phase::Active { worst, above }, Some(Change::Opened { since, worst }))
                } else {
                    (Phase::Rising { since, worst }, None)
                }
            }
            Phase::Active { worst, .. } if value <= self.off => (Phase::Quiet, Some(Change::Resolved { worst })),
            Phase::Active { worst, above: was_above } => {
                let now_worst = worst.max(value);
                let change = if above && !was_above {
                    Some(Change::Recurred { worst: now_worst })
                } else if now_worst > worst {
                    Some(Change::Worsened { worst: now_worst })
                } else {
                    None
                };
                (Phase::Active { worst: now_worst, above }, change)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FAST: Threshold = Threshold { on: 130.0, off: 125.0, for_ms: 3_000 };

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

    proptest! {
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
