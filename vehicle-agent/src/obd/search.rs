//! Where the adapter is: by its settings, or by asking each serial port that is free.
//!
//! A port on which anybody speaks unasked is a receiver's or a microcontroller's and is left alone: it is listened to
//! before a single byte goes out. An adapter says nothing unless it is asked.

use std::{path::PathBuf, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{Adapter, answer::Fault, line::Line, port::Port};
use crate::{
    link::Link,
    ports::{Claim, Ports},
};

/// A receiver speaks every second.
const LISTEN: Duration = Duration::from_millis(1200);
/// Speeds of adapters, the most frequent first.
const BAUDS: [u32; 6] = [38_400, 115_200, 9600, 500_000, 230_400, 57_600];
const ANSWER: Duration = Duration::from_millis(600);
/// By Bluetooth it takes a while, and the speed does not matter.
const BLUETOOTH_ANSWER: Duration = Duration::from_secs(3);
const BLUETOOTH_ATTEMPTS: usize = 4;

/// An adapter that answers, or at least a way to one.
pub(super) struct Found {
    pub line: Line,
    /// Where it is.
    pub link: Link,
    /// Others must not touch its port as long as this is held.
    pub claim: Option<Claim>,
}

/// Looks for adapters, and remembers where one was.
#[derive(Default)]
pub(super) struct Search {
    last: Option<(PathBuf, u32)>,
}

impl Search {
    /// Opens the adapter.
    pub fn find(&mut self, adapter: &Adapter, ports: &Ports, stop: &CancellationToken) -> Result<Found, Fault> {
        match adapter {
            Adapter::At(link) => {
                let claim = match link {
                    Link::Serial { path, .. } => claim(ports, path)?,
                    Link::Tcp(_) => None,
                };
                let line = Line::new(Port::open(link, stop)?);
                Ok(Found { line, link: link.clone(), claim })
            }
            Adapter::Serial(path) => {
                let claim = claim(ports, path)?;
                let found = self.ask(path.clone(), false, stop)?;
                let (line, link) = found.ok_or_else(|| Fault::Gone("it answers at no speed".to_owned()))?;
                Ok(Found { line, link, claim })
            }
            Adapter::Auto => self.look_around(ports, stop),
        }
    }

    fn look_around(&mut self, ports: &Ports, stop: &CancellationToken) -> Result<Found, Fault> {
        let mut paths = ports.free();
        if let Some((last, _)) = &self.last {
            paths.sort_by_key(|path| path != last);
        }
        for path in paths {
            let Some(claim) = ports.claim(&path) else { continue };
            match self.ask(path.clone(), true, stop) {
                Ok(Some((line, link))) => return Ok(Found { line, link, claim: Some(claim) }),
                Ok(None) => debug!(port = %path.display(), "no adapter here"),
                Err(fault) if stop.is_cancelled() => return Err(fault),
                Err(fault) => debug!(port = %path.display(), %fault, "port cannot be used"),
            }
        }
        Err(Fault::Gone("no serial port has an adapter".to_owned()))
    }

    /// Asks at each speed whether an adapter is there.
    fn ask(&mut self, path: PathBuf, listen: bool, stop: &CancellationToken) -> Result<Option<(Line, Link)>, Fault> {
        let (bauds, patience) = self.bauds(&path);
        let mut line = Line::new(Port::open_serial(&path, bauds[0], stop)?);
        if listen && line.hears_anything(LISTEN)? {
            return Ok(None);
        }
        for baud in bauds {
            line.set_baud(baud)?;
            if line.is_adapter(patience)? {
                self.last = Some((path.clone(), baud));
                return Ok(Some((line, Link::Serial { path, baud })));
            }
        }
        Ok(None)
    }

    /// The speed that it had last comes first.
    fn bauds(&self, path: &PathBuf) -> (Vec<u32>, Duration) {
        let by_bluetooth = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rfcomm"));
        if by_bluetooth {
            // The connection is only made once the port is open.
            return (vec![BAUDS[0]; BLUETOOTH_ATTEMPTS], BLUETOOTH_ANSWER);
        }
        let mut bauds = BAUDS.to_vec();
        if let Some((_, last)) = self.last.as_ref().filter(|(last, _)| last == path) {
            bauds.sort_by_key(|baud| baud != last);
        }
        (bauds, ANSWER)
    }
}

/// A port that is not there has no claim, and opening it says so in better words.
fn claim(ports: &Ports, path: &std::path::Path) -> Result<Option<Claim>, Fault> {
    match ports.claim(path) {
        None if path.exists() => Err(Fault::Gone("another part of the agent uses its port".to_owned())),
        claim => Ok(claim),
    }
}
