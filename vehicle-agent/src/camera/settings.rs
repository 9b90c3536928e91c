use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use bugbrother_video::{Camera, Credentials, Limits, Snapshot, Transport};
use bugbrother_wire::{
    CameraId,
    message::{EventKind, HELD_MS},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config::{ConfigError, read_secret};

/// Most cameras of a vehicle.
pub const MOST: usize = 8;
/// Longest film before a moment.
pub const LONGEST_BEFORE_S: u32 = 30;
/// Longest film after a moment.
pub const LONGEST_AFTER_S: u32 = 60;
/// How much of a camera's last seconds is held. A GOP is dropped as a whole: thirty seconds are there where a little more is held.
pub(crate) const HELD: Duration = Duration::from_millis(HELD_MS.unsigned_abs());
/// Least that is worth keeping.
const LEAST_BYTES: u64 = 10_000_000;

/// A camera: `[[camera]]` in `agent.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraSettings {
    /// Its name in the vehicle: 1 to 32 of `a-z`, `0-9` and `-`, such as `dash-1`.
    pub id: CameraId,
    /// What people call it; its name if absent.
    #[serde(default)]
    pub label: Option<String>,
    /// Its stream, `rtsp://…`, without user name and password.
    pub url: String,
    /// A smaller stream of the same picture, for live viewers where the network is slow.
    #[serde(default)]
    pub sub_url: Option<String>,
    /// Where it gives a JPEG by HTTP, `http://…`.
    #[serde(default)]
    pub photo_url: Option<String>,
    /// Its user, where it wants one.
    #[serde(default)]
    pub user: Option<String>,
    /// File whose first line is the user's password. Nobody but its owner may be able to read it.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// How its stream comes: `tcp` (if absent) or `udp`.
    #[serde(default)]
    pub transport: Way,
    /// A photo every so many minutes, from 1 to 1440; none if absent.
    #[serde(default)]
    pub photo_every_min: Option<u32>,
    /// Whether the last seconds are always held, for films of what has happened.
    #[serde(default = "yes")]
    pub record: bool,
    /// Whether films have sound, where the camera has AAC. Ask whether you may.
    #[serde(default)]
    pub sound: bool,
}

/// How a stream comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Through the RTSP connection.
    #[default]
    Tcp,
    /// In datagrams.
    Udp,
}

fn yes() -> bool {
    true
}

/// What becomes of photos and films: `[media]` in `agent.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediaSettings {
    /// The folder that they wait in; `media` beside the outbox if absent.
    pub folder: Option<PathBuf>,
    /// Most bytes of them, from 10000000: the oldest go when there are more.
    pub max_bytes: u64,
    /// The events that are filmed by every camera that records.
    pub film: BTreeSet<Filmed>,
    /// Seconds of film before an event, up to 30.
    pub before_s: u32,
    /// Seconds of film after an event, up to 60.
    pub after_s: u32,
    /// Most bytes that a camera's last seconds may take in memory, from 1000000.
    pub ring_bytes: u64,
    /// Most bytes a second that are uploaded, from 1000; no limit if absent.
    pub upload_bytes_s: Option<u64>,
    /// Most bytes that are uploaded in a day (UTC); no limit if absent. They are beside `daily_bytes`.
    pub upload_daily_bytes: Option<u64>,
}

impl Default for MediaSettings {
    fn default() -> Self {
        MediaSettings {
            folder: None,
            max_bytes: 2_000_000_000,
            film: [Filmed::Crash, Filmed::HarshBraking, Filmed::Tow, Filmed::PanicButton].into(),
            before_s: LONGEST_BEFORE_S,
            after_s: 15,
            ring_bytes: 32 << 20,
            upload_bytes_s: None,
            upload_daily_bytes: None,
        }
    }
}

/// An event that may be filmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filmed {
    /// A crash.
    Crash,
    /// Braked harder than the threshold.
    HarshBraking,
    /// Accelerated harder than the threshold.
    HarshAcceleration,
    /// Cornered harder than the threshold.
    HarshCornering,
    /// Moved with the ignition off.
    Tow,
    /// Entered a geofence.
    GeofenceEnter,
    /// Left a geofence.
    GeofenceLeave,
    /// The panic button was pressed.
    PanicButton,
    /// A door or another contact opened or closed.
    Contact,
}

impl Filmed {
    /// Which of them an event is.
    pub fn of(kind: EventKind) -> Option<Self> {
        Some(match kind {
            EventKind::Crash => Filmed::Crash,
            EventKind::HarshBraking => Filmed::HarshBraking,
            EventKind::HarshAcceleration => Filmed::HarshAcceleration,
            EventKind::HarshCornering => Filmed::HarshCornering,
            EventKind::Tow => Filmed::Tow,
            EventKind::GeofenceEnter => Filmed::GeofenceEnter,
            EventKind::GeofenceLeave => Filmed::GeofenceLeave,
            EventKind::PanicButton => Filmed::PanicButton,
            EventKind::Contact => Filmed::Contact,
            _ => return None,
        })
    }

