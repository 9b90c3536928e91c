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
