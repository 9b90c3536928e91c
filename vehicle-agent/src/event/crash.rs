use std::collections::VecDeque;

use bugbrother_wire::message::EventKind;

use super::{
    Limits, MS_PER_KMH,
    manoeuvre::rounded,
    row::Row,
    situation::{STANDING_KMH, Situation},
};
use crate::outbox::Happening;

/// A blow counts with a change of speed of so much within [`BLOW_MS`]: what makes an event data recorder keep an event
/// (49 CFR 563.5, UN R160). A pothole or a kick has the peak and not the change.
const BLOW_KMH: f64 = 8.0;
const BLOW_MS: u64 = 150;
/// Values that are farther apart do not add up to a change of speed.
const LONGEST_STEP_S: f64 = 0.05;
/// An accelerometer that tells more seldom than every 100 ms misses blows.
const ALIVE_MS: u64 = 1_000;
const MOST: usize = 64;
/// One crash is one event, however often the car turns over.
const REFRACTORY_MS: u64 = 60_000;

/// `crash_speed` is what is lost in half a second. No brakes do that: 25 km/h in 0.5 s are 1.4 g.
const LOSS_S: f64 = 0.5;
/// Speeds that are farther apart cannot tell a crash from braking.
const LOSS_WITHIN_MS: u64 = 1_500;
/// After it the vehicle stands: so slow, for so long, so soon.
const STOPPED_KMH: f64 = 3.0;
const STOPPED_MS: u64 = 3_000;
const STOPPED_WITHIN_MS: u64 = 15_000;
/// Wheels that are locked stand while the vehicle slides.
const SLIDING_KMH: f64 = 15.0;

/// A crash: a blow that the accelerometer feels, or a speed that is lost faster than any brake does it.
#[derive(Debug, Default)]
pub(super) struct Crash {
    gravity: Option<[f64; 2]>,
    blows: VecDeque<Blow>,
    felt: Option<u64>,
    wheels: Loss,
    receiver: Loss,
    told: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Blow {
    at: u64,
    /// m/s², forward and to the left, without what is always there.
    along: [f64; 2],
    seconds: f64,
}

impl Crash {
    pub fn take(&mut self, row: &Row, now: &Situation, limits: &Limits, out: &mut Vec<Happening>) {
        let event = match row.acceleration {
            Some([ax, ay, _]) => self.feel(row.at, [ax, ay], now, limits),
            None => self.lose(row, now, limits),
        };
        let Some(event) = event else { return };
        if self.told.is_none_or(|told| told + REFRACTORY_MS <= now.now) {
            self.told = Some(now.now);
            out.push(event);
        }
    }

    fn feel(&mut self, at: u64, felt: [f64; 2], now: &Situation, limits: &Limits) -> Option<Happening> {
        let last = self.felt.replace(at);
        let gap = last.is_none_or(|last| at <= last || at - last > ALIVE_MS);
        if gap {
            self.blows.clear();
        }
        let gravity = self.gravity.get_or_insert(felt);
        let along = [felt[0] - gravity[0], felt[1] - gravity[1]];
        let seconds = if gap { 0.0 } else { last.map_or(0.0, |last| (at - last) as f64 / 1000.0).min(LONGEST_STEP_S) };
        for (gravity, along) in gravity.iter_mut().zip(along) {
            // Over some ten seconds, and hardly moved by the blow itself.
            *gravity += along.clamp(-2.0, 2.0) * seconds / 10.0;
        }
        self.blows.push_back(Blow { at, along, seconds });
        while self.blows.front().is_some_and(|blow| blow.at + BLOW_MS < at) || self.blows.len() > MOST {
            self.blows.pop_front();
        }
        let peak = self.blows.iter().map(|blow| blow.along[0].hypot(blow.along[1])).fold(0.0, f64::max);
        let sum = |axis: usize| self.blows.iter().map(|blow| blow.along[axis] * blow.seconds).sum::<f64>();
        let (forward, left) = (sum(0), sum(1));
        let change_kmh = forward.hypot(left) / MS_PER_KMH;
        if peak < limits.crash? || change_kmh < BLOW_KMH {
            return None;
        }
        let first = self.blows.front().map_or(at, |blow| blow.at);
        let mut event = now.event(EventKind::Crash, first);
        let values = [
            ("peak", Some(peak)),
            ("dv", Some(change_kmh)),
            ("ax", Some(forward / MS_PER_KMH / change_kmh * peak)),
            ("ay", Some(left / MS_PER_KMH / change_kmh * peak)),
            ("spd", now.speed()),
        ];
        event.values.extend(values.into_iter().filter_map(|(key, value)| Some((key.to_owned(), rounded(value?)))));
        event.text = Some("felt by the accelerometer".to_owned());
        Some(event)
    }

