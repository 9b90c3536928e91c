//! Photos and films on their way to the fleet's server: piece by piece, going on where it stopped, and after telemetry.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    time::{Duration, Instant},
};

use bugbrother_wire::embedded::{MAX_PIECE_BYTES, MediaOffer, MediaProgress};
use rand::Rng;
use tokio::{sync::watch, task::spawn_blocking, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    allowance::Allowance,
    ledger::Ledger,
    office::{Office, OfficeError},
    shelf::Item,
};
use crate::{budget::Thinning, clock::is_provisional, outbox::Tally};

/// A piece that is lost with its connection is no great loss.
const PIECE_BYTES: usize = 256 << 10;
const LEAST_PIECE_BYTES: usize = 16 << 10;
/// Records that wait: as many are sent in a moment where the network is good.
const BACKLOG: u64 = 64;
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// The server has no room, or takes no media: somebody has to do something about it.
const LONG_WAIT: Duration = Duration::from_secs(1800);
/// So often a file may arrive with another hash.
const ATTEMPTS: u32 = 3;
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What uploading depends on.
pub(super) struct Conditions {
    pub private: watch::Receiver<bool>,
    pub tally: watch::Receiver<Tally>,
    pub thinning: watch::Receiver<Thinning>,
    pub allowance: Allowance,
}

/// Why an upload does not go on.
enum Halt {
    /// It is tried again soon.
    Away(String),
    /// It is tried again later.
    Later(String),
    /// It never will be taken.
    Never(String),
    /// The agent ends.
    Stop,
}

/// Uploads what is on the shelf, until `stop`.
pub(super) async fn run(ledger: Ledger, office: Office, mut conditions: Conditions, stop: CancellationToken) {
    let mut changes = ledger.shelf.changes();
    let mut wait = FIRST_WAIT;
    let mut complained = false;
    while !stop.is_cancelled() {
        changes.mark_unchanged();
        let Some(item) = ledger.shelf.waiting().into_iter().next() else {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
            continue;
        };
        let pause = match upload(&item, &ledger, &office, &mut conditions, &stop).await {
            Ok(()) => {
                info!(media = %item.id, bytes = item.bytes, "uploaded");
                ledger.deliver(&item).await;
                (wait, complained) = (FIRST_WAIT, false);
                Duration::ZERO
            }
            Err(Halt::Stop) => return,
            Err(Halt::Never(reason)) => {
                warn!(media = %item.id, reason, "the server will not take it");
                ledger.give_up(&item, &reason).await;
                Duration::ZERO
            }
            Err(Halt::Later(reason)) => {
                warn!(reason, "uploading is put off");
                LONG_WAIT
            }
            Err(Halt::Away(reason)) => {
                if complained {
                    debug!(reason, "not uploaded yet");
                } else {
                    info!(reason, "not uploaded yet; it is tried again");
                }
                complained = true;
                let pause = wait.mul_f64(rand::rng().random_range(0.5..=1.0));
                wait = (wait * 2).min(LONGEST_WAIT);
                pause
            }
        };
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
    }
}

async fn upload(
    item: &Item,
    ledger: &Ledger,
    office: &Office,
    conditions: &mut Conditions,
    stop: &CancellationToken,
) -> Result<(), Halt> {
    conditions.permit(stop).await?;
    let mut progress = offer(item, office).await?;
    let mut file = ledger.shelf.read(item).map_err(|error| Halt::Never(format!("it cannot be read: {error}")))?;
    let mut failures = 0;
    while !progress.stored {
        conditions.permit(stop).await?;
        let (back, piece) =
            read_piece(file, progress.offset, conditions.allowance.piece(PIECE_BYTES, LEAST_PIECE_BYTES)).await?;
        file = back;
        if piece.is_empty() {
            return Err(Halt::Never("the server wants more of it than there is".to_owned()));
        }
        let (began, size) = (Instant::now(), piece.len());
        match send(item, office, progress.offset, piece).await {
            Ok(next) => progress = next,
            Err(OfficeError::Refused { status: 422, message, .. }) => {
                failures += 1;
                if failures >= ATTEMPTS {
                    return Err(Halt::Never(message));
                }
                debug!(media = %item.id, "it arrived with another hash: it is sent anew");
                progress = offer(item, office).await?;
            }
            Err(error) => return Err(halt(error)),
        }
        let rest = conditions.allowance.spend(size as u64, began.elapsed(), ledger.time.now());
        if stop.run_until_cancelled(sleep(rest)).await.is_none() {
            return Err(Halt::Stop);
        }
    }
    Ok(())
}

async fn offer(item: &Item, office: &Office) -> Result<MediaProgress, Halt> {
    let known = |time| Some(time).filter(|time| !is_provisional(*time));
    let offer = MediaOffer {
        camera: item.camera.clone(),
        kind: item.kind,
        bytes: item.bytes,
        sha256: item.sha256.clone(),
        from: known(item.from),
        to: known(item.to),
        cause: item.cause.clone(),
    };
    let (office, id) = (office.clone(), item.id);
    blocking(move || office.offer(id, &offer)).await.map_err(halt)
}

async fn send(item: &Item, office: &Office, offset: u64, piece: Vec<u8>) -> Result<MediaProgress, OfficeError> {
    let (office, id) = (office.clone(), item.id);
    blocking(move || office.send(id, offset, &piece)).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

async fn read_piece(mut file: File, offset: u64, size: usize) -> Result<(File, Vec<u8>), Halt> {
    let read = blocking(move || {
        let mut piece = Vec::with_capacity(size);
        file.seek(SeekFrom::Start(offset))?;
        (&mut file).take(size as u64).read_to_end(&mut piece)?;
        Ok::<_, io::Error>((file, piece))
    });
    read.await.map_err(|error| Halt::Never(format!("it cannot be read: {error}")))
}

fn halt(error: OfficeError) -> Halt {
    let words = error.to_string();
    match error {
        OfficeError::Refused { status: 413, message, .. } => Halt::Never(message),
        OfficeError::Refused { status: 403 | 404 | 507, .. } => Halt::Later(words),
        _ => Halt::Away(words),
    }
}

impl Conditions {
    /// Waits until something may be sent.
    async fn permit(&mut self, stop: &CancellationToken) -> Result<(), Halt> {
        loop {
            let private = *self.private.borrow_and_update();
            let backlog = self.tally.borrow_and_update().unstored;
            let is_scarce = *self.thinning.borrow_and_update() > Thinning::default();
            if !private && backlog <= BACKLOG && !is_scarce && self.allowance.has_some() {
                return Ok(());
            }
            debug!(private, backlog, is_scarce, "uploading waits");
            tokio::select! {
                () = stop.cancelled() => return Err(Halt::Stop),
                Ok(()) = self.private.changed() => {}
                Ok(()) = self.tally.changed() => {}
                Ok(()) = self.thinning.changed() => {}
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }
}

const _: () = assert!(PIECE_BYTES <= MAX_PIECE_BYTES);
