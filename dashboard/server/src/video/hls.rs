//! A stream as HTTP Live Streaming (RFC 8216bis) with parts: for telephones and players that know no media source. Pure.

use std::{collections::VecDeque, fmt::Write as _, num::NonZeroU32};

use bugbrother_video::timing;
use bugbrother_wire::video::{Beginning, Fragment};
use bytes::{Bytes, BytesMut};

/// A part is whole when it lasts so long, in seconds; no part lasts longer than [`PART_TARGET`] but by a picture.
const PART: f64 = 0.3;
const PART_TARGET: f64 = 0.5;
/// A segment ends at the first key frame after so long, in seconds.
const SEGMENT: f64 = 1.0;
/// A segment ends where it is, so that a camera without key frames does not fill the memory.
const LONGEST_SEGMENT: f64 = 30.0;
/// Segments that are kept, and those of which the parts are told.
const KEPT: usize = 8;
const IN_PARTS: usize = 3;
/// Most that is kept.
const KEPT_BYTES: usize = 32 << 20;

/// What has been cut of a stream.
#[derive(Debug, Default)]
pub(crate) struct Segmenter {
    beginnings: VecDeque<Start>,
    segments: VecDeque<Segment>,
    /// Number of the next segment and of the next beginning.
    next_segment: u64,
    next_beginning: u64,
    bytes: usize,
    /// Changes of beginnings before the first segment that is kept.
    discontinuities: u64,
    open: Open,
}

/// What a decoder must know.
#[derive(Debug, Clone)]
struct Start {
    number: u64,
    clock_hz: NonZeroU32,
    codec: String,
    size: (u16, u16),
    data: Bytes,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    beginning: u64,
    /// When its first picture was taken.
    captured: i64,
    parts: Vec<Part>,
    is_whole: bool,
}

#[derive(Debug, Clone)]
struct Part {
    seconds: f64,
    is_independent: bool,
    data: Bytes,
}

/// The part that is being made.
#[derive(Debug, Default)]
struct Open {
    seconds: f64,
    is_independent: bool,
    data: BytesMut,
}

impl Segment {
    fn seconds(&self) -> f64 {
        self.parts.iter().map(|part| part.seconds).sum()
    }

    fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.data.len()).sum()
    }
}

impl Segmenter {
    /// Another beginning. False where it cannot be read.
    pub fn begin(&mut self, beginning: &Beginning<'_>) -> bool {
        let Some(clock_hz) = timing::clock_hz(beginning.data) else { return false };
        if self.beginnings.back().is_some_and(|last| last.data == beginning.data) {
            return true;
        }
        self.end_segment();
        self.beginnings.push_back(Start {
            number: self.next_beginning,
            clock_hz,
            codec: beginning.codec.to_owned(),
            size: (beginning.width, beginning.height),
            data: Bytes::copy_from_slice(beginning.data),
        });
        self.next_beginning += 1;
        true
    }

    /// The next picture. What cannot be read, and what comes before a key frame, is left out.
    pub fn show(&mut self, fragment: &Fragment<'_>) {
        let Some(start) = self.beginnings.back() else { return };
        let Some(units) = timing::duration(fragment.data) else { return };
        let (seconds, beginning) = (units as f64 / f64::from(start.clock_hz.get()), start.number);
        let last = self.segments.back().filter(|segment| !segment.is_whole);
        let lasted = last.map(|segment| segment.seconds() + self.open.seconds);
        if fragment.is_after_gap
            || lasted.is_some_and(|lasted| fragment.is_key && lasted >= SEGMENT || lasted > LONGEST_SEGMENT)
        {
            self.end_segment();
        } else if fragment.is_key || self.open.seconds + seconds > PART_TARGET {
            self.end_part();
        }
        if self.segments.back().is_none_or(|segment| segment.is_whole) {
            if !fragment.is_key {
                return;
            }
            let (number, captured) = (self.next_segment, fragment.captured);
            self.segments.push_back(Segment { number, beginning, captured, parts: Vec::new(), is_whole: false });
            self.next_segment += 1;
        }
        if self.open.data.is_empty() {
            self.open.is_independent = fragment.is_key;
        }
        self.open.data.extend_from_slice(fragment.data);
        self.open.seconds += seconds;
        if self.open.seconds >= PART {
            self.end_part();
        }
        self.forget();
    }

    fn end_part(&mut self) {
        let Open { seconds, is_independent, data } = std::mem::take(&mut self.open);
        if let Some(segment) = self.segments.back_mut()
            && !data.is_empty()
        {
            self.bytes += data.len();
            segment.parts.push(Part { seconds, is_independent, data: data.freeze() });
        }
    }

