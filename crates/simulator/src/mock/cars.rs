//! Cars of several kinds, with values that are easy to check.

use super::car::{Unit, VirtualCar};
use crate::elm::bus::Protocol;

/// Engine at 1303.75 rpm and 10 km/h, coolant at 80 °C, load 20 %.
fn engine(address: u32) -> Unit {
    Unit::new(address)
        .with(0x04, &[0x33])
        .with(0x05, &[0x78])
        .with(0x0C, &[0x14, 0x5F])
        .with(0x0D, &[0x0A])
        .with(0x11, &[0x33])
}

/// A petrol car of 2003 on a K-line: no VIN in most of them, three codes in a message, no mode 0A.
pub fn petrol_2003(protocol: Protocol) -> VirtualCar {
    let mut engine = engine(0x10);
    engine.stored = vec![0x0143, 0x0196, 0x0234, 0xC123];
    engine.frozen = Some((0x0143, [(0x05, vec![0x64]), (0x0C, vec![0x1A, 0xF8])].into()));
    VirtualCar { protocol, awake: true, voltage: 14.1, units: vec![engine] }
}

/// A car with an automatic gearbox: two units on a CAN with 11-bit identifiers.
pub fn automatic() -> VirtualCar {
    let mut engine = engine(0x7E8).with(0x42, &[0x37, 0x14]).with(0x1F, &[0x01, 0x02]);
    engine.stored = vec![0x0420, 0x0301];
    engine.pending = vec![0x0171];
    engine.permanent = Some(vec![0x0420]);
    engine.frozen =
        Some((0x0420, [(0x04, vec![0xFF]), (0x05, vec![0x78]), (0x0C, vec![0x1A, 0xF8]), (0x0D, vec![0x57])].into()));
    engine.vin = Some("WP0ZZZ99ZTS390000".to_owned());
    engine.calibrations = vec!["JMB*36761500".to_owned(), "JMB*4787261111".to_owned()];
    engine.verifications = vec![0x1791_BC82, 0x16E0_62BE];
    engine.name = Some("ECM\0-EngineControl".to_owned());
    let mut gearbox = Unit::new(0x7E9).with(0x0D, &[0x0A]);
    gearbox.stored = vec![0x0700];
    gearbox.permanent = Some(Vec::new());
    gearbox.calibrations = vec!["T43-0815".to_owned()];
    gearbox.verifications = vec![0x0000_00FF];
    gearbox.name = Some("TCM\0-TransmisCtrl".to_owned());
    VirtualCar { protocol: Protocol::Can11, awake: true, voltage: 14.1, units: vec![engine, gearbox] }
}

/// A car with 29-bit identifiers.
pub fn long_addresses() -> VirtualCar {
    let mut engine = engine(0x18DA_F110);
    engine.vin = Some("1HGCM82633A004352".to_owned());
    engine.stored = vec![0x0420];
    let mut gearbox = Unit::new(0x18DA_F118).with(0x0D, &[0x0A]);
    gearbox.stored = vec![0x0705, 0x0706, 0x0707];
    VirtualCar { protocol: Protocol::Can29, awake: true, voltage: 14.1, units: vec![engine, gearbox] }
}

/// A hybrid that drives with its engine standing: the traction battery at 60 %, its system at 250 V and -10 A.
pub fn hybrid() -> VirtualCar {
    let mut engine = engine(0x7E8)
        .with(0x0C, &[0x00, 0x00])
        .with(0x42, &[0x38, 0x40])
        .with(0x5B, &[0x99])
        .with(0x9A, &[0x07, 0x00, 0x3E, 0x80, 0xFF, 0x9C]);
    engine.vin = Some("JTDKN3DU5A0000001".to_owned());
    VirtualCar { protocol: Protocol::Can11, awake: true, voltage: 14.4, units: vec![engine] }
}
