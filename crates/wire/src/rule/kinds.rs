//! The leaves that have more than a limit.

use serde::{Deserialize, Serialize};

use super::{ConditionFault, MAX_DURATION_MS, MAX_LISTED};
use crate::{
    message::{EventKind, Severity},
    signal,
};

const MAX_TEXT: usize = 64;
const DAY_MIN: u16 = 24 * 60;

/// How fast is too fast. Of the limits that apply the lowest counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Speeding {
    /// Everywhere and for all, where no class says otherwise.
    #[serde(default)]
    pub limit_kmh: Option<f64>,
    /// In these areas.
    #[serde(default)]
    pub areas: Vec<AreaLimit>,
    /// For these classes of vehicles, in place of the limit for all.
    #[serde(default)]
    pub classes: Vec<ClassLimit>,
    /// It ends when it is so much below the limit.
    pub below_kmh: f64,
    /// For how long it has to be too fast.
    pub for_ms: u32,
}

/// How fast one may drive in an area.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AreaLimit {
    /// Identity of a geofence.
    pub geofence: String,
    /// How fast.
    pub limit_kmh: f64,
}

/// How fast vehicles of a class may drive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClassLimit {
    /// Which, such as `Van`.
    pub class: String,
    /// How fast.
    pub limit_kmh: f64,
}

/// How much fuel may be gone while a vehicle stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FuelDrop {
    /// So much, or more, is gone.
    pub by: f64,
    /// Of what.
    pub unit: FuelUnit,
    /// Within so long: what a heater takes in a night is no theft.
    pub within_ms: u32,
}

/// In what fuel is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FuelUnit {
    /// Of the tank.
    Percent,
    /// Litres; of vehicles of which the size of the tank is known.
    Litres,
}

/// Where a vehicle is, by the fleet's geofences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Area {
    /// Identities; being in one of them is being in.
    pub geofences: Vec<String>,
    /// What of it counts.
    pub when: AreaMove,
    /// For how long it has to be so.
    #[serde(default)]
    pub for_ms: u32,
}

/// What counts of being in an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AreaMove {
    /// It came in, and is still in.
    Enter,
    /// It went out, and is still out.
    Leave,
    /// It is in, whether or not it was seen to come in.
    Inside,
    /// It is out.
    Outside,
}

/// Hours of the week.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hours {
    /// Time zone by its IANA name, such as `Europe/Zurich`.
    pub zone: String,
    /// On these days.
    pub days: Vec<Weekday>,
    /// From this minute of the day.
    pub from_min: u16,
    /// Until before this one; on the next day if it is the smaller one.
    pub to_min: u16,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are days")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    /// All, in the order of the week.
    pub const ALL: [Weekday; 7] =
        [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
}

/// Trouble codes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Codes {
    /// These, or those that begin so, such as `P03`; all without any.
    #[serde(default)]
    pub codes: Vec<String>,
    /// As bad as this or worse.
    pub at_least: Severity,
    /// Also those that are not confirmed yet.
    #[serde(default)]
    pub pending: bool,
}

/// Events in the vehicle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Happening {
    /// Which.
    pub kinds: Vec<EventKind>,
    /// For how long it counts after it happened; what has an end of its own, such as an unplugged adapter, counts until then.
    pub hold_ms: u32,
}

/// When a signal is not what it usually is in the same vehicle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unusual {
    /// Which.
    pub signal: String,
    /// What its usual value depends on.
    pub against: Against,
    /// On which side of the usual value.
    pub side: UnusualSide,
    /// So many times as far off as it usually is.
    pub deviations: f64,
    /// And by at least so much, in the signal's unit.
    pub least: f64,
    /// For how long it has to be so.
    pub for_ms: u32,
}

/// What a usual value depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// Nothing.
    Nothing,
    /// The engine's load.
    Load,
    /// The speed.
    Speed,
}

/// On which side of what is usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UnusualSide {
    /// Higher.
    Above,
    /// Lower.
    Below,
    /// Either.
    Both,
}

impl Speeding {
    /// The lowest limit that there is; none without any.
    pub fn lowest_kmh(&self) -> Option<f64> {
        let areas = self.areas.iter().map(|area| area.limit_kmh);
        self.limit_kmh.into_iter().chain(areas).chain(self.classes.iter().map(|class| class.limit_kmh)).reduce(f64::min)
    }

