//! What an hour of driving costs over the network: a simulated car with a fix and 20 signals of the engine every second,
//! through recorder, outbox and client, by TLS with certificates on both sides to a Mosquitto; counted on the wire.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[expect(dead_code, reason = "another test needs the rest")]
mod parts;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bugbrother_agent::{
    clock::{ClockSettings, Stamp, Time},
    gps::{Fix, fix::Quality},
    link::Address,
    outbox::{Batch, Draft, Outbox},
    recorder::{Key, Reading, Recorder, Rhythm},
    uplink::{self, Account, Ties, pace::Pace},
};
use bugbrother_client::{Tls, Traffic};
use bugbrother_kit::{mosquitto::Mosquitto, port};
use bugbrother_simulator::{Car, demo_fleet};
use bugbrother_wire::message::{Clock, VinSource};
use parts::{certificates, database::Database};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const VIN: &str = "WVWZZZ1JZ3W386752";
const LIMIT: Duration = Duration::from_secs(60);
const START: i64 = 1_790_000_000_000;

/// A value as an ECU tells it, in steps.
fn step(value: f64, step: f64) -> f64 {
    (value / step).round() * step
}

/// What is measured in a second: a fix, and the parameters of SAE J1979 in their resolution.
fn second(car: &Car, second: i64) -> (Fix, Vec<(Key, f64)>) {
    let car = car.reading();
    let mut quality = Quality::default();
    (quality.alt, quality.hdop, quality.sats) = (
        Some(step(car.alt_m + (second as f64).sin(), 0.1)),
        Some(step(0.9 + 0.1 * (second as f64 / 20.0).sin(), 0.01)),
        Some(9.0 + (second / 30 % 3) as f64),
    );
    let fix = Fix {
        ts: START + second * 1000,
        lat: step(car.point.lat, 1e-6),
        lon: step(car.point.lon, 1e-6),
        hdg: Some(step(car.heading_deg, 0.1)),
        gspd: Some(step(car.speed_kmh, 0.01)),
        quality,
    };
    let percent = 100.0 / 255.0;
    let values = [
        ("spd", step(car.speed_kmh, 1.0)),
        ("rpm", step(car.rpm, 0.25)),
        ("load", step(car.load_percent, percent)),
        ("thr", step(car.throttle_percent, percent)),
        ("map", step(car.map_kpa, 1.0)),
        ("maf", step(car.maf_gps, 0.01)),
        ("ect", step(car.coolant_c, 1.0)),
        ("oil", step(car.oil_c, 1.0)),
        ("iat", step(car.intake_c, 1.0)),
        ("oat", step(car.ambient_c, 1.0)),
        ("baro", step(car.baro_kpa, 1.0)),
        ("stft", step(car.short_trim_percent, 100.0 / 128.0)),
        ("ltft", step(car.long_trim_percent, 100.0 / 128.0)),
        ("timing", step(car.timing_deg, 0.5)),
        ("frate", step(car.fuel_lph, 0.05)),
        ("fuel", step(car.fuel_percent, percent)),
        ("vbat", step(car.voltage, 0.001)),
        ("run", step(car.run_s, 1.0)),
        ("odo", step(car.odometer_km, 0.1)),
        ("mild", step(car.mil_km, 1.0)),
    ];
    (fix, values.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

/// Batches of so many seconds of driving.
fn drive(rhythm: Rhythm, seconds: i64) -> Vec<Batch> {
    let mut car = Car::new(&demo_fleet()[0]);
    let mut recorder = Recorder::default().in_rhythm(rhythm);
    let (begun, mut batches, mut moving) = (Instant::now(), Vec::new(), 0);
    for at in 0..seconds {
        let now = begun + Duration::from_secs(at.unsigned_abs());
        if recorder.deadline().is_some_and(|deadline| deadline <= now) {
            batches.extend(recorder.close());
        }
        let (fix, values) = second(&car, at);
        moving += i64::from(car.reading().speed_kmh > 1.0);
        batches.extend(recorder.take_fix(&fix, now));
        // As an adapter is asked: a few parameters at a time, all of them within the second.
        for (part, values) in values.chunks(5).enumerate() {
            let later = 100 + 150 * part as i64;
            let stamp = Stamp { ts: fix.ts + later, clock: Clock::Gnss, era: 1 };
            batches.extend(recorder.take_reading(&Reading { at: now, values: values.to_vec() }, now, stamp));
        }
        car.step(Duration::from_secs(1));
    }
    batches.extend(recorder.close());
    assert!(moving * 10 > seconds * 8, "the car drives: {moving} of {seconds} s");
    batches
}

#[derive(Default)]
struct Wire {
    up: AtomicU64,
    down: AtomicU64,
}

/// Passes one connection on and counts its bytes.
async fn relay(listener: TcpListener, port: u16, wire: Arc<Wire>) {
    let (client, _) = listener.accept().await.unwrap();
    let broker = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let ((mut from_client, mut to_client), (mut from_broker, mut to_broker)) =
        (client.into_split(), broker.into_split());
    let up = async {
        let mut bytes = [0; 8192];
        while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
            wire.up.fetch_add(read as u64, Ordering::SeqCst);
            to_broker.write_all(&bytes[..read]).await.unwrap();
        }
    };
    let down = async {
        let mut bytes = [0; 8192];
        while let Ok(read @ 1..) = from_broker.read(&mut bytes).await {
            wire.down.fetch_add(read as u64, Ordering::SeqCst);
            to_client.write_all(&bytes[..read]).await.unwrap();
        }
    };
    tokio::join!(up, down);
}

/// Bytes up and down of so many seconds of driving, connected once.
async fn measure(rhythm: Rhythm, seconds: i64) -> (u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    certificates::write(dir.path(), &["server", VIN]);
    let path = |name: &str| dir.path().join(name);
    let services = port::free().unwrap();
    let broker = Mosquitto::start(&format!(
        "certfile {}\nkeyfile {}\ncafile {}\nrequire_certificate true\nuse_identity_as_username true\n\
         allow_anonymous true\nlistener {services} 127.0.0.1\n",
        path("server.crt").display(),
        path("server.key").display(),
        path("ca.crt").display(),
    ))
    .unwrap();
    let database = Database::start(services);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relayed = listener.local_addr().unwrap().port();
    let wire = Arc::new(Wire::default());
    let relaying = tokio::spawn(relay(listener, broker.port(), wire.clone()));
    let vin = VIN.parse().unwrap();
    let outbox = Outbox::open(&path("outbox.db"), 64 << 20, vin, VinSource::Configured, START).await.unwrap();
    let traffic = Traffic::default();
    let account = Account {
        brokers: vec![Address { host: "127.0.0.1".to_owned(), port: relayed }],
        return_after: Duration::from_secs(600),
        tls: Some(Tls {
            ca: Some(path("ca.crt")),
            identity: Some((path(&format!("{VIN}.crt")), path(&format!("{VIN}.key")))),
        }),
        username: VIN.to_owned(),
        password: String::new().into(),
        pace: Pace { records_s: 10_000, bytes_s: 100_000_000 },
        traffic: traffic.clone(),
    };
    let stop = CancellationToken::new();
    let ties = Ties::of_an_outbox_alone(Time::new(ClockSettings::of_this_system()));
    let mut connected = ties.online.subscribe();
    let uplink = tokio::spawn(uplink::run(account, outbox.clone(), ties, stop.clone()));
    timeout(LIMIT, connected.wait_for(|online| *online)).await.unwrap().unwrap();
    let batches = drive(rhythm, seconds);
    let count = batches.len();
    for (sent, batch) in batches.into_iter().enumerate() {
        outbox.append(&[Draft::Batch(batch)], START).await.unwrap();
        // One after the other, as in a car, so that none shares a packet with the next.
        let arrived = async {
            while database.state().records.len() <= sent {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LIMIT, arrived).await.unwrap();
    }
    stop.cancel();
    uplink.await.unwrap().unwrap();
    relaying.await.unwrap();
    let (up, down) = (wire.up.load(Ordering::SeqCst), wire.down.load(Ordering::SeqCst));
    let counted = (traffic.sent(), traffic.received());
    eprintln!(
        "{rhythm:?}: {seconds} s in {count} batches, {up} bytes up and {down} down; counted with TCP and IP {counted:?}"
    );
    // The count adds the headers of TCP and IP; it may be high, and must not be low.
    assert!(counted.0 + counted.1 > up + down && counted.0 + counted.1 < (up + down) * 3);
    (up, down)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_in_economy_is_a_quarter_of_a_megabyte() {
    let rhythm = Rhythm { wait: Duration::from_secs(30), economy: true };
    let (up, _) = measure(rhythm, 3600).await;
    assert!(up <= 250_000, "{up} bytes");
}

/// What it costs that a viewer sees the vehicle a second late, or ten: for the documents.
#[tokio::test(flavor = "multi_thread")]
async fn without_economy_an_hour_is_a_few_megabytes() {
    for wait in [1, 2, 10] {
        let (up, _) = measure(Rhythm { wait: Duration::from_secs(wait), economy: false }, 300).await;
        eprintln!("{wait} s: {} kB an hour", up * 12 / 1000);
        assert!(up * 12 < 5_000_000, "{up} bytes in 300 s");
    }
}
