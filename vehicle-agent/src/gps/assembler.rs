//! Sentences → fixes. `nmea-parser` reads the sentences; what they mean, and what cannot be meant, is decided here.
//!
//! - RMC is the fix: it alone has date, speed and course. GGA, GSA and GST of the same time add to it.
//! - Of a receiver that sends no RMC, GGA is the fix. The date is that of ZDA, speed and course those of VTG.
//! - *Estimated* positions (dead reckoning, in a tunnel) are fixes and say so in their [`Mode`]. *Manual* and *simulated*
//!   ones, which nobody has measured, are none.

use nmea_parser::{NmeaParser, ParsedMessage, gnss::GgaData};

use super::{
    calendar::{self, Calendar},
    fix::{Fix, Mode, NoFix, Quality, on_earth, plausible},
    gate::{Kind, Sentence},
};

const KMH_PER_KNOT: f64 = 1.852;
/// After so many epochs without RMC a receiver is one that sends none. Until then one was torn.
const EPOCHS_WITHOUT_RMC: u32 = 10;

/// Puts the sentences of an epoch, those with the same time, together to one fix.
///
/// Receivers send RMC first, last or never. So a fix waits until everything has come that came in the epoch before, a
/// sentence of another time comes, or [`Assembler::flush`] says that the epoch is over.
pub struct Assembler {
    parser: NmeaParser,
    calendar: Calendar,
    epoch: Epoch,
    /// The types of sentences of the epoch before; 0 before the first is over.
    expected: Kinds,
    epochs_without_rmc: u32,
}

impl Default for Assembler {
    fn default() -> Self {
        Assembler {
            parser: NmeaParser::default(),
            calendar: Calendar::default(),
            epoch: Epoch::default(),
            expected: Kinds::default(),
            epochs_without_rmc: EPOCHS_WITHOUT_RMC,
        }
    }
}

#[derive(Default)]
struct Epoch {
    time_of_day_ms: Option<u32>,
    seen: Kinds,
    /// The last sentence with a time: what has none belongs to it.
    last: Option<Kind>,
    rmc: Option<Fix>,
    gga: Option<Result<Gga, NoFix>>,
    course: Option<(Option<f64>, Option<f64>)>,
    acc: Option<f64>,
    /// A fix of this epoch is out.
    done: bool,
}

/// What GGA says.
struct Gga {
    place: Result<(f64, f64), NoFix>,
    quality: Quality,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Kinds(u8);

impl Kinds {
    fn add(&mut self, kind: Kind) {
        self.0 |= 1 << kind as u8;
    }

    fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    fn has_all(self, of: Kinds) -> bool {
        self.0 & of.0 == of.0
    }
}

impl Assembler {
    /// Whether a sentence of that time ends an epoch that holds a fix.
    pub fn ends_epoch(&self, time_of_day_ms: u32) -> bool {
        self.is_waiting() && self.epoch.time_of_day_ms != Some(time_of_day_ms)
    }

    /// Whether a fix waits for more of its epoch.
    pub fn is_waiting(&self) -> bool {
        self.epoch.rmc.is_some() || self.is_gga_the_fix()
    }

    /// Satellites that the last GGA has told of, fix or not.
    pub fn satellites(&self) -> Option<f64> {
        self.epoch.gga.as_ref()?.as_ref().ok()?.quality.sats
    }

    /// The fix that waits, or why it is none: its epoch is over.
    pub fn flush(&mut self) -> Option<Result<Fix, NoFix>> {
        if !self.is_waiting() {
            return None;
        }
        self.epoch.done = true;
        let fix = match self.epoch.rmc.take() {
            Some(fix) => fix,
            None => match self.fix_of_gga() {
                Ok(fix) => fix,
                Err(no_fix) => return Some(Err(no_fix)),
            },
        };
        Some(self.complete(fix))
    }

