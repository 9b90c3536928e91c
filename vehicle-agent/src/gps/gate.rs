//! Bytes from a receiver → whole sentences of the few types that are used.
//!
//! `nmea-parser` 0.11 panics on some lines and blocks for minutes on others; only what passes here ever reaches it.

use std::collections::{BTreeMap, BTreeSet};

/// A sentence whose checksum is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// What it tells.
    pub kind: Kind,
    /// From the talker on, without `$` and checksum.
    body: String,
}

/// The types of sentences that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Time, date, position, speed, course.
    Rmc,
    /// Time, position, altitude, satellites, dilution of precision.
    Gga,
    /// Dilution of precision.
    Gsa,
    /// Time and date.
    Zda,
    /// Speed and course.
    Vtg,
    /// Time, error of the position.
    Gst,
}

/// Those who speak for satellites (NMEA 0183 4.11, and what receivers said before it): several systems at once, GPS,
/// GLONASS, Galileo, BeiDou, QZSS, NavIC. A compass or an echo sounder on the same line is of no use.
const TALKERS: [&str; 9] = ["GN", "GP", "GL", "GA", "GB", "BD", "QZ", "GQ", "GI"];

impl Sentence {
    /// Who says it.
    pub fn talker(&self) -> &str {
        &self.body[..2]
    }

    /// The fields; the first is talker and type.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.body.split(',')
    }

    /// Field `index`, empty if it is not there.
    pub fn field(&self, index: usize) -> &str {
        self.fields().nth(index).unwrap_or("")
    }

    /// The first `count` fields, as `nmea-parser` takes a sentence without checksum.
    pub fn head(&self, count: usize) -> String {
        let end = self.body.match_indices(',').nth(count.saturating_sub(1));
        format!("${}", &self.body[..end.map_or(self.body.len(), |(at, _)| at)])
    }

    /// Field `index` as a number; NaN and infinities are none.
    pub fn number(&self, index: usize) -> Option<f64> {
        let text = self.field(index);
        // Rust also reads `1e1`, `+7` and `inf`, which no receiver writes.
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        text.parse().ok().filter(|number: &f64| is_plain && number.is_finite())
    }

    /// Milliseconds after midnight UTC; GSA and VTG have no time.
    pub fn time_of_day_ms(&self) -> Option<u32> {
        match self.kind {
            Kind::Rmc | Kind::Gga | Kind::Zda | Kind::Gst => parse_time_of_day(self.field(1)),
            Kind::Gsa | Kind::Vtg => None,
        }
    }
}

/// `hhmmss` with any number of decimals → milliseconds after midnight.
fn parse_time_of_day(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.len() != 6 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let two = |at: usize| whole[at..at + 2].parse::<u32>().ok();
    let (hour, minute, second) = (two(0)?, two(2)?, two(4)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut ms = 0;
    for place in 0..3 {
        ms = ms * 10 + u32::from(fraction.as_bytes().get(place).map_or(0, |digit| digit - b'0'));
    }
    Some(((hour * 60 + minute) * 60 + second) * 1000 + ms)
}

/// Why a line that began as a sentence is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Longer than any sentence.
    TooLong,
    /// Not printable ASCII.
    Binary,
    /// Without a checksum.
    NoChecksum,
    /// With a wrong one.
    WrongChecksum,
}

impl Refusal {
    /// A word for counters.
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::TooLong => "too_long",
            Refusal::Binary => "binary",
            Refusal::NoChecksum => "no_checksum",
            Refusal::WrongChecksum => "wrong_checksum",
        }
    }
}

/// What a gate has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines with a right checksum, of use or not.
    pub right: u64,
    /// Those of them that were handed on.
    pub used: u64,
    /// Lines that were refused.
    pub refused: BTreeMap<Refusal, u64>,
    /// Who has said what was handed on.
    pub talkers: BTreeSet<&'static str>,
}

/// NMEA 0183 says 82; receivers with many decimals need more.
const LONGEST: usize = 120;

/// Finds sentences in bytes that come in pieces of any size.
///
/// A sentence begins at `$` and ends at the end of the line or at the next `$`: of a torn line the whole sentence that
/// follows is not lost. Everything else, such as binary chatter between two sentences, is passed over.
#[derive(Debug, Default)]
pub struct Gate {
    line: Vec<u8>,
    inside: bool,
    tally: Tally,
}

impl Gate {
    /// Takes one byte; tells of the sentence, or what was to be one, that ends with it.
    pub fn push(&mut self, byte: u8) -> Option<Result<Sentence, Refusal>> {
        match byte {
            b'$' => {
                let ended = self.finish();
                self.inside = true;
                ended
            }
            b'\r' | b'\n' => self.finish(),
            _ if !self.inside => None,
            _ if self.line.len() == LONGEST => {
                self.inside = false;
                self.line.clear();
                self.count(Err(Refusal::TooLong))
            }
            _ => {
                self.line.push(byte);
                None
            }
        }
    }

    /// The input has ended: tells of the sentence that ended with it.
    pub fn finish(&mut self) -> Option<Result<Sentence, Refusal>> {
        if !std::mem::take(&mut self.inside) {
            return None;
        }
        let read = read_sentence(self.line.trim_ascii_end());
        self.line.clear();
        self.count(read)
    }

    /// What was seen so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    fn count(&mut self, read: Result<Option<Sentence>, Refusal>) -> Option<Result<Sentence, Refusal>> {
        match &read {
            Ok(sentence) => {
                self.tally.right += 1;
                if let Some(sentence) = sentence {
                    self.tally.used += 1;
                    self.tally.talkers.extend(known_talker(sentence.talker()));
                }
            }
            Err(refusal) => *self.tally.refused.entry(*refusal).or_default() += 1,
        }
        read.transpose()
    }
}

