//! `/api/frontend/vehicles/{vin}/track`: the way that a vehicle took, simplified to what a map shows at a zoom.

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_store::{Question, Samples, StoreError, history::MAX_ROWS};
use bugbrother_trip::{Point, simplify::simplified, tolerance_m};
use bugbrother_wire::{
    UnixMs, Vin,
    api::{Right, Track, TrackLine},
};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::{
    App,
    body::{Params, PathVin},
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
    span::{DAY_MS, Span, invalid_span},
};

/// Longest span of a track.
const MAX_SPAN_MS: i64 = 31 * DAY_MS;
/// Most points of an answer. The lines of the longest span, of two points each, are fewer.
const MAX_POINTS: usize = 10_000;
/// Nobody's map goes deeper.
const MAX_ZOOM: u8 = 24;
/// A street and its neighbours.
const DEFAULT_ZOOM: u8 = 14;
/// A longer time without a position ends a line.
const GAP_MS: UnixMs = 10 * 60 * 1000;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct View {
    zoom: Option<u8>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/vehicles/{vin}/track", Access::May(Right::Watch), show)
        .says("Where a vehicle went in a span")
        .asks::<Span>()
        .asks::<View>()
        .gives::<Track>();
}

pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Params(span): Params<Span>,
    Params(View { zoom }): Params<View>,
) -> Result<Json<Track>, Failure> {
    let (from, to) = span.or_a_day()?;
    if to - from > MAX_SPAN_MS {
        return Err(invalid_span("a track spans at most 31 days; ask for one after the other"));
    }
    let zoom = zoom.unwrap_or(DEFAULT_ZOOM);
    if zoom > MAX_ZOOM {
        return Err(Failure::new(StatusCode::BAD_REQUEST, "invalid_zoom", format!("`zoom` is 0 to {MAX_ZOOM}")));
    }
    caller.sees(&app, vin).await?;
    Ok(Json(read(&app, vin, from, to, zoom).await?.body()))
}

async fn read(app: &App, vin: Vin, from: UnixMs, to: UnixMs, zoom: u8) -> Result<Way, StoreError> {
    let mut way = Way::new(zoom, MAX_POINTS);
    let mut next = Some(from);
    while let Some(from) = next.filter(|from| *from <= to) {
        let question = Question { vin, from, to, signals: Some(&["lat", "lon", "gspd"]) };
        let page = app.config.store.samples(question, MAX_ROWS).await?;
        next = page.next;
        let simplify = spawn_blocking(move || {
            way.extend(&places(&page.samples));
            way
        });
        way = simplify.await.expect("simplifying does not panic");
    }
    Ok(way)
}

/// Where a vehicle was.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    ts: UnixMs,
    at: Point,
    speed_kmh: Option<f64>,
}

impl From<Place> for Point {
    fn from(place: Place) -> Self {
        place.at
    }
}

fn places(samples: &Samples) -> Vec<Place> {
    let [lat, lon, speed] = ["lat", "lon", "gspd"].map(|key| samples.column(key));
    let rows = samples.rows.iter().filter_map(|row| {
        let value = |column: Option<usize>| row.values[column?];
        let at = Point { lat: value(lat)?, lon: value(lon)? };
        Some(Place { ts: row.ts, at, speed_kmh: value(speed) })
    });
    rows.collect()
}

/// A track that grows, and is simplified as it grows.
struct Way {
    zoom: u8,
    /// Half a pixel where it begins, or more where there would be too many points; `None` before it begins.
    tolerance_m: Option<f64>,
    lines: Vec<Vec<Place>>,
    most: usize,
}

impl Way {
    fn new(zoom: u8, most: usize) -> Self {
        Way { zoom, tolerance_m: None, lines: Vec::new(), most }
    }

    /// Goes on with places in the order of time.
    fn extend(&mut self, places: &[Place]) {
        let Some(first) = places.first() else { return };
        let mut tolerance = self.tolerance_m.unwrap_or_else(|| tolerance_m(self.zoom, first.at.lat));
        for part in places.chunk_by(|a, b| b.ts - a.ts <= GAP_MS) {
            match self.lines.last_mut() {
                Some(line) if line.last().is_some_and(|last| part[0].ts - last.ts <= GAP_MS) => {
                    // What was simplified is not simplified again: errors would add up.
                    let mut piece: Vec<Place> = line.pop().into_iter().collect();
                    piece.extend_from_slice(part);
                    line.extend(simplified(&piece, tolerance));
                }
                _ => self.lines.push(simplified(part, tolerance)),
            }
        }
        // But where there is no room. With twice the tolerance each time, errors add up to less than twice the last one.
        while self.points() > self.most && self.lines.iter().any(|line| line.len() > 2) {
            tolerance *= 2.0;
            for line in &mut self.lines {
                *line = simplified(line, tolerance);
            }
        }
        self.tolerance_m = Some(tolerance);
    }

