//! Drives of the simulator's cars, and a real one.

mod road;

use std::{fs, io::Read, path::Path, time::Duration};

use bugbrother_simulator::{Car as Simulated, Drive, NmeaTalker, Profile, Style, demo_fleet};
use bugbrother_trip::{Car, End, Fuel, FuelFrom, Point, Sample, track};
use flate2::read::GzDecoder;
use nmea_parser::{NmeaParser, ParsedMessage};
use road::{START, legs_of, stops, trips};

const KMH_PER_KNOT: f64 = 1.852;

/// The fixes of an NMEA log, as far as its RMC sentences tell.
fn samples(log: &[u8]) -> Vec<Sample> {
    let mut parser = NmeaParser::new();
    let mut samples: Vec<Sample> = Vec::new();
    for line in log.split(|byte| *byte == b'\n') {
        let Ok(line) = str::from_utf8(line) else { continue };
        let Ok(ParsedMessage::Rmc(rmc)) = parser.parse_sentence(line.trim_end()) else { continue };
        let Some(time) = rmc.timestamp.filter(|_| rmc.status_active == Some(true)) else { continue };
        let mut sample = Sample::at(time.timestamp_millis());
        let speed = rmc.sog_knots.map(|knots| knots * KMH_PER_KNOT);
        for (key, value) in [("lat", rmc.latitude), ("lon", rmc.longitude), ("gspd", speed), ("hdg", rmc.bearing)] {
            value.into_iter().for_each(|value| sample.set(key, value));
        }
        samples.push(sample);
    }
    samples
}

/// What a stretch of a simulated drive between two pulls of the key really was.
#[derive(Debug, Default, Clone, Copy)]
struct Stretch {
    metres: f64,
    litres: f64,
}

/// An hour and a half of a car with all its sensors, and the truth.
fn drive(profile: &Profile) -> (Vec<Sample>, Vec<Stretch>) {
    let mut car = Simulated::new(profile);
    let mut talker = NmeaTalker::new(&car);
    let (mut samples, mut stretches, mut stretch) = (Vec::new(), Vec::new(), Stretch::default());
    for second in 0..90 * 60 {
        let (ts, reading) = (START + second * 1000, car.reading());
        let fix = talker.fix(&reading, ts);
        let mut row = Sample::at(ts);
        for (key, value) in [("lat", fix.point.lat), ("lon", fix.point.lon), ("gspd", fix.speed_kmh)] {
            row.set(key, value);
        }
        fix.heading_deg.into_iter().for_each(|heading| row.set("hdg", heading));
        samples.push(row);
        let mut row = Sample::at(ts + 400);
        row.set("ign", f64::from(u8::from(reading.ignition)));
        if reading.ignition {
            for (key, value) in [
                ("spd", reading.speed_kmh.floor()),
                ("rpm", reading.rpm),
                ("maf", reading.maf_gps),
                ("frate", reading.fuel_lph),
                ("odo", (reading.odometer_km * 10.0).floor() / 10.0),
            ] {
                row.set(key, value);
            }
        }
        samples.push(row);
        car.step(Duration::from_secs(1));
        let after = car.reading();
        stretch.metres += (after.odometer_km - reading.odometer_km) * 1000.0;
        stretch.litres += reading.fuel_lph / 3600.0;
        if reading.ignition && !after.ignition {
            stretches.push(stretch);
            stretch = Stretch::default();
        }
    }
    stretches.push(stretch);
    (samples, stretches.into_iter().filter(|stretch| stretch.metres > 100.0).collect())
}

#[test]
fn every_simulated_drive_from_key_to_key_is_a_trip_with_its_distance_and_fuel() {
    let mut total = 0;
    for profile in demo_fleet() {
        let (samples, stretches) = drive(&profile);
        let legs = legs_of(&samples, &Car { fuel: Fuel::Diesel, ..Car::default() });
        let trips = trips(&legs);
        assert_eq!(trips.len(), stretches.len(), "{}: {stretches:?} {trips:#?}", profile.name);
        for (trip, truth) in trips.iter().zip(&stretches) {
            assert!((trip.distance_m - truth.metres).abs() < 120.0, "{}: {truth:?} {trip:#?}", profile.name);
            let gnss_m = trip.gnss_m.unwrap();
            assert!(
                (gnss_m - truth.metres).abs() < 60.0 + truth.metres * 0.02,
                "{}: {truth:?} {trip:#?}",
                profile.name
            );
            assert!(trip.open || trip.ended == Some(End::Off), "{}", profile.name);
            assert!(trip.gap_m < 1.0 && trip.blind_ms < 1000, "{}: {trip:#?}", profile.name);
            assert_eq!(trip.fuel_from, Some(FuelFrom::Rate));
            let litres = trip.fuel_l.unwrap();
            assert!(
                (litres - truth.litres).abs() < 0.02 + truth.litres * 0.02,
                "{}: {truth:?} {trip:#?}",
                profile.name
            );
            if profile.style == Style::Calm {
                assert!(trip.score >= 60, "{}: {trip:#?}", profile.name);
            }
        }
        assert!(stops(&legs).iter().all(|stop| stop.moved_m == 0.0 && stop.gap_ms == 0), "{:#?}", stops(&legs));
        total += trips.len();
    }
    assert!(total > 25, "{total}");
}

