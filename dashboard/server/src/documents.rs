//! The files of contracts' documents: in a folder of their own, or where photos and clips are in a bucket beside these, so that
//! every dashboard finds them.
//!
//! A file is written under another name in the folder, and gets its own when it is whole and on the disk.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::library::{Library, LibraryError, on_disk};

/// Largest file.
pub const MAX_BYTES: u64 = 10 * 1024 * 1024;

/// What a file may be, told by how it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A PDF.
    Pdf,
    /// A PNG.
    Png,
    /// A JPEG.
    Jpeg,
}

/// Bytes that tell the kind.
pub const HEAD: usize = 8;

impl Kind {
    /// By its first bytes.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            _ if head.starts_with(b"%PDF-") => Some(Kind::Pdf),
            _ if head.starts_with(b"\x89PNG\r\n\x1a\n") => Some(Kind::Png),
            _ if head.starts_with(b"\xff\xd8\xff") => Some(Kind::Jpeg),
            _ => None,
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Kind::Pdf => "application/pdf",
            Kind::Png => "image/png",
            Kind::Jpeg => "image/jpeg",
        }
    }
}

/// What the names of all of them in a bucket begin with.
const IN_BUCKET: &str = "documents";
/// And of those that are not whole yet, in the folder.
const DRAFT: &str = "draft-";

/// The files.
#[derive(Debug, Clone)]
pub struct Documents {
    folder: PathBuf,
    bucket: Option<Library>,
}

/// A file that is being written. Dropped, it is gone.
#[derive(Debug)]
pub struct Draft {
    file: NamedTempFile,
    head: Vec<u8>,
    size: u64,
    sum: Sha256,
}

/// A file that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What it is.
    pub kind: Kind,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is none of [`Kind`].
    #[error("only PDF, PNG and JPEG are taken")]
    Kind,
    /// It has more than [`MAX_BYTES`].
    #[error("a document has up to 10 MiB")]
    Size,
    /// The disk refuses.
    #[error("the document cannot be written or read")]
    Disk(#[from] io::Error),
    /// The bucket does not do what it should.
    #[error("the document cannot be put into the bucket or had from there")]
    Bucket(#[from] LibraryError),
}

impl Documents {
    /// The folder, made for its owner alone where it is missing.
    pub fn open(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Documents { folder: path.to_owned(), bucket: None })
    }

    /// The files that come from now on are kept in this bucket. Those that are in the folder are still found.
    pub fn in_bucket(self, bucket: Library) -> Self {
        Documents { bucket: Some(bucket), ..self }
    }

    /// Moves what is in the folder into the bucket, where there is one, so that others find it; how many files that were.
    pub async fn move_in(&self) -> Result<u64, DocumentError> {
        let Some(bucket) = &self.bucket else { return Ok(0) };
        let folder = self.folder.clone();
        let names = on_disk(move || {
            std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()
        });
        let mut moved = 0;
        for name in names.await? {
            let Some(key) = name.to_str().filter(|name| !name.starts_with(DRAFT)) else { continue };
            // What somebody else has put there is no document.
            let Ok(path) = self.path(key) else { continue };
            let from = path.clone();
            bucket.put(&name_in_bucket(key), on_disk(move || std::fs::read(from)).await?).await?;
            on_disk(move || std::fs::remove_file(path)).await?;
            moved += 1;
        }
        Ok(moved)
    }

    /// Begins a file.
    pub fn begin(&self) -> io::Result<Draft> {
        // Made with mode 0600.
        let file = tempfile::Builder::new().prefix(DRAFT).tempfile_in(&self.folder)?;
        Ok(Draft { file, head: Vec::new(), size: 0, sum: Sha256::new() })
    }

    /// Keeps a file under its name, once it is safe there.
    pub async fn keep(&self, draft: Draft, key: &str) -> Result<Written, DocumentError> {
        let path = self.path(key)?;
        let kind = Kind::of(&draft.head).ok_or(DocumentError::Kind)?;
        let (file, size) = (draft.file, draft.size);
        match &self.bucket {
            Some(bucket) => {
                let bytes = on_disk(move || std::fs::read(file.path())).await?;
                bucket.put(&name_in_bucket(key), bytes).await?;
            }
            None => {
                let folder = self.folder.clone();
                on_disk(move || {
                    file.as_file().sync_all()?;
                    file.persist_noclobber(path).map_err(|error| error.error)?;
                    File::open(folder)?.sync_all()
                })
                .await?;
            }
        }
        let sha256 = draft.sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Written { kind, size, sha256 })
    }

    /// Reads a file of that size; `None` where there is none.
    pub async fn read(&self, key: &str, size: u64) -> Result<Option<Bytes>, DocumentError> {
        let path = self.path(key)?;
        match on_disk(move || std::fs::read(path)).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            bytes => return Ok(Some(bytes?.into())),
        }
        match &self.bucket {
            Some(bucket) => Ok(bucket.whole(&name_in_bucket(key), size).await?),
            None => Ok(None),
        }
    }

    /// Removes a file; one that is not there is gone as well.
    pub async fn remove(&self, key: &str) -> Result<(), DocumentError> {
        let path = self.path(key)?;
        match on_disk(move || std::fs::remove_file(path)).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done?,
        }
        if let Some(bucket) = &self.bucket {
            bucket.remove(&name_in_bucket(key)).await?;
        }
        Ok(())
    }

    /// Keys are identities, of which none leads out of the folder.
    fn path(&self, key: &str) -> io::Result<PathBuf> {
        let fits = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if fits { Ok(self.folder.join(key)) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }
}

