//! What every page keeps to: who cannot see or point can use it, and nobody waits for it.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{port, process::Process, system::System};
use bugbrother_tests::{
    herd::{Herd, Roads},
    node,
};
use serde::Deserialize;

const LIMIT: Duration = Duration::from_secs(300);
const VEHICLES: usize = 10_000;
/// The largest that the app may be, in bytes as they are sent.
const MOST_WASM: u64 = 900_000;
/// What a person waits at most for the first paint, and what the map may stand still, in milliseconds.
const LONGEST_PAINT_MS: f64 = 1_000.0;
const LONGEST_TASK_MS: f64 = 100.0;
/// A machine that builds and tests at the same time is slower than one that does nothing else; the bench tells exact figures.
const PATIENCE: f64 = 3.0;

/// A browser's script that somebody runs who has an account there.
async fn run(script: &str, system: &System, more: &[(&str, &str)]) -> Result<String> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    node::install(&scripts)?;
    let base = format!("http://{}", port::local(system.http()));
    let account =
        [("BUGBROTHER_URL", base.as_str()), ("BUGBROTHER_USER", "admin"), ("BUGBROTHER_PASSWORD", system.password()?)];
    let environment = [&account[..], more].concat();
    let script = scripts.join(script);
    let mut browser = Process::start(system.dir(), "browser", Path::new("node"), &[script], &environment)?;
    let status = browser.ended(LIMIT).await?;
    ensure!(status.success(), "{status}\n{}\n{}", browser.printed(), browser.logged());
    Ok(browser.printed())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_has_a_fault_that_keeps_somebody_out() -> Result<()> {
    let mut system = System::new()?;
    system.start("demo").await?;
    let shots = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    run("access.mjs", &system, &[("SCREENSHOTS", shots.to_str().context("a UTF-8 path")?)]).await?;
    system.check_running()?;
    system.check_logs()
}

#[derive(Deserialize)]
struct Measured {
    paint_ms: f64,
    wasm_bytes: u64,
    views: std::collections::BTreeMap<String, View>,
}

#[derive(Deserialize)]
struct View {
    vehicles: usize,
    frames_per_second: f64,
    worst_task_ms: Vec<f64>,
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_app_nor_for_a_fleet_of_ten_thousand() -> Result<()> {
    let mut system = System::new()?;
    system.start_all().await?;
    let herd = Herd::start(port::local(system.http()), Roads::in_a_country(VEHICLES)).await?;
    let address = format!("http://{}", herd.address());
    // Several times: the median of what was worst each time is not what the machine did once besides.
    let how =
        [("BUGBROTHER_HERD", address.as_str()), ("VIEWS", r#"{"country":"/"}"#), ("SECONDS", "10"), ("ROUNDS", "3")];
    let printed = run("budget.mjs", &system, &how).await?;
    let measured: Measured = serde_json::from_str(printed.lines().last().context("something is printed")?)?;
    let view = measured.views.get("country").context("the map was watched")?;
    let mut worst = view.worst_task_ms.clone();
    worst.sort_by(f64::total_cmp);
    let worst = worst.get(1).context("three rounds were watched")?;
    println!("{printed}");
    ensure!(measured.wasm_bytes <= MOST_WASM, "the app has {} bytes", measured.wasm_bytes);
    ensure!(view.vehicles == VEHICLES, "{} vehicles move", view.vehicles);
    ensure!(view.frames_per_second > 5.0, "the map is drawn {} times a second", view.frames_per_second);
    ensure!(measured.paint_ms < LONGEST_PAINT_MS * PATIENCE, "the first paint comes after {} ms", measured.paint_ms);
    ensure!(*worst < LONGEST_TASK_MS * PATIENCE, "the map stands still for {worst} ms");
    system.check_running()?;
    system.check_logs()
}
