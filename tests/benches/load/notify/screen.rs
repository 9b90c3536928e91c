//! The dashboard's live feed, as somebody has it who has the map of the whole fleet open.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result, bail};
use bugbrother_wire::{
    AlertId,
    codec::decode_value,
    encode,
    live::{Frame, Want},
    message::Alert,
};
use futures_util::{SinkExt, StreamExt};
use tokio::task::JoinHandle;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::header},
};

use super::{clock, probe::Crossing};

/// Signals that the app's map wants.
const SHOWN: [&str; 8] = ["lat", "lon", "hdg", "spd", "gspd", "rpm", "fuel", "soc"];

#[derive(Default)]
struct Seen {
    crossings: HashMap<Crossing, f64>,
    alerts: HashSet<AlertId>,
    /// Why it sees no more.
    ended: Option<String>,
}

/// Somebody who watches.
pub struct Screen {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Screen {
    pub async fn open(http: SocketAddr, token: &str) -> Result<Self> {
        let mut request = format!("ws://{http}/live").into_client_request()?;
        request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse()?);
        let (mut socket, _) = connect_async(request).await.context("the live feed")?;
        let want = Want { signals: Some(SHOWN.map(str::to_owned).to_vec()), ..Want::default() };
        socket.send(Message::Binary(encode(&want).into())).await?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let watch = async {
                while let Some(message) = socket.next().await {
                    let Message::Binary(bytes) = message? else { continue };
                    let at = clock();
                    match decode_value(&bytes)? {
                        Frame::Hello { .. } => {}
                        Frame::Snapshot(snapshot) => note(&shared, &snapshot.alerts, at),
                        Frame::Delta(delta) => note(&shared, &delta.alerts, at),
                    }
                }
                bail!("the live feed has ended")
            };
            let ended: Result<()> = watch.await;
            lock(&shared).ended = ended.err().map(|error| format!("{error:#}"));
        });
        Ok(Screen { seen, task })
    }

    /// When each crossing was there.
    pub fn seen(&self) -> Result<HashMap<Crossing, f64>> {
        let seen = lock(&self.seen);
        if let Some(ended) = &seen.ended {
            bail!("{ended}");
        }
        Ok(seen.crossings.clone())
    }

    /// Alerts that were there, the fleet's too.
    pub fn count(&self) -> usize {
        lock(&self.seen).alerts.len()
    }

    pub fn close(self) {
        self.task.abort();
    }
}

fn note(seen: &Mutex<Seen>, alerts: &[Alert], at: f64) {
    let mut seen = lock(seen);
    for alert in alerts {
        seen.alerts.insert(alert.id);
        if let Some(crossing) = Crossing::of(alert) {
            seen.crossings.entry(crossing).or_insert(at);
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
