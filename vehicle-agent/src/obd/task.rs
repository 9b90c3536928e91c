//! What the car is asked to do besides telling its values.

use bugbrother_wire::message::{Dtc, DtcStatus};
use tokio::sync::oneshot;

/// Something to be done between two values. Its answer comes once, or is dropped when the agent ends.
#[derive(Debug)]
pub enum Task {
    /// Read the trouble codes now, and tell them to the fleet, too.
    ReadCodes(oneshot::Sender<Result<Troubles, String>>),
    /// Have the car forget its trouble codes (mode 04), then read and tell them again. Refused, in words, while the engine
    /// runs or the car is silent.
    ClearCodes(oneshot::Sender<Result<(), String>>),
}

/// What the car says is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Malfunction indicator lamp, where the car tells.
    pub mil: Option<bool>,
    /// Trouble codes.
    pub dtcs: Vec<Dtc>,
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
        let troubles = Troubles { mil: Some(true), dtcs: vec![dtc("P0301", DtcStatus::Stored, Some("7E8"))] };
        assert_eq!(troubles.in_words(), "1 trouble code: P0301 (stored, ECU 7E8), the lamp is on");
        let dtcs = vec![dtc("P0301", DtcStatus::Pending, None), dtc("U0100", DtcStatus::Permanent, None)];
        let told = Troubles { mil: None, dtcs }.in_words();
        assert_eq!(told, "2 trouble codes: P0301 (pending), U0100 (permanent)");
    }
}
