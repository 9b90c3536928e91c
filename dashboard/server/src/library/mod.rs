//! Files of photos and clips: in an object store once they are whole, in a folder while they come in. A bucket has the files of
//! contracts' [documents](crate::documents) as well.
//!
//! What comes in grows piece by piece, each of which is on the disk before the vehicle is told so. When all of it is there and
//! its hash is right it is put into the store under its name in one step.

mod bucket;

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bugbrother_store::MediaFile;
use bugbrother_wire::{MediaId, Vin, message::MediaKind};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload,
    local::LocalFileSystem,
    path::Path as Key,
    signer::{SignedUrlOptions, Signer},
};
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use self::bucket::Opened;
pub use self::bucket::{Bucket, BucketError};

/// A link is good for so long: until a browser has followed it.
const LINK_FOR: Duration = Duration::from_secs(120);
/// A file goes into the store in parts of this size; S3 takes no smaller ones.
const PART_BYTES: usize = 5 << 20;

/// Why a file is not taken or not there.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The folder cannot be used.
    #[error("the folder for photos and clips cannot be used")]
    Disk(#[from] io::Error),
    /// The store does not do what it should.
    #[error("the store of photos and clips does not answer")]
    Store(#[from] object_store::Error),
}

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// So many bytes are there now.
    At(u64),
    /// It does not belong at the end, where this many are.
    Elsewhere(u64),
    /// Another piece of the same file is being written.
    Busy,
}

/// What became of a file that is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finished {
    /// It is in the store.
    Stored,
    /// Its hash is another; nothing of it is kept.
    WrongHash,
    /// It is no JPEG or MP4; nothing of it is kept.
    WrongKind,
}

/// The files.
#[derive(Debug, Clone)]
pub struct Library {
    store: Arc<dyn ObjectStore>,
    /// What the names of all objects begin with.
    prefix: String,
    /// Who signs links with which browsers go to the store by themselves.
    signer: Option<Arc<dyn Signer>>,
    incoming: PathBuf,
}

impl Library {
    /// In a folder, made for its owner alone where it is missing.
    pub fn open(folder: &Path) -> Result<Self, LibraryError> {
        let objects = folder.join("objects");
        make(&objects)?;
        let store = LocalFileSystem::new_with_prefix(objects)?.with_fsync(true);
        Self::with_store(Arc::new(store), folder)
    }

    /// In a bucket; what comes in waits in `folder`.
    pub fn in_bucket(bucket: &Bucket, folder: &Path) -> Result<Self, LibraryError> {
        let Opened { store, signer } = bucket.open()?;
        let library = Self::with_store(store, folder)?;
        Ok(Library { prefix: bucket.prefix.clone(), signer, ..library })
    }

    fn with_store(store: Arc<dyn ObjectStore>, folder: &Path) -> Result<Self, LibraryError> {
        let incoming = folder.join("incoming");
        make(&incoming)?;
        Ok(Library { store, prefix: String::new(), signer: None, incoming })
    }

    /// Whether the store answers, and lets us in.
    pub async fn check(&self) -> Result<(), LibraryError> {
        self.list(None, 1).await.map(drop)
    }

    /// Where a file is in the store once it is whole.
    pub(crate) fn key(vin: Vin, id: MediaId, kind: MediaKind) -> String {
        let extension = match kind {
            MediaKind::Photo => "jpg",
            MediaKind::Clip => "mp4",
        };
        format!("{vin}/{id}.{extension}")
    }

    /// Where the small picture of a file is in the store: beside it.
    pub(crate) fn thumb_key(object_key: &str) -> String {
        let stem = object_key.rsplit_once('.').map_or(object_key, |(stem, _)| stem);
        format!("{stem}.thumb.jpg")
    }

