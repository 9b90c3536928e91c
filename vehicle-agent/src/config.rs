//! Settings of the agent, as they stand in `agent.toml`.

mod error;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use bugbrother_client::Tls;
use bugbrother_wire::Vin;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};

pub use self::error::ConfigError;
pub use crate::gps::{GpsSource, GpsSourceError, Speed};
use crate::{
    camera::{self, CameraSettings, MediaSettings},
    link::{Broker, Brokers, LinkError},
    microcontroller,
    obd::{Adapter, DEFAULT_SLEEP_AFTER_S},
    outbox::Grouping,
    recorder::Rhythm,
    uplink::{RETURN_AFTER_S, pace::Pace},
};

/// Settings of the agent. Each is a key of `agent.toml`; an unknown key is refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The vehicle; may be absent where OBD-II tells it.
    #[serde(default, deserialize_with = "vin")]
    pub vin: Option<Vin>,
    /// The MQTT broker, `mqtts://host:port`; without TLS, `host:port`, it must be on this machine or `insecure` be set. An
    /// array of them, or a text with commas, is tried in turn: one that works is stayed with, and those before it are
    /// tried again every 10 to 20 minutes (`return_after_s`).
    #[serde(deserialize_with = "brokers")]
    pub broker: Brokers,
    /// On another broker than the first, those before it are tried again after so many seconds at least and twice as many at
    /// most, from 1 to 86400; 600 if absent.
    #[serde(default = "default_return_after_s")]
    pub return_after_s: u32,
    /// File with the certificates of those who may sign the broker's; those that this system trusts if absent.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// File with this vehicle's certificate, which stands for a password.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// File with the certificate's private key. Nobody but its owner may be able to read it.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// Folder with this vehicle's identity, as `bugbrother-agent enroll` makes it: then `vin`, `broker`, `ca`, `certificate`
    /// and `key` come from there where they are not set, the outbox is in it, receiver and adapter are looked for, and the
    /// certificate is renewed in time.
    #[serde(default)]
    pub identity: Option<PathBuf>,
    /// Whether a broker on another machine may be spoken to without TLS: anybody in between can read and change all of it.
    #[serde(default)]
    pub insecure: bool,
    /// MQTT user name; the VIN if absent, which is what the fleet's broker knows vehicles by.
    #[serde(default)]
    pub username: Option<String>,
    /// MQTT password; better kept in `password_file`.
    #[serde(default)]
    pub password: Option<SecretString>,
    /// File whose first line is the MQTT password. Nobody but its owner may be able to read it.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Where positions come from: `auto`, `serial:/dev/ttyUSB0[@9600]`, `tcp:host:port`, `gpsd[:host[:port]]`,
    /// `file:PATH[@SPEED]` or `none`.
    #[serde(default, deserialize_with = "gps")]
    pub gps: Option<GpsSource>,
    /// Where the OBD-II adapter is: `auto`, `serial:/dev/rfcomm0[@38400]`, `tcp:host:port` or `none`.
    #[serde(default, deserialize_with = "obd")]
    pub obd: Option<Adapter>,
    /// So many seconds after the engine was switched off the car is asked nothing any more, which spares its battery; at
    /// least 30.
    #[serde(default = "default_obd_sleep_after_s")]
    pub obd_sleep_after_s: u64,
    /// The folder of the device files in which `auto` looks for receiver and adapter.
    #[serde(default = "default_devices")]
    pub devices: PathBuf,
    /// Where a microcontroller with extra sensors is: `auto`, `serial:/dev/ttyACM0@115200`, `tcp:host:port` or `none`.
    #[serde(default, deserialize_with = "microcontroller")]
    pub microcontroller: Option<microcontroller::Source>,
    /// The outbox file; it is made if it is not there.
    pub outbox: PathBuf,
    /// Most bytes of records that the outbox holds.
    #[serde(default = "default_outbox_bytes")]
    pub outbox_max_bytes: u64,
    /// Samples are written to the disk at most so often, in seconds from 1 to 60: a memory card lives the longer, and a
    /// power cut and every viewer's picture are so much older. Events are written at once.
    #[serde(default = "default_write_every_s")]
    pub write_every_s: u32,
    /// Most records a second of what was recorded out of reach, from 1 to 10000.
    #[serde(default = "default_backfill_records_s")]
    pub backfill_records_s: u32,
    /// Most bytes a second of what was recorded out of reach, from 1000 to 100000000.
    #[serde(default = "default_backfill_bytes_s")]
    pub backfill_bytes_s: u32,
    /// How long samples are gathered before they are sent, in seconds from 1 to 60; 1 if absent, 30 in economy. Viewers
    /// see the vehicle so much later. Events are sent at once.
    #[serde(default)]
    pub batch_s: Option<u32>,
    /// Save bytes: one row a second, values rounded to what matters and left out for up to 30 s while they do not change.
    #[serde(default)]
    pub economy: bool,
    /// Most bytes over the network in a day (UTC), from 100000; without it there is no limit. The fleet's own goes before it.
    #[serde(default)]
    pub daily_bytes: Option<u64>,
    /// The fleet's server, `https://…`, for photos, films and live pictures; that of the identity if absent.
    #[serde(default)]
    pub server: Option<String>,
    /// File with the certificates of those who may sign the server's; those that this system trusts if absent.
    #[serde(default)]
    pub server_ca: Option<PathBuf>,
    /// The cameras.
    #[serde(default, rename = "camera")]
    pub cameras: Vec<CameraSettings>,
    /// What becomes of photos and films.
    #[serde(default)]
    pub media: MediaSettings,
    /// End when a recording has been replayed and the database has all of it.
    #[serde(default)]
    pub exit_when_done: bool,
    /// Print what would be sent, and send nothing; there is no such setting in a file.
    #[serde(skip)]
    pub dry_run: bool,
}

