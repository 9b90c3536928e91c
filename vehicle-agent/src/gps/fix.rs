//! Sentences → fixes. `nmea-parser` reads the sentences; what they mean, and what cannot be meant, is decided here.

use bugbrother_wire::{UnixMs, signal};
use nmea_parser::{
    NmeaParser, ParsedMessage,
    gnss::{GgaData, GgaQualityIndicator, RmcData},
};

use super::gate::{Kind, Sentence};

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

/// What GGA and GSA add to a fix.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quality {
    /// Altitude above mean sea level in metres.
    pub alt: Option<f64>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
    /// Satellites used.
    pub sats: Option<f64>,
}

/// Why an RMC sentence is no fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFix {
    /// The receiver says so itself.
    Void,
    /// The sentence cannot be read.
    Unreadable,
    /// No time, or one that does not exist.
    Time,
    /// A date before 2000 or after 2079: a receiver that does not know it yet.
    Date,
    /// No position, none on earth, or exactly 0,0.
    Position,
}

impl NoFix {
    /// A word for counters.
    pub fn reason(self) -> &'static str {
        match self {
            NoFix::Void => "void",
            NoFix::Unreadable => "unreadable",
            NoFix::Time => "time",
            NoFix::Date => "date",
            NoFix::Position => "position",
        }
    }
}

const KMH_PER_KNOT: f64 = 1.852;

/// Puts the sentences of an epoch, those with the same time, together to one fix.
///
/// Receivers send RMC first or last. So a fix waits for the GGA of its time until that has come, a sentence of another
/// time comes, or [`Assembler::flush`] says that the epoch is over.
#[derive(Default)]
pub struct Assembler {
    parser: NmeaParser,
    epoch: Epoch,
}

#[derive(Default)]
struct Epoch {
    time_of_day_ms: Option<u32>,
    fix: Option<Fix>,
    quality: Option<Quality>,
    /// Whether the last sentence with a time was GGA: a GSA, which has none, then belongs to this epoch for certain.
    after_gga: bool,
}

impl Assembler {
    /// Whether a sentence of that time ends an epoch that holds a fix.
    pub fn ends_epoch(&self, time_of_day_ms: u32) -> bool {
        self.is_waiting() && self.epoch.time_of_day_ms != Some(time_of_day_ms)
    }

    /// Whether a fix waits for more of its epoch.
    pub fn is_waiting(&self) -> bool {
        self.epoch.fix.is_some()
    }

    /// The fix that waits: its epoch is over.
    pub fn flush(&mut self) -> Option<Fix> {
        let mut fix = self.epoch.fix.take()?;
        fix.quality = self.epoch.quality.take().unwrap_or_default();
        Some(fix)
    }

    /// Takes a sentence; tells of the fix that is complete with it, or why it is none.
    pub fn push(&mut self, sentence: &Sentence) -> Result<Option<Fix>, NoFix> {
        match sentence.kind {
            Kind::Rmc => {
                let fix = self.read_rmc(sentence);
                self.epoch.after_gga = false;
                let fix = fix?;
                let done = self.turn_to(sentence, true);
                self.epoch.fix = Some(fix);
                // Both at once happens only when a second RMC of one time follows: its forerunner goes first.
                Ok(done.or_else(|| self.flush_complete()))
            }
            Kind::Gga => {
                let quality = self.read_gga(sentence);
                let done = self.turn_to(sentence, false);
                self.epoch.after_gga = true;
                self.epoch.quality = quality;
                Ok(done.or_else(|| self.flush_complete()))
            }
            Kind::Gsa => {
                if self.epoch.after_gga {
                    self.add_gsa(sentence);
                }
                Ok(self.flush_complete())
            }
        }
    }

    /// Goes on to the epoch of `sentence`, unless it is in it already; tells of the fix of the epoch before.
    fn turn_to(&mut self, sentence: &Sentence, brings_fix: bool) -> Option<Fix> {
        let time_of_day_ms = sentence.time_of_day_ms();
        let same = time_of_day_ms.is_some() && self.epoch.time_of_day_ms == time_of_day_ms;
        if same && !(brings_fix && self.is_waiting()) {
            return None;
        }
        let done = self.flush();
        self.epoch = Epoch { time_of_day_ms, ..Epoch::default() };
        done
    }

