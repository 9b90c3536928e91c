//! From the camera's picture to the screen, live and by HLS, and from the click to the first picture.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use bugbrother_kit::{port, process::Process};
use bugbrother_tests::node;

use super::car::{Car, VIN};
use crate::{figures::Sorted, settings::Settings};

/// What the script needs beside what it measures.
const MORE: Duration = Duration::from_secs(240);

pub async fn measure(settings: &Settings) -> Result<String> {
    let mut car = Car::start(1).await?;
    let mut text = String::from(
        "\n### From the camera to the screen\n\n| way | pictures | p50 | p99 | longest |\n|---|---:|---:|---:|---:|\n",
    );
    let clicks = settings.rounds * 5;
    let figures = watch(&mut car, settings, clicks).await?;
    let row = |text: &mut String, name: &str, of: &str| -> Result<()> {
        let times = Sorted::new(figures.get(of).context("the browser's script tells of each way")?.iter().copied());
        ensure!(times.len() > 0, "nothing was measured of {name}");
        let [p50, p99, longest] = [0.5, 0.99, 1.0].map(|share| times.quantile(share));
        writeln!(text, "| {name} | {} | {p50:.0} ms | {p99:.0} ms | {longest:.0} ms |", times.len())?;
        println!("{}", text.lines().last().unwrap_or_default());
        Ok(())
    };
    row(&mut text, "live, as the dashboard shows it", "live")?;
    row(&mut text, "HLS with parts, as far behind as its list says", "hls")?;
    text.push_str(
        "\n| from the click to the first picture | clicks | p50 | p99 | longest |\n|---|---:|---:|---:|---:|\n",
    );
    row(&mut text, "nobody looks yet: the vehicle is asked", "cold")?;
    row(&mut text, "somebody looks already", "warm")?;
    car.check()?;
    Ok(text)
}

async fn watch(car: &mut Car, settings: &Settings, clicks: usize) -> Result<BTreeMap<String, Vec<f64>>> {
    let scripts = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/browser"));
    node::install(scripts)?;
    let (url, seconds, clicks) =
        (format!("http://{}", port::local(car.system.http())), settings.time.as_secs().to_string(), clicks.to_string());
    let environment = [
        ("BUGBROTHER_URL", url.as_str()),
        ("BUGBROTHER_USER", "admin"),
        ("BUGBROTHER_PASSWORD", car.system.password()?),
        ("VEHICLE", VIN),
        ("CAMERA", "cam-0"),
        ("SECONDS", &seconds),
        ("CLICKS", &clicks),
    ];
    let script = scripts.join("glass.mjs");
    let mut browser = Process::start(car.system.dir(), "glass.mjs", Path::new("node"), &[script], &environment)?;
    let status = browser.ended(settings.time * 3 + MORE).await?;
    if !status.success() {
        bail!("the browser's script: {status}\n{}\n{}", browser.printed(), browser.logged());
    }
    let printed = browser.printed();
    Ok(serde_json::from_str(printed.lines().last().context("the browser's script prints something")?)?)
}
