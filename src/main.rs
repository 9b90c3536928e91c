//! `bugbrother`: the one server program. It runs the whole system, or one service of it, or keeps its books.
//!
//! # Layout
//! - [`arguments`]: the command line; [`settings`]: a file with what it does not say
//! - [`init`]: settings for a new server; [`doctor`]: what is wrong with settings and surroundings
//! - [`data`]: the data folder: what lies where, and who may read it
//! - [`accounts`]: MQTT accounts and their passwords, in Mosquitto's password file
//! - [`authority`]: the fleet's certificate authority, and what the broker reads of it
//! - [`vehicles`], [`third_parties`], [`mosquitto`]: the commands that keep the books
//! - [`backup`]: the data folder as one file, and back; [`export`]: samples and tables as files
//! - [`listeners`]: where the broker listens, in the terms of a mosquitto.conf; [`broker`]: the broker and its bridges
//! - [`brokers`]: brokers that are not this program's
//! - [`services`]: services started, watched and stopped; [`stage`]: tasks that are stopped together; [`alive`]: what systemd hears
//! - [`metrics_page`]: what a process counts, [`metrics_list`]: what that means, [`process`]: what it takes of the machine;
//!   [`readiness`]: whether it can be given work; [`traces`]: the ways of records, for a collector of OpenTelemetry's
//! - [`demo`]: simulated cars with real agents; [`load`]: thousands of vehicles to measure by
//! - [`banner`]: what a person is told at the start
//!
//! # Invariants
//! - `up` runs the same services as `broker`, `ingest`, `notifier` and `dashboard` do each for itself, and they meet on
//!   the broker over loopback TCP in either case.
//! - Nothing listens beyond this machine without TLS and without signing in, unless a mosquitto.conf says so and
//!   `--allow-open-listeners` as well.

mod accounts;
mod alive;
mod arguments;
mod authority;
mod backup;
mod banner;
mod broker;
mod brokers;
mod data;
mod demo;
mod doctor;
mod export;
mod init;
mod keys;
mod listeners;
mod load;
mod media;
mod metrics_list;
mod metrics_page;
mod mosquitto;
mod process;
mod readiness;
mod services;
mod settings;
mod stage;
mod third_parties;
mod traces;
mod vehicles;

use std::{
    io::{IsTerminal, stderr},
    path::Path,
    process::ExitCode,
};

use anyhow::{Result, bail};
use bugbrother_dashboard::documents::Documents;
use bugbrother_mosquitto_compat::acl::Access;
use bugbrother_store::{ClientId, MAX_PAGE, Receipt, Store};
use bugbrother_wire::UnixMs;
use mimalloc::MiMalloc;
use tracing_subscriber::EnvFilter;

use crate::{
    arguments::{
        AccessCommand, Arguments, Command, Doors, EraseCommand, MosquittoCommand, UserCommand, VehicleCommand,
    },
    data::{DataDir, Databases},
    services::{Plan, Service},
};

