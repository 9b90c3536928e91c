//! What a person is told, on standard output. The log goes to standard error.
#![expect(clippy::print_stdout, reason = "this is what standard output is for")]

use std::{net::SocketAddr, path::Path};

use bugbrother_wire::Vin;

/// The system has started.
pub fn started(http: Option<SocketAddr>, mqtt: SocketAddr, data: &Path, administrator: Option<&str>) {
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
    println!("  MQTT       {mqtt}");
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

/// Somebody has a new password.
pub fn password(name: &str, password: &str) {
    println!("user      {name}");
    println!("password  {password}   (shown this once)");
}
