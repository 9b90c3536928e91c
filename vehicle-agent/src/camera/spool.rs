//! A film while it is being recorded: pictures one after the other in a file, so that a crash that takes the power takes the
//! last second and not the film.
//!
//! Each record is its length, its CRC-32 and its bytes; reading ends where a record is not whole.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    num::NonZeroU32,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bugbrother_video::{
    AccessUnit, Codec, Parameters, Scene, Sound, SoundFrame, SoundParameters, photo::MAX_BYTES as LARGEST_PICTURE,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Longest record: a picture.
const MAX_RECORD: usize = LARGEST_PICTURE + 64;
/// Most pictures and frames of sound of a film.
const MAX_RECORDS: usize = 40_000;

/// What is recorded, in order.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Parameters(Arc<Parameters>),
    Unit(AccessUnit),
    SoundParameters(Arc<SoundParameters>),
    Sound(SoundFrame),
}

impl Entry {
    /// How much it takes, about.
    pub fn bytes(&self) -> usize {
        match self {
            Entry::Unit(unit) => unit.data.len(),
            Entry::Sound(frame) => frame.data.len(),
            Entry::Parameters(_) | Entry::SoundParameters(_) => 256,
        }
    }
}

const ABOUT: u8 = 0;
const PARAMETERS: u8 = 1;
const UNIT: u8 = 2;
const SOUND_PARAMETERS: u8 = 3;
const SOUND: u8 = 4;

#[derive(Serialize, Deserialize)]
struct Coding {
    codec: String,
    rfc6381: String,
    width: u32,
    height: u32,
    entry: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct SoundCoding {
    rfc6381: String,
    clock_hz: NonZeroU32,
    entry: Vec<u8>,
}

/// Writes a spool.
pub(super) struct Writer {
    to: BufWriter<File>,
    start: Instant,
}

impl Writer {
    /// Begins a file with what it is about. `start` is the moment that times are counted from.
    pub fn begin(path: &Path, about: &impl Serialize, start: Instant) -> io::Result<Self> {
        let file = super::shelf::new_file(path)?;
        let mut writer = Writer { to: BufWriter::with_capacity(256 << 10, file), start };
        writer.write(ABOUT, &serde_json::to_vec(about).map_err(io::Error::other)?, &[])?;
        writer.sync()?;
        Ok(writer)
    }

    pub fn add(&mut self, entry: &Entry) -> io::Result<()> {
        match entry {
            Entry::Parameters(parameters) => {
                let Parameters { codec, rfc6381, width, height, sample_entry } = &**parameters;
                let coding = Coding {
                    codec: codec.to_string(),
                    rfc6381: rfc6381.clone(),
                    width: *width,
                    height: *height,
                    entry: sample_entry.as_ref().map(|entry| entry.to_vec()),
                };
                self.write(PARAMETERS, &serde_json::to_vec(&coding).map_err(io::Error::other)?, &[])
            }
            Entry::Unit(unit) => {
                let head = [
                    &unit.pts.to_be_bytes()[..],
                    &unit.clock_hz.get().to_be_bytes(),
                    &self.since(unit.received).to_be_bytes(),
                    &[u8::from(unit.is_key)],
                ];
                self.write(UNIT, &head.concat(), &unit.data)
            }
            Entry::SoundParameters(sound) => {
                let SoundParameters { rfc6381, clock_hz, sample_entry } = &**sound;
                let (rfc6381, entry) = (rfc6381.clone(), sample_entry.to_vec());
                let coding = SoundCoding { rfc6381, clock_hz: *clock_hz, entry };
                self.write(SOUND_PARAMETERS, &serde_json::to_vec(&coding).map_err(io::Error::other)?, &[])
            }
            Entry::Sound(frame) => {
                let head = [&frame.samples.to_be_bytes()[..], &self.since(frame.received).to_be_bytes()].concat();
                self.write(SOUND, &head, &frame.data)
            }
        }
    }

    /// What was added is on the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.to.flush()?;
        self.to.get_ref().sync_data()
    }

    fn since(&self, moment: Instant) -> i64 {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        micros(moment.saturating_duration_since(self.start)) - micros(self.start.saturating_duration_since(moment))
    }

