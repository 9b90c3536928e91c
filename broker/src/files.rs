//! What is made of files, and made anew when they change.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bugbrother_mosquitto_compat::conf;
use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval},
};

use crate::{Error, access::Access, tls::Tls};

/// How often is looked for changes. One is acted upon at the second look: a certificate that is revoked is to be worth
/// nothing within a second.
const INTERVAL: Duration = Duration::from_millis(200);

/// Something that is made of files.
pub(crate) trait OfFiles: Sized {
    type Settings: PartialEq + Clone;

    fn paths(settings: &Self::Settings) -> Vec<PathBuf>;

    fn load(settings: &Self::Settings) -> Result<Self, Error>;

    /// What becomes of it when files have changed, `None` for no change, and which of them cannot be used. Parts that
    /// need nothing from each other do not wait for each other's files.
    fn reload(&self, settings: &Self::Settings) -> (Option<Self>, Vec<Error>) {
        match Self::load(settings) {
            Ok(new) => (Some(new), Vec::new()),
            Err(error) => (None, vec![error]),
        }
    }
}

/// All that the doors are made of; doors with equal settings share what is theirs.
#[derive(Default)]
pub(crate) struct Files {
    access: Vec<Source<Access>>,
    tls: Vec<Source<Tls>>,
}

struct Source<T: OfFiles> {
    settings: T::Settings,
    /// The files as they were when they were read last.
    stamps: Vec<Option<Stamp>>,
    /// The files as they were at the last look.
    seen: Vec<Option<Stamp>>,
    current: watch::Sender<Arc<T>>,
}

/// Tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    bytes: u64,
    inode: u64,
}

impl Files {
    pub(crate) fn access(&mut self, settings: &conf::Access) -> Result<watch::Receiver<Arc<Access>>, Error> {
        subscribe(&mut self.access, settings)
    }

    pub(crate) fn tls(&mut self, settings: &conf::Tls) -> Result<watch::Receiver<Arc<Tls>>, Error> {
        subscribe(&mut self.tls, settings)
    }

    /// Reads files again whenever one of those that belong together has changed, and all when asked to. Files that
    /// cannot be used change nothing.
    pub(crate) async fn watch(mut self, reload: &Notify) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = ticks.tick() => false,
                () = reload.notified() => true,
            };
            let refreshed = tokio::task::spawn_blocking(move || {
                self.access.iter_mut().for_each(|source| source.refresh(asked));
                self.tls.iter_mut().for_each(|source| source.refresh(asked));
                self
            });
            let Ok(files) = refreshed.await else { return };
            self = files;
        }
    }
}

fn subscribe<T: OfFiles>(
    sources: &mut Vec<Source<T>>,
    settings: &T::Settings,
) -> Result<watch::Receiver<Arc<T>>, Error> {
    if let Some(known) = sources.iter().find(|source| source.settings == *settings) {
        return Ok(known.current.subscribe());
    }
    // Taken before reading: a change in between is seen at the next look.
    let stamps = look(&T::paths(settings));
    let (current, receiver) = watch::channel(Arc::new(T::load(settings)?));
    sources.push(Source { settings: settings.clone(), seen: stamps.clone(), stamps, current });
    Ok(receiver)
}

impl<T: OfFiles> Source<T> {
    fn refresh(&mut self, asked: bool) {
        let paths = T::paths(&self.settings);
        let stamps = look(&paths);
        // Somebody who writes a file in place empties it first: one that still changes says nothing yet.
        let rests = stamps == self.seen;
        self.seen.clone_from(&stamps);
        if !asked && (stamps == self.stamps || !rests) {
            return;
        }
        let last = Arc::clone(&self.current.borrow());
        let (new, errors) = last.reload(&self.settings);
        if !asked && look(&paths) != stamps {
            return;
        }
        self.stamps = stamps;
        for error in errors {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, cause, "changed files cannot be used: what the last good ones said stays in force");
        }
        if let Some(new) = new {
            tracing::info!(?paths, "files were read again");
            self.current.send_replace(Arc::new(new));
        }
    }
}

fn look(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    paths.iter().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp { modified: (metadata.mtime(), metadata.mtime_nsec()), bytes: metadata.len(), inode: metadata.ino() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in a file.
    struct Text(String);

    impl OfFiles for Text {
        type Settings = PathBuf;

        fn paths(path: &PathBuf) -> Vec<PathBuf> {
            vec![path.clone()]
        }

        fn load(path: &PathBuf) -> Result<Self, Error> {
            Ok(Text(fs::read_to_string(path).unwrap()))
        }
    }

    #[test]
    fn a_file_that_is_being_written_is_read_when_it_rests() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "first").unwrap();
        let mut sources = Vec::new();
        let current = subscribe::<Text>(&mut sources, &path).unwrap();
        let mut refresh = |asked| {
            sources[0].refresh(asked);
            current.borrow().0.clone()
        };
        fs::write(&path, "").unwrap();
        assert_eq!(refresh(false), "first");
        fs::write(&path, "the second").unwrap();
        assert_eq!(refresh(false), "first");
        assert_eq!(refresh(false), "the second");
        fs::write(&path, "and the third").unwrap();
        assert_eq!(refresh(true), "and the third", "who asks is sure");
    }
}