    /// Whether its film goes first.
    pub fn is_urgent(self) -> bool {
        matches!(self, Filmed::Crash | Filmed::PanicButton | Filmed::Tow)
    }
}

/// A camera as it is used.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub id: CameraId,
    pub main: Camera,
    pub sub: Option<Camera>,
    pub photos: Option<Snapshot>,
    pub photo_every: Option<Duration>,
    pub records: bool,
}

impl CameraSettings {
    /// What people call it.
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or(self.id.as_str())
    }

    /// Refuses what cannot be; reads the password.
    pub(crate) fn plan(&self) -> Result<Plan, ConfigError> {
        let wrong = |problem: String| ConfigError::Camera { id: self.id.clone(), problem };
        let password = match (&self.user, &self.password_file) {
            (Some(_), Some(path)) => read_secret("password_file", path)?,
            (None, None) => SecretString::default(),
            (Some(_), None) => return Err(wrong("`user` is set without `password_file`".to_owned())),
            (None, Some(_)) => return Err(wrong("`password_file` is set without `user`".to_owned())),
        };
        let credentials = self.user.clone().map(|username| {
            let password = password.expose_secret().to_owned();
            Credentials { username, password }
        });
        let stream = |url: &str| {
            let mut camera = Camera::new(url, credentials.clone()).map_err(|error| wrong(error.to_string()))?;
            camera.transport = if self.transport == Way::Udp { Transport::Udp } else { Transport::Tcp };
            Ok::<_, ConfigError>(camera)
        };
        let mut main = stream(&self.url)?;
        main.sound = self.sound;
        let photos = self.photo_url.as_deref().map(|url| Snapshot::new(url, credentials.clone()));
        let photo_every = match self.photo_every_min {
            Some(minutes @ 1..=1440) => Some(Duration::from_secs(u64::from(minutes) * 60)),
            Some(_) => return Err(wrong("`photo_every_min` must be from 1 to 1440".to_owned())),
            None => None,
        };
        if self.label().is_empty() || self.label().chars().count() > 80 {
            return Err(wrong("`label` must have 1 to 80 characters".to_owned()));
        }
        Ok(Plan {
            id: self.id.clone(),
            main,
            sub: self.sub_url.as_deref().map(stream).transpose()?,
            photos: photos.transpose().map_err(|error| wrong(error.to_string()))?,
            photo_every,
            records: self.record,
        })
    }
}

impl MediaSettings {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let ranges = [
            ("media.before_s", u64::from(self.before_s), 0, u64::from(LONGEST_BEFORE_S)),
            ("media.after_s", u64::from(self.after_s), 1, u64::from(LONGEST_AFTER_S)),
            ("media.max_bytes", self.max_bytes, LEAST_BYTES, u64::MAX / 2),
            ("media.ring_bytes", self.ring_bytes, 1_000_000, 1 << 30),
            ("media.upload_bytes_s", self.upload_bytes_s.unwrap_or(1_000), 1_000, u64::MAX / 2),
        ];
        let wrong = ranges.into_iter().find(|(_, value, least, most)| !(least..=most).contains(&value));
        match wrong {
            Some((name, value, least, most)) => Err(ConfigError::Measure { name, value, least, most }),
            None => Ok(()),
        }
    }

    /// How much of a camera's last seconds is held.
    pub(crate) fn ring(&self) -> Limits {
        Limits { duration: HELD, bytes: usize::try_from(self.ring_bytes).unwrap_or(usize::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(more: &str) -> Result<Plan, String> {
        let text = format!("id = 'dash-1'\nurl = 'rtsp://10.0.0.2/1'\n{more}");
        let settings: CameraSettings = toml::from_str(&text).map_err(|error| error.to_string())?;
        settings.plan().map_err(|error| error.to_string())
    }

    #[test]
    fn a_camera_needs_a_name_and_a_stream_and_nothing_else() {
        let plan = plan("").unwrap();
        assert_eq!((plan.id.as_str(), plan.records, plan.photo_every), ("dash-1", true, None));
    }

    #[test]
    fn what_is_wrong_with_a_camera_is_said_with_its_name() {
        for (more, part) in [
            ("sub_url = 'http://10.0.0.2/'", "camera `dash-1`: camera URL: it must start with rtsp://"),
            ("photo_url = 'rtsp://10.0.0.2/'", "camera `dash-1`: photo URL: it must start with http://"),
            ("photo_every_min = 0", "from 1 to 1440"),
            ("user = 'viewer'", "`user` is set without `password_file`"),
            ("password = 'x'", "password"),
            ("label = ''", "1 to 80 characters"),
        ] {
            let error = plan(more).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn films_have_sane_measures() {
        assert!(MediaSettings::default().check().is_ok());
        let settings: MediaSettings = toml::from_str("film = ['geofence_enter']\nafter_s = 61").unwrap();
        let error = settings.check().unwrap_err().to_string();
        assert!(error.contains("`media.after_s` is 61, it must be from 1 to 60"), "{error}");
        assert!(toml::from_str::<MediaSettings>("film = ['sunset']").is_err());
    }
}