/// A batch is far below 256 KiB; a hundred of them are the least that makes sense to keep.
const LEAST_OUTBOX_BYTES: u64 = 1 << 20;
const LEAST_DAILY_BYTES: u64 = 100_000;

fn default_return_after_s() -> u32 {
    RETURN_AFTER_S
}

fn default_write_every_s() -> u32 {
    1
}

/// Two hours at a batch a second are through in 144 s.
fn default_backfill_records_s() -> u32 {
    50
}

fn default_backfill_bytes_s() -> u32 {
    64 << 10
}

fn default_outbox_bytes() -> u64 {
    256 << 20
}

fn default_devices() -> PathBuf {
    "/dev".into()
}

fn default_obd_sleep_after_s() -> u64 {
    DEFAULT_SLEEP_AFTER_S
}

impl Config {
    /// Settings with neither sensor nor VIN, for programs that build them in code.
    pub fn new(broker: impl Into<Brokers>, password: SecretString, outbox: PathBuf) -> Self {
        Config {
            vin: None,
            broker: broker.into(),
            return_after_s: default_return_after_s(),
            ca: None,
            certificate: None,
            key: None,
            identity: None,
            insecure: false,
            username: None,
            password: Some(password),
            password_file: None,
            gps: None,
            obd: None,
            obd_sleep_after_s: default_obd_sleep_after_s(),
            devices: default_devices(),
            microcontroller: None,
            outbox,
            outbox_max_bytes: default_outbox_bytes(),
            write_every_s: default_write_every_s(),
            backfill_records_s: default_backfill_records_s(),
            backfill_bytes_s: default_backfill_bytes_s(),
            batch_s: None,
            economy: false,
            daily_bytes: None,
            server: None,
            server_ca: None,
            cameras: Vec::new(),
            media: MediaSettings::default(),
            exit_when_done: false,
            dry_run: false,
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
        for (name, value, range) in [
            ("batch_s", self.batch_s.unwrap_or(1), 1..=60),
            ("write_every_s", self.write_every_s, 1..=60),
            ("return_after_s", self.return_after_s, 1..=86_400),
            ("backfill_records_s", self.backfill_records_s, 1..=10_000),
            ("backfill_bytes_s", self.backfill_bytes_s, 1_000..=100_000_000),
        ] {
            if !range.contains(&value) {
                return Err(ConfigError::Range { name, value, least: *range.start(), most: *range.end() });
            }
        }
        if let Some(bytes) = self.daily_bytes.filter(|bytes| *bytes < LEAST_DAILY_BYTES) {
            return Err(ConfigError::TooFewBytes(bytes));
        }
        self.check_cameras()?;
        let ends = matches!(self.gps, Some(GpsSource::Recording { .. }));
        if self.exit_when_done && !ends {
            return Err(ConfigError::NeverDone);
        }
        if !self.broker.are_secure() && !self.broker.are_local() && !self.insecure {
            return Err(ConfigError::Insecure);
        }
        let for_tls = [("ca", &self.ca), ("certificate", &self.certificate), ("key", &self.key)];
        // Certificate and key may be for the fleet's server alone.
        let for_nothing = |name: &str| name == "ca" || self.server.is_none();
        let unused = |(name, path): &&(&'static str, &Option<PathBuf>)| path.is_some() && for_nothing(name);
        if let Some((name, _)) = for_tls.iter().find(unused).filter(|_| !self.broker.are_secure()) {
            return Err(ConfigError::WithoutTls(name));
        }
        match (&self.certificate, &self.key) {
            (Some(_), None) => return Err(ConfigError::HalfIdentity("certificate", "key")),
            (None, Some(_)) => return Err(ConfigError::HalfIdentity("key", "certificate")),
            _ => {}
        }
        let passwords = usize::from(self.password.is_some()) + usize::from(self.password_file.is_some());
        if passwords > 1 || (passwords == 0 && self.certificate.is_none()) {
            return Err(ConfigError::Password);
        }
        Ok(())
    }

    fn check_cameras(&self) -> Result<(), ConfigError> {
        if self.cameras.len() > camera::MOST {
            return Err(ConfigError::TooManyCameras(self.cameras.len()));
        }
        for (index, camera) in self.cameras.iter().enumerate() {
            camera.plan()?;
            if self.cameras[..index].iter().any(|other| other.id == camera.id) {
                return Err(ConfigError::SameCamera(camera.id.clone()));
            }
        }
        self.media.check()
    }

    /// How batches are made.
    pub fn rhythm(&self) -> Rhythm {
        let seconds = self.batch_s.unwrap_or(if self.economy { 30 } else { 1 });
        Rhythm { wait: Duration::from_secs(seconds.into()), economy: self.economy }
    }

    /// When what is recorded is written.
    pub fn grouping(&self) -> Grouping {
        Grouping { every: Duration::from_secs(self.write_every_s.into()) }
    }

    /// How fast goes what was recorded out of reach.
    pub fn pace(&self) -> Pace {
        Pace { records_s: self.backfill_records_s, bytes_s: self.backfill_bytes_s }
    }

    /// How the broker is to be spoken to by TLS, if at all. A key that others can read is refused.
    pub fn tls(&self) -> Result<Option<Tls>, ConfigError> {
        if let Some(key) = &self.key {
            check_mode("key", key)?;
        }
        let identity = self.certificate.clone().zip(self.key.clone());
        Ok(self.broker.are_secure().then(|| Tls { ca: self.ca.clone(), identity }))
    }

    /// The MQTT password, from the settings or from the file that they name; empty when a certificate stands for it.
    pub fn read_password(&self) -> Result<SecretString, ConfigError> {
        match (&self.password, &self.password_file) {
            (Some(password), None) => Ok(password.expose_secret().into()),
            (None, Some(path)) => read_secret("password_file", path),
            (None, None) if self.certificate.is_some() => Ok(SecretString::default()),
            _ => Err(ConfigError::Password),
        }
    }
}

fn check_mode(setting: &'static str, path: &Path) -> Result<(), ConfigError> {
    let path = path.to_owned();
    match fs::metadata(&path) {
        Ok(file) if file.permissions().mode() & 0o077 == 0 => Ok(()),
        Ok(_) => Err(ConfigError::SecretFileMode { setting, path }),
        Err(source) => Err(ConfigError::SecretFile { setting, path, source }),
    }
}

/// The first line of a file that nobody else can read.
pub(crate) fn read_secret(setting: &'static str, path: &Path) -> Result<SecretString, ConfigError> {
    check_mode(setting, path)?;
    let failed = |source| ConfigError::SecretFile { setting, path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(failed)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.into()),
        _ => Err(ConfigError::PasswordFileEmpty(path.to_owned())),
    }
}

fn brokers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Brokers, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "`broker` wants a text, or an array of texts")]
    enum Form {
        Text(String),
        Array(Vec<String>),
    }
    let parsed = match Form::deserialize(deserializer)? {
        Form::Text(text) => text.parse(),
        Form::Array(texts) => {
            let brokers: Result<Vec<Broker>, LinkError> = texts.iter().map(|text| text.parse()).collect();
            brokers.and_then(Brokers::try_from)
        }
    };
    parsed.map_err(de::Error::custom)
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

