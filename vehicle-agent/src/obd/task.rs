use bugbrother_wire::message::{Dtc, DtcStatus, FreezeFrame, Monitor};
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

impl Troubles {
    /// In a sentence without its full stop.
    pub fn in_words(&self) -> String {
        let lamp = match self.mil {
            Some(true) => ", the lamp is on",
            Some(false) => ", the lamp is off",
            None => "",
        };
        let codes: Vec<String> = self.dtcs.iter().map(code_in_words).collect();
        match codes.len() {
            0 => format!("no trouble codes{lamp}"),
            1 => format!("1 trouble code: {}{lamp}", codes[0]),
            count => format!("{count} trouble codes: {}{lamp}", codes.join(", ")),
        }
    }
}

fn code_in_words(dtc: &Dtc) -> String {
    let status = match dtc.status {
        DtcStatus::Pending => "pending",
        DtcStatus::Stored => "stored",
        DtcStatus::Permanent => "permanent",
    };
    match &dtc.ecu {
        Some(ecu) => format!("{} ({status}, ECU {ecu})", dtc.code),
        None => format!("{} ({status})", dtc.code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_are_a_sentence() {
        let dtc =
            |code: &str, status, ecu: Option<&str>| Dtc { code: code.to_owned(), status, ecu: ecu.map(str::to_owned) };
        assert_eq!(Troubles::default().in_words(), "no trouble codes");
        let troubles = Troubles {
            mil: Some(true),
            dtcs: vec![dtc("P0301", DtcStatus::Stored, Some("7E8"))],
            ..Troubles::default()
        };
        assert_eq!(troubles.in_words(), "1 trouble code: P0301 (stored, ECU 7E8), the lamp is on");
        let dtcs = vec![dtc("P0301", DtcStatus::Pending, None), dtc("U0100", DtcStatus::Permanent, None)];
        let told = Troubles { dtcs, ..Troubles::default() }.in_words();
        assert_eq!(told, "2 trouble codes: P0301 (pending), U0100 (permanent)");
    }
}
