//! Who looks at a camera, over the WebSocket: as a program reads it.

use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use bugbrother_store::{Arrival, Eye};
use bugbrother_wire::{
    Epoch, Message as Said, SCHEMA_VERSION, Topic, Vin,
    api::{EyeTransport, StreamWord},
    message::{Birth, CameraDeclaration, VinSource},
    topic::Kind,
    video::{Beginning, Fragment, Piece, closing},
};
use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use crate::{
    media::Garage,
    rig::{LIMIT, Rig, now, vin},
    viewer::{open_at, refusal},
};

/// Somebody who looks.
pub struct Onlooker {
    socket: WebSocketStream<TcpStream>,
    /// Whether browsers play what has begun; none before it has.
    pub plays: Option<bool>,
    pub codec: String,
    pub width: u16,
    /// The picture that was seen last, and how many were.
    pub last: Option<u32>,
    pub seen: usize,
    pub missed: u64,
    pub word: Option<StreamWord>,
}

impl Onlooker {
    pub async fn open(rig: &Rig, token: &str, path: &str) -> Result<Self> {
        let bearer = format!("Bearer {token}");
        Ok(Self::open_with(open_at(rig, path, &[("authorization", &bearer)]).await?))
    }

    pub fn open_with(socket: WebSocketStream<TcpStream>) -> Self {
        Onlooker { socket, plays: None, codec: String::new(), width: 0, last: None, seen: 0, missed: 0, word: None }
    }

    /// Takes in the next thing that is said.
    pub async fn read(&mut self) -> Result<()> {
        match self.socket.next().await.context("the socket has ended")?? {
            Message::Binary(bytes) => match Piece::read(&bytes)? {
                Some(Piece::Beginning(beginning)) => {
                    self.plays = Some(beginning.plays_in_browsers);
                    (self.codec, self.width) = (beginning.codec.to_owned(), beginning.width);
                    self.last = None;
                }
                Some(Piece::Fragment(fragment)) => {
                    let follows = self.last.is_some_and(|last| fragment.picture == last + 1);
                    ensure!(follows || fragment.is_key, "picture {} after {:?}", fragment.picture, self.last);
                    (self.last, self.seen) = (Some(fragment.picture), self.seen + 1);
                }
                other => bail!("{other:?} is nothing for who looks"),
            },
            Message::Text(text) => {
                let word = serde_json::from_str(&text)?;
                if let StreamWord::Missed { pictures } = word {
                    self.missed += pictures;
                } else {
                    self.word = Some(word);
                }
            }
            Message::Ping(_) | Message::Pong(_) => {}
            other => bail!("{other:?} instead of pictures"),
        }
        Ok(())
    }

    /// Reads until it is so.
    pub async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result<()> {
        let reading = async {
            while !is_so(self) {
                self.read().await?;
            }
            Ok(())
        };
        timeout(LIMIT * 3, reading).await.with_context(|| format!("in vain for: {what}"))?
    }

    /// Reads so many pictures more.
    pub async fn sees(&mut self, pictures: usize) -> Result<()> {
        let goal = self.seen + pictures;
        self.until("pictures", |looks| looks.seen >= goal).await
    }

    /// Reads until it is told that there is nothing, and why.
    pub async fn is_told(&mut self, part: &str) -> Result<()> {
        self.until(part, |looks| matches!(&looks.word, Some(StreamWord::Gone { why }) if why.contains(part))).await
    }
}

/// A vehicle that pushes what it is told to.
struct Pusher(WebSocketStream<TcpStream>);

impl Pusher {
    async fn say(&mut self, piece: Piece<'_>) -> Result<()> {
        Ok(self.0.send(Message::Binary(piece.to_bytes().into())).await?)
    }

    async fn begin(&mut self) -> Result<()> {
        self.say(Piece::Beginning(Beginning {
            number: 0,
            is_sub: false,
            plays_in_browsers: true,
            width: 640,
            height: 480,
            codec: "avc1.42C01E",
            data: b"moov",
        }))
        .await
    }

    async fn show(&mut self, pictures: Range<u32>, data: &[u8]) -> Result<()> {
        for picture in pictures {
            let is_key = picture.is_multiple_of(10);
            let fragment = Fragment { beginning: 0, is_key, is_after_gap: false, picture, captured: now(), data };
            self.say(Piece::Fragment(fragment)).await?;
        }
        Ok(())
    }
}

/// What a vehicle says of itself that has a camera.
pub async fn has_camera(rig: &Rig, vin: Vin) -> Result<()> {
    let camera = CameraDeclaration { id: "front".to_owned().try_into()?, label: "Front".into() };
    let birth = Birth {
        v: SCHEMA_VERSION,
        vin,
        vin_source: VinSource::Configured,
        epoch: Epoch(1),
        agent: "0.1.0".into(),
        started: now(),
        signals: Vec::new(),
        cameras: vec![camera],
        car: None,
    };
    let topic = Topic::new(vin, Kind::Birth).to_string();
    let content = Ok(Said::Birth(birth));
    rig.store.commit(&[Arrival { received_ts: now(), topic, payload: Default::default(), content }]).await?;
    Ok(())
}

