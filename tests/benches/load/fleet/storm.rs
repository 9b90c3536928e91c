//! The server is killed and started again, and a whole fleet comes back at once.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use bugbrother_kit::{system::System, wait};
use bugbrother_load::fleet::{Figures, Fleet, Plan, Weather};
use bugbrother_mosquitto_compat::PasswordFile;
use tokio::time::sleep;

use super::{LIMIT, SETTLING, check_files, drives, meanwhile::for_a_time, plan, start};
use crate::{
    drive,
    figures::grouped,
    settings::{self, Settings},
    usage,
};

const VEHICLES: usize = 5_000;
/// Between two looks at how many are back.
const LOOK: Duration = Duration::from_millis(20);
/// Everybody is to be back by then.
const AIM: Duration = Duration::from_secs(60);
/// Of the password hashes: what our own program makes, and what Mosquitto's tool makes.
const OURS: u32 = 10_000;
const THEIRS: u32 = 101;

/// How a fleet comes back.
struct Case {
    name: &'static str,
    iterations: u32,
    /// So many vehicles come from the same address.
    neighbours: usize,
}

const CASES: [Case; 4] = [
    Case { name: "each from an address of its own", iterations: OURS, neighbours: 1 },
    Case { name: "1,000 behind each address", iterations: OURS, neighbours: 1_000 },
    Case { name: "all behind one address", iterations: OURS, neighbours: usize::MAX },
    Case { name: "each from its own, hashes of `mosquitto_passwd`", iterations: THEIRS, neighbours: 1 },
];

/// After which time since the start half of them, nearly all and all were there.
#[derive(Debug, Clone, Copy, Default)]
struct Course {
    half: Option<Duration>,
    most: Option<Duration>,
    all: Option<Duration>,
}

impl Course {
    fn note(&mut self, count: u64, vehicles: usize, since: Duration) {
        let share = count as f64 / vehicles as f64;
        for (mark, least) in [(&mut self.half, 0.5), (&mut self.most, 0.99), (&mut self.all, 1.0)] {
            if share >= least {
                mark.get_or_insert(since);
            }
        }
    }

    fn cells(self) -> String {
        let cell = |mark: Option<Duration>| mark.map_or("–".to_owned(), |at| format!("{:.1} s", at.as_secs_f64()));
        [self.half, self.most, self.all].map(cell).join(" | ")
    }
}

struct Storm {
    connected: Course,
    served: Course,
    /// What was done between the kill and the end.
    done: Figures,
    before: Figures,
    messages: u64,
}

pub async fn measure(settings: &Settings) -> Result<String> {
    let vehicles = settings::vehicles(VEHICLES)?;
    check_files(vehicles)?;
    let mut text = format!(
        "\n### {} vehicles come back at once\n\nSeconds from the start of the server after a kill -9 until so many vehicles were \
         connected again, and until the broker's and the database's word for something that they said since had come.\n\n\
         | | connected: half | 99 % | all | heard of a commit: half | 99 % | all | tries refused | before it listened | lost |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        grouped(vehicles as f64),
    );
    for case in CASES {
        let storm = storm(&case, vehicles, settings.time.min(SETTLING)).await?;
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | 0 of {} |",
            case.name,
            storm.connected.cells(),
            storm.served.cells(),
            grouped((storm.done.refused - storm.before.refused) as f64),
            grouped((storm.done.unreachable - storm.before.unreachable) as f64),
            grouped(storm.messages as f64),
        )?;
        println!("{}; {}", text.lines().last().unwrap_or_default(), usage::load());
        if storm.served.all.is_none_or(|all| all > AIM) {
            println!("the aim is missed: {} s", AIM.as_secs());
        }
    }
    Ok(text)
}

async fn storm(case: &Case, vehicles: usize, settling: Duration) -> Result<Storm> {
    let mut system = System::new()?;
    admit(&system, vehicles, case.iterations)?;
    start(&mut system).await?;
    let plan = Plan {
        neighbours: case.neighbours,
        together: vehicles,
        weather: Weather { rough: true, ..Weather::default() },
        ..plan(&system, vehicles)
    };
    let mut fleet = Fleet::start(plan, &drives(1))?;
    let server = [system.process("up")?.id()];
    for_a_time(&mut fleet, &server, settling).await?;
    let all = vehicles as u64;
    wait::until("everybody was heard", LIMIT, || std::future::ready((fleet.figures().served == all).then_some(())))
        .await?;

    let before = fleet.figures();
    system.kill("up")?;
    wait::until("everybody has noticed", LIMIT, || std::future::ready((fleet.figures().connected == 0).then_some(())))
        .await?;
    let (mut connected, mut served, began) = (Course::default(), Course::default(), Instant::now());
    let watching = async {
        while served.all.is_none() {
            sleep(LOOK).await;
            let (figures, since) = (fleet.figures(), began.elapsed());
            connected.note(figures.connected, vehicles, since);
            served.note(figures.served, vehicles, since);
            fleet.check()?;
            ensure!(since < LIMIT, "after {LIMIT:?} {} are connected: {figures:?}", figures.connected);
        }
        Ok(())
    };
    let (started, watched) = tokio::join!(start(&mut system), watching);
    started?;
    watched?;
    let done = fleet.figures();
    // What was said meanwhile is made up for, too.
    let messages = fleet.leave()?;
    system.check_running()?;
    system.check_logs()?;
    Ok(Storm { connected, served, done, before, messages })
}

/// Lets them in, with hashes of so many iterations.
fn admit(system: &System, vehicles: usize, iterations: u32) -> Result<()> {
    // The first command makes the files.
    system.manage(&["access", "list"])?;
    let path = system.data().join("access/passwords");
    let mut passwords = PasswordFile::load(&path)?;
    for vin in (0..vehicles).map(drive::vin) {
        passwords.set_with(vin.as_str(), vin.as_str(), iterations)?;
    }
    Ok(passwords.save(&path)?)
}
