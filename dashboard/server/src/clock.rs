//! The clock: read at the edge, an argument inside.

use std::time::{SystemTime, UNIX_EPOCH};

use bugbrother_wire::UnixMs;

/// Now, in milliseconds since 1970.
pub(crate) fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs::try_from(since.as_millis()).unwrap_or(UnixMs::MAX)
}
