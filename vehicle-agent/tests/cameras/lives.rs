//! Live pictures, as the server gets them.

use std::{
    fs,
    time::{Duration, Instant},
};

use bugbrother_kit::{camera::Camera, film};
use bugbrother_wire::{
    message::{Argument, MediaState, ReplyState},
    video::{Beginning, Piece, closing},
};
use tokio::time::timeout;

use crate::{Fleet, LIMIT, integer, station::Live, until};

/// What a viewer has.
#[derive(Default)]
struct Screen {
    /// Each beginning with its fragments.
    films: Vec<Vec<u8>>,
    codecs: Vec<String>,
    subs: Vec<bool>,
    pictures: Vec<u32>,
    captured: Vec<i64>,
    gaps: usize,
    notices: Vec<String>,
}

impl Screen {
    async fn next(&mut self, live: &mut Live) {
        let message = timeout(LIMIT, live.messages.recv()).await.expect("pictures come").expect("it goes on");
        self.take(&message);
    }

    fn take(&mut self, message: &[u8]) {
        match Piece::read(message).unwrap().expect("nothing else is sent") {
            Piece::Beginning(Beginning { number, codec, data, is_sub, plays_in_browsers, .. }) => {
                assert_eq!(usize::from(number), self.films.len());
                assert!(plays_in_browsers);
                self.codecs.push(codec.to_owned());
                self.subs.push(is_sub);
                self.films.push(data.to_vec());
            }
            Piece::Fragment(fragment) => {
                let is_first = self.pictures.is_empty() || fragment.is_after_gap;
                assert!(fragment.is_key || !is_first, "a decoder can start at it");
                assert_eq!(usize::from(fragment.beginning) + 1, self.films.len());
                let missing = self.pictures.last().map_or(0, |last| fragment.picture - last - 1);
                assert_eq!(missing > 0, fragment.is_after_gap && !self.pictures.is_empty(), "{missing} are missing");
                self.gaps += usize::from(missing > 0);
                self.pictures.push(fragment.picture);
                self.captured.push(fragment.captured);
                self.films.last_mut().unwrap().extend(fragment.data);
            }
            Piece::Notice(text) => self.notices.push(text.to_owned()),
        }
    }

