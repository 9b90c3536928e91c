//! Fixes and values → rows → batches.
//!
//! # Invariants
//! - A fix is one row. Values of the engine are rows of their own, by the same clock.
//! - Rows of a batch rise in time and lie within a day; a batch is closed after a second or [`MOST_ROWS`] rows.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bugbrother_wire::{
    UnixMs,
    codec::EARLIEST,
    message::{Clock, Row},
};
use tokio::{sync::mpsc, time::sleep_until};
use tracing::debug;

use crate::{
    gps::Fix,
    now_ms,
    outbox::{Batch, Draft},
};

/// Most rows of a batch.
pub const MOST_ROWS: usize = 200;
/// How long a batch waits for more rows.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Rows that come a little late are put in order; a step back that is larger is another time.
const LATE_MS: i64 = 2_000;
const LONGEST_SPAN_MS: i64 = 12 * 60 * 60 * 1000;
/// Without a fix for so long the receiver's time is not carried on: a computer's clock drifts less than that is worth.
const TIME_HOLDS: Duration = Duration::from_secs(600);

/// Values that an OBD-II adapter told.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// When.
    pub at: Instant,
    /// Signal key and value.
    pub values: Vec<(Key, f64)>,
}

/// A signal's key. Only those of a vehicle's own sensors have to be kept as they were heard.
pub type Key = Cow<'static, str>;

/// Makes rows and puts them together to batches. Knows no clock but its arguments.
#[derive(Debug, Default)]
pub struct Recorder {
    /// The receiver's time at a moment.
    gnss: Option<(UnixMs, Instant)>,
    open: Option<Open>,
    /// Position is not to leave the vehicle.
    private: bool,
    /// Fixes come from a recording.
    replays: bool,
}

#[derive(Debug)]
struct Open {
    clock: Clock,
    since: Instant,
    rows: Vec<(UnixMs, BTreeMap<Key, f64>)>,
    replayed: u64,
}

const POSITION: [&str; 4] = ["lat", "lon", "alt", "hdg"];

impl Recorder {
    /// A recorder of what a receiver tells, or a recording of one.
    pub fn new(replays: bool) -> Self {
        Recorder { replays, ..Recorder::default() }
    }

    /// Whether position is left out from now on.
    pub fn keep_private(&mut self, private: bool) {
        self.private = private;
    }

    /// Takes a fix that came `now`; tells of the batch that is closed by it.
    pub fn take_fix(&mut self, fix: &Fix, now: Instant) -> Option<Batch> {
        self.gnss = Some((fix.ts, now));
        let quality = &fix.quality;
        let values = [
            ("lat", Some(fix.lat)),
            ("lon", Some(fix.lon)),
            ("hdg", fix.hdg),
            ("gspd", fix.gspd),
            ("alt", quality.alt),
            ("hdop", quality.hdop),
            ("sats", quality.sats),
        ];
        let told = values
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .filter(|(key, _)| !(self.private && POSITION.contains(key)));
        self.add(
            Clock::Gnss,
            fix.ts,
            told.map(|(key, value)| (key.into(), value)).collect(),
            u64::from(self.replays),
            now,
        )
    }

    /// Takes values of the engine; `now` and `system` are the same moment by both clocks.
    pub fn take_reading(&mut self, reading: &Reading, now: Instant, system: UnixMs) -> Option<Batch> {
        let (clock, time, moment) = match self.gnss {
            Some((ts, at)) if now.duration_since(at) < TIME_HOLDS => (Clock::Gnss, ts, at),
            // Nobody knows what time it is.
            _ if system <= EARLIEST => return None,
            _ => (Clock::System, system, now),
        };
        let since = reading.at.saturating_duration_since(moment).as_millis();
        let before = moment.saturating_duration_since(reading.at).as_millis();
        let ts = time + to_ms(since) - to_ms(before);
        self.add(clock, ts, reading.values.iter().cloned().collect(), 0, now)
    }

    /// When the open batch is to be closed.
    pub fn deadline(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.since + LONGEST_WAIT)
    }

    /// Closes the open batch.
    pub fn close(&mut self) -> Option<Batch> {
        let Open { clock, mut rows, replayed, .. } = self.open.take()?;
        rows.sort_by_key(|(ts, _)| *ts);
        let t0 = rows.first().map_or(0, |(ts, _)| *ts);
        let keys: std::collections::BTreeSet<_> = rows.iter().flat_map(|(_, values)| values.keys()).collect();
        let row = |(ts, values): &(UnixMs, BTreeMap<Key, f64>)| Row {
            dt_ms: u32::try_from(ts - t0).expect("rows are sorted and lie within a day"),
            values: keys.iter().map(|key| values.get(&**key).copied()).collect(),
        };
        Some(Batch {
            clock,
            t0,
            rows: rows.iter().map(row).collect(),
            keys: keys.iter().map(|key| key.to_string()).collect(),
            replayed,
        })
    }

    fn add(
        &mut self,
        clock: Clock,
        ts: UnixMs,
        values: BTreeMap<Key, f64>,
        replayed: u64,
        now: Instant,
    ) -> Option<Batch> {
        if values.is_empty() {
            return None;
        }
        let fits = self.open.as_ref().is_none_or(|open| open.fits(clock, ts));
        let closed = if fits { None } else { self.close() };
        let open = self.open.get_or_insert_with(|| Open { clock, since: now, rows: Vec::new(), replayed: 0 });
        open.rows.push((ts, values));
        open.replayed += replayed;
        if open.rows.len() < MOST_ROWS {
            return closed;
        }
        // A batch that was closed by this row left room for it, so not both can be.
        closed.or_else(|| self.close())
    }
}

