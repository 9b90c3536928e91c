//! MQTT accounts of services and vehicles, in Mosquitto's files: a Mosquitto that is pointed at `data/access` knows them.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use bugbrother_dashboard::{Heralding, Prefix};
use bugbrother_mosquitto_compat::{
    PasswordFile,
    acl::{self, Access},
};
use rand::{Rng, distr::Alphanumeric};

use crate::{data::DataDir, services::Service};

/// Who may say and hear what. A file that is there already is its operator's and is left alone.
const ACL: &str = "\
# Mosquitto's acl_file. What is not granted here is refused.
user ingest
topic read fleet/v1/+/up/#
topic write fleet/v1/+/down/ack

user notifier
topic read fleet/v1/+/up/#
topic readwrite fleet/v1/+/alert/+

user dashboard
topic read fleet/v1/+/up/#
topic readwrite fleet/v1/+/alert/+
topic write fleet/v1/+/down/command
topic write fleet/v1/+/down/config

# A vehicle's user name is its VIN: it speaks for itself and hears what is meant for it.
pattern write fleet/v1/%u/up/#
pattern read fleet/v1/%u/down/#
";

/// What the dashboard could do before it spoke to vehicles, and what it can now. In a file that has the first as we wrote it,
/// it becomes the second, whatever else its operator has added.
const DASHBOARD_BEFORE: &str = "user dashboard\ntopic read fleet/v1/+/up/#\ntopic read fleet/v1/+/alert/+\n";
const DASHBOARD_NOW: &str = "user dashboard\ntopic read fleet/v1/+/up/#\ntopic readwrite fleet/v1/+/alert/+\n\
    topic write fleet/v1/+/down/command\ntopic write fleet/v1/+/down/config\n";

/// The account with which bridges to other brokers sign in here.
pub const BRIDGE: &str = "bridge";

/// Makes the access files and the services' accounts where they are missing.
pub fn ensure(data: &DataDir) -> Result<()> {
    let _lock = data.lock()?;
    let acl = data.access().acl();
    if !acl.exists() {
        fs::write(&acl, ACL).with_context(|| format!("cannot write `{}`", acl.display()))?;
    } else {
        extend(&acl)?;
    }
    let mut passwords = load(data)?;
    let mut changed = !data.access().passwords().exists();
    let services = Service::ALL.into_iter().filter(|service| *service != Service::Broker).map(Service::name);
    for service in services.chain([BRIDGE]) {
        // Both halves must be there: a secret without its hash is of no use, nor the other way round.
        match data.secret(service)? {
            Some(_) if passwords.entry(service).is_some() => continue,
            Some(secret) => passwords.set(service, &secret)?,
            None => {
                let secret = random_password();
                data.keep_secret(service, &secret)?;
                passwords.set(service, &secret)?;
            }
        }
        changed = true;
    }
    if changed { Ok(passwords.save(&data.access().passwords())?) } else { Ok(()) }
}

/// Gives the dashboard its newer rights in a file of an older version.
fn extend(acl: &Path) -> Result<()> {
    let text = fs::read_to_string(acl).with_context(|| format!("cannot read `{}`", acl.display()))?;
    // The end of the section counts: a person who has taken or added a line there has decided.
    let Some((before, after)) = text.split_once(DASHBOARD_BEFORE) else { return Ok(()) };
    if !after.is_empty() && !after.starts_with(['\n', '#']) && !after.starts_with("user ") {
        return Ok(());
    }
    let next = acl.with_extension("next");
    fs::write(&next, format!("{before}{DASHBOARD_NOW}{after}"))
        .and_then(|()| fs::rename(&next, acl))
        .with_context(|| format!("cannot write `{}`", acl.display()))
}

/// Lets the dashboard say how vehicles stand, and hear what it has said. An operator's own line for the same topics becomes
/// this one: without the right the option would do nothing.
pub fn let_herald(data: &DataDir, heralding: &Heralding) -> Result<()> {
    let _lock = data.lock()?;
    let acl = data.access().acl();
    let devices = heralding.home_assistant.as_ref().map(Prefix::filter);
    for filter in devices.iter().map(String::as_str).chain(["fleet/v1/+/state"]) {
        acl::grant(&acl, Service::Dashboard.name(), Access::ReadWrite, filter)?;
    }
    Ok(())
}

/// Gives an account a new password, and makes it if there is none.
pub fn set_password(data: &DataDir, name: &str) -> Result<String> {
    Ok(set_passwords(data, &[name])?.swap_remove(0))
}

/// The same for several, writing the file once; their passwords in the same order.
pub fn set_passwords(data: &DataDir, names: &[&str]) -> Result<Vec<String>> {
    ensure(data)?;
    let _lock = data.lock()?;
    let mut passwords = load(data)?;
    let mut new = Vec::with_capacity(names.len());
    for name in names {
        let password = random_password();
        passwords.set(name, &password)?;
        new.push(password);
    }
    passwords.save(&data.access().passwords())?;
    Ok(new)
}

