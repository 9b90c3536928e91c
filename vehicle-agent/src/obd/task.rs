use bugbrother_wire::message::{Dtc, FreezeFrame, Monitor};
use tokio::sync::oneshot;

/// What the car is to do once. The answer is a reason in words where it cannot be done: no adapter, ignition off, engine
/// running, the car's refusal. It comes within seconds if the car answers, and within a minute otherwise.
///
/// Whoever does not wait for the answer any more, and drops its receiver, has the task not carried out if it has not begun.
#[derive(Debug)]
pub enum Task {
    /// Read what is wrong, now; it is sent as diagnostics, too. Wakes a car that is left alone.
    ReadCodes(oneshot::Sender<Result<Troubles, String>>),
    /// Clear trouble codes, freeze frames and readiness (mode 04) in all ECUs, and read again: answers what is left. Refused
    /// while the engine runs, the vehicle moves or the ignition is off.
    ClearCodes(oneshot::Sender<Result<Troubles, String>>),
}

/// All that the car says is wrong with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Troubles {
    /// Malfunction indicator lamp, where the car tells.
    pub mil: Option<bool>,
    /// Trouble codes.
    pub dtcs: Vec<Dtc>,
    /// Readiness monitors.
    pub monitors: Vec<Monitor>,
    /// Values at the moment a code was stored.
    pub freeze_frame: Option<FreezeFrame>,
}

impl Task {
    fn answer(self) -> oneshot::Sender<Result<Troubles, String>> {
        match self {
            Task::ReadCodes(answer) | Task::ClearCodes(answer) => answer,
        }
    }

    /// Says that it is not done, and why.
    pub fn refuse(self, reason: &str) {
        // Who gave it may have left meanwhile.
        drop(self.answer().send(Err(reason.to_owned())));
    }

    /// Whether nobody waits for the answer any more.
    pub fn is_given_up(&self) -> bool {
        match self {
            Task::ReadCodes(answer) | Task::ClearCodes(answer) => answer.is_closed(),
        }
    }
}
