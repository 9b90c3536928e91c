use std::collections::VecDeque;

/// Samples of so long are enough, if they are three.
const ENOUGH_MS: u64 = 1_200;
/// Samples that are farther apart say nothing of each other.
pub(super) const GAP_MS: u64 = 3_000;
/// A slope over less is noise: speed is told in whole km/h.
const SHORTEST_MS: u64 = 900;
/// Two samples alone must be so far apart.
const SHORTEST_PAIR_MS: u64 = 1_500;
const MOST: usize = 64;
/// What the rounding of two neighbours and their times may pretend.
const COARSE: f64 = 3.0;

/// How fast a value changes: the least-squares line through the last samples.
#[derive(Debug, Clone, Default)]
pub(super) struct Slope {
    samples: VecDeque<(u64, f64)>,
    /// When the samples without a gap began.
    since: u64,
}

/// What the samples of a [`Slope`] say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    /// Change in a second.
    pub per_s: f64,
    /// First and last moment.
    pub from: u64,
    pub to: u64,
    /// First and last value.
    pub first: f64,
    pub last: f64,
    /// For how long there was no gap.
    pub settled_ms: u64,
    /// The largest change in a second between neighbours, less [`COARSE`]: a single wrong value stands out.
    pub steepest: f64,
}

impl Slope {
    /// Takes a value. One that is not newer than the last is left out.
    pub fn push(&mut self, at: u64, value: f64) {
        match self.samples.back() {
            Some((last, _)) if at <= *last => return,
            Some((last, _)) if at - last <= GAP_MS => {}
            _ => {
                self.samples.clear();
                self.since = at;
            }
        }
        self.samples.push_back((at, value));
        while let Some((first, _)) = self.samples.front() {
            let span = at - first;
            let spare = self.samples.len() > 3 && span > ENOUGH_MS;
            if !spare && span <= GAP_MS && self.samples.len() <= MOST {
                break;
            }
            self.samples.pop_front();
        }
    }

    /// The last value.
    pub fn last(&self) -> Option<f64> {
        self.samples.back().map(|(_, value)| *value)
    }

    /// The line, if the samples are enough for one.
    pub fn line(&self) -> Option<Line> {
        let (&(from, first), &(to, last)) = self.samples.front().zip(self.samples.back())?;
        let span = to - from;
        let enough = match self.samples.len() {
            0 | 1 => false,
            2 => span >= SHORTEST_PAIR_MS,
            _ => span >= SHORTEST_MS,
        };
        if !enough {
            return None;
        }
        let count = self.samples.len() as f64;
        let seconds = |at: u64| (at - from) as f64 / 1000.0;
        let (mean_t, mean_v) =
            self.samples.iter().fold((0.0, 0.0), |(t, v), (at, value)| (t + seconds(*at) / count, v + value / count));
        let (covariance, variance) = self.samples.iter().fold((0.0, 0.0), |(covariance, variance), (at, value)| {
            let t = seconds(*at) - mean_t;
            (covariance + t * (value - mean_v), variance + t * t)
        });
        let neighbours = self.samples.iter().zip(self.samples.iter().skip(1));
        let steps = neighbours.map(|((t0, v0), (t1, v1))| ((v1 - v0).abs() - COARSE) / (seconds(*t1) - seconds(*t0)));
        let steepest = steps.fold(0.0, f64::max);
        Some(Line { per_s: covariance / variance, from, to, first, last, settled_ms: to - self.since, steepest })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(samples: &[(u64, f64)]) -> Option<Line> {
        let mut slope = Slope::default();
        samples.iter().for_each(|(at, value)| slope.push(*at, *value));
        slope.line()
    }

    #[test]
    fn three_values_a_second_apart_are_a_line_and_a_single_wrong_one_hardly_tilts_it() {
        assert_eq!(line(&[(0, 80.0), (1000, 70.0)]), None);
        let found = line(&[(0, 80.0), (1000, 70.0), (2000, 60.0)]).unwrap();
        assert!((found.per_s + 10.0).abs() < 1e-9);
        assert_eq!((found.first, found.last, found.from, found.to), (80.0, 60.0, 0, 2000));
        let spiked = line(&[(0, 50.0), (1000, 60.0), (2000, 50.0)]).unwrap();
        assert!(spiked.per_s.abs() < 1e-9);
        assert_eq!((found.steepest, spiked.steepest), (7.0, 7.0));
    }

    #[test]
    fn a_gap_begins_anew_and_what_is_late_is_left_out() {
        assert_eq!(line(&[(0, 80.0), (1000, 70.0), (4001, 10.0), (5001, 10.0)]), None);
        let late = line(&[(0, 80.0), (2000, 60.0), (1000, 200.0), (2000, 300.0)]).unwrap();
        assert!((late.per_s + 10.0).abs() < 1e-9);
        assert!(line(&[(0, 80.0), (2500, 60.0)]).is_some(), "a slow bus");
    }

    #[test]
    fn the_window_is_short_where_samples_are_many_and_never_grows() {
        let mut slope = Slope::default();
        for i in 0..10_000u64 {
            slope.push(i * 100, i as f64);
        }
        let found = slope.line().unwrap();
        assert_eq!(found.to - found.from, 1_200);
        for i in 0..10_000u64 {
            slope.push(1_000_000 + i, 0.0);
        }
        assert!(slope.samples.len() <= MOST + 1);
    }

    proptest! {
        #[test]
        fn the_line_of_a_straight_line_is_that_line(
            slope in -20.0..20.0f64,
            start in 0.0..200.0f64,
            steps in prop::collection::vec(50u64..1500, 3..60),
        ) {
            let mut at = 0;
            let mut samples = Vec::new();
            for step in steps {
                at += step;
                samples.push((at, start + slope * at as f64 / 1000.0));
            }
            if let Some(found) = line(&samples) {
                prop_assert!((found.per_s - slope).abs() < 1e-6);
            }
        }
    }
}
