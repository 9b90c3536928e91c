//! Which ECU has which parameters: asked, not assumed.

use std::collections::{BTreeMap, BTreeSet};

use tracing::debug;

use super::{
    answer::{Fault, Reply},
    decode::{self, Maxima, PARAMETERS, Parameter},
    elm::Car,
};

/// The PIDs of mode 01 that each ECU says it has; all in one where the adapter does not tell ECUs apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Supports {
    pids: BTreeMap<Option<u32>, BTreeSet<u8>>,
    maxima: BTreeMap<Option<u32>, Maxima>,
}

const MASKS: [u8; 6] = [0x20, 0x40, 0x60, 0x80, 0xA0, 0xC0];

impl Supports {
    /// Asks for the masks that follow the first one.
    pub fn ask(car: &mut Car, first: &[Reply]) -> Result<Self, Fault> {
        let mut supports = Supports::default();
        supports.add(0x00, first);
        for base in MASKS {
            if supports.ecus(base) == 0 {
                break;
            }
            match car.ask_patiently(&[0x01, base]) {
                Ok(replies) => supports.add(base, &replies),
                Err(fault) if fault.ends_talk() => return Err(fault),
                Err(_) => break,
            }
        }
        supports.ask_maxima(car)?;
        Ok(supports)
    }

    fn ask_maxima(&mut self, car: &mut Car) -> Result<(), Fault> {
        for pid in Maxima::PIDS {
            if self.ecus(pid) == 0 {
                continue;
            }
            match car.ask_patiently(&[0x01, pid]) {
                Ok(replies) => self.note_maxima(pid, &replies),
                Err(fault) if fault.ends_talk() => return Err(fault),
                Err(fault) => debug!(%fault, pid, "the car does not say by what it scales its values"),
            }
        }
        Ok(())
    }

    fn note_maxima(&mut self, pid: u8, replies: &[Reply]) {
        for reply in replies {
            self.maxima.entry(reply.ecu).or_default().note(pid, &reply.data);
        }
    }

    /// By what a control unit scales its values.
    pub fn maxima(&self, ecu: Option<u32>) -> Maxima {
        self.maxima.get(&ecu).copied().unwrap_or_default()
    }

    fn add(&mut self, base: u8, masks: &[Reply]) {
        for reply in masks {
            self.pids.entry(reply.ecu).or_default().extend(decode::supported(base, &reply.data));
        }
    }

    /// The control units that have answered.
    pub fn units(&self) -> impl Iterator<Item = Option<u32>> {
        self.pids.keys().copied()
    }

    /// How many ECUs have that PID.
    pub fn ecus(&self, pid: u8) -> usize {
        self.pids.values().filter(|pids| pids.contains(&pid)).count()
    }

    /// Whether the same ECUs have both.
    pub fn have_both(&self, one: u8, other: u8) -> bool {
        self.pids.values().all(|pids| pids.contains(&one) == pids.contains(&other))
    }

    /// What some ECU has and is of use here.
    pub fn parameters(&self) -> Vec<&'static Parameter> {
        PARAMETERS.iter().filter(|parameter| self.ecus(parameter.pid) > 0).collect()
    }

    /// How many answers to wait for, where each is in a single frame.
    pub fn answers(&self, parameter: &Parameter) -> Option<usize> {
        // Where ECUs are not told apart, nobody knows how many there are.
        let known = self.units().all(|unit| unit.is_some());
        (known && parameter.length <= 5).then(|| self.ecus(parameter.pid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ecu_has_its_own_parameters() {
        let mut supports = Supports::default();
        let reply = |ecu, mask: [u8; 4]| Reply { ecu: Some(ecu), data: mask.to_vec() };
        supports.add(0x00, &[reply(0x7E8, [0x80, 0x18, 0, 0x01]), reply(0x7E9, [0x80, 0x08, 0, 0])]);
        assert_eq!([0x01, 0x0C, 0x0D, 0x20, 0x21].map(|pid| supports.ecus(pid)), [2, 1, 2, 1, 0]);
        supports.note_maxima(0x4F, &[reply(0x7E8, [0, 0, 0, 51])]);
        let usual = Maxima::default();
        assert!(supports.maxima(Some(0x7E8)) != usual && supports.maxima(Some(0x7E9)) == usual);
        assert!(supports.have_both(0x01, 0x0D) && !supports.have_both(0x0C, 0x0D));
        assert_eq!(supports.parameters().iter().map(|parameter| parameter.pid).filter(|pid| *pid < 0x20).count(), 2);
    }
}
