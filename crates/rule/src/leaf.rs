//! A leaf of any kind, and what is remembered of a vehicle for it.

use bugbrother_wire::{UnixMs, rule::Condition};
use serde::{Deserialize, Serialize};

use crate::{
    Fences, Moment, Note, Side, Slots, Watch,
    hold::{Held, Hold},
    kinds::{
        area::{Area, Whereabouts},
        books::Books,
        fuel::{FuelDrop, Tank},
        happening::{Happened, Happening},
        hours::{Hours, Lately},
        limit::Limit,
        silence::Silence,
        speeding::{Driven, Speeding},
        trouble,
        trouble::{Codes, SelfTests, Told},
        unusual::{Unusual, Usual},
    },
    moment::{FUEL, GSPD, LAT, LON, SPD},
};

/// A leaf, ready to be evaluated.
#[derive(Debug, Clone)]
pub(crate) enum Leaf {
    Limit(Limit),
    Speeding(Speeding),
    Fuel(FuelDrop),
    Area(Area),
    /// `None`: there is no such time zone, so nothing lies outside.
    Hours(Option<Hours>),
    Codes(Codes),
    Lamp,
    Readiness,
    Event(Happening),
    Silent(Silence),
    Offline(Silence),
    Books(Books),
    Unusual(Unusual),
}

/// What is remembered of a vehicle for a leaf.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Memory {
    Nothing,
    Limit(Watch),
    Speeding(Driven),
    Fuel(Tank),
    Area(Whereabouts),
    Hours(Lately),
    Told(Told),
    SelfTests(SelfTests),
    Event(Happened),
    Unusual(Usual),
}

/// A leaf on a vehicle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LeafState {
    memory: Memory,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Held,
}

impl Leaf {
    pub fn new(condition: &Condition, fences: &Fences, slots: &mut Slots) -> Option<Self> {
        let silence = |after_ms: u32| Silence { after_ms: i64::from(after_ms) };
        Some(match condition {
            Condition::Above { signals, on, off, for_ms } => {
                Leaf::Limit(Limit::new(Side::Above, signals, (*on, *off), *for_ms, slots))
            }
            Condition::Below { signals, on, off, for_ms } => {
                Leaf::Limit(Limit::new(Side::Below, signals, (*on, *off), *for_ms, slots))
            }
            Condition::Silent { after_ms } => Leaf::Silent(silence(*after_ms)),
            Condition::Offline { after_ms } => Leaf::Offline(silence(*after_ms)),
            Condition::Speeding(spec) => Leaf::Speeding(Speeding::new(spec, fences)),
            Condition::FuelDrop(spec) => Leaf::Fuel(FuelDrop::new(spec)),
            Condition::Area(spec) => Leaf::Area(Area::new(spec, fences)),
            Condition::OutsideHours(spec) => Leaf::Hours(Hours::new(spec)),
            Condition::Codes(spec) => Leaf::Codes(Codes::new(spec)),
            Condition::Lamp => Leaf::Lamp,
            Condition::ReadinessLost => Leaf::Readiness,
            Condition::Event(spec) => Leaf::Event(Happening::new(spec)),
            Condition::Maintenance { soon } => Leaf::Books(Books::Maintenance { soon: *soon }),
            Condition::ContractEnds { within_days } => Leaf::Books(Books::Contracts { within_days: *within_days }),
            Condition::Unusual(spec) => Leaf::Unusual(Unusual::new(spec, slots)),
            Condition::All(_) | Condition::Any(_) => return None,
        })
    }

    /// Places of the signals that it looks at.
    pub fn slots(&self) -> Vec<usize> {
        match self {
            Leaf::Limit(limit) => limit.slots.clone(),
            Leaf::Speeding(_) => vec![SPD, GSPD, LAT, LON],
            Leaf::Fuel(_) => vec![FUEL, SPD, GSPD],
            Leaf::Area(_) => vec![LAT, LON],
            Leaf::Unusual(unusual) => unusual.slots(),
            _ => Vec::new(),
        }
    }

