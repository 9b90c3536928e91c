//! Which serial ports there are, and which of the agent's parts has which.
//!
//! A receiver, an adapter and a microcontroller that are looked for share the same few ports. Who looks at one has it for
//! itself, until the [`Claim`] is dropped.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Names of device files that may be a receiver's, an adapter's or a microcontroller's: by USB, by Bluetooth, and on the
/// pins of a Raspberry Pi.
const PREFIXES: [&str; 5] = ["ttyUSB", "ttyACM", "rfcomm", "ttyAMA", "serial"];
/// Longer lists are cut: nothing has so many, and each port that is tried takes seconds.
const MOST: usize = 32;

/// The serial ports of this computer. Cloning gives another handle to the same ones.
#[derive(Debug, Clone)]
pub struct Ports {
    folder: PathBuf,
    claimed: Arc<Mutex<BTreeSet<PathBuf>>>,
}

/// A port that nobody else of this agent uses meanwhile.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    real: PathBuf,
    ports: Ports,
}

impl Ports {
    /// The ports in `folder`, which is `/dev` outside tests.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Ports { folder: folder.into(), claimed: Arc::default() }
    }

    /// What is there and not claimed, in a fixed order, each device once.
    pub fn free(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let named = |path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            PREFIXES.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(is_digit)))
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(named).collect();
        paths.sort();
        let claimed = self.lock();
        // `serial0` of a Raspberry Pi is another name of one of the others.
        let mut seen = BTreeSet::new();
        paths.retain(|path| real(path).is_some_and(|real| !claimed.contains(&real) && seen.insert(real)));
        paths.truncate(MOST);
        paths
    }

    /// Takes a port; `None` while another part has it, or when it is not there.
    pub fn claim(&self, path: &Path) -> Option<Claim> {
        let real = real(path)?;
        let claimed = self.lock().insert(real.clone());
        claimed.then(|| Claim { path: path.to_owned(), real, ports: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// The port, by the name that it was claimed by.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.ports.lock().remove(&self.real);
    }
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}

fn real(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_port_is_free_once_whatever_its_names_and_only_until_it_is_claimed() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["ttyUSB1", "ttyUSB0", "ttyAMA0", "tty7", "null", "serial"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        std::os::unix::fs::symlink(dir.path().join("ttyAMA0"), dir.path().join("serial0")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("gone"), dir.path().join("ttyACM0")).unwrap();
        let ports = Ports::new(dir.path());
        let names = |paths: Vec<PathBuf>| -> Vec<String> {
            paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(ports.free()), ["serial0", "ttyUSB0", "ttyUSB1"]);
        let claim = ports.claim(&dir.path().join("ttyAMA0")).unwrap();
        assert!(ports.claim(&dir.path().join("serial0")).is_none());
        assert_eq!(names(ports.clone().free()), ["ttyUSB0", "ttyUSB1"]);
        drop(claim);
        assert_eq!(ports.free().len(), 3);
        assert!(ports.claim(&dir.path().join("ttyUSB9")).is_none());
        assert!(Ports::new("/nowhere").free().is_empty());
    }
}