    /// Takes a sentence; tells of the fixes that are complete with it, and why others are none.
    pub fn push(&mut self, sentence: &Sentence) -> Vec<Result<Fix, NoFix>> {
        let mut told = Vec::new();
        let time_of_day_ms = sentence.time_of_day_ms();
        match sentence.kind {
            Kind::Rmc => {
                let fix = self.read_rmc(sentence);
                if time_of_day_ms.is_some() {
                    told.extend(self.turn_to(sentence));
                    // A second RMC of one time: its forerunner goes first.
                    if fix.is_ok() && self.epoch.rmc.is_some() {
                        told.extend(self.flush());
                    }
                }
                self.epochs_without_rmc = 0;
                match fix {
                    Ok(fix) => self.epoch.rmc = Some(fix),
                    Err(no_fix) => told.push(Err(no_fix)),
                }
            }
            Kind::Gga => {
                let gga = self.read_gga(sentence);
                told.extend(self.turn_to(sentence));
                self.epoch.gga = Some(gga);
            }
            Kind::Zda => {
                told.extend(self.turn_to(sentence));
                if let Some((day, time)) = read_day(sentence).zip(time_of_day_ms) {
                    self.calendar.set(day, time);
                }
            }
            Kind::Gst => {
                told.extend(self.turn_to(sentence));
                self.epoch.acc = read_accuracy(sentence);
            }
            Kind::Gsa if self.epoch.last == Some(Kind::Gga) => self.add_gsa(sentence),
            Kind::Vtg if self.epoch.last.is_some_and(|last| last != Kind::Rmc) => {
                self.epoch.course.get_or_insert_with(|| read_course(sentence));
            }
            Kind::Gsa | Kind::Vtg => {}
        }
        self.epoch.seen.add(sentence.kind);
        if time_of_day_ms.is_some() {
            self.epoch.last = Some(sentence.kind);
        }
        let complete = self.expected != Kinds::default() && self.epoch.seen.has_all(self.expected);
        if complete {
            told.extend(self.flush());
        }
        told
    }

    /// Goes on to the epoch of `sentence`, unless it is in it already; tells of the fix of the epoch before.
    fn turn_to(&mut self, sentence: &Sentence) -> Option<Result<Fix, NoFix>> {
        let time_of_day_ms = sentence.time_of_day_ms();
        if time_of_day_ms.is_some() && self.epoch.time_of_day_ms == time_of_day_ms {
            return None;
        }
        let done = self.flush();
        if self.epoch.seen != Kinds::default() {
            self.expected = self.epoch.seen;
            self.epochs_without_rmc = self.epochs_without_rmc.saturating_add(1);
        }
        self.epoch = Epoch { time_of_day_ms, ..Epoch::default() };
        done
    }

    fn is_gga_the_fix(&self) -> bool {
        let epoch = &self.epoch;
        let has_rmc = self.epochs_without_rmc < EPOCHS_WITHOUT_RMC || epoch.seen.has(Kind::Rmc);
        !has_rmc && !epoch.done && matches!(epoch.gga, Some(Ok(_))) && epoch.time_of_day_ms.is_some()
    }

    fn fix_of_gga(&mut self) -> Result<Fix, NoFix> {
        let time = self.epoch.time_of_day_ms.ok_or(NoFix::Time)?;
        let gga = self.epoch.gga.as_ref().and_then(|gga| gga.as_ref().ok()).ok_or(NoFix::Void)?;
        let (lat, lon) = gga.place?;
        let day = self.calendar.day_of(time).ok_or(NoFix::Date)?;
        let (gspd, hdg) = self.epoch.course.unwrap_or_default();
        let quality = Quality::default();
        Ok(Fix { ts: calendar::moment(day, time), lat, lon, hdg, gspd, quality })
    }

    /// Adds what the rest of the epoch has told. A simulation is said to be one by GGA alone in old receivers.
    fn complete(&mut self, mut fix: Fix) -> Result<Fix, NoFix> {
        let of_rmc = fix.quality.mode;
        match &self.epoch.gga {
            Some(Ok(gga)) => fix.quality = gga.quality,
            Some(Err(NoFix::NotMeasured)) => return Err(NoFix::NotMeasured),
            _ => {}
        }
        fix.quality.mode = fix.quality.mode.or(of_rmc);
        fix.quality.acc = self.epoch.acc;
        Ok(fix)
    }

    fn read_rmc(&mut self, sentence: &Sentence) -> Result<Fix, NoFix> {
        if sentence.field(2) != "A" {
            return Err(NoFix::Void);
        }
        let mode = Mode::parse(sentence.field(12))?;
        let time_of_day_ms = sentence.time_of_day_ms().ok_or(NoFix::Time)?;
        let day = calendar::read_ddmmyy(sentence.field(9)).ok_or(NoFix::Date)?;
        require_position(sentence, 3)?;
        // What follows the date is not needed, and a variation without its side would make the sentence unreadable.
        // Nor is its time: it has no fractions, and a century of its own.
        let Ok(ParsedMessage::Rmc(rmc)) = self.parser.parse_sentence(&sentence.head(9)) else {
            return Err(NoFix::Unreadable);
        };
        let (lat, lon) = on_earth(rmc.latitude, rmc.longitude)?;
        Ok(Fix {
            ts: calendar::moment(day, time_of_day_ms),
            lat,
            lon,
            hdg: plausible("hdg", rmc.bearing),
            gspd: plausible("gspd", rmc.sog_knots.map(|knots| knots * KMH_PER_KNOT)),
            quality: Quality { mode, ..Quality::default() },
        })
    }

