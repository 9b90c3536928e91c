//! A signal beyond a limit.

use bugbrother_wire::UnixMs;

use crate::{Moment, News, Note, Side, Slots, Threshold, Watch, hold, hold::Held};

/// A limit on the first of some signals that a vehicle sends.
#[derive(Debug, Clone)]
pub struct Limit {
    /// Their places, the best first.
    pub slots: Vec<usize>,
    threshold: Threshold,
}

impl Limit {
    pub fn new(side: Side, signals: &[String], (on, off): (f64, f64), for_ms: u32, slots: &mut Slots) -> Self {
        let slots = signals.iter().map(|key| slots.take(key)).collect();
        Limit { slots, threshold: Threshold { side, on, off, for_ms: i64::from(for_ms) } }
    }

    pub fn step(&self, watch: &mut Watch, held: &mut Held, moment: &Moment<'_>) -> Option<Note> {
        let News::Sample(values) = moment.news else { return None };
        let mut sent = self.slots.iter().enumerate();
        let best = sent.find_map(|(rank, slot)| Some((rank, values[*slot]?)))?;
        let change = watch.step(self.threshold, moment.ts, best)?;
        hold::follow(held, change, moment.ts, self.threshold.on)
    }

    /// One that goes on with an alert of which only the worst value is known.
    pub fn resume(&self, _since: UnixMs, worst: Option<f64>) -> Watch {
        Watch::resumed(worst.unwrap_or(self.threshold.side.best()))
    }
}