fn name_in_bucket(key: &str) -> String {
    format!("{IN_BUCKET}/{key}")
}

impl Draft {
    /// Adds to it.
    pub fn write(&mut self, piece: &Bytes) -> Result<(), DocumentError> {
        self.size += piece.len() as u64;
        if self.size > MAX_BYTES {
            return Err(DocumentError::Size);
        }
        if self.head.len() < HEAD {
            self.head.extend(piece.iter().take(HEAD - self.head.len()));
            if self.head.len() >= HEAD && Kind::of(&self.head).is_none() {
                return Err(DocumentError::Kind);
            }
        }
        self.sum.update(piece);
        Ok(self.file.as_file().write_all(piece)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Documents) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Documents::open(&dir.path().join("documents")).unwrap();
        (dir, folder)
    }

    fn count(folder: &Documents) -> usize {
        std::fs::read_dir(&folder.folder).unwrap().count()
    }

    #[tokio::test]
    async fn a_file_that_comes_in_pieces_is_whole_or_not_there() {
        let (_dir, folder) = folder();
        let mut draft = folder.begin().unwrap();
        for piece in ["%P", "DF-1.7", " and the rest"] {
            draft.write(&Bytes::from_static(piece.as_bytes())).unwrap();
        }
        let written = folder.keep(draft, "first").await.unwrap();
        assert_eq!((written.kind, written.size), (Kind::Pdf, 21));
        assert_eq!(folder.read("first", 21).await.unwrap().unwrap(), "%PDF-1.7 and the rest");
        assert_eq!(folder.read("second", 21).await.unwrap(), None);
        let sum = Sha256::digest(b"%PDF-1.7 and the rest");
        assert_eq!(written.sha256, sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>());

        let mut cut = folder.begin().unwrap();
        cut.write(&Bytes::from_static(b"%PDF-1.7")).unwrap();
        drop(cut);
        assert_eq!(count(&folder), 1);
        folder.remove("first").await.unwrap();
        folder.remove("first").await.unwrap();
        assert_eq!(count(&folder), 0);
    }

    #[tokio::test]
    async fn what_is_in_a_bucket_every_dashboard_finds_and_what_was_in_the_folder_before_is_still_found() {
        let ((_dir, here), (_other_dir, other)) = (folder(), folder());
        let store = tempfile::tempdir().unwrap();
        let bucket = Library::open(store.path()).unwrap();
        let pdf = |folder: &Documents| {
            let mut draft = folder.begin().unwrap();
            draft.write(&Bytes::from_static(b"%PDF-1.7")).unwrap();
            draft
        };
        here.keep(pdf(&here), "before").await.unwrap();
        let (here, other) = (here.in_bucket(bucket.clone()), other.in_bucket(bucket.clone()));
        here.keep(pdf(&here), "signed").await.unwrap();
        assert_eq!(other.read("signed", 8).await.unwrap().unwrap(), "%PDF-1.7");
        assert_eq!(bucket.list(None, 10).await.unwrap(), ["documents/signed"]);
        assert_eq!((count(&here), count(&other)), (1, 0));
        assert!(here.read("before", 8).await.unwrap().is_some());
        assert!(other.read("before", 8).await.unwrap().is_none());
        let unfinished = pdf(&here);
        std::fs::write(here.folder.join(".hidden"), "x").unwrap();
        assert_eq!((here.move_in().await.unwrap(), here.move_in().await.unwrap()), (1, 0));
        assert!(other.read("before", 8).await.unwrap().is_some());
        assert_eq!(count(&here), 2, "what is not whole or no document is not moved");
        drop(unfinished);
        for key in ["before", "signed"] {
            here.remove(key).await.unwrap();
            assert!(here.read(key, 8).await.unwrap().is_none());
        }
        assert!(bucket.list(None, 10).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_a_file_is_its_first_bytes_tell_and_not_its_name() {
        let (_dir, folder) = folder();
        let mut program = folder.begin().unwrap();
        assert!(matches!(program.write(&Bytes::from_static(b"\x7fELF and more")), Err(DocumentError::Kind)));
        let mut short = folder.begin().unwrap();
        short.write(&Bytes::from_static(b"GIF")).unwrap();
        assert!(matches!(folder.keep(short, "short").await, Err(DocumentError::Kind)));
        assert_eq!(Kind::of(b"\x89PNG\r\n\x1a\n"), Some(Kind::Png));
        assert_eq!(Kind::of(b"\xff\xd8\xff\xe0"), Some(Kind::Jpeg));
        assert_eq!(Kind::of(b""), None);
        drop(program);
        assert_eq!(count(&folder), 0);
    }

    #[test]
    fn a_file_of_more_than_ten_mebibytes_is_refused_where_it_becomes_so() {
        let (_dir, folder) = folder();
        let mut draft = folder.begin().unwrap();
        draft.write(&Bytes::from_static(b"%PDF-1.7")).unwrap();
        let rest = Bytes::from(vec![0; (MAX_BYTES - 8) as usize]);
        draft.write(&rest).unwrap();
        assert!(matches!(draft.write(&Bytes::from_static(b"x")), Err(DocumentError::Size)));
    }

    #[tokio::test]
    async fn no_key_leads_out_of_the_folder() {
        let (_dir, folder) = folder();
        for key in ["", "../fleet", "a/b", ".", "a\0"] {
            assert!(folder.read(key, 1).await.is_err(), "{key}");
        }
    }
}
