//! Somebody who has signed in: the HTTP API and the live feed.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bugbrother_wire::{
    Vin, api,
    codec::decode_value,
    live::{Frame, LiveVehicle},
    message::Alert,
};
use futures_util::StreamExt;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest, http::header},
};

const LIMIT: Duration = Duration::from_secs(30);

/// A dashboard's HTTP API.
pub struct Viewer {
    base: String,
    http: Client,
    token: String,
}

impl Viewer {
    /// Signs in as a program does.
    pub async fn sign_in(port: u16, name: &str, password: &str) -> Result<Self> {
        Self::sign_in_at(format!("127.0.0.1:{port}"), name, password).await
    }

    /// The same at a dashboard with that name and port.
    pub async fn sign_in_at(base: String, name: &str, password: &str) -> Result<Self> {
        let mut viewer = Viewer { base, http: Client::new(), token: String::new() };
        let answer = viewer.post_session(name, password).await?;
        if answer.status() != StatusCode::OK {
            bail!("signing in: {} {}", answer.status(), answer.text().await?);
        }
        viewer.token = answer.json::<api::Session>().await?.token.context("a program is given its token")?;
        Ok(viewer)
    }

    /// Tries a name and a password.
    pub async fn post_session(&self, name: &str, password: &str) -> Result<Response> {
        let body = api::SignIn { name: name.to_owned(), password: password.to_owned(), code: None };
        let request = self.http.post(format!("http://{}/api/frontend/session", self.base));
        Ok(request.header("x-bugbrother-client", "program").json(&body).timeout(LIMIT).send().await?)
    }

    /// The same dashboard with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Viewer { base: self.base.clone(), http: self.http.clone(), token: token.to_owned() }
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A request to a path, signed in.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("http://{}{path}", self.base)).bearer_auth(&self.token).timeout(LIMIT)
    }

    /// The same that puts something there.
    pub fn put(&self, path: &str, body: &impl Serialize) -> RequestBuilder {
        let request = self.http.put(format!("http://{}{path}", self.base)).bearer_auth(&self.token);
        request.json(body).timeout(LIMIT)
    }

    /// A counter of `/metrics`, all its labels added up; 0 while it has not counted.
    pub async fn counter(&self, name: &str) -> Result<f64> {
        let text = self.get("/metrics").send().await?.error_for_status()?.text().await?;
        let of_name = |line: &&str| line.split(['{', ' ']).next() == Some(name);
        Ok(text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Opens the live feed.
    pub async fn live(&self) -> Result<Live> {
        let mut request = format!("ws://{}/live", self.base).into_client_request()?;
        request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {}", self.token).parse()?);
        let (socket, _) = timeout(LIMIT, tokio_tungstenite::connect_async(request)).await??;
        Ok(Live { socket, vehicles: Vec::new(), alerts: Vec::new() })
    }
}

/// The live feed and what it has said so far.
pub struct Live {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    vehicles: Vec<LiveVehicle>,
    alerts: Vec<Alert>,
}

impl Live {
    /// Reads frames until `condition` holds something of the fleet as it stands.
    pub async fn until<T>(&mut self, what: &str, mut condition: impl FnMut(&Self) -> Option<T>) -> Result<T> {
        let read = async {
            loop {
                if let Some(value) = condition(self) {
                    return Ok(value);
                }
                self.read().await?;
            }
        };
        timeout(LIMIT, read).await.with_context(|| format!("waited {LIMIT:?} on the live feed in vain for: {what}"))?
    }

    /// A vehicle as it stands.
    pub fn vehicle(&self, vin: Vin) -> Option<&LiveVehicle> {
        self.vehicles.iter().find(|vehicle| vehicle.vin == vin)
    }

    /// Alerts as they stand, those resolved since the beginning too.
    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    async fn read(&mut self) -> Result<()> {
        let message = self.socket.next().await.context("the live feed ended")??;
        let Message::Binary(bytes) = message else { return Ok(()) };
        match decode_value::<Frame>(&bytes)? {
            Frame::Hello { .. } => {}
            Frame::Snapshot(snapshot) => (self.vehicles, self.alerts) = (snapshot.vehicles, snapshot.alerts),
            Frame::Delta(delta) => {
                for named in delta.named {
                    self.vehicles.retain(|vehicle| vehicle.vin != named.vin);
                    self.vehicles.push(named);
                }
                for change in delta.changed {
                    let vehicle = self.vehicles.iter_mut().find(|vehicle| vehicle.n == change.0);
                    let vehicle = vehicle.context("a change of a vehicle that was never named")?;
                    (vehicle.presence, vehicle.source_ts, vehicle.received_ts) = (change.1, change.2, change.3);
                    vehicle.values.extend(change.4);
                }
                for alert in delta.alerts {
                    self.alerts.retain(|known| known.id != alert.id);
                    self.alerts.push(alert);
                }
            }
        }
        Ok(())
    }
}
