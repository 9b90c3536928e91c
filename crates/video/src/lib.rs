//! Video of a vehicle's cameras: an RTSP stream becomes access units once, and everything else hangs on those.
//!
//! # Layout
//! - [`source`]: an RTSP session that turns a camera's stream into access units; [`error`]: why it ended
//! - [`access_unit`]: one picture and the parameters that a decoder needs
//! - [`ring`]: the last seconds of a stream as whole GOPs
//!
//! # Invariants
//! - retina is named in [`source`] and [`error`] alone.
//! - Every step of an RTSP session has a deadline, and a stream that stalls ends with an error: nothing waits for ever.
//! - What a [`ring::Ring`] holds starts at a key frame and is never above its limits.
//! - A camera's password is in no URL, no message and no log.

pub mod access_unit;
pub mod error;
pub mod ring;
pub mod source;

pub use access_unit::{AccessUnit, Codec, Parameters};
pub use error::{SourceError, Step};
pub use ring::{Gop, Limits, Pushed, Ring};
pub use source::{Camera, Credentials, Item, RtspSession, Transport};
