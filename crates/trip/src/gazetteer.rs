//! Names of places, offline: the nearest of 107,000 towns with 1,000 people or more.
//!
//! The data are GeoNames' (CC BY 4.0), packed by `places/pack.mjs` into 1.5 MB that are part of the program: the
//! number of countries and their codes (two letters each), the number of cells, for each cell varints of the
//! difference of its number to the one before and of its length in bytes, then the cells. A cell is half a degree
//! wide and high; its number is counted eastwards from the south-west corner of the map, row by row. A town in it is
//! its latitude and longitude in 256ths of the cell, the index of its country, the length of its name and the name.

use std::sync::OnceLock;

use crate::geo::{self, EARTH_RADIUS_M, Point};

static DATA: &[u8] = include_bytes!("../places/places.bin");

/// A town that is farther away does not name a place.
pub const NEAREST_M: f64 = 50_000.0;

const CELLS_PER_DEGREE: f64 = 2.0;
const COLUMNS: i32 = 720;
const ROWS: i32 = 360;
const STEPS: f64 = 256.0;

/// A town.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// What its people call it, in Latin letters.
    pub name: &'static str,
    /// Its country: ISO 3166-1, two letters.
    pub country: &'static str,
    /// How far away its centre is, to 200 m.
    pub distance_m: f64,
}

/// The town that is nearest to those degrees, if one is within [`NEAREST_M`]. Takes microseconds; the first call takes
/// a millisecond.
pub fn place(lat: f64, lon: f64) -> Option<Place> {
    if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lon) {
        return None;
    }
    static GAZETTEER: OnceLock<Option<Gazetteer>> = OnceLock::new();
    GAZETTEER.get_or_init(|| Gazetteer::read(DATA)).as_ref()?.nearest(Point { lat, lon })
}

struct Gazetteer {
    countries: Vec<&'static str>,
    /// Number of each cell with towns, rising, and where it ends in `towns`.
    cells: Vec<(i32, usize)>,
    towns: &'static [u8],
}

impl Gazetteer {
    /// `None` when the bytes are not a gazetteer.
    fn read(data: &'static [u8]) -> Option<Self> {
        let mut rest = data;
        let mut countries = Vec::new();
        for _ in 0..varint(&mut rest)? {
            countries.push(str::from_utf8(take(&mut rest, 2)?).ok()?);
        }
        let (mut number, mut end) = (0, 0);
        let mut cells = Vec::new();
        for _ in 0..varint(&mut rest)? {
            number += i32::try_from(varint(&mut rest)?).ok()?;
            end += varint(&mut rest)?;
            cells.push((number, end));
        }
        (end == rest.len()).then_some(Gazetteer { countries, cells, towns: rest })
    }

