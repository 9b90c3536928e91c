//! What the agent costs the vehicle: memory, processor, what goes over the radio and onto the disk. The real program, over
//! TLS with its certificate to a Mosquitto, with a simulated car that drives; the bytes are counted between the two.
#![expect(clippy::print_stdout, reason = "a benchmark says what it has measured")]
#![expect(clippy::unwrap_used, reason = "what it cannot do without fails it")]

#[expect(dead_code, reason = "tests need the rest")]
#[path = "../tests/parts/mod.rs"]
mod parts;

use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bugbrother_kit::{mosquitto::Mosquitto, port, process::Process, wait};
use bugbrother_simulator::{Profile, Simulator, demo_fleet};
use bugbrother_wire::{encode, message::Config, topic::Kind};
use parts::{certificates, database::Database};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::sleep,
};
use tokio_util::sync::CancellationToken;

const AGENT: &str = env!("CARGO_BIN_EXE_bugbrother-agent");
const LIMIT: Duration = Duration::from_secs(60);
/// After the start, with its handshake and first full picture.
const WARM_UP: Duration = Duration::from_secs(20);
const OBD_KEYS: [&str; 13] =
    ["rpm", "spd", "load", "thr", "map", "maf", "ect", "iat", "oat", "fuel", "vbat", "run", "timing"];

/// A way to drive and to be asked.
struct Case {
    name: &'static str,
    gnss_hz: u8,
    /// Interval of each of [`OBD_KEYS`].
    period_ms: u32,
}

const CASES: [Case; 2] = [
    Case { name: "1 Hz GNSS, 13 PIDs at 1 Hz (20 signals)", gnss_hz: 1, period_ms: 1000 },
    Case { name: "10 Hz GNSS, 13 PIDs at 1.5 Hz (20 PIDs/s)", gnss_hz: 10, period_ms: 650 },
];

#[tokio::main]
async fn main() {
    let seconds = env::var("BUGBROTHER_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(120);
    for case in CASES {
        measure(&case, Duration::from_secs(seconds)).await;
    }
}

async fn measure(case: &Case, span: Duration) {
    let dir = tempfile::tempdir().unwrap();
    let car = CancellationToken::new();
    let (gps, elm) = (listener().await, listener().await);
    let [gps_port, elm_port] = [&gps, &elm].map(|listener| listener.local_addr().unwrap().port());
    let moving = demo_fleet().into_iter().find(|profile| !profile.parked).unwrap();
    let profile = Profile { gnss_hz: case.gnss_hz, ..moving };
    let simulator = Simulator::start(profile, gps, elm, 1.0, car.clone());

    let vin = profile.vin;
    certificates::write(dir.path(), &["server", vin.as_str()]);
    let path = |name: &str| dir.path().join(name).display().to_string();
    let services = port::free().unwrap();
    let broker = Mosquitto::start(&format!(
        "certfile {}\nkeyfile {}\ncafile {}\nrequire_certificate true\nuse_identity_as_username true\n\
         allow_anonymous true\nlistener {services} 127.0.0.1\n",
        path("server.crt"),
        path("server.key"),
        path("ca.crt"),
    ))
    .unwrap();
    let database = Database::start(services);
    let periods_ms: BTreeMap<String, u32> = OBD_KEYS.map(|key| (key.to_owned(), case.period_ms)).into();
    let config = Config {
        v: 1,
        vin,
        revision: 1,
        periods_ms,
        thresholds: BTreeMap::new(),
        geofences: Vec::new(),
        privacy: false,
        driver_privacy: false,
        daily_bytes: None,
    };
    let up = Arc::new(AtomicU64::new(0));
    let down = Arc::new(AtomicU64::new(0));
    let way = listener().await;
    let address = format!("mqtts://127.0.0.1:{}", way.local_addr().unwrap().port());
    let counter = tokio::spawn(count(way, broker.port(), up.clone(), down.clone()));

    let (ca, certificate, key) = (path("ca.crt"), path(&format!("{vin}.crt")), path(&format!("{vin}.key")));
    let (gps, obd) = (format!("tcp:127.0.0.1:{gps_port}"), format!("tcp:127.0.0.1:{elm_port}"));
    let outbox = path("outbox.db");
    let arguments = ["--vin", vin.as_str(), "--broker", &address, "--ca", &ca, "--certificate", &certificate];
    let arguments = [&arguments[..], &["--key", &key, "--gps", &gps, "--obd", &obd, "--outbox", &outbox]].concat();
    let agent = Process::start(dir.path(), "agent", Path::new(AGENT), &arguments, &[]).unwrap();
    let online = || std::future::ready((!database.state().births.is_empty()).then_some(()));
    wait::until("the agent is online", LIMIT, online).await.unwrap();
    database.say(vin, Kind::Config, encode(&config)).await;
    sleep(WARM_UP).await;

    let (began, before) = (Instant::now(), Usage::of(agent.id(), &up, &down));
    let values_before = values(&database);
    sleep(span).await;
    let (passed, after) = (began.elapsed().as_secs_f64(), Usage::of(agent.id(), &up, &down));
    let hour = |bytes: u64| bytes as f64 / passed * 3600.0 / 1000.0;
    println!("{}, {passed:.0} s of driving:", case.name);
    println!("  values recorded          {:>9.1} a second", (values(&database) - values_before) as f64 / passed);
    println!("  resident memory, highest {:>9.1} MB", after.peak_kb as f64 / 1024.0);
    println!("  processor                {:>9.2} % of a core", (after.cpu_s - before.cpu_s) / passed * 100.0);
    println!("  sent, with TCP payload   {:>9.0} kB an hour", hour(after.up - before.up));
    println!("  received                 {:>9.0} kB an hour", hour(after.down - before.down));
    println!("  written to disk          {:>9.0} kB an hour", hour(after.written - before.written));
    car.cancel();
    simulator.wait().await;
    counter.abort();
}

fn values(database: &Database) -> usize {
    database.state().telemetry().map(|batch| batch.samples().count()).sum()
}

/// What a process has used so far.
struct Usage {
    peak_kb: u64,
    cpu_s: f64,
    /// Bytes that it had the kernel put on a disk.
    written: u64,
    up: u64,
    down: u64,
}

impl Usage {
    fn of(pid: u32, up: &AtomicU64, down: &AtomicU64) -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
        let number = |text: &str, key: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let stat = read("stat");
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        Usage {
            peak_kb: number(&read("status"), "VmHWM:"),
            // The kernel tells in hundredths of a second (USER_HZ).
            cpu_s: ticks / 100.0,
            written: number(&read("io"), "write_bytes:"),
            up: up.load(Relaxed),
            down: down.load(Relaxed),
        }
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Passes every connection on and counts what goes through.
async fn count(way: TcpListener, to: u16, up: Arc<AtomicU64>, down: Arc<AtomicU64>) {
    loop {
        let (agent, _) = way.accept().await.unwrap();
        let broker = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
        let (from_agent, to_agent) = agent.into_split();
        let (from_broker, to_broker) = broker.into_split();
        tokio::spawn(pass(from_agent, to_broker, up.clone()));
        tokio::spawn(pass(from_broker, to_agent, down.clone()));
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, counter: Arc<AtomicU64>) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        counter.fetch_add(count as u64, Relaxed);
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
