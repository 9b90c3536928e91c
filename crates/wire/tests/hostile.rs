//! What must not come through, and that nothing makes the decoder panic or lie.

mod samples;

use bugbrother_wire::{
    DecodeError, Epoch, SCHEMA_VERSION, Seq, Topic, codec, decode, encode,
    message::{Clock, Gap, Message, Row, Telemetry},
    topic::Kind,
};
use proptest::{collection::vec, option, prelude::*};
use samples::{all, payload, telemetry, vin};

fn topic() -> Topic {
    Topic::new(vin(), Kind::Telemetry)
}

fn refusal(change: impl FnOnce(&mut Telemetry)) -> String {
    let mut message = telemetry();
    change(&mut message);
    decode(&topic(), &encode(&message)).expect_err("it was to be refused").to_string()
}

#[test]
fn a_batch_outside_its_limits_is_refused_and_the_field_is_named() {
    for (change, expected) in [
        ((|m| m.rows[0].values[0] = Some(f64::NAN)) as fn(&mut Telemetry), "`lat` is outside"),
        (|m| m.rows[0].values[0] = Some(90.5), "`lat` is outside"),
        (|m| m.rows[0].values[1] = Some(f64::INFINITY), "`lon` is outside"),
        (|m| m.rows[0].values[2] = Some(f64::NEG_INFINITY), "not finite"),
        (|m| m.rows[1].values[3] = Some(f64::NAN), "not finite"),
        (|m| m.rows[0].values.truncate(3), "another length"),
        (|m| m.rows.swap(0, 1), "rising order"),
        (|m| m.rows[1].dt_ms = u32::MAX, "rising order within a day"),
        (|m| m.t0 = 0, "`t0` is outside 2000 to 2099"),
        (|m| m.t0 = 4_102_444_800_000, "`t0` is outside 2000 to 2099"),
        (|m| m.t0 = i64::MIN, "`t0` is outside 2000 to 2099"),
        (|m| m.seq = Seq(0), "`seq` is outside"),
        (|m| m.seq = Seq(u64::MAX), "`seq` is outside"),
        (|m| m.epoch = Epoch(u64::MAX), "`epoch` is outside"),
        (|m| m.keys[1] = "lat".to_owned(), "a key twice"),
        (|m| m.keys[1] = "Lat".to_owned(), "holds a key that is not"),
        (|m| m.keys[1] = String::new(), "holds a key that is not"),
        (|m| m.keys[1] = "x".repeat(25), "holds a key that is not"),
        (|m| m.gap = Some(Gap { from: Seq(9), to: Seq(3), reason: String::new() }), "`gap` is not a range"),
        (|m| m.gap = Some(Gap { from: Seq(3), to: Seq(42), reason: String::new() }), "`gap` is not a range"),
        (|m| m.gap = Some(Gap { from: Seq(3), to: Seq(4), reason: "x".repeat(1025) }), "`gap.reason` is longer"),
        (|m| (m.rows, m.gap) = (Vec::new(), None), "`rows` is empty"),
        (|m| m.v = SCHEMA_VERSION + 1, "schema version 2"),
        (|m| m.vin = "1M8GDM9AXKP042788".parse().unwrap(), "payload is of 1M8GDM9AXKP042788"),
    ] {
        let said = refusal(change);
        assert!(said.contains(expected), "{said:?} instead of {expected:?}");
    }
}

#[test]
fn more_than_the_message_is_refused() {
    let mut bytes = encode(&telemetry());
    bytes.push(0);
    assert!(matches!(decode(&topic(), &bytes), Err(DecodeError::TrailingBytes(1))));
    let huge = vec![0xC0; codec::MAX_TELEMETRY_BYTES + 1];
    assert!(matches!(decode(&topic(), &huge), Err(DecodeError::TooLarge { .. })));
}

#[test]
fn an_unknown_field_is_ignored_and_a_doubled_one_refused() {
    let mut bytes = encode(&telemetry());
    assert_eq!(bytes[0], 0x89, "a map of nine fields");
    bytes[0] = 0x8A;
    let one_more = |name: &str| [bytes.as_slice(), &[0xA0 | name.len() as u8], name.as_bytes(), &[7]].concat();
    assert_eq!(decode(&topic(), &one_more("colour")).unwrap(), Message::Telemetry(telemetry()));
    assert!(matches!(decode(&topic(), &one_more("seq")), Err(DecodeError::Malformed(_))));
}

#[test]
fn headers_that_promise_gigabytes_cost_nothing() {
    for head in [&[0xDD, 0xFF, 0xFF, 0xFF, 0xFF][..], &[0xDF, 0xFF, 0xFF, 0xFF, 0xFF], &[0xC6, 0xFF, 0xFF, 0xFF, 0xFF]]
    {
        assert!(decode(&topic(), head).is_err());
    }
    // `rows` with a header of 2^32-1 rows, each with one of 2^32-1 values
    let mut bytes = vec![0x81, 0xA4];
    bytes.extend(b"rows");
    bytes.extend([0xDD, 0xFF, 0xFF, 0xFF, 0xFF, 0xDD, 0xFF, 0xFF, 0xFF, 0xFF]);
    assert!(decode(&topic(), &bytes).is_err());
    assert!(decode(&topic(), &vec![0x91; codec::MAX_TELEMETRY_BYTES]).is_err(), "a quarter million levels");
}

fn any_telemetry() -> impl Strategy<Value = Telemetry> {
    let number = option::weighted(0.8, prop_oneof![-90.0..90.0, Just(0.0), (-50_i32..50).prop_map(f64::from)]);
    let rows = vec((0_u32..1000, vec(number, 3)), 1..50);
    (1_u64..1 << 62, 1_u64..1 << 62, codec::EARLIEST..codec::LATEST, rows).prop_map(|(epoch, seq, t0, steps)| {
        let mut dt_ms = 0;
        let mut rows = Vec::new();
        for (step, values) in steps {
            dt_ms += step;
            rows.push(Row { dt_ms, values });
        }
        Telemetry {
            v: SCHEMA_VERSION,
            vin: vin(),
            epoch: Epoch(epoch),
            seq: Seq(seq),
            t0,
            clock: Clock::System,
            keys: ["lat", "lon", "x.door1"].map(str::to_owned).to_vec(),
            rows,
            gap: None,
        }
    })
}

proptest! {
    #[test]
    fn any_batch_reads_back_to_the_last_bit(message in any_telemetry()) {
        prop_assert_eq!(decode(&topic(), &encode(&message)).unwrap(), Message::Telemetry(message));
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..600)) {
        for (_, topic, _) in all() {
            drop(decode(&topic, &bytes));
        }
    }

    #[test]
    fn a_message_with_a_few_bytes_changed_is_refused_or_inside_the_limits(
        which in 0_usize..13,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (_, topic, message) = all().swap_remove(which);
        let mut bytes = payload(&message);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(Message::Telemetry(read)) = decode(&topic, &bytes) {
            for row in &read.rows {
                prop_assert_eq!(row.values.len(), read.keys.len());
                prop_assert!(row.values.iter().flatten().all(|value| value.is_finite()));
            }
        }
    }
}
