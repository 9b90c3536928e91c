//! What may be said about a run from outside.

use std::{env, time::Duration};

use anyhow::{Context, Result};

/// Environment variables, all of which may be left out.
pub struct Settings {
    /// `BUGBROTHER_BENCH_SECONDS`: how long each thing is measured.
    pub time: Duration,
    /// `BUGBROTHER_BENCH_ROUNDS`: how often, in turn with everything else.
    pub rounds: usize,
    /// `BUGBROTHER_BENCH_DOCS`: the results are put into `docs/performance.md`.
    pub write: bool,
}

/// `BUGBROTHER_BENCH_VEHICLES`: how many vehicles there are, where that may be said.
pub fn vehicles(otherwise: usize) -> Result<usize> {
    Ok(number("BUGBROTHER_BENCH_VEHICLES")?.map_or(otherwise, |vehicles| vehicles.max(1) as usize))
}

impl Settings {
    /// With these where nothing is said.
    pub fn read(seconds: u64, rounds: usize) -> Result<Self> {
        Ok(Settings {
            time: Duration::from_secs(number("BUGBROTHER_BENCH_SECONDS")?.unwrap_or(seconds).max(1)),
            rounds: number("BUGBROTHER_BENCH_ROUNDS")?.map_or(rounds, |rounds| rounds.max(1) as usize),
            write: env::var("BUGBROTHER_BENCH_DOCS").is_ok_and(|word| !word.is_empty() && word != "0"),
        })
    }
}

fn number(name: &str) -> Result<Option<u64>> {
    match env::var(name) {
        Ok(text) if !text.is_empty() => Ok(Some(text.parse().with_context(|| format!("{name} is no number"))?)),
        _ => Ok(None),
    }
}