    fn nearest(&self, at: Point) -> Option<Place> {
        let reach_lat = (NEAREST_M / EARTH_RADIUS_M).to_degrees();
        let (south, north) = ((at.lat - reach_lat).max(-90.0), (at.lat + reach_lat).min(90.0));
        // Where the meridians are nearest to each other the reach covers the most of them.
        let narrowest = south.abs().max(north.abs()).to_radians().cos();
        let reach_lon = (reach_lat / narrowest.max(1e-9)).min(180.0);
        let row = |lat: f64| (((lat + 90.0) * CELLS_PER_DEGREE) as i32).min(ROWS - 1);
        let column = |lon: f64| ((lon + 180.0) * CELLS_PER_DEGREE).floor() as i32;
        let (west, east) = (column(at.lon - reach_lon), column(at.lon + reach_lon));
        let mut best: Option<(f64, &'static [u8])> = None;
        for row in row(south)..=row(north) {
            for column in west..=east.min(west + COLUMNS - 1) {
                let column = column.rem_euclid(COLUMNS);
                for (town, point) in self.cell(row, column) {
                    let squared = squared_m(at, point);
                    if squared <= best.map_or(NEAREST_M * NEAREST_M, |(least, _)| least) {
                        best = Some((squared, town));
                    }
                }
            }
        }
        let (squared, town) = best?;
        let name = str::from_utf8(town.get(4..)?).ok()?;
        let country = self.countries.get(usize::from(*town.get(2)?))?;
        Some(Place { name, country, distance_m: squared.sqrt() })
    }

    /// The towns of a cell: each as its bytes, and where it is.
    fn cell(&self, row: i32, column: i32) -> impl Iterator<Item = (&'static [u8], Point)> {
        let number = row * COLUMNS + column;
        let found = self.cells.binary_search_by_key(&number, |(number, _)| *number).ok();
        let bytes = found.and_then(|i| {
            let start = i.checked_sub(1).map_or(0, |before| self.cells[before].1);
            self.towns.get(start..self.cells[i].1)
        });
        let mut rest = bytes.unwrap_or_default();
        std::iter::from_fn(move || {
            let length = 4 + usize::from(*rest.get(3)?);
            let town = take(&mut rest, length)?;
            let degrees = |cell: i32, step: u8| (f64::from(cell) + (f64::from(step) + 0.5) / STEPS) / CELLS_PER_DEGREE;
            Some((town, Point { lat: degrees(row, town[0]) - 90.0, lon: degrees(column, town[1]) - 180.0 }))
        })
    }
}

/// Square of the distance, which is some tens of kilometres at most: the ground is flat then.
fn squared_m(a: Point, b: Point) -> f64 {
    let metres = EARTH_RADIUS_M.to_radians();
    let scale = ((a.lat + b.lat) / 2.0).to_radians().cos();
    let (x, y) = (geo::turn(b.lon - a.lon) * metres * scale, (b.lat - a.lat) * metres);
    x * x + y * y
}

fn take(rest: &mut &'static [u8], n: usize) -> Option<&'static [u8]> {
    let (taken, left) = rest.split_at_checked(n)?;
    *rest = left;
    Some(taken)
}

/// Seven bits a byte, the lowest first; the last byte is below 128.
fn varint(rest: &mut &'static [u8]) -> Option<usize> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let byte = take(rest, 1)?[0];
        value |= usize::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn named(lat: f64, lon: f64) -> Option<(&'static str, &'static str)> {
        place(lat, lon).map(|place| (place.name, place.country))
    }

    #[test]
    fn towns_are_known_by_the_names_that_their_people_use() {
        assert_eq!(named(46.5197, 6.6323), Some(("Lausanne", "CH")));
        assert_eq!(named(46.2044, 6.1432), Some(("Genève", "CH")));
        assert_eq!(named(47.3769, 8.5417), Some(("Zürich", "CH")));
        assert_eq!(named(-33.8688, 151.2093), Some(("Sydney", "AU")));
        assert_eq!(named(40.4168, -3.7038), Some(("Madrid", "ES")));
        assert_eq!(named(78.2232, 15.6267), Some(("Longyearbyen", "SJ")));
        assert!(place(46.5197, 6.6323).unwrap().distance_m < 1000.0);
    }

    #[test]
    fn far_from_every_town_and_off_the_earth_there_is_no_name() {
        for (lat, lon) in [(0.0, -30.0), (90.0, 0.0), (-90.0, 180.0), (23.5, 12.0), (91.0, 0.0), (f64::NAN, 0.0)] {
            assert_eq!(named(lat, lon), None, "{lat} {lon}");
        }
    }

    #[test]
    fn a_town_is_found_across_the_antimeridian_and_across_the_edge_of_a_cell() {
        // Egvekinot lies at 179.12° W.
        for lon in [-179.9, 179.9] {
            assert_eq!(named(66.3, lon), Some(("Egvekinot", "RU")), "{lon}");
        }
        let step = 1e-6;
        for (lat, lon) in [(46.5, 6.5), (48.0, 11.5), (51.5, 0.0), (0.0, 32.5)] {
            let names: Vec<_> = [(-step, -step), (-step, step), (step, -step), (step, step)]
                .map(|(y, x)| named(lat + y, lon + x))
                .into();
            assert!(names.iter().all(|name| name.is_some() && *name == names[0]), "{names:?}");
        }
    }

    #[test]
    fn the_nearest_is_that_of_a_search_through_all() {
        let gazetteer = Gazetteer::read(DATA).unwrap();
        let all: Vec<_> = (0..ROWS)
            .flat_map(|row| (0..COLUMNS).map(move |column| (row, column)))
            .flat_map(|(row, column)| gazetteer.cell(row, column))
            .collect();
        assert_eq!(all.len(), 107_166);
        assert!(all.iter().all(|(town, _)| str::from_utf8(&town[4..]).is_ok_and(|name| !name.is_empty())));
        for i in 0..60 {
            let at = Point { lat: f64::from(i * 37 % 140) - 60.3, lon: f64::from(i * 101 % 360) - 179.7 };
            let least = all.iter().map(|(_, point)| squared_m(at, *point).sqrt()).fold(f64::INFINITY, f64::min);
            let found = place(at.lat, at.lon).map(|place| place.distance_m);
            assert_eq!(found, Some(least).filter(|metres| *metres <= NEAREST_M), "{at:?}");
        }
    }

    #[test]
    fn a_file_that_is_cut_off_is_no_gazetteer() {
        assert!(Gazetteer::read(&DATA[..DATA.len() - 1]).is_none());
        assert!(Gazetteer::read(&DATA[..100]).is_none());
        assert!(Gazetteer::read(&[]).is_none());
    }

    #[test]
    fn a_thousand_lookups_take_no_time_that_anybody_notices() {
        place(0.0, 0.0);
        let begun = Instant::now();
        // The Ruhr, where towns are dense.
        let found = (0..1000).filter(|i| place(51.3 + f64::from(*i) * 1e-4, 7.2).is_some()).count();
        assert_eq!(found, 1000);
        assert!(begun.elapsed().as_millis() < 2000, "{:?}", begun.elapsed());
        eprintln!("{:?} a lookup", begun.elapsed() / 1000);
    }
}
