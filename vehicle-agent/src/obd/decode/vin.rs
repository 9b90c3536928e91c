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
}
