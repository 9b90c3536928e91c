use std::time::Duration;

use bugbrother_video::{Camera, Item, Parameters, RtspSession, SourceError, photo::can_be_made_of};
use tokio::time::timeout;

use super::Finding;
use crate::{camera::CameraSettings, config::Config};

const PART: &str = "camera";
/// A key frame may be some seconds away.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    if config.cameras.is_empty() {
        return vec![Finding::note(PART, "none is wanted: there is no `[[camera]]`")];
    }
    let mut findings = Vec::new();
    for settings in &config.cameras {
        findings.extend(look_at(settings).await);
    }
    findings
}

async fn look_at(settings: &CameraSettings) -> Vec<Finding> {
    let id = &settings.id;
    let plan = match settings.plan() {
        Ok(plan) => plan,
        Err(error) => return vec![Finding::bad(PART, error.to_string(), "change the settings that are named")],
    };
    let mut findings = vec![judge(&format!("{id}"), play(&plan.main).await, plan.photos.is_some())];
    if let Some(sub) = &plan.sub {
        findings.push(judge(&format!("{id}, smaller stream"), play(sub).await, true));
    }
    if let Some(snapshot) = plan.photos {
        let taken = tokio::task::spawn_blocking(move || snapshot.take().map_err(|error| error.to_string())).await;
        findings.push(match taken.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(jpeg) => Finding::good(PART, format!("{id}: gives photos, {} kB", jpeg.len() / 1000)),
            Err(error) => Finding::bad(PART, format!("{id}, photos: {error}"), "try `photo_url` in a browser"),
        });
    }
    findings
}

/// Until the first picture.
async fn play(camera: &Camera) -> Result<(Parameters, bool), SourceError> {
    let mut session = RtspSession::open(camera).await?;
    let mut parameters = None;
    let first = timeout(PATIENCE, async {
        loop {
            match session.next().await? {
                Item::Parameters(told) => parameters = Some(told),
                Item::Unit(unit) if unit.is_key => return Ok(()),
                Item::Unit(_) | Item::Sound(_) => {}
            }
        }
    });
    first.await.unwrap_or(Err(SourceError::Stalled { deadline: PATIENCE }))?;
    let sounds = session.sound().is_some();
    session.close().await;
    let parameters = parameters.ok_or(SourceError::Ended)?;
    Ok(((*parameters).clone(), sounds))
}

fn judge(name: &str, played: Result<(Parameters, bool), SourceError>, has_photos: bool) -> Finding {
    match played {
        Ok((parameters, sounds)) => {
            let Parameters { codec, rfc6381, width, height, .. } = &parameters;
            let sound = if sounds { ", with sound" } else { "" };
            let found = format!("{name}: {codec} ({rfc6381}), {width} by {height}{sound}");
            if !parameters.plays_in_browsers() {
                return Finding::note(PART, format!("{found}; browsers do not play it, H.264 they do"));
            }
            match has_photos || can_be_made_of(*codec) {
                true => Finding::good(PART, found),
                false => Finding::good(PART, format!("{found}; no photos without `photo_url`")),
            }
        }
        Err(error) => Finding::bad(PART, format!("{name}: {error}"), advice(&error)),
    }
}

fn advice(error: &SourceError) -> &'static str {
    match error {
        SourceError::Url { .. } => "change its `url`",
        SourceError::Unauthorized => "correct `user` and the first line of `password_file`",
        SourceError::NoVideo { .. } => "set the camera to H.264, or give the `url` of another of its streams",
        SourceError::BFrames => "in the camera's own pages, under video encoding",
        SourceError::TimedOut { .. } | SourceError::Protocol { .. } | SourceError::Ended => {
            "has it power, and does `ping` reach it? The camera's manual tells its RTSP address"
        }
        SourceError::Stalled { .. } => "start the camera anew; over `udp` a firewall may stand in the way",
    }
}
