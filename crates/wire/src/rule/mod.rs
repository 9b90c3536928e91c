//! What rules look at, as people say it and as it is stored.
//!
//! A condition is a leaf, or some of them joined by [`Condition::All`] and [`Condition::Any`]. What earlier versions stored is
//! a leaf.

mod fault;
mod kinds;
mod scope;

use serde::{Deserialize, Serialize};

pub use fault::ConditionFault;
pub use kinds::{
    Against, Area, AreaLimit, AreaMove, ClassLimit, Codes, FuelDrop, FuelUnit, Happening, Hours, Speeding, Unusual,
    UnusualSide, Weekday,
};
pub use scope::{MAX_SCOPE_VEHICLES, Scope};

use crate::signal;

/// Most signals of a leaf.
pub const MAX_SIGNALS: usize = 8;
/// Longest time that a value may have to last, or a vehicle be silent: a week.
pub const MAX_DURATION_MS: u32 = 7 * 24 * 60 * 60 * 1000;
/// Shortest silence that is one: vehicles that rest say something every hour, others every few seconds.
pub const MIN_SILENCE_MS: u32 = 10_000;
/// Most leaves of a condition.
pub const MAX_LEAVES: usize = 8;
/// How deep leaves may lie in groups in groups.
pub const MAX_DEPTH: usize = 3;
/// Most entries of a leaf's list: geofences, classes, codes, kinds of events.
pub const MAX_LISTED: usize = 16;

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
    /// The vehicle has said nothing for `after_ms` of the server's time, and did not say that it goes to sleep.
    Silent {
        /// For how long.
        after_ms: u32,
    },
    /// The broker has said in the vehicle's name that its connection broke off, and for so long it has not come back.
    Offline {
        /// For how long, of the server's time.
        after_ms: u32,
    },
    /// It drives faster than it may there.
    Speeding(Speeding),
    /// Fuel is gone while it stood.
    FuelDrop(FuelDrop),
    /// It is in an area, or is not.
    Area(Area),
    /// It is, by the vehicle's clock, outside certain hours. By itself it is no condition: what happens then is.
    OutsideHours(Hours),
    /// The car tells trouble codes.
    Codes(Codes),
    /// The malfunction indicator lamp is on.
    Lamp,
    /// A self test that had run to its end no longer has: the codes were cleared.
    ReadinessLost,
    /// Something happened in the vehicle.
    Event(Happening),
    /// Something is to be done to the vehicle.
    Maintenance {
        /// Also when it is only due soon.
        soon: bool,
    },
    /// A contract is about to end; of its vehicles the first one tells.
    ContractEnds {
        /// Within so many days.
        within_days: u32,
    },
    /// A signal is not what it usually is in this vehicle.
    Unusual(Unusual),
    /// All of these hold at a time.
    All(Vec<Condition>),
    /// At least one of these holds.
    Any(Vec<Condition>),
}

impl Condition {
    /// Whether it can be evaluated.
    pub fn check(&self) -> Result<(), ConditionFault> {
        let leaves = self.leaves();
        let only_hours = leaves.iter().all(|leaf| matches!(leaf, Condition::OutsideHours(_)));
        if self.depth() > MAX_DEPTH || !(1..=MAX_LEAVES).contains(&leaves.len()) || self.has_empty_group() || only_hours
        {
            return Err(ConditionFault::Tree);
        }
        leaves.into_iter().try_for_each(Condition::check_leaf)
    }

