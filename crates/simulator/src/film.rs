//! What a simulated camera sees: a short film that begins anew without a jump, taken apart into pictures, and a photo.
//!
//! `scripts/demo-film` draws both.

use std::sync::OnceLock;

/// H.264 as a byte stream (ITU-T H.264, annex B), profile Baseline, a key frame each second.
const ROAD: &[u8] = include_bytes!("../assets/road.h264");
/// A JPEG.
pub const PHOTO: &[u8] = include_bytes!("../assets/road.jpg");
/// Pictures a second.
pub const RATE: u32 = 15;

const SLICE: u8 = 1;
const KEY_SLICE: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;

/// A film in pictures.
#[derive(Debug)]
pub struct Film {
    /// Sequence parameter set.
    pub sps: &'static [u8],
    /// Picture parameter set.
    pub pps: &'static [u8],
    /// Its pictures; the first is a key frame.
    pub pictures: Vec<Picture>,
}

/// A picture, coded.
#[derive(Debug)]
pub struct Picture {
    /// Whether a decoder can start with it.
    pub is_key: bool,
    /// Its NAL units, without parameter sets.
    pub units: Vec<&'static [u8]>,
}

impl Film {
    /// The road.
    pub fn road() -> &'static Film {
        static FILM: OnceLock<Film> = OnceLock::new();
        FILM.get_or_init(|| Film::read(ROAD))
    }

    /// The picture at or before which a decoder can start to see that one.
    pub fn key_before(&self, number: u64) -> u64 {
        let back = (0..self.pictures.len() as u64).take_while(|back| *back <= number);
        back.map(|back| number - back).find(|number| self.picture(*number).is_key).unwrap_or_default()
    }

    /// The picture of that number, the film being played again and again.
    pub fn picture(&self, number: u64) -> &Picture {
        let index = number % self.pictures.len() as u64;
        &self.pictures[usize::try_from(index).expect("it is less than a length")]
    }

    fn read(stream: &'static [u8]) -> Film {
        let mut film = Film { sps: &[], pps: &[], pictures: Vec::new() };
        for unit in units(stream) {
            match unit[0] & 0x1F {
                SPS => film.sps = unit,
                PPS => film.pps = unit,
                kind @ (SLICE | KEY_SLICE) => {
                    // A slice that begins at the first macroblock begins a picture: ue(0) is a 1.
                    let begins = unit.get(1).is_some_and(|byte| byte & 0x80 != 0);
                    match film.pictures.last_mut() {
                        Some(last) if !begins => last.units.push(unit),
                        _ => film.pictures.push(Picture { is_key: kind == KEY_SLICE, units: vec![unit] }),
                    }
                }
                _ => {}
            }
        }
        assert!(film.pictures.first().is_some_and(|first| first.is_key), "the film begins with a key frame");
        film
    }
}

/// NAL units between start codes.
fn units(stream: &'static [u8]) -> impl Iterator<Item = &'static [u8]> {
    let starts: Vec<usize> =
        stream.windows(3).enumerate().filter(|(_, code)| *code == [0, 0, 1]).map(|(n, _)| n).collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]).collect::<Vec<_>>();
    starts.into_iter().zip(ends).filter_map(move |(start, end)| {
        let unit = &stream[start + 3..end];
        // The first zero of a longer start code belongs to it.
        let length = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        (length > 0).then(|| &unit[..length])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_road_is_six_seconds_with_a_key_frame_each_second() {
        let film = Film::road();
        assert_eq!(film.pictures.len(), 6 * RATE as usize);
        assert_eq!(film.sps[1], 66, "profile Baseline");
        for (number, picture) in film.pictures.iter().enumerate() {
            assert_eq!(picture.is_key, number % RATE as usize == 0, "{number}");
            assert!(!picture.units.is_empty());
        }
        assert_eq!((film.key_before(0), film.key_before(14), film.key_before(100)), (0, 0, 90));
        assert!(PHOTO.starts_with(b"\xFF\xD8\xFF") && PHOTO.ends_with(b"\xFF\xD9"));
    }
}
