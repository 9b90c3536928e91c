//! A film from its first moment to its place on the shelf.

use std::{
    fs, io,
    time::{Duration, Instant},
};

use bugbrother_video::{MuxingError, Scene, Written, write_clip};
use bugbrother_wire::{MediaId, UnixMs, message::MediaKind};
use tokio::{sync::mpsc, task::spawn_blocking};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use super::{
    ledger::{Ledger, on_disk},
    shelf::{About, Item, Shelf},
    spool::{self, Entry, Writer},
};

/// What is written is on the disk after so long at the latest.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Longest film, however often it is asked for anew while it is recorded.
pub(super) const LONGEST: Duration = Duration::from_secs(180);
/// Largest film: it is in memory while it is finished.
const MAX_BYTES: usize = 64 << 20;
/// Some seconds of pictures that wait for a slow disk.
const WAITING: usize = 512;

/// A film that is being recorded.
pub(super) struct Film {
    pub about: About,
    entries: mpsc::Sender<Entry>,
    /// Its pictures are to be thrown away.
    discard: CancellationToken,
    until: Instant,
    latest: Instant,
    bytes: usize,
    /// Why it ends early, if it does.
    full: bool,
}

impl Film {
    /// Begins one with what is there already, and goes on until `until`. What becomes of it, the ledger says; `span` is what is
    /// expected to be seen.
    pub fn begin(
        about: About,
        first: Vec<Entry>,
        until: Instant,
        span: (UnixMs, UnixMs),
        ledger: Ledger,
        tasks: &TaskTracker,
    ) -> Self {
        let start = Instant::now();
        let (entries, entries_in) = mpsc::channel(WAITING);
        let discard = CancellationToken::new();
        let bytes = first.iter().map(Entry::bytes).sum();
        tasks.spawn(record(about.clone(), first, entries_in, span, start, discard.clone(), ledger));
        Film { about, entries, discard, until, latest: start + LONGEST, bytes, full: false }
    }

    /// When it ends.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// It is wanted for longer.
    pub fn extend(&mut self, until: Instant) {
        self.until = self.until.max(until).min(self.latest);
    }

    /// The next picture or sound; `false` when it takes no more.
    pub fn add(&mut self, entry: Entry) -> bool {
        self.bytes += entry.bytes();
        self.full |= self.bytes > MAX_BYTES || self.entries.try_send(entry).is_err();
        !self.full
    }

    /// Throws it away.
    pub fn discard(self) {
        self.discard.cancel();
    }
}

async fn record(
    about: About,
    first: Vec<Entry>,
    entries: mpsc::Receiver<Entry>,
    span: (UnixMs, UnixMs),
    start: Instant,
    discard: CancellationToken,
    ledger: Ledger,
) {
    let (path, what) = (ledger.shelf.spool(about.id), about.clone());
    let begun = on_disk(move || Writer::begin(&path, &what, start)).await;
    let writer = match begun {
        Ok(writer) => writer,
        Err(error) => {
            warn!(%error, "a film cannot be recorded");
            return ledger.fail(&about, MediaKind::Clip, &format!("the disk refuses: {error}")).await;
        }
    };
    // Whoever is told that it is recorded is told what became of it, also if the agent is killed from now on.
    ledger.begin(&about, MediaKind::Clip, span).await;
    let (shelf, thrown) = (ledger.shelf.clone(), discard.clone());
    let written = on_disk(move || write(writer, &first, entries, &thrown)).await;
    if discard.is_cancelled() {
        shelf.forget_spool(about.id);
        ledger.fail(&about, MediaKind::Clip, "privacy was switched on").await;
        return;
    }
    if let Err(error) = written {
        // What is on the disk may still be a film.
        warn!(%error, "the disk does not take a film as fast as it comes, or not at all");
    }
    finish(about.id, start, Clock::Ours, &ledger).await;
}

/// By what the moments of a film are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    /// The vehicle's, as it is known by now.
    Ours,
    /// What was noted when the film was begun: that agent has ended.
    Noted,
}

