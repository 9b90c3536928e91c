use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bugbrother_wire::{UnixMs, message::Config};
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, warn};

use super::{Detectors, Limits, Moment, Snapshot};
use crate::{
    clock::Time,
    gps::Fix,
    microcontroller::thinner::Thinner,
    outbox::{Draft, Happening},
    recorder::{Key, Reading},
};

/// What is known is handed out to be kept so often, and whenever something has happened.
const KEPT_EVERY: Duration = Duration::from_secs(60);

/// What the sensors say, and what the fleet wants.
pub(crate) struct Inputs {
    pub fixes: mpsc::Receiver<Fix>,
    /// What the adapter says.
    pub readings: mpsc::Receiver<Reading>,
    /// What a microcontroller says, every value of it.
    pub sensed: mpsc::Receiver<Reading>,
    /// What a microcontroller says has happened.
    pub happenings: mpsc::Receiver<Happening>,
    pub config: watch::Receiver<Option<Arc<Config>>>,
    pub private: watch::Receiver<bool>,
    pub time: Time,
    /// Fixes are those of a recording, and so is the time.
    pub replays: bool,
    /// What an agent before this one knew.
    pub known: Option<Snapshot>,
}

/// Where it goes on to.
pub(crate) struct Outputs {
    pub fixes: mpsc::Sender<Fix>,
    pub readings: mpsc::Sender<Reading>,
    pub drafts: mpsc::Sender<Draft>,
    /// The same for cameras, which film some of them.
    pub filmed: mpsc::Sender<Happening>,
    /// What is to be kept for the next agent.
    pub known: watch::Sender<Option<Snapshot>>,
}

/// Lets the detectors see everything on its way to the recorder, until all sensors are gone.
pub(crate) async fn look_out(mut inputs: Inputs, outputs: Outputs) {
    let mut lookout = Lookout::new(&mut inputs);
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut gps, mut obd, mut controller, mut presses, mut told) = (true, true, true, true, true);
    while gps || obd || controller {
        // A button goes first, whatever else there is.
        tokio::select! {
            biased;
            happening = inputs.happenings.recv(), if presses => match happening {
                Some(happening) => lookout.add(happening),
                None => presses = false,
            },
            changed = inputs.config.changed(), if told => match changed {
                Ok(()) => lookout.configure(inputs.config.borrow_and_update().as_deref()),
                Err(_) => told = false,
            },
            fix = inputs.fixes.recv(), if gps => match fix {
                Some(fix) => {
                    lookout.take_fix(&fix, *inputs.private.borrow());
                    hand_on(&outputs.fixes, fix).await;
                }
                None => gps = false,
            },
            reading = inputs.readings.recv(), if obd => match reading {
                Some(reading) => {
                    lookout.take(&reading);
                    hand_on(&outputs.readings, reading).await;
                }
                None => obd = false,
            },
            reading = inputs.sensed.recv(), if controller => match reading {
                Some(reading) => {
                    lookout.take(&reading);
                    let values = lookout.thin(&reading);
                    if !values.is_empty() {
                        hand_on(&outputs.readings, Reading { values, ..reading }).await;
                    }
                }
                None => controller = false,
            },
            _ = ticks.tick() => lookout.tick(*inputs.private.borrow()),
        }
        let happened = !lookout.out.is_empty();
        for happening in lookout.out.drain(..) {
            debug!(kind = ?happening.kind, "event");
            metrics::counter!("bugbrother_agent_events_total").increment(1);
            // Without cameras nobody is there; with them it is for the record that anything waits.
            drop(outputs.filmed.try_send(happening.clone()));
            hand_on(&outputs.drafts, Draft::Event(happening)).await;
        }
        if happened || lookout.kept.elapsed() >= KEPT_EVERY {
            lookout.kept = Instant::now();
            outputs.known.send_replace(Some(lookout.detectors.snapshot()));
        }
    }
    outputs.known.send_replace(Some(lookout.detectors.snapshot()));
}

async fn hand_on<T>(to: &mpsc::Sender<T>, what: T) {
    if to.send(what).await.is_err() {
        debug!("something came after the end");
    }
}

struct Lookout {
    detectors: Detectors,
    thinner: Thinner,
    periods_ms: BTreeMap<String, u32>,
    time: Time,
    origin: Instant,
    /// The time of a recording at a moment.
    recorded: Option<(UnixMs, Instant)>,
    replays: bool,
    kept: Instant,
    out: Vec<Happening>,
}

