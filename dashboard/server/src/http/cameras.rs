//! `/api/frontend/cameras` and `/api/frontend/vehicles/{vin}/cameras`: what there is to look at.

use axum::{Json, extract::State};
use bugbrother_store::{Eye, StoreError};
use bugbrother_wire::{
    CameraId, Vin,
    api::{CameraEntry, CameraList, CameraStill, Right, WallEntry, WallList},
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
/// An older picture tells nothing of what a camera sees.
const STILL_FOR_MS: i64 = 31 * 86_400_000;

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
    let next = found.last().filter(|_| has_more).map(|vehicle| vehicle.vin);
    let vehicles = found.into_iter().map(|vehicle| WallEntry {
        vin: vehicle.vin,
        name: vehicle.name,
        cameras: entries(vehicle.cameras, &vehicle.eyes),
    });
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
    let store = &app.config.store;
    let (birth, eyes) = (store.birth(vin).await?, store.eyes(vin).await?);
    let mut cameras = entries(birth.map(|birth| birth.cameras).unwrap_or_default(), &eyes);
    let since = clock::now() - STILL_FOR_MS;
    for camera in &mut cameras {
        let last = store.last_still(vin, &camera.id, since).await?;
        camera.still = last.map(|(id, at)| CameraStill { id, at });
    }
    Ok(Json(CameraList { cameras }))
}

/// Whether the caller, who sees the vehicle, may see what its cameras see: a client by a contract that says so.
pub(super) async fn may_look(app: &App, caller: &Caller, vin: Vin) -> Result<bool, Failure> {
    match caller.scope {
        Scope::Fleet => Ok(true),
        Scope::Client(client) => Ok(app.config.store.client_sees_video(client, vin, clock::now()).await?),
        Scope::Nothing => Ok(false),
    }
}

/// Whose a camera is.
pub(super) enum Whose {
    /// The vehicle's agent speaks to it.
    Vehicle,
    /// The server reaches it by itself.
    Here(Box<Eye>),
}

/// Whose a camera of a vehicle is; none where there is no such camera. What people have set here counts before what the vehicle
/// says.
pub(super) async fn whose(app: &App, vin: Vin, camera: &CameraId) -> Result<Option<Whose>, StoreError> {
    let store = &app.config.store;
    if let Some(eye) = store.eye(vin, camera).await? {
        return Ok(eye.enabled.then(|| Whose::Here(Box::new(eye))));
    }
    let birth = store.birth(vin).await?;
    let is_known = birth.is_some_and(|birth| birth.cameras.iter().any(|known| known.id == *camera));
    Ok(is_known.then_some(Whose::Vehicle))
}

/// The cameras of a vehicle, each once.
fn entries(cameras: Vec<CameraDeclaration>, eyes: &[Eye]) -> Vec<CameraEntry> {
    let own = cameras.into_iter().filter(|camera| eyes.iter().all(|eye| eye.camera != camera.id));
    let own = own.map(|CameraDeclaration { id, label, .. }| CameraEntry { id, label, reached: false, still: None });
    let reached = eyes.iter().filter(|eye| eye.enabled);
    let reached =
        reached.map(|eye| CameraEntry { id: eye.camera.clone(), label: eye.label.clone(), reached: true, still: None });
    own.chain(reached).collect()
}
