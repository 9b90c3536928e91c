//! Photos and films on the vehicle's disk, until the fleet's server has them.
//!
//! A file gets its name when it is whole and on the disk, and counts from when there is a note beside it, which is written
//! in the same way. What is neither is cleared away at the next start, but for films that were being recorded
//! ([`super::spool`]): they are finished.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bugbrother_wire::{CameraId, MediaId, UnixMs, message::MediaKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

/// Most files; a photo a minute makes 1,440 in a day.
const MOST_FILES: usize = 5_000;

/// A photo or film that is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Item {
    pub id: MediaId,
    pub camera: CameraId,
    pub kind: MediaKind,
    pub cause: Option<String>,
    /// Whether it goes first.
    pub urgent: bool,
    /// First and last moment that is seen; provisional where nobody knew what time it was.
    pub from: UnixMs,
    pub to: UnixMs,
    pub bytes: u64,
    pub sha256: String,
    pub codec: Option<String>,
    /// Whether the outbox has said that it is ready.
    pub told: bool,
}

/// What was known of a film when it was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    pub id: MediaId,
    pub camera: CameraId,
    pub cause: Option<String>,
    pub urgent: bool,
    /// When it was begun, by the vehicle's clock.
    pub at: UnixMs,
}

/// The folder. Cloning gives another handle to the same one.
#[derive(Clone)]
pub(super) struct Shelf(Arc<Shared>);

struct Shared {
    folder: PathBuf,
    max_bytes: u64,
    items: Mutex<BTreeMap<MediaId, Item>>,
    changed: watch::Sender<u64>,
}

impl Shelf {
    /// Opens the folder, which is made if it is not there, and tells the films that were being recorded when the agent ended.
    pub fn open(folder: &Path, max_bytes: u64) -> io::Result<(Self, Vec<MediaId>)> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let (mut items, mut spools, mut others) = (BTreeMap::new(), Vec::new(), Vec::new());
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let (stem, extension) = (path.file_stem(), path.extension().and_then(|extension| extension.to_str()));
            let id: Option<MediaId> = stem.and_then(|stem| stem.to_str()?.parse().ok());
            match (id, extension) {
                (Some(id), Some("json")) => match read_note(&path) {
                    Some(item) if item.id == id && folder.join(file_name(&item)).exists() => {
                        drop(items.insert(id, item))
                    }
                    _ => others.push(path),
                },
                (Some(id), Some("spool")) => spools.push(id),
                (Some(_), Some("mp4" | "jpg")) | (_, Some("tmp")) => others.push(path),
                // Whatever else somebody has put there.
                _ => {}
            }
        }
        let is_known = |path: &PathBuf| items.values().any(|item| path.ends_with(file_name(item)));
        for path in others.iter().filter(|path| !is_known(path)) {
            fs::remove_file(path)?;
        }
        let changed = watch::Sender::new(0);
        let shelf = Shelf(Arc::new(Shared { folder: folder.to_owned(), max_bytes, items: Mutex::new(items), changed }));
        spools.retain(|id| {
            let is_done = shelf.items().contains_key(id);
            if is_done {
                shelf.forget_spool(*id);
            }
            !is_done
        });
        Ok((shelf, spools))
    }

    /// Where a film is while it is being recorded.
    pub fn spool(&self, id: MediaId) -> PathBuf {
        self.0.folder.join(format!("{id}.spool"))
    }

    /// A film that was being recorded is done with.
    pub fn forget_spool(&self, id: MediaId) {
        if let Err(error) = fs::remove_file(self.spool(id))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!(%error, "what a film was made of stays until the next start");
        }
    }

    /// A file to write to, under a name that does not count.
    pub fn draft(&self, id: MediaId) -> io::Result<(File, PathBuf)> {
        let path = self.0.folder.join(format!("{id}.tmp"));
        Ok((new_file(&path)?, path))
    }

    /// Gives a file its name once it is on the disk, and has it count. `item` is filled in with its size and hash.
    pub fn put(&self, file: &File, draft: &Path, mut item: Item) -> io::Result<Item> {
        file.sync_all()?;
        (item.bytes, item.sha256) = measure(draft)?;
        fs::rename(draft, self.path(&item))?;
        self.sync_folder()?;
        self.note(&item)?;
        self.items().insert(item.id, item.clone());
        self.tell();
        Ok(item)
    }

    /// The outbox has said that it is ready.
    pub fn mark_told(&self, id: MediaId) -> io::Result<()> {
        let item = self.items().get(&id).cloned();
        let Some(mut item) = item else { return Ok(()) };
        item.told = true;
        self.note(&item)?;
        self.items().insert(id, item);
        Ok(())
    }

    /// Removes one, if it is there. The note goes first: without it the file does not count.
    pub fn remove(&self, id: MediaId) -> io::Result<Option<Item>> {
        let Some(item) = self.items().remove(&id) else { return Ok(None) };
        for path in [self.note_path(id), self.path(&item)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.sync_folder()?;
        self.tell();
        Ok(Some(item))
    }

    /// The oldest that have to go for `more` bytes to fit in.
    pub fn surplus(&self, more: u64) -> Vec<Item> {
        let items = self.items();
        let (mut bytes, mut count) = (items.values().map(|item| item.bytes).sum::<u64>() + more, items.len() + 1);
        // Identities are UUIDv7: in order of time.
        let mut surplus = Vec::new();
        for item in items.values() {
            if bytes <= self.0.max_bytes && count <= MOST_FILES {
                break;
            }
            bytes -= item.bytes;
            count -= 1;
            surplus.push(item.clone());
        }
        surplus
    }

    /// What waits, in the order in which it goes.
    pub fn waiting(&self) -> Vec<Item> {
        let mut items: Vec<_> = self.items().values().cloned().collect();
        items.sort_by_key(|item| (!item.urgent, item.id));
        items
    }

    /// Those of which the outbox has not said that they are ready.
    pub fn untold(&self) -> Vec<Item> {
        self.items().values().filter(|item| !item.told).cloned().collect()
    }

    /// Opens one to be read.
    pub fn read(&self, item: &Item) -> io::Result<File> {
        File::open(self.path(item))
    }

    /// Every change of what is there.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    fn tell(&self) {
        self.0.changed.send_modify(|count| *count += 1);
    }

    fn items(&self) -> MutexGuard<'_, BTreeMap<MediaId, Item>> {
        self.0.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, item: &Item) -> PathBuf {
        self.0.folder.join(file_name(item))
    }

    fn note_path(&self, id: MediaId) -> PathBuf {
        self.0.folder.join(format!("{id}.json"))
    }

    fn note(&self, item: &Item) -> io::Result<()> {
        let draft = self.0.folder.join(format!("{}-note.tmp", item.id));
        let mut file = new_file(&draft)?;
        file.write_all(&serde_json::to_vec(item).map_err(io::Error::other)?)?;
        file.sync_all()?;
        fs::rename(draft, self.note_path(item.id))?;
        self.sync_folder()
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.0.folder)?.sync_all()
    }
}

