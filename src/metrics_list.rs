//! The list of metrics, which is a document: `docs/metrics.md` gives each its help text, and what a service may count is there
//! from the start, at zero, so that a rule of Prometheus sees the first of a kind.

use anyhow::{Context, Result};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const DOCUMENT: &str = include_str!("../docs/metrics.md");

/// Bounds of times: from what memory takes to what nobody waits for. With bounds, figures of several processes can be added up.
const SECONDS: [f64; 15] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Bounds of what is taken at once.
const NUMBERS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];

/// Counts from now on in this process.
pub fn recorder() -> Result<PrometheusHandle> {
    let build = || {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_messages".to_owned()), &NUMBERS)?
            .install_recorder()
    };
    build().context("cannot keep counters")
}

/// A line of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    name: &'static str,
    kind: &'static str,
    labels: &'static str,
    help: &'static str,
}

/// The lines of the tables that are metrics of the server.
fn lines() -> impl Iterator<Item = Line> {
    DOCUMENT.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ");
        let name = cells.next()?.trim_end_matches('`');
        let (kind, labels, help) = (cells.next()?, cells.next()?, cells.next()?);
        matches!(kind, "counter" | "gauge" | "histogram").then_some(Line { name, kind, labels, help })
    })
}

/// Gives all of them their help text, and those of these services, where a label does not make several of one, their zero.
pub fn install(services: &[&str]) {
    for Line { name, kind, labels, help } in lines() {
        let service = name.split('_').nth(1).unwrap_or_default();
        let begins = labels.is_empty() && services.contains(&service);
        match kind {
            "counter" => {
                describe_counter!(name, help);
                if begins {
                    counter!(name).increment(0);
                }
            }
            "gauge" => {
                describe_gauge!(name, help);
                if begins {
                    gauge!(name).increment(0.0);
                }
            }
            _ => describe_histogram!(name, help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_read() {
        let all: Vec<_> = lines().collect();
        let written = DOCUMENT.lines().filter(|line| line.starts_with("| `bugbrother_")).count();
        assert!(all.len() > 60 && all.len() == written, "{} of {written} lines are read", all.len());
        for line in all {
            assert!(line.name.starts_with("bugbrother_") && line.help.len() > 10, "{line:?}");
            let counts = line.name.ends_with("_total");
            assert_eq!(counts, line.kind == "counter", "{line:?}");
            assert!(line.labels.split(", ").all(|label| label.is_empty() || label.starts_with('`')), "{line:?}");
        }
    }
}