fn microcontroller<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<microcontroller::Source>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "none" => Ok(None),
        source => source.parse().map(Some).map_err(de::Error::custom),
    }
}

fn obd<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Adapter>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "none" => Ok(None),
        adapter => adapter.parse().map(Some).map_err(de::Error::custom),
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
        microcontroller = "auto"
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
        assert_eq!(config.microcontroller, Some(microcontroller::Source::Auto));
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
            ("\"auto\"", "\"usb\"", "microcontroller"),
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
            ("outbox =", "write_every_s = 0\noutbox =", "`write_every_s` is 0, it must be from 1 to 60"),
            ("outbox =", "daily_bytes = 9\noutbox =", "`daily_bytes` is 9, the least is 100000"),
            ("outbox =", "backfill_records_s = 0\noutbox =", "`backfill_records_s`"),
            ("localhost", "fleet.example.org", "`insecure`"),
            ("outbox =", "ca = \"ca.crt\"\noutbox =", "`ca` is for TLS"),
            ("localhost:1883\"", "mqtts://localhost:8883\"\ncertificate = \"x\"", "`certificate` is set without `key`"),
            ("localhost:1883\"", "mqtts://localhost:8883\"\nkey = \"x\"", "`key` is set without `certificate`"),
            ("outbox =", "password_file = \"x\"\noutbox =", "one of `password_file` and `password`"),
        ] {
            let config: Config = toml::from_str(&GOOD.replace(from, to)).unwrap();
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(part), "{to}: {error}");
        }
    }

    #[test]
    fn brokers_are_one_or_a_list() {
        let addresses = |broker: &str| {
            let config = toml::from_str::<Config>(&GOOD.replace("\"localhost:1883\"", broker)).unwrap();
            config.broker.addresses().map(|address| address.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(addresses("\"localhost:1883\""), ["localhost:1883"]);
        assert_eq!(addresses("\"mqtts://a:8883,mqtts://b:8883\""), ["a:8883", "b:8883"]);
        assert_eq!(addresses("[\"mqtts://a:8883\", \"mqtts://b:8883\"]"), ["a:8883", "b:8883"]);
        for wrong in ["[]", "7", "[\"mqtts://a:8883\", \"localhost:1883\"]"] {
            let error = toml::from_str::<Config>(&GOOD.replace("\"localhost:1883\"", wrong)).unwrap_err();
            assert!(error.to_string().contains("broker"), "{error}");
        }
    }

    #[test]
    fn a_certificate_stands_for_the_password_and_its_key_must_be_private() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("car.key");
        let identity = format!("mqtts://fleet.example.org:8883\"\ncertificate = \"x\"\nkey = \"{}\"", key.display());
        let text = GOOD.replace("password = \"s3cret\"", "").replace("localhost:1883\"", &identity);
        let config: Config = toml::from_str(&text).unwrap();
        config.check().unwrap();
        assert_eq!(config.read_password().unwrap().expose_secret(), "");
        let error = config.tls().unwrap_err().to_string();
        assert!(error.contains("`key`") && error.contains("cannot be read"), "{error}");
        fs::write(&key, "key\n").unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let error = config.tls().unwrap_err().to_string();
        assert!(error.contains("`key`") && error.contains("chmod 600"), "{error}");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(config.tls().unwrap(), Some(Tls { ca: None, identity: Some(("x".into(), key)) }));
        let plain: Config =
            toml::from_str(&GOOD.replace("localhost:1883\"", "10.0.0.1:1883\"\ninsecure = true")).unwrap();
        plain.check().unwrap();
        assert_eq!(plain.tls().unwrap(), None);
    }

    #[test]
    fn a_password_that_others_can_read_is_refused_and_none_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, "s3cret\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read_secret("password_file", &path).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_secret("password_file", &path).unwrap().expose_secret(), "s3cret");
        let config: Config = toml::from_str(GOOD).unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