#[test]
fn a_simulated_log_is_trips_whatever_is_damaged_in_it() {
    let log = |damaged| Drive { seed: 3, duration: Duration::from_secs(3600), start: START, rate_hz: 2, damaged }.log();
    let whole = samples(&log(false).bytes);
    assert_eq!(whole.len(), 7200);
    let damaged = samples(&log(true).bytes);
    assert!(damaged.len() < 7200);
    let (whole, damaged) = (legs_of(&whole, &Car::default()), legs_of(&damaged, &Car::default()));
    let (whole, damaged) = (trips(&whole), trips(&damaged));
    assert_eq!(whole.len(), damaged.len());
    for (a, b) in whole.iter().zip(&damaged) {
        assert!((a.distance_m - b.distance_m).abs() < a.distance_m * 0.01 + 20.0, "{a:#?} {b:#?}");
        assert!((a.start - b.start).abs() <= 3000 && (a.end - b.end).abs() <= 3000, "{a:#?} {b:#?}");
    }
}

#[test]
fn a_real_drive_is_a_trip_as_long_as_its_points_are_apart() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/nmea/switzerland-drive.nmea.gz");
    let Ok(packed) = fs::read(&path) else {
        eprintln!("no recorded drive in ../shared/data/nmea: the simulated ones alone are driven");
        return;
    };
    let mut log = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut log).unwrap();
    let mut samples = samples(&log);
    assert_eq!(samples.len(), 10_327);
    let legs = legs_of(&samples, &Car::default());
    let driven = trips(&legs);
    // Hägendorf to Aigle, seven and a half minutes by the road, and up to Montana.
    assert_eq!(driven.len(), 2, "{legs:#?}");
    let pause = stops(&legs)[1];
    assert!((pause.end.unwrap() - pause.start - 459_000).abs() < 5000, "{pause:?}");
    let points: Vec<_> = samples.iter().map(point).collect();
    let sum_m: f64 = points.windows(2).map(|pair| pair[0].distance_m(pair[1])).sum();
    let distance_m: f64 = driven.iter().map(|trip| trip.distance_m).sum();
    assert!((distance_m - sum_m).abs() < sum_m * 0.003, "{distance_m} of {sum_m}");
    for trip in &driven {
        let way = track::decode(&trip.track).unwrap();
        assert!(way.len() <= 501, "{}", way.len());
        for sample in samples.iter().filter(|sample| (trip.start..=trip.end).contains(&sample.ts)).step_by(7) {
            let off_m = way.windows(2).map(|line| off_m(point(sample), line[0], line[1])).fold(f64::INFINITY, f64::min);
            assert!(off_m < 50.0, "{off_m} m off at {}", sample.ts);
        }
    }

    // The same without speeds, once in ten seconds.
    samples.iter_mut().for_each(|sample| (sample.gspd, sample.hdg) = (None, None));
    let sparse: Vec<_> = samples.into_iter().step_by(10).collect();
    let legs = legs_of(&sparse, &Car::default());
    assert_eq!(trips(&legs).len(), 2, "{legs:#?}");
    let sparse_m: f64 = trips(&legs).iter().map(|trip| trip.distance_m).sum();
    assert!((sparse_m - distance_m).abs() < distance_m * 0.01, "{sparse_m} of {distance_m}");
}

fn point(sample: &Sample) -> Point {
    Point { lat: sample.lat.expect("a latitude"), lon: sample.lon.expect("a longitude") }
}

/// How far a point is off a line, on flat ground.
fn off_m(at: Point, from: Point, to: Point) -> f64 {
    let scale = at.lat.to_radians().cos();
    let plane = |p: Point| ((p.lon - from.lon) * scale * 111_195.0, (p.lat - from.lat) * 111_195.0);
    let ((x, y), (dx, dy)) = (plane(at), plane(to));
    let along = ((x * dx + y * dy) / (dx * dx + dy * dy).max(1e-9)).clamp(0.0, 1.0);
    (x - along * dx).hypot(y - along * dy)
}
