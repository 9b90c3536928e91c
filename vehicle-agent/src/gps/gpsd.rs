//! gpsd's JSON (gpsd_json(5)): one object in each line.
//!
//! TPV is the fix, SKY tells of satellites. Speed is in m/s, everything else as in [`Fix`].

use std::time::Duration;

use bugbrother_wire::UnixMs;
use nmea_parser::chrono::DateTime;
use serde::Deserialize;
use tokio::time::Instant;
use tracing::debug;

use super::{
    Fix,
    ear::Told,
    fix::{Mode, NoFix, Quality, on_earth, plausible},
    judge::Judge,
};

/// What a gpsd is told at the beginning, so that it says anything at all.
pub(super) const WATCH: &[u8] = b"?WATCH={\"enable\":true,\"json\":true}\n";
/// gpsd itself knows no longer line than 10 KiB.
const LONGEST: usize = 16 * 1024;
/// What SKY says is that of the fixes of the next seconds.
const SKY_HOLDS: Duration = Duration::from_secs(5);
/// Of several receivers the first is listened to, until it has had no fix for so long.
const DEVICE_HOLDS: Duration = Duration::from_secs(10);
const KMH_PER_M_S: f64 = 3.6;

#[derive(Deserialize)]
#[serde(tag = "class")]
enum Report {
    #[serde(rename = "TPV")]
    Tpv(Box<Tpv>),
    #[serde(rename = "SKY")]
    Sky(Sky),
    #[serde(rename = "ERROR")]
    Error { message: String },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tpv {
    device: Option<String>,
    mode: u8,
    status: Option<u8>,
    time: Option<String>,
    lat: Option<f64>,
    lon: Option<f64>,
    #[serde(rename = "altMSL")]
    alt_msl: Option<f64>,
    /// Above the sea before gpsd 3.20, which has no `altMSL`.
    alt: Option<f64>,
    speed: Option<f64>,
    track: Option<f64>,
    eph: Option<f64>,
}

#[derive(Deserialize)]
struct Sky {
    hdop: Option<f64>,
    #[serde(rename = "uSat")]
    used: Option<f64>,
    #[serde(default)]
    satellites: Vec<Satellite>,
}

#[derive(Deserialize)]
struct Satellite {
    #[serde(default)]
    used: bool,
}

/// Makes fixes of what a gpsd says.
pub(super) struct Gpsd {
    line: Vec<u8>,
    /// The line was longer than any, and its rest is passed over.
    overlong: bool,
    judge: Judge,
    sky: Option<(Option<f64>, Option<f64>, Instant)>,
    device: Option<(String, Instant)>,
    last: Option<UnixMs>,
    reports: u64,
}

impl Gpsd {
    pub fn new(judge: Judge) -> Self {
        Gpsd { line: Vec::new(), overlong: false, judge, sky: None, device: None, last: None, reports: 0 }
    }

    /// Takes a byte that came `now`.
    pub fn hear(&mut self, byte: u8, now: Instant) -> Option<Told> {
        if byte != b'\n' {
            if self.line.len() < LONGEST && !self.overlong {
                self.line.push(byte);
                return None;
            }
            self.line.clear();
            let begins = !std::mem::replace(&mut self.overlong, true);
            return begins.then_some(Err("too_long"));
        }
        if std::mem::take(&mut self.overlong) {
            return None;
        }
        let line = std::mem::take(&mut self.line);
        let told = self.take(line.trim_ascii(), now);
        self.line = line;
        self.line.clear();
        told
    }

    fn take(&mut self, line: &[u8], now: Instant) -> Option<Told> {
        if line.is_empty() {
            return None;
        }
        match serde_json::from_slice(line) {
            Ok(Report::Tpv(tpv)) => {
                self.reports += 1;
                self.take_fix(&tpv, now).map(|told| told.map_err(NoFix::reason))
            }
            Ok(Report::Sky(sky)) => {
                self.reports += 1;
                let used = || sky.satellites.iter().filter(|satellite| satellite.used).count() as f64;
                let told = !sky.satellites.is_empty();
                let sats = plausible("sats", sky.used.or_else(|| told.then(used)));
                let hdop = plausible("hdop", sky.hdop);
                // Some receivers tell of positions in the sky and of precision apart.
                let known = self.fresh_sky(now);
                self.sky = Some((hdop.or(known.0), sats.or(known.1), now));
                None
            }
            Ok(Report::Error { message }) => {
                debug!(message, "gpsd complains");
                None
            }
            Ok(Report::Other) => None,
            Err(_) => Some(Err(NoFix::Unreadable.reason())),
        }
    }

