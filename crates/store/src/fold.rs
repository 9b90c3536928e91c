//! Names as they are searched for.
//!
//! Collations differ between databases and between their installations, so neither `LIKE` nor the order of text is the
//! same everywhere; bytes are.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Longer names are told apart by their identity. An index of PostgreSQL takes no more than 2,700 bytes.
const MAX_BYTES: usize = 256;

/// Without accents and in lower case, so that `mull` finds `Müller`.
pub(crate) fn key(text: &str) -> Vec<u8> {
    let folded = text.trim().nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    let mut key = String::new();
    for c in folded {
        if key.len() + c.len_utf8() > MAX_BYTES {
            break;
        }
        key.push(c);
    }
    key.into_bytes()
}

/// The end of the keys that begin with this one. No UTF-8 holds the byte 255.
pub(crate) fn end(mut prefix: Vec<u8>) -> Vec<u8> {
    match prefix.last_mut() {
        Some(last) => *last += 1,
        None => prefix.push(u8::MAX),
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accents_case_and_blanks_around_a_name_do_not_count() {
        assert_eq!(key(" Éditions MÜLLER "), b"editions muller");
        assert_eq!(key("ﬁxe Ⅳ"), b"fixe iv");
    }

    #[test]
    fn a_long_name_is_cut_between_two_characters() {
        let long = key(&"и".repeat(1_000));
        assert_eq!(String::from_utf8(long).unwrap(), "и".repeat(128));
    }

    proptest! {
        #[test]
        fn whatever_begins_with_a_prefix_lies_between_it_and_its_end(prefix in ".{0,5}", rest in ".{0,5}") {
            let from = key(&prefix);
            let name = [from.clone(), key(&rest)].concat();
            prop_assert!(from <= name && name < end(from.clone()));
        }

        #[test]
        fn what_does_not_begin_with_a_prefix_lies_outside(prefix in ".{0,3}", name in ".{0,5}") {
            let (from, name) = (key(&prefix), key(&name));
            prop_assert_eq!(from <= name && name < end(from.clone()), name.starts_with(&from));
        }
    }
}
