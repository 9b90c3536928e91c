//! Messages of the buses before CAN, as an adapter shows them with headers on: three or four bytes of header, data, a
//! checksum. The checksum is what tells a whole message from a torn one.

/// Who says it and what, if `line` is a whole message.
pub(super) fn read(line: &[u8]) -> Option<(u32, &[u8])> {
    let (checksum, message) = line.split_last()?;
    let sums = sum(message) == *checksum;
    match message {
        // ISO 9141-2 and J1850 VPW, J1850 PWM: to the tester, by whom (SAE J1979, table of header bytes).
        [0x48 | 0x41, 0x6B, ecu, data @ ..] if !data.is_empty() && (sums || crc(message) == *checksum) => {
            Some((u32::from(*ecu), data))
        }
        // ISO 14230-2: the lower six bits of the first byte are the length; if they are 0, it follows in its own byte.
        [format @ 0x80..=0xFF, 0xF1, ecu, rest @ ..] if sums => {
            let (length, data) = match format & 0x3F {
                0 => rest.split_first().map(|(length, data)| (*length, data))?,
                length => (length, rest),
            };
            (data.len() == usize::from(length)).then_some((u32::from(*ecu), data))
        }
        _ => None,
    }
}

/// ISO 9141-2 and ISO 14230: the sum of all bytes.
fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// SAE J1850: x⁸ + x⁴ + x³ + x² + 1, begun with FF and inverted.
fn crc(bytes: &[u8]) -> u8 {
    let bit = |crc: u8| if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x1D };
    !bytes.iter().fold(0xFF, |crc, byte| (0..8).fold(crc ^ byte, |crc, _| bit(crc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_message_of_each_bus_is_read_and_no_torn_one() {
        let data = [0x41, 0x0C, 0x14, 0x5F];
        for line in [
            &[0x48, 0x6B, 0x10, 0x41, 0x0C, 0x14, 0x5F, 0x83][..],
            &[0x48, 0x6B, 0x10, 0x41, 0x0C, 0x14, 0x5F, 0xAF],
            &[0x41, 0x6B, 0x10, 0x41, 0x0C, 0x14, 0x5F, 0x20],
            &[0x84, 0xF1, 0x10, 0x41, 0x0C, 0x14, 0x5F, 0x45],
            &[0x80, 0xF1, 0x10, 0x04, 0x41, 0x0C, 0x14, 0x5F, 0x45],
        ] {
            assert_eq!(read(line), Some((0x10, &data[..])), "{line:02X?}");
            for end in 0..line.len() {
                assert_eq!(read(&line[..end]), None, "{:02X?}", &line[..end]);
            }
        }
    }
}
