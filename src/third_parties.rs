//! Accounts of third parties, and what the access file grants them.

use anyhow::{Result, bail};
use bugbrother_mosquitto_compat::{
    AclFile,
    acl::{self, Access},
};
use bugbrother_wire::Vin;

use crate::{accounts, data::DataDir, services::Service};

/// Lets `name` do this with the topics of `filter`. The password, if the account is new.
pub fn grant(data: &DataDir, name: &str, access: Access, filter: &str) -> Result<Option<String>> {
    refuse_reserved(name)?;
    accounts::ensure(data)?;
    let known = accounts::load(data)?.entry(name).is_some();
    {
        let _lock = data.lock()?;
        acl::grant(&data.access().acl(), name, access, filter)?;
    }
    if known { Ok(None) } else { Ok(Some(accounts::set_password(data, name)?)) }
}

/// Takes one right back, or all and the account. A running broker closes the sessions that lived on it.
pub fn withdraw(data: &DataDir, name: &str, filter: Option<&str>) -> Result<()> {
    refuse_reserved(name)?;
    accounts::ensure(data)?;
    let removed = filter.is_none() && accounts::remove(data, name)?;
    let _lock = data.lock()?;
    let withdrawn = acl::withdraw(&data.access().acl(), name, filter)?;
    if withdrawn == 0 && !removed {
        match filter {
            Some(filter) => bail!("`{name}` has no right to `{filter}`"),
            None => bail!("there is no account `{name}`"),
        }
    }
    Ok(())
}

/// A new password for an account that is there.
pub fn new_password(data: &DataDir, name: &str) -> Result<String> {
    refuse_reserved(name)?;
    if accounts::load(data)?.entry(name).is_none() {
        bail!("there is no account `{name}`");
    }
    accounts::set_password(data, name)
}

/// Everybody with a section of their own in the access file, and what it says.
pub fn list(data: &DataDir) -> Result<Vec<(String, Vec<String>)>> {
    accounts::ensure(data)?;
    let acl = AclFile::load(&data.access().acl())?;
    let rules = |user| acl.rules_of(user).map(|(access, filter)| format!("{access} {filter}")).collect();
    Ok(acl.users().into_iter().map(|user| (user.to_owned(), rules(user))).collect())
}

/// A vehicle's rights come with its VIN, and the services' are fixed.
fn refuse_reserved(name: &str) -> Result<()> {
    if name.parse::<Vin>().is_ok() {
        bail!("`{name}` is a VIN: the access file's patterns say what a vehicle may; use `bugbrother vehicle`");
    }
    if Service::ALL.iter().any(|service| service.name() == name) {
        bail!("`{name}` is a service of BugBrother");
    }
    Ok(())
}