    fn decode(&self, fleet: &Fleet) {
        for (index, film) in self.films.iter().enumerate() {
            let path = fleet.dir.path().join(format!("live-{index}.mp4"));
            fs::write(&path, film).unwrap();
            film::decode(&path).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_pictures_begin_at_once_and_end_when_nobody_looks() {
    let fleet = Fleet::new("/h264", "", "").await;
    let agent = fleet.start();
    fleet.is_online(1).await;
    fleet.plays(&agent).await;
    let began = Instant::now();
    let reply = fleet.order(1, "stream_start", &[("ticket", Argument::Text("a-ticket".to_owned()))]).await;
    assert_eq!(reply.state, ReplyState::Done, "{reply:?}");
    let mut live = fleet.station.live().await;
    assert_eq!(live.path, "/api/embedded/live/dash-1?ticket=a-ticket");
    let mut screen = Screen::default();
    while screen.pictures.len() < 50 {
        screen.next(&mut live).await;
    }
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(screen.codecs[0].starts_with("avc1.42") && !screen.subs[0]);
    assert_eq!(screen.pictures, (1..=50).collect::<Vec<_>>(), "all of them in order");
    assert!(screen.captured.is_sorted() && screen.captured[0] > 1_700_000_000_000);
    screen.decode(&fleet);

    live.close.send_replace(Some(closing::NOBODY_LOOKS));
    until("it is told so", || agent.logged().contains("live pictures are not sent any more")).await;
    assert!(fleet.station.has_no_live().await, "it does not come back by itself");
    fleet.order(2, "stream_start", &[]).await;
    let mut live = fleet.station.live().await;
    Screen::default().next(&mut live).await;
    fleet.order(3, "privacy", &[("on", Argument::Bool(true))]).await;
    while live.messages.recv().await.is_some() {}
    timeout(LIMIT, live.closed.wait_for(Option::is_some)).await.unwrap().unwrap();
    assert_eq!(*live.closed.borrow(), Some(closing::PRIVACY));
}

#[tokio::test(flavor = "multi_thread")]
async fn live_pictures_last_as_long_as_was_asked_and_longer_when_asked_again() {
    let fleet = Fleet::new("/h264", "record = false", "").await;
    let _agent = fleet.start();
    fleet.is_online(1).await;
    fleet.order(1, "stream_start", &[integer("seconds", 5)]).await;
    let began = Instant::now();
    let mut live = fleet.station.live().await;
    fleet.order(2, "stream_start", &[integer("seconds", 8)]).await;
    let mut screen = Screen::default();
    while let Some(message) = timeout(LIMIT, live.messages.recv()).await.expect("it ends") {
        screen.take(&message);
    }
    let lasted = began.elapsed();
    assert!((Duration::from_secs(6)..Duration::from_secs(15)).contains(&lasted), "{lasted:?}");
    assert_eq!(*live.closed.borrow(), Some(closing::OVER));
    assert!(screen.pictures.len() > 100, "{} pictures", screen.pictures.len());
    assert!(fleet.station.has_no_live().await, "it was one stream");
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_and_films_go_through_tls_to_a_server_that_is_known() {
    let fleet = Fleet::new("/h264", "", "").await;
    fleet.go_through_tls().await;
    let agent = fleet.start();
    fleet.is_online(1).await;
    fleet.plays(&agent).await;
    fleet.order(1, "stream_start", &[]).await;
    let mut live = fleet.station.live().await;
    let mut screen = Screen::default();
    while screen.pictures.len() < 20 {
        screen.next(&mut live).await;
    }
    fleet.order(2, "clip", &[integer("after_s", 1)]).await;
    fleet.reaches(MediaState::Uploaded).await;

    // Somebody else's certificate is none.
    fs::write(fleet.dir.path().join("ca.crt"), fs::read(fleet.dir.path().join("vehicle.crt")).unwrap()).unwrap();
    drop(agent);
    let _again = fleet.start();
    fleet.is_online(2).await;
    let reply = fleet.order(3, "stream_start", &[]).await;
    assert_eq!(reply.state, ReplyState::Failed, "{reply:?}");
    assert!(reply.detail.unwrap().contains("cannot be reached"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_stream_goes_on_when_its_camera_comes_back() {
    let mut fleet = Fleet::new("/h264", "", "").await;
    let agent = fleet.start();
    fleet.is_online(1).await;
    fleet.plays(&agent).await;
    fleet.order(1, "stream_start", &[integer("seconds", 120)]).await;
    let mut live = fleet.station.live().await;
    let mut screen = Screen::default();
    while screen.pictures.len() < 10 {
        screen.next(&mut live).await;
    }
    let port = fleet.camera.port();
    let other = Camera::start(&[]).await.unwrap();
    std::mem::replace(&mut fleet.camera, other).kill().await.unwrap();
    while screen.notices.is_empty() {
        screen.next(&mut live).await;
    }
    let before = screen.pictures.len();
    fleet.camera = Camera::start_on(port, &[]).await.unwrap();
    while screen.pictures.len() < before + 20 {
        screen.next(&mut live).await;
    }
    screen.decode(&fleet);
    fleet.order(2, "stream_stop", &[]).await;
    while live.messages.recv().await.is_some() {}
    timeout(LIMIT, live.closed.wait_for(Option::is_some)).await.unwrap().unwrap();
    assert_eq!(*live.closed.borrow(), Some(closing::STOPPED));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_too_slow_gets_whole_pieces_of_what_is_now_and_then_the_smaller_stream() {
    let fleet = Fleet::new("/heavy", "sub_url = 'CAMERA/h264'", "").await;
    let agent = fleet.start();
    fleet.is_online(1).await;
    fleet.plays(&agent).await;
    fleet.order(1, "stream_start", &[integer("seconds", 300)]).await;
    let mut live = fleet.station.live().await;
    let mut screen = Screen::default();
    screen.next(&mut live).await;
    let patience = Instant::now();
    while !screen.subs.contains(&true) {
        assert!(patience.elapsed() < LIMIT, "{} gaps and no smaller stream", screen.gaps);
        // Nothing is read until the vehicle has had to leave something out.
        let left_out = agent.logged().matches("the network falls behind").count();
        until("something is left out", || agent.logged().matches("the network falls behind").count() > left_out).await;
        // Then all of it, until it is about now.
        let now = || bugbrother_wire::unix_ms(std::time::SystemTime::now());
        loop {
            screen.next(&mut live).await;
            let is_now = screen.captured.last().is_some_and(|captured| now() - captured < 500);
            if is_now || screen.subs.contains(&true) {
                break;
            }
        }
    }
    assert!(screen.gaps >= 2, "{} gaps", screen.gaps);
    assert!(screen.notices.iter().any(|notice| notice.contains("smaller")), "{:?}", screen.notices);
    let before = screen.pictures.len();
    while screen.pictures.len() < before + 20 {
        screen.next(&mut live).await;
    }
}
