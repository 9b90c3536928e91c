//! An RTSP session with a camera. retina has no deadlines of its own, so each step gets one here.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use futures_util::StreamExt;
use retina::{
    client::{
        Demuxed, Described, InitialTimestampPolicy, PlayOptions, Session, SessionGroup, SessionOptions, SetupOptions,
        TcpTransportOptions, UdpTransportOptions,
    },
    codec::{AudioFrame, CodecItem, FrameFormat, ParametersRef, VideoFrame, VideoParameters},
};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;
use url::Url;

use crate::{
    access_unit::{AccessUnit, Codec, Parameters, SoundFrame, SoundParameters},
    error::{SourceError, Step},
    h264::is_b_frame,
};

/// Longest wait for the answer to TEARDOWN: the stream is over anyway.
const TEARDOWN_DEADLINE: Duration = Duration::from_secs(2);

/// A camera's user. Its password is never shown.
#[derive(Clone)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How RTP comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// Through the RTSP connection: no loss, works through routers.
    #[default]
    Tcp,
    /// In datagrams, for a local network.
    Udp,
}

/// Where a camera is and how patient to be with it.
#[derive(Debug, Clone)]
pub struct Camera {
    url: Url,
    /// Name and password, where it wants them.
    pub credentials: Option<Credentials>,
    /// How RTP comes.
    pub transport: Transport,
    /// Whether its sound is taken, where it is AAC.
    pub sound: bool,
    /// Longest wait for each of DESCRIBE, SETUP and PLAY.
    pub step_deadline: Duration,
    /// Longest wait for the next picture.
    pub stall_deadline: Duration,
}

