//! Times as certificates name them: whole seconds, up to the year 9999.

use std::time::{Duration, SystemTime};

use bugbrother_wire::{UnixMs, unix_ms};
use time::OffsetDateTime;

use crate::PkiError;

/// How far back what is made now begins: vehicles' clocks, and those of other servers, are a little behind.
const BACK: Duration = Duration::from_secs(5 * 60);

/// From when until when something is valid, both included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validity {
    pub from: OffsetDateTime,
    pub until: OffsetDateTime,
}

impl Validity {
    /// From a little before `now`, for `life` from now.
    pub fn starting(now: SystemTime, life: Duration) -> Result<Self, PkiError> {
        let until = now.checked_add(life).ok_or(PkiError::Clock)?;
        let from = now.checked_sub(BACK).unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(Validity { from: moment(from)?, until: moment(until)? })
    }
}

/// The second of a time.
pub(crate) fn moment(time: SystemTime) -> Result<OffsetDateTime, PkiError> {
    OffsetDateTime::from_unix_timestamp(unix_ms(time) / 1000).map_err(|_| PkiError::Clock)
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds(moment: OffsetDateTime) -> UnixMs {
    moment.unix_timestamp() * 1000
}
