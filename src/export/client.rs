//! Which vehicles a client's contracts are about, and when.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use bugbrother_dashboard::export::Part;
use bugbrother_store::{Assignment, ClientId, Contract, MAX_PAGE, Store};
use bugbrother_wire::{UnixMs, Vin};

/// A time, both ends inclusive.
type Span = (UnixMs, UnixMs);

/// The vehicles of all contracts of a client, those that have ended too, each for as long as it was in one of them.
pub async fn parts(store: &Store, client: ClientId, within: Span) -> Result<Vec<Part>> {
    if store.client(client).await?.is_none() {
        bail!("there is no client `{client}`");
    }
    let mut spans: BTreeMap<Vin, Vec<Span>> = BTreeMap::new();
    let mut before = None;
    loop {
        let contracts = store.contracts(client, before, MAX_PAGE).await?;
        let Some(last) = contracts.last() else { break };
        before = Some((last.starts, last.id));
        for contract in &contracts {
            let mut after = None;
            loop {
                let page = store.contract_vehicles(contract.id, after, MAX_PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some((last.vin, last.from));
                for assignment in &page {
                    spans.entry(assignment.vin).or_default().extend(both(contract, assignment, within));
                }
            }
        }
    }
    let mut parts = Vec::new();
    for (vin, spans) in spans {
        let vehicle = super::vehicle(store, vin).await?;
        let joined = joined(spans).into_iter();
        parts.extend(joined.map(|(from, to)| Part { vehicle: vehicle.clone(), from, to }));
    }
    Ok(parts)
}

/// When a contract runs and a vehicle is in it.
fn both(contract: &Contract, assignment: &Assignment, (from, to): Span) -> Option<Span> {
    // Contracts and assignments end before their end.
    let until = |end: Option<UnixMs>| end.map_or(to, |end| end.saturating_sub(1));
    let from = from.max(contract.starts).max(assignment.from);
    let to = to.min(until(contract.ends)).min(until(assignment.to));
    (from <= to).then_some((from, to))
}

/// The same times, none of them twice, in their order.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::new();
    for (from, to) in spans {
        match joined.last_mut() {
            Some((_, end)) if from <= end.saturating_add(1) => *end = to.max(*end),
            _ => joined.push((from, to)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_touch_or_overlap_are_one() {
        assert_eq!(joined(vec![(20, 30), (0, 9), (10, 12), (25, 27), (40, 40)]), [(0, 12), (20, 30), (40, 40)]);
        assert_eq!(joined(vec![(0, UnixMs::MAX), (5, 6)]), [(0, UnixMs::MAX)]);
        assert_eq!(joined(Vec::new()), []);
    }
}
