//! What the books say of a vehicle: maintenance that is due, contracts that end.

use crate::{
    Item, Moment, News, Note, hold,
    hold::{Held, Hold},
};

/// Most names that are told.
const MOST: usize = 16;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A leaf on the books.
#[derive(Debug, Clone, Copy)]
pub enum Books {
    /// Maintenance that is overdue, or soon due too.
    Maintenance { soon: bool },
    /// Contracts that end within so many days.
    Contracts { within_days: u32 },
}

impl Books {
    pub fn step(self, held: &mut Held, moment: &Moment<'_>) -> Option<Note> {
        let News::Books(books) = moment.news else { return None };
        let items: Vec<&Item> = match self {
            Books::Maintenance { soon: false } => books.overdue.iter().collect(),
            Books::Maintenance { soon: true } => books.overdue.iter().chain(&books.soon).collect(),
            Books::Contracts { within_days } => {
                let until = moment.ts + i64::from(within_days) * DAY_MS;
                books.contracts.iter().filter(|one| one.due.is_some_and(|due| due > moment.ts && due < until)).collect()
            }
        };
        if items.is_empty() {
            return hold::end(held, moment.ts);
        }
        let names: Vec<String> = items.iter().take(MOST).map(|item| item.title.clone()).collect();
        let due = items.iter().filter_map(|item| item.due).min();
        match held {
            None => hold::begin(held, || {
                let mut hold = Hold::since(moment.ts);
                (hold.cause.items, hold.cause.due) = (names, due);
                hold
            }),
            Some(hold) => {
                let is_more = names.iter().any(|name| !hold.cause.items.contains(name));
                (hold.cause.items, hold.cause.due) = (names, due);
                is_more.then_some(Note::Recurred)
            }
        }
    }
}