impl Lookout {
    fn new(inputs: &mut Inputs) -> Self {
        let now = Instant::now();
        let mut lookout = Lookout {
            detectors: Detectors::default(),
            thinner: Thinner::default(),
            periods_ms: BTreeMap::new(),
            time: inputs.time.clone(),
            origin: now,
            recorded: None,
            replays: inputs.replays,
            kept: now,
            out: Vec::new(),
        };
        lookout.configure(inputs.config.borrow_and_update().as_deref());
        if let Some(known) = &inputs.known {
            lookout.detectors.restore(known);
        }
        lookout
    }

    fn configure(&mut self, config: Option<&Config>) {
        let Some(config) = config else { return };
        let (limits, ignored) = Limits::read(&config.thresholds);
        if !ignored.is_empty() {
            warn!(thresholds = ignored.join(" "), "the fleet wants thresholds that are not known or out of range");
        }
        self.detectors.set(limits, config.geofences.clone());
        self.periods_ms.clone_from(&config.periods_ms);
    }

    fn take_fix(&mut self, fix: &Fix, private: bool) {
        self.detectors.keep_private(private);
        let now = Instant::now();
        if self.replays {
            self.recorded = Some((fix.ts, now));
        }
        let quality = &fix.quality;
        let told = [
            ("lat", Some(fix.lat)),
            ("lon", Some(fix.lon)),
            ("hdg", fix.hdg),
            ("gspd", fix.gspd),
            ("hdop", quality.hdop),
            ("sats", quality.sats),
        ];
        let values: Vec<(Key, f64)> = told.into_iter().filter_map(|(key, value)| Some((key.into(), value?))).collect();
        let (at_ms, _) = self.moment(now);
        self.detectors.take(&Moment { at_ms, ts: fix.ts, values: &values }, &mut self.out);
    }

    fn take(&mut self, reading: &Reading) {
        let (at_ms, ts) = self.moment(reading.at);
        self.detectors.take(&Moment { at_ms, ts, values: &reading.values }, &mut self.out);
    }

    fn tick(&mut self, private: bool) {
        self.detectors.keep_private(private);
        let (at_ms, ts) = self.moment(Instant::now());
        self.detectors.tick(at_ms, ts, &mut self.out);
    }

    /// Adds what happened just now, here.
    fn add(&mut self, happening: Happening) {
        let (_, at) = self.moment(Instant::now());
        self.out.push(Happening { at, place: self.detectors.place(), ..happening });
    }

    fn thin(&mut self, reading: &Reading) -> Vec<(Key, f64)> {
        let (at_ms, _) = self.moment(reading.at);
        self.thinner.take(at_ms, &reading.values, &self.periods_ms)
    }

    /// A moment by a clock that is never set, and by the calendar.
    fn moment(&self, at: Instant) -> (u64, UnixMs) {
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        if let Some((ts, then)) = self.recorded {
            // A recording that is played fast has its own time.
            let ts = ts + ms(at.saturating_duration_since(then)) - ms(then.saturating_duration_since(at));
            return (u64::try_from(ts).unwrap_or_default(), ts);
        }
        let at_ms = u64::try_from(ms(at.saturating_duration_since(self.origin))).unwrap_or_default();
        (at_ms, self.time.stamp(at).ts)
    }
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::{SCHEMA_VERSION, message::EventKind};
    use tokio::time::timeout;

    use super::*;
    use crate::{clock::ClockSettings, gps::fix::Quality};

    struct Ends {
        fixes: mpsc::Sender<Fix>,
        readings: mpsc::Sender<Reading>,
        sensed: mpsc::Sender<Reading>,
        happenings: mpsc::Sender<Happening>,
        seen_fixes: mpsc::Receiver<Fix>,
        seen_readings: mpsc::Receiver<Reading>,
        drafts: mpsc::Receiver<Draft>,
        known: watch::Receiver<Option<Snapshot>>,
    }

