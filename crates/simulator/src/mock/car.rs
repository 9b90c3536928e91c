//! Control units as a table of what they answer.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ecu,
    elm::bus::{Answer, Bus, Protocol},
};

/// A car that says what it is told to.
#[derive(Debug, Clone)]
pub struct VirtualCar {
    /// What its bus speaks.
    pub protocol: Protocol,
    /// Whether the ignition is on.
    pub awake: bool,
    /// Of its battery.
    pub voltage: f64,
    /// Its control units.
    pub units: Vec<Unit>,
}

/// A control unit.
#[derive(Debug, Clone, Default)]
pub struct Unit {
    /// CAN identifier that it answers with, or its address.
    pub address: u32,
    /// Mode 01: PID → data.
    pub pids: BTreeMap<u8, Vec<u8>>,
    /// Mode 03.
    pub stored: Vec<u16>,
    /// Mode 07.
    pub pending: Vec<u16>,
    /// Mode 0A; `None` where it does not know the mode.
    pub permanent: Option<Vec<u16>>,
    /// Mode 02: the code that caused the freeze frame, and PID → data.
    pub frozen: Option<(u16, BTreeMap<u8, Vec<u8>>)>,
    /// Mode 09 PID 02.
    pub vin: Option<String>,
    /// Mode 09 PID 04.
    pub calibrations: Vec<String>,
    /// Mode 09 PID 06.
    pub verifications: Vec<u32>,
    /// Mode 09 PID 0A.
    pub name: Option<String>,
    /// Request → the code that it is refused with.
    pub refuses: BTreeMap<Vec<u8>, u8>,
    /// Requests that it answers only after it has asked for more time (code 78).
    pub slow: BTreeSet<Vec<u8>>,
}

impl Unit {
    /// A unit without anything.
    pub fn new(address: u32) -> Self {
        Unit { address, ..Unit::default() }
    }

    /// With a parameter of mode 01.
    #[must_use]
    pub fn with(mut self, pid: u8, data: &[u8]) -> Self {
        self.pids.insert(pid, data.to_vec());
        self
    }

    /// What it answers; more than one message only before CAN.
    fn answer(&mut self, request: &[u8], can: bool) -> Vec<Vec<u8>> {
        let mode = request.first().copied().unwrap_or_default();
        if let Some(code) = self.refuses.get(request) {
            return vec![vec![0x7F, mode, *code]];
        }
        let body = match *request {
            [0x01, ref pids @ ..] if pids.len() == 1 || (can && (1..=6).contains(&pids.len())) => {
                ecu::current(pids, |pid| self.value(pid), |pid| self.has(pid)).into_iter().collect()
            }
            [0x02, pid, 0] => self.freeze_frame(pid).into_iter().collect(),
            [0x03] => codes(0x43, &self.stored, can),
            [0x04] => {
                self.stored.clear();
                self.pending.clear();
                self.frozen = None;
                vec![vec![0x44]]
            }
            [0x07] => codes(0x47, &self.pending, can),
            [0x0A] => self.permanent.as_ref().map(|known| codes(0x4A, known, can)).unwrap_or_default(),
            [0x09, pid] => self.about(pid, can),
            _ => Vec::new(),
        };
        let waits = self.slow.contains(request) && !body.is_empty();
        waits.then(|| vec![0x7F, mode, 0x78]).into_iter().chain(body).collect()
    }

    fn has(&self, pid: u8) -> bool {
        pid == 0x01 || self.pids.contains_key(&pid)
    }

    fn value(&self, pid: u8) -> Option<Vec<u8>> {
        let lamp = if self.stored.is_empty() { 0x00 } else { 0x80 };
        let status = || vec![lamp | self.stored.len() as u8, 0x07, 0x65, 0x00];
        self.pids.get(&pid).cloned().or_else(|| (pid == 0x01).then(status))
    }

    fn freeze_frame(&self, pid: u8) -> Option<Vec<u8>> {
        let (code, data) = self.frozen.as_ref()?;
        let data = match pid {
            0x02 => code.to_be_bytes().to_vec(),
            pid if pid % 0x20 == 0 => ecu::bit_mask(pid, |pid| pid == 0x02 || data.contains_key(&pid)).to_vec(),
            _ => data.get(&pid)?.clone(),
        };
        Some([&[0x42, pid, 0][..], &data].concat())
    }

    fn about(&self, pid: u8, can: bool) -> Vec<Vec<u8>> {
        let padded = |text: &str, length: usize| {
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize(length, 0);
            bytes
        };
        let items: Vec<Vec<u8>> = match pid {
            0x00 => {
                let has = |pid: u8| match pid {
                    0x02 => self.vin.is_some(),
                    0x04 => !self.calibrations.is_empty(),
                    0x06 => !self.verifications.is_empty(),
                    0x0A => self.name.is_some(),
                    _ => false,
                };
                let mask = ecu::bit_mask(0, has);
                return if mask == [0; 4] { Vec::new() } else { vec![[&[0x49, 0x00][..], &mask].concat()] };
            }
            // Before CAN three bytes in front fill the first message.
            0x02 if !can => self.vin.iter().map(|vin| [&[0; 3], vin.as_bytes()].concat()).collect(),
            0x02 => self.vin.iter().map(|vin| vin.as_bytes().to_vec()).collect(),
            0x04 => self.calibrations.iter().map(|text| padded(text, 16)).collect(),
            0x06 => self.verifications.iter().map(|number| number.to_be_bytes().to_vec()).collect(),
            0x0A => self.name.iter().map(|text| padded(text, 20)).collect(),
            _ => Vec::new(),
        };
        if items.is_empty() {
            return Vec::new();
        }
        let data = items.concat();
        if can {
            return vec![[&[0x49, pid, items.len() as u8][..], &data].concat()];
        }
        // Four bytes in each message, which are numbered.
        data.chunks(4).zip(1u8..).map(|(chunk, number)| [&[0x49, pid, number][..], chunk].concat()).collect()
    }
}

impl Bus for VirtualCar {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn is_awake(&self) -> bool {
        self.awake
    }

    fn voltage(&self) -> f64 {
        self.voltage
    }

    fn ask(&mut self, request: &[u8]) -> Vec<Answer> {
        let can = self.protocol.is_can();
        let units = self.units.iter_mut().filter(|_| self.awake);
        units
            .flat_map(|unit| unit.answer(request, can).into_iter().map(|body| (unit.address, body)).collect::<Vec<_>>())
            .collect()
    }
}

/// On CAN a count stands before the codes; before CAN there are three in each message, padded with zeros.
fn codes(mode: u8, codes: &[u16], can: bool) -> Vec<Vec<u8>> {
    let bytes: Vec<u8> = codes.iter().flat_map(|code| code.to_be_bytes()).collect();
    if can {
        return vec![[&[mode, codes.len() as u8][..], &bytes].concat()];
    }
    let message = |chunk: &[u8]| {
        let mut body = [&[mode][..], chunk].concat();
        body.resize(7, 0);
        body
    };
    if bytes.is_empty() { vec![message(&[])] } else { bytes.chunks(6).map(message).collect() }
}
