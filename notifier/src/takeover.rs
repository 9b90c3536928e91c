use std::collections::{BTreeMap, HashMap};

use bugbrother_store::{MAX_PAGE, Question, Store, StoreError, VehicleState, history::MAX_ROWS};
use bugbrother_wire::{UnixMs, Vin, message::Alert};
use tracing::info;

use crate::{
    desk::{Adopted, Desk, LATE_AFTER_MS},
    rulebook,
};

const PAGE: u32 = 1000;

/// A desk that goes on where the last notifier stopped, and the alerts that changed meanwhile.
pub async fn load(store: &Store, now: UnixMs) -> Result<(Desk, Vec<Alert>), StoreError> {
    let (mut desk, mut changed) = Desk::new(rulebook::read(store).await?, Vec::new(), Vec::new(), now);
    let mut alerts: HashMap<Vin, Vec<Alert>> = HashMap::new();
    for alert in store.active_alerts(MAX_PAGE).await? {
        alerts.entry(alert.vin).or_default().push(alert);
    }
    let mut memories = BTreeMap::new();
    loop {
        let page = store.memories(memories.last_key_value().map(|(vin, _)| *vin), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        memories.extend(page);
        if is_last {
            break;
        }
    }
    let mut after = None;
    loop {
        let page = store.vehicles(after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map(|state| state.vin);
        for state in page {
            let (vin, memory) = (state.vin, memories.remove(&state.vin));
            let adopted = Adopted { state: Some(state), memory, alerts: alerts.remove(&vin).unwrap_or_default() };
            changed.extend(adopt(store, &mut desk, vin, adopted, now).await?);
        }
        if is_last {
            break;
        }
    }
    // The notifier may have heard of a vehicle before ingest stored it.
    for (vin, alerts) in alerts {
        let adopted = Adopted { state: None, memory: memories.remove(&vin), alerts };
        changed.extend(desk.adopt(vin, adopted, now));
    }
    Ok((desk, changed))
}

/// Has a desk take a vehicle on, and judge what was stored of it since it was judged last.
pub async fn adopt(
    store: &Store,
    desk: &mut Desk,
    vin: Vin,
    adopted: Adopted,
    now: UnixMs,
) -> Result<Vec<Alert>, StoreError> {
    let stored = adopted.state.as_ref().map_or(0, |state: &VehicleState| state.latest.source_ts);
    let mut changed = desk.adopt(vin, adopted, now);
    let head = desk.head(vin).unwrap_or(stored);
    if stored <= head {
        return Ok(changed);
    }
    // What is longer ago than that is late by now.
    let live = now - LATE_AFTER_MS;
    if head < live {
        desk.mark_late(vin, (head, live.min(stored)), now);
    }
    let keys = desk.keys();
    let wanted: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut next = Some(head.max(live) + 1);
    let mut rows = 0;
    while let Some(from) = next.filter(|from| *from <= stored) {
        let question = Question { vin, from, to: stored, signals: Some(&wanted) };
        let page = store.samples(question, MAX_ROWS).await?;
        rows += page.samples.rows.len();
        changed.extend(desk.catch_up(vin, &page.samples, now));
        next = page.next;
    }
    info!(%vin, rows, "judged what was stored while nobody judged it");
    Ok(changed)
}
