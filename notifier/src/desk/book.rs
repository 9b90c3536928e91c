//! What a desk goes by: the rules in force, and what people know of vehicles.

use std::{collections::HashMap, sync::Arc};

use bugbrother_rule::{Fences, Member, Plan, Slots};
use bugbrother_store::{ClientId, GeofenceRecord, Rule};
use bugbrother_wire::Vin;

/// What people have written down.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Book {
    /// The rules.
    pub rules: Vec<Rule>,
    /// The areas that they name.
    pub geofences: Vec<GeofenceRecord>,
    /// What is known of vehicles.
    pub vehicles: HashMap<Vin, Entry>,
}

/// What people know of a vehicle.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// What rules use of it.
    pub member: Member,
    /// In whose contract it is.
    pub client: Option<ClientId>,
}

impl From<Vec<Rule>> for Book {
    fn from(rules: Vec<Rule>) -> Self {
        Book { rules, ..Book::default() }
    }
}

/// A rule in force.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Its condition.
    pub plan: Arc<Plan>,
}

/// The book, ready to be evaluated.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub rules: Vec<InForce>,
    pub slots: Slots,
    pub vehicles: HashMap<Vin, Entry>,
    nobody: Entry,
}

impl Shelf {
    pub fn new(book: Book) -> Self {
        let fences: Fences =
            book.geofences.into_iter().map(|fence| (fence.id.to_string(), fence.name, fence.shape)).collect();
        let mut slots = Slots::default();
        let rules = book.rules.into_iter().filter(|rule| rule.enabled);
        let rules = rules.map(|rule| {
            let plan = Arc::new(Plan::new(&rule.condition, &fences, &mut slots));
            InForce { rule: Arc::new(rule), plan }
        });
        Shelf { rules: rules.collect(), slots, vehicles: book.vehicles, nobody: Entry::default() }
    }

    pub fn entry(&self, vin: Vin) -> &Entry {
        self.vehicles.get(&vin).unwrap_or(&self.nobody)
    }

    /// The rules that are about a vehicle, by their places.
    pub fn about(&self, vin: Vin) -> impl Iterator<Item = (usize, &InForce)> {
        let Entry { member, client } = self.entry(vin);
        let holds = move |one: &InForce| one.rule.scope.holds(vin, member.class.as_deref(), *client);
        self.rules.iter().enumerate().filter(move |(_, one)| holds(one))
    }
}
