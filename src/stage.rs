//! Tasks that are started, watched and stopped together.

use std::{future::Future, time::Duration};

use anyhow::{Result, anyhow};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::error;

/// How long a stage of the shut-down may take before the next one begins.
const STAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Tasks that are stopped together.
#[derive(Default)]
pub struct Stage {
    stop: CancellationToken,
    tasks: JoinSet<(&'static str, Result<()>)>,
}

impl Stage {
    /// Starts a part; it is to end when its token says so and not before.
    pub fn start<F>(&mut self, name: &'static str, part: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        // Boxed, so that the futures of whole services do not lie in one another.
        let part = Box::pin(part(self.stop.clone()));
        self.tasks.spawn(async move { (name, part.await) });
    }

    /// The first part that ends; waits for ever where there is none.
    pub async fn ended(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok((name, Ok(())))) => anyhow!("{name} ended by itself"),
            Some(Ok((name, Err(error)))) => error.context(format!("{name} ended")),
            Some(Err(panic)) => anyhow!("a part of the system broke down: {panic}"),
            None => std::future::pending().await,
        }
    }

    /// Stops all parts and waits for them, not for ever.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                match ended {
                    Ok((_, Ok(()))) => {}
                    Ok((name, Err(error))) => error!("{name}: {error:#}"),
                    Err(panic) => error!("a part of the system broke down: {panic}"),
                }
            }
        };
        if timeout(STAGE_TIMEOUT, all).await.is_err() {
            error!(left = self.tasks.len(), "some parts did not stop in time");
        }
    }
}
