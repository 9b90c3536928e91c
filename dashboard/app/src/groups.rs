//! Signals in groups, as people look for them. Pure.

/// A group of signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// How it moves.
    Driving,
    /// What the engine does.
    Engine,
    /// Fuel and electricity.
    Energy,
    /// Exhaust and its sensors.
    Exhaust,
    /// Where it is.
    Position,
    /// Sensors of its own, and the rest.
    Other,
}

/// All groups in their order.
pub const GROUPS: [Group; 6] =
    [Group::Driving, Group::Engine, Group::Energy, Group::Exhaust, Group::Position, Group::Other];

/// Signals that are drawn before somebody has chosen, the best first.
pub const FIRST: [&str; 5] = ["spd", "gspd", "rpm", "ect", "fuel"];

impl Group {
    /// The group of a signal.
    pub fn of(key: &str) -> Self {
        match key {
            "spd" | "gspd" | "odo" | "ign" | "ax" | "ay" | "az" | "gx" | "gy" | "gz" => Group::Driving,
            "lat" | "lon" | "alt" | "hdg" | "hdop" | "sats" | "fixq" | "acc" => Group::Position,
            "fuel" | "frate" | "vbat" | "soc" | "soh" | "hv_v" | "hv_a" | "alcohol" => Group::Energy,
            "rpm" | "load" | "aload" | "ect" | "oil" | "iat" | "map" | "maf" | "thr" | "timing" | "stft" | "ltft"
            | "run" | "baro" | "ehours" | "idle_h" => Group::Engine,
            key if key.starts_with("tq") => Group::Engine,
            key if ["o2", "lam", "so2", "egr", "cat", "egt", "ep", "dpf", "nox", "pm", "def", "exhaust", "evap"]
                .iter()
                .any(|start| key.starts_with(start)) =>
            {
                Group::Exhaust
            }
            _ => Group::Other,
        }
    }
}

/// A value of a gauge: its key, its range, and beyond what it warns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dial {
    /// Key of the signal.
    pub key: &'static str,
    /// Lowest and highest value that is shown.
    pub range: (f64, f64),
    /// Warns from here on.
    pub above: f64,
    /// Warns below this.
    pub below: f64,
}

const fn dial(key: &'static str, range: (f64, f64), below: f64, above: f64) -> Dial {
    Dial { key, range, above, below }
}

/// The gauges that there are, the most telling first.
pub const DIALS: [Dial; 9] = [
    dial("spd", (0.0, 180.0), f64::NEG_INFINITY, 130.0),
    dial("rpm", (0.0, 7_000.0), f64::NEG_INFINITY, 6_000.0),
    dial("ect", (0.0, 130.0), f64::NEG_INFINITY, 110.0),
    dial("fuel", (0.0, 100.0), 10.0, f64::INFINITY),
    dial("soc", (0.0, 100.0), 15.0, f64::INFINITY),
    dial("vbat", (10.0, 16.0), 11.8, 15.2),
    dial("load", (0.0, 100.0), f64::NEG_INFINITY, f64::INFINITY),
    dial("oil", (0.0, 150.0), f64::NEG_INFINITY, 130.0),
    dial("thr", (0.0, 100.0), f64::NEG_INFINITY, f64::INFINITY),
];

#[cfg(test)]
mod tests {
    use bugbrother_wire::signal;

    use super::*;

    #[test]
    fn every_signal_has_a_group_and_dials_are_of_signals_that_there_are() {
        let in_group = |group| signal::CATALOGUE.iter().filter(|signal| Group::of(signal.key) == group).count();
        assert!(GROUPS.iter().all(|group| in_group(*group) > 2));
        for dial in DIALS {
            let signal = signal::find(dial.key).unwrap();
            assert!(signal.min <= dial.range.0 && dial.range.1 <= signal.max, "{}", dial.key);
            assert!(dial.below < dial.above);
        }
        assert!(FIRST.iter().all(|key| signal::find(key).is_some()));
        assert_eq!(Group::of("x.door"), Group::Other);
        assert_eq!(Group::of("nox11"), Group::Exhaust);
    }
}
