//! Storms: many alerts of one rule within a short time are one message. Pure.

use bugbrother_store::Recent;
use bugbrother_wire::{UnixMs, api::DeliveryStep};

/// So many alerts of one rule are told each for itself within [`STORM_MS`] by a channel; the rest are told together.
pub const ONE_BY_ONE: usize = 5;
/// How long alerts of one rule belong together.
pub const STORM_MS: i64 = 30_000;

/// When what happens at `now` is told if it is part of a storm; nothing when it is not. `recent`: the last [`ONE_BY_ONE`] steps
/// of that kind of the rule's alerts for the channel, newest first.
pub fn end(recent: &[Recent], now: UnixMs) -> Option<UnixMs> {
    let of_now = recent.iter().filter(|step| now - step.made < STORM_MS).count();
    if of_now < ONE_BY_ONE {
        return None;
    }
    let gathering = recent.iter().filter_map(|step| step.gathers_until).filter(|until| *until > now);
    Some(gathering.min().unwrap_or(now + STORM_MS).min(now + STORM_MS))
}

/// What the steps of a storm have in common.
pub fn bundle(rule: &str, step: DeliveryStep) -> String {
    format!("storm {step:?} {rule}")
}

/// Whether steps are told together because of a storm.
pub fn is_storm(bundle: &str) -> bool {
    bundle.starts_with("storm ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// When each of those that happen at these times is told.
    fn tell(times: impl Iterator<Item = UnixMs>) -> Vec<Option<UnixMs>> {
        let mut recent: Vec<Recent> = Vec::new();
        let tell_one = |now| {
            let end = end(&recent[..recent.len().min(ONE_BY_ONE)], now);
            recent.insert(0, Recent { made: now, gathers_until: end });
            end
        };
        times.map(tell_one).collect()
    }

    #[test]
    fn the_first_five_are_told_one_by_one_and_the_rest_together_half_a_minute_later() {
        let told = tell((0..500).map(|n| 1_000_000 + n * 10));
        assert!(told[..5].iter().all(Option::is_none), "{:?}", &told[..5]);
        assert!(told[5..].iter().all(|end| *end == Some(1_030_050)), "{:?}", &told[5..10]);
    }

    #[test]
    fn alerts_that_come_slowly_are_no_storm() {
        assert!(tell((0..100).map(|n| n * 7_000)).iter().all(Option::is_none));
    }

    #[test]
    fn a_storm_that_goes_on_is_told_every_half_minute() {
        let ends: BTreeSet<_> = tell((0..240).map(|n| n * 500)).into_iter().flatten().collect();
        assert_eq!(ends.len(), 4, "{ends:?}");
    }

    #[test]
    fn what_waits_for_a_morning_does_not_make_a_storm_wait_for_it() {
        let morning = Recent { made: 0, gathers_until: Some(30_000_000) };
        assert_eq!(end(&[morning; ONE_BY_ONE], 1_000), Some(31_000));
    }
}
