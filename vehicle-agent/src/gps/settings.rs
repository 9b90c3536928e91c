use std::{fmt, path::PathBuf, str::FromStr};

use crate::link::{Address, Link, LinkError};

/// Where positions come from.
#[derive(Debug, Clone, PartialEq)]
pub enum GpsSource {
    /// `auto`: on whichever serial port a receiver speaks.
    Auto,
    /// `serial:/dev/ttyUSB0`: on that port, at whichever speed it speaks.
    Serial(PathBuf),
    /// `serial:/dev/ttyUSB0@9600` or `tcp:host:port`: exactly there.
    Receiver(Link),
    /// `gpsd`, `gpsd:host` or `gpsd:host:port`: a gpsd, which has the receiver.
    Gpsd(Address),
    /// `file:PATH[@SPEED]`: a recording of a receiver, plain or gzipped.
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

const LARGEST_SPEED: f64 = 10_000.0;
const UNUSED_BAUD: u32 = 9600;
const GPSD_HOST: &str = "127.0.0.1";
/// Registered with IANA for gpsd.
const GPSD_PORT: u16 = 2947;

impl FromStr for GpsSource {
    type Err = GpsSourceError;

    fn from_str(text: &str) -> Result<Self, GpsSourceError> {
        match text {
            "auto" => return Ok(GpsSource::Auto),
            "gpsd" => return gpsd(""),
            _ => {}
        }
        if let Some(address) = text.strip_prefix("gpsd:") {
            return gpsd(address);
        }
        if let Some(file) = text.strip_prefix("file:") {
            return recording(file);
        }
        Ok(match Link::parse(text, UNUSED_BAUD)? {
            Link::Serial { path, .. } if !text.contains('@') => GpsSource::Serial(path),
            link => GpsSource::Receiver(link),
        })
    }
}

fn gpsd(text: &str) -> Result<GpsSource, GpsSourceError> {
    let wrong = || GpsSourceError::Gpsd(text.to_owned());
    let has_port = !text.ends_with(']') && text.contains(':');
    let address = match text {
        "" => Address { host: GPSD_HOST.to_owned(), port: GPSD_PORT },
        _ if has_port => text.parse().map_err(|_| wrong())?,
        host => format!("{host}:{GPSD_PORT}").parse().map_err(|_| wrong())?,
    };
    Ok(GpsSource::Gpsd(address))
}

fn recording(file: &str) -> Result<GpsSource, GpsSourceError> {
    let (path, speed) = match file.rsplit_once('@') {
        Some((path, speed)) => (path, speed.parse()?),
        None => (file, Speed::Times(1.0)),
    };
    if path.is_empty() {
        return Err(GpsSourceError::NoFile);
    }
    Ok(GpsSource::Recording { path: path.into(), speed })
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

impl fmt::Display for GpsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GpsSource::Auto => f.write_str("auto"),
            GpsSource::Serial(path) => write!(f, "serial:{}", path.display()),
            GpsSource::Receiver(link) => link.fmt(f),
            GpsSource::Gpsd(address) => write!(f, "gpsd:{address}"),
            GpsSource::Recording { path, speed: Speed::Max } => write!(f, "file:{}@max", path.display()),
            GpsSource::Recording { path, speed: Speed::Times(times) } => write!(f, "file:{}@{times}", path.display()),
        }
    }
}

/// Why a text is not a source of positions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpsSourceError {
    /// Not a receiver either.
    #[error("{0}; `auto` looks for a receiver, `gpsd` asks a gpsd, a recording is `file:PATH[@SPEED]`")]
    Link(#[from] LinkError),
    /// No host.
    #[error("`gpsd:{0}` is not `gpsd`, `gpsd:host` or `gpsd:host:port`")]
    Gpsd(String),
    /// The name of the file is missing.
    #[error("`file:` wants a file, as in `file:drive.nmea.gz@10`")]
    NoFile,
    /// No speed.
    #[error("speed `{0}` is neither `max` nor a number above 0 and up to 10000")]
    Speed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_read_back_as_themselves() {
        for text in [
            "auto",
            "serial:/dev/ttyACM0",
            "serial:/dev/ttyUSB0@4800",
            "tcp:gps.local:10110",
            "gpsd:127.0.0.1:2947",
            "gpsd:[::1]:2948",
            "file:drive.nmea.gz@max",
            "file:drive.nmea@10",
        ] {
            assert_eq!(text.parse::<GpsSource>().unwrap().to_string(), text);
        }
        for (short, long) in [
            ("gpsd", "gpsd:127.0.0.1:2947"),
            ("gpsd:", "gpsd:127.0.0.1:2947"),
            ("gpsd:car.local", "gpsd:car.local:2947"),
            ("gpsd:[fe80::1]", "gpsd:[fe80::1]:2947"),
            ("file:drive.nmea", "file:drive.nmea@1"),
        ] {
            assert_eq!(short.parse::<GpsSource>().unwrap().to_string(), long);
        }
    }

    #[test]
    fn a_wrong_source_is_refused_with_the_form_that_is_wanted() {
        for (text, part) in [
            ("usb", "`auto`"),
            ("gpsd:host:0", "gpsd:host:port"),
            ("gpsd:host:port", "gpsd:host:port"),
            ("gpsd:::1", "gpsd:host:port"),
            ("serial:", "device file"),
            ("file:@10", "`file:`"),
            ("file:drive.nmea@0", "neither `max`"),
        ] {
            let error = text.parse::<GpsSource>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
