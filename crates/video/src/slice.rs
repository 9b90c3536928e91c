//! Whether a picture is a B-frame: what a decoder shows before pictures that came earlier.

use crate::access_unit::Codec;

/// More zeros than any slice header begins with.
const MAX_ZEROS: u32 = 31;
/// NAL units of a picture that are looked at; parameter sets and SEI come first.
const MAX_NAL_UNITS: usize = 16;

/// Whether an H.264 picture, NAL units with lengths of four bytes, has a slice of type B (ITU-T H.264, 7.4.3).
pub(crate) fn is_b_frame(codec: Codec, picture: &[u8]) -> bool {
    codec == Codec::H264 && nal_units(picture).take(MAX_NAL_UNITS).any(|unit| slice_type(unit) == Some(1))
}

/// What follows each length. A length that goes beyond the end ends it.
pub(crate) fn nal_units(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = data.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (unit, left) = rest.split_at_checked(length)?;
        data = left;
        Some(unit)
    })
}

/// `slice_type` modulo 5 of a slice, which is 0 for P, 1 for B and 2 for I.
fn slice_type(unit: &[u8]) -> Option<u32> {
    let (header, rest) = unit.split_first()?;
    if !matches!(header & 0x1F, 1 | 5) {
        return None;
    }
    let mut bits = Bits { data: rest, at: 0 };
    bits.exponential_golomb()?; // first_mb_in_slice
    Some(bits.exponential_golomb()? % 5)
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = self.data.get(self.at / 8)?;
        let bit = (byte >> (7 - self.at % 8)) & 1;
        self.at += 1;
        Some(bit.into())
    }

    /// ue(v), ITU-T H.264, 9.1.
    fn exponential_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > MAX_ZEROS {
                return None;
            }
        }
        let mut value = 1_u64;
        for _ in 0..zeros {
            value = (value << 1) | u64::from(self.bit()?);
        }
        u32::try_from(value - 1).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picture(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes()[..], unit].concat()).collect()
    }

    #[test]
    fn a_slice_of_type_b_is_found_behind_parameter_sets() {
        // first_mb_in_slice 0 is the bit 1; slice_type 1 is 010, 6 is 00111, 5 (P) is 00110, 7 (I) is 0001000.
        for (first, is_b) in [(0b1_010_0000, true), (0b1_00111_00, true), (0b1_00110_00, false), (0b1_0001000, false)] {
            let slice = [0x41, first, 0xAA];
            assert_eq!(is_b_frame(Codec::H264, &picture(&[&[0x67, 0x42], &[0x68], &slice])), is_b, "{first:b}");
            assert!(!is_b_frame(Codec::H265, &picture(&[&slice])));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(data: Vec<u8>) {
            is_b_frame(Codec::H264, &data);
            let length: usize = nal_units(&data).map(|unit| unit.len() + 4).sum();
            prop_assert!(length <= data.len());
        }
    }
}
