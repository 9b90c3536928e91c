//! The car's control units on the diagnostic bus: answers to SAE J1979 requests.

use bugbrother_wire::Vin;

use crate::{
    car::{Car, Reading},
    elm::bus::{Answer, Bus, Protocol},
    engine::Fuel,
};

/// CAN identifier that an ECU answers with.
const ENGINE: u32 = 0x7E8;
const GEARBOX: u32 = 0x7E9;

impl Bus for Car {
    fn protocol(&self) -> Protocol {
        Protocol::Can11
    }

    fn is_awake(&self) -> bool {
        self.reading().ignition
    }

    fn voltage(&self) -> f64 {
        self.reading().voltage
    }

    fn ask(&mut self, request: &[u8]) -> Vec<Answer> {
        ask(self, request)
    }
}

/// Asks every ECU on the bus; silence is an empty list. With the ignition off nobody hears.
fn ask(car: &mut Car, request: &[u8]) -> Vec<Answer> {
    if !car.reading().ignition {
        return Vec::new();
    }
    let mut answers = Vec::new();
    if let Some(body) = engine(car, request) {
        answers.push((ENGINE, body));
    }
    if car.profile().drivetrain.automatic
        && let Some(body) = gearbox(car, request)
    {
        answers.push((GEARBOX, body));
    }
    answers
}

fn engine(car: &mut Car, request: &[u8]) -> Option<Vec<u8>> {
    let reading = car.reading();
    match *request {
        [0x01, ref pids @ ..] if (1..=6).contains(&pids.len()) => {
            current(pids, |pid| live(car, &reading, pid), |pid| is_supported(car, pid))
        }
        [0x02, pid, 0] => {
            let frozen = car.freeze_frame()?;
            let data = match pid {
                0x00 => bit_mask(0, |pid| pid == 0x02 || is_frozen(car, pid)).to_vec(),
                0x02 => car.stored_codes().first()?.to_be_bytes().to_vec(),
                _ if is_frozen(car, pid) => live(car, frozen, pid)?,
                _ => return None,
            };
            Some([&[0x42, pid, 0][..], &data].concat())
        }
        [0x03] => Some(codes(0x43, car.stored_codes())),
        [0x04] => {
            car.clear_codes();
            Some(vec![0x44])
        }
        [0x07] => Some(codes(0x47, car.pending_codes())),
        [0x0A] => Some(codes(0x4A, car.permanent_codes())),
        [0x09, 0x00] => Some([&[0x49, 0x00][..], &bit_mask(0, |pid| matches!(pid, 0x02 | 0x0A))].concat()),
        [0x09, 0x02] => Some(vin(&car.profile().vin)),
        [0x09, 0x0A] => Some([&[0x49, 0x0A, 0x01][..], b"ECM\0-EngineControl\0\0"].concat()),
        _ => None,
    }
}

fn gearbox(car: &Car, request: &[u8]) -> Option<Vec<u8>> {
    let supported = |pid: u8| matches!(pid, 0x01 | 0x0D);
    let reading = car.reading();
    match *request {
        [0x01, ref pids @ ..] if (1..=6).contains(&pids.len()) => current(
            pids,
            |pid| match pid {
                0x01 => Some(vec![0x00, 0x00, 0x00, 0x00]),
                pid => live(car, &reading, pid),
            },
            supported,
        ),
        [0x03] => Some(codes(0x43, &[])),
        [0x07] => Some(codes(0x47, &[])),
        [0x0A] => Some(codes(0x4A, &[])),
        _ => None,
    }
}

/// Mode 01: the values of those PIDs that the ECU has, or silence when it has none of them.
pub(crate) fn current(
    pids: &[u8],
    value: impl Fn(u8) -> Option<Vec<u8>>,
    supported: impl Fn(u8) -> bool,
) -> Option<Vec<u8>> {
    let mut body = vec![0x41];
    for &pid in pids {
        let data = if pid % 0x20 == 0 {
            let mask = bit_mask(pid, &supported);
            // The first mask is always there, the others where something is above them.
            (pid == 0 || (pid..=0xFF).skip(1).any(&supported)).then(|| mask.to_vec())
        } else {
            supported(pid).then(|| value(pid)).flatten()
        };
        if let Some(data) = data {
            body.push(pid);
            body.extend(data);
        }
    }
    (body.len() > 1).then_some(body)
}