    fn write(&mut self, kind: u8, head: &[u8], data: &[u8]) -> io::Result<()> {
        let length = u32::try_from(1 + head.len() + data.len()).map_err(io::Error::other)?;
        let mut crc = crc32fast::Hasher::new();
        for part in [&[kind][..], head, data] {
            crc.update(part);
        }
        self.to.write_all(&length.to_be_bytes())?;
        self.to.write_all(&crc.finalize().to_be_bytes())?;
        self.to.write_all(&[kind])?;
        self.to.write_all(head)?;
        self.to.write_all(data)
    }
}

/// What a spool holds, up to the first record that is not whole.
pub(super) struct Spooled<A> {
    pub about: A,
    pub scenes: Vec<Scene>,
}

/// Reads a spool; `None` of a file in which not even the beginning is whole. `start` stands for the moment that it was begun.
pub(super) fn read<A: DeserializeOwned>(path: &Path, start: Instant) -> io::Result<Option<Spooled<A>>> {
    let mut from = BufReader::with_capacity(256 << 10, File::open(path)?);
    let Some((ABOUT, about)) = record(&mut from)? else { return Ok(None) };
    let Ok(about) = serde_json::from_slice(&about) else { return Ok(None) };
    let mut reel = Reel { start, scenes: Vec::new(), parameters: None, sound: None };
    for _ in 0..MAX_RECORDS {
        let Some((kind, data)) = record(&mut from)? else { break };
        if reel.add(kind, data).is_none() {
            break;
        }
    }
    Ok(Some(Spooled { about, scenes: reel.scenes }))
}

