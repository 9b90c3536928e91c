use std::path::PathBuf;

use bugbrother_wire::CameraId;

use super::{LEAST_DAILY_BYTES, LEAST_OUTBOX_BYTES};
use crate::camera;

/// Why settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nothing would ever be recorded.
    #[error("neither `gps` nor `obd` is set: give at least one, such as `gps = \"auto\"`")]
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
    /// Not even for the connections.
    #[error("`daily_bytes` is {0}, the least is {LEAST_DAILY_BYTES}")]
    TooFewBytes(u64),
    /// A number that is none of those that make sense.
    #[error("`{name}` is {value}, it must be from {least} to {most}")]
    Range {
        /// Which.
        name: &'static str,
        /// What it is.
        value: u32,
        /// The least that it may be.
        least: u32,
        /// The most that it may be.
        most: u32,
    },
    /// The same of larger ones.
    #[error("`{name}` is {value}, it must be from {least} to {most}")]
    Measure {
        /// Which.
        name: &'static str,
        /// What it is.
        value: u64,
        /// The least that it may be.
        least: u64,
        /// The most that it may be.
        most: u64,
    },
    /// A camera that cannot be.
    #[error("camera `{id}`: {problem}")]
    Camera {
        /// Which.
        id: CameraId,
        /// What is wrong with it.
        problem: String,
    },
    /// More than a vehicle has.
    #[error("there are {0} cameras, at most {most} are taken", most = camera::MOST)]
    TooManyCameras(usize),
    /// Two cameras of one name.
    #[error("two cameras are called `{0}`")]
    SameCamera(CameraId),
    /// Nothing ever ends.
    #[error("`exit_when_done` wants a recording, as in `gps = \"file:drive.nmea\"`")]
    NeverDone,
    /// All could be read and changed on its way.
    #[error("`broker` is on another machine and would be spoken to without TLS: use mqtts://, or set `insecure`")]
    Insecure,
    /// Without TLS it would not be used.
    #[error("`{0}` is for TLS, and `broker` does not start with mqtts://")]
    WithoutTls(&'static str),
    /// A certificate is of no use without its key, and the other way round.
    #[error("`{0}` is set without `{1}`")]
    HalfIdentity(&'static str, &'static str),
    /// No password, or two.
    #[error(
        "set one of `password_file` and `password` (or the variable BUGBROTHER_PASSWORD), or `certificate` and `key`"
    )]
    Password,
    /// The password file or the key cannot be read.
    #[error("`{setting}` {path} cannot be read")]
    SecretFile {
        /// Which of the two.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others can read the password file or the key.
    #[error("`{setting}` {path} can be read by others: chmod 600 {path}")]
    SecretFileMode {
        /// Which of the two.
        setting: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The password file holds none.
    #[error("`password_file` {0} has no password in its first line")]
    PasswordFileEmpty(PathBuf),
}
