//! Under which name a message travels through rumqttd's router.
//!
//! The router keeps every topic and every filter that it has ever seen, each filter with a log that is never freed, and
//! dies of a topic whose first character is not ASCII. So it sees neither. A topic's name is `m/{y}/{x}`: `x` is a hash
//! of its first three levels (`fleet/v1/{vin}`), `y` one of its fourth (`up`, `down`, …). A filter's name leaves open
//! what the filter leaves open, so that what matches matches by name too. What matches by name only is dropped at
//! delivery. However many topics and filters clients invent, there are no more than 16,384 names, 20,480 narrow logs of
//! filters that start with three levels without a wildcard, and five wide logs of all others.

use std::{collections::HashMap, hash::BuildHasher as _, hash::RandomState};

use bytes::Bytes;
use rumqttd::SegmentConfig;

/// Vehicles that share a name are woken for each other. With 10,000 of them, each listening to its own topics, and 2,000
/// messages a second one message takes 44 µs of a core when each has a name of its own, and with 1024, 2048 and 4096
/// names 199, 124 and 73 µs for 10.8, 5.9 and 3.4 links woken (`what_a_publish_costs` in `router`). More names would cost
/// more than they save: the router compares each name with each filter once, and keeps a log for each filter's name.
const X: usize = 4096;
/// Keeps `up` from who listens to `down` only. More would multiply the logs.
const Y: usize = 4;
/// Length of a name's first level. rumqttd counts the bytes of name and payload against the size of a log, and not the
/// 230 that it keeps for each message beside them, nor what an allocation costs: so the name has their weight. It is
/// one piece of memory for all messages.
const WEIGHT: usize = 320;

/// The canary's own name, which no client's topic can get.
pub(crate) const CANARY: &str = "canary";
/// A name with few messages of the feeder's own, the last of which the router shows when it is asked to.
pub(crate) const MILESTONE: &str = "milestone";
/// The name of all topics of the server's own.
const SYS: &str = "sys";

/// Makes names. Which topics share one differs from process to process, so that nobody can aim at a vehicle.
pub(crate) struct Routing {
    key: RandomState,
    first: String,
    /// Those of topics, by `x * Y + y`.
    names: Vec<Bytes>,
}

impl Routing {
    pub(crate) fn new() -> Self {
        Self::with(X)
    }

    /// With so many names for each word of the fourth level.
    pub(crate) fn with(x: usize) -> Self {
        let first = "m".repeat(WEIGHT);
        let name = |at: usize| Bytes::from(format!("{first}/{}/{}", at % Y, at / Y));
        Routing { key: RandomState::new(), names: (0..x * Y).map(name).collect(), first }
    }

    /// The name of a topic.
    pub(crate) fn topic(&self, topic: &str) -> Bytes {
        if topic.starts_with('$') {
            return Bytes::from_static(SYS.as_bytes());
        }
        let (start, fourth) = split(topic);
        self.names[self.x(start) * Y + y(fourth)].clone()
    }

    /// The name of a topic filter.
    pub(crate) fn filter(&self, filter: &str) -> String {
        if filter.starts_with('$') {
            return SYS.to_owned();
        }
        let (start, fourth) = split(filter);
        let first = &self.first;
        let open = start.split('/').any(|level| level == "#");
        let y = if open || fourth == "#" || fourth == "+" { None } else { Some(y(fourth)) };
        let x = if start.split('/').any(|level| level == "+" || level == "#") { None } else { Some(self.x(start)) };
        match (y, x) {
            (Some(y), Some(x)) => format!("{first}/{y}/{x}"),
            (None, Some(x)) => format!("{first}/+/{x}"),
            // The `#` is what tells a wide name from a narrow one.
            (Some(y), None) => format!("{first}/{y}/#"),
            (None, None) => format!("{first}/#"),
        }
    }

    /// Which filters' names have a log of `narrow` size; all others are wide. rumqttd compares filters as if they were
    /// topics: no `#` is covered by a `+`.
    pub(crate) fn segments(&self, narrow: &SegmentConfig) -> HashMap<String, SegmentConfig> {
        let first = &self.first;
        [format!("{first}/+/+"), CANARY.to_owned(), MILESTONE.to_owned(), SYS.to_owned()]
            .map(|name| (name, narrow.clone()))
            .into()
    }

