use std::{fs, io, path::Path};

use super::{Finding, for_device};
use crate::{
    clock::{ClockSettings, Setter, Time},
    config::Config,
    microcontroller,
};

const CLOCK: &str = "clock";
const OUTBOX: &str = "outbox";
const CONTROLLER: &str = "board";

pub(super) async fn clock() -> Finding {
    let setter = Time::new(ClockSettings::of_this_system()).look().await;
    match setter {
        Setter::Network => Finding::good(CLOCK, "set by the network"),
        Setter::Battery => Finding::good(CLOCK, "set by a battery-backed clock"),
        Setter::Firmware => Finding::note(CLOCK, "right as far as can be told; no time service says that it is"),
        Setter::Nobody => Finding::note(
            CLOCK,
            "not set yet: records wait for the time of the receiver or the network, up to a quarter of an hour",
        ),
    }
}

pub(super) fn outbox(config: &Config) -> Finding {
    let path = &config.outbox;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = folder.join(".bugbrother-doctor");
    if let Err(error) = fs::write(&probe, b"x").and_then(|()| fs::remove_file(&probe)) {
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied => "run this as the user of the agent: sudo -u bugbrother …",
            io::ErrorKind::NotFound => "make the folder, or change `outbox`",
            _ => "is the disk full, or read-only?",
        };
        return Finding::bad(OUTBOX, format!("{} cannot be written: {error}", folder.display()), advice);
    }
    match fs::metadata(path) {
        Ok(file) => Finding::good(OUTBOX, format!("{}, {} kB", path.display(), file.len() / 1000)),
        Err(_) => Finding::note(OUTBOX, format!("{} is made at the first start", path.display())),
    }
}

pub(super) fn microcontroller(config: &Config) -> Finding {
    let device = match &config.microcontroller {
        None => return Finding::note(CONTROLLER, "none is wanted: `microcontroller` is not set"),
        Some(microcontroller::Source::Auto) => {
            return Finding::note(CONTROLLER, "a microcontroller is looked for when the agent runs");
        }
        Some(microcontroller::Source::Link(link)) => link,
    };
    match device {
        crate::link::Link::Serial { path, .. } if !path.exists() => {
            Finding::bad(CONTROLLER, format!("{device} is not there"), for_device(""))
        }
        _ => Finding::note(CONTROLLER, format!("a microcontroller is listened to at {device} when the agent runs")),
    }
}
