//! Tracks, read by an XML parser.

use crate::drives::{Drive, drives, export, kept};
use bugbrother_export::Format;
use proptest::prelude::*;
use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};

/// A track as it was read.
#[derive(Debug, Default, PartialEq)]
struct Track {
    name: String,
    segments: Vec<Vec<Point>>,
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Point {
    lat: f64,
    lon: f64,
    ele: Option<f64>,
    speed_ms: Option<f64>,
}

/// Reads a document; panics where it is not well-formed.
fn read(document: &str) -> Vec<Track> {
    let mut reader = Reader::from_str(document);
    reader.config_mut().check_comments = true;
    let (mut tracks, mut text) = (Vec::<Track>::new(), String::new());
    let mut depth = 0;
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => {
                depth += 1;
                text.clear();
                let value =
                    |name: &str| -> f64 { tag.try_get_attribute(name).unwrap().unwrap().value.parse().unwrap() };
                match tag.name().as_ref() {
                    "trk" => tracks.push(Track::default()),
                    "trkseg" => tracks.last_mut().unwrap().segments.push(Vec::new()),
                    "trkpt" => {
                        let point = Point { lat: value("lat"), lon: value("lon"), ..Point::default() };
                        tracks.last_mut().unwrap().segments.last_mut().unwrap().push(point);
                    }
                    _ => (),
                }
            }
            Event::End(tag) => {
                depth -= 1;
                let point = tracks.last_mut().and_then(|t| t.segments.last_mut()).and_then(|s| s.last_mut());
                match tag.name().as_ref() {
                    "name" => tracks.last_mut().unwrap().name = text.clone(),
                    "ele" => point.unwrap().ele = Some(text.parse().unwrap()),
                    "gpxtpx:speed" => point.unwrap().speed_ms = Some(text.parse().unwrap()),
                    "gpxtpx:course" => assert!((0.0..360.0).contains(&text.parse().unwrap()), "{text}"),
                    "sat" => assert!(text.bytes().all(|c| c.is_ascii_digit()), "{text}"),
                    _ => (),
                }
            }
            Event::Text(part) => text.push_str(&part.xml10_content()),
            Event::GeneralRef(entity) => match entity.resolve_char_ref().unwrap() {
                Some(c) => text.push(c),
                None => text.push_str(resolve_predefined_entity(&entity).unwrap()),
            },
            Event::Decl(_) => (),
            Event::Eof => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(depth, 0, "an element has no end");
    tracks
}

/// The track that a drive ought to be.
fn track(drive: &Drive) -> Track {
    let legal = |c: char| match c {
        '\t' | '\n' | '\r' => c,
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        _ => c,
    };
    let vehicle = &drive.vehicle;
    let name = if !vehicle.name.is_empty() { Some(&vehicle.name) } else { vehicle.plate.as_ref() };
    let name = name.cloned().unwrap_or_else(|| vehicle.vin.to_string()).chars().map(legal).collect();
    let mut segments: Vec<Vec<Point>> = Vec::new();
    let mut last = None;
    for (ts, values) in &drive.rows {
        let values = values.map(kept);
        let (Some(lat), Some(lon)) = (values[0], values[1]) else { continue };
        if lat.abs() > 90.0 || lon.abs() > 180.0 {
            continue;
        }
        if last.is_none_or(|last| ts - last > 600_000) {
            segments.push(Vec::new());
        }
        last = Some(*ts);
        let speed_kmh = values[3].or(values[6]);
        let speed_ms = speed_kmh.map(|kmh| format!("{:.3}", kmh / 3.6).parse().unwrap());
        let lon = if lon == 180.0 { -180.0 } else { lon };
        segments.last_mut().unwrap().push(Point { lat, lon, ele: values[2], speed_ms });
    }
    Track { name, segments }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gpx_reads_back_as_the_tracks_with_segments_between_gaps(drives in drives()) {
        let document = String::from_utf8(export(Format::Gpx, &drives).unwrap()).unwrap();
        // XML 1.0, 2.2; the parser does not look.
        let is_illegal = |c| matches!(c, '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
        prop_assert!(!document.contains(is_illegal));
        prop_assert_eq!(read(&document), drives.iter().map(track).collect::<Vec<_>>());
    }
}
