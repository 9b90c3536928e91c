//! Live video: each camera's stream comes in once, however many look, and leaves when nobody does.
//!
//! # Layout
//! - [`Relay`]: the streams that somebody looks at, and where each comes from
//! - [`aim`]: where a camera is that the server reaches by itself; [`pull`]: it on its way into a channel
//! - [`channel`]: one stream, handed on to any number
//! - [`hls`]: one stream, cut into segments (pure)
//! - [`viewer`]: what one of them is told, and what one who is slow misses (pure)

pub(crate) mod aim;
pub(crate) mod channel;
pub(crate) mod hls;
pub(crate) mod pull;
mod relay;
pub(crate) mod viewer;

pub(crate) use relay::{Ask, Key, Look, Push, Relay, STREAM_FOR};
