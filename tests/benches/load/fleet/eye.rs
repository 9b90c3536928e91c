//! Somebody who has the map of the whole fleet open, and how old is what the live feed tells.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use anyhow::{Context, Result, bail};
use bugbrother_kit::{port, system::System};
use bugbrother_load::histogram::Histogram;
use bugbrother_tests::viewer::Viewer;
use bugbrother_wire::{
    UnixMs, Vin,
    codec::decode_value,
    encode,
    live::{Frame, LiveVehicle, Want},
};
use futures_util::{SinkExt, StreamExt};
use tokio::task::JoinHandle;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::header},
};

use crate::drive;

/// Signals that the app's map wants.
const SHOWN: [&str; 8] = ["lat", "lon", "hdg", "spd", "gspd", "rpm", "fuel", "soc"];

#[derive(Default)]
struct Seen {
    ages: Histogram,
    /// Why it sees no more.
    ended: Option<String>,
}

/// Somebody who watches.
pub struct Eye {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Eye {
    /// Opens it; the values of the vehicles with these numbers are timed.
    pub async fn open(system: &System, timed: impl Iterator<Item = usize>) -> Result<Self> {
        let viewer = Viewer::sign_in(system.http(), "admin", system.password()?).await?;
        let mut request = format!("ws://{}/live?quiet=1", port::local(system.http())).into_client_request()?;
        request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {}", viewer.token()).parse()?);
        let (mut socket, _) = connect_async(request).await.context("the live feed")?;
        let want = Want { signals: Some(SHOWN.map(str::to_owned).to_vec()), ..Want::default() };
        socket.send(Message::Binary(encode(&want).into())).await?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (shared, mut known) = (Arc::clone(&seen), Known::new(timed.map(drive::vin).collect()));
        let task = tokio::spawn(async move {
            let watch = async {
                while let Some(message) = socket.next().await {
                    let bytes = match message? {
                        Message::Binary(bytes) => bytes,
                        Message::Close(frame) => bail!("sent away: {frame:?}"),
                        _ => continue,
                    };
                    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64() * 1000.0;
                    let times = known.news(decode_value(&bytes)?);
                    let mut seen = lock(&shared);
                    times.into_iter().for_each(|time| seen.ages.add(now - time as f64));
                }
                bail!("the live feed has ended")
            };
            let ended: Result<()> = watch.await;
            lock(&shared).ended = ended.err().map(|error| format!("{error:#}"));
        });
        Ok(Eye { seen, task })
    }

    /// The ages of what was told since the last call.
    pub fn take(&self) -> Result<Histogram> {
        let mut seen = lock(&self.seen);
        if let Some(ended) = &seen.ended {
            bail!("{ended}");
        }
        Ok(std::mem::take(&mut seen.ages))
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Vehicles by their numbers on the feed, with the time of the newest sample of each.
struct Known {
    timed: HashSet<Vin>,
    newest: HashMap<u32, UnixMs>,
}

impl Known {
    fn new(timed: HashSet<Vin>) -> Self {
        Known { timed, newest: HashMap::new() }
    }

    fn is_new(&mut self, number: u32, time: UnixMs) -> Option<UnixMs> {
        let newest = self.newest.get_mut(&number)?;
        let before = std::mem::replace(newest, time);
        // A change of presence alone tells the old time again; what was there at the beginning is not news.
        (before > 0 && time > before).then_some(time)
    }

    fn name(&mut self, vehicle: &LiveVehicle) -> Option<UnixMs> {
        if self.timed.contains(&vehicle.vin) {
            self.newest.entry(vehicle.n).or_default();
        }
        self.is_new(vehicle.n, vehicle.source_ts)
    }

    /// When what is new in a frame was measured.
    fn news(&mut self, frame: Frame) -> Vec<UnixMs> {
        match frame {
            Frame::Hello { .. } => Vec::new(),
            Frame::Snapshot(snapshot) => {
                snapshot.vehicles.iter().for_each(|vehicle| _ = self.name(vehicle));
                Vec::new()
            }
            Frame::Delta(delta) => {
                let named: Vec<_> = delta.named.iter().filter_map(|vehicle| self.name(vehicle)).collect();
                let changed = delta.changed.iter().filter_map(|change| self.is_new(change.0, change.2));
                named.into_iter().chain(changed).collect()
            }
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
