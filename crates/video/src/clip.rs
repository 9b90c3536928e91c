//! A film of whole GOPs as an MP4 that plays while it is still being loaded: its table of contents comes first.

use std::{
    io::{Seek, SeekFrom, Write},
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use shiguredo_mp4::{
    Decode, TrackKind,
    boxes::SampleEntry,
    mux::{Mp4FileMuxer, Mp4FileMuxerOptions, Sample, estimate_maximum_moov_box_size},
};

use crate::{
    access_unit::{AccessUnit, Parameters, SoundFrame, SoundParameters},
    fragment::{MuxingError, sample_entry},
    ring::{Gop, Sound},
    taken::{Came, first_and_last},
    timeline::{Place, Timeline},
};

/// Frames of sound come in bursts; what is longer than this is silence.
const SILENCE: Duration = Duration::from_secs(2);

/// What a film is made of: pictures that follow each other, and what was heard meanwhile.
#[derive(Debug, Clone)]
pub struct Scene {
    /// What a decoder must know.
    pub parameters: Arc<Parameters>,
    /// The pictures; the first of each scene is a key frame.
    pub units: Vec<AccessUnit>,
    /// What was heard.
    pub sound: Option<Sound>,
}

/// A film that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Its size.
    pub bytes: u64,
    /// Pictures in it.
    pub pictures: usize,
    /// When its first picture was taken, as far as the pictures around it tell: one that came late says little by itself.
    pub from: Instant,
    /// When its last picture was taken.
    pub to: Instant,
}

/// Writes a film. Scenes with another codec or clock than the first one's are left out, and so is sound that is coded in
/// another way than the first that was heard.
///
/// Where the stream was interrupted the last picture stands.
pub fn write_clip<W: Write + Seek>(scenes: &[Scene], mut to: W) -> Result<Written, MuxingError> {
    let first = scenes.first().and_then(|scene| Some((scene, scene.units.first().filter(|unit| unit.is_key)?)));
    let (scene, unit) = first.ok_or(MuxingError::NoKeyFrame)?;
    let (codec, clock_hz) = (scene.parameters.codec, unit.clock_hz);
    let fits = |scene: &&Scene| {
        scene.parameters.codec == codec && scene.units.first().is_some_and(|unit| unit.clock_hz == clock_hz)
    };
    let scenes: Vec<&Scene> = scenes.iter().filter(fits).collect();
    let heard = scenes.iter().find_map(|scene| scene.sound.as_ref()).map(|sound| sound.parameters.clone());

    let units = || scenes.iter().flat_map(|scene| scene.units.iter().map(move |unit| (unit, &scene.parameters)));
    let places = places(units().map(|(unit, _)| unit), clock_hz);
    let durations = durations(&places);
    let frames = scenes.iter().filter_map(|scene| scene.sound.as_ref()).map(|sound| sound.frames.len()).sum();
    let reserved = estimate_maximum_moov_box_size(&[durations.len(), frames])
        + scenes.len() * scene.parameters.sample_entry.as_ref().map_or(0, |entry| entry.len());
    let mut film = Film::begin(&mut to, reserved)?;
    let mut sound = heard.map(|heard| Ear::new(heard, &scenes, unit.received)).transpose()?;
    let mut described: Option<&Arc<Parameters>> = None;
    for ((unit, parameters), duration) in units().zip(&durations) {
        if let Some(sound) = &mut sound {
            sound.write_until(unit.received, &mut film)?;
        }
        let is_described = described.is_some_and(|known| known == parameters);
        let entry = (!is_described).then(|| sample_entry(parameters)).transpose()?;
        described = Some(parameters);
        film.append(TrackKind::Video, clock_hz, entry, *duration, unit.is_key, &unit.data)?;
    }
    if let Some(sound) = &mut sound {
        sound.write_rest(&mut film)?;
    }
    let came: Vec<Came> = units().zip(&places).map(|((unit, _), place)| Came::new(unit, place)).collect();
    let (from, to) = first_and_last(&came).unwrap_or((unit.received, unit.received));
    Ok(Written { bytes: film.finish()?, pictures: durations.len(), from, to })
}

fn places<'a>(units: impl Iterator<Item = &'a AccessUnit>, clock_hz: NonZeroU32) -> Vec<Place> {
    let mut timeline = Timeline::new(clock_hz);
    units.map(|unit| timeline.place(unit)).collect()
}

