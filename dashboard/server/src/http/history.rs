//! `/api/frontend/vehicles/{vin}/signals` and `/series`: what a vehicle measured, at a screen's resolution.

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_export::Column;
use bugbrother_store::{Series, telemetry::CLOCK};
use bugbrother_wire::api::{KnownSignal, SeriesList, SignalList, SignalSeries};
use serde::Deserialize;

use super::{
    App,
    body::{Params, PathVin},
    failure::Failure,
    signed::Watcher,
    span::{Signals, Span},
    vehicles::known,
};

/// Most signals of one answer.
const MAX_SIGNALS: usize = 16;
/// Most buckets of a signal: more than a screen has pixels.
const MAX_BUCKETS: u32 = 5000;
const DEFAULT_BUCKETS: u32 = 1000;

pub(crate) async fn signals(
    State(app): State<App>,
    _: Watcher,
    PathVin(vin): PathVin,
    Params(span): Params<Span>,
) -> Result<Json<SignalList>, Failure> {
    let (from, to) = span.or_a_day()?;
    known(&app, vin).await?;
    let keys = app.config.store.signals(vin, from, to).await?;
    let signals = keys.iter().filter(|key| *key != CLOCK).map(|key| {
        let Column { key, label, unit } = Column::of(key);
        KnownSignal { key, label, unit }
    });
    Ok(Json(SignalList { signals: signals.collect() }))
}

#[derive(Deserialize)]
pub(crate) struct Resolution {
    buckets: Option<u32>,
}

pub(crate) async fn series(
    State(app): State<App>,
    _: Watcher,
    PathVin(vin): PathVin,
    Params(span): Params<Span>,
    Params(Resolution { buckets }): Params<Resolution>,
    Signals(signals): Signals,
) -> Result<Json<SeriesList>, Failure> {
    let (from, to) = span.or_a_day()?;
    if !(1..=MAX_SIGNALS).contains(&signals.len()) {
        let message = format!("name 1 to {MAX_SIGNALS} signals, as `signal=spd&signal=rpm` or `signals=spd,rpm`");
        return Err(Failure::new(StatusCode::BAD_REQUEST, "invalid_signal", message));
    }
    let buckets = buckets.unwrap_or(DEFAULT_BUCKETS);
    if !(1..=MAX_BUCKETS).contains(&buckets) {
        let message = format!("`buckets` is 1 to {MAX_BUCKETS}");
        return Err(Failure::new(StatusCode::BAD_REQUEST, "invalid_buckets", message));
    }
    known(&app, vin).await?;
    let mut found = Vec::with_capacity(signals.len());
    for signal in signals {
        let series = app.config.store.series(vin, &signal, from, to, buckets).await?;
        found.push(columns(signal, &series));
    }
    Ok(Json(SeriesList { series: found }))
}

fn columns(signal: String, Series { bucket_ms, buckets }: &Series) -> SignalSeries {
    SignalSeries {
        unit: Column::of(&signal).unit,
        signal,
        bucket_ms: *bucket_ms,
        ts: buckets.iter().map(|bucket| bucket.ts).collect(),
        low: buckets.iter().map(|bucket| bucket.low).collect(),
        high: buckets.iter().map(|bucket| bucket.high).collect(),
        mean: buckets.iter().map(|bucket| bucket.mean).collect(),
    }
}
