//! Where the receiver is: by its settings, or by listening to each serial port that is free. Nothing is ever written: a
//! port may be that of an adapter or a microcontroller, which take what they do not know for a command.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::AsyncReadExt,
    time::{Instant, timeout_at},
};
use tokio_serial::{ClearBuffer, SerialPort, SerialStream};
use tracing::debug;

use super::{
    GpsSource,
    ear::{Decoder, Ear},
    gate::Gate,
    judge::Judge,
    source,
};
use crate::{
    link::Link,
    ports::{Claim, Ports},
};

/// Speeds of receivers, the most frequent first.
const BAUDS: [u32; 9] = [9600, 4800, 38_400, 115_200, 57_600, 19_200, 230_400, 460_800, 921_600];
/// A receiver speaks every second, and at 4800 baud it may be in the middle of a long sentence for a fifth of one.
const LISTEN: Duration = Duration::from_millis(1600);
/// So much without a sentence is noise at this speed, however long it took.
const NOISE: usize = 2048;

/// A receiver that speaks, or at least a way to one.
pub(super) struct Found {
    pub ear: Ear,
    /// Where it is.
    pub place: GpsSource,
    /// Others must not touch its port as long as this is held.
    _claim: Option<Claim>,
}

/// Looks for receivers, and remembers where one was.
#[derive(Default)]
pub(super) struct Search {
    last: Option<(PathBuf, u32)>,
}

/// What came from a port at a speed.
enum Heard {
    Sentences(Vec<u8>),
    Noise,
    Nothing,
}

impl Search {
    /// Opens the receiver. Fails if there is none; the receiver is dead when it says nothing readable for `dead_after`.
    pub async fn find(&mut self, source: &GpsSource, ports: &Ports, dead_after: Duration) -> io::Result<Found> {
        let nmea = |input| Ear::new(input, Decoder::nmea(Judge::of_receiver()), dead_after);
        let place = source.clone();
        match source {
            GpsSource::Auto => self.look_around(ports, dead_after).await,
            GpsSource::Serial(path) => {
                let claim = claim(ports, path)?;
                let found = self.try_speeds(path, true).await?;
                let (port, baud, heard) = found.ok_or_else(|| io::Error::other("it speaks NMEA 0183 at no speed"))?;
                Ok(speaking(port, (path, baud), heard, claim, dead_after))
            }
            GpsSource::Receiver(Link::Serial { path, baud }) => {
                let claim = claim(ports, path)?;
                let ear = nmea(Box::new(source::open_serial(path, *baud)?));
                Ok(Found { ear, place, _claim: claim })
            }
            GpsSource::Receiver(Link::Tcp(address)) => {
                let ear = nmea(Box::new(source::open_tcp(address).await?));
                Ok(Found { ear, place, _claim: None })
            }
            GpsSource::Gpsd(address) => {
                let input = Box::new(source::open_gpsd(address).await?);
                Ok(Found { ear: Ear::new(input, Decoder::gpsd(), dead_after), place, _claim: None })
            }
            GpsSource::Recording { path, .. } => {
                let input = source::open_recording(path).await?;
                let ear = Ear::new(input, Decoder::nmea(Judge::of_recording()), dead_after);
                Ok(Found { ear, place, _claim: None })
            }
        }
    }

    async fn look_around(&mut self, ports: &Ports, dead_after: Duration) -> io::Result<Found> {
        let mut paths = ports.free();
        if let Some((last, _)) = &self.last {
            paths.sort_by_key(|path| path != last);
        }
        let mut trouble = "no serial port has a receiver".to_owned();
        for path in paths {
            // A Bluetooth adapter takes one connection, and opening the port makes it.
            if is_bluetooth(&path) {
                continue;
            }
            let Some(claim) = ports.claim(&path) else { continue };
            match self.try_speeds(&path, false).await {
                Ok(Some((port, baud, heard))) => {
                    return Ok(speaking(port, (&path, baud), heard, Some(claim), dead_after));
                }
                Ok(None) => debug!(port = %path.display(), "no receiver here"),
                // Such as one that this user may not open, which may be just the receiver's.
                Err(error) => trouble.push_str(&format!("; {} cannot be used: {error}", path.display())),
            }
        }
        Err(io::Error::other(trouble))
    }

