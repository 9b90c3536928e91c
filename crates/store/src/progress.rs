//! Which records of an outbox are committed: everything up to a number, and ranges above it, because live data
//! overtakes what is sent late.

use std::ops::RangeInclusive;

use bugbrother_wire::{Seq, codec::MAX_RANGES};
use rangemap::RangeInclusiveSet;

/// The committed records of one outbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    done: RangeInclusiveSet<u64>,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It was not there, now it is.
    New,
    /// It was there.
    Duplicate,
    /// It would make more ranges than an acknowledgement holds, but the gap that it declares may have been noted. The
    /// vehicle sends it again when the holes below are filled: neither the lowest missing number nor a gap there is
    /// ever refused, so it always gets on.
    Scattered,
}

impl Progress {
    /// From what [`Progress::high_water`] and [`Progress::ranges`] told.
    pub fn new(high_water: Seq, ranges: impl IntoIterator<Item = (Seq, Seq)>) -> Self {
        let low = (high_water.0 > 0).then_some(1..=high_water.0);
        let above = ranges.into_iter().filter(|(from, to)| from <= to).map(|(from, to)| from.0..=to.0);
        Progress { done: low.into_iter().chain(above).collect() }
    }

    /// Every record up to here, this one included, is committed; 0 for none.
    pub fn high_water(&self) -> Seq {
        Seq(self.done.first().filter(|range| *range.start() <= 1).map_or(0, |range| *range.end()))
    }

    /// What is committed above the high-water mark, as inclusive ranges in rising order that do not touch.
    pub fn ranges(&self) -> impl Iterator<Item = (Seq, Seq)> {
        self.done.iter().filter(|range| *range.start() > 1).map(|range| (Seq(*range.start()), Seq(*range.end())))
    }

    /// Whether a record is committed or known to be lost.
    pub fn contains(&self, seq: Seq) -> bool {
        self.done.contains(&seq.0)
    }

    /// Takes a record in, and with it the gap that it declares: records that the vehicle no longer has are not waited
    /// for. Of a record that is refused only the gap is noted, if there is room for that: the record itself may be far
    /// above its gap and a range of its own.
    pub fn take(&mut self, seq: Seq, gap: Option<(Seq, Seq)>) -> Mark {
        if self.contains(seq) {
            return Mark::Duplicate;
        }
        // Nearly always: no range comes to be, so none can be one too many.
        if gap.is_none() && self.continues(seq) {
            self.done.insert(seq.0..=seq.0);
            return Mark::New;
        }
        let gap = gap.map(|(from, to)| from.0..=to.0);
        if self.insert(gap.clone().into_iter().chain([seq.0..=seq.0])) {
            return Mark::New;
        }
        self.insert(gap);
        Mark::Scattered
    }

    /// Whether a record follows right after one that is committed.
    fn continues(&self, seq: Seq) -> bool {
        seq.0.checked_sub(1).is_some_and(|before| before == 0 || self.done.contains(&before))
    }

    /// All of them, or none if that would make too many ranges. Tells which.
    fn insert(&mut self, ranges: impl IntoIterator<Item = RangeInclusive<u64>>) -> bool {
        let mut next = self.clone();
        next.done.extend(ranges);
        let fits = next.ranges().count() <= MAX_RANGES;
        if fits {
            *self = next;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn high_water(model: &BTreeSet<u64>) -> u64 {
        (1..).take_while(|n| model.contains(n)).last().unwrap_or(0)
    }

    fn ranges_above(model: &BTreeSet<u64>) -> Vec<(Seq, Seq)> {
        let low = high_water(model);
        let mut ranges: Vec<(Seq, Seq)> = Vec::new();
        for n in model.iter().copied().filter(|n| *n > low) {
            match ranges.last_mut() {
                Some((_, to)) if to.0 + 1 == n => *to = Seq(n),
                _ => ranges.push((Seq(n), Seq(n))),
            }
        }
        ranges
    }

    fn record() -> impl Strategy<Value = (u64, Option<(u64, u64)>)> {
        (2..400u64, proptest::option::weighted(0.1, (1..400u64, 0..30u64))).prop_map(|(seq, gap)| {
            let gap = gap.map(|(from, length)| (from.min(seq - 1), (from + length).min(seq - 1)));
            (seq, gap)
        })
    }

    proptest! {
        #[test]
        fn progress_is_a_set_that_refuses_to_scatter(records in proptest::collection::vec(record(), 0..400)) {
            let mut model = BTreeSet::new();
            let mut progress = Progress::default();
            for (seq, gap) in records {
                let mut gap_alone = model.clone();
                gap_alone.extend(gap.into_iter().flat_map(|(from, to)| from..=to));
                let mut whole = gap_alone.clone();
                whole.insert(seq);
                let fits = |next: &BTreeSet<u64>| ranges_above(next).len() <= MAX_RANGES;
                let expected = if model.contains(&seq) {
                    Mark::Duplicate
                } else if fits(&whole) {
                    model = whole;
                    Mark::New
                } else {
                    if fits(&gap_alone) {
                        model = gap_alone;
                    }
                    Mark::Scattered
                };
                prop_assert_eq!(progress.take(Seq(seq), gap.map(|(from, to)| (Seq(from), Seq(to)))), expected);
                prop_assert_eq!(progress.high_water().0, high_water(&model));
                prop_assert_eq!(progress.ranges().collect::<Vec<_>>(), ranges_above(&model));
            }
            let again = Progress::new(progress.high_water(), progress.ranges());
            prop_assert_eq!(again, progress);
        }

        #[test]
        fn sending_the_lowest_missing_number_always_gets_on(scattered in proptest::collection::btree_set(1..1000u64, 0..300)) {
            let mut progress = Progress::default();
            for seq in scattered {
                progress.take(Seq(seq), None);
            }
            for _ in 0..1000 {
                let lowest = progress.high_water().next();
                prop_assert_eq!(progress.take(lowest, None), Mark::New);
                prop_assert!(progress.high_water() >= lowest);
            }
        }
    }

    #[test]
    fn a_gap_at_the_lowest_missing_number_gets_on_though_its_record_is_refused() {
        let mut progress = Progress::default();
        for number in 0..MAX_RANGES as u64 {
            assert_eq!(progress.take(Seq(100 + 2 * number), None), Mark::New);
        }
        let gap = Some((Seq(1), Seq(50)));
        assert_eq!(progress.take(Seq(1000), gap), Mark::Scattered);
        assert_eq!(progress.high_water(), Seq(50));
        assert!(!progress.contains(Seq(1000)));
        for number in (51..100).chain([101]) {
            assert_eq!(progress.take(Seq(number), None), Mark::New);
        }
        assert_eq!(progress.take(Seq(1000), gap), Mark::New);
    }

    #[test]
    fn a_declared_gap_is_not_waited_for() {
        let mut progress = Progress::default();
        assert_eq!(progress.take(Seq(1), None), Mark::New);
        assert_eq!(progress.take(Seq(9), Some((Seq(2), Seq(8)))), Mark::New);
        assert_eq!(progress.high_water(), Seq(9));
        assert_eq!(progress.take(Seq(5), None), Mark::Duplicate);
    }
}
