//! Bytes of the ECUs → values, trouble codes, VIN: SAE J1979. Pure.

mod parameter;
mod table;

use std::collections::BTreeMap;

use bugbrother_wire::{
    Vin,
    message::{Dtc, DtcStatus, Monitor},
};

pub use self::{
    parameter::{Parameter, Value},
    table::PARAMETERS,
};

/// The PIDs after `base` that a bit mask of PID `base` (00, 20, 40…) says are there.
pub fn supported(base: u8, mask: &[u8]) -> impl Iterator<Item = u8> {
    let bit = move |byte: u8, bit: u8| base.checked_add(byte * 8 + bit + 1);
    mask.iter().take(4).zip(0u8..).flat_map(move |(bits, index)| {
        let bits = *bits;
        (0..8).filter(move |at| bits & (0x80 >> at) != 0).filter_map(move |at| bit(index, at))
    })
}

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

/// The trouble codes of one ECU: modes 03, 07, 0A without the service byte.
///
/// On CAN a count comes first, which makes the length odd; before CAN there are three codes, padded with zeros.
pub fn trouble_codes(data: &[u8], status: DtcStatus, ecu: Option<u32>) -> Vec<Dtc> {
    let codes = match data {
        [count, codes @ ..] if data.len() % 2 == 1 => &codes[..codes.len().min(usize::from(*count) * 2)],
        _ => data,
    };
    codes
        .chunks_exact(2)
        .filter(|pair| **pair != [0, 0])
        .map(|pair| Dtc { code: trouble_code(pair[0], pair[1]), status, ecu: ecu.map(|ecu| format!("{ecu:X}")) })
        .collect()
}

/// SAE J2012: two bits of system, then four digits.
fn trouble_code(high: u8, low: u8) -> String {
    let system = ['P', 'C', 'B', 'U'][usize::from(high >> 6)];
    format!("{system}{}{:X}{low:02X}", (high >> 4) & 3, high & 0x0F)
}

/// The VIN in answers to mode 09 PID 02 without service byte and PID, by ECU; the first that is one.
///
/// On CAN an answer is a count and 17 characters. Before CAN it is five answers of a number and four characters, the
/// first padded in front.
pub fn vin<'a>(answers: impl Iterator<Item = (Option<u32>, &'a [u8])>) -> Option<Vin> {
    let mut by_ecu: BTreeMap<Option<u32>, Vec<u8>> = BTreeMap::new();
    for (ecu, data) in answers {
        let text = by_ecu.entry(ecu).or_default();
        match data {
            [_count, characters @ ..] if characters.len() >= 17 => *text = characters.to_vec(),
            [_number, characters @ ..] => text.extend_from_slice(characters),
            [] => {}
        }
    }
    by_ecu.into_values().find_map(|text| {
        let text: String = text.into_iter().map(char::from).filter(char::is_ascii_graphic).collect();
        Vin::parse_lenient(&text).ok()
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn value(pid: u8, data: &[u8]) -> Option<f64> {
        Parameter::find(pid).unwrap().read(data).next().map(|(_, value)| value)
    }

    #[test]
    fn the_formulas_are_those_of_sae_j1979() {
        for (pid, data, expected) in [
            (0x0C, &[0x14, 0x5F][..], 1303.75),
            (0x0D, &[0x0A], 10.0),
            (0x04, &[0xFF], 100.0),
            (0x05, &[0x00], -40.0),
            (0x06, &[0x80], 0.0),
            (0x0B, &[0x65], 101.0),
            (0x0E, &[0x80], 0.0),
            (0x10, &[0x01, 0x00], 2.56),
            (0x11, &[0x33], 20.0),
            (0x1F, &[0x01, 0x02], 258.0),
            (0x2F, &[0x80], 50.196_078_431_372_55),
            (0x42, &[0x36, 0xB0], 14.0),
            (0x5E, &[0x00, 0x14], 1.0),
            (0xA6, &[0x00, 0x01, 0x86, 0xA0], 10_000.0),
        ] {
            assert_eq!(value(pid, data), Some(expected), "PID {pid:02X}");
        }
        assert_eq!(value(0x0C, &[0x14]), None, "truncated");
    }

    #[test]
    fn every_parameter_is_found_by_its_pid() {
        for parameter in PARAMETERS {
            assert_eq!(Parameter::find(parameter.pid).map(|found| found.pid), Some(parameter.pid));
        }
        assert!(Parameter::find(0x00).is_none());
    }

    #[test]
    fn a_mask_tells_the_pids_after_its_base() {
        let pids: Vec<u8> = supported(0x00, &[0xBE, 0x3F, 0xA8, 0x13]).collect();
        assert_eq!(pids, [1, 3, 4, 5, 6, 7, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x13, 0x15, 0x1C, 0x1F, 0x20]);
        assert_eq!(supported(0xE0, &[0xFF; 9]).last(), Some(0xFF));
    }

    #[test]
    fn trouble_codes_are_read_with_and_without_a_count() {
        let codes = |data: &[u8]| {
            let dtcs = trouble_codes(data, DtcStatus::Stored, Some(0x7E8));
            dtcs.into_iter().map(|dtc| dtc.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(&[2, 0x01, 0x43, 0x01, 0x96]), ["P0143", "P0196"]);
        assert_eq!(codes(&[5, 0x01, 0x43, 0x01, 0x96, 0x02, 0x34, 0xC1, 0x23, 0x42, 0x34]).len(), 5);
        assert_eq!(codes(&[0x01, 0x43, 0xC1, 0x23, 0x00, 0x00]), ["P0143", "U0123"]);
        assert_eq!(codes(&[1, 0x01, 0x43, 0, 0, 0, 0]), ["P0143"]);
        assert_eq!(codes(&[0]), [""; 0]);
        assert_eq!(codes(&[]), [""; 0]);
    }

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
    fn a_vin_is_read_from_can_and_from_older_buses() {
        let can = b"\x01WP0ZZZ99ZTS390000";
        assert_eq!(vin([(Some(0x7E8), &can[..])].into_iter()).unwrap().as_str(), "WP0ZZZ99ZTS390000");
        let lines: [&[u8]; 5] = [b"\x01\0\0\x001", b"\x02D4GP", b"\x0300R5", b"\x045B12", b"\x053456"];
        let legacy = lines.into_iter().map(|line| (None, line));
        assert_eq!(vin(legacy).unwrap().as_str(), "1D4GP00R55B123456");
        assert_eq!(vin([(None, &b"\x01\0\0\0\0"[..])].into_iter()), None);
        assert_eq!(vin(std::iter::empty()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_bring_a_decoder_down(data in vec(any::<u8>(), 0..40)) {
            for parameter in PARAMETERS {
                for (signal, value) in parameter.read(&data) {
                    prop_assert!(value.is_finite() && signal.is_plausible(value), "{} {value}", signal.key);
                }
            }
            trouble_codes(&data, DtcStatus::Pending, None);
            Readiness::default().add(&data);
            vin([(None, &data[..])].into_iter());
            prop_assert!(supported(0xE0, &data).count() <= 32);
        }
    }
}
