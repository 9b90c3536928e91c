//! Services started, watched and stopped together.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, bail};
use bugbrother_client::Options;
use bugbrother_dashboard::{Heralding, Trouble};
use bugbrother_dtc::Catalogue;
use bugbrother_ingest::Health;
use bugbrother_notifier::post::carrier::MailAuthorities;
use bugbrother_store::Store;
use bugbrother_wire::{UnixMs, api::RevokedKeys};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::Notify,
    time::interval,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    accounts, alive,
    arguments::{Doors, Net},
    authority, banner,
    broker::{self, Entrances},
    brokers::{self, Address},
    data::DataDir,
    demo, keys, metrics_list, metrics_page, process,
    readiness::Readiness,
    stage::Stage,
    traces, vehicles,
};

/// The broker's, if nothing is said.
pub const MQTT_PORT: u16 = 1883;
/// The dashboard's, if nothing is said.
pub const HTTP_PORT: u16 = 8080;
/// Between two states of a vehicle, where it is Home Assistant that wants them.
const STATE_EVERY_S: u64 = 10;
const UPKEEP: Duration = Duration::from_secs(5);

/// A part that can run by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The MQTT broker.
    Broker,
    /// Stores what vehicles send.
    Ingest,
    /// Raises alerts.
    Notifier,
    /// The web server.
    Dashboard,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 4] = [Service::Broker, Service::Ingest, Service::Notifier, Service::Dashboard];

    /// Its name, which is also its MQTT user's.
    pub fn name(self) -> &'static str {
        match self {
            Service::Broker => "broker",
            Service::Ingest => "ingest",
            Service::Notifier => "notifier",
            Service::Dashboard => "dashboard",
        }
    }
}

/// What to run.
pub struct Plan {
    pub data: DataDir,
    pub net: Net,
    pub doors: Doors,
    pub services: Vec<Service>,
    /// Other workers of ingest that the fleet is shared with.
    pub shared_group: Option<String>,
    /// How fast simulated cars live, where there are to be some.
    pub demo_speed: Option<f64>,
}

impl Plan {
    /// These services on this machine.
    pub fn only(data: DataDir, net: Net, doors: Doors, services: &[Service]) -> Self {
        Plan { data, net, doors, services: services.to_vec(), shared_group: None, demo_speed: None }
    }

    /// All services, and simulated cars.
    pub fn demo(data: DataDir, net: Net, doors: Doors, speed: f64) -> Self {
        Plan { demo_speed: Some(speed), ..Plan::only(data, net, doors, &Service::ALL) }
    }

    /// Where the broker listens without TLS.
    pub fn mqtt(&self) -> SocketAddr {
        self.net.mqtt.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, MQTT_PORT).into())
    }

    /// The demo takes any free port where the default one is taken.
    pub fn any_port(&self) -> bool {
        self.demo_speed.is_some() && self.net.mqtt.is_none()
    }

    fn has(&self, service: Service) -> bool {
        self.services.contains(&service)
    }

    /// Binds the dashboard's address.
    async fn bind_http(&self) -> Result<TcpListener> {
        let given = self.net.http;
        match bind(given.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, HTTP_PORT).into()), "--http", self.net.allow_plain)
            .await
        {
            Err(_) if given.is_none() && self.demo_speed.is_some() => {
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port on 127.0.0.1")
            }
            bound => bound,
        }
    }
}

/// Binds an address, one of this machine alone unless others may reach what is not encrypted.
async fn bind(address: SocketAddr, option: &str, allow_plain: bool) -> Result<TcpListener> {
    if !allow_plain {
        refuse_remote(address, option)?;
    }
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen on {address}; choose another address with {option}"))
}

fn refuse_remote(address: SocketAddr, option: &str) -> Result<()> {
    if !address.ip().is_loopback() {
        bail!(
            "{option} {address}: without TLS only a loopback address is taken; \
             let a proxy with TLS on this machine listen for others"
        );
    }
    Ok(())
}

