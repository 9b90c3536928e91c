use std::time::Duration;

use super::{Finding, for_device};
use crate::{
    config::{Config, GpsSource},
    gps::{self, Probe},
    ports::Ports,
};

const PART: &str = "receiver";
/// Every speed of every port is listened to for a while, and a cold receiver needs half a minute for its first fix.
const PATIENCE: Duration = Duration::from_secs(45);

pub(super) async fn look(config: &Config, ports: &Ports) -> Finding {
    let Some(source) = &config.gps else { return Finding::note(PART, "none is wanted: `gps` is not set") };
    if let GpsSource::Recording { path, .. } = source {
        return match path.exists() {
            true => Finding::good(PART, format!("a recording, {}", path.display())),
            false => Finding::bad(PART, format!("recording {} is not there", path.display()), "change `gps`"),
        };
    }
    judge(&gps::probe(source, ports, PATIENCE).await)
}

fn judge(probe: &Probe) -> Finding {
    let Some(place) = &probe.place else {
        let trouble = probe.trouble.as_deref().unwrap_or("nothing was found");
        return Finding::bad(PART, format!("none: {trouble}"), for_device(trouble));
    };
    let talkers = if probe.talkers.is_empty() { String::new() } else { format!(" ({})", probe.talkers.join(", ")) };
    let at = format!("{place}{talkers}");
    let Some(fix) = &probe.best else {
        let satellites = probe.satellites.map(|count| format!(", {count} satellites")).unwrap_or_default();
        return Finding::bad(
            PART,
            format!("{at}: {} sentences and no position yet{satellites}", probe.sentences),
            "give the antenna a view of the sky; the first position can take some minutes",
        );
    };
    let accuracy = fix.quality.acc.map(|acc| format!(", within {acc:.0} m")).unwrap_or_default();
    let satellites = probe.satellites.map(|count| format!(" by {count} satellites")).unwrap_or_default();
    Finding::good(PART, format!("{at}: position {:.5}, {:.5}{satellites}{accuracy}", fix.lat, fix.lon))
}
