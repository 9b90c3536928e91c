//! Settings of the agent, as they stand in `agent.toml`.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    str::FromStr,
};

use bugbrother_wire::Vin;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};

use crate::link::{Address, Link, LinkError};

/// Settings of the agent. Each is a key of `agent.toml`; an unknown key is refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The vehicle; may be absent where OBD-II tells it.
    #[serde(default, deserialize_with = "vin")]
    pub vin: Option<Vin>,
    /// The MQTT broker, `host:port`.
    #[serde(deserialize_with = "text")]
    pub broker: Address,
    /// MQTT user name; the VIN if absent, which is what the fleet's broker knows vehicles by.
    #[serde(default)]
    pub username: Option<String>,
    /// MQTT password; better kept in `password_file`.
    #[serde(default)]
    pub password: Option<SecretString>,
    /// File whose first line is the MQTT password. Nobody but its owner may be able to read it.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Where positions come from: `serial:/dev/ttyUSB0@9600`, `tcp:host:port`, `file:PATH[@SPEED]` or `none`.
    #[serde(default, deserialize_with = "gps")]
    pub gps: Option<GpsSource>,
    /// Where the OBD-II adapter is: `serial:/dev/rfcomm0@38400`, `tcp:host:port` or `none`.
    #[serde(default, deserialize_with = "obd")]
    pub obd: Option<Link>,
    /// The outbox file; it is made if it is not there.
    pub outbox: PathBuf,
    /// Most bytes of records that the outbox holds.
    #[serde(default = "default_outbox_bytes")]
    pub outbox_max_bytes: u64,
    /// End when a recording has been replayed and the database has all of it.
    #[serde(default)]
    pub exit_when_done: bool,
}

/// Where positions come from.
#[derive(Debug, Clone, PartialEq)]
pub enum GpsSource {
    /// A receiver.
    Receiver(Link),
    /// A recording of one, plain or gzipped.
    Recording {
        /// The file.
        path: PathBuf,
        /// How fast it goes.
        speed: Speed,
    },
}

/// How fast a recording goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was recorded.
    Times(f64),
    /// As fast as it is taken.
    Max,
}

/// Why settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nothing would ever be recorded.
    #[error("neither `gps` nor `obd` is set: give at least one, such as `gps = \"serial:/dev/ttyUSB0@9600\"`")]
    NoSensor,
    /// Nobody can tell which vehicle this is.
    #[error("`vin` is not set and without `obd` nothing else tells it")]
    NoVin,
    /// Built without OBD-II.
    #[error("`obd` is set, but this agent was built without the feature `obd`")]
    NoObd,
    /// Too small for a single record.
    #[error("`outbox_max_bytes` is {0}, the least is {LEAST_OUTBOX_BYTES}")]
    OutboxTooSmall(u64),
    /// Nothing ever ends.
    #[error("`exit_when_done` wants a recording, as in `gps = \"file:drive.nmea\"`")]
    NeverDone,
    /// No password, or two.
    #[error("set one of `password_file` and `password` (or the variable BUGBROTHER_PASSWORD)")]
    Password,
    /// The password file cannot be read.
    #[error("`password_file` {path} cannot be read")]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others can read the password file.
    #[error("`password_file` {0} can be read by others: chmod 600 {0}")]
    PasswordFileMode(PathBuf),
    /// The password file holds none.
    #[error("`password_file` {0} has no password in its first line")]
    PasswordFileEmpty(PathBuf),
}

/// A batch is far below 256 KiB; a hundred of them are the least that makes sense to keep.
const LEAST_OUTBOX_BYTES: u64 = 1 << 20;
const LARGEST_SPEED: f64 = 10_000.0;
const NMEA_BAUD: u32 = 9600;
const ELM327_BAUD: u32 = 38_400;

fn default_outbox_bytes() -> u64 {
    256 << 20
}

impl Config {
    /// Settings with neither sensor nor VIN, for programs that build them in code.
    pub fn new(broker: Address, password: SecretString, outbox: PathBuf) -> Self {
        Config {
            vin: None,
            broker,
            username: None,
            password: Some(password),
            password_file: None,
            gps: None,
            obd: None,
            outbox,
            outbox_max_bytes: default_outbox_bytes(),
            exit_when_done: false,
        }
    }

    /// Refuses settings that cannot work together.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.obd.is_some() && cfg!(not(feature = "obd")) {
            return Err(ConfigError::NoObd);
        }
        if self.gps.is_none() && self.obd.is_none() {
            return Err(ConfigError::NoSensor);
        }
        if self.vin.is_none() && self.obd.is_none() {
            return Err(ConfigError::NoVin);
        }
        if self.outbox_max_bytes < LEAST_OUTBOX_BYTES {
            return Err(ConfigError::OutboxTooSmall(self.outbox_max_bytes));
        }
        let ends = matches!(self.gps, Some(GpsSource::Recording { .. }));
        if self.exit_when_done && !ends {
            return Err(ConfigError::NeverDone);
        }
        if self.password.is_some() == self.password_file.is_some() {
            return Err(ConfigError::Password);
        }
        Ok(())
    }

    /// The MQTT password, from the settings or from the file that they name.
    pub fn read_password(&self) -> Result<SecretString, ConfigError> {
        match (&self.password, &self.password_file) {
            (Some(password), None) => Ok(password.expose_secret().into()),
            (None, Some(path)) => read_password_file(path),
            _ => Err(ConfigError::Password),
        }
    }
}

