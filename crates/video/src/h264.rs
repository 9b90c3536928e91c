//! What of H.264 is read here: whether a picture is a B-frame, which a decoder shows before pictures that came earlier, and
//! how colours are kept.

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

/// How colours are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colours {
    /// `chroma_format_idc`: 0 to 3 for grey, 4:2:0, 4:2:2 and 4:4:4.
    pub chroma_format: u8,
    /// Bits of brightness beyond eight.
    pub luma_bits_over_8: u8,
    /// Bits of colour beyond eight.
    pub chroma_bits_over_8: u8,
}

/// Of a sequence parameter set (ITU-T H.264, 7.3.2.1.1) whose profile tells; others are 4:2:0 with eight bits.
pub(crate) fn colours(parameter_set: &[u8]) -> Option<Colours> {
    let plain: Vec<u8> = without_emulation_prevention(parameter_set).take(64).collect();
    // The NAL unit's header, the profile, its constraints, the level.
    let rest = plain.get(4..)?;
    let mut bits = Bits { data: rest, at: 0 };
    bits.exponential_golomb()?; // seq_parameter_set_id
    let chroma_format = bits.exponential_golomb()?;
    if chroma_format == 3 {
        bits.bit()?; // separate_colour_plane_flag
    }
    let (luma, chroma) = (bits.exponential_golomb()?, bits.exponential_golomb()?);
    let fits = chroma_format <= 3 && luma <= 6 && chroma <= 6;
    let byte = |value: u32| u8::try_from(value).ok().filter(|_| fits);
    Some(Colours {
        chroma_format: byte(chroma_format)?,
        luma_bits_over_8: byte(luma)?,
        chroma_bits_over_8: byte(chroma)?,
    })
}

/// ITU-T H.264, 7.4.1: a 3 after two zeros is left out.
fn without_emulation_prevention(data: &[u8]) -> impl Iterator<Item = u8> {
    let mut zeros = 0;
    data.iter().copied().filter(move |byte| {
        let is_left_out = zeros >= 2 && *byte == 3;
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        !is_left_out
    })
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

    #[test]
    fn colours_are_read_behind_the_profile() {
        // Id 0, 4:2:0, eight bits: 1 010 1 1. Id 0, 4:2:2, ten bits: 1 011 011 011.
        let usual = Colours { chroma_format: 1, luma_bits_over_8: 0, chroma_bits_over_8: 0 };
        assert_eq!(colours(&[0x67, 100, 0, 31, 0b1010_1100]), Some(usual));
        let studio = Colours { chroma_format: 2, luma_bits_over_8: 2, chroma_bits_over_8: 2 };
        assert_eq!(colours(&[0x67, 122, 0, 31, 0b1011_0110, 0b1100_0000]), Some(studio));
        assert_eq!(colours(&[0x67, 122, 0, 0, 3, 0b1010_1100]), Some(usual), "a 3 that stands for nothing");
        assert_eq!((colours(&[]), colours(&[0x67, 100, 0, 31])), (None, None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(data: Vec<u8>) {
            colours(&data);
            is_b_frame(Codec::H264, &data);
            let length: usize = nal_units(&data).map(|unit| unit.len() + 4).sum();
            prop_assert!(length <= data.len());
        }
    }
}
