//! What a control unit says of itself: SAE J1979 mode 09.
//!
//! On CAN an answer is a count and all items at once. Before CAN it is several answers of a number and four bytes.

use std::collections::BTreeMap;

use bugbrother_wire::Vin;

/// Most items that a control unit is believed to have.
const MOST: usize = 16;
const CALIBRATION_BYTES: usize = 16;
const VERIFICATION_BYTES: usize = 4;

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

/// The calibration identifiers in the answers of one ECU to PID 04 without service byte and PID: 16 characters each,
/// padded with zeros.
pub fn calibrations<'a>(answers: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let texts = items(answers).chunks_exact(CALIBRATION_BYTES).map(text).collect::<Vec<_>>();
    texts.into_iter().filter(|text| !text.is_empty()).take(MOST).collect()
}

/// The calibration verification numbers in the answers of one ECU to PID 06 without service byte and PID: four bytes
/// each, told in hexadecimal digits.
pub fn verifications<'a>(answers: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let hex = |number: &[u8]| number.iter().map(|byte| format!("{byte:02X}")).collect();
    items(answers).chunks_exact(VERIFICATION_BYTES).take(MOST).map(hex).collect()
}

/// The name in the answers of one ECU to PID 0A without service byte and PID, such as `ECM-EngineControl`: an
/// abbreviation of four characters, a hyphen and fifteen characters, each part padded with zeros.
pub fn ecu_name<'a>(answers: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    Some(text(&items(answers))).filter(|name| !name.is_empty())
}

/// The bytes of all answers behind their counts or numbers, in the order of the numbers.
fn items<'a>(answers: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut answers: Vec<_> = answers.filter_map(<[u8]>::split_first).collect();
    answers.sort_by_key(|(number, _)| **number);
    answers.into_iter().flat_map(|(_, bytes)| bytes).copied().collect()
}

fn text(bytes: &[u8]) -> String {
    let printable = bytes.iter().copied().map(char::from).filter(|c| c.is_ascii_graphic() || *c == ' ');
    printable.collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn calibrations_are_read_from_can_and_from_older_buses() {
        let can = b"\x0237805-RAA-A010\0\0JMA*431299110000";
        assert_eq!(calibrations([&can[..]].into_iter()), ["37805-RAA-A010", "JMA*431299110000"]);
        let lines: [&[u8]; 4] = [b"\x0237K0", b"\x0106A0", b"\x03906\0", b"\x04\0\0\0\0"];
        assert_eq!(calibrations(lines.into_iter()), ["06A037K0906"]);
        assert_eq!(calibrations([&[1][..], &[], &[2, 0, 0, 0, 0]].into_iter()), [""; 0]);
        assert_eq!(calibrations([&b"\x01JMA*4312"[..]].into_iter()), [""; 0], "torn");
        let endless = [&[0xFF; 4_000][..], &[b'x'; 4_000][..]];
        assert_eq!(calibrations(endless.into_iter()).len(), MOST);
    }

    #[test]
    fn verifications_are_read_from_can_and_from_older_buses() {
        let can = [2, 0x17, 0x91, 0xBC, 0x82, 0x00, 0x00, 0x0A, 0xFF];
        assert_eq!(verifications([&can[..]].into_iter()), ["1791BC82", "00000AFF"]);
        let lines = [&[1, 0x17, 0x91, 0xBC, 0x82][..], &[2, 0, 0, 0x0A, 0xFF]];
        assert_eq!(verifications(lines.into_iter()), ["1791BC82", "00000AFF"]);
        assert_eq!(verifications([&[1, 0x17, 0x91, 0xBC][..]].into_iter()), [""; 0], "torn");
    }

    #[test]
    fn a_name_is_read_from_can_and_from_older_buses() {
        let can = b"\x01ECM\0-EngineControl\0\0";
        assert_eq!(ecu_name([&can[..]].into_iter()).as_deref(), Some("ECM-EngineControl"));
        let lines: [&[u8]; 5] = [b"\x01TCM\0", b"\x02-Tra", b"\x03nsmi", b"\x04ssio", b"\x05n\0\0\0"];
        assert_eq!(ecu_name(lines.into_iter()).as_deref(), Some("TCM-Transmission"));
        assert_eq!(ecu_name([&[1, 0, 0][..]].into_iter()), None);
        assert_eq!(ecu_name(std::iter::empty()), None);
    }
}
