//! The embedded broker and Debian's Mosquitto under the same load: `make bench-broker`.
//!
//! - `plant`: either broker as a process, with the same configuration and accounts
//! - `load`: a load and what came of it; `publisher`, `subscriber`: its two ends; `clock`: their time
//! - `idle`: what connections cost that say nothing
//! - `table`: figures beside each other
//!
//! Broker and driver share the machine's cores. The driver is two threads, publishers in the one and subscribers in the
//! other, each an event loop over raw sockets; what it takes of the cores is told, so that it can be seen whether it was
//! the driver that gave in.

mod clock;
mod idle;
mod load;
mod plant;
mod publisher;
mod subscriber;
mod table;

use anyhow::Result;
use bugbrother_kit::broker::Broker;

use self::{load::Load, plant::Plant};
use crate::{report::Report, settings::Settings, usage};

/// Those who publish, as many as there are in a middling fleet.
pub const PUBLISHERS: usize = 500;
/// Bytes of a payload.
pub const PAYLOAD: usize = 256;
/// Messages a second of all publishers together; `None` for as many as can be.
const RATES: [Option<u32>; 3] = [Some(5_000), Some(20_000), None];
const SUBSCRIBERS: [usize; 2] = [1, 4];
const IDLE: [usize; 2] = [1_000, 8_000];

/// The two, in the order of the table.
const BROKERS: [Broker; 2] = [Broker::Embedded, Broker::Mosquitto];

/// Measures everything, or only what is named: `load` or `idle`.
pub async fn run(settings: &Settings, only: &[String]) -> Result<()> {
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
    let mut report = Report::new("broker");
    let beginning = format!("{} at the beginning.\n", usage::load());
    println!("{beginning}");
    report.add(&beginning);
    if wanted("load") {
        let mut rows = Vec::new();
        for (qos, rate, subscribers) in loads() {
            let load = Load { qos, rate, subscribers };
            let mut rounds = [Vec::new(), Vec::new()];
            for round in 0..settings.rounds {
                // Who came first comes second in the next round.
                for turn in 0..BROKERS.len() {
                    let which = (round + turn) % BROKERS.len();
                    let plant = Plant::start(BROKERS[which], PUBLISHERS)?;
                    let came = load.run(&plant, settings.time).await?;
                    println!("  {} {load}: {came}", plant.name());
                    rounds[which].push(came);
                }
            }
            rows.push((load, rounds));
        }
        let text = table::of_loads(&rows);
        println!("{text}");
        report.add(&text);
    }
    if wanted("idle") {
        let mut rows = Vec::new();
        for connections in IDLE {
            for subscribed in [false, true] {
                let mut rounds = [Vec::new(), Vec::new()];
                for _ in 0..settings.rounds {
                    for (which, broker) in BROKERS.into_iter().enumerate() {
                        let plant = Plant::start(broker, connections)?;
                        let cost = idle::measure(&plant, connections, subscribed).await?;
                        println!(
                            "  {} {connections} idle connections, subscribed: {subscribed}: {cost:.0} bytes",
                            plant.name()
                        );
                        rounds[which].push(cost);
                    }
                }
                rows.push((connections, subscribed, rounds));
            }
        }
        let text = table::of_idle(&rows);
        println!("{text}");
        report.add(&text);
    }
    report.finish(settings)
}

fn loads() -> impl Iterator<Item = (u8, Option<u32>, usize)> {
    let of = |qos| RATES.into_iter().flat_map(move |rate| SUBSCRIBERS.map(|subscribers| (qos, rate, subscribers)));
    [1, 0].into_iter().flat_map(of)
}
