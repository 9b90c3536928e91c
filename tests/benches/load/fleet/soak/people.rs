//! People who come to the dashboard, look at some pages, watch the map for a while, and go.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use bugbrother_kit::{port, system::System};
use bugbrother_tests::viewer::Viewer;
use bugbrother_wire::{
    encode,
    live::{Want, Which},
};
use futures_util::{SinkExt, StreamExt};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use reqwest::StatusCode;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::header},
};
use tokio_util::sync::CancellationToken;

use crate::drive;

const PEOPLE: usize = 20;
/// How long somebody stays, and is gone, in ms.
const STAY_MS: std::ops::Range<u64> = 5_000..30_000;
const GONE_MS: std::ops::Range<u64> = 1_000..5_000;

#[derive(Default)]
struct Tally {
    /// Who has the live feed open.
    present: AtomicUsize,
    visits: AtomicU64,
    /// What somebody met with.
    trouble: Mutex<Option<String>>,
}

/// All of them.
pub struct People {
    tally: Arc<Tally>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl People {
    /// They begin to come.
    pub fn come(system: &System, vehicles: usize) -> Result<Self> {
        let mut people = People { tally: Arc::default(), stop: CancellationToken::new(), tasks: JoinSet::new() };
        let password = system.password()?.to_owned();
        let door = Arc::new(Door { http: system.http(), password, newest: tokio::sync::Mutex::default() });
        for number in 0..PEOPLE {
            let (tally, stop) = (Arc::clone(&people.tally), people.stop.clone());
            let person = Person {
                door: Arc::clone(&door),
                vehicles,
                viewer: None,
                chance: SmallRng::seed_from_u64(number as u64),
                tally: Arc::clone(&tally),
            };
            people.tasks.spawn(async move {
                let ended = stop.run_until_cancelled(person.come_and_go()).await;
                if let Some(Err(error)) = ended {
                    let mut trouble = tally.trouble.lock().unwrap_or_else(PoisonError::into_inner);
                    trouble.get_or_insert(format!("{error:#}"));
                }
            });
        }
        Ok(people)
    }

    /// Who has the live feed open.
    pub fn present(&self) -> usize {
        self.tally.present.load(Relaxed)
    }

    /// Fails if somebody was not served.
    pub fn check(&self) -> Result<()> {
        match &*self.tally.trouble.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(trouble) => bail!("somebody at the dashboard: {trouble}"),
            None => Ok(()),
        }
    }

    /// They go for good; how often they came.
    pub async fn leave(mut self) -> Result<u64> {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        self.check()?;
        Ok(self.tally.visits.load(Relaxed))
    }
}

/// Where they sign in, one for all: so many at once would be taken for somebody who guesses the password.
struct Door {
    http: u16,
    password: String,
    newest: tokio::sync::Mutex<Option<Arc<Viewer>>>,
}

impl Door {
    /// Somebody who has signed in, and not the one whose token is not good any more.
    async fn viewer(&self, expired: Option<&Arc<Viewer>>) -> Result<Arc<Viewer>> {
        let mut newest = self.newest.lock().await;
        match &*newest {
            Some(viewer) if expired.is_none_or(|expired| !Arc::ptr_eq(viewer, expired)) => Ok(Arc::clone(viewer)),
            _ => {
                let viewer = Arc::new(Viewer::sign_in(self.http, "admin", &self.password).await?);
                Ok(Arc::clone(newest.insert(viewer)))
            }
        }
    }
}

struct Person {
    door: Arc<Door>,
    vehicles: usize,
    /// Signed in; a token is good for a quarter of an hour.
    viewer: Option<Arc<Viewer>>,
    chance: SmallRng,
    tally: Arc<Tally>,
}

impl Person {
    async fn come_and_go(mut self) -> Result<()> {
        loop {
            self.visit().await?;
            self.tally.visits.fetch_add(1, Relaxed);
            sleep(Duration::from_millis(self.chance.random_range(GONE_MS))).await;
        }
    }

    async fn visit(&mut self) -> Result<()> {
        let vin = drive::vin(self.chance.random_range(0..self.vehicles));
        for page in [
            "/api/frontend/alerts".to_owned(),
            format!("/api/frontend/vehicles/{vin}"),
            format!("/api/frontend/vehicles/{vin}/signals"),
            format!("/api/frontend/vehicles/{vin}/series?signals=spd,rpm,ect"),
            format!("/api/frontend/vehicles/{vin}/trips"),
        ] {
            self.read(&page).await?;
        }
        let which = if self.chance.random() { Which::Fleet } else { Which::Only(vec![vin]) };
        self.watch(Want { which, whole: vec![vin], ..Want::default() }).await
    }

    async fn read(&mut self, page: &str) -> Result<()> {
        let mut status = StatusCode::UNAUTHORIZED;
        if let Some(viewer) = &self.viewer {
            let answer = viewer.get(page).send().await?;
            status = answer.status();
            answer.bytes().await?;
        }
        if status == StatusCode::UNAUTHORIZED {
            let viewer = self.door.viewer(self.viewer.as_ref()).await?;
            let answer = viewer.get(page).send().await?;
            status = answer.status();
            answer.bytes().await?;
            self.viewer = Some(viewer);
        }
        ensure!(status.is_success(), "{page}: {status}");
        Ok(())
    }

    async fn watch(&mut self, want: Want) -> Result<()> {
        let viewer = self.viewer.as_ref().context("somebody who has signed in")?;
        let mut request = format!("ws://{}/live?quiet=1", port::local(self.door.http)).into_client_request()?;
        request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {}", viewer.token()).parse()?);
        let (mut socket, _) = connect_async(request).await.context("the live feed")?;
        let _present = Present::new(&self.tally);
        socket.send(Message::Binary(encode(&want).into())).await?;
        let until = Instant::now() + Duration::from_millis(self.chance.random_range(STAY_MS));
        while let Ok(message) = timeout_at(until, socket.next()).await {
            if let Message::Close(frame) = message.context("the live feed has ended")?? {
                bail!("sent away: {frame:?}");
            }
        }
        Ok(socket.close(None).await?)
    }
}

struct Present(Arc<Tally>);

impl Present {
    fn new(tally: &Arc<Tally>) -> Self {
        tally.present.fetch_add(1, Relaxed);
        Present(Arc::clone(tally))
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.present.fetch_sub(1, Relaxed);
    }
}
