//! Edits that wait for the network. Pure.
//!
//! Only such wait as can be made twice without harm and that are right whenever they come: an acknowledgement, a comment, a
//! note. Whatever gives a command to a vehicle is refused without a network: nobody could say when it would be carried out.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Edits that wait at most.
const MOST: usize = 100;
/// An edit that has waited for so long is dropped: who made it has long seen otherwise.
const GOOD_FOR_MS: f64 = 7.0 * 24.0 * 3_600_000.0;

/// An edit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// `PUT`, `POST` or `DELETE`.
    pub method: String,
    /// Address below `/api/frontend`.
    pub path: String,
    /// Body, as JSON.
    pub body: String,
    /// When it was made, in milliseconds since 1970.
    pub made: f64,
}

/// Edits that wait, the oldest first.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Later(VecDeque<Edit>);

impl Later {
    /// From what was remembered; what cannot be read is nothing.
    pub fn recall(text: Option<&str>, now: f64) -> Self {
        let mut later: Later = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        later.0.retain(|edit| now - edit.made < GOOD_FOR_MS);
        later
    }

    /// To be remembered.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers have a form in JSON")
    }

    /// Whether there is room for an edit, and it waits now. A later one of the same thing takes the place of the earlier.
    pub fn keep(&mut self, edit: Edit) -> bool {
        if edit.method == "PUT" {
            self.0.retain(|one| (&one.method, &one.path) != (&edit.method, &edit.path));
        }
        if self.0.len() >= MOST {
            return false;
        }
        self.0.push_back(edit);
        true
    }

    /// The next one to make.
    pub fn next(&self) -> Option<&Edit> {
        self.0.front()
    }

    /// The next one is made, or refused.
    pub fn done(&mut self) {
        self.0.pop_front();
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(method: &str, path: &str, body: &str) -> Edit {
        Edit { method: method.to_owned(), path: path.to_owned(), body: body.to_owned(), made: 1000.0 }
    }

    #[test]
    fn edits_are_made_in_their_order_and_of_one_thing_the_last_counts() {
        let mut later = Later::default();
        assert!(later.keep(edit("PUT", "/a", "1")));
        assert!(later.keep(edit("POST", "/b", "2")) && later.keep(edit("POST", "/b", "3")));
        assert!(later.keep(edit("PUT", "/a", "4")));
        let mut later = Later::recall(Some(&later.text()), 2000.0);
        let bodies: Vec<String> = std::iter::from_fn(|| {
            let body = later.next()?.body.clone();
            later.done();
            Some(body)
        })
        .collect();
        assert_eq!(bodies, ["2", "3", "4"]);
    }

    #[test]
    fn a_hundred_wait_and_none_for_longer_than_a_week() {
        let mut later = Later::default();
        assert!((0..MOST).all(|n| later.keep(edit("POST", &format!("/{n}"), ""))));
        assert!(!later.keep(edit("POST", "/more", "")));
        assert!(!later.keep(edit("PUT", "/more", "")) && later.len() == MOST);
        assert!(Later::recall(Some(&later.text()), 1000.0 + GOOD_FOR_MS).is_empty());
        assert!(Later::recall(Some("rubbish"), 0.0).is_empty() && Later::recall(None, 0.0).is_empty());
    }
}
