//! The protocols that an ELM327 speaks, by its own numbers.

use std::time::Duration;

/// A protocol of the diagnostic bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol(char);

/// Answers come within 50 ms, but a control unit may ask for more time.
const CAN: Duration = Duration::from_secs(3);
/// ISO 9141-2 and the slow form of KWP wake a control unit at 5 bits a second, which takes up to 5 s, and must do so again
/// after 5 s of silence.
pub(super) const K_LINE: Duration = Duration::from_secs(9);
/// One protocol after the other.
pub(super) const SEARCH: Duration = Duration::from_secs(30);

impl Protocol {
    /// Reads what an adapter says to ATDPN: `A6` when it was found by search, `6` when it was set. `None` for none.
    pub fn parse(said: &str) -> Option<Self> {
        let said = said.trim();
        let digit = said.strip_prefix('A').filter(|rest| !rest.is_empty()).unwrap_or(said);
        let mut digits = digit.chars();
        match (digits.next(), digits.next()) {
            (Some(digit @ ('1'..='9' | 'A'..='C')), None) => Some(Protocol(digit)),
            _ => None,
        }
    }

    /// The number that the adapter knows it by.
    pub fn digit(self) -> char {
        self.0
    }

    /// What people call it, in the words of the adapter's data sheet.
    pub fn name(self) -> &'static str {
        match self.0 {
            '1' => "SAE J1850 (PWM)",
            '2' => "SAE J1850 (VPW)",
            '3' => "ISO 9141-2",
            '4' => "ISO 14230-4 (KWP, 5 baud)",
            '5' => "ISO 14230-4 (KWP, fast)",
            '6' => "ISO 15765-4 (CAN 11/500)",
            '7' => "ISO 15765-4 (CAN 29/500)",
            '8' => "ISO 15765-4 (CAN 11/250)",
            '9' => "ISO 15765-4 (CAN 29/250)",
            'A' => "SAE J1939 (CAN 29/250)",
            _ => "CAN of the adapter's own",
        }
    }

    /// Whether it is a CAN, where answers may be long and several parameters be asked for at once.
    pub fn is_can(self) -> bool {
        self.0 >= '6'
    }

    /// How long an answer may take.
    pub(super) fn patience(self) -> Duration {
        if matches!(self.0, '3'..='5') { K_LINE } else { CAN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adapters_number_is_read_whether_it_was_searched_for_or_set() {
        for (said, digit) in
            [("A6", Some('6')), ("6\r\r", Some('6')), ("A", Some('A')), ("AA", Some('A')), ("A0", None), ("?", None)]
        {
            assert_eq!(Protocol::parse(said).map(Protocol::digit), digit, "{said}");
        }
        assert!(Protocol::parse("A7").unwrap().is_can());
        assert!(!Protocol::parse("A3").unwrap().is_can());
    }
}
