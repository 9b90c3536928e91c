//! Refresh tokens: each is good once, and all of a session share their first half.

use bugbrother_store::RefreshHash;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::digest;

const HALF: usize = 24;

/// A refresh token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    /// The same for all of a session.
    family: [u8; HALF],
    /// Another one each time.
    turn: [u8; HALF],
}

/// Its hashes, as the database keeps them.
pub(crate) struct Hashes {
    pub family: String,
    pub token: String,
}

impl Hashes {
    pub fn borrow(&self) -> RefreshHash<'_> {
        RefreshHash { family: &self.family, token: &self.token }
    }
}

impl RefreshToken {
    /// The first of a session.
    pub fn new() -> Self {
        RefreshToken { family: rand::random(), turn: rand::random() }
    }

    /// The one of this text.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = digest::decode(text)?;
        let (family, turn) = bytes.split_at_checked(HALF)?;
        Some(RefreshToken { family: family.try_into().ok()?, turn: turn.try_into().ok()? })
    }

    /// The one that follows.
    pub fn next(&self, key: &[u8; 32]) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(&self.family);
        mac.update(&self.turn);
        let mut turn = [0; HALF];
        turn.copy_from_slice(&mac.finalize().into_bytes()[..HALF]);
        RefreshToken { family: self.family, turn }
    }

    pub fn hashes(&self) -> Hashes {
        Hashes { family: digest::sha256(self.family), token: digest::sha256(self.bytes()) }
    }

    /// As it is handed out.
    pub fn expose(&self) -> String {
        digest::encode(&self.bytes())
    }

    fn bytes(&self) -> Vec<u8> {
        [self.family, self.turn].concat()
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_leads_to_one_other_of_its_family() {
        let token = RefreshToken::new();
        assert_eq!(RefreshToken::parse(&token.expose()), Some(token.clone()));
        let next = token.next(&[1; 32]);
        assert_eq!(next, token.next(&[1; 32]));
        assert_ne!(next, token.next(&[2; 32]));
        assert_eq!(next.hashes().family, token.hashes().family);
        assert_ne!(next.hashes().token, token.hashes().token);
        assert_eq!(format!("{token:?}"), "RefreshToken(..)");
    }

    #[test]
    fn other_texts_are_none() {
        let whole = RefreshToken::new().expose();
        for bad in ["", "x", "é", &whole[1..], &format!("{whole}AAAA"), &"A".repeat(5000)] {
            assert_eq!(RefreshToken::parse(bad), None, "{bad}");
        }
    }
}
