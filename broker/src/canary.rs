//! A subscriber of our own that publishes to itself: when it hears nothing the router is of no use to anybody.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, interval, timeout_at};

use crate::{
    link::Arrival,
    message::Message,
    router::{Router, RouterDied},
    routing,
};

const INTERVAL: Duration = Duration::from_secs(1);

/// Runs until the router is dead.
pub(crate) async fn run(router: &Router, deadline: Duration) -> RouterDied {
    tokio::select! {
        () = router.died() => RouterDied,
        died = sing(router, deadline) => died.err().unwrap_or(RouterDied),
    }
}

async fn sing(router: &Router, deadline: Duration) -> Result<(), RouterDied> {
    let mut link = router.open().await?;
    link.subscribe(routing::CANARY).await?;
    let mut ticks = interval(INTERVAL);
    for song in 0_u64.. {
        ticks.tick().await;
        let until = Instant::now() + deadline;
        let payload = Bytes::copy_from_slice(&song.to_be_bytes());
        let heard = async {
            router.publish(routing::CANARY.into(), Message::new(routing::CANARY, payload.clone())).await?;
            loop {
                match link.next().await? {
                    Arrival::Message { message, .. } if message.payload == payload => return Ok(()),
                    Arrival::Message { .. } => {}
                    Arrival::Paused => link.resume().await?,
                }
            }
        };
        timeout_at(until, heard).await.unwrap_or(Err(RouterDied))?;
    }
    Ok(())
}