    /// The fix, if nothing that could be added to it is missing any more.
    fn flush_complete(&mut self) -> Option<Fix> {
        self.epoch.quality.and_then(|quality| quality.hdop)?;
        self.flush()
    }

    fn read_rmc(&mut self, sentence: &Sentence) -> Result<Fix, NoFix> {
        if sentence.field(2) != "A" || sentence.field(12) == "N" {
            return Err(NoFix::Void);
        }
        let time_of_day_ms = sentence.time_of_day_ms().ok_or(NoFix::Time)?;
        // Two digits of a year; from 80 on it is the 1900s, which `nmea-parser` takes for the 2080s.
        let date = sentence.field(9);
        let has_date = date.len() == 6 && date.bytes().all(|byte| byte.is_ascii_digit());
        if !has_date || date.as_bytes()[4] >= b'8' {
            return Err(NoFix::Date);
        }
        require_position(sentence, 3)?;
        // What follows the date is not needed, and a variation without its side would make the sentence unreadable.
        let Ok(ParsedMessage::Rmc(rmc)) = self.parser.parse_sentence(&sentence.head(10)) else {
            return Err(NoFix::Unreadable);
        };
        to_fix(&rmc, time_of_day_ms)
    }

    fn read_gga(&mut self, sentence: &Sentence) -> Option<Quality> {
        let Ok(ParsedMessage::Gga(gga)) = self.parser.parse_sentence(&sentence.head(10)) else {
            return None;
        };
        (gga.quality != GgaQualityIndicator::Invalid).then(|| to_quality(&gga))
    }

    fn add_gsa(&mut self, sentence: &Sentence) {
        let Some(quality) = &mut self.epoch.quality else {
            return;
        };
        if let Ok(ParsedMessage::Gsa(gsa)) = self.parser.parse_sentence(&sentence.head(18)) {
            quality.hdop = quality.hdop.or(plausible("hdop", gsa.hdop));
        }
    }
}