/// The next record, if it is whole.
fn record(from: &mut impl Read) -> io::Result<Option<(u8, Bytes)>> {
    let mut head = [0; 8];
    if !fill(from, &mut head)? {
        return Ok(None);
    }
    let [length, crc] = [0, 4].map(|at| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if !(1..=MAX_RECORD).contains(&length) {
        return Ok(None);
    }
    let mut data = vec![0; length];
    if !fill(from, &mut data)? || crc32fast::hash(&data) != crc {
        return Ok(None);
    }
    let mut data = Bytes::from(data);
    let kind = data.split_to(1)[0];
    Ok(Some((kind, data)))
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

struct Reel {
    start: Instant,
    scenes: Vec<Scene>,
    parameters: Option<Arc<Parameters>>,
    sound: Option<Arc<SoundParameters>>,
}

impl Reel {
    /// `None` of what is no record of ours.
    fn add(&mut self, kind: u8, mut data: Bytes) -> Option<()> {
        match kind {
            PARAMETERS => {
                let coding: Coding = serde_json::from_slice(&data).ok()?;
                let codec = [Codec::H264, Codec::H265, Codec::Jpeg].into_iter();
                self.parameters = Some(Arc::new(Parameters {
                    codec: codec.into_iter().find(|codec| codec.to_string() == coding.codec)?,
                    rfc6381: coding.rfc6381,
                    width: coding.width,
                    height: coding.height,
                    sample_entry: coding.entry.map(Bytes::from),
                }));
            }
            UNIT => {
                let head = data.split_to_checked(21)?;
                let unit = AccessUnit {
                    pts: i64::from_be_bytes(head[..8].try_into().ok()?),
                    clock_hz: NonZeroU32::new(u32::from_be_bytes(head[8..12].try_into().ok()?))?,
                    received: self.moment(i64::from_be_bytes(head[12..20].try_into().ok()?))?,
                    is_key: head[20] != 0,
                    lost_packets: 0,
                    data,
                };
                let parameters = self.parameters.clone()?;
                match self.scenes.last_mut().filter(|_| !unit.is_key) {
                    Some(scene) => scene.units.push(unit),
                    None if unit.is_key => self.scenes.push(Scene { parameters, units: vec![unit], sound: None }),
                    // What it builds on is not there.
                    None => {}
                }
            }
            SOUND_PARAMETERS => {
                let coding: SoundCoding = serde_json::from_slice(&data).ok()?;
                let SoundCoding { rfc6381, clock_hz, entry } = coding;
                self.sound = Some(Arc::new(SoundParameters { rfc6381, clock_hz, sample_entry: entry.into() }));
            }
            SOUND => {
                let head = data.split_to_checked(12)?;
                let frame = SoundFrame {
                    samples: u32::from_be_bytes(head[..4].try_into().ok()?),
                    received: self.moment(i64::from_be_bytes(head[4..12].try_into().ok()?))?,
                    data,
                };
                let (parameters, scene) = (self.sound.clone()?, self.scenes.last_mut()?);
                let sound = scene.sound.get_or_insert_with(|| Sound { parameters, frames: Vec::new() });
                sound.frames.push(frame);
            }
            _ => return None,
        }
        Some(())
    }

    fn moment(&self, micros: i64) -> Option<Instant> {
        let distance = Duration::from_micros(micros.unsigned_abs());
        if micros < 0 { self.start.checked_sub(distance) } else { self.start.checked_add(distance) }
    }
}

trait SplitChecked: Sized {
    fn split_to_checked(&mut self, at: usize) -> Option<Self>;
}

impl SplitChecked for Bytes {
    fn split_to_checked(&mut self, at: usize) -> Option<Bytes> {
        (self.len() >= at).then(|| self.split_to(at))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn parameters(width: u32) -> Arc<Parameters> {
        Arc::new(Parameters {
            codec: Codec::H264,
            rfc6381: "avc1.42C01E".to_owned(),
            width,
            height: 240,
            sample_entry: Some(Bytes::from_static(b"entry")),
        })
    }

    fn unit(start: Instant, n: u64) -> AccessUnit {
        AccessUnit {
            pts: n.cast_signed() * 3600,
            clock_hz: NonZeroU32::new(90_000).unwrap(),
            is_key: n.is_multiple_of(5),
            lost_packets: 0,
            received: start + Duration::from_millis(40 * n),
            data: vec![n as u8; 100].into(),
        }
    }

    #[test]
    fn a_spool_reads_back_as_it_was_and_cut_off_anywhere_as_what_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.spool");
        let start = Instant::now();
        let mut writer = Writer::begin(&path, &"about", start + Duration::from_millis(100)).unwrap();
        let sound = SoundParameters {
            rfc6381: "mp4a.40.2".to_owned(),
            clock_hz: NonZeroU32::new(48_000).unwrap(),
            sample_entry: Bytes::from_static(b"mp4a"),
        };
        writer.add(&Entry::Parameters(parameters(320))).unwrap();
        writer.add(&Entry::SoundParameters(Arc::new(sound))).unwrap();
        for n in 0..12 {
            if n == 10 {
                writer.add(&Entry::Parameters(parameters(640))).unwrap();
            }
            writer.add(&Entry::Unit(unit(start, n))).unwrap();
            let frame = SoundFrame { samples: 1024, received: start, data: Bytes::from_static(b"aac") };
            writer.add(&Entry::Sound(frame)).unwrap();
        }
        writer.sync().unwrap();
        let whole = read::<String>(&path, start + Duration::from_millis(100)).unwrap().unwrap();
        assert_eq!(whole.about, "about");
        let units: Vec<_> = whole.scenes.iter().flat_map(|scene| &scene.units).cloned().collect();
        assert_eq!(units, (0..12).map(|n| unit(start, n)).collect::<Vec<_>>());
        assert_eq!(whole.scenes.iter().map(|scene| scene.parameters.width).collect::<Vec<_>>(), [320, 320, 640]);
        assert_eq!(whole.scenes[0].sound.as_ref().unwrap().frames.len(), 5);

        let bytes = fs::read(&path).unwrap();
        for cut in (0..bytes.len()).step_by(7) {
            fs::write(&path, &bytes[..cut]).unwrap();
            if let Some(part) = read::<String>(&path, start + Duration::from_millis(100)).unwrap() {
                let found: Vec<_> = part.scenes.iter().flat_map(|scene| &scene.units).collect();
                assert!(found.iter().zip(&units).all(|(found, wanted)| *found == wanted), "cut at {cut}");
            }
        }
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 2] ^= 1;
        fs::write(&path, damaged).unwrap();
        let part = read::<String>(&path, start).unwrap().unwrap();
        assert!(part.scenes.iter().map(|scene| scene.units.len()).sum::<usize>() < 12);
    }
}