/// Which of the 32 PIDs after `base` there are, the highest bit for the first; the last bit says that more follow.
pub(crate) fn bit_mask(base: u8, supported: impl Fn(u8) -> bool) -> [u8; 4] {
    let mut mask = 0u32;
    for offset in 1..32 {
        if supported(base + offset) {
            mask |= 1 << (32 - offset);
        }
    }
    if base < 0xE0 && (base + 0x20..=0xFF).skip(1).any(supported) {
        mask |= 1;
    }
    mask.to_be_bytes()
}

/// What this engine's ECU tells: the newer the car the more, and a Diesel has no fuel trims.
fn is_supported(car: &Car, pid: u8) -> bool {
    let profile = car.profile();
    match pid {
        0x01 | 0x04 | 0x05 | 0x0B | 0x0C | 0x0D | 0x0F | 0x10 | 0x11 | 0x1C | 0x1F | 0x21 | 0x2F | 0x33 | 0x42
        | 0x46 | 0x51 => true,
        0x06 | 0x07 | 0x0E => profile.drivetrain.fuel == Fuel::Petrol,
        0x5C | 0x5E => profile.year >= 2015,
        0xA6 => profile.year >= 2019,
        _ => false,
    }
}

/// What a freeze frame holds.
fn is_frozen(car: &Car, pid: u8) -> bool {
    matches!(pid, 0x04..=0x07 | 0x0B..=0x11 | 0x1F) && is_supported(car, pid)
}

/// The data bytes of a PID by the formulas of SAE J1979-DA, each turned round.
fn live(car: &Car, now: &Reading, pid: u8) -> Option<Vec<u8>> {
    let percent = |value: f64| vec![byte(value * 255.0 / 100.0)];
    let celsius = |value: f64| vec![byte(value + 40.0)];
    let trim = |value: f64| vec![byte((value + 100.0) * 128.0 / 100.0)];
    let diesel = car.profile().drivetrain.fuel == Fuel::Diesel;
    Some(match pid {
        0x01 => status(car, diesel),
        0x04 => percent(now.load_percent),
        0x05 => celsius(now.coolant_c),
        0x06 => trim(now.short_trim_percent),
        0x07 => trim(now.long_trim_percent),
        0x0B => vec![byte(now.map_kpa)],
        0x0C => word(now.rpm * 4.0),
        0x0D => vec![byte(now.speed_kmh)],
        0x0E => vec![byte((now.timing_deg + 64.0) * 2.0)],
        0x0F => celsius(now.intake_c),
        0x10 => word(now.maf_gps * 100.0),
        0x11 => percent(now.throttle_percent),
        // EOBD.
        0x1C => vec![0x06],
        0x1F => word(now.run_s),
        0x21 => word(now.mil_km),
        0x2F => percent(now.fuel_percent),
        0x33 => vec![byte(now.baro_kpa)],
        0x42 => word(now.voltage * 1000.0),
        0x46 => celsius(now.ambient_c),
        0x51 => vec![if diesel { 0x04 } else { 0x01 }],
        0x5C => celsius(now.oil_c),
        0x5E => word(now.fuel_lph * 20.0),
        0xA6 => ((now.odometer_km * 10.0).round() as u32).to_be_bytes().to_vec(),
        _ => return None,
    })
}

/// PID 01: lamp and number of codes, then the monitors: the continuous ones, those that there are, those that are not complete.
fn status(car: &Car, diesel: bool) -> Vec<u8> {
    let count = car.stored_codes().len() as u8;
    let lamp = if count > 0 { 0x80 } else { 0x00 };
    let (continuous, present) = if diesel { (0x0F, 0xEB) } else { (0x07, 0x65) };
    // The catalyst's monitor cannot finish while its code is set.
    let incomplete = if car.stored_codes().contains(&0x0420) { 0x01 } else { 0x00 };
    vec![lamp | count, continuous, present, incomplete]
}

/// On CAN a count stands before the codes (ISO 15765-4).
fn codes(mode: u8, codes: &[u16]) -> Vec<u8> {
    let mut body = vec![mode, codes.len() as u8];
    body.extend(codes.iter().flat_map(|code| code.to_be_bytes()));
    body
}

fn vin(vin: &Vin) -> Vec<u8> {
    [&[0x49, 0x02, 0x01][..], vin.as_str().as_bytes()].concat()
}

fn byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

fn word(value: f64) -> Vec<u8> {
    (value.round().clamp(0.0, 65_535.0) as u16).to_be_bytes().to_vec()
}