    fn begin(replays: bool, config: Option<Config>) -> (Ends, tokio::task::JoinHandle<()>) {
        let folder = tempfile::tempdir().unwrap();
        let (fixes, fixes_in) = mpsc::channel(256);
        let (readings, readings_in) = mpsc::channel(64);
        let (sensed, sensed_in) = mpsc::channel(256);
        let (happenings, happenings_in) = mpsc::channel(8);
        let (seen_fixes, seen_fixes_in) = mpsc::channel(256);
        let (seen_readings, seen_readings_in) = mpsc::channel(256);
        let (drafts, drafts_in) = mpsc::channel(64);
        let (known, known_in) = watch::channel(None);
        let inputs = Inputs {
            fixes: fixes_in,
            readings: readings_in,
            sensed: sensed_in,
            happenings: happenings_in,
            config: watch::channel(config.map(Arc::new)).1,
            private: watch::channel(false).1,
            time: Time::new(ClockSettings::in_folder(folder.path())),
            replays,
            known: None,
        };
        let (filmed, _) = mpsc::channel(1);
        let outputs = Outputs { fixes: seen_fixes, readings: seen_readings, drafts, filmed, known };
        let ends = Ends {
            fixes,
            readings,
            sensed,
            happenings,
            seen_fixes: seen_fixes_in,
            seen_readings: seen_readings_in,
            drafts: drafts_in,
            known: known_in,
        };
        (ends, tokio::spawn(look_out(inputs, outputs)))
    }

    fn fix(ts: UnixMs, gspd: f64) -> Fix {
        Fix { ts, lat: 47.0, lon: 8.0, hdg: Some(90.0), gspd: Some(gspd), quality: Quality::default() }
    }

    #[tokio::test]
    async fn a_recording_that_is_played_at_once_has_the_events_of_its_own_time() {
        let (mut ends, task) = begin(true, None);
        let start = 1_270_293_748_000;
        for i in 0..30u32 {
            let kmh = (90.0 - 18.0 * (f64::from(i) - 10.0).clamp(0.0, 3.0)).max(0.0);
            ends.fixes.send(fix(start + i64::from(i) * 1000, kmh)).await.unwrap();
        }
        drop((ends.fixes, ends.readings, ends.sensed, ends.happenings));
        timeout(Duration::from_secs(30), task).await.unwrap().unwrap();
        let Some(Draft::Event(event)) = ends.drafts.recv().await else { panic!("no event") };
        assert_eq!((event.kind, event.place), (EventKind::HarshBraking, Some((47.0, 8.0))));
        assert!((start + 9_000..start + 12_000).contains(&event.at), "{}", event.at - start);
        assert!(ends.drafts.recv().await.is_none());
        let mut seen = 0;
        while ends.seen_fixes.recv().await.is_some() {
            seen += 1;
        }
        assert_eq!(seen, 30, "each goes on to the recorder");
        assert_eq!(ends.known.borrow_and_update().as_ref().unwrap().ts, start + 29_000);
    }

    #[tokio::test]
    async fn a_button_gets_its_place_and_an_accelerometer_is_seen_whole_and_recorded_thinly() {
        let thresholds = [("crash".to_owned(), 20.0), ("nonsense".to_owned(), 1.0)].into();
        let config = Config {
            v: SCHEMA_VERSION,
            vin: "WVWZZZ1JZ3W386752".parse().unwrap(),
            revision: 1,
            periods_ms: BTreeMap::new(),
            thresholds,
            geofences: Vec::new(),
            privacy: false,
            driver_privacy: false,
            daily_bytes: None,
        };
        let (mut ends, task) = begin(false, Some(config));
        ends.fixes.send(fix(1_790_000_000_000, 0.0)).await.unwrap();
        ends.seen_fixes.recv().await.unwrap();
        ends.happenings.send(Happening::new(EventKind::PanicButton, 0)).await.unwrap();
        let Some(Draft::Event(event)) = ends.drafts.recv().await else { panic!("no event") };
        assert_eq!((event.kind, event.place), (EventKind::PanicButton, Some((47.0, 8.0))));
        assert!(event.at > 0);
        // Two seconds of an accelerometer, with a blow of 25 m/s² for a tenth of a second at the end.
        let start = Instant::now();
        for i in 0..100u32 {
            let ax = if i >= 94 { -25.0 } else { 0.0 };
            let values: Vec<(Key, f64)> = vec![("ax".into(), ax), ("ay".into(), 0.0), ("az".into(), 9.8)];
            let at = start + Duration::from_millis(u64::from(i) * 20);
            ends.sensed.send(Reading { at, values }).await.unwrap();
        }
        drop((ends.fixes, ends.readings, ends.sensed, ends.happenings));
        timeout(Duration::from_secs(30), task).await.unwrap().unwrap();
        let Some(Draft::Event(event)) = ends.drafts.recv().await else { panic!("no event") };
        assert_eq!(event.kind, EventKind::Crash);
        let mut rows = 0;
        while ends.seen_readings.recv().await.is_some() {
            rows += 1;
        }
        assert_eq!(rows, 2, "at once and after a second");
    }
}
