//! What a person is told, on standard output. The log goes to standard error.
#![expect(clippy::print_stdout, reason = "this is what standard output is for")]

use std::{net::SocketAddr, path::Path};

use bugbrother_mosquitto_compat::conf::{Finding, Verdict};
use bugbrother_store::Credential;
use bugbrother_wire::{UnixMs, Vin};
use time::OffsetDateTime;

use crate::vehicles::{Key, Revoked};

/// The system has started.
pub fn started(
    http: Option<SocketAddr>,
    entrances: &[(&'static str, SocketAddr)],
    data: &Path,
    administrator: Option<&str>,
) {
    println!();
    if let Some(http) = http {
        println!("  Dashboard  http://{http}");
        println!("  User       admin");
        match administrator {
            Some(password) => println!("  Password   {password}   (shown this once)"),
            None => {
                println!("  Password   as shown at the first start; a new one: {} user password admin", again(data))
            }
        }
    }
    for (kind, address) in entrances {
        println!("  {kind:<10} {address}");
    }
    println!("  Data       {}", data.display());
    println!("  Ctrl-C ends it.");
    println!();
}

/// How this program was called, with its data folder.
fn again(data: &Path) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "bugbrother".to_owned());
    format!("{program} --data {}", data.display())
}

/// A vehicle has been given something to get in with.
pub fn key(vin: Vin, key: &Key) {
    println!("vehicle   {vin}");
    match key {
        Key::Code(code, until) => {
            println!("code      {code}   (shown this once; good for one certificate until {})", minute(*until));
        }
        Key::Password(password) => {
            println!("password  {password}   (shown this once; give it to the vehicle's agent)");
        }
    }
}

/// A vehicle can no longer sign in.
pub fn revoked(vin: Vin, lost: &Revoked) {
    println!("vehicle       {vin}");
    println!("certificates  {} revoked", lost.certificates);
    println!("password      {}", if lost.password { "removed" } else { "there was none" });
}

/// Vehicles and what they can sign in with.
pub fn vehicles(all: &[(Credential, bool)]) {
    for (vehicle, password) in all {
        let mut keys = Vec::new();
        if let Some(until) = vehicle.not_after {
            keys.push(match vehicle.revoked.is_some() {
                true => "certificate revoked".to_owned(),
                false => format!("certificate until {}", day(until)),
            });
        }
        if let Some(until) = vehicle.code_expires {
            keys.push(format!("code until {}", minute(until)));
        }
        if *password {
            keys.push("password".to_owned());
        }
        let keys = if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
        println!("{}  {:<24}  {keys}", vehicle.vin, vehicle.name);
    }
}

/// A third party has a right, and perhaps an account that it had not before.
pub fn granted(name: &str, rule: &str, password: Option<&str>) {
    println!("account   {name}");
    println!("may       {rule}");
    if let Some(password) = password {
        println!("password  {password}   (shown this once)");
    }
}

/// Who may what.
pub fn rights(all: &[(String, Vec<String>)]) {
    for (name, rules) in all {
        println!("{name}");
        for rule in rules {
            println!("    {rule}");
        }
    }
}

/// A folder for Mosquitto was written.
pub fn exported(conf: &Path) {
    println!("written; start it with: mosquitto -c '{}'", conf.display());
    println!("Mosquitto started as root becomes another user: let the folder be that user's (chown -R mosquitto:).");
    println!("There an account has one connection at a time, or its sessions could be taken over by others.");
    println!("After `bugbrother vehicle` and `bugbrother access`, export again and send Mosquitto a SIGHUP.");
}

/// What a mosquitto.conf does here, line by line.
pub fn findings(findings: &[Finding]) {
    for finding in findings {
        let verdict = match finding.verdict {
            Verdict::Supported => "works",
            Verdict::WithoutEffect => "no effect",
            Verdict::Unsupported => "not here",
            Verdict::Invalid => "wrong",
        };
        println!("{:>5}  {verdict:<9}  {}", finding.line, finding.text);
    }
}

/// Somebody has a new password.
pub fn password(name: &str, password: &str) {
    println!("user      {name}");
    println!("password  {password}   (shown this once)");
}

fn day(at: UnixMs) -> String {
    moment(at).map_or_else(String::new, |at| at.date().to_string())
}

fn minute(at: UnixMs) -> String {
    moment(at).map_or_else(String::new, |at| format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute()))
}

fn moment(at: UnixMs) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at / 1000).ok()
}
