//! Serial numbers: 128 bits, positive, always of the same length.

use data_encoding::HEXLOWER_PERMISSIVE;
use rcgen::SerialNumber;

use crate::PkiError;

/// RFC 5280 4.1.2.2: conforming authorities use no more.
const MAX_BYTES: usize = 20;

/// A random one. The two highest bits are 01: positive, and no shorter than the others.
pub(crate) fn random() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    bytes[0] = bytes[0] & 0x3f | 0x40;
    SerialNumber::from_slice(&bytes)
}

/// As hexadecimal digits, in lower case, without zeros in front.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    data_encoding::HEXLOWER.encode(&bytes[start..])
}

/// From hexadecimal digits.
pub(crate) fn parse(text: &str) -> Result<SerialNumber, PkiError> {
    match HEXLOWER_PERMISSIVE.decode(text.as_bytes()) {
        Ok(bytes) if (1..=MAX_BYTES).contains(&bytes.len()) => Ok(SerialNumber::from(bytes)),
        _ => Err(PkiError::Serial(text.chars().take(2 * MAX_BYTES).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_reads_back_as_itself_and_is_positive() {
        for _ in 0..100 {
            let serial = random();
            let text = hex(serial.as_ref());
            assert_eq!((text.len(), parse(&text).unwrap()), (32, serial.clone()));
            assert!(serial.as_ref()[0] < 0x80);
        }
    }

    #[test]
    fn what_is_no_serial_number_is_refused() {
        for bad in ["", "0", "xy", "../../etc", &"ab".repeat(21)] {
            assert!(matches!(parse(bad), Err(PkiError::Serial(_))), "{bad}");
        }
    }
}
