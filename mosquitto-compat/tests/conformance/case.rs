//! A case, and how all of them run at once.

use std::{collections::BTreeSet, env, fmt::Write as _, fs, future::Future, path::PathBuf, pin::Pin, sync::Arc};

use anyhow::Result;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    cases,
    lab::{Broker, Lab, Which},
};

/// So many at a time: most of them wait for something.
const AT_ONCE: usize = 48;

/// A case under way.
type Running = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// What is tried, and the statements that it shows, by their numbers.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// What of 3.1.1 it shows; nothing when it is not tried with that version.
    pub v4: &'static str,
    /// The same of 5.0.
    pub v5: &'static str,
    /// Tries it.
    pub run: fn(Lab) -> Running,
}

impl Case {
    /// Numbers of the statements.
    pub fn statements(&self, version: u8) -> impl Iterator<Item = &'static str> + use<> {
        if version == 5 { self.v5 } else { self.v4 }.split_whitespace()
    }
}

/// `cases! { name: "statements of 3.1.1", "statements of 5.0"; … }` is the list of the cases of a file.
#[macro_export]
macro_rules! cases {
    ($($name:ident: $v4:literal, $v5:literal;)+) => {
        pub const CASES: &[$crate::case::Case] = &[$(
            $crate::case::Case {
                name: stringify!($name),
                v4: $v4,
                v5: $v5,
                run: |lab| Box::pin($name(lab)),
            }
        ),+];
    };
}

/// Names a case and a version as the lists of what is expected do.
pub fn label(case: &Case, version: u8) -> String {
    format!("{} {}", if version == 5 { "5.0" } else { "3.1.1" }, case.name)
}

/// The cases that are known to fail.
pub fn expected_failures(which: Which) -> BTreeSet<String> {
    let text = fs::read_to_string(list(which)).unwrap_or_default();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

fn list(which: Which) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/expected").join(which.file())
}

/// Tries every case with each version and compares what fails with what is expected to.
pub async fn run_all(which: Which) {
    let broker = Arc::new(Broker::start(which).await.unwrap());
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    // A case by its name is tried alone, for who looks into it.
    let wanted = env::var("BUGBROTHER_CASE").ok();
    for case in cases::all() {
        for version in [4, 5] {
            let label = label(case, version);
            let unwanted = wanted.as_ref().is_some_and(|wanted| !label.contains(wanted.as_str()));
            if unwanted || case.statements(version).next().is_none() {
                continue;
            }
            let (broker, places, run) = (Arc::clone(&broker), Arc::clone(&places), case.run);
            running.spawn(async move {
                let _place = places.acquire_owned().await.unwrap();
                // What goes wrong in a case is the case's alone, also when it panics.
                let tried = tokio::spawn(run(Lab::new(broker, version, case.name))).await;
                (label, tried.map_err(anyhow::Error::from).flatten())
            });
        }
    }
    let mut failed = BTreeSet::new();
    while let Some(ended) = running.join_next().await {
        let (label, result) = ended.unwrap();
        if let Err(error) = result {
            eprintln!("{}: {label}: {error:#}", which.name());
            failed.insert(label);
        }
    }
    if wanted.is_some() {
        return;
    }
    if env::var_os("BUGBROTHER_WRITE_GOLDEN").is_some() {
        let mut text = format!("# What does not hold on {}: version and case.\n", which.name());
        failed.iter().for_each(|label| writeln!(text, "{label}").unwrap());
        fs::write(list(which), text).unwrap();
    }
    let expected = expected_failures(which);
    let (new, gone): (Vec<_>, Vec<_>) =
        (failed.difference(&expected).collect(), expected.difference(&failed).collect());
    assert!(new.is_empty(), "fails on {}: {new:#?}", which.name());
    assert!(gone.is_empty(), "holds on {}, so take it out of {}: {gone:#?}", which.name(), list(which).display());
}
