use std::collections::BTreeSet;

use crate::field::{A, B, NOBODY};

/// What a vehicle says and what is said to it.
const BRANCHES: [&str; 14] = [
    "up/birth",
    "up/status",
    "up/telemetry",
    "up/backfill",
    "up/diagnostics",
    "up/event",
    "up/media",
    "up/reply",
    "up/deep/er/still",
    "down/ack",
    "down/command",
    "down/config",
    "alert/0192f0c1-7a4e-7bbb-8a10-000000000001",
    "state",
];

/// Topics that A may not write: B's at every level, nobody's, its own that others write, and look-alikes.
pub fn foreign() -> Vec<String> {
    let mut topics = BTreeSet::new();
    for vin in [B, NOBODY] {
        topics.extend(BRANCHES.map(|branch| format!("fleet/v1/{vin}/{branch}")));
        topics.extend(["", "/", "/up", "/up/", "/down", "/alert"].map(|end| format!("fleet/v1/{vin}{end}")));
    }
    let not_up = BRANCHES.into_iter().filter(|branch| !branch.starts_with("up/"));
    topics.extend(not_up.map(|branch| format!("fleet/v1/{A}/{branch}")));
    topics.extend(["fleet", "fleet/", "fleet/v1", "fleet/v1/", "fleet/v1//up/telemetry", "other"].map(str::to_owned));
    for (prefix, suffix) in [
        ("fleet/v1/", ""),
        ("fleet/v1/", "/"),
        ("fleet/v1/", "/upper/telemetry"),
        ("fleet/v1/", "/Up/telemetry"),
        ("fleet/v1/", "//up/telemetry"),
        ("fleet/v1/", " /up/telemetry"),
        ("fleet/v1/ ", "/up/telemetry"),
        ("/fleet/v1/", "/up/telemetry"),
        ("fleet//v1/", "/up/telemetry"),
        ("Fleet/v1/", "/up/telemetry"),
        ("fleet/v2/", "/up/telemetry"),
        ("fleets/v1/", "/up/telemetry"),
        ("other/fleet/v1/", "/up/telemetry"),
        ("", "/up/telemetry"),
        ("fleet/v1/%u/", "/up/telemetry"),
    ] {
        topics.insert(format!("{prefix}{A}{suffix}"));
    }
    topics.insert(format!("fleet/v1/{}/up/telemetry", A.to_lowercase()));
    topics.insert(format!("fleet/v1/{}/up/telemetry", &A[..16]));
    topics.into_iter().collect()
}

/// Topics of the brokers' own, which nobody writes.
pub const SERVERS_OWN: [&str; 3] = ["$SYS/broker/version", "$SYS/broker/clients/connected", "$internal/canary"];

/// Topics that A may write.
pub fn own() -> Vec<String> {
    BRANCHES.into_iter().filter(|branch| branch.starts_with("up/")).map(|b| format!("fleet/v1/{A}/{b}")).collect()
}

/// Filters by which others' topics might be had: each topic with `+` in the place of any of its levels, and with `#`
/// after any number of them, and all of it shared.
pub fn filters() -> Vec<String> {
    let mut filters: BTreeSet<String> = foreign().into_iter().collect();
    for topic in [format!("fleet/v1/{B}/up/telemetry"), format!("fleet/v1/{B}/down/command")] {
        let levels: Vec<_> = topic.split('/').collect();
        for length in 0..=levels.len() {
            for plus in 0..1_u32 << length {
                let level = |n: usize| if plus >> n & 1 == 1 { "+" } else { levels[n] };
                let exact: Vec<_> = (0..length).map(level).collect();
                let rest = exact.iter().copied().chain(["#"]).collect::<Vec<_>>().join("/");
                filters.extend([exact.join("/"), rest]);
            }
        }
    }
    filters.extend(["/#", "+/#", "$SYS/#", "$SYS/broker/#", "$internal/#"].map(str::to_owned));
    filters.remove("");
    let shared: Vec<_> = filters.iter().map(|filter| format!("$share/g/{filter}")).collect();
    filters.extend(shared);
    filters.into_iter().collect()
}
