//! How many places somebody may take at a time.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard},
};

/// Places, so many for each who comes and so many for all together.
pub(crate) struct Seats<K> {
    each: usize,
    together: usize,
    taken: Mutex<Taken<K>>,
}

struct Taken<K> {
    by_owner: HashMap<K, usize>,
    all: usize,
}

/// A place that is taken, free again when dropped.
pub(crate) struct Seat<K: Hash + Eq> {
    seats: Arc<Seats<K>>,
    owner: K,
}

impl<K: Hash + Eq + Clone> Seats<K> {
    pub fn new(each: usize, together: usize) -> Arc<Self> {
        let taken = Taken { by_owner: HashMap::new(), all: 0 };
        Arc::new(Seats { each, together, taken: Mutex::new(taken) })
    }

    /// A seat, unless `owner` or all together have as many as they may.
    pub fn take(self: &Arc<Self>, owner: &K) -> Option<Seat<K>> {
        let mut taken = self.lock();
        let own = taken.by_owner.get(owner).copied().unwrap_or(0);
        if taken.all >= self.together || own >= self.each {
            return None;
        }
        taken.all += 1;
        taken.by_owner.insert(owner.clone(), own + 1);
        Some(Seat { seats: Arc::clone(self), owner: owner.clone() })
    }
}

impl<K> Seats<K> {
    fn lock(&self) -> MutexGuard<'_, Taken<K>> {
        self.taken.lock().expect("nothing panics while it holds the seats")
    }
}

impl<K: Hash + Eq> Drop for Seat<K> {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.all -= 1;
        if let Some(own) = taken.by_owner.get_mut(&self.owner) {
            *own -= 1;
            if *own == 0 {
                taken.by_owner.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_limited_for_each_and_for_all_and_become_free_again() {
        let seats = Seats::new(2, 3);
        let first = seats.take(&"ann").unwrap();
        let _second = seats.take(&"ann").unwrap();
        assert!(seats.take(&"ann").is_none());
        let _third = seats.take(&"bob").unwrap();
        assert!(seats.take(&"cem").is_none());
        drop(first);
        assert!(seats.take(&"ann").is_some());
        assert_eq!(seats.lock().by_owner.len(), 2, "who is gone is not remembered");
    }
}
