//! What many viewers cost the dashboard, and how old what they see is.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, bail};
use bugbrother_kit::{port, system::System, wait};
use bugbrother_store::{Store, User};
use bugbrother_tests::viewer::Viewer;
use bugbrother_wire::{
    api::Role,
    codec::decode_value,
    encode,
    live::{Frame, Want, Which},
    unix_ms,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::AsyncReadExt,
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::header},
};
use tokio_util::sync::CancellationToken;

use super::{LIMIT, VEHICLES, gateways::Gateways, serve};
use crate::{
    drive,
    figures::{Sorted, grouped},
    settings::Settings,
    usage,
};

const VIEWERS: usize = 1_000;
const SLOW: usize = 10;
/// The dashboard gives a user so many places.
const PER_USER: usize = 50;
/// Viewers that look at every value to tell how old it is; the others look at the frame's time alone.
const EXAMINERS: usize = 5;
/// What a slow viewer reads, and how often.
const SIP: usize = 8 * 1024;
const SIP_EVERY: Duration = Duration::from_millis(250);
/// Until somebody who was cut off comes back, and how often that may be.
const RETURNING: Duration = Duration::from_millis(500);
const MOST_RETURNS: usize = 100;
/// Between two viewers that come, and from the last to the measurement.
const COMING: Duration = Duration::from_millis(4);
const SETTLING: Duration = Duration::from_secs(5);

/// Signals that the app's maps and lists want.
const SHOWN: [&str; 8] = ["lat", "lon", "hdg", "spd", "gspd", "rpm", "fuel", "soc"];

/// What a viewer has open.
#[derive(Debug, Clone, Copy)]
enum Page {
    /// The page of one vehicle, with all its signals.
    Vehicle,
    /// A map of the whole fleet.
    Map,
    /// No page of the app: a program that wants everything.
    Everything,
}

impl Page {
    fn want(self, number: usize) -> Want {
        let signals = || Some(SHOWN.map(str::to_owned).to_vec());
        match self {
            Page::Vehicle => {
                let vin = drive::vin(number % VEHICLES);
                Want { which: Which::Only(vec![vin]), signals: signals(), whole: vec![vin], since: None }
            }
            Page::Map => Want { signals: signals(), ..Want::default() },
            Page::Everything => Want::default(),
        }
    }
}

pub async fn measure(settings: &Settings) -> Result<String> {
    let mut text = format!(
        "\n### {} viewers\n\n{} vehicles at 1 Hz with 20 signals each. {SLOW} of the viewers are slow: they have the map open and \
         read {} kB a second. All are one process on the same cores.\n\n\
         | viewers have open | each reads | age of a value p50 | p99 | age of a frame p50 | p99 | \
         CPU of the dashboard | of the broker | memory | per viewer |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        grouped(VIEWERS as f64),
        grouped(VEHICLES as f64),
        SIP / 1024 * 1000 / SIP_EVERY.as_millis() as usize,
    );
    let mut system = serve().await?;
    let tokens = admit(&system).await?;
    let gateways = Gateways::start(&system, VEHICLES)?;
    let address = port::local(system.http());
    known(&system).await?;
    let plans: [(&str, &[(Page, usize)]); 5] = [
        ("nobody is there", &[]),
        ("a vehicle", &[(Page::Vehicle, VIEWERS - SLOW)]),
        (
            "a vehicle (900), the whole map (80), everything (10)",
            &[(Page::Vehicle, 900), (Page::Map, 80), (Page::Everything, 10)],
        ),
        ("the whole map", &[(Page::Map, VIEWERS - SLOW)]),
        // Some 3 MB a second each: more of them are more than a loopback interface carries.
        ("everything (100 viewers)", &[(Page::Everything, 100 - SLOW)]),
    ];
    for (name, pages) in plans {
        let before = usage::resident_bytes(&[system.process("dashboard")?.id()])?;
        let audience = Audience::gather(address, &tokens, pages).await?;
        sleep(SETTLING).await;
        let processes = [system.process("dashboard")?.id(), system.process("broker")?.id()];
        let cpu = || -> Result<[f64; 2]> { Ok([usage::cpu_us(&processes[..1])?, usage::cpu_us(&processes[1..])?]) };
        let (began, cpu_before, published) = (std::time::Instant::now(), cpu()?, gateways.published());
        audience.tally.start();
        sleep(settings.time).await;
        let seconds = began.elapsed().as_secs_f64();
        let (cpu_after, published) = (cpu()?, gateways.published() - published);
        let seen = audience.tally.take();
        let resident = usage::resident_bytes(&processes[..1])?;
        let cores = |place: usize| (cpu_after[place] - cpu_before[place]) / 1e6 / seconds;
        let viewers = audience.viewers;
        audience.leave().await?;
        let of = |figures: &Sorted, share: f64| {
            if figures.len() == 0 { "–".to_owned() } else { format!("{:.0} ms", figures.quantile(share)) }
        };
        let each = |total: f64| {
            if viewers == 0 { "–".to_owned() } else { format!("{} kB", grouped(total / viewers as f64 / 1000.0)) }
        };
        writeln!(
            text,
            "| {name} | {}/s | {} | {} | {} | {} | {:.2} cores | {:.2} cores | {} MB | {} |",
            each(seen.bytes as f64 / seconds),
            of(&seen.values, 0.5),
            of(&seen.values, 0.99),
            of(&seen.frames, 0.5),
            of(&seen.frames, 0.99),
            cores(0),
            cores(1),
            grouped(resident / 1e6),
            each((resident - before).max(0.0)),
        )?;
        println!("{}", text.lines().last().unwrap_or_default());
        println!(
            "  {:.0} messages/s published, {} frames, {} viewers cut off{}, {}",
            published as f64 / seconds,
            seen.frames.len(),
            seen.ended,
            seen.trouble.map(|why| format!(" ({why})")).unwrap_or_default(),
            usage::load()
        );
    }
    gateways.leave()?;
    system.check_running()?;
    Ok(text)
}