/// The time of this machine's clock.
pub fn now_ms() -> UnixMs {
    bugbrother_wire::unix_ms(SystemTime::now())
}

/// Runs the plan until a signal or until one of its parts ends.
pub async fn run(plan: Plan) -> Result<()> {
    accounts::ensure(&plan.data)?;
    if let Some(heralding) = heralding(&plan.net).filter(|_| plan.has(Service::Dashboard)) {
        // Before the broker reads it for the first time.
        accounts::let_herald(&plan.data, &heralding)?;
    }
    install_catalogue(&plan)?;
    let fleet = match plan.demo_speed {
        Some(_) => demo::register(&plan.data)?,
        None => Vec::new(),
    };
    let metrics = metrics_list::recorder()?;
    let counted: Vec<_> = plan.services.iter().map(|service| service.name()).chain(["process"]).collect();
    metrics_list::install(&counted);
    let (mut broker, mut services, mut cars) = (Stage::default(), Stage::default(), Stage::default());
    services.start("metrics", |stop| keep_up(metrics.clone(), plan.data.path().to_owned(), stop));
    if let Some(url) = traces::target(&plan.net)?
        && let Some(steps) = bugbrother_trace::start(plan.net.traces_share)
    {
        services.start("traces", |stop| traces::run(steps, url, stop));
    }
    let readiness = Readiness::default();
    let ingest = Health::default();
    let gate = bugbrother_broker::Health::default();
    let mut parts: Vec<(&'static str, Trouble)> = Vec::new();
    if plan.has(Service::Broker) {
        let gate = gate.clone();
        parts.push(("broker", Arc::new(move || gate.trouble())));
    }
    if plan.has(Service::Ingest) {
        let ingest = ingest.clone();
        parts.push(("ingest", Arc::new(move || ingest.trouble())));
    }
    if let Some(address) = plan.net.metrics {
        let listener = bind(address, "--metrics", plan.net.allow_plain).await?;
        let (parts, readiness) = (parts.clone(), readiness.clone());
        services.start("metrics page", |stop| metrics_page::run(listener, metrics.clone(), parts, readiness, stop));
    }

    let brokers = brokers::of(&plan.net)?;
    if plan.has(Service::Broker) && !brokers.is_empty() {
        bail!("--broker: here is a broker of our own; start `ingest`, `notifier` and `dashboard` each for itself");
    }
    let reload = Arc::new(Notify::new());
    let entrances = match plan.has(Service::Broker) {
        true => broker::start(&plan, Arc::clone(&reload), gate, &mut broker, &mut services).await?,
        false => Entrances::elsewhere(plan.mqtt()),
    };
    refuse_remote(plan.mqtt(), "--mqtt")?;
    let http = match plan.has(Service::Dashboard) {
        true => Some(plan.bind_http().await?),
        false => None,
    };
    let http_address = http.as_ref().map(TcpListener::local_addr).transpose()?;

    let mut administrator = None;
    let mut visitors = Vec::new();
    if plan.services.iter().any(|service| *service != Service::Broker) {
        let store = plan.data.store().await?;
        if http.is_some() {
            administrator = bugbrother_dashboard::ensure_administrator(&store).await?;
        }
        // A folder in which somebody has been is left as it is.
        if plan.demo_speed.is_some() && administrator.is_some() {
            visitors = demo::fill(&plan.data, &store, &fleet).await?;
        }
        let mqtt = entrances.services.context(
            "no listener for our own services: the mosquitto.conf needs one without TLS on a loopback address",
        )?;
        readiness.opened(Some(&store));
        let watched = Watched { metrics, ingest, parts, readiness };
        let way = Way { here: mqtt, brokers };
        start_services(&plan, &mut services, &store, &way, http, watched).await?;
        if let Some(speed) = plan.demo_speed {
            let http = http_address.context("the demo has a dashboard")?;
            demo::start(&plan.data, &store, demo::Reach { mqtt, http }, fleet, speed, &mut cars).await?;
        }
    } else {
        readiness.opened(None);
    }
    let password = administrator.as_ref().map(|password| password.expose());
    banner::started(http_address, &entrances.all, plan.data.path(), password, &visitors)?;
    services.start("watchdog", alive::watch);

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let reload = async {
        while hangup.recv().await.is_some() {
            reload.notify_one();
        }
        std::future::pending().await
    };
    let outcome = tokio::select! {
        () = reload => Ok(()),
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        error = cars.ended() => Err(error),
        error = services.ended() => Err(error),
        error = broker.ended() => Err(error),
    };
    info!("stopping");
    alive::stopping();
    // Who sends stops before who stores, and the broker is last.
    cars.stop().await;
    services.stop().await;
    broker.stop().await;
    outcome
}

/// What tells how the services do.
struct Watched {
    metrics: PrometheusHandle,
    ingest: Health,
    parts: Vec<(&'static str, Trouble)>,
    readiness: Readiness,
}

/// Where services find the broker.
struct Way {
    /// Without TLS on this machine.
    here: SocketAddr,
    /// Instead of that.
    brokers: Vec<Address>,
}

async fn start_services(
    plan: &Plan,
    services: &mut Stage,
    store: &Store,
    way: &Way,
    http: Option<TcpListener>,
    watched: Watched,
) -> Result<()> {
    let Watched { metrics, ingest, parts, readiness } = watched;
    let others = brokers::peers(&plan.net)?;
    let options = |service: Service| -> Result<Options> {
        let name = service.name();
        let password = accounts::secret(&plan.data, name)?;
        let here = |password| Options::new(way.here.ip().to_string(), way.here.port(), name, name, password);
        let elsewhere = brokers::session(&way.brokers, &plan.net, name, password.clone());
        let mut options = elsewhere.unwrap_or_else(|| here(password));
        if matches!(service, Service::Notifier | Service::Dashboard) {
            options.others = others.clone();
        }
        if service != Service::Dashboard {
            readiness.watch(name, options.standing.clone());
        }
        Ok(options)
    };
    if plan.has(Service::Ingest) {
        let config = bugbrother_ingest::Config {
            mqtt: options(Service::Ingest)?,
            store: store.clone(),
            shared_group: plan.shared_group.clone(),
            health: ingest,
        };
        services.start("ingest", |stop| async move { Ok(bugbrother_ingest::run(config, stop).await?) });
    }
    if plan.has(Service::Notifier) {
        let config = bugbrother_notifier::Config {
            mqtt: options(Service::Notifier)?,
            store: store.clone(),
            post: post(plan, http.as_ref())?,
        };
        services.start("notifier", |stop| async move { Ok(bugbrother_notifier::run(config, stop).await?) });
    }
    if let Some(listener) = http {
        let key = keys::session(&plan.data)?;
        let mut config = bugbrother_dashboard::Config::new(store.clone(), options(Service::Dashboard)?, key);
        config.metrics = Some(metrics);
        config.parts = parts;
        config.ready = readiness.sessions();
        let authority = Arc::new(authority::open(&plan.data, store).await?);
        // A broker of this process follows by itself.
        if !plan.has(Service::Broker) {
            let (data, authority, store) = (plan.data.clone(), Arc::clone(&authority), store.clone());
            services.start("revocations", |stop| {
                authority::follow_revoked(data, authority, store, authority::FOLLOW_EVERY, stop)
            });
        }
        config.enrolment = Some(bugbrother_dashboard::Enrolment { authority, broker: plan.net.public_broker.clone() });
        let library = plan.net.media.open(&plan.data).await?;
        let documents = plan.net.media.documents(&plan.data, &library)?;
        match documents.move_in().await {
            Ok(0) => {}
            Ok(files) => info!(files, "contracts' documents moved from the data folder into the bucket"),
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "contracts' documents stay in the data folder");
            }
        }
        config.documents = Some(Arc::new(documents));
        config.library = Some(library);
        if let Some(bytes) = plan.net.media.media_bytes {
            config.limits.media_bytes = bytes;
        }
        let data = plan.data.clone();
        config.revoke = Some(Arc::new(move |vin| {
            let data = data.clone();
            Box::pin(async move {
                let lost = vehicles::revoke(&data, vin).await?;
                Ok(RevokedKeys { certificates: lost.certificates, password: lost.password })
            })
        }));
        config.heralding = heralding(&plan.net);
        if let Some(from) = &plan.net.tiles {
            config.tiles = Some(bugbrother_dashboard::tiles::Tiles::open(from, &plan.net.tiles_attribution).await?);
        }
        config.cameras = bugbrother_guard::Guard::new(plan.net.allow_cameras.iter().copied());
        config.push_key = Some(keys::push(&plan.data, plan.net.public_url.as_deref())?.public());
        config.servers = plan.net.servers.iter().map(|origin| origin.trim_end_matches('/').to_owned()).collect();
        if let Some(url) = &plan.net.public_url {
            if !url.starts_with("https://") {
                bail!(
                    "--public-url {url}: people and vehicles from outside come through TLS, so it begins with https://"
                );
            }
            config.origins = vec![url.trim_end_matches('/').to_owned()];
            config.secure_cookies = true;
            config.behind_proxy = true;
        }
        services.start("dashboard", |stop| async move { Ok(bugbrother_dashboard::run(config, listener, stop).await?) });
    }
    Ok(())
}

