use std::time::{Duration, Instant};

use rand::{Rng, seq::IndexedRandom};

/// How long the word is good.
pub(super) const GOOD_FOR: Duration = Duration::from_secs(120);
const LENGTH: usize = 6;
/// Without those that people take for one another.
const LETTERS: &[u8] = b"ACDEFGHJKLMNPQRTUVWXY34679";

/// The word that the second of two steps has to say: it shows that somebody has read what the first one said.
#[derive(Debug, Default)]
pub(super) struct Confirmation {
    open: Option<(String, Instant)>,
}

impl Confirmation {
    /// A new word, in place of the one before.
    pub fn ask(&mut self, now: Instant, rng: &mut impl Rng) -> String {
        let letters = (0..LENGTH).filter_map(|_| LETTERS.choose(rng));
        let word: String = letters.map(|letter| char::from(*letter)).collect();
        self.open = Some((word.clone(), now + GOOD_FOR));
        word
    }

    /// Whether `word` is the one that was asked for. Each word is good for one try.
    pub fn take(&mut self, word: &str, now: Instant) -> bool {
        self.open.take().is_some_and(|(open, until)| open == word && now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_good_once_for_two_minutes_and_until_the_next() {
        let (mut confirmation, mut rng, now) = (Confirmation::default(), rand::rng(), Instant::now());
        assert!(!confirmation.take("", now));
        let word = confirmation.ask(now, &mut rng);
        assert_eq!(word.len(), LENGTH);
        assert!(confirmation.take(&word, now + GOOD_FOR - Duration::from_millis(1)));
        assert!(!confirmation.take(&word, now));
        let word = confirmation.ask(now, &mut rng);
        assert!(!confirmation.take(&word, now + GOOD_FOR));
        let word = confirmation.ask(now, &mut rng);
        assert!(!confirmation.take("wrong", now));
        assert!(!confirmation.take(&word, now), "one try");
    }
}
