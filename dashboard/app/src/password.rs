//! What a password that somebody chooses must be like; the server has the last word.

use std::collections::BTreeSet;

use crate::phrases::people::People;

/// What is wrong with a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Fewer than 10 characters.
    Short,
    /// Fewer than 5 different ones.
    Poor,
    /// The user name is in it.
    Name,
}

impl Fault {
    /// In words.
    pub fn told(self, words: &People) -> &'static str {
        match self {
            Fault::Short => words.password_short,
            Fault::Poor => words.password_poor,
            Fault::Name => words.password_has_name,
        }
    }
}

/// What is wrong with a password, if anything is.
pub fn fault(password: &str, name: &str) -> Option<Fault> {
    let different: BTreeSet<char> = password.chars().collect();
    if password.chars().count() < 10 {
        Some(Fault::Short)
    } else if different.len() < 5 {
        Some(Fault::Poor)
    } else if !name.is_empty() && password.to_lowercase().contains(&name.to_lowercase()) {
        Some(Fault::Name)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_not_the_name() {
        assert_eq!(fault("correct horse", "ada"), None);
        assert_eq!(fault("short", "ada"), Some(Fault::Short));
        assert_eq!(fault("aaaaaaaaaaaa", "ada"), Some(Fault::Poor));
        assert_eq!(fault("this is Ada herself", "ada"), Some(Fault::Name));
    }
}
