//! What of the map's state lives in the URL.

use bugbrother_wire::{CameraId, Vin};
use serde::{Deserialize, Serialize};

use crate::{fleet::Filter, geo::Point};

/// The query of the map's page.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Query {
    /// VIN of the selected vehicle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    v: Option<String>,
    /// Word of the filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<String>,
    /// Text of the search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    q: Option<String>,
    /// Latitude, longitude and zoom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    m: Option<String>,
    /// `1`: the map follows the selection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    follow: Option<String>,
    /// Key of the signal by which vehicles are coloured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<String>,
    /// `0`: geofences are hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    g: Option<String>,
}

impl Query {
    /// A map with this vehicle selected.
    pub fn of(vin: Vin) -> Self {
        Query::default().with_selected(Some(vin))
    }

    /// The selected vehicle.
    pub fn selected(&self) -> Option<Vin> {
        self.v.as_deref()?.parse().ok()
    }

    /// With another selection; following ends with it.
    pub fn with_selected(mut self, vin: Option<Vin>) -> Self {
        if vin != self.selected() {
            self.follow = None;
        }
        self.v = vin.map(|vin| vin.to_string());
        self
    }

    /// The list's filter.
    pub fn filter(&self) -> Filter {
        self.f.as_deref().map(Filter::from_word).unwrap_or_default()
    }

    /// With another filter.
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.f = (filter != Filter::All).then(|| filter.word().to_owned());
        self
    }

    /// The list's search.
    pub fn search(&self) -> &str {
        self.q.as_deref().unwrap_or_default()
    }

    /// With another search.
    pub fn with_search(mut self, text: &str) -> Self {
        self.q = (!text.is_empty()).then(|| text.to_owned());
        self
    }

    /// Centre and zoom of the map.
    pub fn view(&self) -> Option<(Point, f64)> {
        let mut numbers = self.m.as_deref()?.split(',').map(|text| text.parse::<f64>().ok().filter(|v| v.is_finite()));
        let (lat, lon, zoom) = (numbers.next()??, numbers.next()??, numbers.next()??);
        (lat.abs() <= 85.0 && lon.abs() <= 540.0 && (0.0..=20.0).contains(&zoom))
            .then(|| (Point::from_degrees(lat, lon), zoom))
    }

    /// With another view, as precise as its zoom.
    pub fn with_view(mut self, center: Point, zoom: f64) -> Self {
        let (lat, lon) = center.to_degrees();
        let digits = (zoom / 3.3).ceil().clamp(1.0, 6.0) as usize;
        self.m = Some(format!("{lat:.digits$},{lon:.digits$},{zoom:.2}"));
        self
    }

    /// Whether the map follows the selection.
    pub fn is_following(&self) -> bool {
        self.follow.as_deref() == Some("1") && self.selected().is_some()
    }

    /// The signal by which vehicles are coloured, where it is not what they do.
    pub fn colour(&self) -> Option<&str> {
        self.c.as_deref().filter(|key| bugbrother_wire::signal::is_key(key))
    }

    /// With another one.
    pub fn with_colour(mut self, key: Option<&str>) -> Self {
        self.c = key.map(str::to_owned);
        self
    }

    /// Whether geofences are shown.
    pub fn shows_areas(&self) -> bool {
        self.g.as_deref() != Some("0")
    }

    /// With geofences or without.
    pub fn with_areas(mut self, on: bool) -> Self {
        self.g = (!on).then(|| "0".to_owned());
        self
    }

    /// With following on or off.
    pub fn with_following(mut self, on: bool) -> Self {
        self.follow = on.then(|| "1".to_owned());
        self
    }
}

/// The query of a vehicle's page.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VehicleQuery {
    /// Word of the tab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tab: Option<String>,
    /// When the trip began that is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trip: Option<i64>,
    /// Word of the span: `1h`, `today`, `7d`, `30d`, or two moments with a `-` between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<String>,
    /// Keys of the signals that are drawn, with commas between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signals: Option<String>,
}

/// A span of time that a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Period {
    /// The last hour, and it goes on.
    #[default]
    Hour,
    /// Since midnight, and it goes on.
    Today,
    /// The last seven days.
    Week,
    /// The last thirty days.
    Month,
    /// From a moment to another.
    Between(i64, i64),
}

/// Those that have a word.
pub const PERIODS: [Period; 4] = [Period::Hour, Period::Today, Period::Week, Period::Month];
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

impl Period {
    /// Its word in the address.
    pub fn word(self) -> String {
        match self {
            Period::Hour => "1h".to_owned(),
            Period::Today => "today".to_owned(),
            Period::Week => "7d".to_owned(),
            Period::Month => "30d".to_owned(),
            Period::Between(from, to) => format!("{from}-{to}"),
        }
    }

    /// The one with that word; what is none is the last hour.
    pub fn of_word(word: Option<&str>) -> Self {
        let word = word.unwrap_or_default();
        if let Some(period) = PERIODS.into_iter().find(|period| period.word() == word) {
            return period;
        }
        let between = word.split_once('-').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        between
            .filter(|(from, to)| 0 <= *from && from < to)
            .map_or(Period::Hour, |(from, to)| Period::Between(from, to))
    }

