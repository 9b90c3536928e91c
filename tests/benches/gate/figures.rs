/// Latencies of one round, in µs, in rising order.
pub struct Latencies(Vec<f64>);

impl Latencies {
    pub fn new(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        Latencies(all)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest that this share is not above.
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
    }
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    Latencies::new(values.collect()).quantile(0.5)
}
