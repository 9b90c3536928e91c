//! Batches as points, and points as requests. Pure.
//!
//! A row is a point of the measurement `telemetry` with the tag `vin` and a field for each value, all of them floats; the
//! rows of a vehicle that are of the same millisecond are one point, in which of two values of a field the later one counts.
//! What an hour of a signal amounts to is a point of `telemetry_1h` with the tags `vin` and `signal`.

use std::{borrow::Cow, iter};

use bugbrother_wire::{
    UnixMs, Vin,
    message::{Clock, Telemetry},
};
use influxdb::{Timestamp, WriteQuery};

use crate::telemetry::{CLOCK, hour::Summary};

/// Measurement of what vehicles told.
pub(super) const RAW: &str = "telemetry";
/// Measurement of what an hour of it amounts to.
pub(super) const HOURLY: &str = "telemetry_1h";

/// Most points of a request: what its makers advise.
pub(super) const MAX_POINTS: usize = 5_000;
/// Most values of a request but for those of its last point: 2 to 3 MB.
const MAX_VALUES: usize = 100_000;

/// The first time that is written, and the last one that InfluxDB can tell (in ns, 64 bits).
pub(super) const TIMES: (UnixMs, UnixMs) = (0, i64::MAX / 1_000_000);

/// Names that mean something else to InfluxDB 1.x or 2.x.
const TAKEN: [&str; 2] = ["time", "vin"];

/// The field of a signal. Its key has no capital letters, so that those tell it from what had to be renamed.
pub(super) fn field(key: &str) -> Cow<'_, str> {
    if TAKEN.contains(&key) { Cow::Owned(key.to_uppercase()) } else { Cow::Borrowed(key) }
}

/// The signal of a field; `None` of one that is not ours.
pub(super) fn key_of(field: &str) -> Option<String> {
    let key = field.to_lowercase();
    let is_same = key == field && !TAKEN.contains(&field);
    (is_key(&key) && (is_same || self::field(&key) == field)).then_some(key)
}

/// Whether this can be the name of a column. Nothing else gets into a query.
pub(super) fn is_key(key: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.');
    (1..=24).contains(&key.len()) && key.bytes().all(fits)
}

/// What these batches are written with.
pub(super) fn requests<'a>(batches: &'a [&'a Telemetry]) -> impl Iterator<Item = Vec<WriteQuery>> + Send + 'a {
    let mut points = batches.iter().flat_map(|batch| points(batch));
    iter::from_fn(move || {
        let (mut request, mut value_count) = (Vec::new(), 0);
        while request.len() < MAX_POINTS && value_count < MAX_VALUES {
            let Some((point, values)) = points.next() else { break };
            request.push(point);
            value_count += values;
        }
        (!request.is_empty()).then_some(request)
    })
}

/// The points of a batch, each with the number of its values.
fn points(batch: &Telemetry) -> impl Iterator<Item = (WriteQuery, usize)> + Send + '_ {
    let moments = batch.rows.chunk_by(|row, next| row.dt_ms == next.dt_ms);
    moments.filter_map(|rows| {
        let mut point = point(RAW, batch.t0 + i64::from(rows[0].dt_ms), batch.vin);
        let mut values = 0;
        for (column, key) in batch.keys.iter().enumerate() {
            if let Some(value) = rows.iter().rev().find_map(|row| *row.values.get(column)?) {
                point = point.add_field(field(key), value);
                values += 1;
            }
        }
        if values > 0 && batch.clock != Clock::Gnss {
            point = point.add_field(CLOCK, batch.clock.doubt());
        }
        (values > 0).then_some((point, values))
    })
}

/// What an hour of a signal amounts to, as a point.
pub(super) fn hourly(vin: Vin, signal: &str, hour: UnixMs, summary: &Summary) -> WriteQuery {
    let Summary { n, low, high, total } = *summary;
    let point = point(HOURLY, hour, vin).add_tag("signal", signal);
    point.add_field("n", n as f64).add_field("low", low).add_field("high", high).add_field("total", total)
}

fn point(measurement: &str, ts: UnixMs, vin: Vin) -> WriteQuery {
    let ts = u128::try_from(ts).expect("what vehicles tell is of this century");
    WriteQuery::new(Timestamp::Milliseconds(ts), measurement).add_tag("vin", vin.as_str())
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::{Epoch, SCHEMA_VERSION, Seq, message::Row};
    use influxdb::Query;

    use super::*;

    fn batch(clock: Clock, keys: &[&str], rows: Vec<Row>) -> Telemetry {
        Telemetry {
            v: SCHEMA_VERSION,
            vin: "WVWZZZ1JZ3W386752".parse().unwrap(),
            epoch: Epoch(1),
            seq: Seq(1),
            t0: 1_790_000_000_000,
            clock,
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            rows,
            gap: None,
        }
    }

    fn row(dt_ms: u32, values: &[Option<f64>]) -> Row {
        Row { dt_ms, values: values.to_vec() }
    }

    #[test]
    fn a_row_is_a_point_with_a_field_for_each_value() {
        let rows = vec![row(0, &[Some(3.0), None]), row(250, &[None, None]), row(500, &[Some(0.1), Some(-7e300)])];
        let batch = batch(Clock::System, &["x.a_b", "time"], rows);
        let written: Vec<_> = requests(&[&batch]).map(|points| points.build().unwrap().get()).collect();
        let big = format!("-7{}", "0".repeat(300));
        let expected = format!(
            "telemetry,vin=WVWZZZ1JZ3W386752 x.a_b=3,_clock=1 1790000000000\n\
             telemetry,vin=WVWZZZ1JZ3W386752 x.a_b=0.1,TIME={big},_clock=1 1790000000500"
        );
        assert_eq!(written, [expected]);
    }

    #[test]
    fn rows_of_the_same_millisecond_are_one_point_of_the_later_values() {
        let rows = vec![
            row(0, &[Some(1.0), Some(2.0)]),
            row(9, &[Some(1.0), Some(2.0)]),
            row(9, &[None, Some(3.0)]),
            row(9, &[None, None]),
        ];
        let batch = batch(Clock::Gnss, &["a", "b"], rows);
        let written: Vec<_> = requests(&[&batch]).map(|points| points.build().unwrap().get()).collect();
        assert!(written[0].ends_with("a=1,b=3 1790000000009"), "{written:?}");
    }

    #[test]
    fn no_request_has_too_many_points_or_values_and_none_is_left_out() {
        let narrow = batch(Clock::Gnss, &["a"], (0..4096).map(|n| row(n, &[Some(1.0)])).collect());
        let sizes: Vec<_> = requests(&[&narrow, &narrow, &narrow]).map(|points| points.len()).collect();
        assert_eq!(sizes, [5_000, 5_000, 3 * 4096 - 10_000]);

        let keys: Vec<_> = (0..256).map(|n| format!("k{n}")).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let wide = batch(Clock::Gnss, &keys, (0..1000).map(|n| row(n, &[Some(1.0); 256])).collect());
        let sizes: Vec<_> = requests(&[&wide]).map(|points| points.len()).collect();
        assert_eq!(sizes, [391, 391, 218]);
        assert_eq!(requests(&[]).count(), 0);
    }

    #[test]
    fn every_key_has_a_field_of_its_own_and_foreign_fields_have_no_key() {
        for key in ["spd", "time", "vin", "error", "_clock", "x.1"] {
            assert_eq!(key_of(&field(key)).as_deref(), Some(key));
        }
        for foreign in ["Spd", "vin", "time", "a b", "", "SPD"] {
            assert_eq!(key_of(foreign), None, "{foreign}");
        }
    }
}
