//! Services started, watched and stopped together.

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, anyhow, bail};
use bugbrother_client::Options;
use bugbrother_mosquitto_compat::conf;
use bugbrother_store::Store;
use bugbrother_wire::UnixMs;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{accounts, arguments::Net, banner, data::DataDir, demo};

const MQTT_PORT: u16 = 1883;
const HTTP_PORT: u16 = 8080;
/// How long a stage of the shut-down may take before the next one begins.
const STAGE_TIMEOUT: Duration = Duration::from_secs(10);
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
    data: DataDir,
    net: Net,
    services: Vec<Service>,
    /// How fast simulated cars live, where there are to be some.
    demo_speed: Option<f64>,
}

impl Plan {
    /// These services on this machine.
    pub fn only(data: DataDir, net: Net, services: &[Service]) -> Self {
        Plan { data, net, services: services.to_vec(), demo_speed: None }
    }

    /// All services, and simulated cars.
    pub fn demo(data: DataDir, net: Net, speed: f64) -> Self {
        Plan { demo_speed: Some(speed), ..Plan::only(data, net, &Service::ALL) }
    }

    fn has(&self, service: Service) -> bool {
        self.services.contains(&service)
    }

    /// Binds an address that this plan listens on. The demo takes any free port where the default one is taken.
    async fn bind(&self, given: Option<SocketAddr>, default_port: u16, option: &str) -> Result<TcpListener> {
        let address = resolve(given, default_port, option)?;
        match TcpListener::bind(address).await {
            Ok(listener) => Ok(listener),
            Err(_) if given.is_none() && self.demo_speed.is_some() => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
                listener.context("no free port on 127.0.0.1")
            }
            Err(error) => {
                Err(error).with_context(|| format!("cannot listen on {address}; choose another address with {option}"))
            }
        }
    }
}

fn resolve(given: Option<SocketAddr>, default_port: u16, option: &str) -> Result<SocketAddr> {
    let address = given.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, default_port).into());
    if !address.ip().is_loopback() {
        bail!(
            "{option} {address}: without TLS only a loopback address is taken; \
             let a proxy with TLS on this machine listen for others"
        );
    }
    Ok(address)
}

/// The time of this machine's clock.
pub fn now_ms() -> UnixMs {
    bugbrother_wire::unix_ms(SystemTime::now())
}

/// Tasks that are stopped together.
#[derive(Default)]
pub struct Stage {
    stop: CancellationToken,
    tasks: JoinSet<(&'static str, Result<()>)>,
}

impl Stage {
    /// Starts a part; it is to end when its token says so and not before.
    pub fn start<F>(&mut self, name: &'static str, part: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        // Boxed, so that the futures of whole services do not lie in one another.
        let part = Box::pin(part(self.stop.clone()));
        self.tasks.spawn(async move { (name, part.await) });
    }

    /// The first part that ends; waits for ever where there is none.
    async fn ended(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok((name, Ok(())))) => anyhow!("{name} ended by itself"),
            Some(Ok((name, Err(error)))) => error.context(format!("{name} ended")),
            Some(Err(panic)) => anyhow!("a part of the system broke down: {panic}"),
            None => std::future::pending().await,
        }
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                match ended {
                    Ok((_, Ok(()))) => {}
                    Ok((name, Err(error))) => error!("{name}: {error:#}"),
                    Err(panic) => error!("a part of the system broke down: {panic}"),
                }
            }
        };
        if timeout(STAGE_TIMEOUT, all).await.is_err() {
            error!(left = self.tasks.len(), "some parts did not stop in time");
        }
    }
}

