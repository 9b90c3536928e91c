//! The broker of this process, and what belongs to it: its certificate, and bridges to other brokers.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use bugbrother_broker::{Config, Door, Health, Limits};
use bugbrother_client::Options;
use bugbrother_mosquitto_compat::{
    PasswordFile,
    conf::{Conf, Listener, Protocol},
};
use bugbrother_pki::Authority;
use bugbrother_store::Store;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    accounts::{self, BRIDGE},
    authority,
    data::{AccessFolder, DataDir},
    listeners,
    services::{Plan, Service},
    stage::Stage,
};

/// How long the database may take to give the authority its books.
const CERTIFY_PATIENCE: Duration = Duration::from_secs(10);
/// Until it is asked again.
const CERTIFY_AGAIN: Duration = Duration::from_secs(10);

/// Where clients come in.
pub struct Entrances {
    /// Where our own services do, if there is such a listener.
    pub services: Option<SocketAddr>,
    /// Every listener, with what is spoken there.
    pub all: Vec<(&'static str, SocketAddr)>,
}

impl Entrances {
    /// Of a broker that is another process.
    pub fn elsewhere(services: SocketAddr) -> Self {
        Entrances { services: Some(services), all: vec![("MQTT", services)] }
    }
}

/// Starts the broker in the first stage and its bridges in the second; `reload` makes it read its files again.
pub async fn start(
    plan: &Plan,
    reload: Arc<Notify>,
    health: Health,
    broker: &mut Stage,
    bridges: &mut Stage,
) -> Result<Entrances> {
    let doors = &plan.doors;
    let mut conf = match &doors.mosquitto_conf {
        Some(path) => listeners::of_file(path, doors.allow_open_listeners)?,
        None => listeners::of_arguments(plan.mqtt(), doors, &plan.data.access())?,
    };
    for warning in &conf.warnings {
        tracing::warn!(file = %warning.path.display(), line = warning.line, "{}", warning.text);
    }
    if let Some(path) = &doors.bridge {
        conf.bridges = Conf::load(path)?.bridges;
    }
    if doors.vehicles.is_some() || doors.mqtts.is_some() || doors.wss.is_some() {
        start_certificate(plan, broker).await?;
    }
    let for_services = listeners::for_services(&conf).cloned();
    let mut entrances = Entrances { services: None, all: Vec::new() };
    let mut opened = Vec::new();
    for settings in conf.listeners.clone() {
        let is_for_services = for_services.as_ref() == Some(&settings);
        let door = open(settings, plan.any_port() && is_for_services).await?;
        for socket in &door.sockets {
            entrances.all.push((kind(&door.settings), socket.local_addr()?));
        }
        if is_for_services {
            entrances.services = door.sockets.first().map(|socket| socket.local_addr().map(reachable)).transpose()?;
        }
        opened.push(door);
    }
    if doors.mosquitto_conf.is_some() {
        check_accounts(plan, for_services.as_ref(), !conf.bridges.is_empty())?;
    }
    let config = Config {
        doors: opened,
        limits: limits(&conf),
        persistence: persistence(&conf, &plan.data),
        health,
        sys_interval: (conf.sys_interval_s > 0).then(|| Duration::from_secs(conf.sys_interval_s.into())),
        reload,
    };
    broker.start("broker", |stop| async move { Ok(bugbrother_broker::run(config, stop).await?) });
    if !conf.bridges.is_empty() {
        let address = entrances.services.context("bridges need a listener without TLS on a loopback address")?;
        start_bridges(plan, conf, address, bridges)?;
    }
    Ok(entrances)
}

/// The broker's certificate is made and renewed by the authority, whose books are in the database. One that is away must not
/// keep the broker away, too, as long as the files of an earlier start are there.
async fn start_certificate(plan: &Plan, broker: &mut Stage) -> Result<()> {
    let (data, folder, hosts) = (plan.data.clone(), plan.data.access(), plan.doors.hosts.clone());
    match certify(&data, &folder, &hosts).await {
        Ok((authority, store)) => {
            broker.start("certificates", |stop| keep(authority, store, data, hosts, stop));
        }
        Err(failure) if folder.server_certificate().exists() && folder.revoked().exists() => {
            warn!("{failure:#}; the broker starts with the certificate and the list of revoked ones that it has");
            broker.start("certificates", |stop| async move {
                loop {
                    if stop.run_until_cancelled(sleep(CERTIFY_AGAIN)).await.is_none() {
                        return Ok(());
                    }
                    if let Ok((authority, store)) = certify(&data, &folder, &hosts).await {
                        return keep(authority, store, data, hosts, stop).await;
                    }
                }
            });
        }
        Err(failure) => return Err(failure),
    }
    Ok(())
}

async fn certify(data: &DataDir, folder: &AccessFolder, hosts: &[String]) -> Result<(Authority, Store)> {
    let opened = async {
        let store = data.store().await?;
        let authority = authority::open(data, &store).await?;
        Ok::<_, anyhow::Error>((authority, store))
    };
    let (authority, store) = timeout(CERTIFY_PATIENCE, opened).await.context("the database does not answer")??;
    authority::ensure_server(&authority, folder, hosts)?;
    Ok((authority, store))
}

/// Keeps the broker's certificate, and the list of revoked ones.
async fn keep(
    authority: Authority,
    store: Store,
    data: DataDir,
    hosts: Vec<String>,
    stop: CancellationToken,
) -> Result<()> {
    let authority = Arc::new(authority);
    let server = authority::keep_server(Arc::clone(&authority), data.access(), hosts, stop.clone());
    let list = authority::follow_revoked(data, authority, store.clone(), authority::FOLLOW_EVERY, stop);
    tokio::try_join!(server, list)?;
    store.close().await;
    Ok(())
}

/// Opens a door; on any free port if its own is taken and `any_port` is set.
async fn open(mut settings: Listener, any_port: bool) -> Result<Door> {
    let name = format!("{}:{}", settings.bind.as_deref().unwrap_or("*"), settings.port);
    match Door::open(settings.clone()).await {
        Err(_) if any_port => {
            settings.port = 0;
            Door::open(settings).await.context("no free port on 127.0.0.1")
        }
        opened => opened.with_context(|| format!("cannot listen on {name}; choose another address")),
    }
}

fn kind(listener: &Listener) -> &'static str {
    match (listener.protocol, &listener.tls) {
        (Protocol::Mqtt, None) => "MQTT",
        (Protocol::Mqtt, Some(tls)) if tls.require_certificate => "mTLS",
        (Protocol::Mqtt, Some(_)) => "MQTTS",
        (Protocol::WebSockets, None) => "WS",
        (Protocol::WebSockets, Some(_)) => "WSS",
    }
}

