//! Rules tried on history: the notifier's evaluator on what is stored, vehicle by vehicle, as far as time allows.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bugbrother_rule::{Fences, Firing, Member, Plan, Slots, Trial};
use bugbrother_store::{
    DtcRecord, MAX_PAGE, Question, RosterEntry, RuleScope, Samples, Store, StoreError, history::MAX_ROWS,
};
use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Seq, UnixMs, Vin,
    message::{Diagnostics, Dtc, Event},
    rule::Condition,
    unix_ms,
};
use tokio::time::Instant;

/// No vehicle is begun after so long.
const BEGIN_WITHIN: Duration = Duration::from_secs(4);
/// A vehicle that takes longer is cut short.
const END_WITHIN: Duration = Duration::from_secs(10);
/// Most firings that are listed of a part; all are counted.
const MAX_LISTED: usize = 200;
/// Vehicles that are read at a time.
const PAGE: u32 = 100;
/// Most codes of a vehicle that are looked at.
const MAX_CODES: u32 = 500;
/// Most geofences that are looked at.
const MAX_GEOFENCES: u32 = 10_000;
const HOUR_MS: i64 = 60 * 60 * 1000;

/// What is tried on what.
pub(crate) struct Order<'a> {
    pub condition: &'a Condition,
    pub scope: &'a RuleScope,
    pub from: UnixMs,
    pub to: UnixMs,
    /// One vehicle; all without it.
    pub vin: Option<Vin>,
    /// Only vehicles after this one.
    pub after: Option<Vin>,
}

/// As much as could be tried in the time.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub firings: Vec<Found>,
    pub fired: u64,
    pub vehicles: u32,
    pub samples: u64,
    pub cut_short_at: Option<UnixMs>,
    /// Where to go on.
    pub next: Option<Vin>,
}

/// Once that the rule would have raised an alert.
#[derive(Debug)]
pub(crate) struct Found {
    pub vin: Vin,
    pub name: String,
    pub firing: Firing,
}

/// The condition, ready to be evaluated.
struct Ready {
    plan: Arc<Plan>,
    slots: Slots,
}

/// What a vehicle told beside its samples, at a moment.
enum Told {
    Event(Event),
    Codes(Diagnostics),
}

