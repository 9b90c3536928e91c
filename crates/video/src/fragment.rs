//! Fragmented MP4 (ISO/IEC 14496-12, 8.8) for viewers: what a decoder must know, then one fragment for each picture.

use std::num::NonZeroU32;

use bytes::Bytes;
use shiguredo_mp4::{
    BoxHeader, Decode, Encode, SampleFlags, TrackKind, Uint,
    boxes::{AvccBox, MfhdBox, MoofBox, SampleEntry, TfdtBox, TfhdBox, TrafBox, TrunBox, TrunSample},
    mux::{Fmp4SegmentMuxer, MuxError, Sample},
};

use crate::{
    access_unit::{AccessUnit, Codec, Parameters},
    h264::{Colours, colours},
    timeline::Timeline,
};

/// The muxer numbers tracks from 1, and there is one.
const TRACK: u32 = 1;
/// ISO/IEC 14496-12, 8.8.3.1: depends on no other picture, or does and is none where a decoder can start.
const KEY: u32 = 0x0200_0000;
const NOT_KEY: u32 = 0x0101_0000;

/// Why pictures cannot be put into an MP4.
#[derive(Debug, thiserror::Error)]
pub enum MuxingError {
    /// JPEG has no sample entry: it is for photos.
    #[error("{0} cannot be put into an MP4")]
    Codec(Codec),
    /// The parameters are not those of the pictures.
    #[error("pictures came before a key frame")]
    NoKeyFrame,
    /// What the camera says of its stream is not understood.
    #[error("the stream's parameters cannot be written")]
    Parameters(#[source] shiguredo_mp4::Error),
    /// The file cannot be made of these.
    #[error("the pictures cannot be put into an MP4")]
    Muxer(#[source] MuxError),
    /// The disk refuses.
    #[error("the file cannot be written")]
    Disk(#[from] std::io::Error),
}

/// A picture in an MP4 of its own, to be appended to those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Whether a decoder can start here.
    pub is_key: bool,
    /// `moof` and `mdat`.
    pub data: Bytes,
}

/// Makes fragments of the pictures of a stream, until its parameters change.
///
/// The crate's own muxer of segments keeps, and copies for each one, a table of all that were made, for an index that nobody
/// wants of a live stream. So it makes the beginning, and the fragments are made here.
#[derive(Debug)]
pub struct Fragmenter {
    init: Bytes,
    timeline: Timeline,
    number: u32,
}

impl Fragmenter {
    /// For pictures with these parameters and that clock.
    pub fn new(parameters: &Parameters, clock_hz: NonZeroU32) -> Result<Self, MuxingError> {
        // It tells the beginning only when it has seen a picture.
        let mut muxer = Fmp4SegmentMuxer::new().map_err(MuxingError::Muxer)?;
        let sample = Sample {
            track_kind: TrackKind::Video,
            timescale: clock_hz,
            sample_entry: Some(sample_entry(parameters)?),
            duration: 1,
            keyframe: true,
            composition_time_offset: None,
            data_offset: 0,
            data_size: 1,
        };
        muxer.create_media_segment_metadata(&[sample]).map_err(MuxingError::Muxer)?;
        let init = muxer.init_segment_bytes().map_err(MuxingError::Muxer)?.into();
        Ok(Fragmenter { init, timeline: Timeline::new(clock_hz), number: 0 })
    }

    /// `ftyp` and `moov`: what a decoder gets first.
    pub fn init(&self) -> &Bytes {
        &self.init
    }

    /// The next picture. One that is left out leaves a hole in the time, which players jump over.
    pub fn push(&mut self, unit: &AccessUnit) -> Result<Fragment, MuxingError> {
        let place = self.timeline.place(unit);
        self.number = self.number.wrapping_add(1);
        let too_large = || MuxingError::Muxer(MuxError::Overflow);
        let size = u32::try_from(unit.data.len()).map_err(|_| too_large())?;
        let sample = TrunSample {
            duration: Some(place.duration),
            size: Some(size),
            flags: Some(SampleFlags::new(if unit.is_key { KEY } else { NOT_KEY })),
            composition_time_offset: None,
        };
        let moof = |data_offset| MoofBox {
            mfhd_box: MfhdBox { sequence_number: self.number },
            traf_boxes: vec![TrafBox {
                tfhd_box: TfhdBox {
                    track_id: TRACK,
                    base_data_offset: None,
                    sample_description_index: None,
                    default_sample_duration: None,
                    default_sample_size: None,
                    default_sample_flags: None,
                    duration_is_empty: false,
                    default_base_is_moof: true,
                },
                tfdt_box: Some(TfdtBox { version: 1, base_media_decode_time: place.decode_time }),
                trun_boxes: vec![TrunBox {
                    data_offset: Some(data_offset),
                    first_sample_flags: None,
                    samples: vec![sample.clone()],
                }],
                unknown_boxes: Vec::new(),
            }],
            unknown_boxes: Vec::new(),
        };
        let written = |moof: MoofBox| moof.encode_to_vec().map_err(MuxingError::Parameters);
        // The size of a `moof` does not depend on the offset in it.
        let behind = written(moof(0))?.len() + BoxHeader::MIN_SIZE;
        let mut data = written(moof(i32::try_from(behind).map_err(|_| too_large())?))?;
        let size = size.checked_add(BoxHeader::MIN_SIZE as u32).ok_or_else(too_large)?;
        data.extend(size.to_be_bytes());
        data.extend(b"mdat");
        data.extend_from_slice(&unit.data);
        Ok(Fragment { is_key: unit.is_key, data: data.into() })
    }
}

/// The description of a stream's pictures.
pub(crate) fn sample_entry(parameters: &Parameters) -> Result<SampleEntry, MuxingError> {
    let entry = parameters.sample_entry.as_ref().ok_or(MuxingError::Codec(parameters.codec))?;
    let (mut entry, _) = SampleEntry::decode(entry).map_err(MuxingError::Parameters)?;
    if let SampleEntry::Avc1(entry) = &mut entry {
        tell_colours(&mut entry.avcc_box);
    }
    Ok(entry)
}

/// How colours are kept stands in the configuration of all profiles but three (ISO/IEC 14496-15, 5.3.3.1.2). retina leaves it
/// out, and without it nothing is written.
fn tell_colours(configuration: &mut AvccBox) {
    if configuration.chroma_format.is_some() {
        return;
    }
    let told = configuration.sps_list.first().and_then(|set| colours(set));
    // High profile is 4:2:0 with eight bits as well, as all others are that do not tell.
    let colours = told.unwrap_or(Colours { chroma_format: 1, luma_bits_over_8: 0, chroma_bits_over_8: 0 });
    configuration.chroma_format = Some(Uint::new(colours.chroma_format));
    configuration.bit_depth_luma_minus8 = Some(Uint::new(colours.luma_bits_over_8));
    configuration.bit_depth_chroma_minus8 = Some(Uint::new(colours.chroma_bits_over_8));
}