    /// Listens at each speed. Where nothing is said at all no other speed is tried, unless the port is `known` to be a
    /// receiver's: others wait for it.
    async fn try_speeds(&mut self, path: &Path, known: bool) -> io::Result<Option<(SerialStream, u32, Vec<u8>)>> {
        let bauds = self.bauds(path);
        let mut port = source::open_serial(path, bauds[0])?;
        for baud in bauds {
            port.set_baud_rate(baud)?;
            port.clear(ClearBuffer::Input)?;
            match listen(&mut port).await? {
                Heard::Sentences(heard) => {
                    self.last = Some((path.to_owned(), baud));
                    return Ok(Some((port, baud, heard)));
                }
                Heard::Nothing if !known => return Ok(None),
                Heard::Noise | Heard::Nothing => {}
            }
        }
        Ok(None)
    }

    /// The speed that it had last comes first. By Bluetooth there is none.
    fn bauds(&self, path: &Path) -> Vec<u32> {
        if is_bluetooth(path) {
            return vec![BAUDS[0]];
        }
        let mut bauds = BAUDS.to_vec();
        if let Some((_, last)) = self.last.as_ref().filter(|(last, _)| last == path) {
            bauds.sort_by_key(|baud| baud != last);
        }
        bauds
    }
}

fn is_bluetooth(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rfcomm"))
}

/// Listens until a sentence of a receiver's has come, or long enough.
async fn listen(port: &mut SerialStream) -> io::Result<Heard> {
    let (until, mut gate) = (Instant::now() + LISTEN, Gate::default());
    let (mut heard, mut bytes) = (Vec::new(), [0; 512]);
    while heard.len() < NOISE {
        let Ok(count) = timeout_at(until, port.read(&mut bytes)).await else { break };
        let count = count?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        heard.extend_from_slice(&bytes[..count]);
        let sentence = bytes[..count].iter().filter_map(|byte| gate.push(*byte)).any(|line| line.is_ok());
        if sentence {
            return Ok(Heard::Sentences(heard));
        }
    }
    Ok(if heard.is_empty() { Heard::Nothing } else { Heard::Noise })
}

/// A receiver that has been heard: what it has said already is not lost.
fn speaking(
    port: SerialStream,
    (path, baud): (&Path, u32),
    heard: Vec<u8>,
    claim: Option<Claim>,
    dead_after: Duration,
) -> Found {
    let input = Box::new(io::Cursor::new(heard).chain(port));
    let ear = Ear::new(input, Decoder::nmea(Judge::of_receiver()), dead_after);
    Found { ear, place: GpsSource::Receiver(Link::Serial { path: path.to_owned(), baud }), _claim: claim }
}

/// A port that is not there has no claim, and opening it says so in better words.
fn claim(ports: &Ports, path: &Path) -> io::Result<Option<Claim>> {
    match ports.claim(path) {
        None if path.exists() => Err(io::Error::other("another part of the agent uses its port")),
        claim => Ok(claim),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_that_a_port_had_last_is_tried_first_and_bluetooth_has_none() {
        let search = Search { last: Some(("/dev/ttyUSB0".into(), 57_600)) };
        let bauds = search.bauds(Path::new("/dev/ttyUSB0"));
        assert_eq!((bauds[0], bauds[1], bauds.len()), (57_600, 9600, BAUDS.len()));
        assert_eq!(search.bauds(Path::new("/dev/ttyUSB1")), BAUDS);
        assert_eq!(search.bauds(Path::new("/dev/rfcomm0")).len(), 1);
    }
}
