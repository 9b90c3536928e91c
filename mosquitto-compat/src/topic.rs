//! MQTT's rules for topic names and topic filters (MQTT 3.1.1 and 5.0, section 4.7).

/// Longest topic name or filter in bytes that the protocol can carry.
pub const MAX_BYTES: usize = 65_535;

/// Whether `topic` may be published to: not empty, not too long, no wildcard, no control character.
///
/// Control characters are only discouraged by the specification (1.5.4); they are refused here because a topic ends up
/// in logs and files.
pub fn is_valid_name(topic: &str) -> bool {
    is_valid_text(topic) && !topic.contains(['+', '#'])
}

/// Whether `filter` may be subscribed to: `+` fills its level, `#` fills the last one.
pub fn is_valid_filter(filter: &str) -> bool {
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let misplaced = match level {
            "+" => false,
            "#" => levels.peek().is_some(),
            text => text.contains(['+', '#']),
        };
        if misplaced {
            return false;
        }
    }
    is_valid_text(filter)
}

fn is_valid_text(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_BYTES && !text.chars().any(char::is_control)
}

/// Whether a message on `topic` belongs to a subscription of `filter`; both are taken to be valid.
pub fn matches(filter: &str, topic: &str) -> bool {
    levels_match(filter.split('/'), topic)
}

/// Whether every topic that belongs to `narrow` belongs to `wide` too; both are taken to be valid.
///
/// Never says yes wrongly. It says no to `+/#` over `#`, which are the same set written differently.
pub fn covers(wide: &str, narrow: &str) -> bool {
    levels_cover(wide.split('/'), narrow)
}

pub(crate) fn levels_match<'a>(mut filter: impl Iterator<Item = &'a str>, topic: &str) -> bool {
    let mut levels = topic.split('/');
    let mut first = true;
    loop {
        let wanted = filter.next();
        // A topic of the server's own (`$SYS/…`) is not for filters that start with a wildcard (4.7.2).
        if first && topic.starts_with('$') && matches!(wanted, Some("+" | "#")) {
            return false;
        }
        first = false;
        match (wanted, levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

pub(crate) fn levels_cover<'a>(mut wide: impl Iterator<Item = &'a str>, narrow: &str) -> bool {
    let mut levels = narrow.split('/');
    let mut first = true;
    loop {
        let wanted = wide.next();
        if first && narrow.starts_with('$') && matches!(wanted, Some("+" | "#")) {
            return false;
        }
        first = false;
        match (wanted, levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_specification_match_as_it_says() {
        for (filter, topic) in [
            ("sport/tennis/player1/#", "sport/tennis/player1"),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"),
            ("sport/#", "sport"),
            ("#", "sport"),
            ("sport/+", "sport/"),
            ("+/+", "/finance"),
            ("/+", "/finance"),
            ("$SYS/#", "$SYS/monitor"),
        ] {
            assert!(matches(filter, topic), "{filter} must match {topic}");
        }
        for (filter, topic) in [
            ("sport/tennis/+", "sport/tennis/player1/ranking"),
            ("sport/+", "sport"),
            ("+", "/finance"),
            ("#", "$SYS/monitor"),
            ("+/monitor", "$SYS/monitor"),
        ] {
            assert!(!matches(filter, topic), "{filter} must not match {topic}");
        }
    }

    #[test]
    fn a_misplaced_wildcard_is_no_filter_and_any_wildcard_no_name() {
        for filter in ["", "a/#/b", "a#", "+a", "a/b+", "##", "a\0b", "a\nb"] {
            assert!(!is_valid_filter(filter), "{filter:?}");
        }
        for filter in ["#", "+", "a/+/b/#", "/", "évil/+"] {
            assert!(is_valid_filter(filter), "{filter:?}");
        }
        for name in ["", "a/#", "+", "a\0", "a/+/b"] {
            assert!(!is_valid_name(name), "{name:?}");
        }
        assert!(!is_valid_name(&"a".repeat(MAX_BYTES + 1)));
        assert!(is_valid_name("évil/topic") && is_valid_name("/"));
    }

    #[test]
    fn a_wide_filter_covers_narrower_ones_and_never_wider_ones() {
        for (wide, narrow) in [("#", "a/+/#"), ("a/#", "a"), ("a/+/c", "a/b/c"), ("a/+", "a/+"), ("a/#", "a/+/#")] {
            assert!(covers(wide, narrow), "{wide} covers {narrow}");
        }
        for (wide, narrow) in [("a/+", "a/#"), ("a/b", "a/+"), ("a/+/#", "a/#"), ("#", "$SYS/#"), ("a", "a/b")] {
            assert!(!covers(wide, narrow), "{wide} does not cover {narrow}");
        }
    }

    fn level() -> impl Strategy<Value = String> {
        prop_oneof![Just("a".to_owned()), Just("b".to_owned()), Just(String::new())]
    }

    fn filter() -> impl Strategy<Value = String> {
        let level = prop_oneof![4 => level(), 1 => Just("+".to_owned())];
        (prop::collection::vec(level, 1..5), any::<bool>()).prop_filter_map("empty", |(mut levels, hash)| {
            if hash {
                levels.push("#".to_owned());
            }
            Some(levels.join("/")).filter(|filter| is_valid_filter(filter))
        })
    }

    proptest! {
        #[test]
        fn what_a_covered_filter_matches_the_covering_one_matches_too(
            wide in filter(), narrow in filter(), topic in prop::collection::vec(level(), 1..6)
        ) {
            let topic = topic.join("/");
            if covers(&wide, &narrow) && matches(&narrow, &topic) {
                prop_assert!(matches(&wide, &topic));
            }
        }

        #[test]
        fn every_filter_covers_itself(filter in filter()) {
            prop_assert!(covers(&filter, &filter));
        }

        #[test]
        fn a_name_matches_itself(topic in "[a-z/$é]{1,12}") {
            prop_assert!(matches(&topic, &topic));
        }
    }
}