#[tokio::test]
async fn a_viewer_that_stops_reading_goes_on_at_a_key_frame_is_told_and_delays_nobody() -> Result<()> {
    let garage = Garage::open_with(|config| config.limits.write_time = LIMIT * 3).await?;
    let car = garage.car(vin(1)).await?;
    has_camera(&garage.rig, car.vin).await?;
    let admin = garage.rig.token().await?;
    let path = format!("/video/{}/front", car.vin);
    let bearer = format!("Bearer {}", car.token);
    let headers = [("authorization", &*bearer)];
    let unwanted = open_at(&garage.rig, "/api/embedded/live/front", &headers).await;
    assert!(unwanted.is_err(), "nobody looks");
    let (mut fast, mut slow) =
        (Onlooker::open(&garage.rig, &admin, &path).await?, Onlooker::open(&garage.rig, &admin, &path).await?);
    let mut pusher = Pusher(open_at(&garage.rig, "/api/embedded/live/front", &headers).await?);
    pusher.begin().await?;
    pusher.show(0..5, b"moof").await?;
    fast.sees(5).await?;
    slow.sees(5).await?;

    // Far more than sockets hold, at the pace of who reads.
    let (large, last) = (vec![7; 128 << 10], 400);
    for picture in 5..last {
        pusher.show(picture..picture + 1, &large).await?;
        fast.sees(1).await?;
    }
    assert_eq!((fast.last, fast.seen, fast.missed), (Some(last - 1), last as usize, 0), "it was not delayed");
    slow.until("the present", |looks| looks.last == Some(last - 1)).await?;
    assert!(slow.missed > 100, "{} missed", slow.missed);
    assert_eq!(slow.seen as u64 + slow.missed, u64::from(last), "it was told of each that it missed");

    // A second connection of the vehicle takes the place of the first, which may be dead.
    let mut anew = Pusher(open_at(&garage.rig, "/api/embedded/live/front", &headers).await?);
    anew.begin().await?;
    anew.show(0..5, b"moof").await?;
    fast.sees(5).await?;
    let closed = timeout(LIMIT, async {
        loop {
            match pusher.0.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| u16::from(frame.code)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    });
    assert_eq!(closed.await?, Some(closing::NOBODY_LOOKS));
    anew.0.send(Message::Binary(b"\x02rubbish".as_slice().into())).await?;
    fast.until("it is asked for again", |looks| looks.word == Some(StreamWord::Waiting)).await?;
    garage.rig.stop().await
}

#[tokio::test]
async fn a_vehicle_shows_the_camera_it_is_asked_for_and_no_other_by_whatever_name() -> Result<()> {
    let garage = Garage::open().await?;
    let (car, other) = (garage.car(vin(1)).await?, garage.car(vin(2)).await?);
    for vin in [car.vin, other.vin] {
        has_camera(&garage.rig, vin).await?;
    }
    // One that the server reaches, or would, were it not in the server's own network.
    let eye = Eye {
        vin: car.vin,
        camera: "yard".to_owned().try_into()?,
        label: "The yard".into(),
        url: "rtsp://127.0.0.1:9/".into(),
        sub_url: None,
        photo_url: None,
        transport: EyeTransport::Tcp,
        user: None,
        has_secret: false,
        enabled: true,
        by: "ada".into(),
        created: now(),
        updated: now(),
    };
    garage.rig.store.add_eye(&eye, None).await?;
    let admin = garage.rig.token().await?;
    let mut looks = Onlooker::open(&garage.rig, &admin, &format!("/video/{}/front", car.vin)).await?;
    let mut yard = Onlooker::open(&garage.rig, &admin, &format!("/video/{}/yard", car.vin)).await?;
    yard.is_told("own network").await?;
    for (token, camera, status) in [
        (&car.token, "rear", 409),
        (&car.token, "yard", 409),
        (&car.token, "..%2Ffront", 400),
        (&car.token, "Front", 400),
        (&other.token, "front", 409),
        (&admin, "front", 401),
        (&"nobody's".to_owned(), "front", 401),
    ] {
        let bearer = format!("Bearer {token}");
        let path = format!("/api/embedded/live/{camera}");
        let refused = refusal(open_at(&garage.rig, &path, &[("authorization", &bearer)]).await)?;
        assert_eq!(refused.status().as_u16(), status, "{camera}");
    }
    let bearer = format!("Bearer {}", car.token);
    let mut pusher = Pusher(open_at(&garage.rig, "/api/embedded/live/front", &[("authorization", &bearer)]).await?);
    pusher.begin().await?;
    pusher.show(0..3, b"moof").await?;
    looks.sees(3).await?;
    assert_eq!(yard.seen, 0);
    garage.rig.stop().await
}
