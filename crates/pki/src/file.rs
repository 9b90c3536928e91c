//! Files that are whole or not there.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use crate::PkiError;

/// Mode of what its owner alone may read.
pub(crate) const SECRET: u32 = 0o600;
/// Mode of what everybody may read.
pub(crate) const PUBLIC: u32 = 0o644;

const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Makes the folder, for its owner alone, unless it is there.
pub(crate) fn make_folder(folder: &Path) -> Result<(), PkiError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))
}

/// Waits until no other process has the lock; it is given back when the file is closed.
pub(crate) fn lock(folder: &Path) -> Result<File, PkiError> {
    let path = folder.join("lock");
    let lock = || -> io::Result<File> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(SECRET).open(&path)?;
        file.lock()?;
        Ok(file)
    };
    lock().map_err(failed(&path))
}

/// The text of a file, `None` when there is none.
pub(crate) fn read(path: &Path) -> Result<Option<String>, PkiError> {
    let Some(file) = open(path)? else { return Ok(None) };
    text(file).map(Some).map_err(failed(path))
}

/// The text of a file that is its owner's alone, `None` when there is none.
pub(crate) fn read_secret(path: &Path) -> Result<Option<String>, PkiError> {
    let Some(file) = open(path)? else { return Ok(None) };
    let mode = file.metadata().map_err(failed(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(PkiError::Exposed { path: path.to_owned() });
    }
    text(file).map(Some).map_err(failed(path))
}

/// Puts a file in the place of what was there, in one step that survives a power cut.
pub(crate) fn replace(path: &Path, text: &str, mode: u32) -> Result<(), PkiError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let replace = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    };
    replace().map_err(failed(path))
}

fn open(path: &Path) -> Result<Option<File>, PkiError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path)(error)),
    }
}

fn text(file: File) -> io::Result<String> {
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn failed(path: &Path) -> impl Fn(io::Error) -> PkiError {
    move |source| PkiError::File { path: path.to_owned(), source }
}
