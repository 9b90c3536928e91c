//! Codes of a second factor (TOTP, RFC 6238: HMAC-SHA1, six digits, 30 s), and those for when the telephone is lost.

use bugbrother_wire::UnixMs;
use totp_rs::{Builder, Secret, Totp};

use crate::{digest, password};

/// As it is called on the telephone.
const ISSUER: &str = "BugBrother";
/// As many as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// Steps before and after the present one whose codes are taken, for clocks that are wrong and people who are slow.
const SKEW: u16 = 1;
const RECOVERY_CODES: usize = 10;

/// A secret that a telephone and the server know.
pub(crate) struct Factor(Totp);

/// The text is no secret that this server has made.
#[derive(Debug, thiserror::Error)]
#[error("the secret of a second factor cannot be read")]
pub(crate) struct SecretError;

/// What somebody typed in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Six digits.
    Telephone(String),
    /// A recovery code, by its hash.
    Recovery(String),
}

impl Code {
    /// Spaces and hyphens are for people.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        let plain: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        match plain.len() {
            6 if plain.bytes().all(|b| b.is_ascii_digit()) => Some(Code::Telephone(plain)),
            15 if plain.is_ascii() => Some(Code::Recovery(digest::sha256(plain.to_ascii_lowercase()))),
            _ => None,
        }
    }
}

/// New recovery codes, for a person to keep.
pub(crate) fn recovery_codes() -> Vec<String> {
    (0..RECOVERY_CODES).map(|_| password::groups(3)).collect()
}

impl Factor {
    /// A new secret, in base32.
    pub fn new_secret() -> String {
        Secret::from(rand::random::<[u8; SECRET_BYTES]>()).to_base32()
    }

    /// Of a secret in base32, with the name that the telephone shows.
    pub fn of(secret: &str, name: &str) -> Result<Self, SecretError> {
        let secret = Secret::try_from_base32(secret).map_err(|_| SecretError)?;
        let builder = Builder::new().with_secret(secret).with_skew(SKEW).with_issuer(Some(ISSUER));
        // A colon parts the two names there.
        builder.with_account_name(name.replace(':', " ")).build().map(Factor).map_err(|_| SecretError)
    }

    /// The step of time whose code this is, if it is one of now.
    pub fn check(&self, code: &str, now: UnixMs) -> Option<i64> {
        let seconds = u64::try_from(now.div_euclid(1000)).ok()?;
        self.0.check(code, seconds).and_then(|step| i64::try_from(step).ok())
    }

    /// What the telephone reads.
    pub fn uri(&self) -> Result<String, SecretError> {
        self.0.to_url().map_err(|_| SecretError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_790_000_000_000;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Its appendix B, of which the last six digits count here.
        let secret = Secret::from(*b"12345678901234567890").to_base32();
        let factor = Factor::of(&secret, "ada").unwrap();
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(factor.check(code, seconds * 1000), Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_for_its_step_and_those_beside_it() {
        let factor = Factor::of(&Factor::new_secret(), "ada").unwrap();
        let code = factor.0.generate(NOW as u64 / 1000).to_string();
        let step = NOW / 30_000;
        assert_eq!(factor.check(&code, NOW), Some(step));
        assert_eq!(factor.check(&code, NOW + 30_000), Some(step));
        assert_eq!(factor.check(&code, NOW - 30_000), Some(step));
        assert_eq!(factor.check(&code, NOW + 90_000), None);
        for bad in ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦"] {
            assert_eq!(factor.check(bad, NOW), None, "{bad}");
        }
    }

    #[test]
    fn what_people_type_is_understood_and_nothing_else() {
        assert_eq!(Code::parse(" 123 456 "), Some(Code::Telephone("123456".to_owned())));
        let codes = recovery_codes();
        assert_eq!(codes.len(), 10);
        let Some(Code::Recovery(hash)) = Code::parse(&codes[0]) else { panic!("{}", codes[0]) };
        assert_eq!(Code::parse(&codes[0].to_uppercase().replace('-', " ")), Some(Code::Recovery(hash)));
        for bad in ["", "12345", "12345x", "éééééééééééé", &"1".repeat(100)] {
            assert_eq!(Code::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_telephone_is_told_who_it_is_for() {
        let secret = Factor::new_secret();
        let uri = Factor::of(&secret, "ada:l").unwrap().uri().unwrap();
        assert!(uri.starts_with("otpauth://totp/BugBrother:ada%20l?"), "{uri}");
        assert!(uri.contains(&secret) && uri.contains("issuer=BugBrother"), "{uri}");
        assert!(Factor::of("no secret", "ada").is_err());
    }
}
