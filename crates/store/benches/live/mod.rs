//! What a live vehicle says.

use bugbrother_store::Arrival;
use bugbrother_wire::{
    Epoch, Message, SCHEMA_VERSION, Seq, Topic, Vin, encode,
    message::{Clock, Row, Telemetry},
    topic::Kind,
};

const KEYS: [&str; 20] = [
    "lat", "lon", "alt", "hdg", "gspd", "spd", "rpm", "ect", "iat", "map", "maf", "tps", "load", "fuel", "vbat", "oat",
    "ax", "ay", "az", "fr",
];

/// The message of a vehicle in its second `seq`: one row with 20 signals.
pub fn sample(vin: Vin, seq: u64) -> Arrival {
    let value = |column: usize| match column {
        0 => 46.5 + seq as f64 * 1e-4,
        1 => 6.6 + (seq as f64 / 50.0).sin() * 1e-2,
        column => ((seq as f64 / (10.0 + column as f64)).sin() * 1000.0).round() / 10.0,
    };
    let batch = Telemetry {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(1),
        seq: Seq(seq + 1),
        t0: 1_760_000_400_000 + seq as i64 * 1000,
        clock: Clock::Gnss,
        keys: KEYS.map(str::to_owned).to_vec(),
        rows: vec![Row { dt_ms: 0, values: (0..KEYS.len()).map(|column| Some(value(column))).collect() }],
        gap: None,
    };
    Arrival {
        received_ts: batch.t0 + 50,
        topic: Topic::new(vin, Kind::Telemetry).to_string(),
        payload: encode(&batch).into(),
        content: Ok(Message::Telemetry(batch)),
    }
}