/// What others are told of the fleet.
fn heralding(net: &Net) -> Option<Heralding> {
    let every = net.state.or(net.home_assistant.as_ref().map(|_| STATE_EVERY_S))?;
    let heralding = Heralding::new(Duration::from_secs(every));
    Some(Heralding { home_assistant: net.home_assistant.clone(), ..heralding })
}

/// The words for trouble codes, the fleet's own among them. Lines that cannot be used are named and skipped.
fn install_catalogue(plan: &Plan) -> Result<()> {
    let Some(path) = &plan.net.dtc_csv else { return Ok(()) };
    let (catalogue, bad) = Catalogue::open(path)?;
    for skipped in bad {
        warn!(line = skipped.line, problem = skipped.problem, "a line of the fleet's own trouble codes is skipped");
    }
    info!(codes = catalogue.own_len(), "the fleet has words of its own for trouble codes");
    if bugbrother_dtc::install(catalogue).is_err() {
        bail!("the words for trouble codes are read once, at the start");
    }
    Ok(())
}

/// How people are told of alerts. Their links lead to where browsers find the dashboard.
fn post(plan: &Plan, http: Option<&TcpListener>) -> Result<bugbrother_notifier::post::Settings> {
    let net = &plan.net;
    let here = http.map(TcpListener::local_addr).transpose()?.or(net.http);
    let public = net.public_url.as_ref().or(net.servers.first());
    Ok(bugbrother_notifier::post::Settings {
        gate: bugbrother_notifier::post::gate::Gate::new(net.allow_private.iter().copied()),
        push: Some(Arc::new(keys::push(&plan.data, plan.net.public_url.as_deref())?)),
        mail_authorities: mail_authorities(net)?,
        telegram: net.telegram_api.clone(),
        dashboard: public
            .map(|url| url.trim_end_matches('/').to_owned())
            .or_else(|| here.map(|address| format!("http://{address}"))),
        ..Default::default()
    })
}

/// Who vouches for the fleet's mail server beside those that this system trusts.
pub(crate) fn mail_authorities(net: &Net) -> Result<MailAuthorities> {
    let Some(path) = &net.mail_ca else { return Ok(MailAuthorities::default()) };
    let pem = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    MailAuthorities::read(&pem).with_context(|| format!("--mail-ca `{}`", path.display()))
}

/// Histograms keep every value until they are summed up, and what a process takes is looked at now and then.
async fn keep_up(metrics: PrometheusHandle, data: PathBuf, stop: CancellationToken) -> Result<()> {
    let mut ticks = interval(UPKEEP);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics.run_upkeep();
        process::measure(&data);
    }
    Ok(())
}
