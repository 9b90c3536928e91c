use std::collections::{BTreeMap, HashMap};

use bugbrother_store::{MAX_PAGE, Question, Samples, Store, StoreError, VehicleState, history::MAX_ROWS, shard_of};
use bugbrother_wire::{AlertId, UnixMs, Vin, message::Alert};
use tracing::debug;

use crate::{
    desk::{Adopted, Desk, LATE_AFTER_MS},
    post, rulebook,
};

/// Vehicles that are read at a time: between two pages a sign of life may be due.
const PAGE: u32 = 200;
/// Memories that are read at a time.
const MEMORIES: u32 = 1_000;
/// Alerts that ended last, whose topics are cleared again.
const LAST_ENDED: u32 = 1_000;

/// A vehicle that is taken on.
#[derive(Debug)]
pub struct Arrived {
    /// The vehicle.
    pub vin: Vin,
    /// Where the last notifier stopped.
    pub adopted: Adopted,
    /// What was stored since then, oldest first.
    pub since: Vec<Samples>,
    /// What of that is so long ago that it is late by now.
    pub late: Option<(UnixMs, UnixMs)>,
}

/// Some of the vehicles of shards that were taken.
#[derive(Debug, Default)]
pub struct Taken {
    /// The vehicles.
    pub vehicles: Vec<Arrived>,
    /// Shards of which no more will come: from now on every vehicle of theirs is ours, also one that nobody knows.
    pub shards: Vec<u8>,
    /// Alerts that ended a moment ago: whoever had them may not have come to clear their topics.
    pub ended: Vec<(Vin, AlertId)>,
}

/// Reads what is known of the vehicles of some shards, page by page.
#[derive(Debug)]
pub struct Takeover {
    shards: Vec<u8>,
    /// From its first part on.
    known: Option<Known>,
    is_over: bool,
}

/// What is read first.
#[derive(Debug)]
struct Known {
    after: Option<Vin>,
    alerts: HashMap<Vin, Vec<Alert>>,
    memories: BTreeMap<Vin, String>,
    /// Knows how to read memories; the desk that they are for is at work.
    reader: Desk,
}

impl Takeover {
    /// Of these shards.
    pub fn new(shards: Vec<u8>) -> Self {
        Takeover { shards, known: None, is_over: false }
    }

    /// Whether there is no next part.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Leaves out shards that were lost meanwhile.
    pub fn leave_out(&mut self, lost: &[u8]) {
        self.shards.retain(|shard| !lost.contains(shard));
    }

    /// The next part; the last one has the shards. Whoever fails to read it may try again.
    pub async fn next(&mut self, store: &Store, now: UnixMs) -> Result<Taken, StoreError> {
        let known = match &mut self.known {
            Some(known) => known,
            none => none.insert(Known::read(store, &self.shards, now).await?),
        };
        let (mut taken, is_last) = known.next(store, &self.shards, now).await?;
        if is_last {
            self.is_over = true;
            taken.shards = std::mem::take(&mut self.shards);
        }
        Ok(taken)
    }
}

impl Known {
    async fn read(store: &Store, shards: &[u8], now: UnixMs) -> Result<Self, StoreError> {
        let (reader, _) = Desk::new(rulebook::read(store).await?, Vec::new(), Vec::new(), now);
        let mut known = Known { after: None, alerts: HashMap::new(), memories: BTreeMap::new(), reader };
        let active = store.active_alerts(MAX_PAGE).await?.into_iter();
        // That a channel does not work is no rule's to end.
        let of_rules = active.filter(|alert| alert.rule != post::RULE);
        for alert in of_rules.filter(|alert| shard_is_in(shards, alert.vin)) {
            known.alerts.entry(alert.vin).or_default().push(alert);
        }
        let mut after = None;
        loop {
            let page = store.memories(after, MEMORIES).await?;
            let is_last = page.len() < MEMORIES as usize;
            after = page.last().map(|(vin, _)| *vin);
            known.memories.extend(page.into_iter().filter(|(vin, _)| shard_is_in(shards, *vin)));
            if is_last {
                return Ok(known);
            }
        }
    }

    /// The next part, and whether it is the last one.
    async fn next(&mut self, store: &Store, shards: &[u8], now: UnixMs) -> Result<(Taken, bool), StoreError> {
        let page = store.vehicles(self.after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        let last = page.last().map(|state| state.vin);
        let mut taken = Taken::default();
        for state in page.into_iter().filter(|state| shard_is_in(shards, state.vin)) {
            taken.vehicles.push(self.arrive(store, state, now).await?);
        }
        if is_last {
            let ended = store.alerts(None, LAST_ENDED).await?.into_iter();
            let ended = ended.filter(|alert| alert.resolved.is_some() && !alert.late && shard_is_in(shards, alert.vin));
            taken.ended = ended.map(|alert| (alert.vin, alert.id)).collect();
        }
        for Arrived { vin, .. } in &taken.vehicles {
            self.alerts.remove(vin);
            self.memories.remove(vin);
        }
        self.after = last;
        if is_last {
            // Of these the notifier had heard before ingest stored anything.
            for (vin, alerts) in std::mem::take(&mut self.alerts) {
                let adopted = Adopted { state: None, memory: self.memories.remove(&vin), alerts };
                taken.vehicles.push(Arrived { vin, adopted, since: Vec::new(), late: None });
            }
        }
        Ok((taken, is_last))
    }

    async fn arrive(&mut self, store: &Store, state: VehicleState, now: UnixMs) -> Result<Arrived, StoreError> {
        let (vin, stored) = (state.vin, state.latest.source_ts);
        let memory = self.memories.get(&vin).cloned();
        let known = Adopted { state: Some(state.clone()), memory: memory.clone(), alerts: Vec::new() };
        self.reader.adopt(vin, known, now);
        let head = self.reader.head(vin).unwrap_or(stored);
        drop(self.reader.release(vin));
        let alerts = self.alerts.get(&vin).cloned().unwrap_or_default();
        let adopted = Adopted { state: Some(state), memory, alerts };
        let mut arrived = Arrived { vin, adopted, since: Vec::new(), late: None };
        if stored <= head {
            return Ok(arrived);
        }
        // What is longer ago than that is late by now.
        let live = now - LATE_AFTER_MS;
        arrived.late = (head < live).then(|| (head, live.min(stored)));
        let keys = self.reader.keys();
        let wanted: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut next = Some(head.max(live) + 1);
        while let Some(from) = next.filter(|from| *from <= stored) {
            let page = store.samples(Question { vin, from, to: stored, signals: Some(&wanted) }, MAX_ROWS).await?;
            next = page.next;
            arrived.since.push(page.samples);
        }
        let rows: usize = arrived.since.iter().map(|samples| samples.rows.len()).sum();
        debug!(%vin, rows, "judging what was stored while nobody judged it");
        Ok(arrived)
    }
}

fn shard_is_in(shards: &[u8], vin: Vin) -> bool {
    shards.contains(&shard_of(vin))
}
