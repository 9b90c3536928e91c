//! What must outlive the process, in one file: sessions that last with all that belongs to them, and retained messages.
//!
//! A thread of its own writes. All that came while it wrote goes into the next transaction: so a disk that is slow to
//! sync makes groups larger and waits no longer. Who needs to know waits for a [`Ticket`].

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder},
    io,
    ops::Bound,
    os::unix::fs::DirBuilderExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, StorageError, TableDefinition};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Health, count};

const FILE: &str = "mqtt.redb";
const RECORDS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("records");
/// Pages that the database keeps in memory.
const CACHE_BYTES: usize = 16 * 1024 * 1024;
/// What may go into one transaction.
const GROUP_BYTES: usize = 16 * 1024 * 1024;
/// With so much not written yet, clients wait that would add to it.
const BEHIND_BYTES: usize = 64 * 1024 * 1024;
/// Around each key and value.
const OP_BYTES: usize = 128;
/// A disk that is full or failing is tried again, less and less often.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LAST: Duration = Duration::from_secs(5);
/// Between two lines about it in the log.
const REMIND: Duration = Duration::from_secs(60);

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    Put(Bytes, Bytes),
    Delete(Bytes),
    /// All whose key begins so.
    DeleteAll(Bytes),
}

/// When something is on disk. The default one is so at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error("`{}` is in use by another broker: give each a folder of its own", .0.display())]
    InUse(PathBuf),
    /// The folder or file cannot be made or read.
    #[error("`{}` cannot be opened", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Everything in the file: keys and values.
pub(crate) type Contents = Vec<(Bytes, Bytes)>;

/// A handle to the file, or to none: then nothing outlives the process, and nobody waits.
#[derive(Clone)]
pub(crate) struct Store(Option<Arc<Inner>>);

struct Inner {
    /// With the last ticket, so that tickets and groups have the same order.
    queue: Mutex<Option<(mpsc::Sender<Group>, u64)>>,
    reached: watch::Receiver<u64>,
    behind: Arc<AtomicUsize>,
    /// Nothing more will come, and a disk that takes nothing is not waited for.
    closing: Arc<AtomicBool>,
    died: CancellationToken,
    writer: Mutex<Option<thread::JoinHandle<()>>>,
}

struct Group {
    ops: Vec<Op>,
    bytes: usize,
    ticket: u64,
}

impl Store {
    /// One that keeps nothing.
    pub(crate) fn none() -> Self {
        Store(None)
    }

    /// Opens the file in a folder. What is damaged is set aside, and a new one begun.
    pub(crate) fn open(folder: &Path, health: Health) -> Result<(Self, Contents), StoreError> {
        let path = folder.join(FILE);
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Open { path: path.clone(), source };
        // What waits for clients is nobody else's business.
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| failed(error.into()))?;
        let (database, contents) = match read(&path) {
            Ok(read) => read,
            Err(Unusable::InUse) => return Err(StoreError::InUse(path)),
            Err(Unusable::Io(error)) => return Err(failed(error)),
            Err(Unusable::Damaged(why)) => {
                let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                let aside = folder.join(format!("{FILE}.damaged-{at}"));
                fs::rename(&path, &aside).map_err(|error| failed(error.into()))?;
                tracing::error!(
                    file = %path.display(),
                    aside = %aside.display(),
                    why,
                    "the broker's file is damaged and was set aside: sessions and retained messages begin anew"
                );
                read(&path).map_err(|error| match error {
                    Unusable::InUse => StoreError::InUse(path.clone()),
                    Unusable::Io(error) => failed(error),
                    Unusable::Damaged(why) => failed(why.into()),
                })?
            }
        };
        let (sender, queue) = mpsc::channel();
        let (reached_sender, reached) = watch::channel(0);
        let (behind, died) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
        let (backlog, guard) = (Arc::clone(&behind), died.clone().drop_guard());
        let closing = Arc::new(AtomicBool::new(false));
        let kept = Writer { path: path.clone(), database: Some(database), health, closing: Arc::clone(&closing) };
        let writer = thread::Builder::new()
            .name("mqtt-store".into())
            .spawn(move || {
                let _guard = guard;
                kept.run(&queue, &reached_sender, &backlog);
            })
            .map_err(|error| failed(error.into()))?;
        let inner = Inner {
            queue: Mutex::new(Some((sender, 0))),
            reached,
            behind,
            closing,
            died,
            writer: Mutex::new(Some(writer)),
        };
        Ok((Store(Some(Arc::new(inner))), contents))
    }

    /// Has changes written, all of them in one transaction, after those before.
    pub(crate) fn write(&self, ops: Vec<Op>) -> Ticket {
        let Some(inner) = self.0.as_ref().filter(|_| !ops.is_empty()) else { return Ticket::default() };
        let bytes = ops.iter().map(Op::bytes).sum();
        let mut queue = inner.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((sender, last)) = queue.as_mut() else { return Ticket::default() };
        *last += 1;
        let ticket = *last;
        inner.behind.fetch_add(bytes, Relaxed);
        // When the writer is gone the process ends, and nobody gets an answer.
        sender.send(Group { ops, bytes, ticket }).ok();
        Ticket(ticket)
    }

    /// Whether what a ticket stands for is on disk.
    pub(crate) fn has(&self, ticket: Ticket) -> bool {
        ticket.0 == 0 || self.0.as_ref().is_none_or(|inner| *inner.reached.borrow() >= ticket.0)
    }

    /// Whether so much is not written yet that nothing should be added.
    pub(crate) fn is_behind(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.behind.load(Relaxed) > BEHIND_BYTES)
    }

    /// Says when more is on disk; `None` where nothing ever is.
    pub(crate) fn progress(&self) -> Option<watch::Receiver<u64>> {
        self.0.as_ref().map(|inner| inner.reached.clone())
    }

    /// Waits until the writer is gone, which is not to happen.
    pub(crate) async fn died(&self) {
        match &self.0 {
            Some(inner) => inner.died.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Writes the rest, if the disk takes it, and closes the file. It blocks.
    pub(crate) fn close(&self) {
        let Some(inner) = &self.0 else { return };
        inner.closing.store(true, Relaxed);
        inner.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writer = inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the thread that writes the broker's file has panicked");
        }
    }
}

