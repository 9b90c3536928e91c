//! A GNSS receiver, or a recording of one → fixes.
//!
//! # Layout
//! - [`gate`]: bytes → sentences; [`assembler`]: sentences → fixes; [`fix`]: what one is;
//!   `gpsd`: the reports of a gpsd → fixes
//! - [`judge`]: which fixes are believed, by [`rollover`] and [`jump`]
//! - `search`: which port, at which speed; `source`: opens it; `ear`: a receiver that is listened to
//! - `listen`: a receiver again and again; `replay`: a recording, each sentence when it is due by `pace`
//! - [`probe()`]: what is there, for people
//!
//! # Invariants
//! - A receiver is only listened to: nothing is ever written to its port. (A gpsd is told once that it may speak.)
//! - Behind every fix are sentences with a right checksum, and every value of it lies within the bounds of its signal.

pub mod assembler;
mod calendar;
mod ear;
pub mod fix;
pub mod gate;
mod gpsd;
pub mod judge;
pub mod jump;
mod listen;
mod pace;
mod probe;
mod replay;
pub mod rollover;
mod search;
mod settings;
mod source;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use fix::Fix;
pub use probe::{Probe, probe};
pub use replay::RecordingError;
pub use settings::{GpsSource, GpsSourceError, Speed};

use crate::{clock::Time, outbox::Draft, ports::Ports};

/// Where positions are to come from.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Receiver or recording.
    pub source: GpsSource,
    /// The serial ports that are shared with the agent's other parts.
    pub ports: Ports,
    /// A receiver that has said nothing readable for so long is opened again. Receivers speak every second or so, fix or
    /// not.
    pub dead_after: Duration,
}

impl Plan {
    /// With the patience that is right on the road: 10 s.
    pub fn new(source: GpsSource, ports: Ports) -> Self {
        Plan { source, ports, dead_after: Duration::from_secs(10) }
    }
}

/// Where positions go, and what is to be said of the receiver.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// Fixes, as they come.
    pub fixes: mpsc::Sender<Fix>,
    /// That a receiver is lost, or found again.
    pub drafts: mpsc::Sender<Draft>,
    /// What time that is.
    pub time: Time,
}

/// Sends fixes until the source ends, which only a recording does, or `shutdown`. Of a recording the first `skip` are
/// left out, and not waited for.
pub async fn run(plan: &Plan, skip: u64, outputs: Outputs, shutdown: &CancellationToken) -> Result<(), RecordingError> {
    match &plan.source {
        GpsSource::Recording { path, speed } => replay::replay(path, *speed, skip, outputs.fixes, shutdown).await,
        _ => {
            listen::listen(plan, outputs, shutdown).await;
            Ok(())
        }
    }
}

fn count_refusal(reason: &'static str) {
    metrics::counter!("bugbrother_agent_refused_sentences_total", "reason" => reason).increment(1);
}
