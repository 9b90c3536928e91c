//! What the last seconds of cameras take in a vehicle's memory.

use std::{fmt::Write as _, time::Duration};

use anyhow::Result;

use super::car::Car;
use crate::{settings::Settings, usage};

/// An agent holds the last 42 seconds: then its rings are full.
const FULL_AFTER: Duration = Duration::from_secs(50);
const CAMERAS: [usize; 2] = [1, 8];

pub async fn measure(settings: &Settings) -> Result<String> {
    let mut text = String::from(
        "\n### What is held in the vehicle\n\n| cameras | agent's memory | agent's processor |\n|---:|---:|---:|\n",
    );
    for cameras in CAMERAS {
        let mut car = Car::start(cameras).await?;
        tokio::time::sleep(FULL_AFTER).await;
        let agent = [car.agent.id()];
        let before = usage::cpu_us(&agent)?;
        tokio::time::sleep(settings.time).await;
        let busy = (usage::cpu_us(&agent)? - before) / 1e4 / settings.time.as_secs_f64();
        let memory = usage::resident_bytes(&agent)? / f64::from(1 << 20);
        writeln!(text, "| {cameras} | {memory:.0} MiB | {busy:.1} % |")?;
        println!("{}", text.lines().last().unwrap_or_default());
        car.check()?;
    }
    Ok(text)
}
