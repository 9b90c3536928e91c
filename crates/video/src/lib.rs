//! Video of a vehicle's cameras: an RTSP stream becomes access units once, and everything else hangs on those.
//!
//! # Layout
//! - [`source`]: an RTSP session that turns a camera's stream into access units; [`error`]: why it ended; `h264`: what is
//!   read of the pictures themselves
//! - [`feed`]: a camera that is followed through all its sessions
//! - [`access_unit`]: one picture and the parameters that a decoder needs; [`timeline`]: times that only move forward; `taken`:
//!   when pictures were taken
//! - [`ring`]: the last seconds of a stream as whole GOPs
//! - [`fragment`]: fragmented MP4 for viewers; [`reel`]: a live stream of it; [`timing`]: how long one lasts;
//!   [`clip`]: a film as a file; [`photo`]: JPEGs; `decode`: a key frame as one (a
//!   feature)
//!
//! # Invariants
//! - retina is named in [`source`], [`error`] and [`feed`] alone, shiguredo_mp4 in [`fragment`], [`clip`] and `decode`.
//! - Every step of an RTSP session has a deadline, and a stream that stalls ends with an error: nothing waits for ever.
//! - What a [`ring::Ring`] holds starts at a key frame and is never above its limits.
//! - Times in what is written rise, whatever a camera says of them.
//! - A camera's password is in no URL, no message and no log.

pub mod access_unit;
pub mod clip;
#[cfg(feature = "decode")]
mod decode;
pub mod error;
pub mod feed;
pub mod fragment;
mod h264;
pub mod photo;
pub mod reel;
pub mod ring;
pub mod source;
mod taken;
pub mod timeline;
pub mod timing;

pub use access_unit::{AccessUnit, Codec, Parameters, SoundFrame, SoundParameters};
pub use clip::{Scene, Written, write_clip};
pub use error::{SourceError, Step};
pub use feed::{Feed, News, Pace};
pub use fragment::{Fragment, Fragmenter, MuxingError};
pub use photo::{PhotoError, Snapshot};
pub use reel::{Cut, Reel};
pub use ring::{Gop, Limits, Pushed, Ring, Sound};
pub use source::{Camera, Credentials, Item, RtspSession, Transport};
