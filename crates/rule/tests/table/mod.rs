//! Tables of (time, what is heard, what changes) and the vehicle that they are tried on.
#![allow(dead_code, reason = "each test uses some of it")]

use bugbrother_rule::{Books, Case, Evidence, Fences, Hearing, Member, Moment, News, Place, Plan, Slots, Transition};
use bugbrother_wire::{
    Epoch, EventId, SCHEMA_VERSION, Seq, UnixMs, Vin,
    message::{Diagnostics, Dtc, DtcStatus, Event, EventKind, Monitor, Shape},
    rule::Condition,
};
use uuid::Uuid;

/// Monday, 6 July 2026, 10:00 in Zurich.
pub const T0: UnixMs = 1_783_324_800_000;
pub const DEPOT: Place = (46.52, 6.62);

pub fn golf() -> Vin {
    "WVWZZZ1JZ3W386752".parse().expect("it is a VIN")
}

/// A circle of 500 m about the depot, and a square of the town to the west of it.
pub fn fences() -> Fences {
    let town = vec![(46.51, 6.50), (46.53, 6.50), (46.53, 6.55), (46.51, 6.55)];
    [
        ("depot".to_owned(), "Depot".to_owned(), Shape::Circle { centre: DEPOT, radius_m: 500.0 }),
        ("town".to_owned(), "Town".to_owned(), Shape::Polygon(town)),
    ]
    .into_iter()
    .collect()
}

/// A place so many metres to the east of the depot.
pub fn east(metres: f64) -> Place {
    (DEPOT.0, DEPOT.1 + metres / (111_195.0 * DEPOT.0.to_radians().cos()))
}

/// A condition on a vehicle.
pub struct Bench {
    pub plan: Plan,
    pub case: Case,
    pub slots: Slots,
    pub member: Member,
    pub hearing: Hearing,
    place: Option<Place>,
}

impl Bench {
    pub fn new(condition: &Condition) -> Self {
        assert_eq!(bugbrother_rule::check(condition), Ok(()), "{condition:?}");
        let mut slots = Slots::default();
        let plan = Plan::new(condition, &fences(), &mut slots);
        let member = Member { class: Some("Van".into()), tank_l: Some(80.0) };
        Bench { case: plan.fresh(), plan, slots, member, hearing: Hearing::default(), place: None }
    }

    pub fn sample(&mut self, second: f64, values: &[(&str, f64)]) -> Option<Transition> {
        let mut row = vec![None; self.slots.keys().len()];
        for (key, value) in values {
            if let Some(slot) = self.slots.find(key) {
                row[slot] = Some(*value);
            }
        }
        self.place = row[0].zip(row[1]).or(self.place);
        self.step(second, News::Sample(&row))
    }

    pub fn at(&mut self, second: f64, (lat, lon): Place) -> Option<Transition> {
        self.sample(second, &[("lat", lat), ("lon", lon)])
    }

    pub fn step(&mut self, second: f64, news: News<'_>) -> Option<Transition> {
        let ts = ms(second);
        if !self.plan.hears(&news) {
            return None;
        }
        let moment = Moment { ts, news, place: self.place, member: &self.member, hearing: self.hearing };
        self.case.step(&self.plan, &moment, ts)
    }

    pub fn event(&mut self, second: f64, kind: EventKind) -> Option<Transition> {
        self.step(second, News::Event(&event(second, kind)))
    }

    pub fn books(&mut self, second: f64, books: &Books) -> Option<Transition> {
        self.step(second, News::Books(books))
    }

    pub fn time(&mut self, second: f64) -> Option<Transition> {
        self.step(second, News::Time)
    }

    pub fn codes(&mut self, second: f64, codes: &[(&str, DtcStatus)]) -> Option<Transition> {
        let mut picture = picture(second);
        picture.dtcs =
            codes.iter().map(|(code, status)| Dtc { code: (*code).into(), status: *status, ecu: None }).collect();
        self.step(second, News::Diagnostics(&picture))
    }

    pub fn evidence(&self) -> Evidence<'_> {
        self.case.evidence(&self.plan)
    }

    /// The same after a restart: what is stored is all that is left.
    pub fn restart(&mut self) {
        let stored = serde_json::to_string(&self.case).expect("it can be stored");
        self.case = serde_json::from_str(&stored).expect("it can be read");
        assert!(self.plan.fits(&self.case));
    }
}

pub fn ms(second: f64) -> UnixMs {
    T0 + (second * 1000.0).round() as i64
}

pub fn opened(second: f64) -> Option<Transition> {
    Some(Transition::Opened(ms(second)))
}

pub fn resolved(second: f64) -> Option<Transition> {
    Some(Transition::Resolved(ms(second)))
}

pub fn event(second: f64, kind: EventKind) -> Event {
    Event {
        v: SCHEMA_VERSION,
        vin: golf(),
        epoch: Epoch(1),
        seq: Seq(1),
        id: EventId(Uuid::from_u128(ms(second).unsigned_abs().into())),
        at: ms(second),
        kind,
        lat: None,
        lon: None,
        values: [].into(),
        text: None,
    }
}

pub fn picture(second: f64) -> Diagnostics {
    Diagnostics {
        v: SCHEMA_VERSION,
        vin: golf(),
        epoch: Epoch(1),
        seq: Seq(1),
        at: ms(second),
        mil: None,
        dtcs: vec![],
        monitors: vec![],
        freeze_frame: None,
    }
}

pub fn monitors(complete: &[(&str, bool)]) -> Vec<Monitor> {
    complete.iter().map(|(name, complete)| Monitor { name: (*name).into(), complete: *complete }).collect()
}