/// From this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { Ipv6Addr::LOCALHOST.into() });
    }
    address
}

/// Where sessions and retained messages are kept, unless that is not wanted.
fn persistence(conf: &Conf, data: &DataDir) -> Option<PathBuf> {
    let folder = conf.persistence_location.clone().unwrap_or_else(|| data.broker());
    conf.persistence.unwrap_or(true).then_some(folder)
}

fn limits(conf: &Conf) -> Limits {
    let mut limits = Limits { keep_alive_s: conf.max_keepalive_s, ..Limits::default() };
    if let Some(connections) = conf.global_max_connections {
        limits.connections = connections as usize;
    }
    if let Some(inflight) = conf.max_inflight_messages {
        (limits.inflight, limits.inflight_of_services) = (inflight, inflight);
    }
    if let Some(messages) = conf.max_queued_messages {
        limits.queue_messages = messages as usize;
    }
    if let Some(bytes) = conf.max_queued_bytes {
        limits.queue_bytes = bytes as usize;
    }
    if let Some(seconds) = conf.persistent_client_expiration_s {
        limits.session_expiry_s = seconds;
    }
    if let Some(bytes) = conf.max_packet_size {
        limits.packet_bytes = bytes as usize;
    }
    if let Some(bytes) = conf.message_size_limit {
        limits.message_bytes = bytes as usize;
    }
    limits
}

/// Our own services sign in like everybody else: a password file that is not ours must know them.
fn check_accounts(plan: &Plan, listener: Option<&Listener>, bridges: bool) -> Result<()> {
    let services = plan.services.iter().filter(|service| **service != Service::Broker).map(|service| service.name());
    let names: Vec<_> = services.chain(bridges.then_some(BRIDGE)).collect();
    let Some(listener) = listener.filter(|_| !names.is_empty()) else { return Ok(()) };
    let Some(path) = &listener.access.password_file else { return Ok(()) };
    let passwords = PasswordFile::load(path)?;
    for name in names {
        let secret = accounts::secret(&plan.data, name)?;
        if !passwords.verify(name, &secret) {
            bail!(
                "`{name}` has no account, or another password, in `{0}`; run `mosquitto_passwd '{0}' {name}` and give it \
                 what stands in `{1}`",
                path.display(),
                plan.data.secret_path(name).display()
            );
        }
    }
    Ok(())
}

fn start_bridges(plan: &Plan, conf: Conf, address: SocketAddr, bridges: &mut Stage) -> Result<()> {
    let secret = accounts::secret(&plan.data, BRIDGE)?;
    for bridge in conf.bridges {
        let client_id = format!("{BRIDGE}-{}", bridge.name);
        let local = Options::new(address.ip().to_string(), address.port(), client_id, BRIDGE, &secret);
        let config = bugbrother_bridge::Config { bridge, local };
        bridges.start("bridge", |stop| async move { Ok(bugbrother_bridge::run(config, stop).await?) });
    }
    Ok(())
}
