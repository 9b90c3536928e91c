//! Who watches the live feed, and how many may.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// The seats of the live feed.
#[derive(Default)]
pub(crate) struct Viewers {
    by_user: Mutex<HashMap<String, usize>>,
}

/// One viewer's seat, free again when dropped.
pub(crate) struct Seat {
    viewers: Arc<Viewers>,
    user: String,
}

impl Viewers {
    /// A seat for the user, unless the user or all together have as many as they may.
    pub fn seat(self: &Arc<Self>, user: &str, each: usize, together: usize) -> Option<Seat> {
        let mut by_user = self.lock();
        let taken: usize = by_user.values().sum();
        if taken >= together || by_user.get(user).is_some_and(|own| *own >= each) {
            return None;
        }
        *by_user.entry(user.to_owned()).or_default() += 1;
        metrics::gauge!("bugbrother_dashboard_live_viewers").set((taken + 1) as f64);
        Some(Seat { viewers: Arc::clone(self), user: user.to_owned() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
        self.by_user.lock().expect("nothing panics while it holds the seats")
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut by_user = self.viewers.lock();
        if let Some(own) = by_user.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                by_user.remove(&self.user);
            }
        }
        let taken: usize = by_user.values().sum();
        metrics::gauge!("bugbrother_dashboard_live_viewers").set(taken as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_limited_for_each_user_and_for_all_and_become_free_again() {
        let viewers = Arc::new(Viewers::default());
        let first = viewers.seat("ann", 2, 3).unwrap();
        let _second = viewers.seat("ann", 2, 3).unwrap();
        assert!(viewers.seat("ann", 2, 3).is_none());
        let _third = viewers.seat("bob", 2, 3).unwrap();
        assert!(viewers.seat("cem", 2, 3).is_none());
        drop(first);
        assert!(viewers.seat("ann", 2, 3).is_some());
    }
}