fn read_password_file(path: &Path) -> Result<SecretString, ConfigError> {
    let failed = |source| ConfigError::PasswordFile { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(ConfigError::PasswordFileMode(path.to_owned()));
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.into()),
        _ => Err(ConfigError::PasswordFileEmpty(path.to_owned())),
    }
}

impl FromStr for GpsSource {
    type Err = GpsSourceError;

    fn from_str(text: &str) -> Result<Self, GpsSourceError> {
        let Some(file) = text.strip_prefix("file:") else {
            return Ok(GpsSource::Receiver(Link::parse(text, NMEA_BAUD)?));
        };
        let (path, speed) = match file.rsplit_once('@') {
            Some((path, speed)) => (path, speed.parse()?),
            None => (file, Speed::Times(1.0)),
        };
        if path.is_empty() {
            return Err(GpsSourceError::NoFile);
        }
        Ok(GpsSource::Recording { path: path.into(), speed })
    }
}

impl FromStr for Speed {
    type Err = GpsSourceError;

    fn from_str(text: &str) -> Result<Self, GpsSourceError> {
        if text == "max" {
            return Ok(Speed::Max);
        }
        let times = text.strip_suffix('x').unwrap_or(text).parse().ok();
        times
            .filter(|times| *times > 0.0 && *times <= LARGEST_SPEED)
            .map(Speed::Times)
            .ok_or_else(|| GpsSourceError::Speed(text.to_owned()))
    }
}

/// Why a text is not a source of positions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpsSourceError {
    /// Not a receiver either.
    #[error("{0}; a recording is `file:PATH[@SPEED]`")]
    Link(#[from] LinkError),
    /// The name of the file is missing.
    #[error("`file:` wants a file, as in `file:drive.nmea.gz@10`")]
    NoFile,
    /// No speed.
    #[error("speed `{0}` is neither `max` nor a number above 0 and up to 10000")]
    Speed(String),
}

fn text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(de::Error::custom)
}

fn vin<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vin>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Vin::parse_lenient(&text).map(Some).map_err(de::Error::custom)
}

fn gps<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<GpsSource>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "none" => Ok(None),
        source => source.parse().map(Some).map_err(de::Error::custom),
    }
}

fn obd<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Link>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "none" => Ok(None),
        link => Link::parse(link, ELM327_BAUD).map(Some).map_err(de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        vin = "wvwzzz1jz3w386752"
        broker = "localhost:1883"
        password = "s3cret"
        gps = "file:drive.nmea.gz@10"
        outbox = "outbox.db"
    "#;

    #[test]
    fn settings_are_read() {
        let config: Config = toml::from_str(GOOD).unwrap();
        config.check().unwrap();
        assert_eq!(config.vin.unwrap().as_str(), "WVWZZZ1JZ3W386752");
        let Some(GpsSource::Recording { path, speed }) = config.gps else { panic!("{:?}", config.gps) };
        assert_eq!(path, Path::new("drive.nmea.gz"));
        assert_eq!(speed, Speed::Times(10.0));
    }

    #[test]
    fn a_wrong_setting_is_refused_by_its_name() {
        for (from, to, key) in [
            ("vin =", "win =", "win"),
            ("wvwzzz1jz3w386752", "WVW", "vin"),
            ("localhost:1883", "localhost", "broker"),
            ("@10", "@fast", "gps"),
            ("@10", "@-1", "gps"),
            ("file:", "ftp:", "gps"),
            ("outbox = \"outbox.db\"", "", "outbox"),
        ] {
            let error = toml::from_str::<Config>(&GOOD.replace(from, to)).unwrap_err();
            assert!(error.to_string().contains(key), "{to}: {error}");
        }
    }

    #[test]
    fn settings_that_cannot_work_together_are_refused() {
        for (from, to, part) in [
            ("gps = \"file:drive.nmea.gz@10\"", "", "neither `gps` nor `obd`"),
            ("vin = \"wvwzzz1jz3w386752\"", "", "`vin`"),
            ("password = \"s3cret\"", "", "`password_file`"),
            ("file:drive.nmea.gz@10\"", "tcp:h:1\"\nexit_when_done = true", "recording"),
            ("outbox =", "outbox_max_bytes = 10\noutbox =", "least"),
        ] {
            let config: Config = toml::from_str(&GOOD.replace(from, to)).unwrap();
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(part), "{to}: {error}");
        }
    }

    #[test]
    fn a_password_that_others_can_read_is_refused_and_none_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, "s3cret\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read_password_file(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_password_file(&path).unwrap().expose_secret(), "s3cret");
        let config: Config = toml::from_str(GOOD).unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
