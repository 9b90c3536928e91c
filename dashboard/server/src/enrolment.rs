//! Enrolment codes: the one place where they are made, for people on the web and on the command line.

use std::time::Duration;

use bugbrother_pki::Code;
use bugbrother_store::{Store, StoreError};
use bugbrother_wire::{UnixMs, Vin};

/// How long an enrolment code can be used.
const CODE_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes a code for a vehicle, which is made known if it is not, and tells until when it is good. An older code is worth
/// nothing any more. The database keeps the code's hash alone.
pub async fn issue_code(store: &Store, vin: Vin, now: UnixMs) -> Result<(Code, UnixMs), StoreError> {
    let code = Code::new();
    let until = now + CODE_LIFE.as_millis() as UnixMs;
    store.add_enrolment(vin, &code.sha256(), now, until).await?;
    Ok((code, until))
}