/// Tries vehicle after vehicle until the time is over. Whoever drops it cancels it.
pub(crate) async fn part(store: &Store, order: &Order<'_>) -> Result<Part, StoreError> {
    let begun = Instant::now();
    let mut part = Part::default();
    let ready = ready(store, order.condition).await?;
    let now = unix_ms(std::time::SystemTime::now());
    if let Some(vin) = order.vin {
        let entry = store.roster_entry(vin, now).await?;
        if let Some(entry) = entry.filter(|entry| is_meant(order, entry)) {
            vehicle(store, order, &ready, entry, begun, &mut part).await?;
        }
        return Ok(part);
    }
    let mut after = order.after;
    loop {
        let page = store.roster(None, now, after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        for entry in page {
            if begun.elapsed() > BEGIN_WITHIN || part.cut_short_at.is_some() {
                part.next = after;
                return Ok(part);
            }
            after = Some(entry.vin);
            if is_meant(order, &entry) {
                vehicle(store, order, &ready, entry, begun, &mut part).await?;
            }
        }
        if is_last {
            return Ok(part);
        }
    }
}

fn is_meant(order: &Order<'_>, entry: &RosterEntry) -> bool {
    order.scope.holds(entry.vin, entry.facts.class.as_deref(), entry.client)
}

async fn ready(store: &Store, condition: &Condition) -> Result<Ready, StoreError> {
    let named = condition.leaves().iter().any(|leaf| !leaf.geofences().is_empty());
    let geofences = if named { store.geofences(None, MAX_GEOFENCES).await? } else { Vec::new() };
    let fences: Fences = geofences.into_iter().map(|one| (one.id.to_string(), one.name, one.shape)).collect();
    let mut slots = Slots::default();
    let plan = Plan::new(condition, &fences, &mut slots);
    Ok(Ready { plan: Arc::new(plan), slots })
}

async fn vehicle(
    store: &Store,
    order: &Order<'_>,
    ready: &Ready,
    entry: RosterEntry,
    begun: Instant,
    part: &mut Part,
) -> Result<(), StoreError> {
    let vin = entry.vin;
    part.vehicles += 1;
    if !may_fire(store, order, vin).await? {
        return Ok(());
    }
    let keys: Vec<&str> = ready.slots.keys().iter().map(String::as_str).collect();
    let member = Member { class: entry.facts.class, tank_l: entry.facts.tank_l };
    let mut trial = Trial::new(Arc::clone(&ready.plan), member);
    let mut told = told(store, order, vin).await?.into_iter().peekable();
    let mut found = Vec::new();
    let mut end = order.to;
    let mut next = Some(order.from);
    while let Some(from) = next.filter(|from| *from <= order.to) {
        if begun.elapsed() > END_WITHIN {
            part.cut_short_at = Some(from);
            end = from;
            break;
        }
        let question = Question { vin, from, to: order.to, signals: Some(&keys) };
        let page = store.samples(question, MAX_ROWS).await?;
        part.samples += page.samples.rows.len() as u64;
        feed(&mut trial, &keys, &page.samples, &mut told, &mut found);
        next = page.next;
    }
    while let Some(one) = told.next_if(|one| one.at() <= end) {
        found.extend(one.tell(&mut trial));
    }
    found.extend(trial.end(end));
    part.fired += found.len() as u64;
    let room = MAX_LISTED.saturating_sub(part.firings.len());
    part.firings.extend(found.into_iter().take(room).map(|firing| Found { vin, name: entry.name.clone(), firing }));
    Ok(())
}

/// Whether the hours' lowest and highest values leave it open that a limit is passed; of what is no limit nobody knows.
async fn may_fire(store: &Store, order: &Order<'_>, vin: Vin) -> Result<bool, StoreError> {
    let hours = u32::try_from((order.to - order.from) / HOUR_MS + 2).unwrap_or(u32::MAX);
    for signal in order.condition.signals() {
        let series = store.series(vin, signal, order.from, order.to, hours).await?;
        let holds = series.buckets.iter().any(|bucket| match order.condition {
            Condition::Above { on, .. } => bucket.high > *on,
            Condition::Below { on, .. } => bucket.low < *on,
            _ => true,
        });
        if holds {
            return Ok(true);
        }
    }
    Ok(order.condition.signals().is_empty())
}

/// What the vehicle told beside its samples, as far as the condition looks at it, in the order of time.
async fn told(store: &Store, order: &Order<'_>, vin: Vin) -> Result<Vec<Told>, StoreError> {
    let leaves = order.condition.leaves();
    let mut told = Vec::new();
    if leaves.iter().any(|leaf| matches!(leaf, Condition::Event(_))) {
        let events = store.oldest_events(vin, (order.from, order.to), None, MAX_PAGE).await?;
        told.extend(events.into_iter().map(Told::Event));
    }
    if leaves.iter().any(|leaf| matches!(leaf, Condition::Codes(_))) {
        let codes = store.dtcs(vin, None, MAX_CODES).await?;
        told.extend(pictures(vin, &codes, order.from, order.to).into_iter().map(Told::Codes));
    }
    told.sort_by_key(Told::at);
    Ok(told)
}

/// What the car must have told at each moment at which a code came or went: of each code it is known since when and until
/// when it was there, not what was told in between.
fn pictures(vin: Vin, codes: &[DtcRecord], from: UnixMs, to: UnixMs) -> Vec<Diagnostics> {
    let changes = codes.iter().flat_map(|code| [Some(code.first_seen), code.gone]).flatten();
    let times: BTreeSet<UnixMs> = changes.map(|at| at.max(from)).filter(|at| *at <= to).collect();
    let picture = |at: UnixMs| {
        let is_there = |code: &&DtcRecord| code.first_seen <= at && code.gone.is_none_or(|gone| gone > at);
        let dtcs = codes.iter().filter(is_there).map(|code| Dtc {
            code: code.code.clone(),
            status: code.status,
            ecu: (!code.ecu.is_empty()).then(|| code.ecu.clone()),
        });
        Diagnostics {
            v: SCHEMA_VERSION,
            vin,
            epoch: Epoch(0),
            seq: Seq(0),
            at,
            mil: None,
            dtcs: dtcs.collect(),
            monitors: Vec::new(),
            freeze_frame: None,
        }
    };
    times.into_iter().map(picture).collect()
}

impl Told {
    fn at(&self) -> UnixMs {
        match self {
            Told::Event(event) => event.at,
            Told::Codes(picture) => picture.at,
        }
    }

    fn tell(&self, trial: &mut Trial) -> Option<Firing> {
        match self {
            Told::Event(event) => trial.happen(event),
            Told::Codes(picture) => trial.diagnose(picture),
        }
    }
}

fn feed(
    trial: &mut Trial,
    keys: &[&str],
    samples: &Samples,
    told: &mut std::iter::Peekable<std::vec::IntoIter<Told>>,
    found: &mut Vec<Firing>,
) {
    let columns: Vec<_> = keys.iter().map(|key| samples.column(key)).collect();
    let mut values = vec![None; columns.len()];
    for row in &samples.rows {
        while let Some(one) = told.next_if(|one| one.at() <= row.ts) {
            found.extend(one.tell(trial));
        }
        for (value_of, column) in values.iter_mut().zip(&columns) {
            *value_of = column.and_then(|column| row.values.get(column).copied().flatten());
        }
        found.extend(trial.step(row.ts, &values));
    }
}
