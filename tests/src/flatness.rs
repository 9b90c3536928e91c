//! Whether a figure stays where it is while a program works.

/// Fewer figures say nothing.
const FEWEST: usize = 9;

/// Medians of the thirds of a time. The first is when caches fill and pools grow, and is not judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flatness {
    /// Of the first third.
    pub first: f64,
    /// Of the middle.
    pub middle: f64,
    /// Of the last third.
    pub last: f64,
}

impl Flatness {
    /// Of figures that were taken at equal intervals; `None` of too few.
    pub fn of(figures: &[f64]) -> Option<Self> {
        if figures.len() < FEWEST {
            return None;
        }
        let third = figures.len() / 3;
        let (rest, last) = figures.split_at(figures.len() - third);
        let (first, middle) = rest.split_at(third);
        Some(Flatness { first: median(first), middle: median(middle), last: median(last) })
    }

    /// The last third as a multiple of the first.
    pub fn since_the_first(&self) -> f64 {
        self.last / self.first
    }

    /// The last third as a multiple of the middle.
    pub fn since_the_middle(&self) -> f64 {
        self.last / self.middle
    }

    /// By how much the last third is above the middle.
    pub fn rise(&self) -> f64 {
        self.last - self.middle
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_at_first_and_then_stays_is_flat() {
        let figures: Vec<f64> = (0..30).map(|n| f64::from(n.min(9)) * 10.0 + f64::from(n % 2)).collect();
        let flatness = Flatness::of(&figures).unwrap();
        // Of two in the middle the larger one.
        assert_eq!((flatness.middle, flatness.last), (91.0, 91.0));
        assert!(flatness.since_the_first() > 1.5 && flatness.since_the_middle() < 1.02 && flatness.rise() < 2.0);
    }

    #[test]
    fn what_goes_on_growing_is_not_and_one_leap_that_comes_down_again_is() {
        let growing: Vec<f64> = (0..30).map(|n| 100.0 + f64::from(n) * 3.0).collect();
        let flatness = Flatness::of(&growing).unwrap();
        assert_eq!((flatness.first, flatness.middle, flatness.last), (115.0, 145.0, 175.0));
        assert!(flatness.since_the_middle() > 1.1 && flatness.rise() == 30.0);
        let mut leap = vec![100.0; 30];
        leap[25] = 900.0;
        assert_eq!(Flatness::of(&leap).unwrap().rise(), 0.0);
    }

    #[test]
    fn every_figure_is_in_a_third_and_of_too_few_nothing_is_said() {
        // The middle takes what is left over.
        let flatness = Flatness::of(&[1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0]).unwrap();
        assert_eq!(flatness, Flatness { first: 1.0, middle: 2.0, last: 3.0 });
        assert_eq!(Flatness::of(&[1.0; 8]), None);
    }
}