    fn points(&self) -> usize {
        self.lines.iter().map(Vec::len).sum()
    }

    fn body(&self) -> Track {
        let lines = self.lines.iter().map(|line| TrackLine {
            ts: line.iter().map(|place| place.ts).collect(),
            lat: line.iter().map(|place| place.at.lat).collect(),
            lon: line.iter().map(|place| place.at.lon).collect(),
            speed_kmh: line.iter().map(|place| place.speed_kmh).collect(),
        });
        Track { tolerance_m: self.tolerance_m.unwrap_or_default(), lines: lines.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A way that winds about, a place every second.
    fn winding(n: i64) -> Vec<Place> {
        let place = |i: i64| {
            let t = i as f64 * 1e-3;
            let at = Point { lat: 46.5 + t.sin() * 0.05, lon: 6.6 + (t * 3.0).cos() * 0.05 };
            Place { ts: i * 1000, at, speed_kmh: Some(i as f64) }
        };
        (0..n).map(place).collect()
    }

    fn way(pages: &[&[Place]], zoom: u8, most: usize) -> Way {
        let mut way = Way::new(zoom, most);
        pages.iter().for_each(|page| way.extend(page));
        way
    }

    /// How far places are off the lines at most, on a plane: all of it lies within a few kilometres.
    fn off_m(places: &[Place], way: &Way) -> f64 {
        let metres = |point: Point| (point.lon * 111_195.0 * 46.5f64.to_radians().cos(), point.lat * 111_195.0);
        let mut worst = 0.0f64;
        for pair in way.lines.iter().flat_map(|line| line.windows(2)) {
            let ((ax, ay), (bx, by)) = (metres(pair[0].at), metres(pair[1].at));
            let (dx, dy) = (bx - ax, by - ay);
            for place in places.iter().filter(|place| (pair[0].ts + 1..pair[1].ts).contains(&place.ts)) {
                let (x, y) = metres(place.at);
                let share = (((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
                worst = worst.max((x - ax - share * dx).hypot(y - ay - share * dy));
            }
        }
        worst
    }

    #[test]
    fn whatever_the_pages_ends_stay_and_nothing_is_off_by_more_than_is_said() {
        let places = winding(6000);
        for size in [7, 1000, 6000] {
            let pages: Vec<_> = places.chunks(size).collect();
            let way = way(&pages, 12, 10_000);
            let line = &way.lines[0];
            assert_eq!((way.lines.len(), line[0], line[line.len() - 1]), (1, places[0], places[5999]));
            assert!(line.is_sorted_by(|a, b| a.ts < b.ts));
            let off = off_m(&places, &way);
            assert!(off <= way.tolerance_m.unwrap() * 1.01 + 0.1, "{off} m");
        }
        let at_once = way(&[&places], 12, 10_000).points();
        assert!((10..1000).contains(&at_once), "{at_once}");
    }

    #[test]
    fn a_deeper_zoom_keeps_more() {
        let places = winding(6000);
        let counts = [4, 10, 14, 18].map(|zoom| way(&[&places], zoom, 10_000).points());
        assert!(counts.is_sorted() && counts[0] < counts[1] && counts[1] < counts[3], "{counts:?}");
    }

    #[test]
    fn too_many_points_are_thinned_and_it_is_said_how_much() {
        let places = winding(6000);
        let pages: Vec<_> = places.chunks(500).collect();
        let way = way(&pages, 24, 100);
        assert!(way.points() <= 100, "{}", way.points());
        assert!(way.tolerance_m.unwrap() > tolerance_m(24, 46.5));
        assert!(off_m(&places, &way) <= way.tolerance_m.unwrap() * 2.0);
    }

    #[test]
    fn silence_ends_a_line_within_a_page_and_between_two() {
        let mut places = winding(300);
        for place in &mut places[100..] {
            place.ts += GAP_MS;
        }
        for place in &mut places[200..] {
            place.ts += GAP_MS + 1;
        }
        for size in [50, 100, 300] {
            let way = way(&places.chunks(size).collect::<Vec<_>>(), 10, 10_000);
            let ends: Vec<_> = way.lines.iter().map(|line| (line[0].ts, line[line.len() - 1].ts)).collect();
            let at = |i: usize| places[i].ts;
            assert_eq!(ends, [(at(0), at(99)), (at(100), at(199)), (at(200), at(299))], "{size}");
        }
        assert!(way(&[], 10, 10).lines.is_empty());
    }

    #[test]
    fn more_lines_than_there_may_be_points_come_to_an_end_with_two_each() {
        let places: Vec<_> = winding(90)
            .into_iter()
            .map(|place| Place { ts: place.ts / 3000 * 10 * GAP_MS + place.ts, ..place })
            .collect();
        let way = way(&[&places], 24, 10);
        assert_eq!(way.lines.len(), 30);
        assert!(way.lines.iter().all(|line| line.len() == 2));
    }
}
