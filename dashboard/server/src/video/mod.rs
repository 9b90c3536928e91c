//! Live video: each camera's stream comes in once, however many look, and leaves when nobody does.
//!
//! # Layout
//! - [`Relay`]: the streams that somebody looks at, and where each comes from
//! - [`channel`]: one stream, handed on to any number
//! - [`hls`]: one stream, cut into segments (pure)
//! - [`viewer`]: what one of them is told, and what one who is slow misses (pure)

pub(crate) mod channel;
pub(crate) mod hls;
mod relay;
pub(crate) mod viewer;

pub(crate) use relay::{Ask, Look, Push, Relay, STREAM_FOR};
