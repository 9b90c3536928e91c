//! A condition on a vehicle's past: what it would have raised.

use bugbrother_wire::{UnixMs, rule::Condition};

use crate::{Change, Limit, Silence, Watch};

/// Once that a rule would have raised an alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Firing {
    /// When its cause began.
    pub opened: UnixMs,
    /// When that was known: once it had lasted for long enough.
    pub raised: UnixMs,
    /// When its cause ended; `None` where that is not known.
    pub resolved: Option<UnixMs>,
    /// The worst value; a silence has none.
    pub worst: Option<f64>,
    /// How often its cause came back, at least 1.
    pub count: u32,
    /// Where the vehicle was when it was raised: latitude and longitude in degrees.
    pub place: Option<(f64, f64)>,
}

/// What a vehicle measured at a moment, as far as a condition looks at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment<'a> {
    /// By the vehicle's clock.
    pub ts: UnixMs,
    /// The value of each of the condition's signals, in their order.
    pub values: &'a [Option<f64>],
    /// Where it was, where that was measured.
    pub place: Option<(f64, f64)>,
    /// Whether the engine ran, where that was measured: who stands with it off is silent on purpose.
    pub engine_on: Option<bool>,
}

/// Tries a condition on samples in the order of time.
#[derive(Debug, Clone)]
pub struct Trial {
    condition: Condition,
    watch: Watch,
    open: Option<Firing>,
    last_ts: Option<UnixMs>,
    engine_on: bool,
    place: Option<(f64, f64)>,
}

impl Trial {
    /// Begins with nothing known of the vehicle.
    pub fn new(condition: Condition) -> Self {
        Trial { condition, watch: Watch::default(), open: None, last_ts: None, engine_on: true, place: None }
    }

    /// Takes in what comes next; what ended with it.
    pub fn step(&mut self, moment: Moment<'_>) -> Option<Firing> {
        let ended = self.end_silence(moment.ts);
        self.place = moment.place.or(self.place);
        self.engine_on = moment.engine_on.unwrap_or(self.engine_on);
        self.last_ts = Some(moment.ts);
        ended.or_else(|| self.judge(moment))
    }

    /// What is still under way at the end of the span, `to`.
    pub fn end(mut self, to: UnixMs) -> Option<Firing> {
        let silent = self.end_silence(to).map(|firing| Firing { resolved: None, ..firing });
        silent.or(self.open)
    }

    /// The silence before `ts`, if it was one.
    fn end_silence(&mut self, ts: UnixMs) -> Option<Firing> {
        let Condition::Silent { after_ms } = self.condition else { return None };
        let silence = Silence { after_ms: i64::from(after_ms) };
        let heard = self.last_ts.filter(|heard| self.engine_on && silence.is_too_long(*heard, ts))?;
        let raised = heard + silence.after_ms;
        Some(Firing { opened: heard, raised, resolved: Some(ts), worst: None, count: 1, place: self.place })
    }

    fn judge(&mut self, moment: Moment<'_>) -> Option<Firing> {
        let Limit { threshold, .. } = Limit::of(&self.condition)?;
        let mut sent = moment.values.iter().enumerate().filter_map(|(rank, value)| Some((rank, (*value)?)));
        let best = sent.next()?;
        let change = self.watch.step(threshold, moment.ts, best, moment.ts)?;
        if let Change::Opened { since, worst } = change {
            let (raised, place) = (moment.ts, self.place);
            self.open = Some(Firing { opened: since, raised, resolved: None, worst: Some(worst), count: 1, place });
            return None;
        }
        let open = self.open.as_mut()?;
        match change {
            Change::Opened { .. } => None,
            Change::Recurred { worst } => {
                (open.worst, open.count) = (Some(worst), open.count.saturating_add(1));
                None
            }
            Change::Worsened { worst } => {
                open.worst = Some(worst);
                None
            }
            Change::Resolved { .. } => {
                open.resolved = Some(moment.ts.max(open.opened));
                self.open.take()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Option<(f64, f64)> = Some((46.5, 6.6));

    fn moment(ts: UnixMs, values: &[Option<f64>]) -> Moment<'_> {
        Moment { ts, values, place: PLACE, engine_on: None }
    }

    #[test]
    fn a_drive_that_is_too_fast_twice_fires_twice_and_says_where() {
        let signals = vec!["spd".to_owned(), "gspd".to_owned()];
        let mut trial = Trial::new(Condition::Above { signals, on: 130.0, off: 125.0, for_ms: 2_000 });
        let mut found = Vec::new();
        for (second, speed) in (0..).zip([120.0, 131.0, 140.0, 138.0, 120.0, 90.0]) {
            found.extend(trial.step(moment(second * 1000, &[Some(speed), Some(200.0)])));
        }
        for second in 100..104 {
            found.extend(trial.step(moment(second * 1000, &[None, Some(150.0)])));
        }
        found.extend(trial.end(104_000));
        let first =
            Firing { opened: 1000, raised: 3000, resolved: Some(4000), worst: Some(140.0), count: 1, place: PLACE };
        let second = Firing { opened: 100_000, raised: 102_000, resolved: None, worst: Some(150.0), ..first };
        assert_eq!(found, [first, second]);
    }

    #[test]
    fn a_silence_counts_unless_the_engine_was_off() {
        let mut trial = Trial::new(Condition::Silent { after_ms: 60_000 });
        let at = |ts, engine_on| Moment { ts, values: &[], place: None, engine_on };
        assert_eq!(trial.step(at(0, Some(true))), None);
        assert_eq!(trial.step(at(59_999, None)), None);
        let silent = trial.step(at(119_999, Some(false)));
        let firing =
            Firing { opened: 59_999, raised: 119_999, resolved: Some(119_999), worst: None, count: 1, place: None };
        assert_eq!(silent, Some(firing));
        assert_eq!(trial.step(at(9_000_000, Some(true))), None, "it stood in the garage");
        let under_way = trial.end(9_060_000).unwrap();
        assert_eq!((under_way.opened, under_way.resolved), (9_000_000, None));
    }
}
