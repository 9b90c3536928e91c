//! The demo in a real browser: sign in, see a marker move, open its vehicle, see the speed change; and what the office does.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use bugbrother_kit::{process::Process, system::System};
use bugbrother_tests::node;

const LIMIT: Duration = Duration::from_secs(150);

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_watches_a_car_drive() -> Result<()> {
    visit("fleet.mjs").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_office_keeps_its_books() -> Result<()> {
    visit("business.mjs").await
}

/// Lets a script do with the demo what a person would.
async fn visit(script: &str) -> Result<()> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    node::install(&scripts)?;
    let mut system = System::new()?;
    system.start("demo").await?;
    let (base, password) = (format!("http://127.0.0.1:{}", system.http()), system.password()?.to_owned());
    let shots = system.dir().join("screenshots");
    let environment = [
        ("BUGBROTHER_URL", base.as_str()),
        ("BUGBROTHER_USER", "admin"),
        ("BUGBROTHER_PASSWORD", &password),
        ("SCREENSHOTS", shots.to_str().context("a UTF-8 path")?),
    ];
    let script = scripts.join(script);
    let mut browser = Process::start(system.dir(), "browser", Path::new("node"), &[script], &environment)?;
    let status = browser.ended(LIMIT).await?;
    assert!(status.success(), "{status}\n{}\n{}", browser.printed(), browser.logged());
    system.check_running()?;
    system.check_logs()?;
    let status = system.process("demo")?.terminate(Duration::from_secs(30)).await?;
    assert!(status.success(), "the demo ends in order when it is asked to: {status}");
    Ok(())
}