    /// How many bytes of a file have come in.
    pub(crate) async fn offset(&self, vin: Vin, id: MediaId) -> Result<u64, LibraryError> {
        let path = self.coming(vin, id);
        Ok(on_disk(move || match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            file => Ok(file?.len()),
        })
        .await?)
    }

    /// Adds a piece at the end, where it belongs there.
    pub(crate) async fn append(
        &self,
        vin: Vin,
        id: MediaId,
        offset: u64,
        piece: Vec<Bytes>,
    ) -> Result<Appended, LibraryError> {
        let path = self.coming(vin, id);
        Ok(on_disk(move || {
            let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Ok(Appended::Busy),
                locked => locked?,
            }
            let length = file.metadata()?.len();
            if length != offset {
                return Ok(Appended::Elsewhere(length));
            }
            let mut added = 0;
            for bytes in &piece {
                file.write_all(bytes)?;
                added += bytes.len() as u64;
            }
            file.sync_data()?;
            Ok(Appended::At(length + added))
        })
        .await?)
    }

    /// Checks a file that has come in and puts it into the store.
    pub(crate) async fn finish(&self, file: &MediaFile) -> Result<Finished, LibraryError> {
        let (path, kind) = (self.coming(file.vin, file.id), file.kind);
        let checked = path.clone();
        let (head, sha256) = on_disk(move || measure(&checked)).await?;
        if sha256 != file.sha256 || !is_of_kind(&head, kind) {
            self.forget(file.vin, file.id).await?;
            return Ok(if sha256 == file.sha256 { Finished::WrongKind } else { Finished::WrongHash });
        }
        let mut upload = self.store.put_multipart(&self.named(&file.object_key)).await?;
        if let Err(error) = send(&mut upload, path).await {
            // What is left of it the store clears away by itself, if it cannot be told now.
            drop(upload.abort().await);
            return Err(error);
        }
        upload.complete().await?;
        Ok(Finished::Stored)
    }

    /// What has come in of a file is not needed any more.
    pub(crate) async fn forget(&self, vin: Vin, id: MediaId) -> Result<(), LibraryError> {
        let path = self.coming(vin, id);
        Ok(on_disk(move || match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await?)
    }

    /// A part of a file that is whole; `None` where the store has lost it.
    pub(crate) async fn read(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<Option<impl Stream<Item = object_store::Result<Bytes>> + Send + use<>>, LibraryError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..Default::default() };
        match self.store.get_opts(&self.named(key), options).await {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            found => Ok(Some(found?.into_stream())),
        }
    }

    /// All of a small file; `None` where the store has lost it, or has another one.
    pub(crate) async fn whole(&self, key: &str, bytes: u64) -> Result<Option<Bytes>, LibraryError> {
        let object = match self.store.get(&self.named(key)).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found?,
        };
        if object.meta.size != bytes {
            return Ok(None);
        }
        Ok(Some(object.bytes().await?))
    }

    /// Puts a small file into the store.
    pub(crate) async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), LibraryError> {
        self.store.put(&self.named(key), PutPayload::from(content)).await?;
        Ok(())
    }

    /// Names of files in the store after `after`, at most `limit`.
    pub(crate) async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, LibraryError> {
        let after = after.map(|after| self.named(after));
        let folder = (!self.prefix.is_empty()).then(|| Key::from(&*self.prefix));
        let found = match &after {
            Some(after) => self.store.list_with_offset(folder.as_ref(), after),
            None => self.store.list(folder.as_ref()),
        };
        let own = |name: &str| match folder {
            Some(_) => name.strip_prefix(&*self.prefix).unwrap_or(name).trim_start_matches('/').to_owned(),
            None => name.to_owned(),
        };
        let names = found.map(|object| object.map(|object| own(object.location.as_ref())));
        let names: Vec<_> = names.take(limit).collect().await;
        Ok(names.into_iter().collect::<Result<_, _>>()?)
    }

    /// Removes a file from the store; one that is not there is gone as well.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), LibraryError> {
        match self.store.delete(&self.named(key)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            done => Ok(done?),
        }
    }

    /// A link with which a browser gets a file from the store by itself and saves it under that name, within two minutes; `None`
    /// where browsers do not reach the store.
    pub(crate) async fn link(&self, key: &str, disposition: &str) -> Result<Option<String>, LibraryError> {
        let Some(signer) = &self.signer else { return Ok(None) };
        let options = SignedUrlOptions::new().with_query([("response-content-disposition", disposition)]);
        let signed = signer.signed_url_opts(axum::http::Method::GET, &self.named(key), LINK_FOR, &options).await?;
        Ok(Some(signed.to_string()))
    }

    /// Its whole name in the store.
    fn named(&self, key: &str) -> Key {
        if self.prefix.is_empty() { Key::from(key) } else { Key::from(format!("{}/{key}", self.prefix)) }
    }

    /// Identities lead out of no folder.
    fn coming(&self, vin: Vin, id: MediaId) -> PathBuf {
        self.incoming.join(format!("{vin}_{id}"))
    }
}

fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

async fn send(upload: &mut Box<dyn MultipartUpload>, path: PathBuf) -> Result<(), LibraryError> {
    let mut file = on_disk(move || File::open(path)).await?;
    loop {
        let (back, part) = on_disk(move || {
            let mut part = Vec::with_capacity(PART_BYTES);
            (&mut file).take(PART_BYTES as u64).read_to_end(&mut part)?;
            Ok((file, part))
        })
        .await?;
        if part.is_empty() {
            return Ok(());
        }
        file = back;
        upload.put_part(PutPayload::from(part)).await?;
    }
}

/// The first bytes of a file, and its hash.
fn measure(path: &Path) -> io::Result<(Vec<u8>, String)> {
    let mut file = File::open(path)?;
    let mut head = Vec::new();
    (&mut file).take(12).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    let (mut sum, mut buffer) = (Sha256::new(), vec![0; 64 << 10]);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((head, sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()));
        }
        sum.update(&buffer[..count]);
    }
}

/// Told by how it begins, and not by what anybody says of it.
fn is_of_kind(head: &[u8], kind: MediaKind) -> bool {
    match kind {
        MediaKind::Photo => head.starts_with(b"\xff\xd8\xff"),
        MediaKind::Clip => head.get(4..8) == Some(b"ftyp"),
    }
}

pub(crate) async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests;
