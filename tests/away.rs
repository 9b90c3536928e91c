//! A browser whose network goes, and whose server goes: it shows what was known, and moves to the fleet's other dashboard.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use bugbrother_kit::{
    port,
    process::{Process, program},
    system::System,
    wait,
};
use bugbrother_tests::node;

const LIMIT: Duration = Duration::from_secs(240);
const NAME: &str = "Van 7";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_outlives_its_network_and_moves_to_another_server_and_back() -> Result<()> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    node::install(&scripts)?;
    let mut system = System::new()?;
    let other_port = port::free()?;
    // Of two names of this machine, so that no cookie of the one goes to the other.
    let (url, other) = (format!("http://127.0.0.1:{}", system.http()), format!("http://localhost:{other_port}"));
    for service in ["broker", "ingest", "notifier"] {
        system.start(service).await?;
    }
    system.add_vehicle("WVWZZZ1JZ3W386752", NAME)?;
    let servers = ["--server", &url, "--server", &other];
    system.start_with("dashboard", &servers).await?;
    let (mqtt, listens) = (format!("127.0.0.1:{}", system.mqtt()), format!("127.0.0.1:{other_port}"));
    let data = system.data().display().to_string();
    let second: Vec<&str> =
        [&["dashboard", "--mqtt", &mqtt, "--http", &listens, "--data", &data][..], &servers].concat();
    let mut second = Process::start(system.dir(), "second", &program("bugbrother")?, &second, &[])?;

    let password = system.password()?.to_owned();
    let shots = system.dir().join("screenshots");
    let environment = [
        ("BUGBROTHER_URL", url.as_str()),
        ("BUGBROTHER_OTHER", other.as_str()),
        ("BUGBROTHER_USER", "admin"),
        ("BUGBROTHER_PASSWORD", &password),
        ("BUGBROTHER_VEHICLE", NAME),
        ("SCREENSHOTS", shots.to_str().context("a UTF-8 path")?),
    ];
    let script = scripts.join("away.mjs");
    let mut browser = Process::start(system.dir(), "browser", Path::new("node"), &[script], &environment)?;
    said(&mut browser, "kill").await?;
    system.kill("dashboard")?;
    said(&mut browser, "return").await?;
    system.start_with("dashboard", &servers).await?;
    let status = browser.ended(LIMIT).await?;
    assert!(status.success(), "{status}\n{}\n{}", browser.printed(), browser.logged());
    system.check_running()?;
    second.check_running()
}

/// Waits until the browser's script has come so far.
async fn said(browser: &mut Process, word: &str) -> Result<()> {
    let mut ended = Ok(());
    wait::until("the browser has come so far", LIMIT, || {
        let done = browser.printed().lines().any(|line| line == word);
        if !done {
            ended = browser.check_running();
        }
        let over = ended.is_err();
        async move { (done || over).then_some(()) }
    })
    .await?;
    ended.with_context(|| format!("{}\n{}", browser.printed(), browser.logged()))
}