impl Op {
    fn bytes(&self) -> usize {
        OP_BYTES
            + match self {
                Op::Put(key, value) => key.len() + value.len(),
                Op::Delete(key) | Op::DeleteAll(key) => key.len(),
            }
    }
}

#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("another process has it")]
    InUse,
    #[error(transparent)]
    Io(Box<dyn std::error::Error + Send + Sync>),
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl Unusable {
    fn panic() -> Self {
        Unusable::Damaged("it makes its reader panic".into())
    }
}

impl From<DatabaseError> for Unusable {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Unusable::InUse,
            DatabaseError::Storage(StorageError::Io(error)) if !is_damage(&error) => Unusable::Io(error.into()),
            error => Unusable::Damaged(error.to_string()),
        }
    }
}

/// Whether it is what stands in the file that is wrong, and not the disk or the rights.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

fn open(path: &Path) -> Result<Database, Unusable> {
    // What is damaged in a way that redb does not expect makes it panic.
    let opened = catch_unwind(|| Database::builder().set_cache_size(CACHE_BYTES).create(path));
    Ok(opened.map_err(|_| Unusable::panic())??)
}

fn read(path: &Path) -> Result<(Database, Contents), Unusable> {
    let mut database = open(path)?;
    let read = catch_unwind(AssertUnwindSafe(|| {
        database.check_integrity()?;
        contents(&database).map_err(|error| Unusable::Damaged(error.to_string()))
    }));
    let contents = read.map_err(|_| Unusable::panic())??;
    Ok((database, contents))
}

fn contents(database: &Database) -> Result<Contents, redb::Error> {
    let transaction = database.begin_read()?;
    let table = match transaction.open_table(RECORDS) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        table => table?,
    };
    let copy = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
    table
        .iter()?
        .map(|entry| entry.map(|(key, value)| (copy(key.value()), copy(value.value()))).map_err(redb::Error::from))
        .collect()
}

/// The file, and the thread's work on it.
struct Writer {
    path: PathBuf,
    /// After a failure none, until it could be opened again: redb takes nothing more before that.
    database: Option<Database>,
    health: Health,
    closing: Arc<AtomicBool>,
}

impl Writer {
    /// Runs until all handles are gone and everything is written.
    fn run(mut self, queue: &mpsc::Receiver<Group>, reached: &watch::Sender<u64>, behind: &AtomicUsize) {
        while let Ok(first) = queue.recv() {
            let (mut changes, mut bytes, mut ticket) = (Changes::default(), 0, 0);
            let mut next = Some(first);
            while let Some(group) = next {
                ticket = group.ticket;
                bytes += group.bytes;
                group.ops.into_iter().for_each(|op| changes.add(op));
                next = if bytes < GROUP_BYTES { queue.try_recv().ok() } else { None };
            }
            if !self.insist(&changes) {
                return;
            }
            behind.fetch_sub(bytes, Relaxed);
            count::stored();
            reached.send_replace(ticket);
        }
    }

