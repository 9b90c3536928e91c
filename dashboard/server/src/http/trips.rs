//! `/api/frontend/vehicles/{vin}/trips`, `/stops` and `/totals`: where a vehicle went, from the newest trip back.

use axum::{Json, extract::State};
use bugbrother_store::{StopRecord, TripRecord};
use bugbrother_trip as trip;
use bugbrother_wire::{
    UnixMs, Vin,
    api::{DistanceFrom, FuelFrom, Right, Stop, StopList, Trip, TripEnd, TripList, TripTotals},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    body::{Params, PathVin},
    caller::{Access, Caller},
    failure::Failure,
    form::PathIds,
    routes::Routes,
    span::Span,
};

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 500;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Page {
    before: Option<UnixMs>,
    limit: Option<u32>,
}

impl Page {
    /// The newest beginning of what is on this page, if it is to be no later than `to`.
    fn newest(&self, to: UnixMs) -> UnixMs {
        self.before.map_or(to, |before| to.min(before.saturating_sub(1)))
    }

    fn limit(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE)
    }
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let watch = Access::May(Right::Watch);
    routes
        .get("/frontend/vehicles/{vin}/trips", watch, trips)
        .says("Trips of a vehicle, newest first")
        .asks::<Span>()
        .asks::<Page>()
        .gives::<TripList>();
    routes
        .get("/frontend/vehicles/{vin}/trips/{start}", watch, one)
        .says("The trip of a vehicle that began at that moment")
        .gives::<Trip>();
    routes
        .get("/frontend/vehicles/{vin}/stops", watch, stops)
        .says("Stops of a vehicle, newest first")
        .asks::<Span>()
        .asks::<Page>()
        .gives::<StopList>();
    routes
        .get("/frontend/vehicles/{vin}/totals", watch, totals)
        .says("What the trips of a vehicle in a span amount to")
        .asks::<Span>()
        .gives::<TripTotals>();
}

pub(crate) async fn trips(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Params(span): Params<Span>,
    Params(page): Params<Page>,
) -> Result<Json<TripList>, Failure> {
    let (from, to) = span.or_all()?;
    caller.sees(&app, vin).await?;
    // One more than asked for tells whether there is a next page.
    let mut records = app.config.store.trips(vin, from, page.newest(to), page.limit() + 1).await?;
    let has_more = records.len() > page.limit() as usize;
    records.truncate(page.limit() as usize);
    Ok(Json(TripList {
        next: records.last().filter(|_| has_more).map(|last| last.trip.start),
        trips: records.into_iter().map(trip_body).collect(),
    }))
}

async fn one(
    State(app): State<App>,
    caller: Caller,
    PathIds(vin, start): PathIds<Vin, UnixMs>,
) -> Result<Json<Trip>, Failure> {
    let not_found = || Failure::not_found("this vehicle has no trip that began then");
    caller.sees(&app, vin).await?;
    Ok(Json(trip_body(app.config.store.trip(vin, start).await?.ok_or_else(not_found)?)))
}

pub(crate) async fn stops(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Params(span): Params<Span>,
    Params(page): Params<Page>,
) -> Result<Json<StopList>, Failure> {
    let (from, to) = span.or_all()?;
    caller.sees(&app, vin).await?;
    let mut records = app.config.store.stops(vin, from, page.newest(to), page.limit() + 1).await?;
    let has_more = records.len() > page.limit() as usize;
    records.truncate(page.limit() as usize);
    Ok(Json(StopList {
        next: records.last().filter(|_| has_more).map(|last| last.stop.start),
        stops: records.into_iter().map(stop_body).collect(),
    }))
}

pub(crate) async fn totals(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Params(span): Params<Span>,
) -> Result<Json<TripTotals>, Failure> {
    let (from, to) = span.or_all()?;
    caller.sees(&app, vin).await?;
    let sum = app.config.store.trip_totals(vin, from, to).await?;
    Ok(Json(TripTotals {
        trips: sum.trips,
        distance_m: sum.distance_m,
        moving_ms: sum.moving_ms,
        idle_ms: sum.idle_ms,
        fuel_l: sum.fuel_l,
        energy_kwh: sum.energy_kwh,
        cost: sum.cost,
        co2_kg: sum.co2_kg,
        score: sum.score,
    }))
}

fn degrees(point: trip::Point) -> (f64, f64) {
    (point.lat, point.lon)
}

fn trip_body(TripRecord { vin: _, trip, start_place, end_place }: TripRecord) -> Trip {
    Trip {
        start: trip.start,
        end: trip.end,
        open: trip.open,
        ended: trip.ended.map(|ended| match ended {
            trip::End::Off => TripEnd::Off,
            trip::End::Still => TripEnd::Still,
            trip::End::Gap => TripEnd::Gap,
        }),
        start_place,
        end_place,
        from: trip.from.map(degrees),
        to: trip.to.map(degrees),
        distance_m: trip.distance_m,
        distance_from: match trip.distance_from {
            trip::DistanceFrom::Odometer => DistanceFrom::Odometer,
            trip::DistanceFrom::Gnss => DistanceFrom::Gnss,
            trip::DistanceFrom::Wheels => DistanceFrom::Wheels,
        },
        moving_ms: trip.moving_ms,
        idle_ms: trip.idle_ms,
        over_ms: trip.over_ms,
        max_kmh: trip.max_kmh,
        mean_kmh: trip.mean_kmh,
        fuel_l: trip.fuel_l,
        fuel_from: trip.fuel_from.map(|fuel_from| match fuel_from {
            trip::FuelFrom::Rate => FuelFrom::Rate,
            trip::FuelFrom::AirFlow => FuelFrom::AirFlow,
            trip::FuelFrom::Level => FuelFrom::Level,
        }),
        energy_kwh: trip.energy_kwh,
        cost: trip.cost,
        co2_kg: trip.co2_kg,
        harsh_accelerations: trip.harsh_accelerations,
        harsh_brakings: trip.harsh_brakings,
        harsh_cornerings: trip.harsh_cornerings,
        score: trip.score,
        track: trip.track,
    }
}

fn stop_body(StopRecord { vin: _, stop, place }: StopRecord) -> Stop {
    Stop { start: stop.start, end: stop.end, place, position: stop.position.map(degrees), idle_ms: stop.idle_ms }
}
