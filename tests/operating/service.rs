use std::{
    os::unix::net::UnixDatagram,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use bugbrother_kit::{
    port,
    process::{Process, program},
    system::System,
    wait,
};
use bugbrother_simulator::Drive;
use bugbrother_store::{Store, history::MAX_POSITIONS};

const LIMIT: Duration = Duration::from_secs(60);
const VIN: &str = "WVWZZZ1JZ3W386752";

/// Listens as systemd does until it was told `what` so many times.
fn hear(socket: &UnixDatagram, what: &str, times: usize) -> Result<()> {
    let (began, mut heard, mut bytes) = (Instant::now(), Vec::new(), [0; 4096]);
    while heard.iter().filter(|told| *told == what).count() < times {
        ensure!(began.elapsed() < LIMIT, "waited in vain for {what}: {heard:?}");
        if let Ok(count) = socket.recv(&mut bytes) {
            heard.push(String::from_utf8_lossy(&bytes[..count]).trim().to_owned());
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_when_the_server_is_ready_that_it_is_alive_and_that_it_ends() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let address = dir.path().join("notify").display().to_string();
    let socket = UnixDatagram::bind(&address)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let [mqtt, http] = port::free_ones()?;
    let (data, mqtt, http) =
        (dir.path().join("data").display().to_string(), format!("127.0.0.1:{mqtt}"), format!("127.0.0.1:{http}"));
    let arguments = ["--data", &data, "up", "--mqtt", &mqtt, "--http", &http];
    let environment = [("NOTIFY_SOCKET", &*address), ("WATCHDOG_USEC", "600000")];
    let mut server = Process::start(dir.path(), "server", &program("bugbrother")?, &arguments, &environment)?;
    hear(&socket, "READY=1", 1)?;
    hear(&socket, "WATCHDOG=1", 3)?;
    server.signal("TERM")?;
    hear(&socket, "STOPPING=1", 1)?;
    ensure!(server.ended(LIMIT).await?.success());
    Ok(())
}

/// A service with a data folder of its own, which has the passwords and nothing else of the other one.
fn apart(system: &System, folder: &Path, service: &str, metrics: u16) -> Result<Process> {
    let data = folder.join("data");
    std::fs::create_dir_all(data.join("secrets"))?;
    for path in [&data, &data.join("secrets")] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    }
    std::fs::copy(system.data().join("secrets").join(service), data.join("secrets").join(service))?;
    let arguments = [
        "--data".to_owned(),
        data.display().to_string(),
        service.to_owned(),
        format!("--broker=mqtts://localhost:{}", system.mqtts()),
        format!("--broker-ca={}", system.data().join("access/ca.crt").display()),
        format!("--metrics=127.0.0.1:{metrics}"),
    ];
    let database = system.database();
    Process::start(folder, service, &program("bugbrother")?, &arguments, &[("BUGBROTHER_DATABASE", &database)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_another_machine_finds_the_broker_by_tls_and_says_when_it_is_gone() -> Result<()> {
    let mut system = System::new()?;
    system.start("broker").await?;
    let (folder, metrics) = (tempfile::tempdir()?, port::free()?);
    let mut ingest = apart(&system, folder.path(), "ingest", metrics)?;
    let ready = async |wanted: u16| {
        let what = format!("/readyz says {wanted}");
        wait::until(&what, LIMIT, || async {
            let answer = reqwest::get(format!("http://127.0.0.1:{metrics}/readyz")).await.ok()?;
            if answer.status().as_u16() == wanted { answer.text().await.ok() } else { None }
        })
        .await
    };
    ready(200).await?;
    let drive =
        Drive { seed: 2, duration: Duration::from_secs(60), start: 1_790_000_000_000, rate_hz: 1, damaged: false };
    let log = drive.log();
    let nmea = system.dir().join("drive.nmea");
    std::fs::write(&nmea, &log.bytes)?;
    let password = system.add_vehicle(VIN, "Far")?;
    let mut agent = system.replay(VIN, &password, &nmea, "max")?;
    ensure!(agent.ended(LIMIT).await?.success(), agent.logged());
    let store = Store::open(&system.database()).await?;
    ensure!(store.positions(VIN.parse()?, 0, i64::MAX, MAX_POSITIONS).await?.len() == log.valid_fixes);
    system.kill("broker")?;
    ensure!(ready(503).await?.contains("ingest: not connected to the broker"));
    system.start("broker").await?;
    ready(200).await?;
    ingest.check_running()
}