/// Until nobody sends anything more. It blocks the thread.
fn write(
    mut writer: Writer,
    first: &[Entry],
    mut entries: mpsc::Receiver<Entry>,
    discard: &CancellationToken,
) -> io::Result<()> {
    for entry in first {
        writer.add(entry)?;
    }
    writer.sync()?;
    let mut synced = Instant::now();
    while let Some(entry) = entries.blocking_recv() {
        if discard.is_cancelled() {
            return Ok(());
        }
        writer.add(&entry)?;
        if synced.elapsed() >= SYNC_EVERY {
            writer.sync()?;
            synced = Instant::now();
        }
    }
    writer.sync()
}

/// Makes a film of what was recorded. `start` stands for the moment that it was begun.
async fn finish(id: MediaId, start: Instant, clock: Clock, ledger: &Ledger) {
    // One after the other: each is in memory for a moment.
    let _turn = ledger.turn.lock().await;
    let path = ledger.shelf.spool(id);
    let room = fs::metadata(&path).map_or(0, |file| file.len());
    ledger.make_room(room).await;
    let spooled = on_disk(move || spool::read::<About>(&path, start)).await;
    let spool::Spooled { about, scenes } = match spooled {
        Ok(Some(spooled)) => spooled,
        Ok(None) => {
            // The power failed before anything was on the disk: nobody was told of it.
            ledger.shelf.forget_spool(id);
            return;
        }
        Err(error) => {
            warn!(%error, "what was recorded cannot be read");
            return;
        }
    };
    let (shelf, what, time) = (ledger.shelf.clone(), about.clone(), ledger.time.clone());
    let made = spawn_blocking(move || {
        let at = what.at;
        make(&shelf, what, &scenes, |moment| match clock {
            Clock::Ours => time.stamp(moment).ts,
            Clock::Noted => at + distance_ms(moment, start),
        })
    });
    match made.await {
        Ok(Ok(item)) => {
            info!(media = %id, bytes = item.bytes, "film is ready");
            ledger.announce(&item).await;
        }
        Ok(Err(MuxingError::NoKeyFrame)) => {
            ledger.fail(&about, MediaKind::Clip, "the camera sent no picture").await;
        }
        Ok(Err(error)) => {
            warn!(error = &error as &dyn std::error::Error, "a film cannot be made");
            ledger.fail(&about, MediaKind::Clip, &error.to_string()).await;
        }
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
    ledger.shelf.forget_spool(id);
}

/// It blocks the thread.
fn make(
    shelf: &Shelf,
    about: About,
    scenes: &[Scene],
    time_of: impl Fn(Instant) -> UnixMs,
) -> Result<Item, MuxingError> {
    let (file, draft) = shelf.draft(about.id)?;
    let written = match write_clip(scenes, io::BufWriter::new(&file)) {
        Ok(written) => written,
        Err(error) => {
            fs::remove_file(draft)?;
            return Err(error);
        }
    };
    let Written { bytes, from, to, .. } = written;
    let (from, to) = (time_of(from), time_of(to));
    let item = Item {
        id: about.id,
        camera: about.camera,
        kind: MediaKind::Clip,
        cause: about.cause,
        urgent: about.urgent,
        from,
        to: to.max(from),
        bytes,
        sha256: String::new(),
        codec: scenes.first().map(|scene| scene.parameters.rfc6381.clone()),
        told: false,
    };
    Ok(shelf.put(&file, &draft, item)?)
}

/// From one moment to a later one; negative to an earlier one.
fn distance_ms(to: Instant, from: Instant) -> i64 {
    let ms = |distance: Duration| i64::try_from(distance.as_millis()).unwrap_or(i64::MAX);
    ms(to.saturating_duration_since(from)) - ms(from.saturating_duration_since(to))
}

/// Finishes what was being recorded when the agent ended.
pub(super) async fn recover(spools: Vec<MediaId>, ledger: &Ledger) {
    for id in spools {
        info!(media = %id, "a film that was cut off is finished");
        // Some moment: what was recorded before it must have one, too, and the computer may have been started just now.
        let start = Instant::now() + LONGEST;
        finish(id, start, Clock::Noted, ledger).await;
    }
}
