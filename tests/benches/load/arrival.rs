//! Messages on their way into a store, without a broker.

use bugbrother_load::drive::Messages;
use bugbrother_store::Arrival;
use bugbrother_wire::{Message, Topic, topic::Kind};

/// A message as ingest hands it to the store.
pub fn arrival(messages: &mut Messages, seq: u64) -> Arrival {
    let batch = messages.batch(seq);
    Arrival {
        received_ts: batch.last_ts().unwrap_or(batch.t0),
        topic: Topic::new(batch.vin, Kind::Telemetry).to_string(),
        payload: messages.encode(seq).into(),
        content: Ok(Message::Telemetry(batch)),
    }
}
