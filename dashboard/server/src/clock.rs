//! The clock: read at the edge, an argument inside.

use std::time::SystemTime;

use bugbrother_wire::{UnixMs, unix_ms};

/// Now, in milliseconds since 1970.
pub(crate) fn now() -> UnixMs {
    unix_ms(SystemTime::now())
}
