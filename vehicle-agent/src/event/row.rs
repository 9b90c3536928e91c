use bugbrother_wire::signal;

use super::Moment;

/// Fewer satellites give a position that is a guess.
const LEAST_SATS: f64 = 4.0;
/// Above this dilution speed and course are noise too.
const WORST_HDOP: f64 = 5.0;
/// Error of a position at a dilution of 1, two standard deviations: what phones and cheap receivers reach under open sky.
const METRES_PER_HDOP: f64 = 5.0;
/// Of a receiver that does not tell.
const UNKNOWN_ACCURACY_M: f64 = 10.0;

/// A position that can be believed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub lat: f64,
    pub lon: f64,
    pub accuracy_m: f64,
}

/// The values of a moment that a detector looks at, each one that a working sensor can have told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Row {
    pub at: u64,
    pub place: Option<Place>,
    /// km/h over ground.
    pub gspd: Option<f64>,
    /// Degrees.
    pub hdg: Option<f64>,
    /// km/h, of the wheels.
    pub spd: Option<f64>,
    pub rpm: Option<f64>,
    /// V, of a 12 V battery: half of a lorry's.
    pub volts: Option<f64>,
    pub ign: Option<bool>,
    /// m/s², forward, to the left, upward.
    pub acceleration: Option<[f64; 3]>,
    /// Whether a control unit has answered.
    pub ecu: bool,
}

/// Told by nobody but a control unit that is awake.
const ECU: [&str; 9] = ["spd", "rpm", "load", "ect", "thr", "map", "maf", "iat", "run"];
/// A 12 V battery never has so much; one of 24 V that has less is dead.
const TWO_BATTERIES_V: f64 = 17.0;

impl Row {
    pub fn read(moment: &Moment<'_>) -> Self {
        let value = |key: &str| {
            let (_, value) = moment.values.iter().find(|(known, _)| known == key)?;
            signal::find(key).is_some_and(|signal| signal.is_plausible(*value)).then_some(*value)
        };
        let (hdop, sats) = (value("hdop"), value("sats"));
        let good = hdop.is_none_or(|hdop| hdop <= WORST_HDOP) && sats.is_none_or(|sats| sats >= LEAST_SATS);
        let received = |key: &str| value(key).filter(|_| good);
        let accuracy_m = hdop.map_or(UNKNOWN_ACCURACY_M, |hdop| hdop * METRES_PER_HDOP);
        let acceleration = value("ax").zip(value("ay"));
        Row {
            at: moment.at_ms,
            place: received("lat").zip(received("lon")).map(|(lat, lon)| Place { lat, lon, accuracy_m }),
            gspd: received("gspd"),
            hdg: received("hdg"),
            spd: value("spd"),
            rpm: value("rpm"),
            volts: value("vbat").map(|volts| if volts >= TWO_BATTERIES_V { volts / 2.0 } else { volts }),
            ign: value("ign").map(|ign| ign >= 0.5),
            acceleration: acceleration.map(|(ax, ay)| [ax, ay, value("az").unwrap_or_default()]),
            ecu: ECU.iter().any(|key| value(key).is_some()),
        }
    }
}