/// Messages are allocated by one thread and freed by another, which the C library's allocator is slow at.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let arguments = settings::arguments(std::env::args_os().collect());
    let filter = EnvFilter::try_from_env("BUGBROTHER_LOG").unwrap_or_else(|_| EnvFilter::new("info,rumqttd=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(stderr().is_terminal()).init();
    match arguments.and_then(run) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> Result<ExitCode> {
    let databases = settings::databases(&arguments);
    match arguments.command {
        Command::Init(new) => banner::initialised(&init::write(&new, &arguments.data)?)?,
        Command::Doctor { net, doors, json } => {
            let report = doctor::examine(&doctor::Case { data: arguments.data, databases, net, doors }).await;
            return doctor::tell(&report, json);
        }
        command => perform(command, &arguments.data, databases?).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn perform(command: Command, folder: &Path, databases: Databases) -> Result<()> {
    let data = || Ok::<_, anyhow::Error>(DataDir::open(folder)?.with(databases.clone()));
    // What is there already is asked: a folder made by the way would hold another fleet.
    let known = || {
        if folder == Path::new("data") && !folder.exists() {
            bail!(
                "there is no folder `data` here: call this where the server was started, or with --data or --config as it was \
                 (`sudo bugbrotherctl` in place of `bugbrother` does that for a server from the package)"
            );
        }
        data()
    };
    let only = async |net, service| services::run(Plan::only(data()?, net, Doors::default(), &[service])).await;
    match command {
        Command::Demo { net, doors, speed } => services::run(Plan::demo(data()?, net, doors, speed)).await,
        Command::Up { net, doors } => services::run(Plan::only(data()?, net, doors, &Service::ALL)).await,
        Command::Broker { net, doors } => services::run(Plan::only(data()?, net, doors, &[Service::Broker])).await,
        Command::Ingest { net, shared_group } => {
            let plan = Plan::only(data()?, net, Doors::default(), &[Service::Ingest]);
            services::run(Plan { shared_group, ..plan }).await
        }
        Command::Notifier { net } => only(net, Service::Notifier).await,
        Command::Dashboard { net } => only(net, Service::Dashboard).await,
        Command::Vehicle(command) => keep_vehicles(&known()?, command).await,
        Command::Access(command) => keep_access(&known()?, command),
        Command::Mosquitto(MosquittoCommand::Export { folder, mqtt, keep_owner, doors }) => {
            Ok(banner::exported(&mosquitto::export(&known()?, &folder, mqtt, &doors, keep_owner).await?)?)
        }
        Command::Mosquitto(MosquittoCommand::Check { file }) => {
            let (findings, taken) = mosquitto::check(&file)?;
            banner::findings(&findings)?;
            if taken { Ok(()) } else { bail!("`{}` would be refused", file.display()) }
        }
        Command::Load(wanted) => load::run(&data()?, wanted).await,
        Command::Export(command) => export::run(&known()?, command).await,
        Command::Erase(command) => {
            const BY: &str = "the command line";
            let data = known()?;
            let (store, now) = (data.store().await?, services::now_ms());
            let receipt = match command {
                EraseCommand::Vehicle { vin } => store.erase_vehicle(vin, BY, now).await?,
                EraseCommand::Client { id, media } => {
                    let files = media.documents(&data, &media.open(&data).await?)?;
                    erase_client(&files, &store, id, BY, now).await?
                }
                EraseCommand::User { name } => store.erase_user(&name, BY, now).await?,
            };
            Ok(banner::receipt(&receipt)?)
        }
        Command::Backup { file } => Ok(banner::backed_up(&file, &backup::backup(&known()?, &file).await?)?),
        Command::Restore { file } => Ok(banner::restored(folder, &backup::restore(&file, folder).await?)?),
        Command::User(UserCommand::Password { name }) => {
            let password = bugbrother_dashboard::reset_password(&known()?.store().await?, &name).await?;
            Ok(banner::password(&name, password.expose())?)
        }
        Command::Init(_) | Command::Doctor { .. } => unreachable!("they need no data folder"),
    }
}

/// Files first: once the rows are gone nobody knows whose they were.
async fn erase_client(files: &Documents, store: &Store, id: ClientId, by: &str, now: UnixMs) -> Result<Receipt> {
    let mut before = None;
    loop {
        let contracts = store.contracts(id, before, MAX_PAGE).await?;
        let Some(last) = contracts.last() else { break };
        before = Some((last.starts, last.id));
        for contract in contracts {
            for document in store.documents(contract.id, None, MAX_PAGE).await? {
                files.remove(&document.object_key).await?;
            }
        }
    }
    Ok(store.erase_client(id, by, now).await?)
}

async fn keep_vehicles(data: &DataDir, command: VehicleCommand) -> Result<()> {
    match command {
        VehicleCommand::Add { vin, name, plate, password } => {
            banner::key(vin, &vehicles::add(data, vin, name, plate.as_deref(), password).await?)?;
        }
        VehicleCommand::Revoke { vin } => banner::revoked(vin, &vehicles::revoke(data, vin).await?)?,
        VehicleCommand::List => banner::vehicles(&vehicles::list(data).await?)?,
    }
    Ok(())
}

fn keep_access(data: &DataDir, command: AccessCommand) -> Result<()> {
    match command {
        AccessCommand::Grant { name, filter, write, readwrite } => {
            let access = match (write, readwrite) {
                (true, _) => Access::Write,
                (_, true) => Access::ReadWrite,
                _ => Access::Read,
            };
            let password = third_parties::grant(data, &name, access, &filter)?;
            banner::granted(&name, &format!("{access} {filter}"), password.as_deref())?;
        }
        AccessCommand::Withdraw { name, filter } => third_parties::withdraw(data, &name, filter.as_deref())?,
        AccessCommand::Password { name } => banner::password(&name, &third_parties::new_password(data, &name)?)?,
        AccessCommand::List => banner::rights(&third_parties::list(data)?)?,
    }
    Ok(())
}
