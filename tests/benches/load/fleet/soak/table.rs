//! What was seen of each process, and whether it is flat.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use bugbrother_tests::flatness::Flatness;

use crate::usage;

/// Memory may be so much above the middle third in the last.
const GROWTH: f64 = 1.10;
/// And descriptors besides connections, and threads, so many.
const MORE: f64 = 8.0;

/// A process, and what it took at each look.
pub struct Watched {
    pub name: &'static str,
    process: u32,
    bytes: Vec<f64>,
    /// Besides the connections of vehicles and people, which come and go.
    descriptors: Vec<f64>,
    threads: Vec<f64>,
}

impl Watched {
    pub fn new(name: &'static str, process: u32) -> Self {
        Watched { name, process, bytes: Vec::new(), descriptors: Vec::new(), threads: Vec::new() }
    }

    /// Takes the figures of now; it has so many connections of vehicles or people.
    pub fn look(&mut self, connections: f64) -> Result<()> {
        self.bytes.push(usage::resident_bytes(&[self.process])?);
        self.descriptors.push(usage::descriptors(self.process)? as f64 - connections);
        self.threads.push(usage::threads(self.process)? as f64);
        Ok(())
    }

    /// The newest of them.
    pub fn told(&self) -> String {
        let last = |figures: &[f64]| figures.last().copied().unwrap_or_default();
        let (bytes, descriptors, threads) = (last(&self.bytes), last(&self.descriptors), last(&self.threads));
        format!("{} {:.1} MB {descriptors} descriptors {threads} threads", self.name, bytes / 1e6)
    }
}

/// The table, and what of it grows.
pub fn of(processes: &[Watched]) -> Result<(String, Vec<String>)> {
    let mut text = format!(
        "\nMedians of looks every ten seconds, in thirds of the time. The first third is when caches fill, and is not judged: memory \
         must not be above {:.0} % of the middle third in the last, and descriptors besides the connections of vehicles and people, and \
         threads, not more than {MORE} above it.\n\n\
         | process | memory, MB: first | middle | last | last / first | last / middle | descriptors | middle | last | threads | middle \
         | last |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        GROWTH * 100.0,
    );
    let mut growing = Vec::new();
    for Watched { name, bytes, descriptors, threads, .. } in processes {
        let flatness = |figures: &[f64]| Flatness::of(figures).context("too short a time");
        let (bytes, descriptors, threads) = (flatness(bytes)?, flatness(descriptors)?, flatness(threads)?);
        let three = |figures: Flatness| format!("{:.0} | {:.0} | {:.0}", figures.first, figures.middle, figures.last);
        writeln!(
            text,
            "| {name} | {:.1} | {:.1} | {:.1} | {:.2} | {:.2} | {} | {} |",
            bytes.first / 1e6,
            bytes.middle / 1e6,
            bytes.last / 1e6,
            bytes.since_the_first(),
            bytes.since_the_middle(),
            three(descriptors),
            three(threads),
        )?;
        if bytes.since_the_middle() > GROWTH {
            growing.push(format!("memory of {name}"));
        }
        for (what, figures) in [("descriptors", descriptors), ("threads", threads)] {
            if figures.rise() > MORE {
                growing.push(format!("{what} of {name}"));
            }
        }
    }
    let verdict =
        if growing.is_empty() { "All of it is flat.".to_owned() } else { format!("Not flat: {}.", growing.join("; ")) };
    writeln!(text, "\n{verdict}")?;
    Ok((text, growing))
}
