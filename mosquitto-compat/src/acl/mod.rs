//! Mosquitto's access file: which user may read and write which topics.
//!
//! ```text
//! # before the first `user`: for clients without a user name
//! topic read news/#
//! user ingest
//! topic read fleet/v1/+/up/#
//! topic write fleet/v1/+/down/ack
//! # for every user; %u is the user name, %c the client identifier, each a level of its own
//! pattern write fleet/v1/%u/up/#
//! ```
//!
//! A comment has `#` as the first character of its line, and a space, nothing else, parts two words.
//!
//! As in Mosquitto a user's own lines are asked before the patterns, and among each of both a `deny` before a grant.
//! Other than Mosquitto, which grants every SUBSCRIBE and looks at each delivery, [`AclFile::may_subscribe`] lets a
//! client see its mistake at once.

mod edit;
mod rule;

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

pub use edit::{grant, withdraw};
pub use rule::Access;

use self::rule::{Line, Rule};
use crate::topic;

/// Rules of who may read and write which topics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AclFile {
    anonymous: Vec<Rule>,
    users: HashMap<String, Vec<Rule>>,
    patterns: Vec<Rule>,
}

/// Why an access file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AclError {
    /// The file cannot be read.
    #[error("acl file `{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("acl file `{}` cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A user name that the file cannot hold.
    #[error("user name must be 1 to 256 bytes without `:` and control characters, and not start with `#`")]
    User,
    /// A topic filter that the file cannot hold.
    #[error("topic filter is not valid: `+` fills a level, `#` the last one")]
    Filter,
    /// A line that is no rule.
    #[error("acl file `{}` line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        reason: &'static str,
    },
}

impl AclFile {
    /// Reads the file at `path`.
    pub fn load(path: &Path) -> Result<Self, AclError> {
        let text = fs::read_to_string(path).map_err(|source| AclError::Read { path: path.into(), source })?;
        Self::parse(&text, path)
    }

