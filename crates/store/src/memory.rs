//! Rows that a committer keeps in memory from one transaction to the next, so that it need not read what it wrote itself.
//!
//! Each has the version with which it was read or written. It is written on the condition that the database still has that
//! one: whoever else has written it, this process finds out before anything is committed, and reads again.

use std::collections::{BTreeMap, BTreeSet};

use bugbrother_wire::{Epoch, Vin};

use crate::{latest::Latest, progress::Progress, tail::Numbers};

/// Rows of a kind that are kept; where there are more, all are forgotten and those that are needed are read again.
const MOST: usize = 65_536;

/// A row, and its version in the database: 0 for one that is not there yet.
#[derive(Debug)]
pub(crate) struct Held<T> {
    pub row: T,
    pub version: i64,
}

/// An outbox: what of it is committed, and the number of its newest batch in the tail, 0 for none.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub done: Progress,
    pub newest: i64,
}

/// What is known of outboxes and vehicles.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub outboxes: BTreeMap<(Vin, Epoch), Held<Outbox>>,
    pub vehicles: BTreeMap<Vin, Held<Latest>>,
    pub numbers: Numbers,
    /// A transaction is under way that has changed some of it, or was when its future was dropped.
    is_uncertain: bool,
    /// How many connections had been made when the oldest of it was read.
    connections: u64,
}

/// Which rows a transaction has changed.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    pub outboxes: BTreeSet<(Vin, Epoch)>,
    pub vehicles: BTreeSet<Vin>,
}

impl Memory {
    /// Before a transaction that may change some of it.
    pub fn begin(&mut self) {
        if self.is_uncertain || self.outboxes.len() > MOST || self.vehicles.len() > MOST {
            self.forget();
        }
        self.is_uncertain = true;
    }

    /// On the connection of that transaction, when so many have been made. Behind a new one may be another server, promoted from
    /// a copy that lagged behind: what it lost must not be taken for stored, and the versions of its rows are given out anew.
    pub fn meet(&mut self, connections: u64) {
        if connections != self.connections {
            self.forget();
            self.connections = connections;
        }
    }

    fn forget(&mut self) {
        self.outboxes.clear();
        self.vehicles.clear();
        self.numbers = Numbers::default();
    }

    /// After its commit: the database has what is known here.
    pub fn committed(&mut self, changed: &Changed) {
        for outbox in &changed.outboxes {
            if let Some(held) = self.outboxes.get_mut(outbox) {
                held.version += 1;
            }
        }
        for vin in &changed.vehicles {
            if let Some(held) = self.vehicles.get_mut(vin) {
                held.version += 1;
            }
        }
        self.is_uncertain = false;
    }
}
