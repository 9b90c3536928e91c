//! `/api/frontend/vehicles/{vin}/signals` and `/series`: what a vehicle measured, at a screen's resolution.

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_export::Column;
use bugbrother_store::{Series, telemetry::CLOCK};
use bugbrother_wire::api::{KnownSignal, Right, SeriesList, SignalList, SignalSeries};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    body::{Params, PathVin},
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
    span::{SignalKeys, Signals, Span},
};

/// Most signals of one answer.
const MAX_SIGNALS: usize = 16;
/// Most buckets of a signal: more than a screen has pixels.
const MAX_BUCKETS: u32 = 5000;
const DEFAULT_BUCKETS: u32 = 1000;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let watch = Access::May(Right::Watch);
    routes
        .get("/frontend/vehicles/{vin}/signals", watch, signals)
        .says("Signals that a vehicle has sent in a span")
        .asks::<Span>()
        .gives::<SignalList>();
    routes
        .get("/frontend/vehicles/{vin}/series", watch, series)
        .says("Signals over a span, in buckets")
        .asks::<Span>()
        .asks::<Resolution>()
        .asks::<SignalKeys>()
        .gives::<SeriesList>();
}

pub(crate) async fn signals(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Params(span): Params<Span>,
) -> Result<Json<SignalList>, Failure> {
    let (from, to) = span.or_a_day()?;
    caller.sees(&app, vin).await?;
    let keys = app.config.store.signals(vin, from, to).await?;
    let signals = keys.iter().filter(|key| *key != CLOCK).map(|key| {
        let Column { key, label, unit } = Column::of(key);
        KnownSignal { key, label, unit }
    });
    Ok(Json(SignalList { signals: signals.collect() }))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Resolution {
    buckets: Option<u32>,
}

pub(crate) async fn series(
    State(app): State<App>,
    caller: Caller,
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
    caller.sees(&app, vin).await?;
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
