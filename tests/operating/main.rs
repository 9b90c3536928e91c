//! What an operator does and is given: packages, units, containers, jobs, settings, a release, the documents about them.
//!
//! # Layout
//! - `load`: vehicles by the dozen, cut off, with ingest killed under them
//! - `packages`: what is in the server's package
//! - `install`: the lines of docs/operating.md, on an empty Debian, up to a vehicle on the map; `machine`: that Debian
//! - `doctor`: `init` and `doctor` beside a server that runs, and one that does not
//! - `plans`: files for Docker and EMQX, which are read and compared with what the program takes; `nomad`: the same of a job
//! - `service`: what systemd hears; a worker whose broker is on another machine
//! - `traces`: a collector of OpenTelemetry's, and three processes that tell it of the same record
//! - `release`: licences, what a program is made of, sums and signature

mod doctor;
mod install;
mod load;
mod machine;
mod nomad;
mod packages;
mod plans;
mod release;
mod service;
mod traces;

use std::{path::Path, process::Command};

/// The tree.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's root")
}

/// What a program says, on either stream, and whether it succeeded.
fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    (output.status.success(), said)
}

/// The same of one that must succeed.
fn said(command: &mut Command) -> String {
    let (success, said) = run(command);
    assert!(success, "{command:?}: {said}");
    said
}
