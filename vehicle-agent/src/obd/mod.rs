//! OBD-II over an ELM327 → values, trouble codes, VIN. Feature `obd`; without it [`run`] has nothing to do.
//!
//! # Layout
//! - `port`: serial port or TCP socket, blocking
//! - `elm`: the adapter as a device of crate obd2
//! - [`answer`]: what the adapter says → what each ECU answered
//! - [`decode`]: the formulas of SAE J1979, trouble codes, VIN
//! - `schedule`: what is asked when
//! - `session`: the conversation
//! - `task`: what the car is asked to do besides
//!
//! # Invariants
//! - obd2 sees only answers that were read here first: none of its `todo!()`s can be reached.
//! - An answer that came late is never taken for that of the next question.

#[cfg(feature = "obd")]
pub mod answer;
#[cfg(feature = "obd")]
pub mod decode;
#[cfg(feature = "obd")]
mod elm;
#[cfg(feature = "obd")]
mod port;
#[cfg(feature = "obd")]
mod schedule;
#[cfg(feature = "obd")]
mod session;
mod task;

use std::collections::BTreeMap;

use bugbrother_wire::{Vin, message::SignalDeclaration};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use task::{Task, Troubles};

use crate::{link::Link, outbox::Draft, recorder::Reading};

/// What the car says of its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarVin {
    /// It was not asked yet, or is not there.
    Unknown,
    /// It was asked and does not tell, as many before 2008.
    Untold,
    /// Its VIN.
    Told(Vin),
}

/// Where what the car tells goes.
pub struct Outputs {
    /// Values.
    pub readings: mpsc::Sender<Reading>,
    /// Trouble codes and events.
    pub drafts: mpsc::Sender<Draft>,
    /// What can be told.
    pub signals: watch::Sender<Vec<SignalDeclaration>>,
    /// Which car it is.
    pub vin: watch::Sender<CarVin>,
}

/// Talks to the car, and does `tasks` in between, until `stop`; an adapter that is gone is opened again. Blocks its thread.
#[cfg(feature = "obd")]
pub fn run(
    link: &Link,
    outputs: &Outputs,
    mut periods: watch::Receiver<BTreeMap<String, u32>>,
    tasks: &mut mpsc::Receiver<Task>,
    stop: &CancellationToken,
) {
    use std::time::Instant;

    use bugbrother_wire::message::EventKind;
    use tracing::{info, warn};

    let mut retry = crate::retry::Retry::new();
    let mut told = session::Told::default();
    let (mut last_reason, mut was_there) = (String::new(), None);
    while !stop.is_cancelled() {
        let began = Instant::now();
        let connected = port::open(link)
            .map_err(|error| answer::Fault::Gone(error.to_string()))
            .and_then(|port| elm::Car::connect(port, stop.clone()));
        let fault = match connected {
            Ok(car) => {
                info!(adapter = %link, "adapter opened");
                last_reason.clear();
                if was_there.replace(true) == Some(false) {
                    tell(outputs, EventKind::AdapterPlugged);
                }
                let mut session =
                    session::Session { car, outputs, periods: &mut periods, tasks, stop, told: &mut told };
                session.talk()
            }
            Err(fault) => fault,
        };
        if stop.is_cancelled() || outputs.readings.is_closed() {
            return;
        }
        if was_there == Some(true) {
            was_there = Some(false);
            tell(outputs, EventKind::AdapterUnplugged);
        }
        metrics::counter!("bugbrother_agent_adapter_losses_total").increment(1);
        // An adapter that is away for hours is one line in the log, not one for every attempt.
        let reason = fault.to_string();
        if reason != last_reason {
            warn!(adapter = %link, reason, "no adapter");
        }
        last_reason = reason;
        let wait = stop.run_until_cancelled(tokio::time::sleep(retry.next_wait(began.elapsed())));
        tokio::runtime::Handle::current().block_on(wait);
    }
}

#[cfg(feature = "obd")]
fn tell(outputs: &Outputs, kind: bugbrother_wire::message::EventKind) {
    let event = Draft::Event(crate::outbox::Happening::new(kind, crate::now_ms()));
    // At the end of the agent nobody takes it.
    drop(outputs.drafts.blocking_send(event));
}

/// Never called: settings with an adapter are refused without the feature.
#[cfg(not(feature = "obd"))]
pub fn run(
    _link: &Link,
    _outputs: &Outputs,
    _periods: watch::Receiver<BTreeMap<String, u32>>,
    _tasks: &mut mpsc::Receiver<Task>,
    _stop: &CancellationToken,
) {
}