    fn end_segment(&mut self) {
        self.end_part();
        if let Some(segment) = self.segments.back_mut() {
            segment.is_whole = true;
        }
    }

    fn forget(&mut self) {
        while self.segments.len() > 1 && (self.segments.len() > KEPT || self.bytes > KEPT_BYTES) {
            let Some(gone) = self.segments.pop_front() else { return };
            self.bytes -= gone.bytes();
            let next = self.segments.front().map_or(gone.beginning, |segment| segment.beginning);
            self.discontinuities += u64::from(next != gone.beginning);
        }
        let first = self.segments.front().map_or(0, |segment| segment.beginning);
        while self.beginnings.front().is_some_and(|start| start.number < first) {
            self.beginnings.pop_front();
        }
    }

    /// Whether there is something to play, also for players that know no parts.
    pub fn has_begun(&self) -> bool {
        self.segments.iter().any(|segment| segment.is_whole)
    }

    /// Whether that part, or that whole segment, is there or is past.
    pub fn has(&self, segment: u64, part: Option<usize>) -> bool {
        match (self.segments.back(), part) {
            (None, _) => false,
            (Some(last), _) if last.number > segment => true,
            (Some(last), None) => last.number == segment && last.is_whole,
            (Some(last), Some(part)) => last.number == segment && (last.is_whole || last.parts.len() > part),
        }
    }

    /// The playlist that names the other; `key` is appended to addresses.
    pub fn index(&self, key: &str) -> Option<String> {
        let start = self.beginnings.back()?;
        let seconds: f64 = self.segments.iter().map(Segment::seconds).sum();
        let bytes: usize = self.segments.iter().map(Segment::bytes).sum();
        let bandwidth = if seconds > 0.0 { (bytes as f64 * 8.0 / seconds * 1.5) as u64 } else { 4_000_000 };
        let (width, height) = start.size;
        Some(format!(
            "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},CODECS=\"{}\",\
             RESOLUTION={width}x{height}\nlive.m3u8?key={key}\n",
            start.codec
        ))
    }

    /// The playlist of what there is; `time` writes when a picture was taken.
    pub fn playlist(&self, key: &str, time: impl Fn(i64) -> Option<String>) -> String {
        let longest = self.segments.iter().map(Segment::seconds).fold(SEGMENT, f64::max).ceil();
        let first = self.segments.front().map_or(self.next_segment, |segment| segment.number);
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{longest:.0}\n\
             #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={:.1}\n#EXT-X-PART-INF:PART-TARGET={PART_TARGET}\n\
             #EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-DISCONTINUITY-SEQUENCE:{}\n",
            PART_TARGET * 3.0,
            self.discontinuities
        );
        let mut beginning = None;
        let told_in_parts = self.next_segment.saturating_sub(IN_PARTS as u64);
        for segment in &self.segments {
            if beginning != Some(segment.beginning) {
                if beginning.is_some() {
                    text.push_str("#EXT-X-DISCONTINUITY\n");
                }
                beginning = Some(segment.beginning);
                said(writeln!(text, "#EXT-X-MAP:URI=\"init-{}.mp4?key={key}\"", segment.beginning));
            }
            if let Some(time) = time(segment.captured) {
                said(writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{time}"));
            }
            if segment.number >= told_in_parts {
                for (number, part) in segment.parts.iter().enumerate() {
                    let independent = if part.is_independent { ",INDEPENDENT=YES" } else { "" };
                    said(writeln!(
                        text,
                        "#EXT-X-PART:DURATION={:.5},URI=\"part-{}-{number}.m4s?key={key}\"{independent}",
                        part.seconds, segment.number
                    ));
                }
            }
            if segment.is_whole {
                said(writeln!(text, "#EXTINF:{:.5},\nsegment-{}.m4s?key={key}", segment.seconds(), segment.number));
            }
        }
        text
    }

    /// What is at an address below the playlist's.
    pub fn file(&self, name: &str) -> Option<Bytes> {
        let (stem, kind) = name.rsplit_once('.')?;
        let (what, number) = stem.split_once('-')?;
        match (what, kind) {
            ("init", "mp4") => {
                let number: u64 = number.parse().ok()?;
                self.beginnings.iter().find(|start| start.number == number).map(|start| start.data.clone())
            }
            ("segment", "m4s") => {
                let segment = self.segment(number)?;
                let data = segment.parts.iter().map(|part| &part.data[..]).collect::<Vec<_>>().concat();
                segment.is_whole.then(|| data.into())
            }
            ("part", "m4s") => {
                let (segment, part) = number.split_once('-')?;
                Some(self.segment(segment)?.parts.get(part.parse::<usize>().ok()?)?.data.clone())
            }
            _ => None,
        }
    }

