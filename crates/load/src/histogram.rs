//! Times in few numbers, however many there are.

/// Buckets for each doubling: a time is told within 9 %.
const STEPS: f64 = 8.0;
/// The shortest time that is told apart, in ms.
const SHORTEST: f64 = 0.05;
const BUCKETS: usize = 200;

/// How many times were how long.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: [u64; BUCKETS],
    count: u64,
    longest: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: [0; BUCKETS], count: 0, longest: 0.0 }
    }
}

impl Histogram {
    /// Adds a time.
    pub fn add(&mut self, ms: f64) {
        let place = ((ms / SHORTEST).max(1.0).log2() * STEPS) as usize;
        self.counts[place.min(BUCKETS - 1)] += 1;
        self.count += 1;
        self.longest = self.longest.max(ms);
    }

    /// How many times there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest, in ms.
    pub fn longest(&self) -> f64 {
        self.longest
    }

    /// What this share of all times is not above, in ms, within a ninth; 0 of none.
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (place, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return (SHORTEST * ((place + 1) as f64 / STEPS).exp2()).min(self.longest);
            }
        }
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_right_within_a_ninth() {
        let mut all = Histogram::default();
        assert_eq!(all.quantile(0.99), 0.0);
        (1..=10_000).for_each(|n| all.add(f64::from(n) / 10.0));
        for (share, exact) in [(0.5, 500.0), (0.99, 990.0), (0.01, 10.0)] {
            let told = all.quantile(share);
            assert!((exact * 0.99..=exact * 1.12).contains(&told), "{share}: {told} for {exact}");
        }
        assert_eq!((all.count(), all.longest(), all.quantile(1.0)), (10_000, 1000.0, 1000.0));
        all.add(1e12);
        all.add(-1.0);
        assert_eq!(all.longest(), 1e12);
    }
}
