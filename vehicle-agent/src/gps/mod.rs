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
    link::Link,
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
    match source {
        GpsSource::Recording { path, speed } => {
            let failed = |source| RecordingError { path: path.display().to_string(), source };
            let input = source::open_recording(path).await.map_err(failed)?;
            let ended = Reader::new(Pace::new(*speed), skip, fixes, shutdown).read(input, None).await;
            if !shutdown.is_cancelled() {
                info!(path = %path.display(), "recording replayed");
            }
            ended.map_err(failed)
        }
        GpsSource::Receiver(link) => {
            listen(link, fixes, shutdown).await;
            Ok(())
        }
    }
}

/// Opens a receiver again and again.
async fn listen(link: &Link, fixes: mpsc::Sender<Fix>, shutdown: &CancellationToken) {
    let mut retry = Retry::new();
    let mut last_reason = String::new();
    loop {
        let began = Instant::now();
        let Some(opened) = shutdown.run_until_cancelled(source::open_receiver(link)).await else { return };
        let reason = match opened {
            Ok(input) => {
                info!(receiver = %link, "receiver opened");
                last_reason.clear();
                let mut reader = Reader::new(Pace::new(Speed::Max), 0, fixes.clone(), shutdown);
                match reader.read(input, Some(DEAD_AFTER)).await {
                    Ok(()) => "it closed the connection".to_owned(),
                    Err(error) => error.to_string(),
                }
            }
            Err(error) => error.to_string(),
        };
        if fixes.is_closed() || shutdown.is_cancelled() {
            return;
        }
        metrics::counter!("bugbrother_agent_receiver_losses_total").increment(1);
        // A receiver that is away for hours is one line in the log, not one for every attempt.
        if reason != last_reason {
            warn!(receiver = %link, reason, "no receiver");
        }
        last_reason = reason;
        shutdown.run_until_cancelled(sleep(retry.next_wait(began.elapsed()))).await;
    }
}

struct Reader<'a> {
    gate: Gate,
    assembler: Assembler,
    pace: Pace,
    skip: u64,
    fixes: mpsc::Sender<Fix>,
    shutdown: &'a CancellationToken,
}

impl<'a> Reader<'a> {
    fn new(pace: Pace, skip: u64, fixes: mpsc::Sender<Fix>, shutdown: &'a CancellationToken) -> Self {
        Reader { gate: Gate::default(), assembler: Assembler::default(), pace, skip, fixes, shutdown }
    }

    /// Reads until the input ends, nobody takes fixes any more, a receiver is silent for `dead_after`, or the shutdown.
    /// A fix that waits for the rest of its epoch is sent in any case.
    async fn read(&mut self, input: Source, dead_after: Option<Duration>) -> io::Result<()> {
        let ended = self.read_lines(input, dead_after).await;
        if let Some(line) = self.gate.finish() {
            self.take(line).await;
        }
        self.end_epoch().await;
        ended
    }

    async fn read_lines(&mut self, mut input: Source, dead_after: Option<Duration>) -> io::Result<()> {
        let mut bytes = [0; 4096];
        loop {
            let patience = match dead_after {
                // Only a live source makes pauses that say anything.
                Some(_) if self.assembler.is_waiting() => EPOCH_REST,
                Some(dead_after) => dead_after,
                None => Duration::MAX,
            };
            let read = timeout(patience, input.read(&mut bytes));
            let Some(read) = self.shutdown.run_until_cancelled(read).await else {
                return Ok(());
            };
            let count = match read {
                Ok(Ok(0)) => return Ok(()),
                Ok(count) => count?,
                Err(_) if self.assembler.is_waiting() => {
                    self.end_epoch().await;
                    continue;
                }
                Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "it is silent")),
            };
            for byte in &bytes[..count] {
                if let Some(line) = self.gate.push(*byte)
                    && !self.take(line).await
                {
                    return Ok(());
                }
            }
            if self.fixes.is_closed() {
                return Ok(());
            }
        }
    }

    /// False when the shutdown comes before the line is due.
    async fn take(&mut self, line: Result<gate::Sentence, gate::Refusal>) -> bool {
        let sentence = match line {
            Ok(sentence) => sentence,
            Err(refusal) => {
                count_refusal(refusal.reason());
                return true;
            }
        };
        if let Some(time_of_day_ms) = sentence.time_of_day_ms() {
            // What came before must not wait for what is not due yet.
            if self.assembler.ends_epoch(time_of_day_ms) {
                self.end_epoch().await;
            }
            if self.skip == 0 {
                let due = self.pace.due(time_of_day_ms, Instant::now());
                // A timer waits a millisecond even for what is due already.
                if due > Instant::now() && self.shutdown.run_until_cancelled(sleep_until(due)).await.is_none() {
                    return false;
                }
            }
        }
        self.put_together(&sentence).await;
        true
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

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio::io::{AsyncRead, ReadBuf};

    use super::*;

    /// A receiver that tells the half of an epoch, and then ends as it is told to.
    struct Half<F>(&'static [u8], F);

    impl<F: Fn() -> Poll<io::Result<()>> + Unpin> AsyncRead for Half<F> {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let half = self.get_mut();
            if half.0.is_empty() {
                return half.1();
            }
            buffer.put_slice(half.0);
            half.0 = &[];
            Poll::Ready(Ok(()))
        }
    }

    const RMC: &[u8] = b"$GPRMC,112225.844,A,4719.9737,N,00749.2639,E,0.00,,030410,,,A*7C\r\n";

    #[tokio::test]
    async fn a_fix_whose_receiver_fails_in_the_middle_of_an_epoch_is_sent() {
        let (fixes, mut sent) = mpsc::channel(8);
        let shutdown = CancellationToken::new();
        let fails = || Poll::Ready(Err(io::Error::other("unplugged")));
        let mut reader = Reader::new(Pace::new(Speed::Max), 0, fixes, &shutdown);
        let ended = reader.read(Box::new(Half(RMC, fails)), Some(DEAD_AFTER)).await;
        assert_eq!(ended.unwrap_err().to_string(), "unplugged");
        assert_eq!(sent.try_recv().unwrap().ts, 1_270_293_745_844);
    }

    #[tokio::test]
    async fn a_fix_is_sent_though_the_shutdown_comes_in_the_middle_of_its_epoch() {
        let (fixes, mut sent) = mpsc::channel(8);
        let shutdown = CancellationToken::new();
        let stops = {
            let shutdown = shutdown.clone();
            move || {
                shutdown.cancel();
                Poll::Pending
            }
        };
        let mut reader = Reader::new(Pace::new(Speed::Max), 0, fixes, &shutdown);
        reader.read(Box::new(Half(RMC, stops)), None).await.unwrap();
        assert_eq!(sent.try_recv().unwrap().ts, 1_270_293_745_844);
    }
}