    fn read_gga(&mut self, sentence: &Sentence) -> Result<Gga, NoFix> {
        let mode = Mode::parse(sentence.field(6))?;
        let place = require_position(sentence, 2);
        let Ok(ParsedMessage::Gga(gga)) = self.parser.parse_sentence(&sentence.head(10)) else {
            return Err(NoFix::Unreadable);
        };
        let in_metres = matches!(sentence.field(10), "M" | "");
        Ok(Gga {
            place: place.and_then(|()| on_earth(gga.latitude, gga.longitude)),
            quality: Quality { mode, acc: None, ..to_quality(&gga, in_metres) },
        })
    }

    fn add_gsa(&mut self, sentence: &Sentence) {
        let Some(Ok(Gga { quality, .. })) = &mut self.epoch.gga else {
            return;
        };
        if let Ok(ParsedMessage::Gsa(gsa)) = self.parser.parse_sentence(&sentence.head(18)) {
            quality.hdop = quality.hdop.or(plausible("hdop", gsa.hdop));
        }
    }
}

/// `ddmm.m…,N|S,dddmm.m…,E|W` from field `at` on. `nmea-parser` takes a missing side for N or E, takes minutes above 59, and
/// stops reading at a second point.
fn require_position(sentence: &Sentence, at: usize) -> Result<(), NoFix> {
    let angle = |text: &str, degrees: usize| {
        let minutes_fit = matches!(text.as_bytes().get(degrees), Some(b'0'..=b'5'));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        minutes_fit && text.split_once('.').is_some_and(|(whole, fraction)| digits(whole) && digits(fraction))
    };
    let sides = matches!(sentence.field(at + 1), "N" | "S") && matches!(sentence.field(at + 3), "E" | "W");
    if sides && angle(sentence.field(at), 2) && angle(sentence.field(at + 2), 3) {
        Ok(())
    } else {
        Err(NoFix::Position)
    }
}

fn to_quality(gga: &GgaData, in_metres: bool) -> Quality {
    Quality {
        alt: plausible("alt", gga.altitude.filter(|_| in_metres)),
        hdop: plausible("hdop", gga.hdop),
        sats: plausible("sats", gga.satellite_count.map(f64::from)),
        ..Quality::default()
    }
}

/// `hhmmss,dd,mm,yyyy`: `nmea-parser` panics on some of these.
fn read_day(zda: &Sentence) -> Option<i64> {
    let number = |at: usize, digits: usize| {
        let text = zda.field(at);
        let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| is_number)
    };
    calendar::day(number(4, 4)?.try_into().ok()?, number(3, 2)?, number(2, 2)?)
}

/// Speed in km/h and course in degrees. VTG that says itself that it is void, as from NMEA 0183 2.3 on, tells neither.
fn read_course(vtg: &Sentence) -> (Option<f64>, Option<f64>) {
    let with_unit = |at: usize, unit: &str| vtg.number(at).filter(|_| vtg.field(at + 1) == unit);
    if Mode::parse(vtg.field(9)).is_err() {
        return (None, None);
    }
    let kmh = with_unit(7, "K").or_else(|| with_unit(5, "N").map(|knots| knots * KMH_PER_KNOT));
    (plausible("gspd", kmh), plausible("hdg", with_unit(1, "T")))
}

