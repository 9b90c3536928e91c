//! Nothing said for too long.

use bugbrother_wire::UnixMs;

/// A condition on saying nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// For how long, in ms.
    pub after_ms: i64,
}

impl Silence {
    /// Whether who was last heard at `heard` is silent at `now`.
    pub fn is_too_long(self, heard: UnixMs, now: UnixMs) -> bool {
        now - heard >= self.after_ms
    }
}
