//! Randomness with a memory: errors and moods that drift instead of jumping.

use rand::{Rng, rngs::StdRng};

/// About normal with mean 0 and deviation 1: twelve uniform numbers, whose sum has variance 1.
pub(crate) fn normal(rng: &mut StdRng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// A first-order Gauss-Markov process.
#[derive(Debug, Clone)]
pub(crate) struct Drift {
    /// Where it is now.
    pub value: f64,
    deviation: f64,
    time_constant_s: f64,
}

impl Drift {
    pub fn new(deviation: f64, time_constant_s: f64, rng: &mut StdRng) -> Self {
        Drift { value: normal(rng) * deviation, deviation, time_constant_s }
    }

    pub fn step(&mut self, dt: f64, rng: &mut StdRng) -> f64 {
        let kept = (-dt / self.time_constant_s).exp();
        self.value = self.value * kept + normal(rng) * self.deviation * (1.0 - kept * kept).sqrt();
        self.value
    }
}