/// Makes users with the administrator's password, so that everybody finds a place; their tokens.
async fn admit(system: &System) -> Result<Vec<String>> {
    let store = Store::open(&system.database()).await?;
    let admin = store.user("admin").await?.context("there is an administrator")?;
    let mut tokens = Vec::new();
    for number in 0..VIEWERS / PER_USER {
        let name = format!("viewer-{number}");
        let user = User { name: name.clone(), role: Role::Operator, ..admin.clone() };
        store.add_user(&user, unix_ms(SystemTime::now())).await?;
        let viewer = Viewer::sign_in(system.http(), &name, system.password()?).await?;
        tokens.push(viewer.token().to_owned());
    }
    store.close().await;
    Ok(tokens)
}

/// Waits until the dashboard has heard of every vehicle.
async fn known(system: &System) -> Result<()> {
    let url = format!("http://{}/metrics", port::local(system.http()));
    wait::until("the dashboard knows every vehicle", LIMIT, || async {
        let text = reqwest::get(&url).await.ok()?.text().await.ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("bugbrother_dashboard_vehicles "))?;
        (line.trim().parse::<f64>().ok()? >= VEHICLES as f64).then_some(())
    })
    .await
}

/// What viewers have seen.
#[derive(Default)]
struct Tally {
    bytes: AtomicU64,
    ended: AtomicU64,
    /// Why the first one was cut off.
    trouble: Mutex<Option<String>>,
    /// From a vehicle's publish to a viewer, and from the server's tick, in ms.
    ages: Mutex<(Vec<f64>, Vec<f64>)>,
}

struct Seen {
    bytes: u64,
    ended: u64,
    trouble: Option<String>,
    values: Sorted,
    frames: Sorted,
}

impl Tally {
    fn start(&self) {
        self.take();
    }

    fn take(&self) -> Seen {
        let (values, frames) = std::mem::take(&mut *self.ages.lock().unwrap_or_else(PoisonError::into_inner));
        Seen {
            bytes: self.bytes.swap(0, Relaxed),
            ended: self.ended.swap(0, Relaxed),
            trouble: self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take(),
            values: Sorted::new(values),
            frames: Sorted::new(frames),
        }
    }

    fn note(&self, values: impl IntoIterator<Item = f64>, frame: Option<f64>) {
        let mut ages = self.ages.lock().unwrap_or_else(PoisonError::into_inner);
        ages.0.extend(values);
        ages.1.extend(frame);
    }
}

/// Viewers who are there.
struct Audience {
    tally: Arc<Tally>,
    viewers: usize,
    stop: CancellationToken,
    tasks: JoinSet<Result<()>>,
}