    pub(super) fn check(&self) -> Result<(), ConditionFault> {
        let areas = self.areas.iter().map(|area| area.limit_kmh);
        let mut limits =
            self.limit_kmh.into_iter().chain(areas).chain(self.classes.iter().map(|class| class.limit_kmh));
        if self.lowest_kmh().is_none() || !limits.all(|limit| (1.0..=400.0).contains(&limit)) {
            Err(ConditionFault::On)
        } else if !(0.0..=100.0).contains(&self.below_kmh) {
            Err(ConditionFault::Off)
        } else if !is_list(0, self.areas.iter().map(|area| &area.geofence)) {
            Err(ConditionFault::Geofences)
        } else if !is_list(0, self.classes.iter().map(|class| &class.class)) {
            Err(ConditionFault::Classes)
        } else {
            lasts(self.for_ms)
        }
    }
}

impl FuelDrop {
    pub(super) fn check(&self) -> Result<(), ConditionFault> {
        if !(1.0..=1000.0).contains(&self.by) || (self.unit == FuelUnit::Percent && self.by > 100.0) {
            return Err(ConditionFault::On);
        }
        if self.within_ms < 60_000 { Err(ConditionFault::Duration) } else { lasts(self.within_ms) }
    }
}

impl Area {
    pub(super) fn check(&self) -> Result<(), ConditionFault> {
        if is_list(1, self.geofences.iter()) { lasts(self.for_ms) } else { Err(ConditionFault::Geofences) }
    }
}

impl Hours {
    /// Whether the zone exists is not looked at: that takes the table of zones.
    pub(super) fn check(&self) -> Result<(), ConditionFault> {
        let is_new = |n: usize| !self.days[..n].contains(&self.days[n]);
        let days = (1..=7).contains(&self.days.len()) && (0..self.days.len()).all(is_new);
        let zone = (1..=MAX_TEXT).contains(&self.zone.len()) && self.zone.is_ascii();
        let times = self.from_min < DAY_MIN && self.to_min <= DAY_MIN && self.from_min != self.to_min;
        if days && zone && times { Ok(()) } else { Err(ConditionFault::Hours) }
    }
}

impl Codes {
    pub(super) fn check(&self) -> Result<(), ConditionFault> {
        let is_code = |code: &String| {
            let mut bytes = code.bytes();
            let system = bytes.next().is_some_and(|first| matches!(first, b'P' | b'C' | b'B' | b'U'));
            system && code.len() <= 5 && bytes.all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte))
        };
        let fits = is_list(0, self.codes.iter()) && self.codes.iter().all(is_code);
        if fits { Ok(()) } else { Err(ConditionFault::Codes) }
    }
}

impl Happening {
    pub(super) fn check(&self) -> Result<(), ConditionFault> {
        let is_new = |n: usize| !self.kinds[..n].contains(&self.kinds[n]);
        let known = (1..=MAX_LISTED).contains(&self.kinds.len())
            && (0..self.kinds.len()).all(|n| is_new(n) && self.kinds[n] != EventKind::Other);
        if !known {
            return Err(ConditionFault::Kinds);
        }
        if self.hold_ms < 1000 { Err(ConditionFault::Duration) } else { lasts(self.hold_ms) }
    }
}

impl Unusual {
    pub(super) fn check(&self) -> Result<(), ConditionFault> {
        if !signal::is_key(&self.signal) {
            Err(ConditionFault::Signals)
        } else if !((2.0..=50.0).contains(&self.deviations) && self.least.is_finite() && self.least > 0.0) {
            Err(ConditionFault::On)
        } else {
            lasts(self.for_ms)
        }
    }
}

fn lasts(for_ms: u32) -> Result<(), ConditionFault> {
    if for_ms <= MAX_DURATION_MS { Ok(()) } else { Err(ConditionFault::Duration) }
}

/// Whether they are so many, not too many, each with a text of some characters, and none is there twice.
fn is_list<'a>(least: usize, names: impl ExactSizeIterator<Item = &'a String> + Clone) -> bool {
    let is_new = |(n, name): (usize, &String)| !names.clone().take(n).any(|other| other == name);
    let is_text = |name: &String| (1..=MAX_TEXT).contains(&name.trim().len()) && !name.chars().any(char::is_control);
    (least..=MAX_LISTED).contains(&names.len()) && names.clone().all(is_text) && names.clone().enumerate().all(is_new)
}
