//! Which car it is: its VIN, and what its control units say of themselves (mode 09).

use std::collections::BTreeSet;

use bugbrother_wire::message::{CarDeclaration, EcuDeclaration};
use tracing::debug;

use super::{
    CarVin,
    answer::{Fault, Reply},
    decode,
    elm::Car,
    supports::Supports,
};

const VIN_ATTEMPTS: u32 = 3;
const VIN: u8 = 0x02;
const CALIBRATIONS: u8 = 0x04;
const VERIFICATIONS: u8 = 0x06;
const NAME: u8 = 0x0A;
const CALIBRATION_LENGTH: usize = 16;
const VERIFICATION_LENGTH: usize = 4;
const NAME_LENGTH: usize = 20;
/// More software than that is in no control unit.
const MOST_ITEMS: usize = 16;

/// Asks for the VIN. Cars before 2008 need not tell it.
pub(super) fn ask_vin(car: &mut Car) -> Result<CarVin, Fault> {
    for _ in 0..VIN_ATTEMPTS {
        match car.ask_patiently(&[0x09, VIN]) {
            Ok(replies) => {
                let answers = replies.iter().map(|reply| (reply.ecu, &reply.data[..]));
                if let Some(vin) = decode::vin(answers) {
                    return Ok(CarVin::Told(vin));
                }
            }
            Err(fault @ (Fault::Gone(_) | Fault::Reset)) => return Err(fault),
            Err(fault) => debug!(%fault, "no VIN"),
        }
    }
    Ok(CarVin::Untold)
}

/// Asks each control unit what it says of itself, as far as mode 09 says that it does.
pub(super) fn ask(car: &mut Car, supports: &Supports) -> Result<CarDeclaration, Fault> {
    let protocol = car.protocol().map(|protocol| protocol.name().to_owned()).unwrap_or_default();
    let mut ecus: Vec<(Option<u32>, EcuDeclaration)> = Vec::new();
    for unit in supports.units() {
        let ecu = unit.map(|address| format!("{address:X}")).unwrap_or_default();
        ecus.push((unit, EcuDeclaration { ecu, ..EcuDeclaration::default() }));
    }
    let masks = answers(car, 0x00)?;
    let told: BTreeSet<u8> = masks.iter().flat_map(|reply| decode::supported(0x00, &reply.data)).collect();
    for pid in [CALIBRATIONS, VERIFICATIONS, NAME] {
        if !told.contains(&pid) {
            continue;
        }
        let all = answers(car, pid)?;
        for (unit, ecu) in &mut ecus {
            let own = || all.iter().filter(|reply| reply.ecu == *unit).map(|reply| &reply.data[..]);
            match pid {
                CALIBRATIONS => ecu.calibrations = texts(own(), CALIBRATION_LENGTH),
                VERIFICATIONS => ecu.verifications = numbers(own()),
                _ => ecu.name = texts(own(), NAME_LENGTH).pop(),
            }
        }
    }
    Ok(CarDeclaration { protocol, adapter: car.adapter(), ecus: ecus.into_iter().map(|(_, ecu)| ecu).collect() })
}

/// What is answered to a PID of mode 09, by whom; nothing is an answer, too.
fn answers(car: &mut Car, pid: u8) -> Result<Vec<Reply>, Fault> {
    match car.ask_patiently(&[0x09, pid]) {
        Err(fault @ (Fault::Gone(_) | Fault::Reset)) => Err(fault),
        Err(fault) => {
            debug!(%fault, pid, "the car does not say what it is");
            Ok(Vec::new())
        }
        replies => replies,
    }
}

/// Items of a fixed length. On CAN an answer is their number and all of them; before CAN it is one of several, which are
/// numbered and hold four bytes each.
fn items<'a>(answers: impl Iterator<Item = &'a [u8]>, length: usize) -> Vec<Vec<u8>> {
    let bytes: Vec<u8> = answers.flat_map(|answer| answer.get(1..).unwrap_or_default()).copied().collect();
    bytes.chunks_exact(length).take(MOST_ITEMS).map(<[u8]>::to_vec).collect()
}

/// Identities and names are padded with zeros, in the middle, too: `ECM\0-EngineControl`.
fn texts<'a>(answers: impl Iterator<Item = &'a [u8]>, length: usize) -> Vec<String> {
    let text = |item: Vec<u8>| {
        let characters = item.into_iter().map(char::from).filter(|c| matches!(c, ' '..='~'));
        characters.collect::<String>().trim().to_owned()
    };
    items(answers, length).into_iter().map(text).filter(|text| !text.is_empty()).collect()
}

/// Verification numbers, in hexadecimal as they are compared.
fn numbers<'a>(answers: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let number = |item: Vec<u8>| item.iter().map(|byte| format!("{byte:02X}")).collect();
    items(answers, VERIFICATION_LENGTH).into_iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_control_unit_says_of_itself_is_read_from_can_and_from_older_buses() {
        let can = [&b"\x02JMB*36761500\0\0\0\0JMB*4787261111\0\0"[..]];
        assert_eq!(texts(can.into_iter(), CALIBRATION_LENGTH), ["JMB*36761500", "JMB*4787261111"]);
        let legacy = [&b"\x0112-O"[..], b"\x02LD-3", b"\x034\0\0\0", b"\x04\0\0\0\0"];
        assert_eq!(texts(legacy.into_iter(), CALIBRATION_LENGTH), ["12-OLD-34"]);
        let name = [&b"\x01ECM\0-EngineControl\0\0"[..]];
        assert_eq!(texts(name.into_iter(), NAME_LENGTH), ["ECM-EngineControl"]);
        let two = [&[2, 0x17, 0x91, 0xBC, 0x82, 0, 0, 0, 0xFF][..]];
        assert_eq!(numbers(two.into_iter()), ["1791BC82", "000000FF"]);
    }

    #[test]
    fn half_of_an_item_is_none() {
        assert!(texts([&b"\x01JMB"[..], b"", b"\x02"].into_iter(), CALIBRATION_LENGTH).is_empty());
        assert!(numbers([&[1, 0x17, 0x91][..]].into_iter()).is_empty());
        let many = [7; 1000];
        assert_eq!(numbers([&many[..]].into_iter()).len(), MOST_ITEMS);
    }
}
