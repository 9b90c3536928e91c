//! Tracks, GPX 1.1: one for each vehicle, a segment of it for each stretch without a long gap.
//!
//! Speed and course have had no place in GPX since 1.1; they are said by Garmin's TrackPointExtension v2, which QGIS,
//! Garmin's and Strava's programs know, in m/s and degrees.

use std::io::{self, Write};

use bugbrother_wire::UnixMs;

use crate::{
    Column, ExportError, Vehicle,
    position::{Position, find},
    row::{Layout, Row},
};

/// A longer time without a position ends a segment.
pub(crate) const GAP_MS: UnixMs = 10 * 60 * 1000;

/// A line for each point.
pub(crate) struct Gpx {
    position: Position,
    alt: Option<usize>,
    heading: Option<usize>,
    speed_over_ground: Option<usize>,
    speed: Option<usize>,
    satellites: Option<usize>,
    hdop: Option<usize>,
    in_track: bool,
    /// Time of the segment's last point, where a segment has begun.
    last: Option<UnixMs>,
}

impl Gpx {
    pub fn new(columns: &[Column]) -> Result<Self, ExportError> {
        Ok(Gpx {
            position: Position::among(columns, "GPX")?,
            alt: find(columns, "alt"),
            heading: find(columns, "hdg"),
            speed_over_ground: find(columns, "gspd"),
            speed: find(columns, "spd"),
            satellites: find(columns, "sats"),
            hdop: find(columns, "hdop"),
            in_track: false,
            last: None,
        })
    }

    fn end_track(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if self.last.take().is_some() {
            out.write_all(b"</trkseg>\n")?;
        }
        if std::mem::take(&mut self.in_track) {
            out.write_all(b"</trk>\n")?;
        }
        Ok(())
    }
}

impl Layout for Gpx {
    fn head(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        out.write_all(
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
              <gpx version=\"1.1\" creator=\"BugBrother\" xmlns=\"http://www.topografix.com/GPX/1/1\" \
              xmlns:gpxtpx=\"http://www.garmin.com/xmlschemas/TrackPointExtension/v2\">\n",
        )
    }

    fn vehicle(&mut self, vehicle: &Vehicle, out: &mut Vec<u8>) -> io::Result<()> {
        self.end_track(out)?;
        self.in_track = true;
        let name = match (vehicle.name.as_str(), &vehicle.plate) {
            ("", Some(plate)) => plate,
            ("", None) => vehicle.vin.as_str(),
            (name, _) => name,
        };
        out.write_all(b"<trk><name>")?;
        text(name, out);
        write!(out, "</name><desc>VIN {}", vehicle.vin.as_str())?;
        if let Some(plate) = &vehicle.plate {
            out.write_all(b", plate ")?;
            text(plate, out);
        }
        out.write_all(b"</desc>\n")
    }

    fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        let Some((lat, lon)) = self.position.of(row) else { return Ok(()) };
        match self.last {
            None => out.write_all(b"<trkseg>\n")?,
            Some(last) if row.ts - last > GAP_MS => out.write_all(b"</trkseg>\n<trkseg>\n")?,
            Some(_) => (),
        }
        self.last = Some(row.ts);
        // The schema's longitudes end before 180.
        let lon = if lon == 180.0 { -180.0 } else { lon };
        write!(out, "<trkpt lat=\"{lat}\" lon=\"{lon}\">")?;
        // The order is the schema's.
        if let Some(alt) = row.value(self.alt) {
            write!(out, "<ele>{alt}</ele>")?;
        }
        write!(out, "<time>{}</time>", row.time)?;
        // The schema's count has no sign, which -0 would have.
        if let Some(satellites) = row.value(self.satellites).filter(|number| *number >= 0.0) {
            write!(out, "<sat>{:.0}</sat>", satellites.abs())?;
        }
        if let Some(hdop) = row.value(self.hdop) {
            write!(out, "<hdop>{hdop}</hdop>")?;
        }
        let speed_kmh = row.value(self.speed_over_ground).or_else(|| row.value(self.speed));
        let course = row.value(self.heading).filter(|degrees| (0.0..=360.0).contains(degrees));
        if speed_kmh.is_some() || course.is_some() {
            out.write_all(b"<extensions><gpxtpx:TrackPointExtension>")?;
            if let Some(speed_kmh) = speed_kmh {
                write!(out, "<gpxtpx:speed>{:.3}</gpxtpx:speed>", speed_kmh / 3.6)?;
            }
            if let Some(course) = course {
                write!(out, "<gpxtpx:course>{}</gpxtpx:course>", if course == 360.0 { 0.0 } else { course })?;
            }
            out.write_all(b"</gpxtpx:TrackPointExtension></extensions>")?;
        }
        out.write_all(b"</trkpt>\n")
    }

    fn tail(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.end_track(out)?;
        out.write_all(b"</gpx>\n")
    }
}

/// Adds a text as the content of an element. What is no character of XML 1.0 (2.2) becomes U+FFFD.
fn text(value: &str, out: &mut Vec<u8>) {
    let mut utf8 = [0; 4];
    for c in value.chars() {
        out.extend_from_slice(match c {
            '&' => b"&amp;",
            '<' => b"&lt;",
            '>' => b"&gt;",
            // A parser would make it a line feed.
            '\r' => b"&#13;",
            '\t' | '\n' => c.encode_utf8(&mut utf8).as_bytes(),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => "\u{fffd}".as_bytes(),
            _ => c.encode_utf8(&mut utf8).as_bytes(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_escaped_and_what_xml_has_no_word_for_is_replaced() {
        let mut out = Vec::new();
        text("\"<b>\" & 'c' ]]>\u{0}\u{1b}\u{ffff}\r\n", &mut out);
        let written = String::from_utf8(out).unwrap();
        assert_eq!(written, "\"&lt;b&gt;\" &amp; 'c' ]]&gt;\u{fffd}\u{fffd}\u{fffd}&#13;\n");
    }
}
