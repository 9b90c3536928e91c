//! Presses and contacts, each once.

use std::collections::BTreeMap;

/// A button that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Press {
    /// Help is needed.
    Panic,
    /// Privacy is to be switched on, or off again.
    Privacy,
}

impl Press {
    /// The button of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "panic" => Some(Press::Panic),
            "privacy" => Some(Press::Privacy),
            _ => None,
        }
    }
}

/// The same press is said several times, in case a line is lost: within so long.
const REPEATS_MS: u64 = 10_000;
/// Another press so soon is a contact that bounces, or a hand that trembles.
const BOUNCES_MS: u64 = 1_000;
/// Contacts that are known; more are a mistake.
const MOST_CONTACTS: usize = 32;
/// A contact that changes more often is broken: it is recorded on, and no event any more.
const CHANGES: u32 = 10;
const CHANGES_WITHIN_MS: u64 = 60_000;

/// What was pressed and what is open.
#[derive(Debug, Default)]
pub struct Buttons {
    pressed: BTreeMap<Press, (Option<u32>, u64)>,
    contacts: BTreeMap<String, Contact>,
}

#[derive(Debug)]
struct Contact {
    open: bool,
    changes: u32,
    since_ms: u64,
}

impl Buttons {
    /// Whether a press is a new one. `number` counts presses, and is the same in what is said of one several times.
    pub fn press(&mut self, press: Press, number: Option<u32>, at_ms: u64) -> bool {
        let known = self.pressed.get(&press).copied();
        let is_known = known.is_some_and(|(known, then)| {
            let ago = at_ms.saturating_sub(then);
            ago < BOUNCES_MS || (known == number && ago < REPEATS_MS)
        });
        if !is_known {
            self.pressed.insert(press, (number, at_ms));
        }
        !is_known
    }

    /// Whether a contact has changed. What it is at first is no change.
    pub fn contact(&mut self, name: &str, open: bool, at_ms: u64) -> bool {
        let room = self.contacts.len() < MOST_CONTACTS;
        match self.contacts.get_mut(name) {
            Some(contact) if contact.open != open => {
                contact.open = open;
                if at_ms.saturating_sub(contact.since_ms) >= CHANGES_WITHIN_MS {
                    (contact.changes, contact.since_ms) = (0, at_ms);
                }
                contact.changes += 1;
                contact.changes <= CHANGES
            }
            None if room => {
                self.contacts.insert(name.to_owned(), Contact { open, changes: 0, since_ms: at_ms });
                false
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_that_is_said_three_times_is_one_and_the_next_one_counts() {
        let mut buttons = Buttons::default();
        let mut press = |number, at_ms| buttons.press(Press::Panic, number, at_ms);
        assert!(press(Some(1), 100));
        assert!(!press(Some(1), 400) && !press(Some(1), 3_000));
        assert!(press(Some(2), 5_000));
        assert!(!press(Some(3), 5_300), "it bounces");
        assert!(press(Some(1), 60_000), "the microcontroller was started anew");
        assert!(press(None, 62_000) && !press(None, 65_000) && press(None, 75_000), "without a number");
        assert!(buttons.press(Press::Privacy, Some(1), 100), "another button");
    }

    #[test]
    fn a_contact_tells_its_changes_and_one_that_rattles_is_silenced() {
        let mut buttons = Buttons::default();
        assert!(!buttons.contact("door1", false, 0));
        assert!(buttons.contact("door1", true, 1_000) && !buttons.contact("door1", true, 2_000));
        let rattled = (0..100).filter(|i| buttons.contact("door1", i % 2 == 0, 3_000 + i * 100)).count();
        assert_eq!(rattled, 9);
        assert!(buttons.contact("door1", true, 100_000) && buttons.contact("door1", false, 100_100));
        let known = (0..1000).filter(|i| {
            buttons.contact(&format!("c{i}"), true, 0);
            buttons.contact(&format!("c{i}"), false, 0)
        });
        assert_eq!(known.count(), MOST_CONTACTS - 1);
    }
}
