//! A rule as it is typed: conditions joined by "and" and "or", the numbers of each as they are typed.

pub mod part;
pub mod templates;
pub mod words;

use bugbrother_wire::rule::{Condition, ConditionFault, MAX_LEAVES};

pub use part::Part;

/// The fleet's geofences: identity and name of each.
pub type Fences = [(String, String)];

/// Conditions in a row. "And" binds closer than "or".
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// At least one.
    pub parts: Vec<Part>,
    /// Between each two of them: whether it is "and".
    pub ands: Vec<bool>,
}

/// What keeps a draft from being a condition: of which part, and which field of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// There is no number in that field.
    NoNumber(usize, &'static str),
    /// It is not possible.
    Fault(usize, ConditionFault),
    /// The parts do not fit together.
    Whole(ConditionFault),
}

impl Wrong {
    /// The part that it is about, if it is about one.
    pub fn part(self) -> Option<usize> {
        match self {
            Wrong::NoNumber(part, _) | Wrong::Fault(part, _) => Some(part),
            Wrong::Whole(_) => None,
        }
    }

    /// The field that it is about.
    pub fn field(self) -> &'static str {
        match self {
            Wrong::NoNumber(_, field) => field,
            Wrong::Fault(_, fault) | Wrong::Whole(fault) => fault.field(),
        }
    }
}

impl Draft {
    /// Of one condition.
    pub fn one(part: Part) -> Self {
        Draft { parts: vec![part], ands: Vec::new() }
    }

    /// Of what is stored; nothing where it is a tree of another form, which programs can make.
    pub fn of(condition: &Condition, fences: &Fences) -> Option<Self> {
        let groups: Vec<Vec<&Condition>> = match condition {
            Condition::Any(parts) => parts.iter().map(leaves).collect::<Option<_>>()?,
            other => vec![leaves(other)?],
        };
        let mut draft = Draft { parts: Vec::new(), ands: Vec::new() };
        for group in groups {
            for (n, leaf) in group.into_iter().enumerate() {
                if !draft.parts.is_empty() {
                    draft.ands.push(n > 0);
                }
                draft.parts.push(Part::of(leaf, fences));
            }
        }
        (!draft.parts.is_empty()).then_some(draft)
    }

    /// The condition.
    pub fn condition(&self, fences: &Fences) -> Result<Condition, Wrong> {
        let mut groups: Vec<Vec<Condition>> = Vec::new();
        for (n, part) in self.parts.iter().enumerate() {
            let leaf = part.condition(fences).map_err(|field| Wrong::NoNumber(n, field))?;
            leaf.check_leaf().map_err(|fault| Wrong::Fault(n, fault))?;
            match groups.last_mut() {
                Some(group) if self.ands.get(n - 1).copied().unwrap_or(true) => group.push(leaf),
                _ => groups.push(vec![leaf]),
            }
        }
        let mut joined: Vec<Condition> = groups.into_iter().map(|group| join(group, Condition::All)).collect();
        let whole = if joined.len() == 1 { joined.remove(0) } else { Condition::Any(joined) };
        whole.check().map_err(Wrong::Whole)?;
        Ok(whole)
    }

    /// Whether there is room for one more.
    pub fn has_room(&self) -> bool {
        self.parts.len() < MAX_LEAVES
    }

    /// Takes a part out; the last one stays.
    pub fn remove(&mut self, part: usize) {
        if self.parts.len() > 1 && part < self.parts.len() {
            self.parts.remove(part);
            self.ands.remove(part.saturating_sub(1));
        }
    }
}

fn join(mut group: Vec<Condition>, by: fn(Vec<Condition>) -> Condition) -> Condition {
    if group.len() == 1 { group.remove(0) } else { by(group) }
}

/// The leaves of a leaf or of a group of leaves that all have to hold.
fn leaves(condition: &Condition) -> Option<Vec<&Condition>> {
    let is_leaf = |one: &&Condition| !matches!(one, Condition::All(_) | Condition::Any(_));
    match condition {
        Condition::All(parts) => parts.iter().map(|part| Some(part).filter(is_leaf)).collect(),
        Condition::Any(_) => None,
        leaf => Some(vec![leaf]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_a_condition_as_it_is_offered_and_reads_back_as_itself() {
        let fences = [("f1".to_owned(), "Depot".to_owned())];
        for kind in part::KINDS {
            let draft = Draft::one(Part::new(kind, &fences));
            let condition = draft.parts[0].condition(&fences).unwrap_or_else(|field| panic!("{kind}: {field}"));
            assert_eq!(condition.check_leaf(), Ok(()), "{kind}");
            assert_eq!(Draft::of(&condition, &fences), Some(draft), "{kind}");
        }
    }

    #[test]
    fn and_binds_closer_than_or() {
        let part = |kind| Part::new(kind, &[]);
        let draft = Draft { parts: vec![part("above"), part("hours"), part("lamp")], ands: vec![true, false] };
        let condition = draft.condition(&[]).unwrap();
        assert!(
            matches!(&condition, Condition::Any(groups) if matches!(groups.as_slice(), [Condition::All(_), Condition::Lamp]))
        );
        assert_eq!(Draft::of(&condition, &[]), Some(draft));
        let foreign =
            Condition::All(vec![Condition::Any(vec![Condition::Lamp, Condition::ReadinessLost]), Condition::Lamp]);
        assert_eq!(Draft::of(&foreign, &[]), None, "it is left as it is");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_part() {
        let mut draft = Draft::one(Part::new("above", &[]));
        draft.parts[0].set("on", "fast");
        assert_eq!(draft.condition(&[]), Err(Wrong::NoNumber(0, "on")));
        draft.parts[0].set("on", "100");
        draft.parts[0].set("off", "120");
        assert_eq!(draft.condition(&[]), Err(Wrong::Fault(0, ConditionFault::Off)));
        let hours = Draft::one(Part::new("hours", &[]));
        assert_eq!(hours.condition(&[]), Err(Wrong::Whole(ConditionFault::Tree)));
        let mut area = Part::new("area", &[]);
        area.set("geofences", "");
        assert_eq!(Draft::one(area).condition(&[]), Err(Wrong::Fault(0, ConditionFault::Geofences)));
    }

    #[test]
    fn limits_of_areas_and_classes_are_lines() {
        let fences = [("f1".to_owned(), "Depot".to_owned())];
        let mut part = Part::new("speeding", &fences);
        part.set("areas", "depot = 30\n");
        part.set("classes", "Van = 100\nTruck=80");
        let condition = part.condition(&fences).unwrap();
        let Condition::Speeding(spec) = &condition else { panic!("{condition:?}") };
        assert_eq!((spec.areas[0].geofence.as_str(), spec.areas[0].limit_kmh), ("f1", 30.0));
        assert_eq!(spec.classes.iter().map(|one| one.limit_kmh).collect::<Vec<_>>(), [100.0, 80.0]);
        part.set("areas", "Nowhere = 30");
        assert_eq!(part.condition(&fences), Err("areas"));
    }
}
