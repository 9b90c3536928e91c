//! From a vehicle's publish to the value on the screen.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use anyhow::{Result, ensure};
use bugbrother_kit::{
    mqtt::{Client, Connect},
    port,
    process::Process,
    system::System,
    wait,
};
use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Seq, Topic, encode,
    message::{Clock, Row, Telemetry},
    topic::Kind,
    unix_ms,
};
use rand::Rng;
use tokio::time::sleep;

use super::{LIMIT, VEHICLES, browse, gateways::Gateways, printed, serve};
use crate::{drive, figures::Sorted, settings::Settings};

/// The vehicle that is watched has a number that no other has.
pub const WATCHED: usize = 999_999;
/// Messages that are timed each time.
const MESSAGES: usize = 400;
/// Between two of them: a time that is not in step with anything.
const PAUSE_MS: std::ops::Range<u64> = 250..450;
/// Speeds that are told in turn.
const SPEEDS: std::ops::Range<usize> = 10..200;
/// Ends the measurement.
const LAST: usize = 7;

pub async fn measure(_: &Settings) -> Result<String> {
    let mut text = String::from(
        "\n### From publish to pixel\n\n| besides | messages | p50 | p99 | longest |\n|---|---:|---:|---:|---:|\n",
    );
    for (vehicles, besides) in
        [(0, "nothing"), (VEHICLES / 10, "1,000 vehicles at 1 Hz"), (VEHICLES, "10,000 vehicles at 1 Hz")]
    {
        let mut system = serve().await?;
        let gateways = (vehicles > 0).then(|| Gateways::start(&system, vehicles)).transpose()?;
        let times = time(&mut system).await?;
        writeln!(
            text,
            "| {besides} | {} | {:.0} ms | {:.0} ms | {:.0} ms |",
            times.len(),
            times.quantile(0.5),
            times.quantile(0.99),
            times.quantile(1.0)
        )?;
        println!("{}", text.lines().last().unwrap_or_default());
        gateways.map_or(Ok(()), Gateways::leave)?;
        system.check_running()?;
    }
    Ok(text)
}

/// From each publish to the frame after the one that was drawn with its value, in ms.
pub async fn time(system: &mut System) -> Result<Sorted> {
    let vin = drive::vin(WATCHED);
    let mut vehicle = Client::connect(port::local(system.mqtt()), &Connect::new(5, vin.as_str(), vin.as_str())).await?;
    let topic = Topic::new(vin, Kind::Telemetry).to_string();
    let epoch = Epoch(unix_ms(SystemTime::now()) as u64);
    let message = |number: usize, speed: usize| {
        let place = 46.5 + number as f64 * 1e-5;
        let batch = Telemetry {
            v: SCHEMA_VERSION,
            vin,
            epoch,
            seq: Seq(number as u64 + 1),
            t0: unix_ms(SystemTime::now()),
            clock: Clock::Gnss,
            keys: ["lat", "lon", "spd", "rpm"].map(str::to_owned).to_vec(),
            rows: vec![Row { dt_ms: 0, values: vec![Some(place), Some(6.6), Some(speed as f64), Some(2000.0)] }],
            gap: None,
        };
        encode(&batch)
    };
    vehicle.publish(&topic, &message(0, LAST), 1, false).await?;
    let mut browser = browse(system, "pixel.mjs", &[("VIN", vin.as_str()), ("LAST", &(LAST + 1).to_string())])?;
    begins(&mut browser).await?;
    let mut published = Vec::new();
    for number in 1..=MESSAGES + 1 {
        sleep(Duration::from_millis(rand::rng().random_range(PAUSE_MS))).await;
        let speed = if number > MESSAGES { LAST + 1 } else { speed(number) };
        let payload = message(number, speed);
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64() * 1000.0;
        published.push((speed, at));
        let code = vehicle.publish(&topic, &payload, 1, false).await?;
        ensure!(code == 0, "PUBACK {code:#x}");
    }
    let shown: Vec<(usize, f64)> = serde_json::from_str(&printed(browser, LIMIT).await?)?;
    let (mut next, mut times) = (0, Vec::new());
    for (speed, at) in published {
        // Who was overtaken by the next before a frame was drawn is not there: then the next one counts.
        let here = (next..shown.len().min(next + SPEEDS.len() / 2)).find(|place| shown[*place].0 == speed);
        let place = here.unwrap_or(next).min(shown.len() - 1);
        times.push(shown[place].1 - at);
        next = here.map_or(next, |place| place + 1);
    }
    Ok(Sorted::new(times))
}

fn speed(number: usize) -> usize {
    SPEEDS.start + number % SPEEDS.len()
}

async fn begins(browser: &mut Process) -> Result<()> {
    wait::until("the browser shows the vehicle", LIMIT, || {
        let running = browser.check_running();
        let begins = (!browser.printed().is_empty()).then_some(Ok(()));
        std::future::ready(running.err().map(Err).or(begins))
    })
    .await?
}
