//! Quantiles and medians.

/// Figures of a kind, in rising order.
pub struct Sorted(Vec<f64>);

impl Sorted {
    pub fn new(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut all: Vec<f64> = figures.into_iter().collect();
        all.sort_by(f64::total_cmp);
        Sorted(all)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest that this share is not above; NaN of none.
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
    }
}

pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    Sorted::new(figures).quantile(0.5)
}

/// With a comma between thousands.
pub fn grouped(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
