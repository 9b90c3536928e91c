use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
};

use anyhow::{Result, ensure};
use bugbrother_store::{Store, history::MAX_POSITIONS};

use crate::{fleet::Vehicle, sensors::Fix};

/// What was found when the store was counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// Fixes that sensors produced and the store does not have.
    lost: u64,
    /// Copies beyond the first.
    twice: u64,
    /// What no sensor produced.
    foreign: u64,
}

impl Finding {
    /// Fails unless everything is there, once.
    pub fn is_clean(&self) -> Result<()> {
        ensure!(*self == Finding::default(), "{self}");
        Ok(())
    }

    fn count(&mut self, produced: &[Fix], stored: impl IntoIterator<Item = Fix>) {
        let mut copies: BTreeMap<Fix, u64> = produced.iter().map(|fix| (*fix, 0)).collect();
        for fix in stored {
            match copies.get_mut(&fix) {
                Some(count) => *count += 1,
                None => self.foreign += 1,
            }
        }
        for count in copies.into_values() {
            match count {
                0 => self.lost += 1,
                count => self.twice += count - 1,
            }
        }
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} lost, {} stored twice, {} that no sensor produced", self.lost, self.twice, self.foreign)
    }
}

/// Compares what all vehicles' sensors produced with what the store holds.
pub async fn inspect(store: &Store, vehicles: &[Vehicle]) -> Result<Finding> {
    let mut finding = Finding::default();
    for vehicle in vehicles {
        let stored = store.positions(vehicle.vin, 0, i64::MAX, MAX_POSITIONS).await?;
        ensure!(stored.len() < MAX_POSITIONS, "more is stored of {} than can be read at once", vehicle.vin);
        finding.count(&vehicle.fixes, stored.iter().map(|at| Fix::new(at.ts, at.lat, at.lon)));
    }
    Ok(finding)
}

#[test]
fn what_is_lost_there_twice_or_foreign_is_counted() {
    let fixes: Vec<Fix> = (0..4).map(|ts| Fix::new(ts, 47.0, 8.0)).collect();
    let mut finding = Finding::default();
    finding.count(&fixes, [fixes[0], fixes[1], fixes[1], fixes[2], fixes[1], Fix::new(2, 47.0, 8.1)]);
    assert_eq!(finding, Finding { lost: 1, twice: 2, foreign: 1 });
}