    fn take_fix(&mut self, tpv: &Tpv, now: Instant) -> Option<Result<Fix, NoFix>> {
        let device = tpv.device.as_deref().unwrap_or_default();
        let other = self.device.as_ref().is_some_and(|(known, at)| known != device && now - *at < DEVICE_HOLDS);
        if other {
            return None;
        }
        let fix = match self.read(tpv, now) {
            Ok(fix) => fix,
            Err(no_fix) => return Some(Err(no_fix)),
        };
        match &mut self.device {
            Some((known, at)) if known == device => *at = now,
            known => *known = Some((device.to_owned(), now)),
        }
        // In the first cycle gpsd does not know yet which sentence is the last, and reports after each.
        if self.last.replace(fix.ts) == Some(fix.ts) {
            return None;
        }
        Some(self.judge.take(fix))
    }

    fn read(&self, tpv: &Tpv, now: Instant) -> Result<Fix, NoFix> {
        if tpv.mode < 2 {
            return Err(NoFix::Void);
        }
        let mode = mode(tpv.status)?;
        let time = tpv.time.as_deref().ok_or(NoFix::Time)?;
        let ts = DateTime::parse_from_rfc3339(time).map_err(|_| NoFix::Time)?.timestamp_millis();
        let (lat, lon) = on_earth(tpv.lat, tpv.lon)?;
        let (hdop, sats) = self.fresh_sky(now);
        let alt = tpv.alt_msl.or(tpv.alt).filter(|_| tpv.mode >= 3);
        Ok(Fix {
            ts,
            lat,
            lon,
            hdg: plausible("hdg", tpv.track),
            gspd: plausible("gspd", tpv.speed.map(|speed| speed * KMH_PER_M_S)),
            quality: Quality {
                mode: Some(mode),
                alt: plausible("alt", alt),
                hdop,
                sats,
                // gpsd's is the radius of 95 of 100, which is twice the root mean square.
                acc: plausible("acc", tpv.eph.map(|eph| eph / 2.0)),
            },
        })
    }

    fn fresh_sky(&self, now: Instant) -> (Option<f64>, Option<f64>) {
        match self.sky {
            Some((hdop, sats, at)) if now - at < SKY_HOLDS => (hdop, sats),
            _ => (None, None),
        }
    }

    /// How many reports of a receiver have come.
    pub fn reports(&self) -> u64 {
        self.reports
    }

    /// The receiver that is listened to, by gpsd's name for it.
    pub fn device(&self) -> Option<&str> {
        self.device.as_ref().map(|(device, _)| device.as_str())
    }