    /// Whether a leaf by itself can be evaluated.
    pub fn check_leaf(&self) -> Result<(), ConditionFault> {
        match self {
            Condition::Silent { after_ms } | Condition::Offline { after_ms } => {
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
            Condition::Speeding(leaf) => leaf.check(),
            Condition::FuelDrop(leaf) => leaf.check(),
            Condition::Area(leaf) => leaf.check(),
            Condition::OutsideHours(leaf) => leaf.check(),
            Condition::Codes(leaf) => leaf.check(),
            Condition::Event(leaf) => leaf.check(),
            Condition::Unusual(leaf) => leaf.check(),
            Condition::ContractEnds { within_days } => {
                if (1..=366).contains(within_days) {
                    Ok(())
                } else {
                    Err(ConditionFault::On)
                }
            }
            Condition::Lamp | Condition::ReadinessLost | Condition::Maintenance { .. } => Ok(()),
            Condition::All(_) | Condition::Any(_) => Err(ConditionFault::Tree),
        }
    }

    /// Its leaves, from left to right.
    pub fn leaves(&self) -> Vec<&Condition> {
        match self {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().flat_map(Condition::leaves).collect(),
            leaf => vec![leaf],
        }
    }

    /// How deep its deepest leaf lies: 1 for a leaf.
    fn depth(&self) -> usize {
        match self {
            Condition::All(parts) | Condition::Any(parts) => {
                1 + parts.iter().map(Condition::depth).max().unwrap_or_default()
            }
            _ => 1,
        }
    }

    fn has_empty_group(&self) -> bool {
        match self {
            Condition::All(parts) | Condition::Any(parts) => {
                parts.is_empty() || parts.iter().any(Condition::has_empty_group)
            }
            _ => false,
        }
    }

    /// The signals of a limit, the best first; what is no limit has none.
    pub fn signals(&self) -> &[String] {
        match self {
            Condition::Above { signals, .. } | Condition::Below { signals, .. } => signals,
            _ => &[],
        }
    }

    /// The geofences that a leaf names.
    pub fn geofences(&self) -> Vec<&str> {
        match self {
            Condition::Area(leaf) => leaf.geofences.iter().map(String::as_str).collect(),
            Condition::Speeding(leaf) => leaf.areas.iter().map(|area| area.geofence.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether history can tell when it held: silence by itself, and what was measured, happened or was told in codes.
    pub fn has_history(&self) -> bool {
        let is_kept = |leaf: &Condition| {
            !matches!(
                leaf,
                Condition::Silent { .. }
                    | Condition::Offline { .. }
                    | Condition::Lamp
                    | Condition::ReadinessLost
                    | Condition::Maintenance { .. }
                    | Condition::ContractEnds { .. }
            )
        };
        matches!(self, Condition::Silent { .. }) || self.leaves().into_iter().all(is_kept)
    }

    /// What it watches, whatever its limits are: a rule of which only the limits have changed goes on where it stands.
    pub fn subject(&self) -> String {
        match self {
            Condition::Above { signals, .. } => format!("above {}", signals.join(" ")),
            Condition::Below { signals, .. } => format!("below {}", signals.join(" ")),
            Condition::Silent { .. } => "silent".to_owned(),
            Condition::Offline { .. } => "offline".to_owned(),
            Condition::Speeding(_) => "speeding".to_owned(),
            Condition::FuelDrop(leaf) => format!("fuel drop {:?}", leaf.unit),
            Condition::Area(leaf) => format!("area {:?} {}", leaf.when, leaf.geofences.join(" ")),
            Condition::OutsideHours(_) => "outside hours".to_owned(),
            Condition::Codes(_) => "codes".to_owned(),
            Condition::Lamp => "lamp".to_owned(),
            Condition::ReadinessLost => "readiness lost".to_owned(),
            Condition::Event(leaf) => format!("event {:?}", leaf.kinds),
            Condition::Maintenance { .. } => "maintenance".to_owned(),
            Condition::ContractEnds { .. } => "contract ends".to_owned(),
            Condition::Unusual(leaf) => format!("unusual {} {:?}", leaf.signal, leaf.against),
            Condition::All(parts) | Condition::Any(parts) => {
                let word = if matches!(self, Condition::All(_)) { "all" } else { "any" };
                let parts: Vec<_> = parts.iter().map(Condition::subject).collect();
                format!("{word}({})", parts.join(", "))
            }
        }
    }

    /// Whether another one watches the same in the same way, so that it can go on where this one stands.
    pub fn continues(&self, other: &Condition) -> bool {
        self.subject() == other.subject()
    }
}

#[cfg(test)]
mod tests;
