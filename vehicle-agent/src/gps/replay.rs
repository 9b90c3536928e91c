use std::{io, path::Path};

use tokio::{
    io::AsyncReadExt,
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    Fix, Speed,
    assembler::Assembler,
    count_refusal,
    fix::NoFix,
    gate::{Gate, Refusal, Sentence},
    judge::Judge,
    pace::Pace,
    source::{self, Source},
};

/// A recording could not be read.
#[derive(Debug, thiserror::Error)]
#[error("recording {path} cannot be read")]
pub struct RecordingError {
    path: String,
    #[source]
    source: io::Error,
}

/// Sends the fixes of a recording when they are due. The first `skip` are left out, and not waited for.
pub(super) async fn replay(
    path: &Path,
    speed: Speed,
    skip: u64,
    fixes: mpsc::Sender<Fix>,
    shutdown: &CancellationToken,
) -> Result<(), RecordingError> {
    let failed = |source| RecordingError { path: path.display().to_string(), source };
    let input = source::open_recording(path).await.map_err(failed)?;
    let ended = Reader::new(Pace::new(speed), skip, fixes, shutdown).read(input).await;
    if !shutdown.is_cancelled() {
        info!(path = %path.display(), "recording replayed");
    }
    ended.map_err(failed)
}

struct Reader<'a> {
    gate: Gate,
    assembler: Assembler,
    judge: Judge,
    pace: Pace,
    skip: u64,
    fixes: mpsc::Sender<Fix>,
    shutdown: &'a CancellationToken,
}

impl<'a> Reader<'a> {
    fn new(pace: Pace, skip: u64, fixes: mpsc::Sender<Fix>, shutdown: &'a CancellationToken) -> Self {
        let (gate, assembler, judge) = (Gate::default(), Assembler::default(), Judge::of_recording());
        Reader { gate, assembler, judge, pace, skip, fixes, shutdown }
    }

    /// Reads until the input ends, nobody takes fixes any more, or the shutdown. A fix that waits for the rest of its epoch
    /// is sent in any case.
    async fn read(&mut self, input: Source) -> io::Result<()> {
        let ended = self.read_lines(input).await;
        if let Some(line) = self.gate.finish() {
            self.take(line).await;
        }
        self.end_epoch().await;
        ended
    }

    async fn read_lines(&mut self, mut input: Source) -> io::Result<()> {
        let mut bytes = [0; 4096];
        loop {
            let Some(count) = self.shutdown.run_until_cancelled(input.read(&mut bytes)).await else {
                return Ok(());
            };
            let count = count?;
            for byte in &bytes[..count] {
                if let Some(line) = self.gate.push(*byte)
                    && !self.take(line).await
                {
                    return Ok(());
                }
            }
            if count == 0 || self.fixes.is_closed() {
                return Ok(());
            }
        }
    }

    /// False when the shutdown comes before the line is due.
    async fn take(&mut self, line: Result<Sentence, Refusal>) -> bool {
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
        for told in self.assembler.push(&sentence) {
            self.send(told).await;
        }
        true
    }

    async fn end_epoch(&mut self) {
        if let Some(told) = self.assembler.flush() {
            self.send(told).await;
        }
    }

    async fn send(&mut self, told: Result<Fix, NoFix>) {
        let fix = match told.and_then(|fix| self.judge.take(fix)) {
            Ok(fix) => fix,
            Err(no_fix) => return count_refusal(no_fix.reason()),
        };
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

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio::io::{AsyncRead, ReadBuf};

    use super::*;

    /// A recording that tells the half of an epoch, and then ends as it is told to.
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
    async fn a_fix_whose_recording_fails_in_the_middle_of_an_epoch_is_sent() {
        let (fixes, mut sent) = mpsc::channel(8);
        let shutdown = CancellationToken::new();
        let fails = || Poll::Ready(Err(io::Error::other("unplugged")));
        let mut reader = Reader::new(Pace::new(Speed::Max), 0, fixes, &shutdown);
        let ended = reader.read(Box::new(Half(RMC, fails))).await;
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
        reader.read(Box::new(Half(RMC, stops))).await.unwrap();
        assert_eq!(sent.try_recv().unwrap().ts, 1_270_293_745_844);
    }
}
