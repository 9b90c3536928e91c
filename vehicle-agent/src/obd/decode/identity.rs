use std::collections::BTreeMap;

use bugbrother_wire::Vin;

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

/// Bytes of a calibration identification.
const CALIBRATION: usize = 16;
/// Bytes of a calibration verification number.
const VERIFICATION: usize = 4;
/// Bytes of a name: an acronym of four, a hyphen, a name of fifteen.
const NAME: usize = 20;
/// No ECU has more software than that.
const MOST: usize = 16;

/// The calibration identifications in answers of one ECU to mode 09 PID 04, without service byte and PID.
pub fn calibrations<'a>(answers: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    items(answers, CALIBRATION).iter().map(|item| text(item)).filter(|text| !text.is_empty()).collect()
}

/// The calibration verification numbers, in hexadecimal, in answers of one ECU to mode 09 PID 06.
pub fn verifications<'a>(answers: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let number = |item: &Vec<u8>| item.iter().map(|byte| format!("{byte:02X}")).collect();
    items(answers, VERIFICATION).iter().map(number).collect()
}

/// The name in answers of one ECU to mode 09 PID 0A, such as `ECM-EngineControl`.
pub fn ecu_name<'a>(answers: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    items(answers, NAME).iter().map(|item| text(item)).find(|name| !name.is_empty())
}

/// Items of a fixed length. On CAN an answer is their number and all of them; before CAN it is one of several, which are
/// numbered and hold four bytes each. A half item is none.
fn items<'a>(answers: impl Iterator<Item = &'a [u8]>, length: usize) -> Vec<Vec<u8>> {
    let bytes: Vec<u8> = answers.flat_map(|answer| answer.get(1..).unwrap_or_default()).copied().collect();
    bytes.chunks_exact(length).take(MOST).map(<[u8]>::to_vec).collect()
}

/// Texts are padded with zeros, in the middle, too: `ECM\0-EngineControl`.
fn text(item: &[u8]) -> String {
    let characters: String = item.iter().map(|byte| char::from(*byte)).filter(|c| matches!(c, ' '..='~')).collect();
    characters.trim().to_owned()
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
    fn software_and_name_are_read_from_can_and_from_older_buses() {
        let can = [&b"\x02JMB*36761500\0\0\0\0JMB*4787261111\0\0"[..]];
        assert_eq!(calibrations(can.into_iter()), ["JMB*36761500", "JMB*4787261111"]);
        let legacy = [&b"\x0112-O"[..], b"\x02LD-3", b"\x034\0\0\0", b"\x04\0\0\0\0"];
        assert_eq!(calibrations(legacy.into_iter()), ["12-OLD-34"]);
        let two = [&[2, 0x17, 0x91, 0xBC, 0x82, 0, 0, 0, 0xFF][..]];
        assert_eq!(verifications(two.into_iter()), ["1791BC82", "000000FF"]);
        let legacy = [&[1, 0x17, 0x91, 0xBC, 0x82][..], &[2, 0, 0, 0, 0xFF]];
        assert_eq!(verifications(legacy.into_iter()), ["1791BC82", "000000FF"]);
        let name = [&b"\x01ECM\0-EngineControl\0\0"[..]];
        assert_eq!(ecu_name(name.into_iter()).unwrap(), "ECM-EngineControl");
    }

    #[test]
    fn half_of_an_item_is_none() {
        assert_eq!(calibrations([&b"\x01JMB"[..], b"", b"\x02"].into_iter()), [""; 0]);
        assert_eq!(verifications([&[1, 0x17, 0x91][..]].into_iter()), [""; 0]);
        assert_eq!(ecu_name([&[1; 20][..]].into_iter()), None);
        assert_eq!(verifications([&[7; 1000][..]].into_iter()).len(), MOST);
    }
}
