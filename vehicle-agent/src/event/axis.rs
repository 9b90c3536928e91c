use std::collections::VecDeque;

/// An accelerometer's mean over so long is what the vehicle does; less is road and engine.
const WINDOW_MS: u64 = 500;
/// So many values in the window, at least.
const LEAST: usize = 5;
const MOST: usize = 128;
/// Tilt of the sensor and of the road: what remains in the mean over so long.
const BASELINE_S: f64 = 60.0;
/// The baseline must be known from so long.
const SETTLED_MS: u64 = 5_000;
/// While the vehicle does so much the baseline is left as it is.
const CALM: f64 = 1.5;
const GAP_MS: u64 = 1_000;

/// One axis of an accelerometer, without what is always there.
#[derive(Debug, Clone, Default)]
pub(super) struct Axis {
    window: VecDeque<(u64, f64)>,
    baseline: f64,
    since: u64,
}

impl Axis {
    /// Takes m/s²; tells the mean of the last half second above the baseline, once that is known. `moved` is what of it is
    /// the vehicle's movement, as far as others tell.
    pub fn push(&mut self, at: u64, value: f64, moved: f64) -> Option<f64> {
        let last = self.window.back().map(|(last, _)| *last);
        match last {
            Some(last) if at <= last => return None,
            Some(last) if at - last <= GAP_MS => {}
            _ => *self = Axis { baseline: value - moved, since: at, ..Axis::default() },
        }
        self.window.push_back((at, value));
        while self.window.front().is_some_and(|(first, _)| first + WINDOW_MS < at) || self.window.len() > MOST {
            self.window.pop_front();
        }
        let mean = self.window.iter().map(|(_, value)| value).sum::<f64>() / self.window.len() as f64;
        let settled = at - self.since >= SETTLED_MS;
        let told = mean - self.baseline;
        if !settled || (told - moved).abs() < CALM {
            // At first it is the mean of all: a sensor that is mounted askew must not begin with an event.
            let slow_s = if settled { BASELINE_S } else { (at - self.since) as f64 / 1000.0 };
            let passed_s = last.map_or(0.0, |last| at.saturating_sub(last) as f64 / 1000.0);
            if slow_s > 0.0 {
                self.baseline += (value - moved - self.baseline) * (passed_s / slow_s).min(1.0);
            }
        }
        (settled && self.window.len() >= LEAST).then_some(told)
    }

    /// Whether it tells often enough to be relied on.
    pub fn is_alive(&self, now: u64) -> bool {
        self.window.len() >= LEAST && self.window.back().is_some_and(|(last, _)| last + GAP_MS >= now)
    }
}
