//! What an operator does and is given: packages, units, containers, jobs, settings, a release, the documents about them.
//!
//! # Layout
//! - `load`: vehicles by the dozen, cut off, with ingest killed under them
//! - `packages`: the server's package, installed on a copy of this system up to a vehicle that is stored
//! - `doctor`: `init` and `doctor` beside a server that runs, and one that does not
//! - `plans`: files for Docker, Nomad, EMQX and systemd, which are read and compared with what the program takes
//! - `service`: what systemd hears; a worker whose broker is on another machine
//! - `release`: licences, what a program is made of, sums and signature

mod doctor;
mod load;
mod packages;
mod plans;
mod release;
mod service;

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
