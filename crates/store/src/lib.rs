//! crates/store
