//! What an agent says of itself on each connection: that it is there, what it will send, and what the broker is to say when it
//! is gone.

use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Topic, UnixMs, Vin, encode,
    message::{Birth, Presence, SignalDeclaration, Status, VinSource},
    signal,
    topic::Kind,
};

use crate::drive::{KEYS, PERIOD_MS};

/// Who speaks, and since when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Greeting {
    pub vin: Vin,
    pub epoch: u64,
    pub since: UnixMs,
}

/// Topic and payload.
pub(crate) type Said = (String, Vec<u8>);

impl Greeting {
    /// The will.
    pub fn will(self) -> Said {
        self.status(Presence::Offline, Some("connection lost"))
    }

    /// Birth and status.
    pub fn hello(self) -> [Said; 2] {
        [(Topic::new(self.vin, Kind::Birth).to_string(), self.birth()), self.status(Presence::Online, None)]
    }

    /// That it goes.
    pub fn farewell(self) -> Said {
        self.status(Presence::Offline, Some("agent stopped"))
    }

    fn status(self, status: Presence, reason: Option<&str>) -> Said {
        let Greeting { vin, epoch, since } = self;
        let reason = reason.map(str::to_owned);
        let status = Status { v: SCHEMA_VERSION, vin, epoch: Epoch(epoch), status, since, reason };
        (Topic::new(vin, Kind::Status).to_string(), encode(&status))
    }

    fn birth(self) -> Vec<u8> {
        let declaration = |signal: &signal::Signal| SignalDeclaration {
            key: signal.key.to_owned(),
            vss: signal.vss.map(str::to_owned),
            unit: signal.unit.to_owned(),
            period_ms: PERIOD_MS as u32,
        };
        encode(&Birth {
            v: SCHEMA_VERSION,
            vin: self.vin,
            vin_source: VinSource::Configured,
            epoch: Epoch(self.epoch),
            agent: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.since,
            signals: KEYS.iter().filter_map(|key| signal::find(key)).map(declaration).collect(),
            cameras: Vec::new(),
            car: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::codec::decode_value;

    use super::*;

    #[test]
    fn every_signal_of_the_drive_is_declared_and_the_will_is_the_opposite_of_the_status() {
        let greeting = Greeting { vin: crate::drive::vin(7), epoch: 3, since: 1_790_000_000_000 };
        let [(birth_topic, birth), (status_topic, online)] = greeting.hello();
        let birth: Birth = decode_value(&birth).unwrap();
        assert!(birth.signals.iter().map(|signal| signal.key.as_str()).eq(KEYS));
        let (will_topic, will) = greeting.will();
        let (online, will): (Status, Status) = (decode_value(&online).unwrap(), decode_value(&will).unwrap());
        assert_eq!((online.status, will.status), (Presence::Online, Presence::Offline));
        assert_eq!((will_topic.as_str(), will.since, will.epoch), (status_topic.as_str(), online.since, online.epoch));
        assert_eq!(birth_topic, format!("fleet/v1/{}/up/birth", greeting.vin));
    }
}
