//! `bugbrother-agent`: settings → build → run → drain.

mod settings;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let flags = settings::Flags::parse();
    let filter = EnvFilter::try_from_env("BUGBROTHER_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_terminal).init();
    match run(flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The chain of causes, once.
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: settings::Flags) -> anyhow::Result<()> {
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
        let outcome = bugbrother_agent::run(config, shutdown.clone()).await;
        shutdown.cancel();
        stopper.await.context("the listener to signals failed")?;
        outcome?;
        info!("stopped");
        Ok(())
    })
}
