//! Vehicles: how they get in, and how they are kept out.

use anyhow::{Context, Result, bail};
use bugbrother_pki::Code;
use bugbrother_store::{Credential, MAX_PAGE};
use bugbrother_wire::{UnixMs, Vin};

use crate::{accounts, authority, data::DataDir, services::now_ms};

/// What a vehicle is given to get in with.
pub enum Key {
    /// Good for one certificate, until then.
    Code(Code, UnixMs),
    /// The MQTT password.
    Password(String),
}

/// Makes the vehicle known and gives it a key; an older code is worth nothing any more.
pub async fn add(data: &DataDir, vin: Vin, name: Option<String>, plate: Option<&str>, password: bool) -> Result<Key> {
    let store = data.store().await?;
    let now = now_ms();
    let named = store.vehicle(vin).await?.is_some();
    if name.is_some() || plate.is_some() || !named {
        let name = name.unwrap_or_else(|| bugbrother_wire::wmi::maker(vin).unwrap_or("Vehicle").to_owned());
        store.name_vehicle(vin, &name, plate, now).await?;
    }
    if password {
        return Ok(Key::Password(accounts::set_password(data, vin.as_str())?));
    }
    let (code, until) = bugbrother_dashboard::issue_code(&store, vin, now).await?;
    Ok(Key::Code(code, until))
}

/// What a vehicle has lost.
pub struct Revoked {
    pub certificates: u64,
    pub password: bool,
}

/// Takes everything back that a vehicle can sign in with, a code that was not used too. A running broker ends its session.
pub async fn revoke(data: &DataDir, vin: Vin) -> Result<Revoked> {
    let store = data.store().await?;
    if store.vehicle(vin).await?.is_none() {
        bail!("there is no vehicle `{vin}`");
    }
    // What works without the authority's key comes first.
    let certificates = store.revoke(vin, now_ms()).await?;
    let password = accounts::remove(data, vin.as_str())?;
    let publish = async {
        let authority = authority::open(data, &store).await?;
        // Written also when there was nothing to revoke: an earlier try may have ended in between.
        authority::publish_revoked(data, &authority, &store).await.map(drop)
    };
    publish.await.context("the certificates are revoked, but the broker cannot be told: mend this and revoke again")?;
    Ok(Revoked { certificates, password })
}

/// All vehicles with what they can sign in with; whether there is a password besides.
pub async fn list(data: &DataDir) -> Result<Vec<(Credential, bool)>> {
    let store = data.store().await?;
    let passwords = accounts::load(data)?;
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = store.credentials(after, MAX_PAGE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.vin);
        all.extend(page.into_iter().map(|found| {
            let password = passwords.entry(found.vin.as_str()).is_some();
            (found, password)
        }));
    }
}
