//! A key frame of H.264 as a JPEG, by OpenH264. Only with the feature `decode`, as the library is C++ and large.

use bytes::Bytes;
use jpeg_encoder::{Encoder, ImageBuffer, JpegColorType, SamplingFactor};
use openh264::{decoder::Decoder, formats::YUVSource};
use shiguredo_mp4::boxes::SampleEntry;

use crate::{
    access_unit::{AccessUnit, Codec, Parameters},
    fragment::sample_entry,
    h264::nal_units,
    photo::PhotoError,
};

/// Of 100: what cameras themselves use.
const QUALITY: u8 = 80;
/// A picture of 4K is smaller; a camera may say anything.
const MAX_PIXELS: usize = 16 << 20;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

pub(crate) fn jpeg_of(parameters: &Parameters, unit: &AccessUnit) -> Result<Bytes, PhotoError> {
    let failed = |error: &dyn std::fmt::Display| PhotoError::Decode(error.to_string());
    if !unit.is_key {
        return Err(PhotoError::Decode("it is no key frame".to_owned()));
    }
    if parameters.width as usize * parameters.height as usize > MAX_PIXELS {
        return Err(PhotoError::Decode("it is too large".to_owned()));
    }
    let stream = annex_b(parameters, unit)?;
    let mut decoder = Decoder::new().map_err(|error| failed(&error))?;
    let decoded = decoder.decode(&stream).map_err(|error| failed(&error))?;
    if let Some(picture) = decoded {
        return encode(&picture);
    }
    let rest = decoder.flush_remaining().map_err(|error| failed(&error))?;
    encode(rest.first().ok_or_else(|| PhotoError::Decode("it shows nothing".to_owned()))?)
}

/// The picture with its parameter sets, each NAL unit behind a start code (ITU-T H.264, annex B).
fn annex_b(parameters: &Parameters, unit: &AccessUnit) -> Result<Vec<u8>, PhotoError> {
    let entry = sample_entry(parameters).map_err(|error| PhotoError::Decode(error.to_string()))?;
    let SampleEntry::Avc1(entry) = entry else { return Err(PhotoError::Codec(Codec::H265)) };
    let sets = entry.avcc_box.sps_list.iter().chain(&entry.avcc_box.pps_list).map(Vec::as_slice);
    Ok(sets.chain(nal_units(&unit.data)).flat_map(|unit| [&START_CODE, unit].concat()).collect())
}

fn encode(picture: &impl YUVSource) -> Result<Bytes, PhotoError> {
    let (width, height) = picture.dimensions();
    let [across, down] = [width, height].map(|side| u16::try_from(side).ok());
    let (Some(width), Some(height)) = (across, down) else {
        return Err(PhotoError::Decode("it is too large".to_owned()));
    };
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.encode_image(Planes { picture, width, height }).map_err(|error| PhotoError::Decode(error.to_string()))?;
    Ok(jpeg.into())
}

struct Planes<'a, P> {
    picture: &'a P,
    width: u16,
    height: u16,
}

impl<P: YUVSource> ImageBuffer for Planes<'_, P> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }

    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        self.height
    }

    /// Video has 16 to 235 (chroma: 16 to 240) where JPEG has 0 to 255 (ITU-R BT.601).
    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let (row, width) = (usize::from(y), usize::from(self.width));
        let (luma, cb, cr) = self.picture.strides();
        let full = |value: i32| value.clamp(0, 255) as u8;
        let bright = self.picture.y()[row * luma..].iter().take(width);
        buffers[0].extend(bright.map(|value| full(((i32::from(*value) - 16) * 298 + 128) >> 8)));
        for (buffer, plane, stride) in [(1, self.picture.u(), cb), (2, self.picture.v(), cr)] {
            let line = &plane[row / 2 * stride..];
            let colour = (0..width).filter_map(|column| line.get(column / 2));
            buffers[buffer].extend(colour.map(|value| full((((i32::from(*value) - 128) * 291 + 128) >> 8) + 128)));
        }
    }
}
