//! Fixes and values → rows → batches.
//!
//! # Invariants
//! - A fix is one row, but for most of those of a vehicle that rests, and unless the day's bytes are scarce. Values of the
//!   engine are rows of their own, by the same clock.
//! - Rows of a batch rise in time and lie within a day; a batch is closed after a second or [`MOST_ROWS`] rows, and when
//!   the clock changes or is set anew.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bugbrother_wire::{
    UnixMs,
    message::{Clock, Row},
    signal,
};
use tokio::{
    sync::{mpsc, watch},
    time::sleep_until,
};
use tracing::debug;

use crate::{
    budget::{Class, Thinning},
    clock::{Stamp, TIME_HOLDS_MS, Time},
    gps::{Fix, fix::Mode},
    outbox::{Batch, Draft},
    rest::{Movement, Parked, Rest},
    sieve::Sieve,
};

/// Most rows of a batch.
pub const MOST_ROWS: usize = 200;
/// Before what belongs together is made one row.
const MOST_ROWS_IN_ECONOMY: usize = 2_000;
/// In economy what is told within so long is one row, at the time of the first.
const ROW_MS: i64 = 900;
/// Units of which whole numbers are enough in economy: finer than sensors are, or than anybody looks at.
const WHOLE: [&str; 6] = ["percent", "rpm", "km/h", "m", "kPa", "celsius"];
/// Rows that come a little late are put in order; a step back that is larger is another time.
const LATE_MS: i64 = 2_000;
const LONGEST_SPAN_MS: i64 = 12 * 60 * 60 * 1000;

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

/// How batches are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// How long a batch waits for more rows, and viewers for it.
    pub wait: Duration,
    /// Whether bytes are saved: one row a second, values rounded and left out while they do not change.
    pub economy: bool,
}

impl Default for Rhythm {
    fn default() -> Self {
        Rhythm { wait: Duration::from_secs(1), economy: false }
    }
}

/// Makes rows and puts them together to batches. Knows no clock but its arguments.
#[derive(Debug, Default)]
pub struct Recorder {
    /// The time of a recording at a moment: what the adapter says meanwhile belongs to it.
    recorded: Option<(UnixMs, Instant)>,
    open: Option<Open>,
    sieve: Sieve,
    rhythm: Rhythm,
    /// Fixes of a recording that were left out since the last row.
    left_out: u64,
    /// Position is not to leave the vehicle.
    private: bool,
    /// Fixes come from a recording.
    replays: bool,
}

#[derive(Debug)]
struct Open {
    clock: Clock,
    /// Of the first row whose time is not the receiver's own.
    era: Option<u32>,
    since: Instant,
    rows: Vec<(UnixMs, BTreeMap<Key, f64>)>,
    replayed: u64,
}

/// What stays in the vehicle when position does.
const POSITION: [&str; 4] = ["lat", "lon", "alt", "hdg"];
/// What is thinned last.
const MOTION: [&str; 4] = ["lat", "lon", "hdg", "gspd"];
/// In the catalogue, and yet not the engine's.
const IMU: [&str; 3] = ["ax", "ay", "az"];

impl Recorder {
    /// A recorder of what a receiver tells, or a recording of one.
    pub fn new(replays: bool) -> Self {
        Recorder { replays, ..Recorder::default() }
    }

    /// In that rhythm.
    #[must_use]
    pub fn in_rhythm(self, rhythm: Rhythm) -> Self {
        Recorder { rhythm, sieve: Sieve::new(rhythm.economy), ..self }
    }

    /// Whether position is left out from now on.
    pub fn keep_private(&mut self, private: bool) {
        self.private = private;
    }

    /// How much is left out from now on.
    pub fn thin(&mut self, thinning: Thinning) {
        self.sieve.thin(thinning);
    }

    /// Takes a fix that came `now`; tells of the batch that is closed by it.
    pub fn take_fix(&mut self, fix: &Fix, now: Instant) -> Option<Batch> {
        if self.replays {
            self.recorded = Some((fix.ts, now));
        }
        let quality = &fix.quality;
        let values = [
            ("lat", Some(fix.lat)),
            ("lon", Some(fix.lon)),
            ("hdg", fix.hdg),
            ("gspd", fix.gspd),
            ("alt", quality.alt),
            ("hdop", quality.hdop),
            ("sats", quality.sats),
            ("fixq", quality.mode.map(Mode::number)),
            ("acc", quality.acc),
        ];
        let told = values
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .filter(|(key, _)| !(self.private && POSITION.contains(key)));
        let mut values = told.map(|(key, value)| (key.into(), self.rounded(key, value))).collect();
        let class = |key: &str| if MOTION.contains(&key) { Class::Position } else { Class::Quality };
        count_thinned(self.sieve.sift(fix.ts, &mut values, class));
        self.add(Moment { ts: fix.ts, clock: Clock::Gnss, era: None }, values, u64::from(self.replays), now)
    }

