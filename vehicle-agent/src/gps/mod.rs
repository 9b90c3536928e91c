//! NMEA 0183 from a receiver or a recording → fixes.
//!
//! # Layout
//! - [`gate`]: bytes → sentences
//! - [`fix`]: sentences → fixes
//! - `source`: serial port, TCP socket, file
//! - `pace`: when a recorded sentence is due

pub mod fix;
pub mod gate;
mod pace;
mod source;

use std::{io, time::Duration};

use tokio::{
    io::AsyncReadExt,
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

pub use fix::Fix;

use self::{fix::Assembler, gate::Gate, pace::Pace, source::Source};
use crate::{
    config::{GpsSource, Speed},
    retry::Retry,
};

/// A recording could not be read.
#[derive(Debug, thiserror::Error)]
#[error("recording {path} cannot be read")]
pub struct RecordingError {
    path: String,
    #[source]
    source: io::Error,
}

/// How long the rest of an epoch may take after its fix.
const EPOCH_REST: Duration = Duration::from_millis(200);
/// Receivers speak every second or so, fix or not: one that has been silent for so long is opened again.
const DEAD_AFTER: Duration = Duration::from_secs(10);

/// Sends fixes until the source ends, which only a recording does, or `shutdown`. Of a recording the first `skip` are
/// left out, and not waited for.
pub async fn run(
    source: &GpsSource,
    skip: u64,
    fixes: mpsc::Sender<Fix>,
    shutdown: &CancellationToken,
) -> Result<(), RecordingError> {
    shutdown.run_until_cancelled(read_source(source, skip, fixes)).await.unwrap_or(Ok(()))
}

async fn read_source(source: &GpsSource, skip: u64, fixes: mpsc::Sender<Fix>) -> Result<(), RecordingError> {
    let link = match source {
        GpsSource::Recording { path, speed } => {
            let failed = |source| RecordingError { path: path.display().to_string(), source };
            let input = source::open_recording(path).await.map_err(failed)?;
            let ended = Reader::new(Pace::new(*speed), skip, fixes).read(input, None).await;
            info!(path = %path.display(), "recording replayed");
            return ended.map_err(failed);
        }
        GpsSource::Receiver(link) => link,
    };
    let mut retry = Retry::new();
    let mut last_reason = String::new();
    loop {
        retry.begin();
        let reason = match source::open_receiver(link).await {
            Ok(input) => {
                info!(receiver = %link, "receiver opened");
                last_reason.clear();
                let mut reader = Reader::new(Pace::new(Speed::Max), 0, fixes.clone());
                match reader.read(input, Some(DEAD_AFTER)).await {
                    Ok(()) => "it closed the connection".to_owned(),
                    Err(error) => error.to_string(),
                }
            }
            Err(error) => error.to_string(),
        };
        if fixes.is_closed() {
            return Ok(());
        }
        metrics::counter!("bugbrother_agent_receiver_losses_total").increment(1);
        // A receiver that is away for hours is one line in the log, not one for every attempt.
        if reason != last_reason {
            warn!(receiver = %link, reason, "no receiver");
        }
        last_reason = reason;
        sleep(retry.next_wait()).await;
    }
}

struct Reader {
    gate: Gate,
    assembler: Assembler,
    pace: Pace,
    skip: u64,
    fixes: mpsc::Sender<Fix>,
}

impl Reader {
    fn new(pace: Pace, skip: u64, fixes: mpsc::Sender<Fix>) -> Self {
        Reader { gate: Gate::default(), assembler: Assembler::default(), pace, skip, fixes }
    }

    /// Reads until the input ends, nobody takes fixes any more, or a receiver is silent for `dead_after`.
    async fn read(&mut self, mut input: Source, dead_after: Option<Duration>) -> io::Result<()> {
        let mut bytes = [0; 4096];
        loop {
            let patience = match dead_after {
                // Only a live source makes pauses that say anything.
                Some(_) if self.assembler.is_waiting() => EPOCH_REST,
                Some(dead_after) => dead_after,
                None => Duration::MAX,
            };
            let count = match timeout(patience, input.read(&mut bytes)).await {
                Ok(Ok(0)) => break,
                Ok(count) => count?,
                Err(_) if self.assembler.is_waiting() => {
                    self.end_epoch().await;
                    continue;
                }
                Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "it is silent")),
            };
            for byte in &bytes[..count] {
                if let Some(line) = self.gate.push(*byte) {
                    self.take(line).await;
                }
            }
            if self.fixes.is_closed() {
                return Ok(());
            }
        }
        if let Some(line) = self.gate.finish() {
            self.take(line).await;
        }
        self.end_epoch().await;
        Ok(())
    }

    async fn take(&mut self, line: Result<gate::Sentence, gate::Refusal>) {
        let sentence = match line {
            Ok(sentence) => sentence,
            Err(refusal) => return count_refusal(refusal.reason()),
        };
        if let Some(time_of_day_ms) = sentence.time_of_day_ms() {
            // What came before must not wait for what is not due yet.
            if self.assembler.ends_epoch(time_of_day_ms) {
                self.end_epoch().await;
            }
            if self.skip > 0 {
                return self.put_together(&sentence).await;
            }
            let due = self.pace.due(time_of_day_ms, Instant::now());
            // A timer waits a millisecond even for what is due already.
            if due > Instant::now() {
                sleep_until(due).await;
            }
        }
        self.put_together(&sentence).await;
    }

    async fn put_together(&mut self, sentence: &gate::Sentence) {
        match self.assembler.push(sentence) {
            Ok(Some(fix)) => self.send(fix).await,
            Ok(None) => {}
            Err(no_fix) => count_refusal(no_fix.reason()),
        }
    }

    async fn end_epoch(&mut self) {
        if let Some(fix) = self.assembler.flush() {
            self.send(fix).await;
        }
    }

    async fn send(&mut self, fix: Fix) {
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        metrics::counter!("bugbrother_agent_fixes_total").increment(1);
        if self.fixes.send(fix).await.is_err() {
            debug!("a fix came after the end");
        }
    }
}

fn count_refusal(reason: &'static str) {
    metrics::counter!("bugbrother_agent_refused_sentences_total", "reason" => reason).increment(1);
}
