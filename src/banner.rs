//! What a person is told, on standard output. The log goes to standard error.
#![expect(clippy::print_stdout, reason = "this is what standard output is for")]

use std::{net::SocketAddr, path::Path};

use bugbrother_mosquitto_compat::conf::{Finding, Verdict};
use bugbrother_wire::Vin;

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

/// A vehicle has an account.
pub fn vehicle(vin: Vin, password: &str) {
    println!("vehicle   {vin}");
    println!("password  {password}   (shown this once; give it to the vehicle's agent)");
}

/// A folder for Mosquitto was written.
pub fn exported(conf: &Path) {
    println!("written; start it with: mosquitto -c '{}'", conf.display());
    println!("Mosquitto started as root becomes another user: let the folder be that user's (chown -R mosquitto:).");
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
