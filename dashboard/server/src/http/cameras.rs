//! `/api/frontend/cameras` and `/api/frontend/vehicles/{vin}/cameras`: what there is to look at.

use axum::{Json, extract::State};
use bugbrother_wire::{
    Vin,
    api::{CameraEntry, CameraList, Right, WallEntry, WallList},
    message::CameraDeclaration,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    body::{Params, PathVin},
    caller::{Access, Caller, Scope},
    failure::Failure,
    routes::Routes,
};
use crate::clock;

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 500;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Page {
    /// `next` of the page before.
    after: Option<Vin>,
    /// How many vehicles at most.
    limit: Option<u32>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let watch = Access::May(Right::Watch);
    routes
        .get("/frontend/cameras", watch, wall)
        .says("Vehicles with cameras, by VIN")
        .asks::<Page>()
        .gives::<WallList>();
    routes
        .get("/frontend/vehicles/{vin}/cameras", watch, of_vehicle)
        .says("The cameras of a vehicle")
        .gives::<CameraList>();
}

async fn wall(State(app): State<App>, caller: Caller, Params(page): Params<Page>) -> Result<Json<WallList>, Failure> {
    let client = match caller.scope {
        Scope::Fleet => None,
        Scope::Client(client) => Some(client),
        Scope::Nothing => return Ok(Json(WallList { vehicles: Vec::new(), next: None })),
    };
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let mut found = app.config.store.vehicles_with_cameras(client, clock::now(), page.after, limit + 1).await?;
    let has_more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| has_more).map(|(vin, _, _)| *vin);
    let vehicles = found.into_iter().map(|(vin, name, cameras)| WallEntry { vin, name, cameras: entries(cameras) });
    Ok(Json(WallList { vehicles: vehicles.collect(), next }))
}

async fn of_vehicle(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
) -> Result<Json<CameraList>, Failure> {
    caller.sees(&app, vin).await?;
    if !may_look(&app, &caller, vin).await? {
        return Ok(Json(CameraList { cameras: Vec::new() }));
    }
    let birth = app.config.store.birth(vin).await?;
    Ok(Json(CameraList { cameras: entries(birth.map(|birth| birth.cameras).unwrap_or_default()) }))
}

/// Whether the caller, who sees the vehicle, may see what its cameras see: a client by a contract that says so.
pub(super) async fn may_look(app: &App, caller: &Caller, vin: Vin) -> Result<bool, Failure> {
    match caller.scope {
        Scope::Fleet => Ok(true),
        Scope::Client(client) => Ok(app.config.store.client_sees_video(client, vin, clock::now()).await?),
        Scope::Nothing => Ok(false),
    }
}

fn entries(cameras: Vec<CameraDeclaration>) -> Vec<CameraEntry> {
    cameras.into_iter().map(|CameraDeclaration { id, label, .. }| CameraEntry { id, label }).collect()
}
