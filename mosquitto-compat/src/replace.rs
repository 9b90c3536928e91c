//! Files that are written complete or not at all.

use std::{
    fs::{self, Permissions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown},
    path::Path,
};

/// Puts `bytes` in the place of the file at `path`. Its owner and group stay, and of its mode what `mask` has; a new
/// file is for its owner only. A link is followed, not replaced.
pub(crate) fn replace(path: &Path, bytes: &[u8], mask: u32) -> io::Result<()> {
    let (path, old) = match path.canonicalize() {
        Ok(path) => (path.clone(), Some(fs::metadata(&path)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (path.to_owned(), None),
        Err(error) => return Err(error),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file of this crate has mode 0600 and is renamed into place.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    if let Some(old) = old {
        let new = file.as_file().metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            fchown(file.as_file(), Some(old.uid()), Some(old.gid()))?;
        }
        file.as_file().set_permissions(Permissions::from_mode(old.mode() & mask & 0o777))?;
    }
    file.as_file().sync_all()?;
    file.persist(&path)?;
    fs::File::open(folder)?.sync_all()
}