/// A file that nobody but its owner can read.
pub(super) fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn file_name(item: &Item) -> String {
    let extension = match item.kind {
        MediaKind::Photo => "jpg",
        MediaKind::Clip => "mp4",
    };
    format!("{}.{extension}", item.id)
}

fn read_note(path: &Path) -> Option<Item> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Size and SHA-256 of a file.
fn measure(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut sum, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            let digits = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            return Ok((bytes, digits));
        }
        sum.update(&buffer[..count]);
        bytes += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn item(n: u128, urgent: bool) -> Item {
        Item {
            id: MediaId(Uuid::from_u128(n)),
            camera: "dash-1".to_owned().try_into().unwrap(),
            kind: MediaKind::Photo,
            cause: None,
            urgent,
            from: 1_790_000_000_000,
            to: 1_790_000_000_000,
            bytes: 0,
            sha256: String::new(),
            codec: None,
            told: false,
        }
    }

    fn put(shelf: &Shelf, item: Item, content: &[u8]) -> Item {
        let (mut file, draft) = shelf.draft(item.id).unwrap();
        file.write_all(content).unwrap();
        shelf.put(&file, &draft, item).unwrap()
    }

    fn names(dir: &tempfile::TempDir) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_put_there_is_there_after_the_next_start_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (shelf, _) = Shelf::open(dir.path(), 1000).unwrap();
        let kept = put(&shelf, item(1, false), b"picture");
        assert_eq!(kept.bytes, 7);
        assert_eq!(kept.sha256, Sha256::digest(b"picture").iter().map(|b| format!("{b:02x}")).collect::<String>());
        put(&shelf, item(2, true), b"gone");
        shelf.remove(item(2, true).id).unwrap();
        // As a power cut leaves them: a draft, a file without its note, a note without its file, a spool.
        let uuid = |n: u128| Uuid::from_u128(n).to_string();
        for name in [format!("{}.tmp", uuid(3)), format!("{}.mp4", uuid(4)), format!("{}.spool", uuid(6))] {
            fs::write(dir.path().join(name), b"half").unwrap();
        }
        fs::write(dir.path().join(format!("{}.json", uuid(5))), serde_json::to_vec(&item(5, false)).unwrap()).unwrap();
        fs::write(dir.path().join(format!("{}.spool", uuid(1))), b"done").unwrap();
        fs::write(dir.path().join("notes.txt"), b"somebody's").unwrap();

        let (shelf, spools) = Shelf::open(dir.path(), 1000).unwrap();
        assert_eq!(shelf.waiting(), std::slice::from_ref(&kept));
        assert_eq!(shelf.untold(), [kept]);
        assert_eq!(spools, [MediaId(Uuid::from_u128(6))]);
        let left = [format!("{}.jpg", uuid(1)), format!("{}.json", uuid(1)), format!("{}.spool", uuid(6))];
        assert_eq!(names(&dir), [&left[..], &["notes.txt".to_owned()]].concat());
        shelf.mark_told(MediaId(Uuid::from_u128(1))).unwrap();
        assert_eq!(Shelf::open(dir.path(), 1000).unwrap().0.untold(), []);
    }

    #[test]
    fn the_oldest_go_when_there_is_no_room_and_the_urgent_are_sent_first() {
        let dir = tempfile::tempdir().unwrap();
        let (shelf, _) = Shelf::open(dir.path(), 30).unwrap();
        for n in 1..=3 {
            put(&shelf, item(n, n == 3), &[0; 10]);
        }
        assert_eq!(shelf.surplus(0), []);
        let surplus = |more| shelf.surplus(more).iter().map(|item| item.id.0.as_u128()).collect::<Vec<_>>();
        assert_eq!((surplus(1), surplus(11), surplus(1000)), (vec![1], vec![1, 2], vec![1, 2, 3]));
        assert_eq!(shelf.waiting().iter().map(|item| item.id.0.as_u128()).collect::<Vec<_>>(), [3, 1, 2]);
    }
}
