//! What rules look at, as people say it and as it is stored.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::signal;

/// Most signals of a rule.
pub const MAX_SIGNALS: usize = 8;
/// Longest time that a value may have to last, or a vehicle be silent: a week.
pub const MAX_DURATION_MS: u32 = 7 * 24 * 60 * 60 * 1000;
/// Shortest silence that is one: vehicles that rest say something every hour, others every few seconds.
pub const MIN_SILENCE_MS: u32 = 10_000;

/// What a rule looks at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A signal is above `on` for `for_ms` of the vehicle's time; it ends when it falls to `off` (below `on`: hysteresis).
    Above {
        /// The first of these that the vehicle sends counts.
        signals: Vec<String>,
        /// Above this it begins.
        on: f64,
        /// At or below this it ends.
        off: f64,
        /// For how long it has to be so.
        for_ms: u32,
    },
    /// A signal is below `on` for `for_ms` of the vehicle's time; it ends when it rises to `off` (above `on`).
    Below {
        /// The first of these that the vehicle sends counts.
        signals: Vec<String>,
        /// Below this it begins.
        on: f64,
        /// At or above this it ends.
        off: f64,
        /// For how long it has to be so.
        for_ms: u32,
    },
    /// The vehicle has said nothing for `after_ms` of the server's time.
    Silent {
        /// For how long.
        after_ms: u32,
    },
}

/// What is wrong with a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionFault {
    /// It names no signal, too many, or something that is none.
    Signals,
    /// A limit is no number.
    On,
    /// The value at which it ends is no number, or on the wrong side of the one at which it begins.
    Off,
    /// It would have to last too long, or too short for a silence.
    Duration,
}

impl ConditionFault {
    /// The field that it is about.
    pub fn field(self) -> &'static str {
        match self {
            ConditionFault::Signals => "signals",
            ConditionFault::On => "on",
            ConditionFault::Off => "off",
            ConditionFault::Duration => "duration",
        }
    }
}

impl fmt::Display for ConditionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConditionFault::Signals => "name 1 to 8 signals, each once, such as `spd`",
            ConditionFault::On => "the limit is no number",
            ConditionFault::Off => "it has to end on the other side of the limit, or at it",
            ConditionFault::Duration => "at most a week; a silence is 10 seconds or more",
        })
    }
}

impl Condition {
    /// Whether it can be evaluated.
    pub fn check(&self) -> Result<(), ConditionFault> {
        match self {
            Condition::Silent { after_ms } => {
                let fits = (MIN_SILENCE_MS..=MAX_DURATION_MS).contains(after_ms);
                if fits { Ok(()) } else { Err(ConditionFault::Duration) }
            }
            Condition::Above { signals, on, off, for_ms } | Condition::Below { signals, on, off, for_ms } => {
                let is_new = |n: usize| !signals[..n].contains(&signals[n]);
                let known = (1..=MAX_SIGNALS).contains(&signals.len())
                    && signals.iter().enumerate().all(|(n, key)| signal::is_key(key) && is_new(n));
                let ends = if matches!(self, Condition::Above { .. }) { off <= on } else { off >= on };
                if !known {
                    Err(ConditionFault::Signals)
                } else if !on.is_finite() {
                    Err(ConditionFault::On)
                } else if !off.is_finite() || !ends {
                    Err(ConditionFault::Off)
                } else if *for_ms > MAX_DURATION_MS {
                    Err(ConditionFault::Duration)
                } else {
                    Ok(())
                }
            }
        }
    }

    /// The signals that count, the best first; a silence has none.
    pub fn signals(&self) -> &[String] {
        match self {
            Condition::Above { signals, .. } | Condition::Below { signals, .. } => signals,
            Condition::Silent { .. } => &[],
        }
    }

    /// The value at which it begins; a silence has none.
    pub fn limit(&self) -> Option<f64> {
        match self {
            Condition::Above { on, .. } | Condition::Below { on, .. } => Some(*on),
            Condition::Silent { .. } => None,
        }
    }

    /// Whether another one watches the same signals in the same way, so that it can go on where this one stands.
    pub fn continues(&self, other: &Condition) -> bool {
        match (self, other) {
            (Condition::Above { signals, .. }, Condition::Above { signals: others, .. })
            | (Condition::Below { signals, .. }, Condition::Below { signals: others, .. }) => signals == others,
            (Condition::Silent { .. }, Condition::Silent { .. }) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn above(signals: &[&str], on: f64, off: f64, for_ms: u32) -> Condition {
        Condition::Above { signals: signals.iter().map(|key| (*key).to_owned()).collect(), on, off, for_ms }
    }

    fn below(on: f64, off: f64) -> Condition {
        Condition::Below { signals: vec!["vbat".to_owned()], on, off, for_ms: 0 }
    }

    #[test]
    fn a_condition_ends_on_the_other_side_of_its_limit() {
        assert_eq!(above(&["spd", "gspd"], 130.0, 125.0, 3_000).check(), Ok(()));
        assert_eq!(above(&["spd"], 130.0, 130.0, 0).check(), Ok(()));
        assert_eq!(above(&["spd"], 130.0, 131.0, 0).check(), Err(ConditionFault::Off));
        assert_eq!(below(11.8, 12.2).check(), Ok(()));
        assert_eq!(below(11.8, 11.7).check(), Err(ConditionFault::Off));
    }

    #[test]
    fn what_cannot_be_evaluated_names_its_field() {
        for (condition, fault) in [
            (above(&[], 1.0, 0.0, 0), ConditionFault::Signals),
            (above(&["Speed"], 1.0, 0.0, 0), ConditionFault::Signals),
            (above(&["spd", "spd"], 1.0, 0.0, 0), ConditionFault::Signals),
            (above(&["a", "b", "c", "d", "e", "f", "g", "h", "i"], 1.0, 0.0, 0), ConditionFault::Signals),
            (above(&["spd"], f64::NAN, 0.0, 0), ConditionFault::On),
            (above(&["spd"], 1.0, f64::NEG_INFINITY, 0), ConditionFault::Off),
            (above(&["spd"], 1.0, 0.0, MAX_DURATION_MS + 1), ConditionFault::Duration),
            (Condition::Silent { after_ms: MIN_SILENCE_MS - 1 }, ConditionFault::Duration),
            (Condition::Silent { after_ms: MAX_DURATION_MS + 1 }, ConditionFault::Duration),
        ] {
            assert_eq!(condition.check(), Err(fault), "{condition:?}");
        }
    }

    #[test]
    fn a_rule_goes_on_only_if_it_watches_the_same() {
        let (fast, slower) = (above(&["spd"], 130.0, 125.0, 0), above(&["spd"], 90.0, 85.0, 0));
        assert!(fast.continues(&slower));
        assert!(!fast.continues(&above(&["gspd"], 130.0, 125.0, 0)));
        assert!(!below(11.0, 12.0).continues(&fast));
        assert!(!fast.continues(&Condition::Silent { after_ms: MIN_SILENCE_MS }));
    }
}
