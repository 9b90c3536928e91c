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
                CALIBRATIONS => ecu.calibrations = decode::calibrations(own()),
                VERIFICATIONS => ecu.verifications = decode::verifications(own()),
                _ => ecu.name = decode::ecu_name(own()),
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
