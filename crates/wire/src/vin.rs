//! Vehicle identification numbers: ISO 3779 (17 characters) and ISO 3780 (the maker's three).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A vehicle identification number: 17 characters out of `0-9` and `A-Z` without `I`, `O` and `Q`.
///
/// Being ASCII of a fixed length it is safe as a level of an MQTT topic, as a user name and as a file name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vin([u8; 17]);

/// Why a text is not a VIN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VinError {
    /// Not 17 characters.
    #[error("a VIN has 17 characters, this has {0}")]
    Length(usize),
    /// A character that no VIN has; lower case is one.
    #[error("`{0}` cannot stand in a VIN: 0-9 and A-Z without I, O and Q")]
    Character(char),
}

/// What the check digit (position 9) says. It is obligatory in North America and China alone, so a wrong one is a
/// warning and never a reason to refuse a car.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckDigit {
    /// It is the one that 49 CFR 565.15(c) computes.
    Right,
    /// It is not; the maker need not use one outside North America and China.
    Wrong {
        /// The computed character.
        expected: char,
        /// Whether the car was made for a market where the digit is obligatory, as far as the first character tells.
        obligatory: bool,
    },
}

impl Vin {
    /// Reads a VIN that a person or an adapter gave: surrounding blanks are cut and letters made upper case.
    pub fn parse_lenient(text: &str) -> Result<Self, VinError> {
        text.trim().to_ascii_uppercase().parse()
    }

    /// The 17 characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a VIN is ASCII: the constructor lets nothing else in")
    }

    /// World manufacturer identifier: the first three characters.
    pub fn wmi(&self) -> &str {
        &self.as_str()[..3]
    }

    /// Compares position 9 with the weighted sum of 49 CFR 565.15(c).
    pub fn check_digit(&self) -> CheckDigit {
        const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
        let sum: u32 = self.0.iter().zip(WEIGHTS).map(|(c, weight)| transliterate(*c) * weight).sum();
        let expected = match sum % 11 {
            10 => 'X',
            digit => char::from_digit(digit, 10).expect("a remainder below ten is a digit"),
        };
        if char::from(self.0[8]) == expected {
            CheckDigit::Right
        } else {
            CheckDigit::Wrong { expected, obligatory: matches!(self.0[0], b'1'..=b'5' | b'L') }
        }
    }
}

/// Table III of 49 CFR 565.15(c).
fn transliterate(c: u8) -> u32 {
    u32::from(match c {
        b'0'..=b'9' => c - b'0',
        b'A'..=b'H' => c - b'A' + 1,
        b'J'..=b'R' => c - b'J' + 1,
        _ => c - b'S' + 2,
    })
}

impl FromStr for Vin {
    type Err = VinError;

    fn from_str(text: &str) -> Result<Self, VinError> {
        if let Some(bad) = text.chars().find(|c| !matches!(c, '0'..='9' | 'A'..='Z') || matches!(c, 'I' | 'O' | 'Q')) {
            return Err(VinError::Character(bad));
        }
        text.as_bytes().try_into().map(Vin).map_err(|_| VinError::Length(text.len()))
    }
}

impl fmt::Display for Vin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Vin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Vin {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Vin {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Vin;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a VIN")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Vin, E> {
                text.parse().map_err(E::custom)
            }
        }
        d.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digit_of_the_regulation_is_computed() {
        // 49 CFR 565.15's own sample, and seventeen ones, whose sum is 89.
        assert_eq!("1M8GDM9AXKP042788".parse::<Vin>().unwrap().check_digit(), CheckDigit::Right);
        assert_eq!("11111111111111111".parse::<Vin>().unwrap().check_digit(), CheckDigit::Right);
        assert_eq!(
            "1M8GDM9A1KP042788".parse::<Vin>().unwrap().check_digit(),
            CheckDigit::Wrong { expected: 'X', obligatory: true }
        );
        assert!(matches!(
            "WVWZZZ1JZ3W386752".parse::<Vin>().unwrap().check_digit(),
            CheckDigit::Wrong { obligatory: false, .. }
        ));
    }

    #[test]
    fn what_is_no_vin_is_refused_with_its_reason() {
        assert_eq!("WVWZZZ1JZ3W38675".parse::<Vin>(), Err(VinError::Length(16)));
        assert_eq!("WVWZZZ1JZ3W3867522".parse::<Vin>(), Err(VinError::Length(18)));
        assert_eq!("".parse::<Vin>(), Err(VinError::Length(0)));
        for (text, bad) in [
            ("WVWZZZ1JZ3W38675O", 'O'),
            ("WVWZZZ1JZ3I386752", 'I'),
            ("QVWZZZ1JZ3W386752", 'Q'),
            ("wVWZZZ1JZ3W386752", 'w'),
            ("../ZZZ1JZ3W386752", '.'),
            ("+VWZZZ1JZ3W386752", '+'),
            ("ВVWZZZ1JZ3W386752", 'В'),
        ] {
            assert_eq!(text.parse::<Vin>(), Err(VinError::Character(bad)), "{text}");
        }
    }

    #[test]
    fn a_person_may_type_it_in_lower_case() {
        assert_eq!(Vin::parse_lenient(" wvwzzz1jz3w386752 ").unwrap().as_str(), "WVWZZZ1JZ3W386752");
    }
}
