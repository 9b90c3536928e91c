//! Keys that all machines of a fleet have in common: made where they are missing.

use anyhow::Result;
use bugbrother_dashboard::SigningKey;
use bugbrother_notifier::post::carrier::PushKey;

use crate::data::DataDir;

/// That with which sessions of the dashboards are signed.
pub fn session(data: &DataDir) -> Result<SigningKey> {
    Ok(SigningKey::load_or_create(&data.session_key())?)
}

/// That by which browsers know who may push to them. A push service wants to know whom to write to: an address of the web does.
pub fn push(data: &DataDir, public_url: Option<&str>) -> Result<PushKey> {
    const NAME: &str = "push.key";
    let _lock = data.lock()?;
    let text = match data.secret(NAME)? {
        Some(text) => text,
        None => {
            let text = PushKey::generate()?;
            data.keep_secret(NAME, &text)?;
            text
        }
    };
    Ok(PushKey::read(&text, public_url.unwrap_or("https://bugbrother.invalid"))?)
}