impl Audience {
    async fn gather(address: SocketAddr, tokens: &[String], pages: &[(Page, usize)]) -> Result<Self> {
        let mut audience =
            Audience { tally: Arc::default(), viewers: 0, stop: CancellationToken::new(), tasks: JoinSet::new() };
        let quick = pages.iter().flat_map(|(page, viewers)| std::iter::repeat_n(*page, *viewers));
        let slow = if pages.is_empty() { 0 } else { SLOW };
        let all = quick.map(|page| (page, false)).chain(std::iter::repeat_n((Page::Map, true), slow));
        for (number, (page, slow)) in all.enumerate() {
            let token = tokens[number % tokens.len()].clone();
            let (tally, stop) = (Arc::clone(&audience.tally), audience.stop.clone());
            audience.viewers += 1;
            audience.tasks.spawn(async move {
                for _ in 0..MOST_RETURNS {
                    let shown = async {
                        if slow {
                            sip(address, &token, &page.want(number), &tally).await
                        } else {
                            watch(address, &token, &page.want(number), number % (VIEWERS / EXAMINERS) == 0, &tally)
                                .await
                        }
                    };
                    let Some(ended) = stop.run_until_cancelled(shown).await else { return Ok(()) };
                    tally.ended.fetch_add(1, Relaxed);
                    if let Err(error) = ended {
                        tally
                            .trouble
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .get_or_insert(format!("{error:#}"));
                    }
                    // Who is cut off comes back, as the app does.
                    if stop.run_until_cancelled(sleep(RETURNING)).await.is_none() {
                        return Ok(());
                    }
                }
                bail!("a viewer was cut off {MOST_RETURNS} times: {:?}", tally.trouble);
            });
            sleep(COMING).await;
            if let Some(ended) = audience.tasks.try_join_next() {
                ended??;
            }
        }
        Ok(audience)
    }

    async fn leave(mut self) -> Result<()> {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

async fn open(address: SocketAddr, token: &str, buffer: Option<u32>) -> Result<WebSocketStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    if let Some(buffer) = buffer {
        socket.set_recv_buffer_size(buffer)?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    let mut request = format!("ws://{address}/live?quiet=1").into_client_request()?;
    request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse()?);
    Ok(timeout(LIMIT, client_async(request, stream)).await.context("no place at the live feed")??.0)
}

/// Reads as fast as it can, until the server ends it.
async fn watch(address: SocketAddr, token: &str, want: &Want, examines: bool, tally: &Tally) -> Result<()> {
    let mut socket = open(address, token, None).await?;
    socket.send(Message::Binary(encode(want).into())).await?;
    while let Some(message) = socket.next().await {
        let bytes = match message? {
            Message::Binary(bytes) => bytes,
            Message::Close(frame) => bail!("a quick viewer was sent away: {frame:?}"),
            _ => continue,
        };
        tally.bytes.fetch_add(bytes.len() as u64, Relaxed);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64() * 1000.0;
        let frame = time_of(&bytes).map(|time| now - time as f64);
        if examines && let Frame::Delta(delta) = decode_value(&bytes)? {
            let heard =
                delta.changed.iter().map(|change| change.2).chain(delta.named.iter().map(|live| live.source_ts));
            tally.note(heard.map(|time| now - time as f64), frame);
        } else {
            tally.note([], frame);
        }
    }
    Ok(())
}

/// The server's time of a delta, found without reading the rest of it.
fn time_of(frame: &[u8]) -> Option<u64> {
    // {"delta": {"now": …
    let rest = frame.strip_prefix(b"\x81\xa5delta")?.get(1..)?.strip_prefix(b"\xa3now\xcf")?;
    Some(u64::from_be_bytes(*rest.first_chunk()?))
}

/// Reads a little now and then, as behind a bad line.
async fn sip(address: SocketAddr, token: &str, want: &Want, tally: &Tally) -> Result<()> {
    let mut socket = open(address, token, Some(SIP as u32)).await?;
    socket.send(Message::Binary(encode(want).into())).await?;
    let stream = socket.get_mut();
    let mut buffer = vec![0; SIP];
    loop {
        sleep(SIP_EVERY).await;
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        tally.bytes.fetch_add(read as u64, Relaxed);
    }
}
