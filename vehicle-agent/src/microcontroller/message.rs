//! A line → what it says.

use std::fmt;

use crc::{CRC_16_IBM_3740, Crc};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

/// Most words of a line.
pub const MOST: usize = 32;
/// CRC-16 with polynomial 0x1021, begun with 0xFFFF: `123456789` gives 29B1.
const CHECKSUM: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_3740);

/// What a line says: words and what they are, as they came.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Whether the microcontroller says who it is.
    pub hello: bool,
    /// Each word once, with its value.
    pub words: Vec<(String, Word)>,
}

/// The value of a word.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    /// A finite number.
    Number(f64),
    /// Anything else: up to 32 characters.
    Text(String),
}

/// Why a line, or a word of it, is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Longer than 256 bytes.
    TooLong,
    /// Not printable ASCII.
    Binary,
    /// Without a checksum.
    NoChecksum,
    /// With a wrong one.
    WrongChecksum,
    /// Neither words with values nor JSON.
    Malformed,
    /// More than 32 words, or more signals than a vehicle has.
    TooMany,
    /// The same word twice.
    Twice,
    /// No key of the contract.
    Key,
    /// A signal that is not its to tell.
    Forbidden,
    /// A signal in another unit than the catalogue's.
    Unit,
    /// A value that no working sensor tells.
    Range,
    /// More than can be taken.
    Flood,
}

impl Refusal {
    /// A word for counters.
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::TooLong => "too_long",
            Refusal::Binary => "binary",
            Refusal::NoChecksum => "no_checksum",
            Refusal::WrongChecksum => "wrong_checksum",
            Refusal::Malformed => "malformed",
            Refusal::TooMany => "too_many",
            Refusal::Twice => "twice",
            Refusal::Key => "key",
            Refusal::Forbidden => "forbidden",
            Refusal::Unit => "unit",
            Refusal::Range => "range",
            Refusal::Flood => "flood",
        }
    }
}

const LONGEST_WORD: usize = 32;

/// The checksum of what stands before it.
pub fn checksum(text: &str) -> u16 {
    CHECKSUM.checksum(text.as_bytes())
}

/// Reads a line: `key=value key=value*CCCC`, or a JSON object.
pub fn read(line: &str) -> Result<Message, Refusal> {
    if line.starts_with('{') { read_json(line) } else { read_words(line) }
}

fn read_words(line: &str) -> Result<Message, Refusal> {
    let (body, sum) = line.rsplit_once('*').ok_or(Refusal::NoChecksum)?;
    check(body, sum)?;
    let mut words = body.split(' ').peekable();
    let hello = words.next_if_eq(&"hello").is_some();
    let mut message = Message { hello, words: Vec::new() };
    for word in words {
        // Units are said as `key:unit`.
        let split = if hello { word.split_once(['=', ':']) } else { word.split_once('=') };
        let (key, value) = split.ok_or(Refusal::Malformed)?;
        message.add(key, value.parse().map_or_else(|_| Word::Text(value.to_owned()), Word::Number))?;
    }
    message.whole()
}

fn read_json(line: &str) -> Result<Message, Refusal> {
    // The checksum, where there is one, is of all that stands before its comma.
    if let Some((body, rest)) = line.rsplit_once(",\"crc\":\"") {
        check(body, rest.strip_suffix("\"}").ok_or(Refusal::Malformed)?)?;
    }
    let Members(members) = serde_json::from_str(line).map_err(|_| Refusal::Malformed)?;
    let mut message = Message { hello: false, words: Vec::new() };
    for (key, value) in members {
        match (key.as_str(), value) {
            ("crc", _) => {}
            ("hello", Word::Text(name)) => {
                message.hello = true;
                message.add("name", Word::Text(name))?;
            }
            (_, value) => message.add(&key, value)?,
        }
    }
    message.whole()
}

fn check(body: &str, sum: &str) -> Result<(), Refusal> {
    let told = u16::from_str_radix(sum, 16).ok().filter(|_| sum.len() == 4 && !sum.starts_with('+'));
    if told == Some(checksum(body)) { Ok(()) } else { Err(Refusal::WrongChecksum) }
}

impl Message {
    fn add(&mut self, key: &str, value: Word) -> Result<(), Refusal> {
        let fits = match &value {
            Word::Number(number) => number.is_finite(),
            Word::Text(text) => text.len() <= LONGEST_WORD && text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        };
        if key.is_empty() || !fits {
            return Err(Refusal::Malformed);
        }
        if self.words.len() == MOST {
            return Err(Refusal::TooMany);
        }
        if self.words.iter().any(|(known, _)| known == key) {
            return Err(Refusal::Twice);
        }
        self.words.push((key.to_owned(), value));
        Ok(())
    }

    fn whole(self) -> Result<Self, Refusal> {
        if self.words.is_empty() { Err(Refusal::Malformed) } else { Ok(self) }
    }

