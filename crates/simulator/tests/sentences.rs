//! What the receiver says, read by a parser that is not ours.

use std::time::Duration;

use bugbrother_simulator::{Car, Drive, NmeaTalker, demo_fleet, nmea_log};
use nmea_parser::{NmeaParser, ParsedMessage, gnss::GgaQualityIndicator};

const START: i64 = 1_790_000_000_000;

/// The sentences of a file whose checksum is right, as a careful reader sees them.
fn whole_sentences(bytes: &[u8]) -> Vec<String> {
    bytes
        .split(|b| *b == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok())
        .map(str::trim_end)
        .filter(|line| {
            let Some((body, sum)) = line.strip_prefix('$').and_then(|l| l.rsplit_once('*')) else {
                return false;
            };
            u8::from_str_radix(sum, 16) == Ok(body.bytes().fold(0, |a, b| a ^ b))
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_sentence_has_its_checksum_and_is_understood() {
    let log = nmea_log(7, Duration::from_secs(120), START);
    let lines = log.bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()).count();
    let sentences = whole_sentences(&log.bytes);
    assert_eq!((lines, sentences.len()), (480, 480));
    assert!(sentences.iter().all(|s| s.len() <= 80), "NMEA 0183 allows 82 characters with the line end");
    let mut parser = NmeaParser::new();
    for sentence in sentences {
        parser.parse_sentence(&sentence).unwrap();
    }
}

#[test]
fn what_is_parsed_back_is_the_fix() {
    let mut car = Car::new(&demo_fleet()[0]);
    let mut talker = NmeaTalker::new(&car);
    let mut parser = NmeaParser::new();
    for second in 0..300 {
        car.step(Duration::from_secs(1));
        let truth = car.reading();
        let fix = talker.fix(&truth, START + second * 1000 + 250);
        assert!(fix.point.distance_m(truth.point) < 4.5);
        for sentence in whole_sentences(NmeaTalker::sentences(&fix).as_bytes()) {
            match parser.parse_sentence(&sentence).unwrap() {
                ParsedMessage::Rmc(rmc) => {
                    assert!((rmc.latitude.unwrap() - fix.point.lat).abs() < 1e-9);
                    assert!((rmc.longitude.unwrap() - fix.point.lon).abs() < 1e-9);
                    assert!((rmc.sog_knots.unwrap() * 1.852 - fix.speed_kmh).abs() < 1e-6);
                    assert_eq!(rmc.bearing, fix.heading_deg);
                    assert_eq!(rmc.status_active, Some(true));
                    assert_eq!(rmc.timestamp.unwrap().timestamp(), fix.time / 1000);
                    assert!(sentence.contains(".25,A,"), "{sentence}");
                }
                ParsedMessage::Gga(gga) => {
                    assert_eq!(gga.quality, GgaQualityIndicator::GpsFix);
                    assert_eq!(gga.satellite_count, Some(fix.satellites));
                    assert_eq!(gga.hdop, Some(fix.hdop));
                    assert!((gga.altitude.unwrap() - fix.alt_m).abs() < 1e-9);
                }
                ParsedMessage::Gsa(gsa) => assert_eq!(gsa.prn_numbers.len(), usize::from(fix.satellites)),
                ParsedMessage::Vtg(vtg) => assert!((vtg.sog_kph.unwrap() - fix.speed_kmh).abs() < 1e-3),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn the_receiver_errs_by_metres_and_does_not_jump() {
    let mut car = Car::new(&demo_fleet()[6]);
    let mut talker = NmeaTalker::new(&car);
    let errors: Vec<f64> = (0..180)
        .map(|second| {
            car.step(Duration::from_secs(1));
            talker.fix(&car.reading(), START + second * 1000).point.distance_m(car.reading().point)
        })
        .collect();
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!((0.3..3.0).contains(&mean), "{mean}");
    assert!(errors.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 2.0));
}

#[test]
fn a_log_knows_how_many_fixes_it_holds_and_the_last_of_them() {
    for damaged in [false, true] {
        let drive = Drive { seed: 3, duration: Duration::from_secs(400), start: START, rate_hz: 5, damaged };
        let log = drive.log();
        let mut parser = NmeaParser::new();
        let (mut active, mut positioned, mut last) = (0, 0, None);
        for sentence in whole_sentences(&log.bytes).iter().filter(|s| !s.starts_with("$GPTXT")) {
            match parser.parse_sentence(sentence).unwrap() {
                ParsedMessage::Rmc(rmc) if rmc.status_active == Some(true) => {
                    active += 1;
                    last = rmc.latitude.zip(rmc.longitude);
                }
                ParsedMessage::Gga(gga) if gga.quality == GgaQualityIndicator::GpsFix => positioned += 1,
                _ => {}
            }
        }
        assert_eq!((active, positioned), (log.valid_fixes, log.valid_fixes));
        let expected = log.last.unwrap().point;
        let (lat, lon) = last.unwrap();
        assert!((lat - expected.lat).abs() < 1e-9 && (lon - expected.lon).abs() < 1e-9);
        assert_eq!(log.valid_fixes < 2000, damaged, "{}", log.valid_fixes);
    }
}

#[test]
fn the_same_seed_writes_the_same_file() {
    let of = |seed| nmea_log(seed, Duration::from_secs(60), START).bytes;
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(9));
}