/// Removes an account; `false` when there was none. A running broker closes its connections.
pub fn remove(data: &DataDir, name: &str) -> Result<bool> {
    let _lock = data.lock()?;
    let mut passwords = load(data)?;
    let removed = passwords.remove(name);
    if removed {
        passwords.save(&data.access().passwords())?;
    }
    Ok(removed)
}

/// The password with which a service of ours signs in.
pub fn secret(data: &DataDir, name: &str) -> Result<String> {
    data.secret(name)?.with_context(|| format!("no password of `{name}` in the data folder"))
}

/// The accounts that there are.
pub fn load(data: &DataDir) -> Result<PasswordFile> {
    let path = data.access().passwords();
    if path.exists() { Ok(PasswordFile::load(&path)?) } else { Ok(PasswordFile::default()) }
}

/// 24 letters and digits: 142 bits.
fn random_password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(24).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use bugbrother_mosquitto_compat::AclFile;

    use super::*;
    use crate::data::temporary;

    #[test]
    fn a_second_start_keeps_every_account_and_password() {
        let (_dir, data) = temporary();
        ensure(&data).unwrap();
        let first = (fs::read(data.access().passwords()).unwrap(), data.secret("ingest").unwrap());
        ensure(&data).unwrap();
        assert_eq!((fs::read(data.access().passwords()).unwrap(), data.secret("ingest").unwrap()), first);
        let passwords = PasswordFile::load(&data.access().passwords()).unwrap();
        assert!(passwords.verify("ingest", &first.1.unwrap()));
    }

    #[test]
    fn an_account_that_lost_its_hash_gets_it_again() {
        let (_dir, data) = temporary();
        ensure(&data).unwrap();
        fs::remove_file(data.access().passwords()).unwrap();
        ensure(&data).unwrap();
        let passwords = PasswordFile::load(&data.access().passwords()).unwrap();
        assert!(passwords.verify("dashboard", &data.secret("dashboard").unwrap().unwrap()));
    }

    #[test]
    fn an_account_is_made_given_a_new_password_and_removed() {
        let (_dir, data) = temporary();
        let old = set_password(&data, "reader").unwrap();
        let new = set_password(&data, "reader").unwrap();
        let passwords = load(&data).unwrap();
        assert!(passwords.verify("reader", &new) && !passwords.verify("reader", &old));
        assert!(remove(&data, "reader").unwrap() && !remove(&data, "reader").unwrap());
    }

    #[test]
    fn the_access_file_binds_each_to_what_is_theirs() {
        let acl = AclFile::parse(ACL, Path::new("acl")).unwrap();
        let vin = "WVWZZZ1JZ3W386752";
        let own = |rest: &str| format!("fleet/v1/{vin}/{rest}");
        assert!(acl.may_write(Some(vin), "any", &own("up/telemetry")));
        assert!(acl.may_subscribe(Some(vin), "any", &own("down/#")));
        assert!(!acl.may_write(Some(vin), "any", "fleet/v1/1M8GDM9AXKP042788/up/telemetry"));
        assert!(!acl.may_write(Some(vin), "any", &own("down/command")));
        assert!(!acl.may_subscribe(Some(vin), "any", "fleet/v1/+/up/#"));
        assert!(acl.may_subscribe(Some("ingest"), "any", "fleet/v1/+/up/#"));
        assert!(acl.may_write(Some("ingest"), "any", &own("down/ack")));
        assert!(!acl.may_write(Some("ingest"), "any", &own("up/telemetry")));
        assert!(!acl.may_write(Some("dashboard"), "any", &own("down/ack")));
        assert!(!acl.may_write(Some("dashboard"), "any", &own("up/telemetry")));
        for topic in ["down/command", "down/config", "alert/01926b2e-7f00-7000-8000-000000000001"] {
            assert!(acl.may_write(Some("dashboard"), "any", &own(topic)), "{topic}");
        }
    }

    #[test]
    fn an_older_file_gives_the_dashboard_its_newer_rights_and_keeps_what_people_wrote() {
        let (_dir, data) = temporary();
        ensure(&data).unwrap();
        let path = data.access().acl();
        assert_eq!(fs::read_to_string(&path).unwrap(), ACL, "a new file is whole");
        let added = "\nuser reader\ntopic read fleet/v1/+/state\n";
        let older = ACL.replace(DASHBOARD_NOW, DASHBOARD_BEFORE) + added;
        assert_ne!(older, ACL.to_owned() + added);
        fs::write(&path, &older).unwrap();
        ensure(&data).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), ACL.to_owned() + added);

        let decided =
            older.replace(DASHBOARD_BEFORE, &format!("{DASHBOARD_BEFORE}topic deny fleet/v1/+/down/command\n"));
        for text in [decided, older.replace("topic read fleet/v1/+/alert/+", "topic read fleet/v1/x/alert/+")] {
            fs::write(&path, &text).unwrap();
            ensure(&data).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "its operator's");
        }
    }
}
