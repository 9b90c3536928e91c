use bugbrother_wire::Seq;

/// Inclusive ranges of numbers.
pub(super) type Ranges = Vec<(u64, u64)>;

/// The runs in rising numbers.
pub(super) fn runs(numbers: impl IntoIterator<Item = u64>) -> Ranges {
    let mut runs: Ranges = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, to)) if *to + 1 == number => *to = number,
            _ => runs.push((number, number)),
        }
    }
    runs
}

/// What of `holes` is not in `present`; both are in rising order.
pub(super) fn subtract(holes: &[(u64, u64)], present: &[(Seq, Seq)]) -> Ranges {
    let mut left = Vec::new();
    for (from, to) in holes {
        let mut from = *from;
        for (Seq(first), Seq(last)) in present {
            if *last < from || first > to {
                continue;
            }
            if from < *first {
                left.push((from, first - 1));
            }
            from = last + 1;
        }
        if from <= *to {
            left.push((from, *to));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    fn spread(ranges: &[(u64, u64)]) -> BTreeSet<u64> {
        ranges.iter().flat_map(|(from, to)| *from..=*to).collect()
    }

    proptest! {
        #[test]
        fn subtracting_ranges_is_subtracting_sets(a in btree_set(0u64..60, 0..40), b in btree_set(0u64..60, 0..40)) {
            let present: Vec<_> = runs(b.iter().copied()).into_iter().map(|(f, t)| (Seq(f), Seq(t))).collect();
            let left = subtract(&runs(a.iter().copied()), &present);
            prop_assert_eq!(spread(&left), &a - &b);
        }

        #[test]
        fn runs_hold_what_they_were_made_of(a in btree_set(0u64..60, 0..40)) {
            let runs = runs(a.iter().copied());
            prop_assert_eq!(spread(&runs), a);
            prop_assert!(runs.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }
}
