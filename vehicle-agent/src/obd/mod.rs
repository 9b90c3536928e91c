//! OBD-II over an ELM327 → values, trouble codes, VIN. Feature `obd`; without it [`run`] has nothing to do.
//!
//! # Layout
//! - `search`: where the adapter is; `port`: serial port or TCP socket; `line`: command and answer
//! - `elm`: the adapter as a device of crate obd2; [`protocol`]: what the bus speaks
//! - [`answer`]: what the adapter says → what each ECU answered; `legacy`: messages of the buses before CAN
//! - [`decode`]: the formulas of SAE J1979, trouble codes, VIN
//! - `session`: the conversation, with `supports`, `about`, `troubles` and `batch` for its parts; `desk`: what goes out of
//!   it and comes in
//! - `schedule`: what is asked when; `sleep`: when the car is left alone
//!
//! # Invariants
//! - obd2 sees only answers that were read here first: none of its `todo!()`s can be reached.
//! - An answer that came late is never taken for that of the next question.
//! - What a car does not say that it has is not asked for, and a car whose engine is off is not asked for long.
//! - Codes are cleared only when somebody asks for it and still waits for the answer.

#[cfg(feature = "obd")]
mod about;
mod adapter;
#[cfg(feature = "obd")]
pub mod answer;
#[cfg(feature = "obd")]
mod batch;
#[cfg(feature = "obd")]
pub mod decode;
#[cfg(feature = "obd")]
mod desk;
#[cfg(feature = "obd")]
mod elm;
#[cfg(feature = "obd")]
mod legacy;
#[cfg(feature = "obd")]
mod line;
#[cfg(feature = "obd")]
mod port;
#[cfg(feature = "obd")]
pub mod protocol;
#[cfg(feature = "obd")]
mod schedule;
#[cfg(feature = "obd")]
mod search;
#[cfg(feature = "obd")]
mod session;
#[cfg(feature = "obd")]
mod sleep;
#[cfg(feature = "obd")]
mod supports;
mod task;
#[cfg(feature = "obd")]
mod troubles;

use std::{collections::BTreeMap, time::Duration};

use bugbrother_wire::{
    Vin,
    message::{CarDeclaration, SignalDeclaration},
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use self::{
    adapter::Adapter,
    task::{Task, Troubles},
};
use crate::{clock::Time, outbox::Draft, ports::Ports, recorder::Reading};

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

/// How the car is doing, and its battery.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Power {
    /// How it is doing.
    pub phase: Phase,
    /// Voltage at the connector, where the adapter or the car tells it.
    pub voltage: Option<f64>,
}

/// How the car is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nobody knows: there is no adapter, or it was not asked yet.
    Unknown,
    /// The car answers.
    Running,
    /// The engine is off: nobody answers, or for half a minute nothing turns, rolls or charges.
    Off,
    /// The engine is off, and the car is asked nothing any more until its battery is charged or it moves.
    Asleep,
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
    /// What the car says of itself, once it has.
    pub car: watch::Sender<Option<CarDeclaration>>,
    /// How it is doing.
    pub power: watch::Sender<Power>,
    /// What time it is.
    pub time: Time,
}

/// What is wished for from outside.
pub struct Inputs {
    /// Signal key → wanted interval in ms.
    pub periods: watch::Receiver<BTreeMap<String, u32>>,
    /// Whether the vehicle moves, as far as its receiver tells: a car that sleeps wakes when that becomes true.
    pub moving: watch::Receiver<bool>,
    /// What is to be done once.
    pub tasks: mpsc::Receiver<Task>,
}

/// Where the adapter is and how fast things go.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the adapter is.
    pub adapter: Adapter,
    /// The serial ports, shared with the other parts of the agent.
    pub ports: Ports,
    /// How fast things go.
    pub pace: Pace,
}

/// How fast things go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// A car that does not answer is asked so often, until it is left alone.
    pub search_every: Duration,
    /// Without an answer for so long the engine is off.
    pub silent_after: Duration,
    /// So long after the engine was switched off the car is left alone.
    pub sleep_after: Duration,
    /// The voltage of a car that is left alone is measured so often.
    pub look_every: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Pace {
            search_every: seconds(5),
            silent_after: seconds(5),
            sleep_after: seconds(DEFAULT_SLEEP_AFTER_S),
            look_every: seconds(30),
        }
    }
}

impl Pace {
    /// As usual, but with so many seconds until the car is left alone, within reason: not at each traffic light.
    pub fn sleeping_after(seconds: u64) -> Self {
        Pace { sleep_after: Duration::from_secs(seconds.clamp(SHORTEST_SLEEP_AFTER_S, 86_400)), ..Pace::default() }
    }
}

const SHORTEST_SLEEP_AFTER_S: u64 = 30;

/// So many seconds after the engine was switched off the car is left alone.
pub const DEFAULT_SLEEP_AFTER_S: u64 = 120;

/// Talks to the car until `stop`; an adapter that is gone is looked for again. Blocks its thread, which must be one of a
/// tokio runtime that may block.
#[cfg(feature = "obd")]
pub fn run(plan: &Plan, outputs: &Outputs, inputs: Inputs, stop: &CancellationToken) {
    use std::time::Instant;

    use bugbrother_wire::message::EventKind;
    use tracing::{info, warn};

    let mut retry = crate::retry::Retry::new();
    let mut search = search::Search::default();
    let mut memory = session::Memory::default();
    let mut desk = desk::Desk::new(outputs, inputs, stop);
    let (mut last_reason, mut was_there) = (String::new(), None);
    while !desk.is_over() {
        let began = Instant::now();
        // The port is another part's again when the conversation is over.
        let (fault, _claim) = match search.find(&plan.adapter, &plan.ports, stop) {
            Ok(search::Found { line, link, claim }) => match elm::Car::connect(line) {
                Ok(car) => {
                    info!(adapter = %link, name = car.adapter(), "adapter opened");
                    last_reason.clear();
                    if was_there.replace(true) == Some(false) {
                        tell(outputs, EventKind::AdapterPlugged);
                    }
                    (session::Session::new(car, &mut desk, &mut memory, &plan.pace).talk(), claim)
                }
                Err(fault) => (fault, claim),
            },
            Err(fault) => (fault, None),
        };
        if desk.is_over() {
            return;
        }
        desk.show(Phase::Unknown, None);
        if was_there == Some(true) {
            was_there = Some(false);
            tell(outputs, EventKind::AdapterUnplugged);
        }
        metrics::counter!("bugbrother_agent_adapter_losses_total").increment(1);
        // An adapter that is away for hours is one line in the log, not one for every attempt.
        let reason = fault.to_string();
        if reason != last_reason {
            warn!(adapter = %plan.adapter, reason, "no adapter");
        }
        last_reason = reason;
        let until = Instant::now() + retry.next_wait(began.elapsed());
        loop {
            desk.refuse_tasks(&format!("no adapter: {last_reason}"));
            match desk.wait(until, false) {
                Ok(desk::Woken::Due) => break,
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

#[cfg(feature = "obd")]
fn tell(outputs: &Outputs, kind: bugbrother_wire::message::EventKind) {
    let event = Draft::Event(crate::outbox::Happening::new(kind, outputs.time.now()));
    // At the end of the agent nobody takes it.
    drop(outputs.drafts.blocking_send(event));
}

/// Never called: settings with an adapter are refused without the feature.
#[cfg(not(feature = "obd"))]
pub fn run(_plan: &Plan, _outputs: &Outputs, _inputs: Inputs, _stop: &CancellationToken) {}
