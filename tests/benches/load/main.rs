//! What the way from a vehicle into the database takes, and the way out of it: `make bench-ingest`, `make bench-history`,
//! `make bench-growth`; and the way to people: `make bench-dashboard`, `make bench-video`, `make bench-notify`; and the broker alone:
//! `make bench-broker`; and a large fleet on the whole server: `make bench-fleet` and `make soak`.
//!
//! # Layout
//! - `ingest`: from publish to commit, beside `ceiling`, what the database takes at most, and `nodered`
//! - `history`: the first page of a vehicle's history, with a year of it
//! - `growth`: what a vehicle costs, the more there are of them
//! - `dashboard`: from publish to pixel, how the map moves, and what viewers cost
//! - `video`: from a camera's picture to the screen, and what that costs
//! - `notify`: from publish to who is told of an alert, and what rules cost
//! - `broker`: the embedded broker beside Debian's Mosquitto
//! - `fleet`: a large fleet, a storm, a backlog, and half an hour with nothing that grows
//! - `arrival`: messages on their way into a store; crate `bugbrother_load` has the vehicles that publish them
//! - `server`: a broker and ingest as processes, and a database behind them
//! - `usage`, `space`: what processes and databases take; `figures`: medians and quantiles
//! - `settings`: what may be said from outside; `report`, `plot`: into `docs/performance.md`
//!
//! # Invariants
//! - What is compared is measured in turn, in the same run; the machine's load is told beside it.
//! - A message counts when the vehicle has been told that it is committed. Of what was published nothing may be missing.
#![expect(clippy::print_stdout, reason = "a benchmark says what it has measured")]

mod arrival;
mod broker;
mod ceiling;
mod dashboard;
mod figures;
mod fleet;
mod growth;
mod history;
mod ingest;
mod nodered;
mod notify;
mod plot;
mod report;
mod server;
mod settings;
mod space;
mod usage;
mod video;

use std::env;

use anyhow::{Context, Result, bail};
use bugbrother_load::{drive, packet};

use crate::{server::Kind, settings::Settings};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Some((command, rest)) = arguments.split_first() else {
        bail!(
            "what is to be measured: ingest, flood, history, growth, dashboard, video, notify, broker, fleet or soak?"
        );
    };
    if command == history::READER {
        return history::read(rest).await;
    }
    if command == "dashboard" {
        return dashboard::run(&Settings::read(20, 3)?, rest).await;
    }
    if command == "video" {
        return video::run(&Settings::read(20, 3)?, rest).await;
    }
    if command == "fleet" {
        return fleet::run(&Settings::read(600, 1)?, rest).await;
    }
    if command == "soak" {
        return fleet::soak::run(&Settings::read(1_800, 1)?).await;
    }
    if command == "broker" {
        return broker::run(&Settings::read(5, 3)?, rest).await;
    }
    let named = rest.iter().map(|name| Kind::called(name).with_context(|| format!("no database `{name}`")));
    let named = named.collect::<Result<Vec<_>>>()?;
    let kinds = if named.is_empty() { Kind::ALL.to_vec() } else { named };
    match command.as_str() {
        "ingest" => ingest::run(&Settings::read(12, 3)?, &kinds).await,
        "flood" => ingest::run_floods(&Settings::read(12, 1)?, &kinds).await,
        "history" => history::run(&Settings::read(20, 5)?, &kinds).await,
        "notify" => notify::run(&Settings::read(300, 1)?).await,
        "growth" => growth::run(&Settings::read(60, 1)?).await,
        other => {
            bail!(
                "nothing is known of `{other}`: ingest, flood, history, growth, dashboard, video, notify, broker, fleet or \
                 soak?"
            )
        }
    }
}
