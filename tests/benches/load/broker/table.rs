//! Figures beside each other: medians of the rounds, and the embedded broker's by Mosquitto's.

use std::fmt::Write as _;

use super::load::{Came, Load};
use crate::figures::{grouped, median};

type Rounds<T> = [Vec<T>; 2];

/// The median of a figure of each broker.
fn medians<T>(rounds: &Rounds<T>, figure: impl Fn(&T) -> f64) -> [f64; 2] {
    rounds.each_ref().map(|rounds| median(rounds.iter().map(&figure)))
}

/// The two, and the first by the second.
fn both([embedded, mosquitto]: [f64; 2], show: impl Fn(f64) -> String) -> String {
    format!("{} / {} = **{:.2}**", show(embedded), show(mosquitto), embedded / mosquitto)
}

/// What came of each load.
pub fn of_loads(rows: &[(Load, Rounds<Came>)]) -> String {
    let mut text = String::from(
        "\n| load | taken/s | heard/s by each | p50 ms | p99 ms | broker's CPU µs/message | memory MB | lost of 1,000,000 |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for (load, rounds) in rows {
        let ms = |us: f64| format!("{:.2}", us / 1e3);
        let lost = rounds.each_ref().map(|rounds| {
            let (lost, due): (u64, u64) = rounds
                .iter()
                .fold((0, 0), |(lost, due), came| (lost + came.lost, due + came.sent * load.subscribers as u64));
            grouped(lost as f64 * 1e6 / due.max(1) as f64)
        });
        writeln!(
            text,
            "| {load} | {} | {} | {} | {} | {} | {} | {} / {} |",
            both(medians(rounds, |came| came.taken), grouped),
            both(medians(rounds, |came| came.heard), grouped),
            both(medians(rounds, |came| came.p50_us), ms),
            both(medians(rounds, |came| came.p99_us), ms),
            both(medians(rounds, |came| came.cpu_us), |us| format!("{us:.1}")),
            both(medians(rounds, |came| came.bytes / 1e6), |mb| format!("{mb:.0}")),
            lost[0],
            lost[1],
        )
        .unwrap_or_default();
    }
    let again = |which: usize| rows.iter().flat_map(|(_, rounds)| &rounds[which]).map(|came| came.again).sum::<u64>();
    let missing = |which: usize| {
        let all = rows.iter().filter(|(load, _)| load.qos > 0).flat_map(|(_, rounds)| &rounds[which]);
        all.map(|came| came.sent - came.acknowledged).sum::<u64>()
    };
    writeln!(
        text,
        "\nEmbedded / Mosquitto = ratio. At QoS 1 {} and {} messages were never acknowledged; {} and {} deliveries came twice.",
        missing(0),
        missing(1),
        again(0),
        again(1)
    )
    .unwrap_or_default();
    text
}

/// What connections cost.
pub fn of_idle(rows: &[(usize, bool, Rounds<f64>)]) -> String {
    let mut text = String::from("\n| idle connections | kB each: embedded / Mosquitto = ratio |\n|---|---|\n");
    for (connections, subscribed, rounds) in rows {
        let what = if *subscribed { "each with a subscription" } else { "which only publish" };
        let kb = both(medians(rounds, |bytes| *bytes), |bytes| format!("{:.1}", bytes / 1e3));
        writeln!(text, "| {}, {what} | {kb} |", grouped(*connections as f64)).unwrap_or_default();
    }
    text
}
