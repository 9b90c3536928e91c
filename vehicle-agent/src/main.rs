//! `bugbrother-agent`: settings → build → run → drain.

mod journal;
mod settings;
mod task;

use std::{os::unix::process::CommandExt, process::ExitCode};

use anyhow::Context;
use bugbrother_agent::{Ended, log::Log};
use clap::Parser;
use journal::Journal;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

fn main() -> ExitCode {
    let flags = settings::Flags::parse();
    let filter = EnvFilter::try_from_env("BUGBROTHER_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = Log::new();
    let journal = Journal::if_it_listens();
    let to_person = journal.is_none().then(|| fmt::layer().with_writer(std::io::stderr).with_ansi(is_terminal));
    let to_journal =
        journal.map(|format| fmt::layer().with_writer(std::io::stderr).with_ansi(false).event_format(format));
    let to_memory = fmt::layer().with_writer(log.clone()).with_ansi(false);
    tracing_subscriber::registry().with(filter).with(to_person).with(to_journal).with(to_memory).init();
    let dry_run = flags.dry_run;
    let outcome = match &flags.task {
        Some(task) => task::perform(task).map(|()| Ended::Done),
        None => prepare(&flags).and_then(|()| run(flags, log)),
    };
    if dry_run {
        // Left behind it would do no harm: it is in the folder for what is temporary.
        drop(std::fs::remove_dir_all(settings::dry_folder()));
    }
    match outcome {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::Restart) => begin_anew(),
        Err(error) => {
            // The chain of causes, once.
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// This process becomes a new agent, with the same settings.
fn begin_anew() -> ExitCode {
    let program = std::env::current_exe();
    let error = match program {
        Ok(program) => std::process::Command::new(program).args(std::env::args_os().skip(1)).exec(),
        Err(error) => error,
    };
    error!(error = &error as &dyn std::error::Error, "the agent cannot begin anew");
    ExitCode::FAILURE
}

fn prepare(flags: &settings::Flags) -> anyhow::Result<()> {
    if flags.dry_run {
        std::fs::create_dir_all(settings::dry_folder()).context("no folder for a dry run")?;
    }
    Ok(())
}

fn run(flags: settings::Flags, log: Log) -> anyhow::Result<Ended> {
    let config = flags.read()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let mut terminate = signal(SignalKind::terminate()).context("no signals")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("no signals")?;
        let stopper = tokio::spawn({
            let shutdown = shutdown.clone();
            async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    () = shutdown.cancelled() => return,
                }
                info!("stopping");
                shutdown.cancel();
            }
        });
        let outcome = bugbrother_agent::run(config, log, shutdown.clone()).await;
        shutdown.cancel();
        stopper.await.context("the listener to signals failed")?;
        let ended = outcome?;
        info!(?ended, "stopped");
        Ok(ended)
    })
}
