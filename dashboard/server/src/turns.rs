//! Computing that strangers can ask for: a few at a time, away from the threads that serve.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

/// Patience of somebody who waits while others are served.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many cores at most, for one kind of work.
pub(crate) struct Turns(Arc<Semaphore>);

/// Too many are waiting for a turn.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many ask for this at once; try again in a moment")]
pub(crate) struct Busy;

impl Turns {
    pub fn new(at_a_time: usize) -> Self {
        Turns(Arc::new(Semaphore::new(at_a_time)))
    }

    /// Waits for a turn, which lasts as long as the value.
    pub async fn take(&self) -> Result<OwnedSemaphorePermit, Busy> {
        let turn = timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await.map_err(|_| Busy)?;
        Ok(turn.expect("the semaphore is never closed"))
    }

    /// Waits for a turn, and does in it what takes a core.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let turn = self.take().await?;
        let done = spawn_blocking(move || {
            // Here and not outside: a caller that hangs up must not make room while its work goes on.
            let _turn = turn;
            work()
        });
        Ok(done.await.expect("what is computed for strangers does not panic"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_so_and_a_turn_that_ends_is_the_next_ones() {
        let turns = Turns::new(1);
        let taken = turns.take().await.unwrap();
        assert_eq!(turns.run(|| 1).await, Err(Busy));
        let (waiting, ()) = tokio::join!(turns.run(|| 1), async { drop(taken) });
        assert_eq!(waiting, Ok(1));
    }

    #[tokio::test]
    async fn work_keeps_its_turn_when_nobody_waits_for_it_any_more() {
        let turns = Turns::new(1);
        let (start, started) = std::sync::mpsc::channel::<()>();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let mut work = Box::pin(turns.run(move || {
            drop(start);
            ended.recv().ok();
        }));
        // Polled once it is under way; then its caller hangs up.
        assert!(timeout(Duration::from_millis(1), &mut work).await.is_err());
        tokio::task::spawn_blocking(move || started.recv().ok()).await.unwrap();
        drop(work);
        assert_eq!(turns.0.available_permits(), 0);
        drop(end);
        drop(turns.take().await.unwrap());
    }
}
