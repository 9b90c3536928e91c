//! Waiting for conditions: the tests' only use of the clock is to give up.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(20);

/// Looks at `condition` until it holds something; fails with `what` when that takes longer than `limit`.
pub async fn until<T, F>(what: &str, limit: Duration, mut condition: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Option<T>>,
{
    let began = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return Ok(value);
        }
        if began.elapsed() > limit {
            bail!("waited {limit:?} in vain for: {what}");
        }
        tokio::time::sleep(LOOK).await;
    }
}
