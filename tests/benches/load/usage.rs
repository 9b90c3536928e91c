//! What processes take of the machine, by /proc.

use std::{fs, process::Command, sync::OnceLock};

use anyhow::{Context, Result};

/// Processor time that these processes have taken so far, in µs. One that has ended counts no more.
pub fn cpu_us(processes: &[u32]) -> Result<f64> {
    static TICK_US: OnceLock<f64> = OnceLock::new();
    let tick_us = match TICK_US.get() {
        Some(tick_us) => *tick_us,
        None => {
            let printed = Command::new("getconf").arg("CLK_TCK").output().context("cannot run getconf")?.stdout;
            let per_second: f64 = String::from_utf8(printed)?.trim().parse()?;
            *TICK_US.get_or_init(|| 1e6 / per_second)
        }
    };
    let mut ticks = 0.0;
    for id in processes {
        let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
        // proc(5): what follows the program's name in brackets begins with field 3; 14 and 15 are user's and system's time.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        for field in [14, 15] {
            ticks += fields.get(field - 3).context("a short /proc/PID/stat")?.parse::<f64>()?;
        }
    }
    Ok(ticks * tick_us)
}

/// Memory that these processes have in RAM, in bytes.
pub fn resident_bytes(processes: &[u32]) -> Result<f64> {
    let mut kib = 0.0;
    for id in processes {
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS of a process")?;
        kib += line.trim().trim_end_matches(" kB").parse::<f64>()?;
    }
    Ok(kib * 1024.0)
}

/// Descriptors that a process has open.
pub fn descriptors(process: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{process}/fd"))?.count())
}

/// Threads of a process.
pub fn threads(process: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{process}/task"))?.count())
}

/// How busy the machine is otherwise: the load average of the last minute.
pub fn load() -> String {
    let average = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("load average {} on {cores} cores", average.split(' ').next().unwrap_or("unknown"))
}
