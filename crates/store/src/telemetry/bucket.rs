//! Values as a screen shows them: what those of a pixel's time amount to. Pure.

use bugbrother_wire::UnixMs;

use super::hour::{HOUR_MS, Summary};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * HOUR_MS;

/// Widths of buckets. Those above an hour are whole hours, of which the database keeps what they amount to; those below
/// divide one.
const WIDTHS: [i64; 24] = [
    100,
    200,
    500,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR_MS,
    2 * HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    DAY,
    7 * DAY,
    28 * DAY,
    364 * DAY,
];

/// A signal over a span, at a screen's resolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Width of a bucket.
    pub bucket_ms: i64,
    /// Those with a value, in the order of time. They begin at multiples of the width, the first one at or before the
    /// beginning of the span.
    pub buckets: Vec<Bucket>,
}

/// What the values in a bucket amount to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Its beginning.
    pub ts: UnixMs,
    /// Values in it.
    pub n: i64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// Their mean.
    pub mean: f64,
}

/// The width with which at most `most` buckets cover `from` to `to` (inclusive), and where the first one begins and the
/// last one ends.
pub(crate) fn grid(from: UnixMs, to: UnixMs, most: u32) -> (i64, UnixMs, UnixMs) {
    let most = i128::from(most.max(1));
    let covers = |width: i64| {
        let begin = from.div_euclid(width);
        let end = to.max(from).div_euclid(width);
        (i128::from(end) - i128::from(begin) < most).then_some((begin, end))
    };
    let whole = WIDTHS.iter().find_map(|width| Some((*width, covers(*width)?)));
    let (width, (begin, end)) = whole.unwrap_or_else(|| {
        let widest = WIDTHS[WIDTHS.len() - 1];
        let end = to.max(from).div_euclid(widest);
        (widest, (end.saturating_sub(most as i64 - 1), end))
    });
    (width, begin.saturating_mul(width), end.saturating_add(1).saturating_mul(width))
}

/// Buckets that are being filled.
pub(crate) struct Filling {
    from: UnixMs,
    width: i64,
    summaries: Vec<Summary>,
}

impl Filling {
    /// From `from` to before `to`, which are multiples of `width`.
    pub fn new(from: UnixMs, to: UnixMs, width: i64) -> Self {
        let count = usize::try_from((to - from) / width).unwrap_or(0);
        Filling { from, width, summaries: vec![Summary::NONE; count] }
    }

    /// Takes in a value, if it lies within.
    pub fn add(&mut self, ts: UnixMs, value: f64) {
        if let Some(summary) = self.at(ts) {
            summary.add(value);
        }
    }

    /// Takes in what the values from `ts` on amount to, as long as a bucket or shorter.
    pub fn merge(&mut self, ts: UnixMs, part: &Summary) {
        if let Some(summary) = self.at(ts) {
            summary.merge(part);
        }
    }

    fn at(&mut self, ts: UnixMs) -> Option<&mut Summary> {
        let place = usize::try_from(ts.saturating_sub(self.from).div_euclid(self.width)).ok()?;
        self.summaries.get_mut(place)
    }

    /// Those with a value.
    pub fn done(self) -> Vec<Bucket> {
        let begin = |place: usize| self.from + place as i64 * self.width;
        let some = self.summaries.iter().enumerate().filter(|(_, summary)| summary.n > 0);
        some.map(|(place, Summary { n, low, high, total })| Bucket {
            ts: begin(place),
            n: *n,
            low: *low,
            high: *high,
            // Rounding may put the mean of equal values beside them.
            mean: (total / *n as f64).clamp(*low, *high),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_day_of_seconds_fits_on_a_screen_in_buckets_of_two_minutes() {
        let day = 20_000 * DAY;
        assert_eq!(grid(day, day + DAY - 1, 1000), (2 * MINUTE, day, day + DAY));
        assert_eq!(grid(day + 5, day + 5, 1000), (100, day, day + 100));
        assert_eq!(grid(day, day + 365 * DAY, 1000).0, 12 * HOUR_MS);
    }

    #[test]
    fn endless_spans_are_cut_at_their_beginning() {
        let (width, from, to) = grid(i64::MIN, i64::MAX, 500);
        assert_eq!(width, 364 * DAY);
        assert!(to == i64::MAX || (to - from) / width <= 500);
        assert_eq!(grid(10, 0, 10).0, 100, "a span that ends before it begins is a moment");
    }

    proptest! {
        /// A longer span than the widest buckets cover is cut: two of them cover one that is no longer than one.
        #[test]
        fn buckets_cover_the_span_and_are_no_more_than_wanted(
            from in 0..LATEST, length in 0..364 * DAY, most in 2..5000u32,
        ) {
            let (width, begin, end) = grid(from, from + length, most);
            prop_assert!(begin % width == 0 && end % width == 0 && begin < end);
            prop_assert!((end - begin) / width <= i64::from(most));
            prop_assert!(begin <= from && end > from + length);
            prop_assert!(width % HOUR_MS == 0 || HOUR_MS % width == 0);
        }

        #[test]
        fn a_filled_bucket_tells_what_its_values_amount_to(values in proptest::collection::vec((0..1000i64, -9.0..9.0f64), 0..50)) {
            let mut filling = Filling::new(0, 1000, 100);
            values.iter().for_each(|(ts, value)| filling.add(*ts, *value));
            let buckets = filling.done();
            for bucket in &buckets {
                let within: Vec<f64> = values.iter().filter(|(ts, _)| ts / 100 * 100 == bucket.ts).map(|(_, v)| *v).collect();
                prop_assert_eq!(bucket.n as usize, within.len());
                prop_assert_eq!(bucket.low, within.iter().copied().fold(f64::INFINITY, f64::min));
                prop_assert_eq!(bucket.high, within.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            }
            prop_assert_eq!(buckets.iter().map(|b| b.n as usize).sum::<usize>(), values.len());
        }
    }

    const LATEST: i64 = bugbrother_wire::codec::LATEST;
}
