//! How evenly the map moves with a large fleet on it.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use anyhow::Result;
use bugbrother_kit::port;
use bugbrother_tests::herd::{Herd, Roads};
use serde::Deserialize;

use super::{VEHICLES, browse, gateways::Gateways, printed, serve};
use crate::{figures::grouped, settings::Settings};

/// Starting, signing in and loading.
const AROUND: Duration = Duration::from_secs(120);

#[derive(Deserialize)]
struct Measured {
    paint_ms: f64,
    wasm_bytes: f64,
    views: BTreeMap<String, View>,
}

#[derive(Deserialize)]
struct View {
    vehicles: usize,
    frames_per_second: f64,
    frame_p99_ms: f64,
    worst_task_ms: Vec<f64>,
    long_tasks: usize,
}

pub async fn measure(settings: &Settings) -> Result<String> {
    let mut system = serve().await?;
    let seconds = settings.time.as_secs().to_string();
    let rounds = settings.rounds.to_string();
    let mut text = String::from(
        "\n### How the map moves\n\n\
         | fleet | map | frames/s | p99 between frames | longest task | tasks over 50 ms |\n|---|---|---:|---:|---:|---:|\n",
    );
    let mut row = |fleet: &str, map: &str, view: &View| -> Result<()> {
        let worst = view.worst_task_ms.iter().copied().fold(0.0, f64::max);
        writeln!(
            text,
            "| {} {fleet} | {map} | {:.1} | {:.0} ms | {} | {} |",
            grouped(view.vehicles as f64),
            view.frames_per_second,
            view.frame_p99_ms,
            if worst > 0.0 { format!("{worst:.0} ms") } else { "under 50 ms".to_owned() },
            view.long_tasks
        )?;
        println!("{}", text.lines().last().unwrap_or_default());
        Ok(())
    };
    let limit = AROUND + settings.time * settings.rounds as u32;
    let how = |herd: &str, views: &str| -> Result<_> {
        browse(
            &system,
            "budget.mjs",
            &[("BUGBROTHER_HERD", herd), ("VIEWS", views), ("SECONDS", &seconds), ("ROUNDS", &rounds)],
        )
    };
    // Everything on this machine: the fleet's messages, the broker, the dashboard and a browser that draws by the processor.
    let gateways = Gateways::start(&system, VEHICLES)?;
    let url = format!("http://{}", port::local(system.http()));
    let browser = how(&url, r#"{"country":"/"}"#)?;
    let measured: Measured = serde_json::from_str(&printed(browser, limit).await?)?;
    row("through broker and dashboard", "a country, in clusters", &measured.views["country"])?;
    gateways.leave()?;
    let (paint_ms, wasm_bytes) = (measured.paint_ms, measured.wasm_bytes);
    for (name, map, roads) in [
        ("country", "a country, in clusters", Roads::in_a_country(VEHICLES)),
        ("town", "a town", Roads::in_a_town(VEHICLES)),
    ] {
        let herd = Herd::start(port::local(system.http()), roads).await?;
        let (lat, lon) = roads.middle();
        let path = if name == "town" { format!("/?m={lat},{lon},12") } else { "/".to_owned() };
        let views = serde_json::json!({ name: path }).to_string();
        let browser = how(&format!("http://{}", herd.address()), &views)?;
        let measured: Measured = serde_json::from_str(&printed(browser, limit).await?)?;
        row("from a test server", map, &measured.views[name])?;
    }
    system.check_running()?;
    writeln!(
        text,
        "\nFirst contentful paint {paint_ms:.0} ms (median of five profiles that have never been there); the app is {} kB as it \
         is sent, with brotli.",
        grouped(wasm_bytes / 1000.0)
    )?;
    println!("first paint {paint_ms:.0} ms, app {:.0} kB", wasm_bytes / 1000.0);
    Ok(text)
}