    fn lose(&mut self, row: &Row, now: &Situation, limits: &Limits) -> Option<Happening> {
        // An accelerometer would have felt it.
        let feels = self.felt.is_some_and(|felt| felt + ALIVE_MS >= now.now);
        let limit = limits.crash_speed.filter(|_| !feels);
        let wheels = row.spd.and_then(|spd| self.wheels.take(row.at, spd, limit, now));
        let by_wheels = now.wheels().is_some();
        let receiver = row.gspd.and_then(|gspd| self.receiver.take(row.at, gspd, limit, now)).filter(|_| !by_wheels);
        // Wheels may stand where the vehicle does not.
        let slides = |lost: &Lost| now.receiver_at_least(SLIDING_KMH, lost.at + 1_000);
        let lost = wheels.filter(|lost| !slides(lost)).or(receiver)?;
        let mut event = lost.event;
        event.values.insert("dv".to_owned(), rounded(lost.lost_kmh));
        event.values.insert("spd".to_owned(), rounded(lost.before_kmh));
        event.text = Some("by the loss of speed".to_owned());
        Some(event)
    }
}

/// One source of speed.
#[derive(Debug, Default)]
struct Loss {
    recent: VecDeque<(u64, f64)>,
    suspicion: Option<Lost>,
    stopped_since: Option<u64>,
    stopped_times: u32,
}

#[derive(Debug, Clone)]
struct Lost {
    event: Happening,
    at: u64,
    before_kmh: f64,
    lost_kmh: f64,
}

impl Loss {
    /// Takes a speed; tells of the loss that has turned out to be one.
    fn take(&mut self, at: u64, kmh: f64, limit: Option<f64>, now: &Situation) -> Option<Lost> {
        if self.recent.back().is_some_and(|(last, _)| at <= *last) {
            return None;
        }
        while self.recent.front().is_some_and(|(first, _)| first + LOSS_WITHIN_MS < at) || self.recent.len() > MOST {
            self.recent.pop_front();
        }
        let limit = limit?;
        if self.suspicion.is_none() {
            let needed = |ms: u64| limit * (ms as f64 / 1000.0 / LOSS_S).max(1.0);
            let mut losses = self.recent.iter().filter(|(then, before)| before - kmh >= needed(at - then));
            self.suspicion = losses.next().map(|(then, before)| Lost {
                event: now.event(EventKind::Crash, *then),
                at,
                before_kmh: *before,
                lost_kmh: before - kmh,
            });
            (self.stopped_since, self.stopped_times) = (None, 0);
        }
        self.recent.push_back((at, kmh));
        let suspicion = self.suspicion.as_ref()?;
        let goes_on = kmh > suspicion.before_kmh - suspicion.lost_kmh + STANDING_KMH;
        if goes_on || at > suspicion.at + STOPPED_WITHIN_MS {
            self.suspicion = None;
            return None;
        }
        if kmh > STOPPED_KMH {
            (self.stopped_since, self.stopped_times) = (None, 0);
            return None;
        }
        let since = *self.stopped_since.get_or_insert(at);
        self.stopped_times += 1;
        if at - since >= STOPPED_MS && self.stopped_times >= 3 { self.suspicion.take() } else { None }
    }
}