/// Runs the plan until a signal or until one of its parts ends.
pub async fn run(plan: Plan) -> Result<()> {
    accounts::ensure(&plan.data)?;
    let fleet = match plan.demo_speed {
        Some(_) => demo::register(&plan.data)?,
        None => Vec::new(),
    };
    let metrics = PrometheusBuilder::new().install_recorder().context("cannot keep counters")?;
    let (mut broker, mut services, mut cars) = (Stage::default(), Stage::default(), Stage::default());
    services.start("metrics", |stop| keep_up(metrics.clone(), stop));

    let mqtt = if plan.has(Service::Broker) {
        let listener = plan.bind(plan.net.mqtt, MQTT_PORT, "--mqtt").await?;
        let address = listener.local_addr()?;
        let settings = conf::Listener {
            port: address.port(),
            bind: Some(address.ip().to_string()),
            domain: conf::Domain::Both,
            protocol: conf::Protocol::Mqtt,
            tls: None,
            max_connections: None,
            proxy_protocol: false,
            access: conf::Access {
                password_file: Some(plan.data.access().passwords()),
                acl_file: Some(plan.data.access().acl()),
                allow_anonymous: false,
            },
        };
        let config = bugbrother_broker::Config {
            doors: vec![bugbrother_broker::Door { settings, sockets: vec![listener] }],
            limits: bugbrother_broker::Limits::default(),
            sys_interval: None,
            reload: Arc::default(),
        };
        broker.start("broker", |stop| async move { Ok(bugbrother_broker::run(config, stop).await?) });
        address
    } else {
        resolve(plan.net.mqtt, MQTT_PORT, "--mqtt")?
    };
    let http = match plan.has(Service::Dashboard) {
        true => Some(plan.bind(plan.net.http, HTTP_PORT, "--http").await?),
        false => None,
    };
    let http_address = http.as_ref().map(TcpListener::local_addr).transpose()?;

    let mut administrator = None;
    if plan.services.iter().any(|service| *service != Service::Broker) {
        let store = plan.data.store().await?;
        if http.is_some() {
            administrator = bugbrother_dashboard::ensure_administrator(&store).await?;
        }
        start_services(&plan, &mut services, &store, mqtt, http, metrics)?;
        if let Some(speed) = plan.demo_speed {
            demo::start(&plan.data, &store, mqtt, fleet, speed, &mut cars).await?;
        }
    }
    let password = administrator.as_ref().map(|password| password.expose());
    banner::started(http_address, mqtt, plan.data.path(), password);

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let outcome = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        error = cars.ended() => Err(error),
        error = services.ended() => Err(error),
        error = broker.ended() => Err(error),
    };
    info!("stopping");
    // Who sends stops before who stores, and the broker is last.
    cars.stop().await;
    services.stop().await;
    broker.stop().await;
    outcome
}

fn start_services(
    plan: &Plan,
    services: &mut Stage,
    store: &Store,
    mqtt: SocketAddr,
    http: Option<TcpListener>,
    metrics: PrometheusHandle,
) -> Result<()> {
    let options = |service: Service| -> Result<Options> {
        let name = service.name();
        let password =
            plan.data.secret(name)?.with_context(|| format!("no password of `{name}` in the data folder"))?;
        Ok(Options::new(mqtt.ip().to_string(), mqtt.port(), name, name, password))
    };
    if plan.has(Service::Ingest) {
        let config = bugbrother_ingest::Config { mqtt: options(Service::Ingest)?, store: store.clone() };
        services.start("ingest", |stop| async move { Ok(bugbrother_ingest::run(config, stop).await?) });
    }
    if plan.has(Service::Notifier) {
        let config = bugbrother_notifier::Config { mqtt: options(Service::Notifier)?, store: store.clone() };
        services.start("notifier", |stop| async move { Ok(bugbrother_notifier::run(config, stop).await?) });
    }
    if let Some(listener) = http {
        let key = bugbrother_dashboard::SigningKey::load_or_create(&plan.data.session_key())?;
        let mut config = bugbrother_dashboard::Config::new(store.clone(), options(Service::Dashboard)?, key);
        config.metrics = Some(metrics);
        if let Some(url) = &plan.net.public_url {
            config.origins = vec![url.trim_end_matches('/').to_owned()];
            config.secure_cookies = url.starts_with("https://");
            config.behind_proxy = true;
        }
        services.start("dashboard", |stop| async move { Ok(bugbrother_dashboard::run(config, listener, stop).await?) });
    }
    Ok(())
}

/// Histograms keep every value until they are summed up.
async fn keep_up(metrics: PrometheusHandle, stop: CancellationToken) -> Result<()> {
    let mut ticks = interval(UPKEEP);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics.run_upkeep();
    }
    Ok(())
}
