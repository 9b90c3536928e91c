//! A condition, ready to be evaluated on any vehicle.

use bugbrother_wire::{
    UnixMs,
    rule::{Condition, ConditionFault},
};

use crate::{
    Case, Fences, Hold, News, Slots,
    kinds::hours::Hours,
    leaf::{Leaf, LeafState},
};

/// A condition, ready to be evaluated.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) leaves: Vec<Leaf>,
    root: Node,
    /// The signal that each leaf is about, where it is about one.
    signals: Vec<Option<String>>,
    subject: String,
    slots: Vec<usize>,
    hears: Hears,
}

#[derive(Debug, Clone)]
enum Node {
    Leaf(usize),
    All(Vec<Node>),
    Any(Vec<Node>),
}

/// What news it has to hear of, beside samples.
#[derive(Debug, Clone, Copy, Default)]
struct Hears {
    diagnostics: bool,
    events: bool,
    books: bool,
    words: bool,
    time: bool,
}

/// Whether a condition can be evaluated; beside [`Condition::check`] it looks whether time zones exist.
pub fn check(condition: &Condition) -> Result<(), ConditionFault> {
    condition.check()?;
    let is_unknown = |leaf: &&Condition| matches!(leaf, Condition::OutsideHours(spec) if Hours::new(spec).is_none());
    if condition.leaves().iter().any(is_unknown) { Err(ConditionFault::Hours) } else { Ok(()) }
}

impl Plan {
    /// Of a condition that passed [`check`], with the fleet's geofences.
    pub fn new(condition: &Condition, fences: &Fences, slots: &mut Slots) -> Self {
        let specs = condition.leaves();
        let leaves: Vec<Leaf> = specs.iter().filter_map(|spec| Leaf::new(spec, fences, slots)).collect();
        let mut hears = Hears::default();
        for leaf in &leaves {
            match leaf {
                Leaf::Codes(_) | Leaf::Lamp | Leaf::Readiness => hears.diagnostics = true,
                Leaf::Event(_) => (hears.events, hears.time) = (true, true),
                Leaf::Silent(_) | Leaf::Offline(_) => (hears.words, hears.time) = (true, true),
                Leaf::Books(_) => hears.books = true,
                Leaf::Area(_) => hears.time = true,
                _ => {}
            }
        }
        let mut places: Vec<usize> = leaves.iter().flat_map(Leaf::slots).collect();
        places.sort_unstable();
        places.dedup();
        // Whoever looks at nothing that is measured goes by our clock.
        hears.time |= places.is_empty() && specs.iter().any(|spec| matches!(spec, Condition::OutsideHours(_)));
        Plan {
            root: node(condition, &mut 0),
            signals: specs.iter().map(|spec| signal(spec)).collect(),
            subject: condition.subject(),
            slots: places,
            leaves,
            hears,
        }
    }

    /// What it watches, see [`Condition::subject`].
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Places of the signals that it looks at.
    pub fn slots(&self) -> &[usize] {
        &self.slots
    }

    /// Whether such news says anything to it.
    pub fn hears(&self, news: &News<'_>) -> bool {
        match news {
            News::Sample(values) => self.slots.iter().any(|slot| values[*slot].is_some()),
            News::Diagnostics(_) => self.hears.diagnostics,
            News::Event(_) => self.hears.events,
            News::Books(_) => self.hears.books,
            News::Word => self.hears.words,
            News::Time => self.hears.time,
        }
    }

    /// Whether what vehicles measured and told is all that it looks at, so that it can be judged on their past. Silence is
    /// counted by our clock, and the books are as they are now.
    pub fn is_of_the_past(&self) -> bool {
        !self.hears.words && !self.hears.books
    }

    /// Whether it looks at nothing but what the car says is wrong with it, which lasts for days.
    pub fn is_of_pictures(&self) -> bool {
        self.leaves.iter().all(|leaf| matches!(leaf, Leaf::Codes(_) | Leaf::Lamp | Leaf::Readiness))
    }

    /// The time of silence, if it is nothing but a silence.
    pub(crate) fn silence_ms(&self) -> Option<i64> {
        match self.leaves.as_slice() {
            [Leaf::Silent(silence)] => Some(silence.after_ms),
            _ => None,
        }
    }

    /// Nothing is known of the vehicle yet.
    pub fn fresh(&self) -> Case {
        Case::of(self.leaves.iter().map(Leaf::fresh).collect(), false)
    }

    /// Nothing is known of a part of the vehicle's past but what is usual in it by now, which that part teaches no more.
    pub fn of_the_past(&self, now: &Case) -> Case {
        let states = self.leaves.iter().zip(&now.leaves);
        Case::of(states.map(|(leaf, state)| leaf.of_the_past(state)).collect(), false)
    }

    /// An alert is active of which only this is known.
    pub fn resumed(&self, hold: &Hold) -> Case {
        Case::of(self.leaves.iter().map(|leaf| leaf.resumed(hold.clone())).collect(), true)
    }

    /// Whether what was stored is of a condition of the same form.
    pub fn fits(&self, case: &Case) -> bool {
        case.leaves.len() == self.leaves.len()
            && self.leaves.iter().zip(&case.leaves).all(|(leaf, state)| leaf.fits(state))
    }

    /// The signal that a leaf is about.
    pub(crate) fn signal(&self, leaf: usize) -> Option<&str> {
        self.signals.get(leaf)?.as_deref()
    }

    /// Since when the whole holds, if it does.
    pub(crate) fn since(&self, states: &[LeafState]) -> Option<UnixMs> {
        self.root.since(states)
    }
}

impl Node {
    fn since(&self, states: &[LeafState]) -> Option<UnixMs> {
        match self {
            Node::Leaf(n) => states[*n].since(),
            Node::All(parts) => {
                let mut latest = UnixMs::MIN;
                for part in parts {
                    latest = latest.max(part.since(states)?);
                }
                Some(latest)
            }
            Node::Any(parts) => parts.iter().filter_map(|part| part.since(states)).min(),
        }
    }
}

/// The tree of a condition, its leaves numbered from left to right.
fn node(condition: &Condition, next: &mut usize) -> Node {
    match condition {
        Condition::All(parts) => Node::All(parts.iter().map(|part| node(part, next)).collect()),
        Condition::Any(parts) => Node::Any(parts.iter().map(|part| node(part, next)).collect()),
        _ => {
            *next += 1;
            Node::Leaf(*next - 1)
        }
    }
}

fn signal(spec: &Condition) -> Option<String> {
    match spec {
        Condition::Above { signals, .. } | Condition::Below { signals, .. } => signals.first().cloned(),
        Condition::Speeding(_) => Some("spd".to_owned()),
        Condition::Unusual(spec) => Some(spec.signal.clone()),
        _ => None,
    }
}
