use std::fmt;

/// What is wrong with a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionFault {
    /// It names no signal, too many, or something that is none.
    Signals,
    /// A limit is no number, or none that can be reached.
    On,
    /// The value at which it ends is no number, or on the wrong side of the one at which it begins.
    Off,
    /// It would have to last too long, or too short for a silence.
    Duration,
    /// A group is empty, there are too many conditions or they lie too deep, or there are hours and nothing that happens.
    Tree,
    /// It names no area, too many, or one twice.
    Geofences,
    /// It names a class of vehicles twice, or too many.
    Classes,
    /// There is no such time zone, no day, or no time of day.
    Hours,
    /// It names something that is no code, or the beginning of one.
    Codes,
    /// It names no kind of event, or too many.
    Kinds,
    /// It names no vehicle, too many, or no class.
    Scope,
}

impl ConditionFault {
    /// The field that it is about.
    pub fn field(self) -> &'static str {
        match self {
            ConditionFault::Signals => "signals",
            ConditionFault::On => "on",
            ConditionFault::Off => "off",
            ConditionFault::Duration => "duration",
            ConditionFault::Tree => "condition",
            ConditionFault::Geofences => "geofences",
            ConditionFault::Classes => "classes",
            ConditionFault::Hours => "hours",
            ConditionFault::Codes => "codes",
            ConditionFault::Kinds => "kinds",
            ConditionFault::Scope => "scope",
        }
    }
}

impl fmt::Display for ConditionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConditionFault::Signals => "name 1 to 8 signals, each once, such as `spd`",
            ConditionFault::On => "the limit is no number, or none that can be reached",
            ConditionFault::Off => "it has to end on the other side of the limit, or at it",
            ConditionFault::Duration => "at most a week; a silence is 10 seconds or more",
            ConditionFault::Tree => "1 to 8 conditions, at most 3 deep, and not hours alone",
            ConditionFault::Geofences => "name 1 to 16 geofences, each once",
            ConditionFault::Classes => "name up to 16 classes, each once",
            ConditionFault::Hours => {
                "a time zone such as `Europe/Zurich`, at least a day, and two times of day that differ"
            }
            ConditionFault::Codes => "up to 16 codes or beginnings of codes, such as `P0301` or `P03`",
            ConditionFault::Kinds => "name 1 to 16 kinds of events, each once",
            ConditionFault::Scope => "name 1 to 200 vehicles, or a class of 1 to 40 characters",
        })
    }
}
