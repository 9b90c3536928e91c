//! Live pictures: how old they are on the screen, how soon they come, and what they cost.
//!
//! The camera draws the time into the picture (`tests/kit/src/rtsp_server.py --clock`: 1280 by 720, 25 Hz, 2 Mbit/s, H.264). An agent
//! reads it by RTSP and pushes it to the server, and a Chromium that draws by the processor reads the time back from the pixels of its
//! `<video>`, by the clock of the same machine.
//!
//! # Layout
//! - `car`: camera, server and agent; `glass`: the browser; `crowd`: viewers without a browser; `rings`: what is held in a vehicle

mod car;
mod crowd;
mod glass;
mod rings;

use anyhow::{Result, bail};

use crate::{report::Report, settings::Settings, usage};

/// Measures these, or all of them.
pub async fn run(settings: &Settings, parts: &[String]) -> Result<()> {
    let mut report = Report::new("video");
    let all = ["glass", "crowd", "rings"].map(str::to_owned);
    let parts = if parts.is_empty() { &all[..] } else { parts };
    report.add(&format!("{} at the beginning.\n", usage::load()));
    for part in parts {
        println!("{part}; {}", usage::load());
        report.add(&match part.as_str() {
            "glass" => glass::measure(settings).await?,
            "crowd" => crowd::measure(settings).await?,
            "rings" => rings::measure(settings).await?,
            other => bail!("nothing is known of `{other}`: glass, crowd or rings?"),
        });
    }
    report.finish(settings)
}
