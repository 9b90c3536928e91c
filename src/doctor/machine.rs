use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use super::Finding;
use crate::process;

/// Less room than that is soon gone.
const LITTLE_ROOM: u64 = 2 << 30;
/// Each connection is a file; the embedded broker takes 10,240 of them.
const ENOUGH_FILES: u64 = 10_800;
/// No clock that is right was ever before this program was written (2026-01-01).
const PLAUSIBLE: Duration = Duration::from_secs(1_767_225_600);

pub(super) fn look(data: &Path) -> Vec<Finding> {
    // The nearest that is there.
    let there = data.ancestors().find(|path| path.exists() || path.as_os_str().is_empty());
    let there = there.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let room = match process::room(there) {
        Ok(room) => disk(room),
        Err(error) => Finding::note("disk", format!("cannot tell what is left of it: {error}")),
    };
    let set = Path::new("/run/systemd/timesync/synchronized").exists() || Path::new("/run/chrony").exists();
    vec![room, files(process::most_files()), clock(SystemTime::now(), set)]
}

fn disk((free, all): (u64, u64)) -> Finding {
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    let found = format!("{:.1} GB of {:.1} are free", gigabytes(free), gigabytes(all));
    match free < LITTLE_ROOM || free < all / 20 {
        true => {
            let advice = "make room, keep samples for a shorter time (setting `retention`), or let `data` be on a larger disk; \
                          a full one stops the acknowledgements, and vehicles keep what they have";
            Finding::bad("disk", found, advice)
        }
        false => Finding::good("disk", found),
    }
}

fn files(most: Option<u64>) -> Finding {
    match most {
        Some(most) if most < ENOUGH_FILES => Finding::bad(
            "open files",
            format!("this process may have {most} open: so many connections and no more"),
            "LimitNOFILE=65536 in the unit, or `ulimit -n 65536` before the start",
        ),
        Some(most) => Finding::good("open files", format!("up to {most}")),
        None => Finding::good("open files", "no limit"),
    }
}

fn clock(now: SystemTime, is_set_by_network: bool) -> Finding {
    if now < SystemTime::UNIX_EPOCH + PLAUSIBLE {
        return Finding::bad(
            "clock",
            "it shows a year that is over",
            "set it, and let systemd-timesyncd or chrony keep it",
        );
    }
    match is_set_by_network {
        true => Finding::good("clock", "kept by the network"),
        false => Finding::note("clock", "nothing is seen that keeps it; systemd-timesyncd or chrony would"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_disk_that_is_nearly_full_is_bad() {
        assert_eq!(disk((50 << 30, 100 << 30)).verdict, Verdict::Good);
        assert_eq!(disk((1 << 30, 100 << 30)).verdict, Verdict::Bad);
        assert_eq!(disk((4 << 30, 1000 << 30)).verdict, Verdict::Bad, "a twentieth");
    }

    #[test]
    fn too_few_open_files_are_bad() {
        assert!(files(Some(1024)).advice.unwrap().contains("LimitNOFILE"));
        assert_eq!(files(Some(65_536)).verdict, Verdict::Good);
        assert_eq!(files(None).verdict, Verdict::Good);
    }

    #[test]
    fn a_clock_of_the_past_is_bad() {
        assert_eq!(clock(SystemTime::UNIX_EPOCH, true).verdict, Verdict::Bad);
        assert_eq!(clock(SystemTime::now(), true).verdict, Verdict::Good);
        assert_eq!(clock(SystemTime::now(), false).verdict, Verdict::Note);
    }

    #[test]
    fn the_disk_of_a_folder_that_is_not_there_yet_is_that_of_the_one_above() {
        assert!(look(Path::new("/nowhere/at/all"))[0].found.contains("GB"));
        assert!(look(Path::new("nowhere"))[0].found.contains("GB"));
    }
}
