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