/// `ddmm.m…,N|S,dddmm.m…,E|W` from field `at` on. `nmea-parser` takes a missing side for N or E and minutes above 59.
fn require_position(sentence: &Sentence, at: usize) -> Result<(), NoFix> {
    let angle = |text: &str, degrees: usize| {
        let minutes_fit = matches!(text.as_bytes().get(degrees), Some(b'0'..=b'5'));
        minutes_fit && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    let sides = matches!(sentence.field(at + 1), "N" | "S") && matches!(sentence.field(at + 3), "E" | "W");
    if sides && angle(sentence.field(at), 2) && angle(sentence.field(at + 2), 3) {
        Ok(())
    } else {
        Err(NoFix::Position)
    }
}

fn to_fix(rmc: &RmcData, time_of_day_ms: u32) -> Result<Fix, NoFix> {
    // `nmea-parser` drops the fractions of the second; the day is all that is taken from it.
    let day = rmc.timestamp.ok_or(NoFix::Date)?.timestamp_millis();
    let day = day - day.rem_euclid(MS_PER_DAY);
    let (lat, lon) = rmc.latitude.zip(rmc.longitude).ok_or(NoFix::Position)?;
    let on_earth = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
    if !on_earth || (lat == 0.0 && lon == 0.0) {
        return Err(NoFix::Position);
    }
    Ok(Fix {
        ts: day + i64::from(time_of_day_ms),
        lat,
        lon,
        hdg: plausible("hdg", rmc.bearing),
        gspd: plausible("gspd", rmc.sog_knots.map(|knots| knots * KMH_PER_KNOT)),
        quality: Quality::default(),
    })
}

const MS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

fn to_quality(gga: &GgaData) -> Quality {
    Quality {
        alt: plausible("alt", gga.altitude),
        hdop: plausible("hdop", gga.hdop),
        sats: plausible("sats", gga.satellite_count.map(f64::from)),
    }
}

/// The value, if a working sensor could have told it. NaN is in no range.
fn plausible(key: &str, value: Option<f64>) -> Option<f64> {
    let signal = signal::find(key).expect("the keys of a fix are in the catalogue");
    value.filter(|value| signal.is_plausible(*value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gps::gate::Gate;

    fn read(body: &str) -> Sentence {
        let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        let mut gate = Gate::default();
        let line = format!("${body}*{sum:02X}\r");
        let found = line.bytes().find_map(|byte| gate.push(byte));
        found.expect("a sentence").expect("a right one")
    }

    fn fixes(bodies: &[&str]) -> Vec<Fix> {
        let mut assembler = Assembler::default();
        let mut fixes: Vec<Fix> = bodies.iter().filter_map(|body| assembler.push(&read(body)).ok().flatten()).collect();
        fixes.extend(assembler.flush());
        fixes
    }

    const RMC: &str = "GPRMC,112228.037,A,4719.9584,N,00749.2468,E,10.00,180.50,030410,,,A";
    const GGA: &str = "GPGGA,112228.037,4719.9584,N,00749.2468,E,1,07,1.6,533.4,M,48.0,M,,0000";

    #[test]
    fn a_fix_has_the_time_of_its_sentence_to_the_millisecond() {
        let fix = &fixes(&[RMC])[0];
        assert_eq!(fix.ts, 1_270_293_748_037); // 2010-04-03T11:22:28.037Z
        assert!((fix.lat - (47.0 + 19.9584 / 60.0)).abs() < 1e-9);
        assert!((fix.lon - (7.0 + 49.2468 / 60.0)).abs() < 1e-9);
        assert!((fix.gspd.unwrap() - 18.52).abs() < 1e-9);
        assert_eq!(fix.hdg, Some(180.5));
    }

    #[test]
    fn altitude_and_satellites_are_those_of_the_same_time_whichever_comes_first() {
        let quality = Quality { alt: Some(533.4), hdop: Some(1.6), sats: Some(7.0) };
        assert_eq!(fixes(&[RMC, GGA])[0].quality, quality);
        assert_eq!(fixes(&[GGA, RMC])[0].quality, quality);
        let later = GGA.replace("28.037", "29.037");
        assert_eq!(fixes(&[RMC, &later])[0].quality, Quality::default());
    }

    #[test]
    fn a_missing_hdop_is_taken_from_the_gsa_that_follows_the_gga() {
        let gga = GGA.replace("07,1.6", "07,");
        let gsa = "GPGSA,A,3,04,17,13,23,07,20,32,,,,,,2.5,1.7,1.9";
        assert_eq!(fixes(&[&gga, gsa, RMC])[0].quality.hdop, Some(1.7));
        assert_eq!(fixes(&[RMC, gsa])[0].quality.hdop, None);
    }

    #[test]
    fn every_valid_rmc_is_one_fix_even_of_the_same_time() {
        assert_eq!(fixes(&[RMC, RMC, GGA]).len(), 2);
        assert_eq!(fixes(&[GGA, RMC, RMC]).len(), 2);
    }

    #[test]
    fn what_cannot_be_is_no_fix() {
        for (from, to, why) in [
            (",A,4719", ",V,4719", NoFix::Void),
            (",,,A", ",,,N", NoFix::Void),
            ("112228.037", "", NoFix::Time),
            ("112228.037", "112298.037", NoFix::Time),
            ("030410", "", NoFix::Date),
            ("030410", "310210", NoFix::Date),
            ("030410", "060180", NoFix::Date),
            ("030410", "220899", NoFix::Date),
            (",N,", ",,", NoFix::Position),
            (",E,", ",,", NoFix::Position),
            ("4719.9584", "", NoFix::Position),
            ("4719.9584", "9959.0000", NoFix::Position),
            ("4719.9584", "4760.0000", NoFix::Position),
            ("4719.9584", "NaN", NoFix::Position),
            ("00749.2468", "18001.0000", NoFix::Position),
            ("4719.9584,N,00749.2468", "0000.0000,N,00000.0000", NoFix::Position),
            ("10.00", "x", NoFix::Unreadable),
        ] {
            let body = RMC.replace(from, to);
            assert_eq!(Assembler::default().push(&read(&body)), Err(why), "{body}");
        }
    }

    #[test]
    fn a_speed_or_course_that_cannot_be_is_left_out() {
        for value in ["NaN", "inf", "1e9", "-5"] {
            let fix = &fixes(&[&RMC.replace("10.00,180.50", &format!("{value},{value}"))])[0];
            assert_eq!((fix.gspd, fix.hdg), (None, None), "{value}");
        }
        assert_eq!(fixes(&[&RMC.replace(",,,A", ",1.4,,A")]).len(), 1);
    }
}
