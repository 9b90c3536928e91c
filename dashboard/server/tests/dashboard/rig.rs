//! A dashboard on a free port, with a database of its own.

use std::{
    net::SocketAddr,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use bugbrother_client::Options;
use bugbrother_dashboard::{ADMINISTRATOR, Config, Error, SigningKey, ensure_administrator};
use bugbrother_kit::{port, wait};
use bugbrother_store::{Account, Assignment, Client, ClientId, Contract, ContractId, Store, User};
use bugbrother_wire::{
    UnixMs, Vin,
    api::{Problem, Role, Session},
    unix_ms,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::{
    Connection,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longest that a test waits for anything.
pub const LIMIT: Duration = Duration::from_secs(20);
/// The key that the dashboard signs with.
pub const KEY: [u8; 32] = [7; 32];

pub struct Rig {
    pub store: Store,
    pub address: SocketAddr,
    pub password: String,
    pub stop: CancellationToken,
    running: JoinHandle<Result<(), Error>>,
    client: reqwest::Client,
    dir: TempDir,
}

impl Rig {
    /// Without a broker.
    pub async fn start() -> Result<Self> {
        Self::start_with(port::free()?, |_| {}).await
    }

    pub async fn start_with(broker: u16, change: impl FnOnce(&mut Config)) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let url = format!("sqlite://{}", dir.path().join("fleet.db").display());
        let store = Store::open(&url).await?;
        let password = ensure_administrator(&store).await?.context("a new database has no users")?;
        let mqtt = Options::new("127.0.0.1", broker, "", "dashboard", "");
        let mut config = Config::new(store.clone(), mqtt, SigningKey::from_bytes(KEY));
        config.metrics = Some(metrics().clone());
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let running = tokio::spawn(bugbrother_dashboard::run(config, listener, stop.clone()));
        Ok(Rig {
            store,
            address,
            password: password.expose().to_owned(),
            stop,
            running,
            client: reqwest::Client::new(),
            dir,
        })
    }

    /// Stops the dashboard and waits for its end.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        Ok(tokio::time::timeout(LIMIT, self.running).await???)
    }

    /// Waits until it hears its broker: what is published from then on reaches it.
    pub async fn until_healthy(&self) -> Result<()> {
        wait::until("the dashboard is healthy", LIMIT, || async {
            let answer = self.request(Method::GET, "/healthz").send().await.ok()?;
            (answer.status() == StatusCode::OK).then_some(())
        })
        .await
    }

    /// A connection of its own to the database.
    pub async fn database(&self) -> Result<SqliteConnection> {
        let options = SqliteConnectOptions::new().filename(self.dir.path().join("fleet.db"));
        Ok(SqliteConnection::connect_with(&options).await?)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub async fn try_to_sign_in(&self, name: &str, password: &str) -> Result<Response> {
        let body = json!({ "name": name, "password": password });
        let request = self.request(Method::POST, "/api/frontend/session");
        Ok(request.header("x-bugbrother-client", "program").json(&body).send().await?)
    }

    /// The administrator's token.
    pub async fn token(&self) -> Result<String> {
        let answer = self.try_to_sign_in(ADMINISTRATOR, &self.password).await?;
        let session: Session = answer.error_for_status()?.json().await?;
        session.token.context("programs are given the token")
    }

    /// The token of somebody who signs in for a client with these vehicles in its contract.
    pub async fn client_with(&self, vins: &[Vin]) -> Result<String> {
        self.client_of(vins, false).await
    }

    /// The same, with a contract that says whether they may see what the cameras see.
    pub async fn client_of(&self, vins: &[Vin], video: bool) -> Result<String> {
        let (client, contract) = (ClientId(Uuid::now_v7()), ContractId(Uuid::now_v7()));
        let name = client.to_string();
        self.store
            .add_client(&Client {
                id: client,
                name: name.clone(),
                contact: None,
                email: None,
                phone: None,
                note: None,
                created: now(),
                archived: None,
            })
            .await?;
        self.store
            .add_contract(&Contract {
                id: contract,
                client,
                title: "All of it".to_owned(),
                starts: now() - 1000,
                ends: None,
                retention_days: None,
                media_retention_days: None,
                video,
                options: serde_json::Map::new(),
                note: None,
            })
            .await?;
        for vin in vins {
            self.store.assign_vehicle(&Assignment { contract, vin: *vin, from: now() - 1000, to: None }, now()).await?;
        }
        // The administrator's password, too: hashing is slow.
        let admin = self.store.user(ADMINISTRATOR).await?.context("there is an administrator")?;
        self.store.add_user(&User { name: name.clone(), role: Role::Client, ..admin }, now()).await?;
        let account = self.store.account(&name).await?.context("it was just added")?;
        self.store.update_account(&Account { client: Some(client), ..account }, now()).await?;
        let session: Session = self.try_to_sign_in(&name, &self.password).await?.error_for_status()?.json().await?;
        session.token.context("programs are given the token")
    }

    /// Signs in as a program does.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<Session> {
        Ok(self.try_to_sign_in(name, password).await?.error_for_status()?.json().await?)
    }

    /// A new user with the administrator's password, as hashing is slow: the token.
    pub async fn user(&self, name: &str, role: Role) -> Result<String> {
        let admin = self.store.user(ADMINISTRATOR).await?.context("there is an administrator")?;
        self.store.add_user(&User { name: name.to_owned(), role, ..admin }, now()).await?;
        self.sign_in(name, &self.password).await?.token.context("programs are given the token")
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Result<Response> {
        Ok(self.request(Method::POST, path).bearer_auth(token).json(body).send().await?)
    }

    pub async fn delete(&self, path: &str, token: &str) -> Result<Response> {
        Ok(self.request(Method::DELETE, path).bearer_auth(token).send().await?)
    }

    pub async fn get(&self, path: &str, token: &str) -> Result<Response> {
        let request = self.request(Method::GET, path).bearer_auth(token);
        Ok(request.send().await?)
    }

    pub async fn name(&self, token: &str, vin: Vin, name: &str) -> Result<Response> {
        let request = self.request(Method::PUT, &format!("/api/frontend/vehicles/{vin}"));
        let body = json!({ "name": name });
        Ok(request.bearer_auth(token).json(&body).send().await?)
    }
}

/// That the answer is this refusal, as JSON.
pub async fn expect_refusal(answer: Response, status: StatusCode, error: &str) -> Result<Problem> {
    let found = answer.status();
    let body: Problem = answer.json().await.context("a refusal is JSON")?;
    ensure!(found == status && body.error == error, "{found} {body:?} instead of {status} {error}");
    Ok(body)
}

/// The counters of this process; tests may share it.
pub fn metrics() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| PrometheusBuilder::new().install_recorder().expect("no other recorder is installed"))
}

/// Value of a counter, such as `name{label="value"}`.
pub fn counted(counter: &str) -> u64 {
    let page = metrics().render();
    let line = page.lines().find_map(|line| line.strip_prefix(counter));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

pub fn vin(n: usize) -> Vin {
    format!("WVWZZZ1JZ3W{n:06}").parse().expect("digits may stand in a VIN")
}

pub fn now() -> UnixMs {
    unix_ms(SystemTime::now())
}
