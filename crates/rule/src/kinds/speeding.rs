//! Faster than one may drive there.

use std::sync::Arc;

use bugbrother_wire::{message::AlertCause, rule::Speeding as Spec};
use serde::{Deserialize, Serialize};

use crate::{
    Change, Fence, Fences, Moment, News, Note, Side, Threshold, Watch, hold,
    hold::{Held, Hold},
    moment::{GSPD, Place, SPD},
};

/// Limits of which the lowest that applies counts.
#[derive(Debug, Clone)]
pub struct Speeding {
    limit_kmh: Option<f64>,
    areas: Vec<(Arc<Fence>, f64)>,
    classes: Vec<(String, f64)>,
    lowest_kmh: f64,
    /// On how much too fast it is.
    threshold: Threshold,
}

/// What is remembered of a vehicle.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Driven {
    watch: Watch,
    /// The limit that counted last.
    limit_kmh: f64,
}

impl Speeding {
    pub fn new(spec: &Spec, fences: &Fences) -> Self {
        let areas = spec.areas.iter().filter_map(|area| Some((fences.find(&area.geofence)?, area.limit_kmh)));
        Speeding {
            limit_kmh: spec.limit_kmh,
            areas: areas.collect(),
            classes: spec.classes.iter().map(|one| (one.class.trim().to_lowercase(), one.limit_kmh)).collect(),
            lowest_kmh: spec.lowest_kmh().unwrap_or(f64::INFINITY),
            threshold: Threshold { side: Side::Above, on: 0.0, off: -spec.below_kmh, for_ms: i64::from(spec.for_ms) },
        }
    }

    pub fn step(&self, driven: &mut Driven, held: &mut Held, moment: &Moment<'_>) -> Option<Note> {
        let News::Sample(values) = moment.news else { return None };
        let (rank, kmh) = match (values[SPD], values[GSPD]) {
            (Some(kmh), _) => (0, kmh),
            (None, kmh) => (1, kmh?),
        };
        let (limit_kmh, fence) = self.limit(kmh, moment.place, moment.member.class.as_deref());
        let change = driven.watch.step(self.threshold, moment.ts, (rank, kmh - limit_kmh))?;
        let beside = |over: f64| (Some(over + limit_kmh), Some(limit_kmh));
        match change {
            Change::Opened { since, worst } => {
                let (value, limit) = beside(worst);
                let cause = AlertCause { geofence: fence.map(|fence| fence.name.clone()), ..AlertCause::default() };
                driven.limit_kmh = limit_kmh;
                *held = Some(Box::new(Hold { since, value, limit, cause }));
                Some(Note::Began)
            }
            Change::Recurred { worst } | Change::Worsened { worst } => {
                let hold = held.as_mut()?;
                // Of what was worse before, the limit of then is what it is measured against.
                if kmh - limit_kmh >= worst {
                    (hold.value, hold.limit) = beside(worst);
                    hold.cause.geofence = fence.map(|fence| fence.name.clone());
                    driven.limit_kmh = limit_kmh;
                }
                Some(if matches!(change, Change::Recurred { .. }) { Note::Recurred } else { Note::Worsened })
            }
            Change::Resolved { .. } => hold::end(held, moment.ts),
        }
    }

    pub fn resume(&self, value: Option<f64>, limit: Option<f64>) -> Driven {
        let over = value.zip(limit).map_or(0.0, |(value, limit)| value - limit);
        Driven { watch: Watch::resumed(over), limit_kmh: limit.unwrap_or_default() }
    }

    /// How fast one may drive at a place, and in which area that is so.
    fn limit(&self, kmh: f64, place: Option<Place>, class: Option<&str>) -> (f64, Option<&Fence>) {
        let of_class = class.and_then(|class| {
            let class = class.trim().to_lowercase();
            self.classes.iter().find(|(of, _)| *of == class).map(|(_, limit)| *limit)
        });
        let general = of_class.or(self.limit_kmh).unwrap_or(f64::INFINITY);
        // Who is slower than every limit is not too fast anywhere: where it is need not be looked up.
        if kmh <= self.lowest_kmh + self.threshold.off {
            return (general.min(self.lowest_kmh), None);
        }
        let here = self.areas.iter().filter(|(fence, _)| place.is_some_and(|place| fence.holds(place)));
        let lowest = here.min_by(|(_, a), (_, b)| a.total_cmp(b));
        match lowest {
            Some((fence, limit)) if *limit < general => (*limit, Some(fence)),
            _ => (general, None),
        }
    }
}
