use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bugbrother_wire::signal::{self, Signal};
use tokio::{runtime::Handle, sync::mpsc::error::TryRecvError, time::sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Inputs, Outputs, Phase, Power, Task, answer::Fault, port::ended};
use crate::{outbox::Draft, recorder::Reading};

/// Values that are told within so short a time share a row.
const ROW: Duration = Duration::from_millis(200);

/// What goes out of the conversation and what comes in.
pub(super) struct Desk<'a> {
    pub outputs: &'a Outputs,
    inputs: Inputs,
    stop: &'a CancellationToken,
    row: Option<Reading>,
    ignition: Option<bool>,
    /// A task in hand.
    waiting: Option<Task>,
    /// Whether anybody may still give tasks, or say that the vehicle moves.
    gives_tasks: bool,
    tells_movement: bool,
}

/// Why a wait is over.
pub(super) enum Woken {
    /// The time has come.
    Due,
    /// A task was given; it waits in the desk.
    Task,
    /// The vehicle has begun to move.
    Moves,
}

impl<'a> Desk<'a> {
    pub fn new(outputs: &'a Outputs, inputs: Inputs, stop: &'a CancellationToken) -> Self {
        Desk {
            outputs,
            inputs,
            stop,
            row: None,
            ignition: None,
            waiting: None,
            gives_tasks: true,
            tells_movement: true,
        }
    }

    /// Whether the agent ends, or nobody listens any more.
    pub fn is_over(&self) -> bool {
        self.stop.is_cancelled() || self.outputs.readings.is_closed()
    }

    /// The intervals that the fleet wishes for, if they have changed.
    pub fn new_periods(&mut self) -> Option<BTreeMap<String, u32>> {
        let periods = &mut self.inputs.periods;
        periods.has_changed().unwrap_or(false).then(|| periods.borrow_and_update().clone())
    }

    /// The intervals that the fleet wishes for.
    pub fn periods(&mut self) -> BTreeMap<String, u32> {
        self.inputs.periods.borrow_and_update().clone()
    }

    /// Whether the vehicle moves, as far as the receiver tells.
    pub fn moves(&self) -> bool {
        *self.inputs.moving.borrow()
    }

    /// The next task. One whose giver does not wait any more is not carried out.
    pub fn next_task(&mut self) -> Option<Task> {
        loop {
            let task = match self.waiting.take() {
                Some(task) => task,
                None => match self.inputs.tasks.try_recv() {
                    Ok(task) => task,
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => return None,
                },
            };
            if !task.is_given_up() {
                return Some(task);
            }
        }
    }

    /// Takes a task in hand before the car is asked whether it is there; those that come later are for the next time.
    pub fn hold_task(&mut self) {
        self.waiting = self.next_task();
    }

    /// Refuses the task in hand, if it was not carried out.
    pub fn refuse_held(&mut self, reason: &str) {
        if let Some(task) = self.waiting.take() {
            task.refuse(reason);
        }
    }

    /// Refuses all tasks that wait.
    pub fn refuse_tasks(&mut self, reason: &str) {
        while let Some(task) = self.next_task() {
            task.refuse(reason);
        }
    }

    /// Waits until then or until a task comes; with `heeds_movement` until the vehicle begins to move, too.
    pub fn wait(&mut self, until: Instant, heeds_movement: bool) -> Result<Woken, Fault> {
        if self.waiting.is_some() {
            return Ok(Woken::Task);
        }
        let stop = self.stop;
        let woken = stop.run_until_cancelled(self.wake(until, heeds_movement));
        Handle::current().block_on(woken).ok_or_else(ended)
    }

    async fn wake(&mut self, until: Instant, heeds_movement: bool) -> Woken {
        let Desk { inputs: Inputs { moving, tasks, .. }, gives_tasks, tells_movement, waiting, .. } = self;
        if heeds_movement {
            moving.mark_unchanged();
        }
        loop {
            tokio::select! {
                () = sleep_until(until.into()) => return Woken::Due,
                task = tasks.recv(), if *gives_tasks => match task {
                    Some(task) => {
                        *waiting = Some(task);
                        return Woken::Task;
                    }
                    None => *gives_tasks = false,
                },
                changed = moving.changed(), if heeds_movement && *tells_movement => match changed {
                    Ok(()) if *moving.borrow_and_update() => return Woken::Moves,
                    Ok(()) => {}
                    Err(_) => *tells_movement = false,
                },
            }
        }
    }

    /// Puts a value into the row, if a working sensor could have told it.
    pub fn note(&mut self, signal: &'static Signal, value: f64) {
        if signal.is_plausible(value) {
            let row = self.row.get_or_insert_with(|| Reading { at: Instant::now(), values: Vec::new() });
            row.values.push((signal.key.into(), value));
        }
    }

    /// Puts a value into the row by its key.
    pub fn note_key(&mut self, key: &str, value: Option<f64>) {
        if let (Some(signal), Some(value)) = (signal::find(key), value) {
            self.note(signal, value);
        }
    }

    /// Notes whether the ignition is on, when that has changed.
    pub fn note_ignition(&mut self, on: bool) -> Result<(), Fault> {
        if self.ignition.replace(on) != Some(on) {
            self.send_row()?;
            self.note_key("ign", Some(f64::from(u8::from(on))));
            self.send_row()?;
        }
        Ok(())
    }

    /// Sends the row if its time is over.
    pub fn send_old_row(&mut self) -> Result<(), Fault> {
        match &self.row {
            Some(row) if row.at.elapsed() > ROW => self.send_row(),
            _ => Ok(()),
        }
    }

    /// Sends the row.
    pub fn send_row(&mut self) -> Result<(), Fault> {
        match self.row.take() {
            Some(reading) => self.outputs.readings.blocking_send(reading).map_err(|_| ended()),
            None => Ok(()),
        }
    }

    pub fn tell(&self, draft: Draft) -> Result<(), Fault> {
        self.outputs.drafts.blocking_send(draft).map_err(|_| ended())
    }

    /// Says how the car is doing, to those who wait for a change.
    pub fn show(&self, phase: Phase, voltage: Option<f64>) {
        let power = Power { phase, voltage };
        self.outputs.power.send_if_modified(|shown| std::mem::replace(shown, power) != power);
    }
}
