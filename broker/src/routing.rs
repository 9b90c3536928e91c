//! Under which name a message travels through rumqttd's router.
//!
//! The router keeps every topic and every filter that it has ever seen, and dies of a topic whose first character is not
//! ASCII. So it sees neither: a name is `m/` and the first [`LEVELS`] levels of a topic, a filter's name the same levels
//! of the filter. What matches matches by name too; what matches by name only is dropped at delivery.

/// `fleet/v1/{vin}/{up|down|alert}`: as many names as there are vehicles, times a few.
const LEVELS: usize = 4;

/// The canary's own name, which no client's topic can get.
pub(crate) const CANARY: &str = "canary";

/// The name of a topic, or of a topic filter.
pub(crate) fn name(text: &str) -> String {
    let end = text.match_indices('/').nth(LEVELS - 1).map_or(text.len(), |(at, _)| at);
    format!("m/{}", &text[..end])
}

#[cfg(test)]
mod tests {
    use bugbrother_mosquitto_compat::topic;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_vehicle_s_topics_share_few_names() {
        assert_eq!(name("fleet/v1/WVWZZZ1JZ3W386752/up/telemetry"), "m/fleet/v1/WVWZZZ1JZ3W386752/up");
        assert_eq!(name("fleet/v1/+/up/#"), "m/fleet/v1/+/up");
        assert_eq!(name("#"), "m/#");
        assert_eq!(name("évil"), "m/évil");
        assert_eq!(name("a/b/c/d"), "m/a/b/c/d");
    }

    proptest! {
        #[test]
        fn what_matches_matches_by_name(filter in "[ab+é]?(/[ab+]?){0,7}(/#)?", topic in "[abé]?(/[ab]?){0,7}") {
            prop_assume!(topic::is_valid_filter(&filter) && topic::is_valid_name(&topic));
            if topic::matches(&filter, &topic) {
                prop_assert!(topic::matches(&name(&filter), &name(&topic)));
            }
        }
    }
}