    /// From when to when; `midnight` is the last one.
    pub fn span(self, now: i64, midnight: i64) -> (i64, i64) {
        match self {
            Period::Hour => (now - HOUR_MS, now),
            Period::Today => (midnight, now.max(midnight + HOUR_MS)),
            Period::Week => (now - 7 * DAY_MS, now),
            Period::Month => (now - 30 * DAY_MS, now),
            Period::Between(from, to) => (from, to),
        }
    }

    /// Whether it ends now.
    pub fn is_live(self) -> bool {
        !matches!(self, Period::Between(..))
    }
}

/// Most cameras on the video wall.
pub const MAX_SEEN: usize = 9;

/// The query of the video wall.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WallQuery {
    /// `VIN.camera`, with commas between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    see: Option<String>,
}

impl WallQuery {
    /// The cameras that are chosen, each once, in their order.
    pub fn seen(&self) -> Vec<(Vin, CameraId)> {
        let parts = self.see.as_deref().unwrap_or_default().split(',').filter_map(|part| {
            let (vin, camera) = part.split_once('.')?;
            Some((vin.parse().ok()?, CameraId::try_from(camera.to_owned()).ok()?))
        });
        let mut seen = Vec::new();
        for part in parts {
            if seen.len() < MAX_SEEN && !seen.contains(&part) {
                seen.push(part);
            }
        }
        seen
    }

    /// With that camera chosen, or no longer.
    pub fn with(&self, vin: Vin, camera: &CameraId, on: bool) -> Self {
        let mut seen = self.seen();
        seen.retain(|(seen_vin, seen)| (*seen_vin, seen) != (vin, camera));
        if on && seen.len() < MAX_SEEN {
            seen.push((vin, camera.clone()));
        }
        let text: Vec<_> = seen.iter().map(|(vin, camera)| format!("{vin}.{camera}")).collect();
        WallQuery { see: (!text.is_empty()).then(|| text.join(",")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_is_found_again_where_it_was_left() {
        let center = Point::from_degrees(46.5197, 6.6323);
        let (found, zoom) = Query::default().with_view(center, 13.5).view().unwrap();
        assert_eq!(zoom, 13.5);
        assert!(found.distance(center) * 40_075_016.7 < 10.0);
    }

    #[test]
    fn what_somebody_wrote_into_the_address_does_no_harm() {
        for m in ["", "1,2", "x,y,z", "NaN,1,2", "1e9,0,5", "46,7,99", "46,7,-3"] {
            assert_eq!(Query { m: Some(m.to_owned()), ..Query::default() }.view(), None, "{m}");
        }
        let query = Query {
            v: Some("no vin".to_owned()),
            f: Some("?".to_owned()),
            follow: Some("1".to_owned()),
            ..Query::default()
        };
        assert_eq!((query.selected(), query.filter(), query.is_following()), (None, Filter::All, false));
    }

    #[test]
    fn a_period_is_found_again_by_its_word() {
        for period in PERIODS.into_iter().chain([Period::Between(5, 9)]) {
            assert_eq!(Period::of_word(Some(&period.word())), period);
        }
        for bad in [None, Some(""), Some("9-5"), Some("x-y"), Some("-5-9"), Some("forever")] {
            assert_eq!(Period::of_word(bad), Period::Hour, "{bad:?}");
        }
        assert_eq!(Period::Today.span(5 * HOUR_MS, 0), (0, 5 * HOUR_MS));
        assert_eq!(Period::Today.span(60_000, 0), (0, HOUR_MS), "just after midnight there is something to see");
        assert_eq!(Period::Week.span(8 * DAY_MS, 0), (DAY_MS, 8 * DAY_MS));
    }

    #[test]
    fn another_selection_is_not_followed() {
        let vin = |text: &str| text.parse::<Vin>().ok();
        let query = Query::default().with_selected(vin("TMBJF7NE0L0000001")).with_following(true);
        assert!(query.is_following());
        assert!(!query.clone().with_selected(vin("TMBJF7NE0L0000002")).is_following());
        assert!(query.with_filter(Filter::Idle).is_following());
    }

    #[test]
    fn the_wall_shows_what_is_chosen_once_and_no_more_than_fits() {
        let vin: Vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        let camera = |name: &str| CameraId::try_from(name.to_owned()).unwrap();
        let mut query = WallQuery::default();
        for number in 0..20 {
            query = query.with(vin, &camera(&format!("c{}", number / 2)), true);
        }
        assert_eq!(query.seen().len(), MAX_SEEN);
        assert_eq!(query.seen()[0], (vin, camera("c0")));
        let less = query.with(vin, &camera("c0"), false);
        assert!(!less.seen().contains(&(vin, camera("c0"))));
        let rubbish = WallQuery { see: Some("x,.,WVWZZZ1JZ3W386752.front,WVWZZZ1JZ3W386752.front,é.é".to_owned()) };
        assert_eq!(rubbish.seen(), [(vin, camera("front"))]);
        assert_eq!(rubbish.with(vin, &camera("front"), false), WallQuery::default());
    }
}