/// How long each picture is shown: until the next one.
fn durations(places: &[Place]) -> Vec<u32> {
    // The timeline tells how long the one before took, and the last one takes as long as that.
    places.iter().skip(1).chain(places.last()).map(|place| place.duration).collect()
}

/// A file that is being written.
struct Film<W> {
    to: W,
    muxer: Mp4FileMuxer,
    at: u64,
}

impl<W: Write + Seek> Film<W> {
    fn begin(mut to: W, reserved_moov_box_size: usize) -> Result<Self, MuxingError> {
        let options = Mp4FileMuxerOptions { reserved_moov_box_size, ..Default::default() };
        let muxer = Mp4FileMuxer::with_options(options).map_err(MuxingError::Muxer)?;
        let start = muxer.initial_boxes_bytes();
        to.write_all(start)?;
        let at = start.len() as u64;
        Ok(Film { to, muxer, at })
    }

    fn append(
        &mut self,
        track_kind: TrackKind,
        timescale: NonZeroU32,
        sample_entry: Option<SampleEntry>,
        duration: u32,
        keyframe: bool,
        data: &[u8],
    ) -> Result<(), MuxingError> {
        self.to.write_all(data)?;
        let sample = Sample {
            track_kind,
            timescale,
            sample_entry,
            duration,
            keyframe,
            composition_time_offset: None,
            data_offset: self.at,
            data_size: data.len(),
        };
        self.at += data.len() as u64;
        self.muxer.append_sample(&sample).map_err(MuxingError::Muxer)
    }

    fn finish(mut self) -> Result<u64, MuxingError> {
        let finished = self.muxer.finalize().map_err(MuxingError::Muxer)?;
        let mut end = self.at;
        for (at, bytes) in finished.offset_and_bytes_pairs() {
            self.to.seek(SeekFrom::Start(at))?;
            self.to.write_all(bytes)?;
            end = end.max(at + bytes.len() as u64);
        }
        self.to.flush()?;
        Ok(end)
    }
}

/// The sound that is still to be written.
struct Ear<'a> {
    parameters: Arc<SoundParameters>,
    entry: Option<SampleEntry>,
    frames: std::iter::Peekable<std::vec::IntoIter<&'a SoundFrame>>,
}

impl<'a> Ear<'a> {
    /// Sound from before the first picture would be heard too late.
    fn new(parameters: Arc<SoundParameters>, scenes: &[&'a Scene], from: Instant) -> Result<Self, MuxingError> {
        let (entry, _) = SampleEntry::decode(&parameters.sample_entry).map_err(MuxingError::Parameters)?;
        let sound = scenes.iter().filter_map(|scene| scene.sound.as_ref());
        let same = sound.filter(|sound| sound.parameters == parameters);
        let frames: Vec<_> = same.flat_map(|sound| &sound.frames).filter(|frame| frame.received >= from).collect();
        Ok(Ear { parameters, entry: Some(entry), frames: frames.into_iter().peekable() })
    }

    fn write_until<W: Write + Seek>(&mut self, until: Instant, film: &mut Film<W>) -> Result<(), MuxingError> {
        while let Some(frame) = self.frames.next_if(|frame| frame.received < until) {
            self.write(frame, film)?;
        }
        Ok(())
    }

    fn write_rest<W: Write + Seek>(&mut self, film: &mut Film<W>) -> Result<(), MuxingError> {
        while let Some(frame) = self.frames.next() {
            self.write(frame, film)?;
        }
        Ok(())
    }

    fn write<W: Write + Seek>(&mut self, frame: &SoundFrame, film: &mut Film<W>) -> Result<(), MuxingError> {
        let hz = self.parameters.clock_hz.get();
        let until_next = self.frames.peek().map(|next| next.received.saturating_duration_since(frame.received));
        // Where none was heard for a while there is silence: what comes after it must not be heard too early.
        let silence = until_next.filter(|wait| *wait > SILENCE).map(|wait| wait.as_secs_f64() * f64::from(hz));
        let samples = silence.map_or(frame.samples.max(1), |ticks| ticks as u32);
        film.append(TrackKind::Audio, self.parameters.clock_hz, self.entry.take(), samples, true, &frame.data)
    }
}

impl From<&Gop> for Scene {
    fn from(gop: &Gop) -> Self {
        Scene { parameters: gop.parameters().clone(), units: gop.units().to_vec(), sound: gop.sound().cloned() }
    }
}
