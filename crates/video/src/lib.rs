//! crates/video