    /// The text of a word.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.words.iter().find(|(known, _)| known == key).and_then(|(_, value)| match value {
            Word::Text(text) => Some(text.as_str()),
            Word::Number(_) => None,
        })
    }

    /// The number of a word, if it is one of those that count: whole, from 0 to 2³² − 1.
    pub fn count(&self, key: &str) -> Option<u32> {
        self.words.iter().find(|(known, _)| known == key).and_then(|(_, value)| match value {
            Word::Number(number) if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number) => {
                Some(*number as u32)
            }
            _ => None,
        })
    }
}

/// A JSON object of numbers, texts and truth values, its members in order and also those that come twice.
struct Members(Vec<(String, Word)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of numbers and texts")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Scalar {
            Truth(bool),
            Number(f64),
            Text(String),
        }
        Ok(match Scalar::deserialize(deserializer).map_err(de::Error::custom)? {
            Scalar::Truth(truth) => Word::Number(f64::from(u8::from(truth))),
            Scalar::Number(number) => Word::Number(number),
            Scalar::Text(text) => Word::Text(text),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signed(body: &str) -> String {
        format!("{body}*{:04X}", checksum(body))
    }

    #[test]
    fn the_checksum_is_the_one_of_the_catalogue_of_checksums() {
        assert_eq!(checksum("123456789"), 0x29B1);
    }

    #[test]
    fn words_and_json_say_the_same() {
        let words = read(&signed("ms=1234 ax=-0.5 x.door=1")).unwrap();
        assert_eq!(words, read(r#"{"ms":1234,"ax":-0.5,"x.door":true}"#).unwrap());
        let body = r#"{"ms":1234,"ax":-0.5,"x.door":1"#;
        assert_eq!(words, read(&format!("{body},\"crc\":\"{:04x}\"}}", checksum(body))).unwrap());
        assert_eq!(words.count("ms"), Some(1234));
        assert_eq!(words.count("ax"), None);
        let hello = read(&signed("hello name=cabin version=1.2b x.temp1:celsius")).unwrap();
        assert_eq!(hello, read(r#"{"hello":"cabin","version":"1.2b","x.temp1":"celsius"}"#).unwrap());
        assert!(hello.hello && hello.text("x.temp1") == Some("celsius"));
    }

    #[test]
    fn a_wrong_line_is_refused_with_its_reason() {
        let many: Vec<_> = (0..=MOST).map(|i| format!("x.a{i}=1")).collect();
        let json_body = r#"{"ax":1"#;
        for (line, reason) in [
            ("ax=1".to_owned(), Refusal::NoChecksum),
            ("ax=1*0000".to_owned(), Refusal::WrongChecksum),
            (signed("ax=1").replace("ax=1", "ax=2"), Refusal::WrongChecksum),
            (format!("ax=1*+{:03X}", checksum("ax=1")), Refusal::WrongChecksum),
            (signed("ax"), Refusal::Malformed),
            (signed("ax=1  ay=2"), Refusal::Malformed),
            (signed("=1"), Refusal::Malformed),
            (signed("ax=inf"), Refusal::Malformed),
            (signed("ax=NaN"), Refusal::Malformed),
            (signed("hello"), Refusal::Malformed),
            (signed(&format!("x={}", "y".repeat(33))), Refusal::Malformed),
            (signed("ax=1 ax=1"), Refusal::Twice),
            (signed(&many.join(" ")), Refusal::TooMany),
            (r#"{"ax":1"#.to_owned(), Refusal::Malformed),
            (r#"{"ax":1} "#.to_owned() + "x", Refusal::Malformed),
            (r#"{"ax":1,"ax":1}"#.to_owned(), Refusal::Twice),
            (r#"{"ax":null}"#.to_owned(), Refusal::Malformed),
            (r#"{"ax":{"b":1}}"#.to_owned(), Refusal::Malformed),
            (r#"{"ax":1e999}"#.to_owned(), Refusal::Malformed),
            (r#"{}"#.to_owned(), Refusal::Malformed),
            (format!("{json_body},\"crc\":\"0000\"}}"), Refusal::WrongChecksum),
        ] {
            assert_eq!(read(&line), Err(reason), "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_line_that_was_changed_by_a_burst_is_never_taken(
            value in -1000..1000i32, at in 0usize..24, flips in prop::collection::vec(1u8..=255, 1..=2),
        ) {
            let line = signed(&format!("ax={value} ay=0.25 az=9.81"));
            let mut bytes = line.clone().into_bytes();
            for (byte, flip) in bytes.iter_mut().skip(at).zip(&flips) {
                *byte ^= flip;
            }
            // What is not text has no way in, and a star may part the line elsewhere.
            if let Ok(changed) = String::from_utf8(bytes)
                && changed.matches('*').count() == 1
                && changed.find('*') == line.find('*')
            {
                prop_assert!(read(&changed).is_err(), "{}", changed);
            }
        }

        #[test]
        fn nothing_that_is_said_brings_the_reader_down(line in ".{0,300}", tail in "[ -~]{0,80}") {
            drop(read(&line));
            drop(read(&signed(&line)));
            drop(read(&format!("{{{tail}}}")));
        }
    }
}