    pub fn fresh(&self) -> LeafState {
        let memory = match self {
            Leaf::Limit(_) => Memory::Limit(Watch::default()),
            Leaf::Speeding(_) => Memory::Speeding(Driven::default()),
            Leaf::Fuel(_) => Memory::Fuel(Tank::default()),
            Leaf::Area(_) => Memory::Area(Whereabouts::default()),
            Leaf::Hours(_) => Memory::Hours(Lately::default()),
            Leaf::Codes(_) | Leaf::Lamp => Memory::Told(Told::default()),
            Leaf::Readiness => Memory::SelfTests(SelfTests::default()),
            Leaf::Event(_) => Memory::Event(Happened::default()),
            Leaf::Unusual(_) => Memory::Unusual(Usual::default()),
            Leaf::Silent(_) | Leaf::Offline(_) | Leaf::Books(_) => Memory::Nothing,
        };
        LeafState { memory, held: None }
    }

    /// A leaf on a part of the past, see [`crate::Plan::of_the_past`].
    pub fn of_the_past(&self, now: &LeafState) -> LeafState {
        match &now.memory {
            Memory::Unusual(usual) => LeafState { memory: Memory::Unusual(usual.of_the_past()), held: None },
            _ => self.fresh(),
        }
    }

    /// A leaf that holds, of which only this is known: it goes on until what it looks at says otherwise.
    pub fn resumed(&self, hold: Hold) -> LeafState {
        let memory = match self {
            Leaf::Limit(limit) => Memory::Limit(limit.resume(hold.since, hold.value)),
            Leaf::Speeding(speeding) => Memory::Speeding(speeding.resume(hold.value, hold.limit)),
            Leaf::Unusual(_) => Memory::Unusual(Usual::resumed()),
            _ => self.fresh().memory,
        };
        LeafState { memory, held: Some(Box::new(hold)) }
    }

    pub fn step(&self, state: &mut LeafState, moment: &Moment<'_>) -> Option<Note> {
        let held = &mut state.held;
        match (self, &mut state.memory) {
            (Leaf::Limit(leaf), Memory::Limit(memory)) => leaf.step(memory, held, moment),
            (Leaf::Speeding(leaf), Memory::Speeding(memory)) => leaf.step(memory, held, moment),
            (Leaf::Fuel(leaf), Memory::Fuel(memory)) => leaf.step(memory, held, moment),
            (Leaf::Area(leaf), Memory::Area(memory)) => leaf.step(memory, held, moment),
            (Leaf::Hours(leaf), Memory::Hours(memory)) => leaf.as_ref()?.step(memory, held, moment),
            (Leaf::Codes(leaf), Memory::Told(memory)) => leaf.step(memory, held, moment),
            (Leaf::Lamp, Memory::Told(memory)) => trouble::lamp(memory, held, moment),
            (Leaf::Readiness, Memory::SelfTests(memory)) => trouble::readiness(memory, held, moment),
            (Leaf::Event(leaf), Memory::Event(memory)) => leaf.step(memory, held, moment),
            (Leaf::Unusual(leaf), Memory::Unusual(memory)) => leaf.step(memory, held, moment),
            (Leaf::Silent(leaf), _) => leaf.step(held, moment),
            (Leaf::Offline(leaf), _) => leaf.step_offline(held, moment),
            (Leaf::Books(leaf), _) => leaf.step(held, moment),
            // What was stored for another kind of leaf is not used: `Plan::fits` sees to it.
            _ => None,
        }
    }

    pub fn fits(&self, state: &LeafState) -> bool {
        std::mem::discriminant(&self.fresh().memory) == std::mem::discriminant(&state.memory)
    }
}

impl LeafState {
    /// Since when it holds, if it does.
    pub fn since(&self) -> Option<UnixMs> {
        self.held.as_ref().map(|hold| hold.since)
    }
}