    /// Tries until the changes are on disk; whether they are, which at the end they need not be.
    fn insist(&mut self, changes: &Changes) -> bool {
        let (mut pause, mut told) = (RETRY_FIRST, None::<Instant>);
        while let Err(error) = self.commit(changes) {
            count::store_failed();
            self.health.is_ill(error.clone());
            if told.is_none_or(|told| told.elapsed() >= REMIND) {
                tracing::error!(%error, "the broker's file cannot be written: what depends on it is not acknowledged");
                told = Some(Instant::now());
            }
            if self.closing.load(Relaxed) {
                tracing::error!(%error, "the broker ends with changes that its file did not take; none was promised to anybody");
                return false;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(RETRY_LAST);
        }
        if told.is_some() {
            self.health.is_well();
            tracing::info!("the broker's file is written again");
        }
        true
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), String> {
        let database = match self.database.take() {
            Some(database) => database,
            None => open(&self.path).map_err(|error| error.to_string())?,
        };
        let committed = catch_unwind(AssertUnwindSafe(|| changes.commit(&database)));
        committed.map_err(|_| "redb has panicked".to_owned())?.map_err(|error| error.to_string())?;
        self.database = Some(database);
        Ok(())
    }
}

/// What one transaction changes: of several changes of a key the last.
#[derive(Default)]
struct Changes {
    emptied: Vec<Bytes>,
    keys: BTreeMap<Bytes, Option<Bytes>>,
}

impl Changes {
    fn add(&mut self, op: Op) {
        match op {
            Op::Put(key, value) => {
                self.keys.insert(key, Some(value));
            }
            Op::Delete(key) => {
                self.keys.insert(key, None);
            }
            Op::DeleteAll(prefix) => {
                let range = (Bound::Included(prefix.clone()), Bound::Unbounded);
                let gone: Vec<_> = self
                    .keys
                    .range(range)
                    .map(|(key, _)| key.clone())
                    .take_while(|key| key.starts_with(&prefix))
                    .collect();
                for key in gone {
                    self.keys.remove(&key);
                }
                self.emptied.push(prefix);
            }
        }
    }

    fn commit(&self, database: &Database) -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for prefix in &self.emptied {
                let end = after(prefix);
                let range = (Bound::Included(&prefix[..]), end.as_deref().map_or(Bound::Unbounded, Bound::Excluded));
                table.retain_in::<&[u8], _>(range, |_, _| false)?;
            }
            for (key, value) in &self.keys {
                match value {
                    Some(value) => table.insert(&key[..], &value[..])?,
                    None => table.remove(&key[..])?,
                };
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

/// The first key that does not begin with a prefix and comes after those that do.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &'static [u8]) -> Op {
        Op::Put(Bytes::from_static(key), Bytes::from_static(b"value"))
    }

    fn keys(contents: Contents) -> Vec<Vec<u8>> {
        contents.into_iter().map(|(key, _)| key.into()).collect()
    }

    fn opened(folder: &Path) -> Result<(Store, Contents), StoreError> {
        Store::open(folder, Health::default())
    }

    fn reopened(folder: &Path, store: &Store) -> Vec<Vec<u8>> {
        store.close();
        let (store, contents) = opened(folder).unwrap();
        store.close();
        keys(contents)
    }

    #[tokio::test]
    async fn what_a_ticket_stands_for_is_there_after_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let (store, contents) = opened(folder.path()).unwrap();
        assert!(contents.is_empty());
        let ticket = store.write(vec![put(b"a1"), put(b"a2"), put(b"b1"), put(b"a3")]);
        let mut progress = store.progress().unwrap();
        while !store.has(ticket) {
            progress.changed().await.unwrap();
        }
        store.write(vec![Op::DeleteAll(Bytes::from_static(b"a")), put(b"a4"), Op::Delete(Bytes::from_static(b"no"))]);
        store.write(vec![put(b"a5"), Op::Delete(Bytes::from_static(b"a5"))]);
        assert_eq!(reopened(folder.path(), &store), [b"a4", b"b1"]);
    }

    #[test]
    fn all_of_a_prefix_goes_and_its_neighbours_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = opened(folder.path()).unwrap();
        store.write(vec![put(b"p\xff\x01"), put(b"p\xff\xff"), put(b"p\xfe"), put(b"q"), put(b"p")]);
        store.write(vec![Op::DeleteAll(Bytes::from_static(b"p\xff"))]);
        assert_eq!(reopened(folder.path(), &store), [&b"p"[..], b"p\xfe", b"q"]);
        assert_eq!((after(b"a\xff"), after(b"\xff\xff")), (Some(b"b".to_vec()), None));
    }

    #[test]
    fn a_file_belongs_to_one_broker() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = opened(folder.path()).unwrap();
        assert!(matches!(opened(folder.path()), Err(StoreError::InUse(_))));
        store.close();
        assert!(opened(folder.path()).is_ok());
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_a_new_one_begun() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let aside = || fs::read_dir(folder.path()).unwrap().count() - 1;
        fs::write(&path, b"this is no database at all").unwrap();
        let (store, contents) = opened(folder.path()).unwrap();
        assert_eq!((contents.len(), aside()), (0, 1));
        store.write(vec![put(b"a"), put(b"b")]);
        store.close();
        // Cut off, and with every page overwritten.
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 3]).unwrap();
        opened(folder.path()).unwrap().0.close();
        assert_eq!(aside(), 2);
        let mut spoilt = whole;
        for at in (4096..spoilt.len()).step_by(7) {
            spoilt[at] ^= 0x55;
        }
        fs::write(&path, &spoilt).unwrap();
        let (store, contents) = opened(folder.path()).unwrap();
        assert!(contents.is_empty());
        store.write(vec![put(b"c")]);
        assert_eq!(reopened(folder.path(), &store), [b"c"]);
    }
}
