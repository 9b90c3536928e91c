//! Which shards of vehicles a notifier should hold. Pure.

use std::collections::HashMap;

use bugbrother_store::{Lease, Peer, SHARDS};

/// Who has not been seen to beat for so long is dead. A notifier looks every second and a half; together it takes less than
/// ten seconds until another one has taken over.
pub const DEAD_AFTER_MS: i64 = 6_000;

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Shards to take, with the fence that was seen.
    pub take: Vec<(u8, i64)>,
    /// Shards to give up, so that others get their part.
    pub give: Vec<u8>,
    /// Who is dead: to be forgotten when nothing is theirs any more.
    pub dead: Vec<Peer>,
}

/// What a notifier has seen of the others.
#[derive(Debug, Default)]
pub struct Share {
    /// Identity → its last beat, and when that was first seen.
    seen: HashMap<String, (i64, i64)>,
}

impl Share {
    /// What `me` should do, who sees this now. `now_ms` is a clock that never jumps.
    pub fn step(&mut self, me: &str, peers: &[Peer], leases: &[Lease], now_ms: i64) -> Step {
        self.seen.retain(|id, _| peers.iter().any(|peer| peer.id == *id));
        for Peer { id, beat } in peers {
            let seen = self.seen.entry(id.clone()).or_insert((*beat, now_ms));
            if seen.0 != *beat {
                *seen = (*beat, now_ms);
            }
        }
        let is_dead = |id: &str| match self.seen.get(id) {
            Some((_, since)) => id != me && now_ms - since >= DEAD_AFTER_MS,
            None => id != me,
        };
        // In the same order for everybody: so the parts add up.
        let mut alive: Vec<&str> = peers.iter().map(|peer| peer.id.as_str()).filter(|id| !is_dead(id)).collect();
        if !alive.contains(&me) {
            alive.push(me);
        }
        alive.sort_unstable();
        let part = |id: &str| {
            let rank = alive.iter().position(|one| *one == id).unwrap_or_default();
            usize::from(SHARDS) / alive.len() + usize::from(rank < usize::from(SHARDS) % alive.len())
        };
        let held_by = |id: &str| leases.iter().filter(|lease| lease.holder.as_deref() == Some(id)).count();
        let (part_of_me, mine) = (part(me), held_by(me));
        let free = leases.iter().filter(|lease| lease.holder.as_deref().is_none_or(is_dead));
        let take = free.take(part_of_me.saturating_sub(mine)).map(|lease| (lease.shard, lease.fence)).collect();
        let has_too_little = alive.iter().any(|id| *id != me && held_by(id) < part(id));
        let surplus = if has_too_little { mine.saturating_sub(part_of_me) } else { 0 };
        let of_mine = leases.iter().rev().filter(|lease| lease.holder.as_deref() == Some(me));
        Step {
            take,
            give: of_mine.take(surplus).map(|lease| lease.shard).collect(),
            dead: peers.iter().filter(|peer| is_dead(&peer.id)).cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// How often a notifier looks.
    const EVERY_MS: i64 = 1_500;

    /// The two tables, and notifiers that look at them.
    struct World {
        now: i64,
        leases: Vec<Lease>,
        peers: BTreeMap<String, i64>,
        running: BTreeMap<String, Share>,
    }

    impl World {
        fn new() -> Self {
            let leases = (0..SHARDS).map(|shard| Lease { shard, holder: None, fence: 0 }).collect();
            World { now: 0, leases, peers: BTreeMap::new(), running: BTreeMap::new() }
        }

        fn start(&mut self, n: usize) {
            self.running.entry(format!("notifier {n}")).or_default();
        }

        /// It stops without a word.
        fn kill(&mut self, n: usize) {
            self.running.remove(&format!("notifier {n}"));
        }

        /// Everybody who runs looks once, in an order that `seed` says.
        fn round(&mut self, seed: usize) {
            self.now += EVERY_MS;
            let mut order: Vec<_> = self.running.keys().cloned().collect();
            if !order.is_empty() {
                let middle = seed % order.len();
                order.rotate_left(middle);
            }
            for me in order {
                *self.peers.entry(me.clone()).or_default() += 1;
                let peers: Vec<_> = self.peers.iter().map(|(id, beat)| Peer { id: id.clone(), beat: *beat }).collect();
                let share = self.running.get_mut(&me).expect("it runs");
                let Step { take, give, dead } = share.step(&me, &peers, &self.leases, self.now);
                for lease in &mut self.leases {
                    let is_given = give.contains(&lease.shard) && lease.holder.as_ref() == Some(&me);
                    if take.contains(&(lease.shard, lease.fence)) {
                        (lease.holder, lease.fence) = (Some(me.clone()), lease.fence + 1);
                    } else if is_given {
                        (lease.holder, lease.fence) = (None, lease.fence + 1);
                    }
                }
                for peer in dead {
                    if !self.leases.iter().any(|lease| lease.holder.as_ref() == Some(&peer.id)) {
                        self.peers.remove(&peer.id);
                    }
                }
            }
        }

        fn parts(&self) -> Vec<usize> {
            let held = |id: &String| self.leases.iter().filter(|lease| lease.holder.as_ref() == Some(id)).count();
            self.running.keys().map(held).collect()
        }
    }

    #[test]
    fn one_alone_takes_everything_at_once() {
        let mut world = World::new();
        world.start(1);
        world.round(0);
        assert_eq!(world.parts(), [usize::from(SHARDS)]);
    }

    #[test]
    fn who_comes_gets_a_fair_part_and_who_dies_leaves_it_to_the_others() {
        let mut world = World::new();
        world.start(1);
        world.round(0);
        world.start(2);
        world.start(3);
        (0..4).for_each(|seed| world.round(seed));
        assert_eq!(world.parts(), [22, 21, 21]);
        world.kill(1);
        (0..6).for_each(|seed| world.round(seed));
        assert_eq!(world.parts(), [32, 32], "in nine seconds");
        assert_eq!(world.peers.len(), 2, "the dead one is forgotten");
    }

    #[test]
    fn one_that_lives_is_not_robbed_and_nobody_gives_for_nothing() {
        let mut world = World::new();
        world.start(1);
        world.start(2);
        (0..4).for_each(|seed| world.round(seed));
        let before = world.leases.clone();
        (0..20).for_each(|seed| world.round(seed));
        assert_eq!(world.leases, before);
    }

    proptest! {
        /// Whoever comes and goes in whatever order: every shard has somebody soon, and in the end each has its part.
        #[test]
        fn every_shard_finds_somebody_who_lives(
            doings in proptest::collection::vec((0..4usize, 0..3u8, any::<u8>()), 1..60)
        ) {
            let mut world = World::new();
            for (n, what, seed) in doings {
                match what {
                    0 => world.start(n),
                    1 => world.kill(n),
                    _ => {}
                }
                world.round(usize::from(seed));
            }
            world.start(9);
            (0..12).for_each(|seed| world.round(seed));
            let parts = world.parts();
            prop_assert_eq!(parts.iter().sum::<usize>(), usize::from(SHARDS));
            let (least, most) = (parts.iter().min().copied(), parts.iter().max().copied());
            prop_assert!(most.unwrap_or_default() - least.unwrap_or_default() <= 1, "{:?}", parts);
        }
    }
}