    /// Reads `text`; `path` is for the errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self, AclError> {
        let mut acl = AclFile::default();
        let mut user: Option<String> = None;
        for (index, line) in text.lines().enumerate() {
            let error = |reason| AclError::Line { path: path.into(), line: index + 1, reason };
            match Line::parse(line).map_err(error)? {
                Line::Nothing => {}
                Line::User(name) => user = Some(name.to_owned()),
                Line::Topic(rule) => match &user {
                    Some(user) => acl.users.entry(user.clone()).or_default().push(rule),
                    None => acl.anonymous.push(rule),
                },
                Line::Pattern(rule) => acl.patterns.push(rule),
            }
        }
        for rules in acl.users.values_mut().chain([&mut acl.anonymous, &mut acl.patterns]) {
            rules.sort_by_key(|rule| rule.access != Access::Deny);
        }
        Ok(acl)
    }

    /// The users of whom something is said, by name.
    pub fn users(&self) -> Vec<&str> {
        let mut users: Vec<_> = self.users.keys().map(String::as_str).collect();
        users.sort_unstable();
        users
    }

    /// What is said of `user` alone, in the order in which it is asked.
    pub fn rules_of(&self, user: &str) -> impl Iterator<Item = (Access, &str)> {
        self.users.get(user).into_iter().flatten().map(|rule| (rule.access, rule.filter.as_str()))
    }

    /// Whether a message on `topic` may be delivered to this client; `user` is `None` for one without a user name.
    pub fn may_read(&self, user: Option<&str>, client_id: &str, topic: &str) -> bool {
        self.decide(user, client_id, Access::Read, |rule| topic::levels_match(rule, topic))
    }

    /// Whether this client may publish to `topic`.
    pub fn may_write(&self, user: Option<&str>, client_id: &str, topic: &str) -> bool {
        self.decide(user, client_id, Access::Write, |rule| topic::levels_match(rule, topic))
    }

    /// Whether this client may subscribe to `filter`: only when one rule lets it read all that the filter can match.
    /// A narrower `deny` inside is for [`AclFile::may_read`] to find at each delivery.
    pub fn may_subscribe(&self, user: Option<&str>, client_id: &str, filter: &str) -> bool {
        self.decide(user, client_id, Access::Read, |rule| topic::levels_cover(rule, filter))
    }

    fn decide(
        &self,
        user: Option<&str>,
        client_id: &str,
        wanted: Access,
        applies: impl Fn(&mut dyn Iterator<Item = &str>) -> bool,
    ) -> bool {
        let own = match user {
            Some(user) => self.users.get(user).map_or(&[][..], Vec::as_slice),
            None => &self.anonymous,
        };
        for rule in own {
            if (rule.access == Access::Deny || rule.access.grants(wanted)) && applies(&mut rule.filter.split('/')) {
                return rule.access != Access::Deny;
            }
        }
        // Mosquitto has no patterns for whoever could be mistaken for a wildcard, even where it would not be put in.
        let dangerous = |text: &str| text.contains(['+', '#']);
        if user.is_some_and(dangerous) || dangerous(client_id) {
            return false;
        }
        for rule in &self.patterns {
            if rule.access != Access::Deny && !rule.access.grants(wanted) {
                continue;
            }
            let Some(substitutes) = rule.substitutes(user, client_id) else { continue };
            let mut levels = rule.filter.split('/').map(|level| match level {
                "%u" => substitutes.0,
                "%c" => substitutes.1,
                level => level,
            });
            if applies(&mut levels) {
                return rule.access != Access::Deny;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FLEET: &str = "
        topic read news/#
        user ingest
        topic read fleet/v1/+/up/#
        topic write fleet/v1/+/down/ack
        topic deny fleet/v1/+/up/secret
        user both sides
        topic readwrite shared/with a space
        topic shared
        pattern write fleet/v1/%u/up/#
        pattern read fleet/v1/%u/down/#
        pattern read clients/%c/+
    ";

    fn fleet() -> AclFile {
        AclFile::parse(FLEET, Path::new("acl")).unwrap()
    }

    #[test]
    fn a_vehicle_writes_below_its_own_vin_only() {
        let acl = fleet();
        let car = Some("WVWZZZ1JZ3W386752");
        assert!(acl.may_write(car, "x", "fleet/v1/WVWZZZ1JZ3W386752/up/telemetry"));
        assert!(!acl.may_write(car, "x", "fleet/v1/1HGCM82633A004352/up/telemetry"));
        assert!(!acl.may_write(car, "x", "fleet/v1/WVWZZZ1JZ3W386752/down/command"));
        assert!(acl.may_subscribe(car, "x", "fleet/v1/WVWZZZ1JZ3W386752/down/#"));
        assert!(acl.may_subscribe(car, "x", "fleet/v1/WVWZZZ1JZ3W386752/down/+"));
        assert!(!acl.may_subscribe(car, "x", "fleet/v1/+/down/#"));
        assert!(!acl.may_subscribe(car, "x", "#"));
        assert!(acl.may_read(car, "x", "clients/x/y") && !acl.may_read(car, "y", "clients/x/y"));
    }

    #[test]
    fn a_deny_wins_over_a_grant_of_the_same_user_wherever_it_stands() {
        let acl = fleet();
        assert!(acl.may_read(Some("ingest"), "i", "fleet/v1/X/up/open"));
        assert!(!acl.may_read(Some("ingest"), "i", "fleet/v1/X/up/secret"));
        assert!(!acl.may_subscribe(Some("ingest"), "i", "fleet/v1/+/up/secret"));
        assert!(acl.may_subscribe(Some("ingest"), "i", "fleet/v1/+/up/#"));
    }

    #[test]
    fn a_user_name_with_wildcards_gets_nothing_from_patterns() {
        let acl = fleet();
        for user in ["+", "#", "a/b", ""] {
            assert!(!acl.may_write(Some(user), "x", "fleet/v1/X/up/y"), "{user:?}");
            assert!(!acl.may_subscribe(Some(user), "x", "fleet/v1/+/down/#"), "{user:?}");
        }
        assert!(!acl.may_read(Some("a"), "+", "clients/x/y"));
    }

    #[test]
    fn the_first_section_is_for_clients_without_a_name() {
        let acl = fleet();
        assert!(acl.may_read(None, "x", "news/today"));
        assert!(!acl.may_read(Some("ingest"), "x", "news/today"));
        assert!(!acl.may_write(None, "x", "fleet/v1//up/x"));
        assert!(acl.may_read(None, "x", "clients/x/y"));
    }

    #[test]
    fn a_topic_without_a_word_of_access_is_for_both() {
        let acl = fleet();
        let user = Some("both sides");
        assert!(acl.may_read(user, "x", "shared") && acl.may_write(user, "x", "shared"));
        assert!(acl.may_read(user, "x", "shared/with a space") && acl.may_write(user, "x", "shared/with a space"));
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, expected) in [
            ("\nuser", "acl file `acl` line 2: `user` needs a name"),
            ("user a\ntopic read", "acl file `acl` line 2: topic is missing"),
            ("topic a/#/b", "acl file `acl` line 1: topic is no valid filter: `+` fills a level, `#` the last one"),
            ("pattern read x%u/y", "acl file `acl` line 1: `%u` and `%c` must be a level of their own"),
            (
                "topic a b",
                "acl file `acl` line 1: `read`, `write`, `readwrite` or `deny` expected before a topic with a space",
            ),
            ("  # indented", "acl file `acl` line 1: `user`, `topic` or `pattern` expected"),
            ("allow all", "acl file `acl` line 1: `user`, `topic` or `pattern` expected"),
        ] {
            assert_eq!(AclFile::parse(text, Path::new("acl")).unwrap_err().to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn whoever_may_subscribe_may_read_what_comes(filter in "(fleet|v1|[a-c+])(/[a-c+]){0,4}(/#)?", topic in "[a-c](/[a-c]){0,4}") {
            let acl = AclFile::parse("user u\ntopic read a/#\ntopic read +/b/+\npattern read %u/%c/#", Path::new("acl")).unwrap();
            if acl.may_subscribe(Some("u"), "c", &filter) && topic::matches(&filter, &topic) {
                prop_assert!(acl.may_read(Some("u"), "c", &topic));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(user|topic|pattern|read|deny|[a-c+#%u/ \n]){0,60}") {
            AclFile::parse(&text, Path::new("acl")).ok();
        }
    }
}
