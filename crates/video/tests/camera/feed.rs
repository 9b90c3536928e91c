//! A camera that is lost and found again.

use std::time::Duration;

use bugbrother_video::{Camera, Feed, Item, News, Pace, SourceError};
use tokio::time::timeout;

use crate::{PATIENCE, Server, camera, start, user};

const QUICK: Pace =
    Pace { first: Duration::from_millis(50), longest: Duration::from_millis(200), lasting: Duration::from_millis(400) };

async fn next(feed: &mut Feed) -> News {
    timeout(PATIENCE, feed.next()).await.expect("there is news of the camera")
}

async fn until_it_plays(feed: &mut Feed) -> usize {
    let mut failures = 0;
    loop {
        match next(feed).await {
            News::Down { .. } => failures += 1,
            News::Up { .. } => {}
            News::Item(Item::Unit(_)) => return failures,
            News::Item(_) => {}
        }
    }
}

async fn until_it_is_gone(feed: &mut Feed) -> SourceError {
    loop {
        if let News::Down { reason, .. } = next(feed).await {
            return reason;
        }
    }
}

fn impatient(port: u16) -> Camera {
    let mut camera = camera(port, "/h264", None);
    camera.stall_deadline = Duration::from_secs(3);
    camera
}

#[tokio::test]
async fn a_camera_that_is_switched_off_and_on_is_found_again_and_again() {
    let server = start(&[]).await;
    let port = server.port();
    let mut feed = Feed::new(impatient(port), QUICK);
    until_it_plays(&mut feed).await;
    server.kill().await.expect("it can be killed");
    let reason = until_it_is_gone(&mut feed).await;
    assert!(reason.is_transient(), "{reason:?}");
    // Nobody is there for a while.
    for _ in 0..3 {
        until_it_is_gone(&mut feed).await;
    }
    let _again = Server::start_on(port, &[]).await.expect("the port is free");
    until_it_plays(&mut feed).await;
    feed.close().await;
}

#[tokio::test]
async fn waits_grow_to_a_limit_and_a_wrong_password_is_tried_seldom() {
    let server = start(&["digest", "viewer", "open sesame"]).await;
    let mut feed = Feed::new(camera(server.port(), "/h264", user("guess")), QUICK);
    for _ in 0..2 {
        let News::Down { reason, again_in } = next(&mut feed).await else { panic!("nobody is let in") };
        assert!(matches!(reason, SourceError::Unauthorized), "{reason:?}");
        assert!((QUICK.lasting / 2..=QUICK.lasting).contains(&again_in), "{again_in:?}");
    }
    let port = server.port();
    drop(server);
    let mut feed = Feed::new(camera(port, "/h264", None), QUICK);
    let mut waits = Vec::new();
    for _ in 0..6 {
        let News::Down { again_in, .. } = next(&mut feed).await else { panic!("nobody is there") };
        waits.push(again_in);
    }
    assert!(waits[0] <= QUICK.first && waits[5] >= QUICK.longest / 2 && waits[5] <= QUICK.longest, "{waits:?}");
}

#[tokio::test]
async fn who_asks_in_between_does_not_keep_a_camera_from_being_found() {
    let server = start(&[]).await;
    let mut feed = Feed::new(impatient(server.port()), QUICK);
    let played = async {
        loop {
            // As a loop does that has much else to do.
            if let Ok(News::Item(Item::Unit(_))) = timeout(Duration::from_millis(1), feed.next()).await {
                break;
            }
        }
    };
    timeout(PATIENCE, played).await.expect("it plays");
}
