use std::{fmt, str::FromStr, sync::LazyLock};

use data_encoding::{Encoding, HEXLOWER, Specification};
use sha2::{Digest, Sha256};

/// Longest text that is looked at: a code, and blanks or dashes between all of its characters.
const MAX_TEXT: usize = 64;
const GROUP: usize = 5;

/// Douglas Crockford's base 32: what looks alike is the same.
static CROCKFORD: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    specification.translate.from.push_str("abcdefghjkmnpqrstvwxyzIiLlOo");
    specification.translate.to.push_str("ABCDEFGHJKMNPQRSTVWXYZ111100");
    specification.ignore.push_str("- \t\r\n");
    specification.encoding().expect("32 symbols, and no character means two of them")
});

/// A one-time enrolment code: 128 random bits, that a person can read out and type.
///
/// Whoever has it can be a vehicle once, so it is shown once and stored as its [`Code::sha256`].
#[derive(Clone, PartialEq, Eq)]
pub struct Code([u8; 16]);

/// The text is no enrolment code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an enrolment code is 26 letters and digits")]
pub struct CodeError;

impl Code {
    /// A new random code.
    #[expect(clippy::new_without_default, reason = "a random code is nobody's default")]
    pub fn new() -> Self {
        Code(rand::random())
    }

    /// What is stored of it: SHA-256 in hexadecimal digits. 128 random bits need no slower hash.
    pub fn sha256(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.0))
    }
}

/// The code itself, for the person who carries it to the vehicle.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = CROCKFORD.encode(&self.0);
        // Four groups of five and one of six: a last group of one would get lost.
        let (groups, last) = text.split_at(4 * GROUP);
        for start in (0..groups.len()).step_by(GROUP) {
            write!(f, "{}-", &groups[start..start + GROUP])?;
        }
        f.write_str(last)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

impl FromStr for Code {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        if text.len() > MAX_TEXT {
            return Err(CodeError);
        }
        let bytes = CROCKFORD.decode(text.as_bytes()).map_err(|_| CodeError)?;
        bytes.try_into().map(Code).map_err(|_| CodeError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_may_be_typed_as_it_is_read() {
        let code = Code([0x08, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
        assert_eq!(code.to_string(), "11100-00000-00000-00000-007ZZW");
        for text in [
            "11100-00000-00000-00000-007ZZW",
            "111000000000000000000 07zzw",
            "iLlOO-OOOOO-ooooo-OOOOO-OO7zzw",
            " 11100 00000 00000 00000 007ZZW\n",
        ] {
            assert_eq!(text.parse(), Ok(code.clone()), "{text}");
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for bad in ["", "1110", "11100-00000-00000-00000-007ZZZ", "U1100-00000-00000-00000-007ZZW", &"1".repeat(1000)] {
            assert_eq!(bad.parse::<Code>(), Err(CodeError), "{bad}");
        }
    }

    #[test]
    fn a_code_does_not_get_into_a_log_and_is_stored_as_a_hash() {
        let code = Code::new();
        assert_eq!(format!("{code:?}"), "Code(..)");
        assert_eq!(code.sha256().len(), 64);
        assert_ne!(code.sha256(), Code::new().sha256());
    }

    proptest! {
        #[test]
        fn every_code_reads_back_as_itself(bytes: [u8; 16]) {
            let code = Code(bytes);
            prop_assert_eq!(code.to_string().to_lowercase().parse(), Ok(code));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text: String) {
            let _read: Result<Code, CodeError> = text.parse();
        }
    }
}
