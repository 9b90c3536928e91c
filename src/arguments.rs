//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use bugbrother_wire::Vin;
use clap::{Args, Parser, Subcommand};

/// Watches a mixed fleet of cars live: where they are, how they drive, what is wrong with them.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
pub struct Arguments {
    /// Folder of the database, the access files and the secrets; made at the first start
    #[arg(long, global = true, env = "BUGBROTHER_DATA", default_value = "data")]
    pub data: PathBuf,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// The whole system and eight simulated cars
    Demo {
        #[command(flatten)]
        net: Net,
        /// How much faster than the clock the simulated cars live
        #[arg(long, default_value_t = 1.0)]
        speed: f64,
    },
    /// The whole system: broker, ingest, notifier, dashboard
    Up {
        #[command(flatten)]
        net: Net,
    },
    /// The MQTT broker alone
    Broker {
        #[command(flatten)]
        net: Net,
    },
    /// Alone: what stores the vehicles' data
    Ingest {
        #[command(flatten)]
        net: Net,
    },
    /// Alone: what raises alerts
    Notifier {
        #[command(flatten)]
        net: Net,
    },
    /// The web server alone
    Dashboard {
        #[command(flatten)]
        net: Net,
    },
    /// Vehicles' MQTT accounts
    #[command(subcommand)]
    Vehicle(VehicleCommand),
    /// People who sign in
    #[command(subcommand)]
    User(UserCommand),
}

#[derive(Subcommand)]
pub enum VehicleCommand {
    /// Makes an account, or a new password for one, and prints the password
    Add {
        vin: Vin,
        /// What people call it; its maker's name by default
        #[arg(long)]
        name: Option<String>,
        /// Registration plate
        #[arg(long)]
        plate: Option<String>,
    },
    /// Removes an account; what was stored of the vehicle stays
    Remove { vin: Vin },
}

#[derive(Subcommand)]
pub enum UserCommand {
    /// Makes a new password for somebody and prints it
    Password { name: String },
}

/// Addresses. Without TLS only loopback ones are taken.
#[derive(Args, Clone)]
pub struct Net {
    /// Where the broker listens, and where the services find it [default: 127.0.0.1:1883, in the demo any free port if that is taken]
    #[arg(long, env = "BUGBROTHER_MQTT")]
    pub mqtt: Option<SocketAddr>,
    /// Where the dashboard listens [default: 127.0.0.1:8080, in the demo any free port if that is taken]
    #[arg(long, env = "BUGBROTHER_HTTP")]
    pub http: Option<SocketAddr>,
    /// Where browsers find the dashboard when a proxy with TLS stands before it, as an https origin; the proxy
    /// must append the client's address to X-Forwarded-For
    #[arg(long, env = "BUGBROTHER_PUBLIC_URL")]
    pub public_url: Option<String>,
}
