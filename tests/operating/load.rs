use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{
    process::{Process, program},
    system::System,
    wait,
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
async fn vehicles_that_are_cut_off_again_and_again_lose_nothing_while_ingest_is_killed() -> Result<()> {
    let mut system = System::new()?;
    system.start("broker").await?;
    system.start("ingest").await?;
    let mqtt = format!("127.0.0.1:{}", system.mqtt());
    let data = system.data().display().to_string();
    let arguments = [
        "--data",
        &data,
        "load",
        "--mqtt",
        &mqtt,
        "--vehicles",
        "40",
        "--seconds",
        "12",
        "--cut-after",
        "4",
        "--away",
        "1",
        "--tunnel",
        "3",
        "--json",
    ];
    let mut load = Process::start(system.dir(), "load", &program("bugbrother")?, &arguments, &[])?;
    wait::until("vehicles are on the road", LIMIT, || async {
        let page =
            reqwest::get(format!("http://127.0.0.1:{}/metrics", system.metrics())).await.ok()?.text().await.ok()?;
        let stored = page.lines().find_map(|line| line.strip_prefix("bugbrother_ingest_records_stored_total "))?;
        (stored.parse::<f64>().ok()? > 40.0).then_some(())
    })
    .await?;
    system.kill("ingest")?;
    system.start("ingest").await?;
    let status = load.ended(LIMIT).await?;
    ensure!(status.success(), "{status}: {}", load.logged());
    let report: Value = serde_json::from_str(&load.printed()).context(load.printed())?;
    let number = |name: &str| report[name].as_f64().with_context(|| format!("{name}: {report}"));
    ensure!(number("lost")? == 0.0 && number("messages")? >= 40.0 * 10.0, "{report}");
    ensure!(number("reconnects")? >= 40.0 && number("sent_again")? > 0.0, "{report}");
    ensure!(
        report["commit_ms"]["p50"].as_f64().context("p50")?
            <= report["commit_ms"]["longest"].as_f64().context("longest")?
    );
    ensure!(report["puback_ms"]["p50"].as_f64().context("p50")? > 0.0, "{report}");
    // Everything is there once.
    let store = bugbrother_store::Store::open(&system.database()).await?;
    let mut rows = 0;
    for number in 0..40 {
        rows += store.positions(bugbrother_load::drive::vin(number), 0, i64::MAX, 10_000).await?.len();
    }
    ensure!(rows as f64 == number("messages")?, "{rows} positions of {report}");
    // The accounts went with them.
    let passwords = std::fs::read_to_string(system.data().join("access/passwords"))?;
    ensure!(!passwords.contains("WVWZZZ1JZ3W0"), "{passwords}");
    system.check_running()
}

#[test]
fn a_server_with_vehicles_of_its_own_is_left_alone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let bugbrother = program("bugbrother")?;
    let call = |arguments: &[&str]| crate::run(Command::new(&bugbrother).arg("--data").arg(&data).args(arguments));
    ensure!(call(&["vehicle", "add", "1M8GDM9AXKP042788"]).0);
    let (success, said) = call(&["load", "--vehicles", "2", "--seconds", "1"]);
    ensure!(!success && said.contains("vehicles of its own, such as 1M8GDM9AXKP042788"), "{said}");
    Ok(())
}
