use std::{
    io::{self, Write},
    path::Path,
    time::SystemTime,
};

use anyhow::{Context, Result, bail};
use bugbrother_agent::enrol::{self, Folder, Identity, Server};
use bugbrother_wire::unix_ms;

use crate::settings::{self, Task};

/// Does what a person has asked for, and says what has come of it.
pub fn perform(task: &Task) -> Result<()> {
    match task {
        Task::Enroll { server, code, dir, ca, again } => enroll(server, code, dir, ca.as_deref(), *again),
        Task::Renew { dir } => renew(dir),
        Task::Doctor { config, identity } => doctor(config.as_deref(), identity.as_deref()),
    }
}

fn enroll(address: &str, code: &str, dir: &Path, ca: Option<&Path>, again: bool) -> Result<()> {
    let (server, folder) = (Server::new(address, ca)?, Folder::new(dir));
    let identity = enrol::enrol(&server, code, &folder, again)?;
    if unix_ms(SystemTime::now()) < identity.not_before {
        say(
            "This computer's clock is behind the server's. Nothing is lost by that: until the network (NTP) or the receiver \
             tells the time, the agent keeps what it records, and then gives it its right time.",
        )?;
    }
    let dir = dir.display();
    say(&format!(
        "This vehicle is {}. Its certificate is good for {} days and renews itself.\n{}\n\
         Start the agent: systemctl enable --now bugbrother-agent\n\
         or by hand:      bugbrother-agent --identity {dir}\n\
         and see what it finds in the car: bugbrother-agent doctor --identity {dir}",
        identity.vin,
        days(&identity),
        match &identity.broker {
            Some(broker) => format!("It will speak to {broker}."),
            None => "The server did not say where its broker is: set `broker` in the settings.".to_owned(),
        },
    ))
}

fn doctor(config: Option<&Path>, identity: Option<&Path>) -> Result<()> {
    let config = settings::read_file(config, identity)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(bugbrother_agent::doctor::examine(&config));
    // An adapter's thread may still wait for it.
    runtime.shutdown_background();
    say(report.to_string().trim_end())?;
    if report.is_bad() {
        bail!("something is to be done: see above");
    }
    Ok(())
}

fn renew(dir: &Path) -> Result<()> {
    let folder = Folder::new(dir);
    let server = folder.server()?.with_context(|| format!("`{}` holds no identity yet: enrol first", dir.display()))?;
    let server = Server::new(&server, folder.server_ca().as_deref())?;
    let identity = enrol::renew(&server, &folder)?;
    say(&format!("The new certificate of {} is good for {} days.", identity.vin, days(&identity)))
}

fn days(identity: &Identity) -> i64 {
    (identity.not_after - identity.not_before) / (24 * 60 * 60 * 1000)
}

fn say(text: &str) -> Result<()> {
    writeln!(io::stdout(), "{text}").context("nobody reads what is said")
}