    /// Takes values of the engine; `stamp` is when they were read, but for a recording, whose time goes on instead.
    pub fn take_reading(&mut self, reading: &Reading, now: Instant, stamp: Stamp) -> Option<Batch> {
        let moment = match self.recorded {
            Some((ts, at)) if to_ms(now.saturating_duration_since(at)) < TIME_HOLDS_MS => {
                let since = to_ms(reading.at.saturating_duration_since(at));
                let before = to_ms(at.saturating_duration_since(reading.at));
                Moment { ts: ts + since - before, clock: Clock::Gnss, era: None }
            }
            _ => Moment { ts: stamp.ts, clock: stamp.clock, era: Some(stamp.era) },
        };
        let told = reading.values.iter();
        let mut values = told.map(|(key, value)| (key.clone(), self.rounded(key, *value))).collect();
        let of_engine = |key: &str| signal::find(key).is_some() && !IMU.contains(&key);
        let class = |key: &str| if of_engine(key) { Class::Engine } else { Class::Extra };
        count_thinned(self.sieve.sift(moment.ts, &mut values, class));
        self.add(moment, values, 0, now)
    }

    /// When the open batch is to be closed.
    pub fn deadline(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.since + self.rhythm.wait)
    }

    /// Closes the open batch.
    pub fn close(&mut self) -> Option<Batch> {
        let Open { clock, mut rows, replayed, .. } = self.open.take()?;
        rows.sort_by_key(|(ts, _)| *ts);
        if self.rhythm.economy {
            rows = merged(rows);
        }
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

    /// What is recorded of a value: all of it, but for economy.
    fn rounded(&self, key: &str, value: f64) -> f64 {
        if !self.rhythm.economy {
            return value;
        }
        match signal::find(key).map_or("", |signal| signal.unit) {
            unit if WHOLE.contains(&unit) || key == "hdg" => value.round(),
            // A sixteenth of a volt: what is more is noise.
            "V" => (value * 16.0).round() / 16.0,
            // 24 bits: of a place that is 0.4 m of latitude and at most 0.9 m of longitude, less than receivers err by.
            _ => f64::from(value as f32),
        }
    }

    fn add(&mut self, moment: Moment, values: BTreeMap<Key, f64>, replayed: u64, now: Instant) -> Option<Batch> {
        if values.is_empty() {
            self.left_out += replayed;
            return None;
        }
        let replayed = replayed + std::mem::take(&mut self.left_out);
        let fits = self.open.as_ref().is_none_or(|open| open.fits(&moment));
        let closed = if fits { None } else { self.close() };
        let Moment { ts, clock, era } = moment;
        let new = || Open { clock, era, since: now, rows: Vec::new(), replayed: 0 };
        let open = self.open.get_or_insert_with(new);
        open.era = open.era.or(era);
        open.rows.push((ts, values));
        open.replayed += replayed;
        if open.rows.len() < if self.rhythm.economy { MOST_ROWS_IN_ECONOMY } else { MOST_ROWS } {
            return closed;
        }
        // A batch that was closed by this row left room for it, so not both can be.
        closed.or_else(|| self.close())
    }
}

/// When a row was.
struct Moment {
    ts: UnixMs,
    clock: Clock,
    /// `None` for the receiver's own time.
    era: Option<u32>,
}

impl Open {
    fn fits(&self, moment: &Moment) -> bool {
        let &Moment { ts, clock, era } = moment;
        let times = || self.rows.iter().map(|(ts, _)| *ts);
        let (first, last) = (times().min().unwrap_or(ts), times().max().unwrap_or(ts));
        let comparable = self.clock == clock && self.era.zip(era).is_none_or(|(open, new)| open == new);
        comparable && ts >= last - LATE_MS && ts - first <= LONGEST_SPAN_MS && last - ts <= LONGEST_SPAN_MS
    }
}

