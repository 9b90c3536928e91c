//! How a fleet fares while something else happens.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::Result;
use bugbrother_load::{fleet::Fleet, histogram::Histogram};
use tokio::time::sleep;

use crate::{figures::grouped, usage};

/// Between two looks at what is committed.
const LOOK: Duration = Duration::from_millis(200);
/// Between two lines that say how far it is.
const TELL: Duration = Duration::from_secs(30);

/// What was seen of it.
pub struct Meanwhile {
    pub seconds: f64,
    /// Messages of which the vehicles were told that they are committed.
    pub committed: u64,
    /// From when each was due until then.
    pub commits: Histogram,
    /// Processor time of the server and of this process, in cores.
    pub server_cores: f64,
    pub own_cores: f64,
    /// Memory of the server at the end, and the most of it that was seen.
    pub bytes: f64,
    pub most_bytes: f64,
}

impl Meanwhile {
    pub fn messages_per_second(&self) -> f64 {
        self.committed as f64 / self.seconds
    }
}

/// Looks at a fleet and at the server's processes until `work` is done.
pub async fn during<T>(
    fleet: &mut Fleet,
    server: &[u32],
    work: impl Future<Output = Result<T>>,
) -> Result<(T, Meanwhile)> {
    let own = [std::process::id()];
    let cpu = || -> Result<[f64; 2]> { Ok([usage::cpu_us(server)?, usage::cpu_us(&own)?]) };
    let (began, committed, before) = (Instant::now(), fleet.figures().committed, cpu()?);
    // What came before is not asked for.
    drop((fleet.commits(), fleet.pubacks()));
    let (mut commits, mut most_bytes, mut told) = (Histogram::default(), 0.0_f64, began);
    let mut work = pin!(work);
    let done = loop {
        let done = tokio::select! {
            done = &mut work => Some(done?),
            () = sleep(LOOK) => None,
        };
        fleet.check()?;
        fleet.commits().into_iter().for_each(|ms| commits.add(ms));
        drop(fleet.pubacks());
        most_bytes = most_bytes.max(usage::resident_bytes(server)?);
        if let Some(done) = done {
            break done;
        }
        if told.elapsed() > TELL {
            told = Instant::now();
            println!(
                "  {:.0} s: {} committed, p50 {:.0} ms, p99 {:.0} ms, longest {:.0} ms; {:.0} MB; {}",
                began.elapsed().as_secs_f64(),
                grouped((fleet.figures().committed - committed) as f64),
                commits.quantile(0.5),
                commits.quantile(0.99),
                commits.longest(),
                most_bytes / 1e6,
                usage::load()
            );
        }
    };
    let (seconds, after) = (began.elapsed().as_secs_f64(), cpu()?);
    let cores = |place: usize| (after[place] - before[place]) / 1e6 / seconds;
    let meanwhile = Meanwhile {
        seconds,
        committed: fleet.figures().committed - committed,
        commits,
        server_cores: cores(0),
        own_cores: cores(1),
        bytes: usage::resident_bytes(server)?,
        most_bytes,
    };
    Ok((done, meanwhile))
}

/// The same for that time.
pub async fn for_a_time(fleet: &mut Fleet, server: &[u32], time: Duration) -> Result<Meanwhile> {
    let work = async {
        sleep(time).await;
        Ok(())
    };
    Ok(during(fleet, server, work).await?.1)
}

/// Median, 99 % and longest of times, as cells of a table.
pub fn cells(times: &Histogram) -> String {
    match times.count() {
        0 => "– | – | –".to_owned(),
        _ => {
            let ms = |figure: f64| format!("{} ms", grouped(figure));
            [times.quantile(0.5), times.quantile(0.99), times.longest()].map(ms).join(" | ")
        }
    }
}
