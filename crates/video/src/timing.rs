//! How long what is in a fragmented MP4 lasts, read back from its boxes (ISO/IEC 14496-12): for playlists, which say it.
//!
//! A vehicle made them, and it may mean harm: nothing is copied and nothing is made room for, whatever a box says of itself. A muxer's
//! own reader believes a `trun` of 20 bytes that it has sixteen million samples.

use std::num::NonZeroU32;

/// What a `trun` has: before its samples, and of each of them (8.8.8).
const DATA_OFFSET: u32 = 0x1;
const FIRST_SAMPLE_FLAGS: u32 = 0x4;
const SAMPLE_DURATION: u32 = 0x100;
const OF_SAMPLES: [u32; 4] = [SAMPLE_DURATION, 0x200, 0x400, 0x800];

/// Units per second of the times in the first track; `init` is `ftyp` and `moov`. None where it does not say.
pub fn clock_hz(init: &[u8]) -> Option<NonZeroU32> {
    let header = [b"moov", b"trak", b"mdia", b"mdhd"].into_iter().try_fold(init, |outer, kind| inside(outer, kind))?;
    // Behind two times, of four bytes or of eight (8.4.2).
    let place = if header.first()? == &0 { 12 } else { 20 };
    NonZeroU32::new(number(header.get(place..)?)?)
}

/// How many units the pictures of a fragment last, which is `moof` and `mdat`. None where it does not say.
pub fn duration(fragment: &[u8]) -> Option<u64> {
    let (kind, content) = Boxes(fragment).next()?;
    if kind != b"moof" {
        return None;
    }
    let runs = Boxes(inside(content, b"traf")?).filter(|(kind, _)| *kind == b"trun");
    runs.map(|(_, run)| run_lasts(run)).sum()
}

/// How long the samples of a `trun` last. None where they do not say.
fn run_lasts(run: &[u8]) -> Option<u64> {
    let flags = number(run)? & 0x00FF_FFFF;
    let count = usize::try_from(number(run.get(4..)?)?).ok()?;
    let is_set = |flag: &u32| flags & flag != 0;
    let head = 8 + 4 * [DATA_OFFSET, FIRST_SAMPLE_FLAGS].iter().filter(|flag| is_set(flag)).count();
    let size = 4 * OF_SAMPLES.iter().filter(|flag| is_set(flag)).count();
    let samples = run.get(head..)?;
    if count == 0 {
        return Some(0);
    }
    if !is_set(&SAMPLE_DURATION) || samples.len() / size < count {
        return None;
    }
    // The duration is the first of what a sample has.
    samples.chunks_exact(size).take(count).map(|sample| number(sample).map(u64::from)).sum()
}

/// What is in the first box of that kind.
fn inside<'a>(outer: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    Boxes(outer).find(|(found, _)| *found == kind).map(|(_, content)| content)
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.first_chunk()?))
}

/// Kind and content of boxes of the short form, which all of these are; it ends where one is not whole.
struct Boxes<'a>(&'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = (&'a [u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let size = usize::try_from(number(self.0)?).ok()?;
        let (whole, rest) = self.0.split_at_checked(size)?;
        let (kind, content) = whole.get(4..)?.split_first_chunk()?;
        self.0 = rest;
        Some((kind, content))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [&[u8; 4]; 9] = [b"moov", b"trak", b"mdia", b"mdhd", b"moof", b"mfhd", b"traf", b"tfhd", b"trun"];

    fn packed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let size = u32::try_from(8 + content.len()).expect("it is small");
        [&size.to_be_bytes()[..], kind, content].concat()
    }

    fn numbers(all: &[u32]) -> Vec<u8> {
        all.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    fn moof(runs: &[&[u32]]) -> Vec<u8> {
        let runs: Vec<_> = runs.iter().flat_map(|run| packed(b"trun", &numbers(run))).collect();
        let traf = [packed(b"tfhd", &numbers(&[0, 1])), runs].concat();
        packed(b"moof", &[packed(b"mfhd", &numbers(&[0, 1])), packed(b"traf", &traf)].concat())
    }

    #[test]
    fn samples_last_as_long_as_they_say_together() {
        assert_eq!(duration(&moof(&[&[0x301, 2, 99, 3600, 7, 3601, 8], &[0x100, 1, 5]])), Some(7206));
        assert_eq!(duration(&moof(&[&[0x101, 0, 99]])), Some(0));
        for (why, wrong) in [
            ("they do not say", moof(&[&[0x201, 1, 99, 7]])),
            ("one is missing", moof(&[&[0x101, 2, 99, 3600]])),
            ("many are", moof(&[&[0x100, u32::MAX, 3600]])),
            ("and of nothing", moof(&[&[0, u32::MAX]])),
            ("there is no track", packed(b"moof", b"")),
            ("it is another box", packed(b"mdat", b"")),
        ] {
            assert_eq!(duration(&wrong), None, "{why}");
        }
    }

    #[test]
    fn the_clock_is_behind_times_of_four_bytes_or_of_eight() {
        let init = |header: &[u32]| {
            let media = packed(b"mdia", &packed(b"mdhd", &numbers(header)));
            [packed(b"ftyp", b"isom"), packed(b"moov", &packed(b"trak", &media))].concat()
        };
        assert_eq!(clock_hz(&init(&[0, 1, 2, 90_000, 3])), NonZeroU32::new(90_000));
        assert_eq!(clock_hz(&init(&[1 << 24, 0, 1, 0, 2, 12_800, 0, 3])), NonZeroU32::new(12_800));
        assert_eq!(clock_hz(&init(&[0, 1, 2, 0])), None);
        assert_eq!(clock_hz(&init(&[0, 1, 2])), None);
        assert_eq!(clock_hz(b"\0\0\0\x08moov"), None);
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
        fn no_boxes_of_a_vehicle_make_it_panic_or_last_longer_than_they_can_say(
            content in boxes(),
            outer in prop::sample::select(&[b"moov", b"moof"][..]),
            cut: prop::sample::Index,
            changed: (prop::sample::Index, u8),
        ) {
            let mut bytes = packed(outer, &content);
            let (at, by) = (changed.0.index(bytes.len()), changed.1);
            let length = cut.index(bytes.len() + 1);
            for step in 0..3 {
                match step {
                    0 => {}
                    1 => bytes[at] ^= by,
                    _ => bytes.truncate(length),
                }
                let most = bytes.len() as u64 / 4 * u64::from(u32::MAX);
                prop_assert!(duration(&bytes).is_none_or(|units| units <= most));
                prop_assert!(clock_hz(&bytes).is_none_or(|hz| hz.get() > 0));
            }
        }
    }
}