    pub fn satellites(&self) -> Option<f64> {
        self.sky.and_then(|(_, sats, _)| sats)
    }
}

/// `status` of TPV. gpsd leaves it out for an ordinary fix.
fn mode(status: Option<u8>) -> Result<Mode, NoFix> {
    Ok(match status {
        Some(2) => Mode::Differential,
        Some(3) => Mode::Rtk,
        Some(4) => Mode::FloatRtk,
        Some(5) => Mode::Estimated,
        // A place that was surveyed for a clock, and a simulation.
        Some(7 | 8) => return Err(NoFix::NotMeasured),
        Some(9) => Mode::Precise,
        // 6 is satellites with dead reckoning between them.
        _ => Mode::Gnss,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpsd() -> Gpsd {
        Gpsd::new(Judge::of_recording())
    }

    fn hear(gpsd: &mut Gpsd, text: &str, now: Instant) -> Vec<Told> {
        text.bytes().filter_map(|byte| gpsd.hear(byte, now)).collect()
    }

    const SKY: &str = "{\"class\":\"SKY\",\"hdop\":0.9,\"uSat\":8,\"satellites\":[{\"PRN\":1,\"used\":true}]}\r\n";
    const TPV: &str = "{\"class\":\"TPV\",\"device\":\"/dev/ttyACM0\",\"status\":2,\"mode\":3,\
        \"time\":\"2026-09-21T13:33:20.500Z\",\"lat\":46.5,\"lon\":-6.25,\"altMSL\":372.5,\"alt\":1.0,\
        \"track\":12.5,\"speed\":10.0,\"eph\":4.25,\"unknown\":[{}]}\r\n";

    #[tokio::test]
    async fn a_report_is_a_fix_in_our_units() {
        let (mut gpsd, now) = (gpsd(), Instant::now());
        let told = hear(&mut gpsd, &format!("{{\"class\":\"VERSION\",\"release\":\"3.22\"}}\r\n{SKY}{TPV}"), now);
        let quality = Quality {
            mode: Some(Mode::Differential),
            alt: Some(372.5),
            hdop: Some(0.9),
            sats: Some(8.0),
            acc: Some(2.125),
        };
        let ts = 1_789_997_600_500;
        assert_eq!(told, [Ok(Fix { ts, lat: 46.5, lon: -6.25, hdg: Some(12.5), gspd: Some(36.0), quality })]);
        assert_eq!(hear(&mut gpsd, TPV, now), [], "the same again");
        let later = TPV.replace("20.500", "26.500");
        let told = hear(&mut gpsd, &later, now + Duration::from_secs(6));
        assert_eq!(told[0].as_ref().unwrap().quality.sats, None, "the sky of six seconds ago");
        assert_eq!(gpsd.device(), Some("/dev/ttyACM0"));
    }

    #[tokio::test]
    async fn what_is_no_fix_says_why() {
        for (from, to, why) in [
            ("\"mode\":3", "\"mode\":1", "void"),
            ("\"status\":2", "\"status\":8", "not_measured"),
            ("2026-09-21T13:33:20.500Z", "soon", "time"),
            ("2026-09-21", "1980-01-06", "date"),
            ("\"time\"", "\"no time\"", "time"),
            ("\"lat\":46.5", "\"lat\":96.5", "position"),
            ("\"lat\":46.5,\"lon\":-6.25", "\"lat\":0,\"lon\":0", "position"),
            ("\"lat\":46.5", "\"lat\":\"NaN\"", "unreadable"),
            ("\"lat\":46.5", "\"lat\":1e999", "unreadable"),
            ("{\"class\"", "{{\"class\"", "unreadable"),
        ] {
            assert!(TPV.contains(from), "{from}");
            assert_eq!(hear(&mut gpsd(), &TPV.replace(from, to), Instant::now()), [Err(why)], "{to}");
        }
        let told = hear(&mut gpsd(), &TPV.replace("4.25", "-1").replace("10.0", "1e9"), Instant::now());
        let fix = told[0].as_ref().unwrap();
        assert_eq!((fix.quality.acc, fix.gspd), (None, None));
    }

    #[tokio::test]
    async fn of_two_receivers_the_first_is_believed_until_it_is_gone() {
        let (mut gpsd, now) = (gpsd(), Instant::now());
        let other = TPV.replace("ttyACM0", "ttyACM1").replace("20.500", "21.500");
        assert_eq!(hear(&mut gpsd, TPV, now).len(), 1);
        assert_eq!(hear(&mut gpsd, &other, now + Duration::from_secs(9)).len(), 0);
        assert_eq!(hear(&mut gpsd, &other, now + Duration::from_secs(11)).len(), 1);
    }

    #[tokio::test]
    async fn a_line_without_an_end_takes_no_memory_and_the_next_one_counts() {
        let (mut gpsd, now) = (gpsd(), Instant::now());
        let endless = "x".repeat(1_000_000);
        assert_eq!(hear(&mut gpsd, &endless, now), [Err("too_long")]);
        assert!(gpsd.line.capacity() <= 2 * LONGEST);
        assert_eq!(hear(&mut gpsd, &format!("\n{TPV}"), now).len(), 1);
        let nested = format!("{{\"class\":\"TPV\",\"mode\":{}\n", "[".repeat(16_000));
        assert_eq!(hear(&mut gpsd, &nested, now), [Err("unreadable")]);
    }
}
