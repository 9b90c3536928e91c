//! Which hours have to be looked at, as spans of them. Pure.

use bugbrother_wire::UnixMs;

use crate::telemetry::hour::{HOUR_MS, hour_of};

/// From its beginning to before its end.
pub(super) type Span = (UnixMs, UnixMs);

/// The whole hours that these touch (each from its first to its last moment), in order; spans closer than `gap_ms` to one
/// another are one.
pub(super) fn hours(touched: impl IntoIterator<Item = (UnixMs, UnixMs)>, gap_ms: i64) -> Vec<Span> {
    let whole = |(first, last): (UnixMs, UnixMs)| (hour_of(first), hour_of(last.max(first)) + HOUR_MS);
    let mut all: Vec<Span> = touched.into_iter().map(whole).collect();
    all.sort_unstable();
    let mut spans: Vec<Span> = Vec::new();
    for (begin, end) in all {
        match spans.last_mut() {
            Some(last) if begin - last.1 <= gap_ms => last.1 = last.1.max(end),
            _ => spans.push((begin, end)),
        }
    }
    spans
}

/// The same in at most `most` spans: the narrowest gaps are filled.
pub(super) fn at_most(spans: Vec<Span>, most: usize) -> Vec<Span> {
    let mut gaps: Vec<(i64, usize)> =
        spans.windows(2).enumerate().map(|(place, pair)| (pair[1].0 - pair[0].1, place)).collect();
    gaps.sort_unstable_by(|a, b| b.cmp(a));
    gaps.truncate(most.saturating_sub(1));
    let mut kept: Vec<usize> = gaps.into_iter().map(|(_, place)| place).collect();
    kept.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(kept.len() + 1);
    let mut from = 0;
    for to in kept.into_iter().chain(spans.len().checked_sub(1)) {
        joined.push((spans[from].0, spans[to].1));
        from = to + 1;
    }
    joined
}

/// What of `whole` lies within the spans, and what lies between them.
pub(super) fn divide(whole: Span, spans: &[Span]) -> (Vec<Span>, Vec<Span>) {
    let (mut within, mut between, mut at) = (Vec::new(), Vec::new(), whole.0);
    for (begin, end) in spans {
        let (begin, end) = ((*begin).max(at), (*end).min(whole.1));
        if begin < end {
            if at < begin {
                between.push((at, begin));
            }
            within.push((begin, end));
            at = end;
        }
    }
    if at < whole.1 {
        between.push((at, whole.1));
    }
    (within, between)
}

/// The same spans in pieces of no more than `most_ms`.
pub(super) fn pieces(spans: Vec<Span>, most_ms: i64) -> impl Iterator<Item = Span> {
    spans.into_iter().flat_map(move |(begin, end)| {
        let starts = (0..).map(move |n| begin + n * most_ms).take_while(move |start| *start < end);
        starts.map(move |start| (start, end.min(start + most_ms)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const H: i64 = HOUR_MS;

    #[test]
    fn touched_hours_are_whole_and_neighbours_are_one_span() {
        let touched = [(5 * H + 1, 6 * H), (H - 1, H - 1), (8 * H, 8 * H), (7 * H, 7 * H)];
        assert_eq!(hours(touched, 0), [(0, H), (5 * H, 9 * H)]);
        assert_eq!(hours(touched, 4 * H), [(0, 9 * H)]);
        assert_eq!(hours([], 0), []);
    }

    #[test]
    fn the_narrowest_gaps_are_filled_first() {
        let spans = vec![(0, 1), (10, 11), (12, 13), (100, 101)];
        assert_eq!(at_most(spans.clone(), 9), spans);
        assert_eq!(at_most(spans.clone(), 3), [(0, 1), (10, 13), (100, 101)]);
        assert_eq!(at_most(spans.clone(), 1), [(0, 101)]);
        assert_eq!(at_most(Vec::new(), 3), []);
    }

    #[test]
    fn a_whole_is_divided_by_what_lies_in_it() {
        let spans = [(-5, 2), (4, 6), (9, 20)];
        assert_eq!(divide((0, 10), &spans), (vec![(0, 2), (4, 6), (9, 10)], vec![(2, 4), (6, 9)]));
        assert_eq!(divide((0, 10), &[]), (vec![], vec![(0, 10)]));
        assert_eq!(divide((5, 6), &spans), (vec![(5, 6)], vec![]));
    }

    #[test]
    fn a_long_span_comes_in_pieces() {
        assert_eq!(pieces(vec![(0, 25), (30, 40)], 10).collect::<Vec<_>>(), [(0, 10), (10, 20), (20, 25), (30, 40)]);
    }

    proptest! {
        #[test]
        fn every_moment_is_in_one_part_or_the_other(
            touched in proptest::collection::vec((-50..500 * H, 0..30 * H), 0..30), most in 1..9usize,
        ) {
            let touched: Vec<_> = touched.into_iter().map(|(first, length)| (first, first + length)).collect();
            let spans = at_most(hours(touched.clone(), 0), most);
            prop_assert!(spans.len() <= most);
            let (within, between) = divide((0, 600 * H), &spans);
            let mut all = [within.clone(), between].concat();
            all.sort();
            prop_assert_eq!((all[0].0, all[all.len() - 1].1), (0, 600 * H));
            prop_assert!(all.windows(2).all(|pair| pair[0].1 == pair[1].0));
            for (first, last) in touched {
                for ts in [first, last].into_iter().filter(|ts| *ts >= 0) {
                    prop_assert!(within.iter().any(|span| (span.0..span.1).contains(&ts)));
                }
            }
        }
    }
}
