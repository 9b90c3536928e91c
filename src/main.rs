//! `bugbrother`: the one server program. It runs the whole system, or one service of it, or keeps its books.
//!
//! # Layout
//! - [`arguments`]: the command line
//! - [`data`]: the data folder: what lies where, and who may read it
//! - [`accounts`]: MQTT accounts of services and vehicles, in Mosquitto's files
//! - [`services`]: services started, watched and stopped together
//! - [`demo`]: simulated cars with real agents
//! - [`banner`]: what a person is told at the start
//!
//! # Invariants
//! - `up` runs the same services as `broker`, `ingest`, `notifier` and `dashboard` do each for itself, and they meet on
//!   the broker over loopback TCP in either case.
//! - Nothing listens beyond this machine: without TLS an address other than a loopback one is refused.

mod accounts;
mod arguments;
mod banner;
mod data;
mod demo;
mod services;

use std::{
    io::{IsTerminal, stderr},
    process::ExitCode,
};

use anyhow::Result;
use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::{
    arguments::{Arguments, Command, UserCommand, VehicleCommand},
    data::DataDir,
    services::{Plan, Service},
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("BUGBROTHER_LOG").unwrap_or_else(|_| EnvFilter::new("info,rumqttd=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(stderr().is_terminal()).init();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> Result<()> {
    let data = DataDir::open(&arguments.data)?;
    match arguments.command {
        Command::Demo { net, speed } => services::run(Plan::demo(data, net, speed)).await,
        Command::Up { net } => services::run(Plan::only(data, net, &Service::ALL)).await,
        Command::Broker { net } => services::run(Plan::only(data, net, &[Service::Broker])).await,
        Command::Ingest { net } => services::run(Plan::only(data, net, &[Service::Ingest])).await,
        Command::Notifier { net } => services::run(Plan::only(data, net, &[Service::Notifier])).await,
        Command::Dashboard { net } => services::run(Plan::only(data, net, &[Service::Dashboard])).await,
        Command::Vehicle(VehicleCommand::Add { vin, name, plate }) => {
            let password = accounts::set_password(&data, vin.as_str())?;
            let store = data.store().await?;
            let name = name.unwrap_or_else(|| bugbrother_wire::wmi::maker(vin).unwrap_or("Vehicle").to_owned());
            store.name_vehicle(vin, &name, plate.as_deref(), services::now_ms()).await?;
            banner::vehicle(vin, &password);
            Ok(())
        }
        Command::Vehicle(VehicleCommand::Remove { vin }) => match accounts::remove(&data, vin.as_str())? {
            true => Ok(()),
            false => anyhow::bail!("no vehicle `{vin}`"),
        },
        Command::User(UserCommand::Password { name }) => {
            let password = bugbrother_dashboard::reset_password(&data.store().await?, &name).await?;
            banner::password(&name, password.expose());
            Ok(())
        }
    }
}
