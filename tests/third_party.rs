//! `docs/examples/telemetry.py`, as its reader would run it: over TLS, with an account of its own.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use bugbrother_kit::{broker::Broker, on_each_broker, process::Process, system::System, wait};
use bugbrother_simulator::Drive;
use bugbrother_store::{Store, history::MAX_POSITIONS};
use bugbrother_tests::python;

const VIN: &str = "WVWZZZ1JZ3W386752";
const PLATE: &str = "VD 123 456";
const LIMIT: Duration = Duration::from_secs(120);

on_each_broker!(the_example_in_python_prints_what_vehicles_tell);

async fn the_example_in_python_prints_what_vehicles_tell(broker: Broker) -> Result<()> {
    let mut system = System::on(broker)?;
    let password = system.add_vehicle(VIN, "Golf")?;
    let theirs = system.dir().join("weather.password");
    fs::write(&theirs, system.grant("weather", "fleet/v1/+/up/telemetry")?)?;
    system.start_all().await?;
    let mut example = example(&system, &["--plates", &plates(&system)?])?;
    listening(&mut example).await?;

    let drive =
        Drive { seed: 9, duration: Duration::from_secs(600), start: 1_790_000_000_000, rate_hz: 1, damaged: false };
    let nmea = system.dir().join("drive.nmea");
    fs::write(&nmea, drive.log().bytes)?;
    // It goes on for longer than this test: what is printed is printed live.
    let _agent = system.replay(VIN, &password, &nmea, "20")?;
    let printed = wait::until("the example prints a minute of driving", LIMIT, || {
        let lines: Vec<_> = example.printed().lines().map(str::to_owned).collect();
        std::future::ready((lines.len() > 60).then_some(lines))
    })
    .await?;
    let stored = wait::until("all of it is stored", LIMIT, || async {
        let store = Store::open(&system.database()).await.ok()?;
        let stored = store.positions(VIN.parse().expect("a VIN"), 0, i64::MAX, MAX_POSITIONS).await.ok()?;
        (stored.len() >= printed.len()).then_some(stored)
    })
    .await?;
    let mut speeds = 0;
    for line in &printed[..60] {
        let cells: Vec<_> = line.split('\t').collect();
        let [_, plate, speed, lat, lon] = cells[..] else { panic!("five cells: {line}") };
        assert_eq!(plate, PLATE);
        let (lat, lon): (f64, f64) = (lat.parse()?, lon.parse()?);
        assert!(stored.iter().any(|position| (position.lat, position.lon) == (lat, lon)), "not stored: {line}");
        speeds += usize::from(speed.parse::<f64>().context(speed.to_owned())? > 0.0);
    }
    assert!(speeds > 0, "the car drives");
    Ok(())
}

fn example(system: &System, more: &[&str]) -> Result<Process> {
    let text = |path: std::path::PathBuf| path.display().to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/telemetry.py").to_owned();
    let (port, ca) = (system.mqtts().to_string(), text(system.data().join("access/ca.crt")));
    let password = text(system.dir().join("weather.password"));
    let mut arguments = vec![script.as_str(), "--port", &port, "--ca", &ca];
    arguments.extend(["--user", "weather", "--password-file", &password]);
    arguments.extend(more);
    Process::start(system.dir(), "example", &python::interpreter()?, &arguments, &[])
}

fn plates(system: &System) -> Result<String> {
    let path = system.dir().join("plates.csv");
    fs::write(&path, format!("{VIN},{PLATE}\n"))?;
    Ok(path.display().to_string())
}

async fn listening(example: &mut Process) -> Result<()> {
    wait::until("the example listens", LIMIT, || {
        let listens = example.logged().contains("listening");
        std::future::ready(if listens { Some(Ok(())) } else { example.check_running().err().map(Err) })
    })
    .await?
}
