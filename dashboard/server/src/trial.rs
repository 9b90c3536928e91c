//! Rules tried on history: the notifier's evaluator on stored samples, vehicle by vehicle, as far as time allows.

use std::time::Duration;

use bugbrother_rule::{Firing, Moment, Trial};
use bugbrother_store::{Question, Samples, Store, StoreError, history::MAX_ROWS};
use bugbrother_wire::{UnixMs, Vin, rule::Condition};
use tokio::time::Instant;

/// No vehicle is begun after so long.
const BEGIN_WITHIN: Duration = Duration::from_secs(4);
/// A vehicle that takes longer is cut short.
const END_WITHIN: Duration = Duration::from_secs(10);
/// Most firings that are listed of a part; all are counted.
const MAX_LISTED: usize = 200;
/// Vehicles that are read at a time.
const PAGE: u32 = 100;
const HOUR_MS: i64 = 60 * 60 * 1000;

/// What is tried on what.
pub(crate) struct Order<'a> {
    pub condition: &'a Condition,
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

/// Tries vehicle after vehicle until the time is over. Whoever drops it cancels it.
pub(crate) async fn part(store: &Store, order: &Order<'_>) -> Result<Part, StoreError> {
    let begun = Instant::now();
    let mut part = Part::default();
    if let Some(vin) = order.vin {
        let name = store.vehicle(vin).await?.map_or_else(|| vin.to_string(), |state| state.name);
        vehicle(store, order, (vin, name), begun, &mut part).await?;
        return Ok(part);
    }
    let mut after = order.after;
    loop {
        let page = store.vehicles(after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        for state in page {
            if begun.elapsed() > BEGIN_WITHIN || part.cut_short_at.is_some() {
                part.next = after;
                return Ok(part);
            }
            after = Some(state.vin);
            vehicle(store, order, (state.vin, state.name), begun, &mut part).await?;
        }
        if is_last {
            return Ok(part);
        }
    }
}

async fn vehicle(
    store: &Store,
    order: &Order<'_>,
    (vin, name): (Vin, String),
    begun: Instant,
    part: &mut Part,
) -> Result<(), StoreError> {
    part.vehicles += 1;
    if !may_fire(store, order, vin).await? {
        return Ok(());
    }
    let keys: Vec<&str> = order.condition.signals().iter().map(String::as_str).chain(EXTRA).collect();
    let mut trial = Trial::new(order.condition.clone());
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
        feed(&mut trial, order.condition, &page.samples, &mut found);
        next = page.next;
    }
    found.extend(trial.end(end));
    part.fired += found.len() as u64;
    let room = MAX_LISTED.saturating_sub(part.firings.len());
    part.firings.extend(found.into_iter().take(room).map(|firing| Found { vin, name: name.clone(), firing }));
    Ok(())
}

/// What is read beside the condition's own signals.
const EXTRA: [&str; 4] = ["lat", "lon", "ign", "rpm"];

/// Whether the hours' lowest and highest values leave it open that the condition holds.
async fn may_fire(store: &Store, order: &Order<'_>, vin: Vin) -> Result<bool, StoreError> {
    let hours = u32::try_from((order.to - order.from) / HOUR_MS + 2).unwrap_or(u32::MAX);
    for signal in order.condition.signals() {
        let series = store.series(vin, signal, order.from, order.to, hours).await?;
        let holds = series.buckets.iter().any(|bucket| match order.condition {
            Condition::Above { on, .. } => bucket.high > *on,
            Condition::Below { on, .. } => bucket.low < *on,
            Condition::Silent { .. } => true,
        });
        if holds {
            return Ok(true);
        }
    }
    Ok(order.condition.signals().is_empty())
}

fn feed(trial: &mut Trial, condition: &Condition, samples: &Samples, found: &mut Vec<Firing>) {
    let columns: Vec<_> = condition.signals().iter().map(|key| samples.column(key)).collect();
    let [lat, lon, ign, rpm] = EXTRA.map(|key| samples.column(key));
    let mut values = vec![None; columns.len()];
    for row in &samples.rows {
        let value = |column: Option<usize>| column.and_then(|column| row.values.get(column).copied().flatten());
        for (value_of, column) in values.iter_mut().zip(&columns) {
            *value_of = value(*column);
        }
        let engine_on = value(ign).or(value(rpm)).map(|value| value > 0.0);
        found.extend(trial.step(Moment { ts: row.ts, values: &values, place: value(lat).zip(value(lon)), engine_on }));
    }
}
