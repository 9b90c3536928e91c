//! What of the map's state lives in the URL.

use bugbrother_wire::Vin;
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

    /// With following on or off.
    pub fn with_following(mut self, on: bool) -> Self {
        self.follow = on.then(|| "1".to_owned());
        self
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
    fn another_selection_is_not_followed() {
        let vin = |text: &str| text.parse::<Vin>().ok();
        let query = Query::default().with_selected(vin("TMBJF7NE0L0000001")).with_following(true);
        assert!(query.is_following());
        assert!(!query.clone().with_selected(vin("TMBJF7NE0L0000002")).is_following());
        assert!(query.with_filter(Filter::Idle).is_following());
    }
}
