//! One password check at a time for each network, so that none of them fills the queue for a core.
//!
//! Those of a network wait in the order in which they came. How many there can be is bounded by its share of the
//! sockets that are not known yet.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::places::network;

#[derive(Default)]
pub(crate) struct Turns {
    lines: Mutex<HashMap<IpAddr, Line>>,
}

struct Line {
    /// Has one permit.
    turn: Arc<Semaphore>,
    /// Who waits or has the turn.
    standing: usize,
}

/// The turn of a network; the next one has it when it is dropped.
pub(crate) struct Turn {
    _turn: OwnedSemaphorePermit,
    _standing: Standing,
}

/// A place in a line.
struct Standing {
    turns: Arc<Turns>,
    network: IpAddr,
}

impl Turns {
    pub(crate) async fn wait(self: &Arc<Self>, peer: IpAddr) -> Turn {
        let network = network(peer);
        let turn = {
            let mut lines = self.lines();
            let line = lines.entry(network).or_insert_with(|| Line { turn: Arc::new(Semaphore::new(1)), standing: 0 });
            line.standing += 1;
            Arc::clone(&line.turn)
        };
        let _standing = Standing { turns: Arc::clone(self), network };
        let _turn = turn.acquire_owned().await.expect("the semaphore is never closed");
        Turn { _turn, _standing }
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<IpAddr, Line>> {
        // Nothing in here panics between two steps that belong together.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let mut lines = self.turns.lines();
        if let Some(line) = lines.get_mut(&self.network) {
            line.standing -= 1;
            if line.standing == 0 {
                lines.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_network_has_one_turn_and_keeps_no_other_waiting() {
        let turns = Arc::new(Turns::default());
        let wait = |peer: &str| timeout(Duration::from_secs(1), turns.wait(peer.parse().unwrap()));
        let first = wait("2001:db8:1::1").await.unwrap();
        assert!(wait("2001:db8:1:2::3").await.is_err());
        assert!(wait("2001:db8:2::1").await.is_ok());
        drop(first);
        assert!(wait("2001:db8:1:2::3").await.is_ok());
        assert!(turns.lines().is_empty(), "nothing stays behind");
    }
}
