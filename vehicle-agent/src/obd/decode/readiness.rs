use std::collections::BTreeMap;

use bugbrother_wire::message::Monitor;

/// Lamp, number of codes and readiness monitors: mode 01 PID 01.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Malfunction indicator lamp.
    pub mil: bool,
    /// Stored trouble codes.
    pub count: u8,
    /// Name → whether it has run.
    pub monitors: BTreeMap<&'static str, bool>,
}

const CONTINUOUS: [&str; 3] = ["misfire", "fuel system", "components"];
const SPARK: [&str; 8] = [
    "catalyst",
    "heated catalyst",
    "evaporative system",
    "secondary air",
    "air conditioning",
    "oxygen sensor",
    "oxygen sensor heater",
    "egr",
];
const COMPRESSION: [&str; 8] = [
    "nmhc catalyst",
    "nox aftertreatment",
    "",
    "boost pressure",
    "",
    "exhaust gas sensor",
    "particulate filter",
    "egr",
];

impl Readiness {
    /// Adds what one ECU says: the lamp is on if one lights it, a monitor has run if it has in every ECU.
    pub fn add(&mut self, data: &[u8]) {
        let [a, b, c, d, ..] = *data else { return };
        self.mil |= a & 0x80 != 0;
        self.count = self.count.saturating_add(a & 0x7F);
        let mut monitor = |name: &'static str, there: bool, complete: bool| {
            if there && !name.is_empty() {
                let known = self.monitors.entry(name).or_insert(true);
                *known &= complete;
            }
        };
        for (bit, name) in CONTINUOUS.into_iter().enumerate() {
            monitor(name, b & (1 << bit) != 0, b & (0x10 << bit) == 0);
        }
        let names = if b & 0x08 == 0 { SPARK } else { COMPRESSION };
        for (bit, name) in names.into_iter().enumerate() {
            monitor(name, c & (1 << bit) != 0, d & (1 << bit) == 0);
        }
    }

    /// The monitors as they are sent.
    pub fn to_monitors(&self) -> Vec<Monitor> {
        let monitors = self.monitors.iter();
        monitors.map(|(name, complete)| Monitor { name: (*name).to_owned(), complete: *complete }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lamp_and_monitors_are_those_of_all_ecus() {
        let mut readiness = Readiness::default();
        readiness.add(&[0x82, 0x07, 0x65, 0x04]);
        readiness.add(&[0x00, 0x04, 0x00, 0x00]);
        readiness.add(&[0x00]);
        assert!(readiness.mil);
        assert_eq!(readiness.count, 2);
        assert_eq!(readiness.monitors.get("evaporative system"), Some(&false));
        assert_eq!(readiness.monitors.get("catalyst"), Some(&true));
        assert_eq!(readiness.monitors.get("egr"), None);
    }

    #[test]
    fn engines_with_compression_have_monitors_of_their_own() {
        let mut readiness = Readiness::default();
        readiness.add(&[0x00, 0x0F, 0xFF, 0x42]);
        let (ready, not): (Vec<_>, Vec<_>) = readiness.monitors.iter().partition(|(_, complete)| **complete);
        let names =
            |monitors: Vec<(&&'static str, &bool)>| -> Vec<_> { monitors.into_iter().map(|(n, _)| *n).collect() };
        assert_eq!(names(not), ["nox aftertreatment", "particulate filter"]);
        assert_eq!(
            names(ready),
            ["boost pressure", "components", "egr", "exhaust gas sensor", "fuel system", "misfire", "nmhc catalyst"]
        );
    }

    #[test]
    fn engines_with_spark_have_eight_monitors_beside_the_continuous_ones() {
        let mut readiness = Readiness::default();
        readiness.add(&[0x7F, 0x77, 0xFF, 0xFF]);
        assert!(!readiness.mil);
        assert_eq!((readiness.count, readiness.monitors.len()), (127, 11));
        assert!(readiness.to_monitors().iter().all(|monitor| !monitor.complete));
    }
}
