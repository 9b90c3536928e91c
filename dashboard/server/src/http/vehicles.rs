//! `/api/frontend/vehicles`: the fleet as the database has it.

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_store::VehicleState;
use bugbrother_wire::{
    Vin,
    api::{VehicleList, VehicleSummary},
    wmi,
};
use serde::Deserialize;

use super::{
    App,
    body::{Body, Params, PathVin},
    failure::Failure,
    signed::Watcher,
};
use crate::clock;

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 500;
const MAX_NAME_CHARS: usize = 80;
const MAX_PLATE_CHARS: usize = 20;

#[derive(Deserialize)]
pub(crate) struct Page {
    after: Option<Vin>,
    limit: Option<u32>,
}

pub(crate) async fn list(
    State(app): State<App>,
    _: Watcher,
    Params(page): Params<Page>,
) -> Result<Json<VehicleList>, Failure> {
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    // One more than asked for tells whether there is a next page.
    let mut states = app.config.store.vehicles(page.after, limit + 1).await?;
    let has_more = states.len() > limit as usize;
    states.truncate(limit as usize);
    Ok(Json(VehicleList {
        next: states.last().filter(|_| has_more).map(|last| last.vin.to_string()),
        vehicles: states.into_iter().map(summary).collect(),
    }))
}

pub(crate) async fn show(
    State(app): State<App>,
    _: Watcher,
    PathVin(vin): PathVin,
) -> Result<Json<VehicleSummary>, Failure> {
    find(&app, vin).await
}

/// What people call a vehicle.
#[derive(Deserialize)]
pub(crate) struct Naming {
    name: String,
    #[serde(default)]
    plate: Option<String>,
}

pub(crate) async fn name(
    State(app): State<App>,
    _: Watcher,
    PathVin(vin): PathVin,
    Body(naming): Body<Naming>,
) -> Result<Json<VehicleSummary>, Failure> {
    let name = naming.name.trim();
    let plate = naming.plate.as_deref().map(str::trim).filter(|plate| !plate.is_empty());
    if name.is_empty() || !fits(name, MAX_NAME_CHARS) {
        return Err(invalid("a name has 1 to 80 characters, none of them a control character"));
    }
    if plate.is_some_and(|plate| !fits(plate, MAX_PLATE_CHARS)) {
        return Err(invalid("a plate has up to 20 characters, none of them a control character"));
    }
    let store = &app.config.store;
    store.name_vehicle(vin, name, plate, clock::now()).await?;
    app.feed.change(|fleet| fleet.rename(vin, name, plate));
    find(&app, vin).await
}

async fn find(app: &App, vin: Vin) -> Result<Json<VehicleSummary>, Failure> {
    Ok(Json(summary(known(app, vin).await?)))
}

/// The vehicle, if there is one.
pub(super) async fn known(app: &App, vin: Vin) -> Result<VehicleState, Failure> {
    let state = app.config.store.vehicle(vin).await?;
    state.ok_or_else(|| Failure::not_found("no vehicle with that VIN is known"))
}

fn fits(text: &str, max_chars: usize) -> bool {
    text.chars().count() <= max_chars && !text.chars().any(char::is_control)
}

fn invalid(message: &str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, "invalid_name", message)
}

fn summary(state: VehicleState) -> VehicleSummary {
    VehicleSummary {
        vin: state.vin,
        name: state.name,
        plate: state.plate,
        maker: wmi::maker(state.vin).map(str::to_owned),
        presence: state.latest.presence,
        source_ts: state.latest.source_ts,
        received_ts: state.latest.received_ts,
        values: state.latest.values(),
    }
}
