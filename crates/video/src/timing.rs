//! How long what is in a fragmented MP4 lasts, read back from its boxes: for playlists, which say it.

use std::num::NonZeroU32;

use shiguredo_mp4::{
    BoxHeader, Decode,
    boxes::{MoofBox, MoovBox},
};

/// Units per second of the times in the first track; `init` is `ftyp` and `moov`. None where it does not say.
pub fn clock_hz(init: &[u8]) -> Option<NonZeroU32> {
    let mut at = 0;
    while let Some((kind, size)) = header(init.get(at..)?) {
        if kind == *b"moov" {
            let (moov, _) = MoovBox::decode(init.get(at..at + size)?).ok()?;
            return Some(moov.trak_boxes.first()?.mdia_box.mdhd_box.timescale);
        }
        at += size;
    }
    None
}

/// How many units the pictures of a fragment last, which is `moof` and `mdat`. None where it does not say.
pub fn duration(fragment: &[u8]) -> Option<u64> {
    let (kind, size) = header(fragment)?;
    if kind != *b"moof" {
        return None;
    }
    let (moof, _) = MoofBox::decode(fragment.get(..size)?).ok()?;
    let samples = moof.traf_boxes.first()?.trun_boxes.iter().flat_map(|trun| &trun.samples);
    samples.map(|sample| sample.duration.map(u64::from)).sum()
}

/// Kind and size of a box of the short form, which all of these are.
fn header(bytes: &[u8]) -> Option<([u8; 4], usize)> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    let size = usize::try_from(u32::from_be_bytes(*size)).ok()?;
    let kind = rest.first_chunk::<4>()?;
    (BoxHeader::MIN_SIZE..=bytes.len()).contains(&size).then_some((*kind, size))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [&[u8; 4]; 10] =
        [b"moov", b"trak", b"mdia", b"mdhd", b"moof", b"mfhd", b"traf", b"tfhd", b"tfdt", b"trun"];

    fn packed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let size = u32::try_from(8 + content.len()).expect("it is small");
        [&size.to_be_bytes()[..], kind, content].concat()
    }

    /// Boxes in boxes, of any content.
    fn boxes() -> impl Strategy<Value = Vec<u8>> {
        let kind = || prop::sample::select(&KINDS[..]);
        let leaf = (kind(), prop::collection::vec(any::<u8>(), 0..64)).prop_map(|(kind, bytes)| packed(kind, &bytes));
        leaf.prop_recursive(4, 64, 4, move |inner| {
            let several = prop::collection::vec(inner, 1..4);
            (kind(), several).prop_map(|(kind, parts)| packed(kind, &parts.concat()))
        })
    }

    proptest! {
        #[test]
        fn no_boxes_of_a_vehicle_make_it_panic(
            content in boxes(),
            outer in prop::sample::select(&[b"moov", b"moof"][..]),
            cut in any::<prop::sample::Index>(),
            changed in (any::<prop::sample::Index>(), any::<u8>()),
        ) {
            let mut bytes = packed(outer, &content);
            for _ in 0..2 {
                let (init, lasts) = (clock_hz(&bytes), duration(&bytes));
                prop_assert!(init.is_none() || lasts.is_none(), "it begins with one box");
                let at = changed.0.index(bytes.len());
                bytes[at] ^= changed.1;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            prop_assert!(clock_hz(&bytes).is_none() || duration(&bytes).is_none());
        }
    }
}