    fn x(&self, start: &str) -> usize {
        (self.key.hash_one(start) % (self.names.len() / Y) as u64) as usize
    }
}

/// The first three levels, and the fourth; a topic without a fourth one is taken to end in an empty one.
fn split(text: &str) -> (&str, &str) {
    match text.match_indices('/').nth(2) {
        Some((at, _)) => (&text[..at], text[at + 1..].split('/').next().unwrap_or_default()),
        None => (text, ""),
    }
}

/// FNV-1a. There is nothing to aim at: who may publish at all has a word for the level.
fn y(level: &str) -> usize {
    let hash = level.bytes().fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // Of the bytes of the hash, the one that tells the words of the fleet's contract apart.
    (hash >> 8) as usize % Y
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use bugbrother_mosquitto_compat::topic;
    use proptest::prelude::*;

    use super::*;

    const CAR: &str = "fleet/v1/WVWZZZ1JZ3W386752";

    fn short(routing: &Routing, name: &str) -> String {
        name.replace(&routing.first, "m")
    }

    #[test]
    fn who_listens_to_one_direction_is_not_woken_by_the_other() {
        assert_eq!(["up", "down", "state", "alert"].map(y).into_iter().collect::<HashSet<_>>().len(), 4);
    }

    #[test]
    fn a_filter_leaves_open_what_its_first_four_levels_leave_open() {
        let routing = Routing::new();
        let name = |filter: &str| short(&routing, &routing.filter(filter));
        let x = routing.x(CAR);
        assert_eq!(name(&format!("{CAR}/down/#")), format!("m/{}/{x}", y("down")));
        for any in ["#", "+", "+/x"] {
            assert_eq!(name(&format!("{CAR}/{any}")), format!("m/+/{x}"));
        }
        assert_eq!(name("fleet/v1/+/up/#"), format!("m/{}/#", y("up")));
        assert_eq!(name("+/+/+"), format!("m/{}/#", y("")));
        for any in ["#", "fleet/#", "fleet/v1/#", "fleet/v1/+/#", "+/+/+/+"] {
            assert_eq!(name(any), "m/#");
        }
        assert_eq!(name("$SYS/#"), "sys");
    }

    #[test]
    fn a_million_topics_and_filters_have_few_names() {
        let routing = Routing::new();
        let (mut topics, mut filters) = (HashSet::new(), HashSet::new());
        for n in 0..60_000 {
            topics.insert(routing.topic(&format!("a/b/{n}/{}", n % 7)));
            for rest in ["up", "#", "+", "down/x"] {
                filters.insert(routing.filter(&format!("a/b/{n}/{rest}")));
                filters.insert(routing.filter(&format!("a/+/{n}/{rest}")));
            }
        }
        assert!(topics.len() > X && topics.len() <= 16_384, "{} names of topics", topics.len());
        assert!(filters.len() > X && filters.len() <= 20_480 + 5, "{} names of filters", filters.len());
    }

    #[test]
    fn a_name_weighs_what_the_router_does_not_count() {
        assert!(Routing::new().names.iter().all(|name| name.len() >= WEIGHT));
    }

    #[test]
    fn logs_of_wide_filters_are_told_from_narrow_ones() {
        let routing = Routing::new();
        let narrow = routing.segments(&SegmentConfig::default());
        let is_narrow = |filter: &str| {
            let name = routing.filter(filter);
            narrow.keys().any(|pattern| rumqttd::protocol::matches(&name, pattern))
        };
        for filter in ["a", "a/b/c/d", "a/b/c/#", "a/b/c/+/e", "$SYS/#"] {
            assert!(is_narrow(filter), "{filter}");
        }
        for filter in ["#", "+", "a/+", "+/+/+/d", "fleet/v1/+/up/#", "fleet/v1/#"] {
            assert!(!is_narrow(filter), "{filter}");
        }
    }

    proptest! {
        #[test]
        fn what_matches_matches_by_name(filter in "[$]?[ab+é]?(/[ab+]?){0,7}(/#)?", topic in "[$]?[abé]?(/[ab]?){0,7}") {
            prop_assume!(topic::is_valid_filter(&filter) && topic::is_valid_name(&topic));
            let routing = Routing::new();
            if topic::matches(&filter, &topic) {
                let name = routing.topic(&topic);
                prop_assert!(rumqttd::protocol::matches(std::str::from_utf8(&name).unwrap(), &routing.filter(&filter)));
            }
        }
    }
}