impl Open {
    fn fits(&self, clock: Clock, ts: UnixMs) -> bool {
        let times = || self.rows.iter().map(|(ts, _)| *ts);
        let (first, last) = (times().min().unwrap_or(ts), times().max().unwrap_or(ts));
        self.clock == clock && ts >= last - LATE_MS && ts - first <= LONGEST_SPAN_MS && last - ts <= LONGEST_SPAN_MS
    }
}

fn to_ms(millis: u128) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

/// What the recorder's task listens to.
pub(crate) struct Inputs {
    pub fixes: mpsc::Receiver<Fix>,
    pub readings: mpsc::Receiver<Reading>,
    pub private: tokio::sync::watch::Receiver<bool>,
    /// Whether the fixes are those of a recording.
    pub replays: bool,
}

/// Records until all sensors are gone; what is open then is closed.
pub(crate) async fn record(mut inputs: Inputs, drafts: mpsc::Sender<Draft>) {
    let mut recorder = Recorder::new(inputs.replays);
    let (mut gps_ended, mut obd_ended) = (false, false);
    while !(gps_ended && obd_ended) {
        let deadline = recorder.deadline();
        let wait = async {
            match deadline {
                Some(deadline) => sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let closed = tokio::select! {
            fix = inputs.fixes.recv(), if !gps_ended => match fix {
                Some(fix) => {
                    recorder.keep_private(*inputs.private.borrow());
                    recorder.take_fix(&fix, Instant::now())
                }
                None => {
                    gps_ended = true;
                    None
                }
            },
            reading = inputs.readings.recv(), if !obd_ended => match reading {
                Some(reading) => recorder.take_reading(&reading, Instant::now(), now_ms()),
                None => {
                    obd_ended = true;
                    None
                }
            },
            () = wait => recorder.close(),
        };
        send(closed, &drafts).await;
    }
    send(recorder.close(), &drafts).await;
}

async fn send(batch: Option<Batch>, drafts: &mpsc::Sender<Draft>) {
    let Some(batch) = batch else { return };
    metrics::counter!("bugbrother_agent_rows_total").increment(batch.rows.len() as u64);
    if drafts.send(Draft::Batch(batch)).await.is_err() {
        debug!("a batch came after the end");
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::gps::fix::Quality;

    fn fix(ts: UnixMs) -> Fix {
        Fix { ts, lat: 47.0, lon: 7.0, hdg: None, gspd: Some(50.0), quality: Quality::default() }
    }

    fn times(batch: &Batch) -> Vec<UnixMs> {
        let rows = batch.rows.iter();
        rows.map(|row| batch.t0 + i64::from(row.dt_ms)).collect()
    }

    #[test]
    fn a_late_value_is_put_in_its_place() {
        let (mut recorder, now) = (Recorder::default(), Instant::now());
        let reading = |ms| Reading { at: now + Duration::from_millis(ms), values: vec![("rpm".into(), 800.0)] };
        recorder.take_fix(&fix(10_000), now);
        recorder.take_reading(&reading(950), now + Duration::from_millis(960), 99);
        recorder.take_fix(&fix(10_900), now + Duration::from_millis(990));
        let batch = recorder.close().unwrap();
        assert_eq!(times(&batch), [10_000, 10_900, 10_950]);
        assert_eq!(batch.keys, ["gspd", "lat", "lon", "rpm"]);
        assert_eq!(batch.rows[2].values, [None, None, None, Some(800.0)]);
    }

    #[test]
    fn without_a_receiver_the_computers_clock_counts() {
        let (mut recorder, now) = (Recorder::default(), Instant::now());
        let reading = Reading { at: now, values: vec![("spd".into(), 3.0)] };
        let later = now + Duration::from_millis(40);
        recorder.take_reading(&reading, later, 1_790_000_005_000);
        // The first fix brings another clock and so another batch.
        let batch = recorder.take_fix(&fix(9_000), later).unwrap();
        assert_eq!((batch.clock, batch.t0), (Clock::System, 1_790_000_004_960));
        assert_eq!(recorder.close().unwrap().clock, Clock::Gnss);
    }

    #[test]
    fn position_stays_in_the_vehicle_when_it_is_to() {
        let mut recorder = Recorder::default();
        recorder.keep_private(true);
        recorder.take_fix(&fix(9_000), Instant::now());
        assert_eq!(recorder.close().unwrap().keys, ["gspd"]);
    }

    proptest! {
        #[test]
        fn every_fix_is_one_row_and_rows_rise_within_a_day(steps in vec(-200_000_000i64..200_000_000, 0..600)) {
            let (mut recorder, now) = (Recorder::default(), Instant::now());
            let (mut ts, mut given, mut batches) = (1_270_293_748_037, Vec::new(), Vec::new());
            for step in steps {
                // Small steps mostly, as a receiver makes them.
                ts += if step % 7 == 0 { step } else { step % 3_000 };
                given.push(ts);
                batches.extend(recorder.take_fix(&fix(ts), now));
            }
            batches.extend(recorder.close());
            let mut got: Vec<_> = batches.iter().flat_map(times).collect();
            for batch in &batches {
                prop_assert!(batch.rows.len() <= MOST_ROWS);
                prop_assert!(batch.rows.is_sorted_by_key(|row| row.dt_ms));
                prop_assert!(batch.rows.iter().all(|row| row.dt_ms <= bugbrother_wire::codec::MAX_SPAN_MS));
            }
            given.sort_unstable();
            got.sort_unstable();
            prop_assert_eq!(got, given);
        }
    }
}