fn to_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Rows of about the same moment that have no signal in common are one.
fn merged(rows: Vec<(UnixMs, BTreeMap<Key, f64>)>) -> Vec<(UnixMs, BTreeMap<Key, f64>)> {
    let mut merged: Vec<(UnixMs, BTreeMap<Key, f64>)> = Vec::with_capacity(rows.len());
    for (ts, values) in rows {
        match merged.last_mut() {
            Some((first, known)) if ts - *first <= ROW_MS && values.keys().all(|key| !known.contains_key(key)) => {
                known.extend(values);
            }
            _ => merged.push((ts, values)),
        }
    }
    merged
}

fn count_thinned(values: usize) {
    if values > 0 {
        metrics::counter!("bugbrother_agent_thinned_values_total").increment(values as u64);
    }
}

/// What the recorder's task listens to.
pub(crate) struct Inputs {
    pub fixes: mpsc::Receiver<Fix>,
    pub readings: mpsc::Receiver<Reading>,
    pub private: watch::Receiver<bool>,
    /// Whether the fixes are those of a recording.
    pub replays: bool,
    pub time: Time,
    /// Whether the vehicle moves, for who wants to know.
    pub moving: watch::Sender<bool>,
    /// Whether the vehicle rests.
    pub rest: watch::Receiver<Rest>,
    pub thinning: watch::Receiver<Thinning>,
    pub rhythm: Rhythm,
}

