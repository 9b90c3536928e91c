use bugbrother_client::Qos;
use bugbrother_mosquitto_compat::{
    conf::{BridgeTopic, Direction},
    topic,
};

/// Which topics go over in one direction, and what they are called there.
pub(crate) struct Rules(Vec<Rule>);

struct Rule {
    /// At the source, the prefix in front.
    filter: String,
    qos: Qos,
    /// Taken off at the source, and put in front at the destination.
    from: String,
    to: String,
    /// Without a pattern the prefixes are whole topics.
    whole: bool,
}

impl Rules {
    /// Those of `topics` that go that way.
    pub fn new(topics: &[BridgeTopic], way: Direction) -> Self {
        let rules = topics.iter().filter(|rule| rule.direction == way || rule.direction == Direction::Both);
        let rules = rules.map(|rule| {
            let (from, to) = match way {
                Direction::In => (&rule.remote_prefix, &rule.local_prefix),
                Direction::Out | Direction::Both => (&rule.local_prefix, &rule.remote_prefix),
            };
            Rule {
                filter: format!("{from}{}", rule.pattern),
                qos: if rule.qos == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce },
                from: from.clone(),
                to: to.clone(),
                whole: rule.pattern.is_empty(),
            }
        });
        Rules(rules.collect())
    }

    /// The filters to subscribe to, each once.
    pub fn subscriptions(&self) -> Vec<(String, Qos)> {
        let mut subscriptions: Vec<(String, Qos)> = Vec::new();
        for rule in &self.0 {
            if !subscriptions.iter().any(|(filter, _)| *filter == rule.filter) {
                subscriptions.push((rule.filter.clone(), rule.qos));
            }
        }
        subscriptions
    }

    /// What `topic` is called at the destination, by the first rule that it belongs to; `None` when it cannot be there.
    pub fn map(&self, topic: &str) -> Option<String> {
        let rule = self.0.iter().find(|rule| topic::matches(&rule.filter, topic))?;
        let mapped = if rule.whole {
            rule.to.clone()
        } else {
            // `a/#` stands for `a` too, which has no place behind the prefix `a/`.
            format!("{}{}", rule.to, topic.strip_prefix(&rule.from)?)
        };
        topic::is_valid_name(&mapped).then_some(mapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: &str, direction: Direction, local: &str, remote: &str) -> BridgeTopic {
        BridgeTopic {
            pattern: pattern.into(),
            direction,
            qos: 1,
            local_prefix: local.into(),
            remote_prefix: remote.into(),
        }
    }

    fn map(rule: BridgeTopic, way: Direction, topic: &str) -> Option<String> {
        Rules::new(&[rule], way).map(topic)
    }

    #[test]
    fn prefixes_are_exchanged_both_ways() {
        let both = || rule("+/state", Direction::Both, "fleet/v1/", "site/7/");
        assert_eq!(map(both(), Direction::Out, "fleet/v1/x/state").as_deref(), Some("site/7/x/state"));
        assert_eq!(map(both(), Direction::In, "site/7/x/state").as_deref(), Some("fleet/v1/x/state"));
        assert_eq!(map(both(), Direction::In, "fleet/v1/x/state"), None);
        let plain = || rule("a/#", Direction::Both, "", "");
        assert_eq!(map(plain(), Direction::In, "a").as_deref(), Some("a"));
        assert_eq!(map(plain(), Direction::Out, "a/b/c").as_deref(), Some("a/b/c"));
    }

    #[test]
    fn without_a_pattern_the_prefixes_are_the_topics() {
        let one = || rule("", Direction::Both, "here", "there/far");
        assert_eq!(map(one(), Direction::In, "there/far").as_deref(), Some("here"));
        assert_eq!(map(one(), Direction::Out, "here").as_deref(), Some("there/far"));
        assert_eq!(map(one(), Direction::Out, "here/too"), None);
    }

    #[test]
    fn a_topic_that_cannot_be_at_the_destination_is_none() {
        assert_eq!(map(rule("#", Direction::In, "", "a/"), Direction::In, "a"), None, "the parent of the prefix");
        assert_eq!(map(rule("#", Direction::In, "", "a/"), Direction::In, "a/"), None, "nothing is left");
        let long = rule("#", Direction::In, "prefix/", "");
        assert_eq!(map(long, Direction::In, &"x".repeat(65_535)), None, "too long with the prefix");
    }

    #[test]
    fn a_direction_has_its_own_rules_and_no_filter_twice() {
        let topics = [
            rule("a", Direction::In, "", ""),
            rule("b", Direction::Out, "", ""),
            rule("c", Direction::Both, "", ""),
            rule("a", Direction::Both, "other/", ""),
        ];
        let filters = |way| {
            let subscriptions = Rules::new(&topics, way).subscriptions();
            subscriptions.into_iter().map(|(filter, _)| filter).collect::<Vec<_>>()
        };
        assert_eq!(filters(Direction::In), ["a", "c"]);
        assert_eq!(filters(Direction::Out), ["b", "c", "other/a"]);
        assert_eq!(Rules::new(&topics, Direction::In).map("a").as_deref(), Some("a"), "the first rule counts");
    }
}
