//! What a person is told, on standard output. The log goes to standard error.

use std::{
    io::{self, Write as _, stdout},
    net::SocketAddr,
    path::Path,
};

use bugbrother_mosquitto_compat::conf::{Finding, Verdict};
use bugbrother_store::{Credential, Receipt};
use bugbrother_wire::{UnixMs, Vin};
use time::OffsetDateTime;

use crate::backup::Manifest;
use crate::demo::Visitor;
use crate::init::Written;
use crate::vehicles::{Key, Revoked};

/// The system has started.
pub fn started(
    http: Option<SocketAddr>,
    entrances: &[(&'static str, SocketAddr)],
    data: &Path,
    administrator: Option<&str>,
    visitors: &[Visitor],
) -> io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out)?;
    if let Some(http) = http {
        writeln!(out, "  Dashboard  http://{http}")?;
        writeln!(out, "  User       admin")?;
        match administrator {
            Some(password) => writeln!(out, "  Password   {password}   (shown this once)"),
            None => {
                writeln!(
                    out,
                    "  Password   as shown at the first start; a new one: {} user password admin",
                    again(data)
                )
            }
        }?;
    }
    for Visitor { label, name, password } in visitors {
        writeln!(out, "  {label:<10} {name}, with the password {}   (shown this once)", password.expose())?;
    }
    for (kind, address) in entrances {
        writeln!(out, "  {kind:<10} {address}")?;
    }
    writeln!(out, "  Data       {}", data.display())?;
    writeln!(out, "  Ctrl-C ends it.")?;
    writeln!(out)?;
    Ok(())
}

/// How this program was called, with its data folder.
fn again(data: &Path) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "bugbrother".to_owned());
    format!("{program} --data {}", data.display())
}

/// Settings of a new server.
pub fn initialised(written: &Written) -> io::Result<()> {
    let mut out = stdout().lock();
    for file in &written.files {
        writeln!(out, "written   {}", file.display())?;
    }
    for (number, step) in written.next.iter().enumerate() {
        writeln!(out, "{:>7}.  {step}", number + 1)?;
    }
    Ok(())
}

/// A vehicle has been given something to get in with.
pub fn key(vin: Vin, key: &Key) -> io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "vehicle   {vin}")?;
    match key {
        Key::Code(code, until) => {
            writeln!(out, "code      {code}   (shown this once; good for one certificate until {})", minute(*until))?;
        }
        Key::Password(password) => {
            writeln!(out, "password  {password}   (shown this once; give it to the vehicle's agent)")?;
        }
    }
    Ok(())
}

/// A vehicle can no longer sign in.
pub fn revoked(vin: Vin, lost: &Revoked) -> io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "vehicle       {vin}")?;
    writeln!(out, "certificates  {} revoked", lost.certificates)?;
    writeln!(out, "password      {}", if lost.password { "removed" } else { "there was none" })?;
    Ok(())
}

/// Vehicles and what they can sign in with.
pub fn vehicles(all: &[(Credential, bool)]) -> io::Result<()> {
    let mut out = stdout().lock();
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
        writeln!(out, "{}  {:<24}  {keys}", vehicle.vin, vehicle.name)?;
    }
    Ok(())
}

/// A third party has a right, and perhaps an account that it had not before.
pub fn granted(name: &str, rule: &str, password: Option<&str>) -> io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "account   {name}")?;
    writeln!(out, "may       {rule}")?;
    if let Some(password) = password {
        writeln!(out, "password  {password}   (shown this once)")?;
    }
    Ok(())
}

/// Who may what.
pub fn rights(all: &[(String, Vec<String>)]) -> io::Result<()> {
    let mut out = stdout().lock();
    for (name, rules) in all {
        writeln!(out, "{name}")?;
        for rule in rules {
            writeln!(out, "    {rule}")?;
        }
    }
    Ok(())
}

/// A folder for Mosquitto was written.
pub fn exported(conf: &Path) -> io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "written; start it with: mosquitto -c '{}'", conf.display())?;
    writeln!(
        out,
        "Mosquitto started as root becomes another user: let the folder be that user's (chown -R mosquitto:)."
    )?;
    writeln!(out, "There an account has one connection at a time, or its sessions could be taken over by others.")?;
    writeln!(out, "After `bugbrother vehicle` and `bugbrother access`, export again and send Mosquitto a SIGHUP.")?;
    Ok(())
}

/// What a mosquitto.conf does here, line by line.
pub fn findings(findings: &[Finding]) -> io::Result<()> {
    let mut out = stdout().lock();
    for finding in findings {
        let verdict = match finding.verdict {
            Verdict::Supported => "works",
            Verdict::WithoutEffect => "no effect",
            Verdict::Unsupported => "not here",
            Verdict::Invalid => "wrong",
        };
        writeln!(out, "{:>5}  {verdict:<9}  {}", finding.line, finding.text)?;
    }
    Ok(())
}

/// What was erased.
pub fn receipt(receipt: &Receipt) -> io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "receipt   {}", receipt.id)?;
    writeln!(out, "of        {}", receipt.subject_sha256)?;
    for (what, rows) in receipt.erased.iter().filter(|(_, rows)| **rows > 0) {
        writeln!(out, "  {what:<18} {rows}")?;
    }
    writeln!(out, "sha256    {}", receipt.sha256)?;
    Ok(())
}

/// What a backup holds and how to use it.
pub fn backed_up(file: &Path, manifest: &Manifest) -> io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "backup    {} ({} files, version {})", file.display(), manifest.count(), manifest.version)?;
    writeln!(
        out,
        "It holds the fleet's keys: keep it as safe as the server. To use it: bugbrother restore {}",
        file.display()
    )?;
    Ok(())
}

/// Where a backup was unpacked, and what follows from that.
pub fn restored(data: &Path, manifest: &Manifest) -> io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "restored  {} files into {}", manifest.count(), data.display())?;
    writeln!(out, "Vehicles see that it is another database and send again what they still have.")?;
    Ok(())
}

/// Somebody has a new password.
pub fn password(name: &str, password: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "user      {name}")?;
    writeln!(out, "password  {password}   (shown this once)")?;
    Ok(())
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
