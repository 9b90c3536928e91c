//! A subscriber of our own that publishes to itself: when it hears nothing the router is of no use to anybody.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, interval, timeout};

use crate::{
    count,
    link::{Arrival, Link},
    message::Message,
    router::{CANARY, Router, RouterDied},
};

const INTERVAL: Duration = Duration::from_secs(1);

/// Runs until the router is dead, which it also is when it takes longer than `deadline`.
pub(crate) async fn run(router: &Router, deadline: Duration) -> RouterDied {
    tokio::select! {
        () = router.died() => {}
        Err(RouterDied) = sing(router, deadline) => router.give_up(),
    }
    RouterDied
}

async fn sing(router: &Router, deadline: Duration) -> Result<Infallible, RouterDied> {
    let start = async {
        let mut link = router.open().await?;
        link.subscribe(CANARY).await?;
        Ok(link)
    };
    let mut link = timeout(deadline, start).await.unwrap_or(Err(RouterDied))?;
    let mut ticks = interval(INTERVAL);
    let mut song = 0_u64;
    loop {
        ticks.tick().await;
        song += 1;
        let started = Instant::now();
        timeout(deadline, sing_once(router, &mut link, song)).await.unwrap_or(Err(RouterDied))?;
        count::round_trip(started.elapsed());
    }
}

async fn sing_once(router: &Router, link: &mut Link, song: u64) -> Result<(), RouterDied> {
    let payload = Bytes::copy_from_slice(&song.to_be_bytes());
    router.publish_as(CANARY.into(), Message::new(CANARY, payload.clone())).await?;
    loop {
        match link.next().await? {
            Arrival::Message { message, .. } if message.payload == payload => return Ok(()),
            Arrival::Message { .. } => {}
            Arrival::Paused => link.resume().await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[tokio::test]
    async fn a_router_that_panics_is_found_dead_by_all() {
        let router = Router::start(&Limits::default()).unwrap();
        let mut link = router.open().await.unwrap();
        link.subscribe("m/x").await.unwrap();
        let watching = tokio::spawn({
            let router = router.clone();
            async move { run(&router, Duration::from_secs(2)).await }
        });
        // The name that stops rumqttd, and that nobody here publishes under.
        router.publish_as("évil".into(), Message::new("évil", Bytes::new())).await.unwrap();
        assert_eq!(watching.await.unwrap(), RouterDied);
        assert_eq!(link.next().await.err(), Some(RouterDied));
        while router.publish_as("m/x".into(), Message::new("x", Bytes::new())).await.is_ok() {}
        assert!(router.open().await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_published_after_subscribing_arrives_however_busy_the_router_is() {
        let router = Router::start(&Limits::default()).unwrap();
        let busy = tokio::spawn({
            let router = router.clone();
            async move { while router.publish_as("m/noise".into(), Message::new("noise", Bytes::new())).await.is_ok() {} }
        });
        for n in 0..200_u32 {
            let name = format!("m/{n}");
            let mut link = router.open().await.unwrap();
            link.subscribe("m/noise").await.unwrap();
            router.publish_as(name.clone().into(), Message::new("before", Bytes::new())).await.unwrap();
            link.subscribe(&name).await.unwrap();
            router.publish_as(name.into(), Message::new("after", Bytes::new())).await.unwrap();
            loop {
                match link.next().await.unwrap() {
                    Arrival::Message { message, .. } if message.topic() == "noise" => {}
                    Arrival::Message { message, .. } => {
                        assert_eq!(message.topic(), "after");
                        break;
                    }
                    Arrival::Paused => link.resume().await.unwrap(),
                }
            }
        }
        busy.abort();
        router.closing().close();
        router.closing().wait().await;
    }

    #[tokio::test]
    async fn a_link_that_is_read_too_slowly_learns_how_much_it_has_lost() {
        let limits = Limits { log_bytes: 64 * 1024, ..Limits::default() };
        let router = Router::start(&limits).unwrap();
        let mut link = router.open().await.unwrap();
        link.subscribe("m/x").await.unwrap();
        const SENT: u64 = 1_000;
        let publish = async |n: u64| {
            let payload = Bytes::from([&n.to_be_bytes()[..], &[0; 8 * 1024]].concat());
            router.publish_as("m/x".into(), Message::new("x", payload)).await.unwrap();
        };
        // The first message tells where the link stands; what it lost before cannot be known.
        publish(0).await;
        while !matches!(link.next().await.unwrap(), Arrival::Message { lost: 0, .. }) {
            link.resume().await.unwrap();
        }
        for n in 1..SENT {
            publish(n).await;
        }
        let (mut seen, mut lost) = (1, 0);
        while seen + lost < SENT {
            match link.next().await.unwrap() {
                Arrival::Message { lost: here, message, .. } => {
                    lost += here;
                    assert_eq!(message.payload[..8], (seen + lost).to_be_bytes());
                    seen += 1;
                }
                Arrival::Paused => link.resume().await.unwrap(),
            }
        }
        assert!(lost > 0);
    }
}