impl Camera {
    /// The camera at an `rtsp://` URL, over TCP and without sound, with deadlines of 10 s for the steps and 10 s for pictures.
    ///
    /// # Errors
    /// [`SourceError::Url`] when it is no such URL, or has credentials inside, where they would end up in logs.
    pub fn new(url: &str, credentials: Option<Credentials>) -> Result<Self, SourceError> {
        let bad = |reason| SourceError::Url { reason };
        let url = Url::parse(url).map_err(|_| bad("it is no URL; one looks like rtsp://192.168.1.20:554/stream1"))?;
        if url.scheme() != "rtsp" {
            return Err(bad("it must start with rtsp://"));
        }
        if !url.has_host() {
            return Err(bad("it names no host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("give user name and password apart from it"));
        }
        Ok(Camera {
            url,
            credentials,
            transport: Transport::default(),
            sound: false,
            step_deadline: Duration::from_secs(10),
            stall_deadline: Duration::from_secs(10),
        })
    }

    /// Where it is.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

/// What a session yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Hold for the units that follow; before the first unit, and again when they change.
    Parameters(Arc<Parameters>),
    /// A picture.
    Unit(AccessUnit),
    /// A frame of sound, coded as [`RtspSession::sound`] says.
    Sound(SoundFrame),
}

/// A playing stream. Dropping it hangs up; [`RtspSession::close`] says goodbye first.
pub struct RtspSession {
    demuxed: Demuxed,
    group: Arc<SessionGroup>,
    codec: Codec,
    parameters: Option<Arc<Parameters>>,
    /// A unit that waits behind its new parameters.
    held: Option<AccessUnit>,
    sound: Option<Arc<SoundParameters>>,
    last_pts: i64,
    disorder: u32,
    stall_deadline: Duration,
    last_unit: Instant,
}

/// So many pictures in a row of order that come before their time are B-frames, and no clock that was set back.
const MAX_DISORDER: u32 = 3;

impl RtspSession {
    /// DESCRIBE, SETUP and PLAY.
    pub async fn open(camera: &Camera) -> Result<Self, SourceError> {
        Self::open_in(camera, Arc::default()).await
    }

    /// The same; `group` knows of sessions that the camera still holds.
    pub(crate) async fn open_in(camera: &Camera, group: Arc<SessionGroup>) -> Result<Self, SourceError> {
        let deadline = camera.step_deadline;
        let options = SessionOptions::default()
            .creds(
                camera
                    .credentials
                    .clone()
                    .map(|Credentials { username, password }| retina::client::Credentials { username, password }),
            )
            .session_group(group.clone())
            .user_agent(concat!("bugbrother/", env!("CARGO_PKG_VERSION")).to_owned());
        let mut session = within(deadline, Step::Describe, Session::describe(camera.url.clone(), options)).await?;
        let (index, codec) = find_video(&session)?;
        let transport = || match camera.transport {
            Transport::Tcp => retina::client::Transport::Tcp(TcpTransportOptions::default()),
            Transport::Udp => retina::client::Transport::Udp(UdpTransportOptions::default()),
        };
        let setup = || SetupOptions::default().transport(transport()).frame_format(FrameFormat::MP4);
        within(deadline, Step::Setup, session.setup(index, setup())).await?;
        let sound = if camera.sound { find_sound(&session) } else { None };
        if let Some((index, _)) = sound {
            within(deadline, Step::Setup, session.setup(index, setup())).await?;
        }
        // Jumps of the timestamps are not enforced against: with B-frames every other one goes back.
        let play = PlayOptions::default().initial_timestamp(InitialTimestampPolicy::Permissive);
        let playing = within(deadline, Step::Play, session.play(play)).await?;
        let demuxed = playing.demuxed().map_err(|source| SourceError::at(Step::Play, source))?;
        debug!(%codec, "camera plays");
        Ok(RtspSession {
            demuxed,
            group,
            codec,
            parameters: None,
            held: None,
            sound: sound.map(|(_, parameters)| Arc::new(parameters)),
            last_pts: i64::MIN,
            disorder: 0,
            stall_deadline: camera.stall_deadline,
            last_unit: Instant::now(),
        })
    }

    /// How the pictures are coded.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// How its sound is coded; absent where it has none that is taken.
    pub fn sound(&self) -> Option<&Arc<SoundParameters>> {
        self.sound.as_ref()
    }

    /// The next picture or frame of sound, or new parameters. Cancel safe. After an error the session is over.
    pub async fn next(&mut self) -> Result<Item, SourceError> {
        if let Some(unit) = self.held.take() {
            return Ok(Item::Unit(unit));
        }
        let deadline = self.stall_deadline;
        loop {
            // Counted from the last picture: a camera that only keeps its connection alive has stalled, too.
            let item = timeout_at(self.last_unit + deadline, self.demuxed.next())
                .await
                .map_err(|_| SourceError::Stalled { deadline })?;
            let frame = match item {
                None => return Err(SourceError::Ended),
                Some(Err(source)) => return Err(SourceError::at(Step::Receive, source)),
                Some(Ok(CodecItem::VideoFrame(frame))) => frame,
                Some(Ok(CodecItem::AudioFrame(frame))) => return Ok(Item::Sound(sound_frame(&frame))),
                Some(Ok(_)) => continue,
            };
            let changed = self.take_parameters(&frame)?;
            if self.parameters.is_none() {
                // Nobody can decode it; the next key frame brings its parameters.
                continue;
            }
            self.last_unit = Instant::now();
            let unit = access_unit(frame);
            self.check_order(&unit)?;
            return Ok(match changed {
                Some(parameters) => {
                    self.held = Some(unit);
                    Item::Parameters(parameters)
                }
                None => Item::Unit(unit),
            });
        }
    }

    /// Refuses B-frames: they would be shown in the order in which they were coded.
    fn check_order(&mut self, unit: &AccessUnit) -> Result<(), SourceError> {
        let is_late = unit.pts < self.last_pts;
        self.disorder = if is_late { self.disorder + 1 } else { self.disorder.saturating_sub(u32::from(unit.is_key)) };
        self.last_pts = unit.pts;
        if is_b_frame(self.codec, &unit.data) || self.disorder > MAX_DISORDER {
            return Err(SourceError::BFrames);
        }
        Ok(())
    }

    /// Ends the session at the camera, which otherwise keeps it for a minute and may refuse the next.
    pub async fn close(self) {
        let RtspSession { demuxed, group, .. } = self;
        drop(demuxed);
        match timeout(TEARDOWN_DEADLINE, group.await_teardown()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(%error, "camera did not end the session"),
            Err(_) => debug!("camera did not answer TEARDOWN"),
        }
    }

    /// The parameters that hold from this frame on, where they are new.
    fn take_parameters(&mut self, frame: &VideoFrame) -> Result<Option<Arc<Parameters>>, SourceError> {
        if self.parameters.is_some() && !frame.has_new_parameters() {
            return Ok(None);
        }
        let Some(ParametersRef::Video(told)) = self.demuxed.streams()[frame.stream_id()].parameters() else {
            return Ok(None);
        };
        let parameters = Arc::new(translate(self.codec, told)?);
        if self.parameters.as_ref() == Some(&parameters) {
            return Ok(None);
        }
        self.parameters = Some(parameters.clone());
        Ok(Some(parameters))
    }
}

impl fmt::Debug for RtspSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtspSession")
            .field("codec", &self.codec)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

async fn within<T>(
    deadline: Duration,
    step: Step,
    work: impl Future<Output = Result<T, retina::Error>>,
) -> Result<T, SourceError> {
    match timeout(deadline, work).await {
        Ok(result) => result.map_err(|source| SourceError::at(step, source)),
        Err(_) => Err(SourceError::TimedOut { step, deadline }),
    }
}

/// The first video stream that we can hand on.
fn find_video(session: &Session<Described>) -> Result<(usize, Codec), SourceError> {
    let streams = session.streams();
    streams
        .iter()
        .enumerate()
        .filter(|(_, stream)| stream.media() == "video")
        .find_map(|(index, stream)| Some((index, Codec::from_encoding(stream.encoding_name())?)))
        .ok_or_else(|| {
            let found: Vec<_> =
                streams.iter().map(|stream| format!("{}/{}", stream.media(), stream.encoding_name())).collect();
            SourceError::NoVideo { found: if found.is_empty() { "nothing".to_owned() } else { found.join(", ") } }
        })
}

/// The first stream of sound that is AAC. What others there are is left aside.
fn find_sound(session: &Session<Described>) -> Option<(usize, SoundParameters)> {
    session.streams().iter().enumerate().filter(|(_, stream)| stream.media() == "audio").find_map(|(index, stream)| {
        let Some(ParametersRef::Audio(told)) = stream.parameters() else { return None };
        let rfc6381 = told.rfc6381_codec().filter(|codec| codec.starts_with("mp4a."))?.to_owned();
        let sample_entry = told.mp4_sample_entry().build().ok()?.into();
        Some((index, SoundParameters { rfc6381, clock_hz: NonZeroU32::new(told.clock_rate())?, sample_entry }))
    })
}

fn sound_frame(frame: &AudioFrame) -> SoundFrame {
    SoundFrame {
        samples: frame.frame_length().get(),
        received: frame.ctx().received(),
        data: bytes::Bytes::copy_from_slice(frame.data()),
    }
}

fn translate(codec: Codec, told: &VideoParameters) -> Result<Parameters, SourceError> {
    let (width, height) = told.pixel_dimensions();
    let sample_entry = match codec {
        Codec::H264 | Codec::H265 => {
            let entry = told.mp4_sample_entry().build().map_err(|source| SourceError::at(Step::Receive, source))?;
            Some(entry.into())
        }
        Codec::Jpeg => None,
    };
    Ok(Parameters { codec, rfc6381: told.rfc6381_codec().to_owned(), width, height, sample_entry })
}

fn access_unit(frame: VideoFrame) -> AccessUnit {
    let timestamp = frame.timestamp();
    AccessUnit {
        pts: timestamp.elapsed(),
        clock_hz: timestamp.clock_rate(),
        is_key: frame.is_random_access_point(),
        lost_packets: frame.loss(),
        received: frame.end_ctx().received(),
        data: frame.into_data().into(),
    }
}