    fn segment(&self, number: &str) -> Option<&Segment> {
        let number: u64 = number.parse().ok()?;
        self.segments.iter().find(|segment| segment.number == number)
    }
}

/// Writing into a text does not fail.
fn said(written: std::fmt::Result) {
    written.expect("a text takes what is written");
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bugbrother_video::{AccessUnit, Codec, Fragmenter, Parameters};

    use super::*;

    const CLOCK: NonZeroU32 = NonZeroU32::new(90_000).expect("90,000 is not 0");
    const PICTURE: i64 = 90_000 / 25;

    /// A box of ISO/IEC 14496-12.
    fn packed(kind: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
        let content = content.concat();
        [&(content.len() as u32 + 8).to_be_bytes()[..], kind, &content].concat()
    }

    /// 640 by 360 pixels in profile Baseline (ISO/IEC 14496-15, 5.3 and 5.4).
    fn parameters() -> Parameters {
        let config =
            packed(b"avcC", &[&[1, 0x42, 0xC0, 0x1E, 0xFF, 0xE1, 0, 4, 0x67, 0x42, 0xC0, 0x1E, 1, 0, 2, 0x68, 0xCE]]);
        let visual: [&[u8]; 10] = [
            &[0, 0, 0, 0, 0, 0, 0, 1],
            &[0; 16],
            &640_u16.to_be_bytes(),
            &360_u16.to_be_bytes(),
            &[0, 0x48, 0, 0, 0, 0x48, 0, 0, 0, 0, 0, 0],
            &[0, 1],
            &[0; 32],
            &[0, 0x18, 0xFF, 0xFF],
            &config,
            &[],
        ];
        Parameters {
            codec: Codec::H264,
            rfc6381: "avc1.42C01E".to_owned(),
            width: 640,
            height: 360,
            sample_entry: Some(packed(b"avc1", &visual).into()),
        }
    }

    /// A camera with 25 pictures a second.
    struct Source {
        fragmenter: Fragmenter,
        next: i64,
    }

    impl Source {
        fn begin(cut: &mut Segmenter, number: u16, more: &[u8]) -> Self {
            let fragmenter = Fragmenter::new(&parameters(), CLOCK).unwrap();
            let data = [fragmenter.init(), more].concat();
            let beginning = Beginning {
                number,
                is_sub: false,
                plays_in_browsers: true,
                width: 640,
                height: 360,
                codec: "avc1.42C01E",
                data: &data,
            };
            assert!(cut.begin(&beginning));
            Source { fragmenter, next: 0 }
        }

        fn show(&mut self, cut: &mut Segmenter, pictures: i64, keys_every: i64, bytes: usize) {
            for _ in 0..pictures {
                let unit = AccessUnit {
                    pts: self.next * PICTURE,
                    clock_hz: CLOCK,
                    is_key: self.next % keys_every == 0,
                    lost_packets: 0,
                    received: Instant::now(),
                    data: vec![7; bytes].into(),
                };
                let made = self.fragmenter.push(&unit).unwrap();
                let captured = 1_790_000_000_000 + self.next * 40;
                let (is_key, data) = (made.is_key, &made.data[..]);
                let picture = self.next as u32;
                cut.show(&Fragment { beginning: 0, is_key, is_after_gap: false, picture, captured, data });
                self.next += 1;
            }
        }
    }

    fn listed(cut: &Segmenter) -> String {
        cut.playlist("k", |ms| Some(ms.to_string()))
    }

    fn lines<'a>(text: &'a str, begin: &str) -> Vec<&'a str> {
        text.lines().filter(|line| line.starts_with(begin)).collect()
    }

    #[test]
    fn segments_begin_at_key_frames_and_last_a_second_or_longer() {
        let mut cut = Segmenter::default();
        let mut source = Source::begin(&mut cut, 0, &[]);
        assert!(!cut.has_begun());
        source.show(&mut cut, 100, 10, 100);
        assert!(cut.has_begun());
        let text = listed(&cut);
        // Key frames are 0.4 s apart: the first after a second is the third.
        assert_eq!(lines(&text, "#EXTINF:1.2"), ["#EXTINF:1.20000,"; 3], "{text}");
        assert_eq!(lines(&text, "segment-"), ["segment-0.m4s?key=k", "segment-1.m4s?key=k", "segment-2.m4s?key=k"]);
        assert_eq!(lines(&text, "#EXT-X-MAP"), ["#EXT-X-MAP:URI=\"init-0.mp4?key=k\""]);
        let parts = lines(&text, "#EXT-X-PART:");
        assert!(parts.iter().filter(|part| part.ends_with("INDEPENDENT=YES")).count() >= 6, "{text}");
        let segment = cut.file("segment-1.m4s").unwrap();
        let of_parts: Vec<u8> = (0..10).filter_map(|part| cut.file(&format!("part-1-{part}.m4s"))).flatten().collect();
        assert_eq!(segment, of_parts);
        assert_eq!(timing::duration(&segment), Some(PICTURE as u64), "each picture is a fragment of its own");
        for nothing in ["segment-3.m4s", "segment-99.m4s", "part-0-99.m4s", "init-1.mp4", "../x", "segment-.m4s", ""] {
            assert_eq!(cut.file(nothing), None, "{nothing}");
        }
        let index = cut.index("k").unwrap();
        assert!(index.contains("CODECS=\"avc1.42C01E\",RESOLUTION=640x360\nlive.m3u8?key=k\n"), "{index}");
    }

    #[test]
    fn no_part_is_longer_than_is_said() {
        let mut cut = Segmenter::default();
        Source::begin(&mut cut, 0, &[]).show(&mut cut, 500, 75, 100);
        for part in cut.segments.iter().flat_map(|segment| &segment.parts) {
            assert!(part.seconds <= PART_TARGET, "{}", part.seconds);
        }
        assert!(cut.segments.iter().all(|segment| segment.parts[0].is_independent));
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_asked_for_early_is_known_to_come() {
        let mut cut = Segmenter::default();
        let mut source = Source::begin(&mut cut, 0, &[]);
        assert!(!cut.has(0, Some(0)));
        source.show(&mut cut, 3_000, 25, 100);
        assert_eq!(cut.segments.len(), KEPT);
        let first = cut.segments[0].number;
        assert!(listed(&cut).contains(&format!("#EXT-X-MEDIA-SEQUENCE:{first}\n")));
        assert!(cut.has(first, None) && cut.has(0, Some(3)), "what is past need not be waited for");
        let last = cut.segments.back().unwrap().number;
        assert!(!cut.has(last, None) && !cut.has(last + 1, Some(0)) && cut.has(last, Some(0)));
        source.show(&mut cut, 200, 25, 1 << 20);
        assert!(cut.bytes <= KEPT_BYTES + (30 << 20), "{}", cut.bytes);
        assert_eq!(cut.bytes, cut.segments.iter().map(Segment::bytes).sum::<usize>());
    }

    #[test]
    fn another_beginning_is_a_discontinuity_until_it_is_forgotten() {
        let mut cut = Segmenter::default();
        Source::begin(&mut cut, 0, &[]).show(&mut cut, 60, 25, 100);
        // A free box at the end makes it another one.
        let mut source = Source::begin(&mut cut, 1, &packed(b"free", &[]));
        source.show(&mut cut, 60, 25, 100);
        let text = listed(&cut);
        assert_eq!(lines(&text, "#EXT-X-MAP").len(), 2, "{text}");
        assert_eq!(lines(&text, "#EXT-X-DISCONTINUITY").len(), 2, "{text}");
        assert!(text.contains("#EXT-X-DISCONTINUITY-SEQUENCE:0\n"));
        source.show(&mut cut, 1_000, 25, 100);
        let text = listed(&cut);
        assert!(text.contains("#EXT-X-DISCONTINUITY-SEQUENCE:1\n") && cut.beginnings.len() == 1, "{text}");
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let mut cut = Segmenter::default();
        let mut beginning = Beginning {
            number: 0,
            is_sub: false,
            plays_in_browsers: true,
            width: 1,
            height: 1,
            codec: "avc1.42C01E",
            data: b"\0\0\0\x08ftyp\0\0\0\x04moov",
        };
        assert!(!cut.begin(&beginning));
        beginning.data = b"";
        assert!(!cut.begin(&beginning));
        Source::begin(&mut cut, 0, &[]);
        for data in [&b""[..], b"\0\0\0\x08moof", b"\xff\xff\xff\xffmoof", b"\0\0\0\0moof"] {
            cut.show(&Fragment { beginning: 0, is_key: true, is_after_gap: false, picture: 0, captured: 0, data });
        }
        assert!(!cut.has_begun());
    }
}
