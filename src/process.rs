//! What this process takes of the machine, as metrics.

use std::{fs, path::Path};

use metrics::{counter, gauge};
use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

/// Most files that this process may have open; `None` for no limit.
pub fn most_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Bytes that are left on the disk that `path` is on, and how many there are, for somebody who is not root.
pub fn room(path: &Path) -> std::io::Result<(u64, u64)> {
    let disk = rustix::fs::statvfs(path)?;
    Ok((disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize))
}

/// Takes the figures of now.
pub fn measure(data: &Path) {
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        gauge!("bugbrother_process_open_files").set(open.count() as f64);
    }
    if let Some(most) = most_files() {
        gauge!("bugbrother_process_open_files_maximum").set(most as f64);
    }
    if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::read) {
        gauge!("bugbrother_process_resident_bytes").set(stat.resident_pages * page_size() as f64);
        gauge!("bugbrother_process_threads").set(stat.threads);
        gauge!("bugbrother_process_start_time_seconds").set(start_of(stat.start_ticks).unwrap_or_default());
        counter!("bugbrother_process_cpu_milliseconds_total").absolute((seconds(stat.cpu_ticks) * 1000.0) as u64);
    }
    if let Ok((free, all)) = room(data) {
        gauge!("bugbrother_process_data_free_bytes").set(free as f64);
        gauge!("bugbrother_process_data_size_bytes").set(all as f64);
    }
}

/// The machine's start and a time since then, as seconds since 1970.
fn start_of(ticks: f64) -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let booted: f64 = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(booted + seconds(ticks))
}

fn seconds(ticks: f64) -> f64 {
    ticks / clock_ticks_per_second() as f64
}

/// A line of `/proc/self/stat` (proc_pid_stat(5)).
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: f64,
    threads: f64,
    start_ticks: f64,
    resident_pages: f64,
}

impl Stat {
    fn read(line: &str) -> Option<Stat> {
        // A program's name may have blanks and brackets in it.
        let fields: Vec<&str> = line.rsplit_once(") ")?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Stat {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            resident_pages: field(24)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_is_read_whatever_the_program_is_called() {
        let line =
            "4242 (bug) brother) S 1 4242 4242 0 -1 4194304 900 0 0 0 700 50 0 0 20 0 9 0 123456 99999744 5000 1";
        let stat = Stat { cpu_ticks: 750.0, threads: 9.0, start_ticks: 123_456.0, resident_pages: 5000.0 };
        assert_eq!(Stat::read(line), Some(stat));
        assert_eq!(Stat::read("4242 (x"), None);
    }

    #[test]
    fn the_disk_has_a_size() {
        let (free, all) = room(Path::new("/")).unwrap();
        assert!(free <= all && all > 0);
        assert!(most_files().is_none_or(|most| most > 16));
    }
}
