//! A broker on a free port, and a client that sends any bytes.

mod broker;
mod connect;
mod raw;

use std::time::Duration;

pub use bugbrother_kit::mqtt::packet::{packet, string};

pub use self::{
    broker::{Broker, listener},
    connect::Connect,
    raw::{Raw, Wire},
};

pub const CAR: &str = "WVWZZZ1JZ3W386752";
pub const OTHER_CAR: &str = "1HGCM82633A004352";
/// Longer than anything takes, so that a test that hangs says where.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn publish(version: u8, topic: &[u8], payload: &[u8], flags: u8, id: u16, properties: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    string(&mut body, topic);
    if flags & 0b110 != 0 {
        body.extend(id.to_be_bytes());
    }
    if version == 5 {
        body.push(properties.len() as u8);
        body.extend(properties);
    }
    body.extend(payload);
    packet(0x30 | flags, &body)
}

/// `fleet/v1/{vin}/{rest}`.
pub fn of(vin: &str, rest: &str) -> String {
    format!("fleet/v1/{vin}/{rest}")
}
