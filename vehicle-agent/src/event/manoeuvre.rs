use bugbrother_wire::message::EventKind;

use super::situation::Situation;
use crate::outbox::Happening;

/// It is over below this share of the limit.
const RELEASE: f64 = 0.7;
/// And has to stay below for so long: a foot that is lifted for a moment makes no second event.
const CALM_MS: u64 = 1_000;
/// Nothing was measured for so long: it is over.
const SILENT_MS: u64 = 3_000;
/// Nothing harsh lasts longer; a sensor that does is wrong, and is heard again when it has come to rest.
const LONGEST_MS: u64 = 15_000;

/// Something harsh that begins, has a peak, and ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Manoeuvre {
    open: Option<Open>,
}

#[derive(Debug, Clone)]
struct Open {
    /// Made when it began, so that it has that time and place.
    event: Happening,
    from: u64,
    /// When it was last above the limit of its end.
    until: u64,
    heard: u64,
    peak: f64,
    before_kmh: Option<f64>,
    after_kmh: Option<f64>,
}

/// How hard it goes at the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strength {
    /// m/s², positive.
    pub value: f64,
    /// The time that was looked at for it.
    pub from: u64,
    pub to: u64,
    /// Speed at the beginning of that time.
    pub before_kmh: Option<f64>,
    /// Whether it may begin now, apart from the limit.
    pub may_begin: bool,
}

/// A manoeuvre that is over.
#[derive(Debug, Clone)]
pub(super) struct Done {
    pub event: Happening,
    /// m/s², positive.
    pub peak: f64,
    pub duration_s: f64,
    pub before_kmh: Option<f64>,
    pub after_kmh: Option<f64>,
}

impl Manoeuvre {
    pub fn step(&mut self, kind: EventKind, strength: Strength, limit: f64, now: &Situation) -> Option<Done> {
        let Strength { value, from, to, .. } = strength;
        let Some(open) = &mut self.open else {
            // On a tow truck it is somebody else who drives.
            if value >= limit && strength.may_begin && now.ignition != Some(false) {
                self.open = Some(Open {
                    event: now.event(kind, from),
                    from,
                    until: to,
                    heard: to,
                    peak: value,
                    before_kmh: strength.before_kmh,
                    after_kmh: now.speed(),
                });
            }
            return None;
        };
        open.heard = open.heard.max(to);
        if value >= limit * RELEASE {
            open.peak = open.peak.max(value);
            // The middle: the line through its end is only half of it.
            open.until = open.until.max(from.midpoint(to));
            open.after_kmh = now.speed();
            return if to.saturating_sub(open.from) > LONGEST_MS { self.end() } else { None };
        }
        if to.saturating_sub(open.until) >= CALM_MS { self.end() } else { None }
    }

    /// Ends what is not measured any more.
    pub fn tick(&mut self, now: &Situation) -> Option<Done> {
        let silent = self.open.as_ref().is_some_and(|open| now.now.saturating_sub(open.heard) > SILENT_MS);
        if silent { self.end() } else { None }
    }

    fn end(&mut self) -> Option<Done> {
        let open = self.open.take()?;
        Some(Done {
            event: open.event,
            peak: open.peak,
            duration_s: open.until.saturating_sub(open.from) as f64 / 1000.0,
            before_kmh: open.before_kmh,
            after_kmh: open.after_kmh,
        })
    }
}

impl Done {
    /// The event, with its peak as `key`.
    pub fn into_event(self, key: &str, peak: f64) -> Happening {
        let mut event = self.event;
        let values = [
            (key, Some(peak)),
            ("duration_s", Some(self.duration_s)),
            ("spd", self.before_kmh),
            ("spd_after", self.after_kmh),
        ];
        event.values.extend(values.into_iter().filter_map(|(key, value)| Some((key.to_owned(), rounded(value?)))));
        event
    }
}

/// To a hundredth: more would claim what was not measured.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
