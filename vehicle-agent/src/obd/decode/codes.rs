use bugbrother_wire::message::{Dtc, DtcStatus};

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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_first_two_bits_are_the_system() {
        let of = |high, low| trouble_code(high, low);
        assert_eq!([of(0x00, 0x01), of(0x3F, 0xFF)], ["P0001", "P3FFF"]);
        assert_eq!([of(0x40, 0x35), of(0x90, 0x00), of(0xC1, 0x00)], ["C0035", "B1000", "U0100"]);
    }
}