/// Records until all sensors are gone; what is open then is closed.
pub(crate) async fn record(mut inputs: Inputs, drafts: mpsc::Sender<Draft>) {
    let mut recorder = Recorder::new(inputs.replays).in_rhythm(inputs.rhythm);
    let (mut movement, mut parked) = (Movement::default(), Parked::default());
    let (mut gps_ended, mut obd_ended) = (false, false);
    while !(gps_ended && obd_ended) {
        let deadline = recorder.deadline();
        let wait = async {
            match deadline {
                Some(deadline) => sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        recorder.thin(*inputs.thinning.borrow());
        let closed = tokio::select! {
            fix = inputs.fixes.recv(), if !gps_ended => match fix {
                Some(fix) => {
                    let now = Instant::now();
                    if !inputs.replays {
                        inputs.time.hear_receiver(fix.ts, now);
                    }
                    let moves = movement.take(&fix, now);
                    inputs.moving.send_if_modified(|known| std::mem::replace(known, moves) != moves);
                    if inputs.rest.borrow().is_none() {
                        parked = Parked::default();
                    }
                    recorder.keep_private(*inputs.private.borrow());
                    let wanted = moves || inputs.rest.borrow().is_none() || parked.takes(now);
                    wanted.then(|| recorder.take_fix(&fix, now)).flatten()
                }
                None => {
                    gps_ended = true;
                    None
                }
            },
            reading = inputs.readings.recv(), if !obd_ended => match reading {
                Some(reading) => recorder.take_reading(&reading, Instant::now(), inputs.time.stamp(reading.at)),
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

    fn stamp(ts: UnixMs, clock: Clock, era: u32) -> Stamp {
        Stamp { ts, clock, era }
    }

    fn reading(at: Instant) -> Reading {
        Reading { at, values: vec![("rpm".into(), 800.0)] }
    }

    #[test]
    fn a_late_value_is_put_in_its_place() {
        let (mut recorder, now) = (Recorder::default(), Instant::now());
        recorder.take_fix(&fix(10_000), now);
        let late = now + Duration::from_millis(960);
        recorder.take_reading(&reading(late), late, stamp(10_950, Clock::Gnss, 1));
        recorder.take_fix(&fix(10_900), now + Duration::from_millis(990));
        let batch = recorder.close().unwrap();
        assert_eq!(times(&batch), [10_000, 10_900, 10_950]);
        assert_eq!(batch.keys, ["gspd", "lat", "lon", "rpm"]);
        assert_eq!(batch.rows[2].values, [None, None, None, Some(800.0)]);
    }

    #[test]
    fn what_the_adapter_says_during_a_replay_is_at_the_recordings_time() {
        let (mut recorder, now) = (Recorder::new(true), Instant::now());
        recorder.take_fix(&fix(1_270_293_748_000), now);
        let later = now + Duration::from_millis(40);
        recorder.take_reading(&reading(later), later, stamp(1_790_000_005_000, Clock::Ntp, 1));
        assert_eq!(times(&recorder.close().unwrap()), [1_270_293_748_000, 1_270_293_748_040]);
    }

    #[test]
    fn a_clock_that_is_set_in_the_middle_of_a_batch_closes_it() {
        let (mut recorder, now) = (Recorder::default(), Instant::now());
        let mut take = |ts, clock, era| recorder.take_reading(&reading(now), now, stamp(ts, clock, era));
        // Started, with no idea of the time; then the network tells it; then it corrects itself by a second; then a fix.
        let unset = bugbrother_wire::codec::EARLIEST;
        assert_eq!(take(unset + 5_000, Clock::None, 0), None);
        assert_eq!(take(unset + 5_900, Clock::None, 0), None);
        let closed = take(1_790_000_005_000, Clock::Ntp, 1).unwrap();
        assert_eq!((closed.clock, times(&closed)), (Clock::None, vec![unset + 5_000, unset + 5_900]));
        let closed = take(1_790_000_005_200, Clock::Ntp, 2).unwrap();
        assert_eq!((closed.clock, times(&closed)), (Clock::Ntp, vec![1_790_000_005_000]));
        let closed = recorder.take_fix(&fix(1_790_000_005_300), now).unwrap();
        assert_eq!((closed.clock, times(&closed)), (Clock::Ntp, vec![1_790_000_005_200]));
        assert_eq!(recorder.close().unwrap().clock, Clock::Gnss);
    }

    #[test]
    fn in_economy_a_second_is_one_row_of_rounded_values() {
        let rhythm = Rhythm { wait: Duration::from_secs(30), economy: true };
        let (mut recorder, now) = (Recorder::default().in_rhythm(rhythm), Instant::now());
        for second in 0..3 {
            let ts = 10_000 + second * 1_000;
            recorder.take_fix(&Fix { gspd: Some(50.4), lat: 47.123_456_7, ..fix(ts) }, now);
            let at = stamp(ts + 300, Clock::Gnss, 1);
            recorder.take_reading(
                &Reading { at: now, values: vec![("thr".into(), 12.9), ("maf".into(), 3.11)] },
                now,
                at,
            );
            recorder.take_reading(&Reading { at: now, values: vec![("ect".into(), 89.0)] }, now, at);
        }
        assert_eq!(recorder.deadline(), Some(now + rhythm.wait));
        let batch = recorder.close().unwrap();
        assert_eq!(times(&batch), [10_000, 11_000, 12_000]);
        assert_eq!(batch.keys, ["ect", "gspd", "lat", "lon", "maf", "thr"]);
        let [lat, maf] = [47.123_456_7, 3.11].map(|exact: f64| f64::from(exact as f32));
        let first = [Some(89.0), Some(50.0), Some(lat), Some(7.0), Some(maf), Some(13.0)];
        assert_eq!(batch.rows[0].values, first);
        assert_eq!(batch.rows[1].values, [None, None, Some(lat), Some(7.0), None, None]);
    }

    #[test]
    fn position_stays_in_the_vehicle_when_it_is_to() {
        let mut recorder = Recorder::default();
        recorder.keep_private(true);
        recorder.take_fix(&fix(9_000), Instant::now());
        assert_eq!(recorder.close().unwrap().keys, ["gspd"]);
    }

    #[test]
    fn when_bytes_are_scarce_the_engine_is_left_out_first_and_a_replay_still_counts_every_fix() {
        let (mut recorder, now) = (Recorder::new(true), Instant::now());
        let record = |recorder: &mut Recorder| {
            for second in 0..20 {
                recorder.take_fix(&fix(second * 1_000), now);
                recorder.take_reading(&reading(now), now, stamp(0, Clock::None, 0));
            }
            let batch = recorder.close().unwrap();
            let filled = |key: &str| {
                let column = batch.keys.iter().position(|known| known == key);
                batch.rows.iter().filter(|row| column.is_some_and(|column| row.values[column].is_some())).count()
            };
            (filled("lat"), filled("rpm"), batch.replayed)
        };
        assert_eq!(record(&mut recorder), (20, 20, 20));
        recorder.thin(Thinning::default().next(400, 1000, 0.0));
        assert_eq!(record(&mut recorder), (20, 2, 20));
        recorder.thin(Thinning::default().next(1000, 1000, 0.0));
        let (positions, engine, replayed) = record(&mut recorder);
        assert_eq!((positions, engine), (2, 1));
        // The nine after the last that was recorded come with the next.
        assert_eq!(replayed, 11);
        recorder.thin(Thinning::default());
        assert_eq!(record(&mut recorder), (20, 20, 29));
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
