//! What a stream and those who watch it cost the server: viewers without a browser, who read what comes and look at its time.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, bail, ensure};
use bugbrother_kit::port;
use bugbrother_tests::viewer::Viewer;
use bugbrother_wire::{unix_ms, video::Piece};
use futures_util::StreamExt;
use tokio::{task::JoinSet, time::timeout};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest, http::header};

use super::car::{Car, VIN};
use crate::{figures::Sorted, settings::Settings, usage};

const LIMIT: Duration = Duration::from_secs(60);
const CROWDS: [usize; 4] = [0, 1, 10, 100];

/// What somebody saw.
#[derive(Default)]
struct Seen {
    lags: Vec<f64>,
    missed: u64,
}

pub async fn measure(settings: &Settings) -> Result<String> {
    let mut car = Car::start(1).await?;
    let viewer = Viewer::sign_in(car.system.http(), "admin", car.system.password()?).await?;
    let mut text = String::from(
        "\n### What viewers cost\n\n| viewers of one camera | agent | server | for each viewer | server's memory | age p50 | p99 | oldest | \
         pictures left out |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let mut alone = 0.0;
    for viewers in CROWDS {
        let (server, agent) = (car.server()?, car.agent.id());
        let over = Arc::new(AtomicBool::new(false));
        let mut crowd = JoinSet::new();
        for _ in 0..viewers {
            crowd.spawn(look(car.system.http(), viewer.token().to_owned(), Arc::clone(&over)));
        }
        // Until all are there and what they brought along is over.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let before = (usage::cpu_us(&[server])?, usage::cpu_us(&[agent])?);
        tokio::time::sleep(settings.time).await;
        let seconds = settings.time.as_secs_f64();
        let share = |now: f64, before: f64| (now - before) / 1e4 / seconds;
        let busy = share(usage::cpu_us(&[server])?, before.0);
        let sends = share(usage::cpu_us(&[agent])?, before.1);
        let memory = usage::resident_bytes(&[server])? / f64::from(1 << 20);
        over.store(true, Ordering::Relaxed);
        let (mut lags, mut missed) = (Vec::new(), 0);
        while let Some(seen) = crowd.join_next().await {
            let seen = seen??;
            ensure!(!seen.lags.is_empty(), "a viewer saw nothing");
            lags.extend(seen.lags);
            missed += seen.missed;
        }
        if viewers == 0 {
            alone = busy;
        }
        let each =
            if viewers == 0 { "–".to_owned() } else { format!("{:.2} %", (busy - alone).max(0.0) / viewers as f64) };
        let ages = Sorted::new(lags);
        let age = |share: f64| if viewers == 0 { "–".to_owned() } else { format!("{:.0} ms", ages.quantile(share)) };
        writeln!(
            text,
            "| {viewers} | {sends:.1} % | {busy:.1} % | {each} | {memory:.0} MiB | {} | {} | {} | {missed} |",
            age(0.5),
            age(0.99),
            age(1.0)
        )?;
        println!("{}", text.lines().last().unwrap_or_default());
        car.check()?;
    }
    Ok(text)
}

/// Watches until it is over.
async fn look(server: u16, token: String, over: Arc<AtomicBool>) -> Result<Seen> {
    let mut request = format!("ws://{}/video/{VIN}/cam-0", port::local(server)).into_client_request()?;
    request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse()?);
    let (mut socket, _) = timeout(LIMIT, tokio_tungstenite::connect_async(request)).await??;
    let mut seen = Seen::default();
    let mut last = None;
    while !over.load(Ordering::Relaxed) {
        let message = timeout(LIMIT, socket.next()).await?.context("the server has hung up")??;
        let Message::Binary(bytes) = message else { continue };
        let Ok(Some(Piece::Fragment(fragment))) = Piece::read(&bytes) else { continue };
        if let Some(last) = last.replace(fragment.picture) {
            seen.missed += u64::from(fragment.picture.saturating_sub(last + 1));
            // Those since the last key frame come at once, and are older.
            seen.lags.push((unix_ms(SystemTime::now()) - fragment.captured) as f64);
        }
        if fragment.captured <= 0 {
            bail!("the vehicle does not know what time it is");
        }
    }
    // What the first second brought was there before.
    let begun = seen.lags.len().min(25);
    seen.lags.drain(..begun);
    Ok(seen)
}
