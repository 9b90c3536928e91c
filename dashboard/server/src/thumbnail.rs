//! Small pictures of JPEGs. Pure: bytes in, bytes out.

use jpeg_encoder::{ColorType, Encoder};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

/// Width of a small picture, and its largest height.
const WIDTH: usize = 320;
const MAX_HEIGHT: usize = 320;
const QUALITY: u8 = 72;
/// Largest side of a picture that is looked at, and most of its pixels: three bytes each.
const MAX_SIDE: usize = 8_192;
const MAX_PIXELS: usize = 24 << 20;

/// Why no small picture is made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ThumbnailError {
    /// It cannot be decoded.
    #[error("it is no JPEG that can be decoded: {0}")]
    Decode(String),
    /// It is larger than any camera makes them.
    #[error("it has too many pixels")]
    TooLarge,
    /// It cannot be encoded.
    #[error("the small picture cannot be made")]
    Encode(#[from] jpeg_encoder::EncodingError),
}

/// The small picture of a JPEG, as a JPEG. It takes a core for some milliseconds.
pub(crate) fn of_jpeg(jpeg: &[u8]) -> Result<Vec<u8>, ThumbnailError> {
    let broken = |error: zune_jpeg::errors::DecodeErrors| ThumbnailError::Decode(error.to_string());
    let options = DecoderOptions::default()
        .set_max_width(MAX_SIDE)
        .set_max_height(MAX_SIDE)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    decoder.decode_headers().map_err(broken)?;
    let (width, height) = decoder.dimensions().ok_or(ThumbnailError::TooLarge)?;
    if width == 0 || height == 0 || width * height > MAX_PIXELS {
        return Err(ThumbnailError::TooLarge);
    }
    let pixels = decoder.decode().map_err(broken)?;
    if pixels.len() != width * height * 3 {
        return Err(ThumbnailError::Decode("its pixels are not of three colours".to_owned()));
    }
    let (small, wide, high) = shrink(&pixels, width, height);
    let mut made = Vec::new();
    let side = |pixels: usize| u16::try_from(pixels).map_err(|_| ThumbnailError::TooLarge);
    Encoder::new(&mut made, QUALITY).encode(&small, side(wide)?, side(high)?, ColorType::Rgb)?;
    Ok(made)
}

/// Each pixel is the mean of those that it stands for. A picture that is small enough stays as it is.
fn shrink(pixels: &[u8], width: usize, height: usize) -> (Vec<u8>, usize, usize) {
    let wide = width.min(WIDTH).min((width * MAX_HEIGHT).div_ceil(height)).max(1);
    let high = (height * wide / width).clamp(1, MAX_HEIGHT);
    let mut small = Vec::with_capacity(wide * high * 3);
    for y in 0..high {
        let rows = y * height / high..((y + 1) * height / high).max(y * height / high + 1);
        for x in 0..wide {
            let columns = x * width / wide..((x + 1) * width / wide).max(x * width / wide + 1);
            let mut sum = [0_usize; 3];
            for row in rows.clone() {
                for pixel in pixels[(row * width + columns.start) * 3..(row * width + columns.end) * 3].chunks_exact(3)
                {
                    sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += usize::from(*value));
                }
            }
            let count = rows.len() * columns.len();
            small.extend(sum.map(|sum| u8::try_from(sum / count).unwrap_or(u8::MAX)));
        }
    }
    (small, wide, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left half red, right half blue.
    fn picture(width: u16, height: u16) -> Vec<u8> {
        let (wide, high) = (usize::from(width), usize::from(height));
        let pixel = |n: usize| if n % wide < wide / 2 { [200, 0, 0] } else { [0, 0, 200] };
        let pixels: Vec<u8> = (0..wide * high).flat_map(pixel).collect();
        let mut made = Vec::new();
        Encoder::new(&mut made, 95).encode(&pixels, width, height, ColorType::Rgb).unwrap();
        made
    }

    fn look(jpeg: &[u8]) -> (usize, usize, Vec<u8>) {
        let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
        let pixels = decoder.decode().unwrap();
        let (width, height) = decoder.dimensions().unwrap();
        (width, height, pixels)
    }

    #[test]
    fn a_small_picture_shows_the_same_and_is_small() {
        for (size, becomes) in [((1280, 720), (320, 180)), ((600, 1200), (160, 320)), ((64, 48), (64, 48))] {
            let small = of_jpeg(&picture(size.0, size.1)).unwrap();
            let (width, height, pixels) = look(&small);
            assert_eq!((width, height), becomes, "{size:?}");
            let at = |x: usize, y: usize| &pixels[(y * width + x) * 3..][..3];
            let (left, right) = (at(width / 8, height / 2), at(width * 7 / 8, height / 2));
            assert!(left[0] > 150 && left[2] < 60 && right[0] < 60 && right[2] > 150, "{left:?} {right:?}");
            assert!(small.len() < 12_000, "{}", small.len());
        }
    }

    #[test]
    fn what_is_no_picture_makes_none_and_stops_nobody() {
        let good = picture(640, 480);
        for wrong in [&b""[..], b"\xFF\xD8\xFF\xD9", &good[..30], b"<html></html>"] {
            assert!(of_jpeg(wrong).is_err(), "{wrong:?}");
        }
        // As a header says it that claims 60,000 pixels each way.
        let mut huge = good.clone();
        let frame = huge.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
        huge[frame + 5..frame + 9].copy_from_slice(&[0xEA, 0x60, 0xEA, 0x60]);
        assert!(of_jpeg(&huge).is_err());
        // Damaged anywhere it is an error or some picture, and no panic.
        for at in (0..good.len()).step_by(97) {
            let mut damaged = good.clone();
            damaged[at] ^= 0x5A;
            drop(of_jpeg(&damaged));
        }
    }
}
