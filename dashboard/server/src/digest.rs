//! Secrets that are random enough to be kept as a plain hash, and such secrets.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// The hash in hexadecimal digits.
pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 256 bits of chance, for links and tokens: letters, digits, `-` and `_`.
pub(crate) fn random() -> String {
    encode(&rand::random::<[u8; 32]>())
}

/// Bytes as a word of letters, digits, `-` and `_`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of such a word.
pub(crate) fn decode(word: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(word).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_word_is_long_differs_and_is_read_back() {
        let (one, two) = (random(), random());
        assert_ne!(one, two);
        assert_eq!(one.len(), 43);
        assert_eq!(decode(&one).unwrap().len(), 32);
        assert_eq!(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
