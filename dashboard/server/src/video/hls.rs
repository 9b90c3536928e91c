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

    /// Whether there is something to play.
    pub fn has_begun(&self) -> bool {
        self.segments.iter().any(|segment| !segment.parts.is_empty())
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
