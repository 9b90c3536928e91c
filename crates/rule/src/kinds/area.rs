//! In an area, or out of it, with hysteresis against the noise of a receiver.

use std::sync::Arc;

use bugbrother_wire::{
    UnixMs,
    area::border_m,
    message::Shape,
    rule::{Area as Spec, AreaMove},
};
use serde::{Deserialize, Serialize};

use crate::{
    Moment, News, Note, hold,
    hold::{Held, Hold},
    moment::{Place, position},
};

/// So far beyond the border one is on the other side.
const MARGIN_M: f64 = 25.0;
/// In small areas the margin is this share of what is across.
const MARGIN_SHARE: f64 = 0.1;
const METRES_PER_DEGREE: f64 = 111_195.0;

/// A geofence.
#[derive(Debug, Clone)]
pub struct Fence {
    /// Its identity.
    pub id: String,
    /// What people call it.
    pub name: String,
    shape: Shape,
    margin_m: f64,
    /// South, west, north and east of which nothing of it lies, margin included; `None` where it crosses the antimeridian.
    bounds: Option<[f64; 4]>,
}

/// The fleet's geofences.
#[derive(Debug, Clone, Default)]
pub struct Fences(Vec<Arc<Fence>>);

impl FromIterator<(String, String, Shape)> for Fences {
    /// Of identity, name and shape of each.
    fn from_iter<I: IntoIterator<Item = (String, String, Shape)>>(fences: I) -> Self {
        Fences(fences.into_iter().map(|(id, name, shape)| Arc::new(Fence::new(id, name, shape))).collect())
    }
}

impl Fences {
    /// The one with that identity.
    pub fn find(&self, id: &str) -> Option<Arc<Fence>> {
        self.0.iter().find(|fence| fence.id == id).cloned()
    }
}

impl Fence {
    fn new(id: String, name: String, shape: Shape) -> Self {
        let (points, beside_m) = match &shape {
            Shape::Circle { centre, radius_m } => (std::slice::from_ref(centre), *radius_m),
            Shape::Polygon(ring) => (ring.as_slice(), 0.0),
            Shape::Corridor { line, width_m } => (line.as_slice(), *width_m),
        };
        let least = |of: fn(&Place) -> f64| points.iter().map(of).fold(f64::INFINITY, f64::min);
        let most = |of: fn(&Place) -> f64| points.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
        let [south, west, north, east] = [least(|p| p.0), least(|p| p.1), most(|p| p.0), most(|p| p.1)];
        let across_m = match &shape {
            Shape::Polygon(_) => (north - south).min((east - west) * north.to_radians().cos()) * METRES_PER_DEGREE,
            _ => 2.0 * beside_m,
        };
        let margin_m = (across_m * MARGIN_SHARE).clamp(0.0, MARGIN_M);
        // A degree to the east is shortest where it is farthest from the equator.
        let pad = (beside_m + margin_m) * 1.01 / METRES_PER_DEGREE;
        let narrow = south.abs().max(north.abs()).min(89.0).to_radians().cos();
        let bounds = [south - pad, west - pad / narrow, north + pad, east + pad / narrow];
        let is_plain = east - west < 180.0 && bounds[1] > -180.0 && bounds[3] < 180.0;
        Fence { id, name, margin_m, bounds: is_plain.then_some(bounds), shape }
    }

    /// Whether a place lies in it.
    pub fn holds(&self, place: Place) -> bool {
        self.is_near(place) && border_m(&self.shape, place) < 0.0
    }

    /// Whether it may lie in it or within the margin of it.
    fn is_near(&self, (lat, lon): Place) -> bool {
        self.bounds
            .is_none_or(|[south, west, north, east]| (south..=north).contains(&lat) && (west..=east).contains(&lon))
    }

    /// Whether somebody is in it who was, or was not, in it before.
    fn still_holds(&self, place: Place, was_in: bool) -> bool {
        if !self.is_near(place) {
            return false;
        }
        border_m(&self.shape, place) < if was_in { self.margin_m } else { -self.margin_m }
    }
}

/// Being in one of some areas, or in none.
#[derive(Debug, Clone)]
pub struct Area {
    when: AreaMove,
    for_ms: i64,
    /// In the order of the rule; those that are gone hold nothing.
    fences: Vec<Option<Arc<Fence>>>,
}

/// What is remembered of a vehicle.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// In which of the areas it is: a bit for each.
    inside: u32,
    /// Whether it is in or out, and since when; nothing before its first position.
    settled: Option<(bool, UnixMs)>,
    /// It was seen to cross the border.
    crossed: bool,
    /// The last position said otherwise: since then. The next one decides, for a single one is a reflection.
    doubt: Option<UnixMs>,
    last_ts: Option<UnixMs>,
    /// The area that it was in last.
    last: Option<u8>,
}

impl Area {
    pub fn new(spec: &Spec, fences: &Fences) -> Self {
        let found = spec.geofences.iter().map(|id| fences.find(id));
        Area { when: spec.when, for_ms: i64::from(spec.for_ms), fences: found.collect() }
    }

    pub fn step(&self, whereabouts: &mut Whereabouts, held: &mut Held, moment: &Moment<'_>) -> Option<Note> {
        match moment.news {
            News::Sample(values) => {
                let place = position(values)?;
                if whereabouts.last_ts.is_some_and(|last| moment.ts <= last) || self.fences.iter().all(Option::is_none)
                {
                    return None;
                }
                whereabouts.last_ts = Some(moment.ts);
                self.locate(whereabouts, place, moment.ts);
            }
            // Who stands in an area says nothing, and stays there.
            News::Time if self.for_ms > 0 => {}
            _ => return None,
        }
        self.judge(whereabouts, held, moment.ts)
    }

    fn locate(&self, whereabouts: &mut Whereabouts, place: Place, ts: UnixMs) {
        let mut inside = 0;
        for (n, fence) in self.fences.iter().enumerate().take(32) {
            let was_in = whereabouts.inside & (1 << n) != 0;
            if fence.as_ref().is_some_and(|fence| fence.still_holds(place, was_in)) {
                inside |= 1 << n;
                whereabouts.last = u8::try_from(n).ok();
            }
        }
        whereabouts.inside = inside;
        let is_in = inside != 0;
        match (whereabouts.settled, whereabouts.doubt) {
            (None, _) => whereabouts.settled = Some((is_in, ts)),
            (Some((was_in, _)), _) if was_in == is_in => whereabouts.doubt = None,
            (Some(_), None) => whereabouts.doubt = Some(ts),
            (Some(_), Some(since)) => {
                whereabouts.settled = Some((is_in, since));
                (whereabouts.crossed, whereabouts.doubt) = (true, None);
            }
        }
    }

    fn judge(&self, whereabouts: &Whereabouts, held: &mut Held, ts: UnixMs) -> Option<Note> {
        let (is_in, since) = whereabouts.settled?;
        let wants_in = matches!(self.when, AreaMove::Enter | AreaMove::Inside);
        let must_cross = matches!(self.when, AreaMove::Enter | AreaMove::Leave);
        if is_in != wants_in {
            return hold::end(held, since);
        }
        if (must_cross && !whereabouts.crossed) || ts - since < self.for_ms {
            return None;
        }
        hold::begin(held, || {
            let mut hold = Hold::since(since);
            let named = whereabouts.last.map_or(0, usize::from);
            hold.cause.geofence = self.fences.get(named).cloned().flatten().map(|fence| fence.name.clone());
            hold
        })
    }
}
