//! A fix: where the vehicle was at a moment, and how good that is known.

use bugbrother_wire::{UnixMs, signal};

/// Where the vehicle was at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Fix {
    /// The receiver's time.
    pub ts: UnixMs,
    /// Latitude in degrees.
    pub lat: f64,
    /// Longitude in degrees.
    pub lon: f64,
    /// Course over ground in degrees; receivers leave it out when they stand.
    pub hdg: Option<f64>,
    /// Speed over ground in km/h.
    pub gspd: Option<f64>,
    /// What was told of its quality.
    pub quality: Quality,
}

/// How good a fix is, and what else comes with it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quality {
    /// How it was found.
    pub mode: Option<Mode>,
    /// Altitude above mean sea level in metres.
    pub alt: Option<f64>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
    /// Satellites used.
    pub sats: Option<f64>,
    /// Horizontal accuracy in metres: two of three fixes are nearer to the truth. From GST it is
    /// √(σ latitude² + σ longitude²), the *distance root mean square*; from gpsd half of its `eph`.
    pub acc: Option<f64>,
}

/// How a position was found. The numbers are those of field 6 of GGA, and of the signal `fixq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By satellites alone.
    Gnss = 1,
    /// Corrected by a reference station or SBAS.
    Differential = 2,
    /// By the precise service of GPS.
    Precise = 3,
    /// Real-time kinematic, centimetres.
    Rtk = 4,
    /// Real-time kinematic before its ambiguities are resolved, decimetres.
    FloatRtk = 5,
    /// By dead reckoning.
    Estimated = 6,
}

impl Mode {
    /// The value of the signal `fixq`.
    pub fn number(self) -> f64 {
        f64::from(self as u8)
    }

    /// Field 6 of GGA, and the mode indicator of RMC in NMEA 0183 2.3 and later. An unknown one says nothing.
    pub(super) fn parse(text: &str) -> Result<Option<Mode>, NoFix> {
        Ok(Some(match text {
            "1" | "A" => Mode::Gnss,
            "2" | "D" => Mode::Differential,
            "3" | "P" => Mode::Precise,
            "4" | "R" => Mode::Rtk,
            "5" | "F" => Mode::FloatRtk,
            "6" | "E" => Mode::Estimated,
            "0" | "N" => return Err(NoFix::Void),
            "7" | "8" | "M" | "S" => return Err(NoFix::NotMeasured),
            _ => return Ok(None),
        }))
    }
}

/// Why what a receiver says is no fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoFix {
    /// The receiver says so itself.
    Void,
    /// Typed in or simulated.
    NotMeasured,
    /// The sentence cannot be read.
    Unreadable,
    /// No time, or one that does not exist.
    Time,
    /// No date, or none that can be: of a receiver that does not know it yet.
    Date,
    /// No position, none on earth, or exactly 0,0.
    Position,
    /// Too far from the fix before it.
    Jump,
}

impl NoFix {
    /// A word for counters.
    pub fn reason(self) -> &'static str {
        match self {
            NoFix::Void => "void",
            NoFix::NotMeasured => "not_measured",
            NoFix::Unreadable => "unreadable",
            NoFix::Time => "time",
            NoFix::Date => "date",
            NoFix::Position => "position",
            NoFix::Jump => "jump",
        }
    }
}

/// The position, if it is one. Exactly 0,0 is what receivers and programs say that know none.
pub(super) fn on_earth(lat: Option<f64>, lon: Option<f64>) -> Result<(f64, f64), NoFix> {
    let (lat, lon) = lat.zip(lon).ok_or(NoFix::Position)?;
    let on_earth = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
    if on_earth && (lat != 0.0 || lon != 0.0) { Ok((lat, lon)) } else { Err(NoFix::Position) }
}

/// The value, if a working sensor could have told it. NaN is in no range.
pub(super) fn plausible(key: &str, value: Option<f64>) -> Option<f64> {
    let signal = signal::find(key).expect("the keys of a fix are in the catalogue");
    value.filter(|value| signal.is_plausible(*value))
}