/// Standard deviations of latitude and longitude in metres are fields 6 and 7 of GST.
fn read_accuracy(gst: &Sentence) -> Option<f64> {
    let sigma = |at: usize| gst.number(at).filter(|sigma| *sigma >= 0.0);
    // A receiver that knows no accuracy says 0.
    plausible("acc", Some(sigma(6)?.hypot(sigma(7)?)).filter(|acc| *acc > 0.0))
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
        let mut told: Vec<_> = bodies.iter().flat_map(|body| assembler.push(&read(body))).collect();
        told.extend(assembler.flush());
        told.into_iter().filter_map(Result::ok).collect()
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
        let quality = Quality { mode: Some(Mode::Gnss), alt: Some(533.4), hdop: Some(1.6), sats: Some(7.0), acc: None };
        assert_eq!(fixes(&[RMC, GGA])[0].quality, quality);
        assert_eq!(fixes(&[GGA, RMC])[0].quality, quality);
        let later = GGA.replace("28.037", "29.037");
        let alone = Quality { mode: Some(Mode::Gnss), ..Quality::default() };
        assert_eq!(fixes(&[RMC, &later])[0].quality, alone);
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
            (",,,A", ",,,S", NoFix::NotMeasured),
            (",,,A", ",,,M", NoFix::NotMeasured),
            ("112228.037", "", NoFix::Time),
            ("112228.037", "112298.037", NoFix::Time),
            ("030410", "", NoFix::Date),
            ("030410", "310210", NoFix::Date),
            (",N,", ",,", NoFix::Position),
            (",E,", ",,", NoFix::Position),
            ("4719.9584", "", NoFix::Position),
            ("4719.9584", "9959.0000", NoFix::Position),
            ("4719.9584", "4760.0000", NoFix::Position),
            ("4719.9584", "NaN", NoFix::Position),
            ("4719.9584", "4719.95.84", NoFix::Position),
            ("4719.9584", "4719", NoFix::Position),
            ("00749.2468", "18001.0000", NoFix::Position),
            ("4719.9584,N,00749.2468", "0000.0000,N,00000.0000", NoFix::Position),
            ("10.00", "x", NoFix::Unreadable),
        ] {
            let body = RMC.replace(from, to);
            assert_eq!(Assembler::default().push(&read(&body)), [Err(why)], "{body}");
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

    const ZDA: &str = "GPZDA,112228.037,03,04,2010,00,00";

    #[test]
    fn a_receiver_without_rmc_tells_by_gga_zda_and_vtg() {
        let vtg = "GPVTG,180.50,T,,M,10.00,N,18.52,K,A";
        let fix = &fixes(&[GGA, vtg, ZDA])[0];
        assert_eq!((fix.ts, fix.gspd, fix.hdg), (1_270_293_748_037, Some(18.52), Some(180.5)));
        assert_eq!(fix.quality.alt, Some(533.4));
        assert_eq!(fixes(&[ZDA, GGA]).len(), 1);
        assert_eq!(fixes(&[GGA]).len(), 0, "without a date");
        let next = |sentence: &str| sentence.replace("28.037", "29.037");
        let found = fixes(&[GGA, ZDA, &next(GGA), vtg]);
        assert_eq!(found[1].ts, 1_270_293_749_037, "the day goes on");
        assert_eq!(fixes(&[&GGA.replace(",E,1,", ",E,0,"), ZDA]).len(), 0);
        assert_eq!(fixes(&[&GGA.replace("4719.9584", "9919.9584"), ZDA]).len(), 0);
    }

    #[test]
    fn a_receiver_with_rmc_is_believed_by_that_alone() {
        let next = |sentence: &str| sentence.replace("28.037", "29.037");
        let void = next(RMC).replace(",A,4719", ",V,4719");
        assert_eq!(fixes(&[RMC, GGA, ZDA, &void, &next(GGA), &next(ZDA)]).len(), 1, "void");
        assert_eq!(fixes(&[RMC, GGA, ZDA, &next(GGA), &next(ZDA)]).len(), 1, "torn");
    }

    #[test]
    fn a_fix_is_out_as_soon_as_all_has_come_that_came_in_the_epoch_before() {
        let gst = "GPGST,112228.037,1.0,2.5,2.0,45.0,3.0,4.0,6.0";
        let mut assembler = Assembler::default();
        let mut push = |sentence: &str| assembler.push(&read(sentence)).into_iter().filter_map(Result::ok).next_back();
        assert_eq!([RMC, GGA, gst].map(&mut push), [None, None, None]);
        let next = |sentence: &str| sentence.replace("28.037", "29.037");
        let first = push(&next(RMC)).unwrap();
        assert_eq!((first.ts % 1000, first.quality.acc, first.quality.mode), (37, Some(5.0), Some(Mode::Gnss)));
        assert_eq!(push(&next(GGA)), None);
        assert_eq!(push(&next(gst)).unwrap().quality.acc, Some(5.0));
    }

    #[test]
    fn a_fix_says_how_it_was_found() {
        let of = |rmc: &str, gga: &str| {
            let rmc = RMC.replace(",,,A", &format!(",,,{rmc}"));
            let gga = GGA.replace(",E,1,", &format!(",E,{gga},"));
            fixes(&[&rmc, &gga]).first().map(|fix| fix.quality.mode.map(Mode::number))
        };
        assert_eq!(of("A", "1"), Some(Some(1.0)));
        assert_eq!(of("D", "2"), Some(Some(2.0)));
        assert_eq!(of("A", "4"), Some(Some(4.0)), "GGA is the finer of the two");
        assert_eq!(of("F", "9"), Some(Some(5.0)), "but for what it does not know");
        assert_eq!(of("E", "6"), Some(Some(6.0)), "dead reckoning");
        assert_eq!(of("R", "0"), Some(Some(4.0)));
        assert_eq!(of("", "x"), Some(None));
        assert_eq!(of("A", "7"), None, "typed in");
        assert_eq!(of("", "8"), None, "simulated");
    }

    #[test]
    fn an_accuracy_that_cannot_be_is_left_out() {
        for gst in ["GPGST,112228.037,,,,,NaN,4.0,6.0", "GPGST,112228.037,,,,,-3.0,4.0,", "GPGST,112228.037,,,,,1e9,1,"]
        {
            assert_eq!(fixes(&[RMC, gst])[0].quality.acc, None, "{gst}");
        }
    }
}
