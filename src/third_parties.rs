//! Accounts of third parties, and what the access file grants them.

use anyhow::{Result, bail};
use bugbrother_mosquitto_compat::{
    AclFile,
    acl::{self, Access},
};
use bugbrother_wire::Vin;

use crate::{
    accounts::{self, BRIDGE},
    data::DataDir,
    services::Service,
};

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
    // Our own bridges go on signing in, with what rights they have left.
    let removed = filter.is_none() && name != BRIDGE && accounts::remove(data, name)?;
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
    if name == BRIDGE {
        bail!("`{name}` is the account of this program's bridges, whose password is made by itself");
    }
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
    if name.contains(['/', '+', '#', '%']) {
        bail!("`{name}`: a name becomes a level of topics, so it has none of `/`, `+`, `#` and `%`");
    }
    if name.parse::<Vin>().is_ok() {
        bail!("`{name}` is a VIN: the access file's patterns say what a vehicle may; use `bugbrother vehicle`");
    }
    if Service::ALL.iter().any(|service| service.name() == name) {
        bail!("`{name}` is a service of BugBrother");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::temporary;

    #[test]
    fn a_third_party_is_made_once_and_loses_its_rights_one_by_one_or_all() {
        let (_dir, data) = temporary();
        let first = grant(&data, "weather", Access::Read, "fleet/v1/+/up/#").unwrap();
        assert!(first.is_some_and(|password| accounts::load(&data).unwrap().verify("weather", &password)));
        assert_eq!(grant(&data, "weather", Access::Read, "$SYS/#").unwrap(), None);
        let rights =
            || list(&data).unwrap().into_iter().find(|(name, _)| name == "weather").map(|(_, rules)| rules.len());
        assert_eq!(rights(), Some(2));
        withdraw(&data, "weather", Some("$SYS/#")).unwrap();
        assert!(withdraw(&data, "weather", Some("$SYS/#")).is_err());
        assert_eq!(rights(), Some(1));
        withdraw(&data, "weather", None).unwrap();
        assert!(accounts::load(&data).unwrap().entry("weather").is_none() && rights().is_none());
        assert!(withdraw(&data, "weather", None).is_err());
    }

    #[test]
    fn names_that_are_somebody_else_s_or_more_than_a_level_are_refused() {
        let (_dir, data) = temporary();
        for name in ["ingest", "broker", "WVWZZZ1JZ3W386752", "WVWZZZ1JZ3W386752/up/x", "+", "#", "%u", "a:b", ""] {
            assert!(grant(&data, name, Access::Read, "a").is_err(), "{name:?}");
        }
        assert!(new_password(&data, BRIDGE).is_err());
        grant(&data, BRIDGE, Access::ReadWrite, "a/#").unwrap();
        withdraw(&data, BRIDGE, None).unwrap();
        assert!(accounts::load(&data).unwrap().entry(BRIDGE).is_some());
    }
}
