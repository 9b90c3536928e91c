//! The files of contracts' documents, in a folder of their own.
//!
//! A file is written under another name, and gets its own when it is whole and on the disk.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

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

/// The folder.
#[derive(Debug, Clone)]
pub struct Documents(PathBuf);

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
    #[error("the document cannot be written")]
    Disk(#[from] io::Error),
}

impl Documents {
    /// The folder, made for its owner alone where it is missing.
    pub fn open(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Documents(path.to_owned()))
    }

    /// Begins a file.
    pub fn begin(&self) -> io::Result<Draft> {
        // Made with mode 0600.
        let file = tempfile::Builder::new().prefix("draft-").tempfile_in(&self.0)?;
        Ok(Draft { file, head: Vec::new(), size: 0, sum: Sha256::new() })
    }

    /// Reads a file.
    pub fn read(&self, key: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.path(key)?)
    }

    /// Removes a file; one that is not there is gone as well.
    pub fn remove(&self, key: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path(key)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Keys are identities, of which none leads out of the folder.
    fn path(&self, key: &str) -> io::Result<PathBuf> {
        let fits = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if fits { Ok(self.0.join(key)) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }
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

    /// Gives it its name, once it is on the disk.
    pub fn keep(self, folder: &Documents, key: &str) -> Result<Written, DocumentError> {
        let kind = Kind::of(&self.head).ok_or(DocumentError::Kind)?;
        self.file.as_file().sync_all()?;
        self.file.persist_noclobber(folder.path(key)?).map_err(|error| error.error)?;
        File::open(&folder.0)?.sync_all()?;
        let sha256 = self.sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Written { kind, size: self.size, sha256 })
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
        std::fs::read_dir(&folder.0).unwrap().count()
    }

    #[test]
    fn a_file_that_comes_in_pieces_is_whole_or_not_there() {
        let (_dir, folder) = folder();
        let mut draft = folder.begin().unwrap();
        for piece in ["%P", "DF-1.7", " and the rest"] {
            draft.write(&Bytes::from_static(piece.as_bytes())).unwrap();
        }
        let written = draft.keep(&folder, "first").unwrap();
        assert_eq!((written.kind, written.size), (Kind::Pdf, 21));
        assert_eq!(folder.read("first").unwrap(), b"%PDF-1.7 and the rest");
        let sum = Sha256::digest(b"%PDF-1.7 and the rest");
        assert_eq!(written.sha256, sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>());

        let mut cut = folder.begin().unwrap();
        cut.write(&Bytes::from_static(b"%PDF-1.7")).unwrap();
        drop(cut);
        assert_eq!(count(&folder), 1);
        folder.remove("first").unwrap();
        folder.remove("first").unwrap();
        assert_eq!(count(&folder), 0);
    }

    #[test]
    fn what_a_file_is_its_first_bytes_tell_and_not_its_name() {
        let (_dir, folder) = folder();
        let mut program = folder.begin().unwrap();
        assert!(matches!(program.write(&Bytes::from_static(b"\x7fELF and more")), Err(DocumentError::Kind)));
        let mut short = folder.begin().unwrap();
        short.write(&Bytes::from_static(b"GIF")).unwrap();
        assert!(matches!(short.keep(&folder, "short"), Err(DocumentError::Kind)));
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

    #[test]
    fn no_key_leads_out_of_the_folder() {
        let (_dir, folder) = folder();
        for key in ["", "../fleet", "a/b", ".", "a\0"] {
            assert!(folder.read(key).is_err(), "{key}");
        }
    }
}
