//! Access units and what a decoder must know before the first of them.

use std::{
    fmt,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use bytes::Bytes;

/// How the pictures are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// H.264, AVC.
    H264,
    /// H.265, HEVC.
    H265,
    /// Motion JPEG: every picture is a key frame.
    Jpeg,
}

impl Codec {
    /// The codec that SDP calls `encoding` (RFC 6184, RFC 7798, RFC 2435), in lower case.
    pub fn from_encoding(encoding: &str) -> Option<Self> {
        match encoding {
            "h264" => Some(Codec::H264),
            "h265" => Some(Codec::H265),
            "jpeg" => Some(Codec::Jpeg),
            _ => None,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Codec::H264 => "H.264",
            Codec::H265 => "H.265",
            Codec::Jpeg => "JPEG",
        })
    }
}

/// What holds for all access units until the next change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// How the pictures are coded.
    pub codec: Codec,
    /// Name by RFC 6381, such as `avc1.42C01E`, for MSE and HLS.
    pub rfc6381: String,
    /// Pixels across, as shown.
    pub width: u32,
    /// Pixels down, as shown.
    pub height: u32,
    /// The `avc1` or `hvc1` box of ISO/IEC 14496-12 with its configuration; absent for JPEG.
    pub sample_entry: Option<Bytes>,
}

impl Parameters {
    /// Whether browsers play it by MSE and HLS. They play H.264 with 4:2:0 and 8 bits, which are the profiles Baseline, Main and
    /// High. H.265 plays in few of them, and not everywhere.
    pub fn plays_in_browsers(&self) -> bool {
        // `avc1.` and the profile in hexadecimal digits, RFC 6381, 3.3.
        let profile = self.rfc6381.strip_prefix("avc1.").and_then(|rest| rest.get(..2));
        self.codec == Codec::H264 && profile.is_some_and(|profile| matches!(profile, "42" | "4D" | "64"))
    }
}

/// What holds for all sound of a session: AAC (ISO/IEC 14496-3), the only one that is carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoundParameters {
    /// Name by RFC 6381, such as `mp4a.40.2`.
    pub rfc6381: String,
    /// Ticks per second, which are samples per second.
    pub clock_hz: NonZeroU32,
    /// The `mp4a` box with its configuration.
    pub sample_entry: Bytes,
}

/// A frame of sound, which is as long as `samples`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoundFrame {
    /// Ticks of the sound's clock.
    pub samples: u32,
    /// When its last packet came, by the monotonic clock.
    pub received: Instant,
    /// Raw AAC, without ADTS.
    pub data: Bytes,
}

/// One picture: H.264 and H.265 as NAL units with lengths of four bytes, JPEG as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessUnit {
    /// Presentation time since the start of the RTSP session, in ticks of `clock_hz`. Not in order where there are B-frames.
    pub pts: i64,
    /// Ticks per second.
    pub clock_hz: NonZeroU32,
    /// Whether a decoder can start here.
    pub is_key: bool,
    /// RTP packets that are missing since the unit before.
    pub lost_packets: u16,
    /// When its last packet came, by the monotonic clock.
    pub received: Instant,
    /// The coded picture.
    pub data: Bytes,
}

impl AccessUnit {
    /// Presentation time; nought where it lies before the session's start.
    pub fn presented_after(&self) -> Duration {
        Duration::from_secs_f64(self.pts.max(0) as f64 / f64::from(self.clock_hz.get()))
    }
}
