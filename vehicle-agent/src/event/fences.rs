use std::hash::{DefaultHasher, Hash, Hasher};

use bugbrother_wire::{
    area::border_m,
    message::{EventKind, Geofence, Shape},
};

use super::{Limits, manoeuvre::rounded, row::Row, situation::Situation, snapshot::Known};
use crate::outbox::Happening;

/// Two positions say the same, and so far apart: a reflection off a wall lasts for one.
const FIXES: u32 = 2;
const HELD_MS: u64 = 900;
const DEFAULT_MARGIN_M: f64 = 15.0;
/// The contract's limit of a text.
const LONGEST_TEXT: usize = bugbrother_wire::codec::MAX_TEXT;

/// Areas that are entered and left.
#[derive(Debug, Default)]
pub(super) struct Fences(Vec<Fence>);

#[derive(Debug)]
struct Fence {
    area: Geofence,
    inside: Option<bool>,
    /// The event that there will be if the next positions say the same, and how many have.
    change: Option<Change>,
}

#[derive(Debug)]
struct Change {
    inside: bool,
    since: u64,
    fixes: u32,
    event: Happening,
}

impl Fences {
    pub fn set(&mut self, areas: Vec<Geofence>) {
        let known = self.known();
        self.0 = areas.into_iter().map(|area| Fence { area, inside: None, change: None }).collect();
        self.restore(&known);
    }

    pub fn take(&mut self, row: &Row, now: &Situation, limits: &Limits, out: &mut Vec<Happening>) {
        if now.private {
            // What is crossed unseen is not told afterwards either.
            for fence in &mut self.0 {
                (fence.inside, fence.change) = (None, None);
            }
            return;
        }
        let Some(place) = row.place else { return };
        let margin_m = limits.geofence_margin.unwrap_or(DEFAULT_MARGIN_M) + place.accuracy_m;
        for fence in &mut self.0 {
            let border_m = border_m(&fence.area.shape, (place.lat, place.lon));
            let inside = if border_m <= 0.0 {
                Some(true)
            } else if border_m > margin_m {
                Some(false)
            } else {
                None
            };
            out.extend(fence.step(inside, row, now));
        }
    }

    /// What is known of each area.
    pub fn known(&self) -> Vec<Known> {
        let known = |fence: &Fence| {
            let Geofence { id, shape, .. } = &fence.area;
            fence.inside.map(|inside| Known { id: id.clone(), shape: fingerprint(shape), inside })
        };
        self.0.iter().filter_map(known).collect()
    }

    /// Takes over what is known of areas that are still the same.
    pub fn restore(&mut self, known: &[Known]) {
        for fence in &mut self.0 {
            let shape = fingerprint(&fence.area.shape);
            let same = known.iter().find(|known| known.id == fence.area.id && known.shape == shape);
            fence.inside = same.map(|known| known.inside).or(fence.inside);
        }
    }

    pub fn forget(&mut self) {
        self.0.iter_mut().for_each(|fence| fence.change = None);
    }
}

impl Fence {
    fn step(&mut self, inside: Option<bool>, row: &Row, now: &Situation) -> Option<Happening> {
        let Some(inside) = inside.filter(|inside| self.inside != Some(*inside)) else {
            self.change = None;
            return None;
        };
        if self.change.as_ref().is_some_and(|change| change.inside != inside || row.at < change.since) {
            self.change = None;
        }
        let change = self.change.get_or_insert_with(|| {
            let kind = if inside { EventKind::GeofenceEnter } else { EventKind::GeofenceLeave };
            let mut event = now.event(kind, row.at);
            event.text = Some(text(&self.area));
            event.values.extend(row.gspd.map(|gspd| ("gspd".to_owned(), rounded(gspd))));
            Change { inside, since: row.at, fixes: 0, event }
        });
        change.fixes += 1;
        if change.fixes < FIXES || row.at - change.since < HELD_MS {
            return None;
        }
        // Where it was before is not known at first: to be somewhere is no crossing.
        let crossed = self.inside.replace(inside).is_some();
        self.change.take().filter(|_| crossed).map(|change| change.event)
    }
}

/// `id: name`
fn text(area: &Geofence) -> String {
    let mut text = format!("{}: {}", area.id, area.name);
    let end = (0..=LONGEST_TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
    text
}

/// The same for the same shape. Should it differ after an update, the area is as new.
fn fingerprint(shape: &Shape) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut hash = |point: &(f64, f64)| (point.0.to_bits(), point.1.to_bits()).hash(&mut hasher);
    match shape {
        Shape::Circle { centre, radius_m } => {
            hash(centre);
            hash(&(*radius_m, 0.0));
        }
        Shape::Polygon(ring) => ring.iter().for_each(hash),
        Shape::Corridor { line, width_m } => {
            hash(&(*width_m, 1.0));
            line.iter().for_each(hash);
        }
    }
    hasher.finish()
}