fn known_talker(talker: &str) -> Option<&'static str> {
    TALKERS.into_iter().find(|known| *known == talker)
}

/// `Ok(None)`: right, but of no use here.
fn read_sentence(line: &[u8]) -> Result<Option<Sentence>, Refusal> {
    if !line.iter().all(|byte| matches!(byte, 0x20..0x7f)) {
        return Err(Refusal::Binary);
    }
    let line = std::str::from_utf8(line).map_err(|_| Refusal::Binary)?;
    let (body, checksum) = line.rsplit_once('*').ok_or(Refusal::NoChecksum)?;
    let is_hex = checksum.len() == 2 && checksum.bytes().all(|b| b.is_ascii_hexdigit());
    let given = u8::from_str_radix(checksum, 16).ok().filter(|_| is_hex);
    let given = given.ok_or(Refusal::NoChecksum)?;
    if body.bytes().fold(0, |sum, byte| sum ^ byte) != given {
        return Err(Refusal::WrongChecksum);
    }
    let address = body.split(',').next().unwrap_or("");
    let Some((talker, kind)) = address.split_at_checked(2) else { return Ok(None) };
    let kind = match kind {
        "RMC" => Kind::Rmc,
        "GGA" => Kind::Gga,
        "GSA" => Kind::Gsa,
        "ZDA" => Kind::Zda,
        "VTG" => Kind::Vtg,
        "GST" => Kind::Gst,
        _ => return Ok(None),
    };
    Ok(known_talker(talker).map(|_| Sentence { kind, body: body.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RMC: &str = "$GPRMC,112225.844,A,4719.9737,N,00749.2639,E,0.00,,030410,,,A*7C";

    fn all(input: &[u8]) -> Vec<Result<Sentence, Refusal>> {
        let mut gate = Gate::default();
        let mut found: Vec<_> = input.iter().filter_map(|byte| gate.push(*byte)).collect();
        found.extend(gate.finish());
        found
    }

    fn sentences(input: &[u8]) -> usize {
        all(input).into_iter().filter(Result::is_ok).count()
    }

    #[test]
    fn a_checksum_counts_in_either_case_and_its_absence_never_passes() {
        assert_eq!(sentences(RMC.as_bytes()), 1);
        assert_eq!(sentences(RMC.replace("7C", "7c").as_bytes()), 1);
        assert_eq!(all(RMC.replace("*7C", "").as_bytes()), [Err(Refusal::NoChecksum)]);
        assert_eq!(all(RMC.replace("7C", "+C").as_bytes()), [Err(Refusal::NoChecksum)]);
        assert_eq!(all(RMC.replace("7C", "7D").as_bytes()), [Err(Refusal::WrongChecksum)]);
    }

    #[test]
    fn every_constellation_is_heard_and_nobody_else() {
        let said = |address: &str| {
            let body = format!("{address},112225.844,A");
            let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
            let mut gate = Gate::default();
            let found = format!("${body}*{sum:02X}\r").bytes().filter_map(|byte| gate.push(byte)).count();
            assert_eq!(gate.tally().right, 1);
            assert_eq!(gate.tally().used, found as u64);
            found
        };
        for talker in TALKERS {
            assert_eq!(said(&format!("{talker}RMC")), 1, "{talker}");
        }
        for address in ["SDRMC", "PGRMC", "gpRMC", "GPGSV", "GPrmc", "GPRMCX", "RMC", "GP", ""] {
            assert_eq!(said(address), 0, "{address}");
        }
    }

    #[test]
    fn a_torn_line_does_not_take_the_next_sentence_with_it() {
        assert_eq!(sentences(format!("$GPRMC,1122{RMC}\r\n").as_bytes()), 1);
        assert_eq!(sentences(format!("{RMC}{RMC}").as_bytes()), 2);
        let mut noisy = vec![0xB5, 0x62, 0x00, b'*', 0xFF];
        noisy.extend(std::iter::repeat_n(0x80, 10_000));
        noisy.extend(RMC.as_bytes());
        assert_eq!(sentences(&noisy), 1);
    }

    #[test]
    fn a_line_without_an_end_takes_no_memory() {
        let mut gate = Gate::default();
        gate.push(b'$');
        let refused = (0..1_000_000).filter_map(|_| gate.push(b'x')).count();
        assert_eq!(refused, 1);
        assert_eq!(gate.tally().refused, [(Refusal::TooLong, 1)].into());
        assert!(gate.line.capacity() <= 2 * LONGEST);
    }

    #[test]
    fn times_keep_their_fractions() {
        assert_eq!(parse_time_of_day("000000"), Some(0));
        assert_eq!(parse_time_of_day("112225.844"), Some(40_945_844));
        assert_eq!(parse_time_of_day("112225.8"), Some(40_945_800));
        assert_eq!(parse_time_of_day("235959.99999"), Some(86_399_999));
        for wrong in ["", "1122", "240000", "126000", "112260", "11222x", "112225.x", "-12225"] {
            assert_eq!(parse_time_of_day(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_head_ends_before_the_next_comma() {
        let Ok(sentence) = all(RMC.as_bytes()).remove(0) else { panic!() };
        assert_eq!(sentence.head(3), "$GPRMC,112225.844,A");
        assert_eq!(sentence.head(99), &RMC[..RMC.len() - 3]);
    }
}
