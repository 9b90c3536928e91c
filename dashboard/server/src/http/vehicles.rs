//! `/api/frontend/vehicles`: the fleet as the database has it.

use axum::{Json, extract::State};
use bugbrother_store::VehicleState;
use bugbrother_wire::{
    Vin,
    api::{Right, VehicleList, VehicleSummary},
    wmi,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    App,
    body::{Body, Params, PathVin},
    caller::{Access, Caller, Scope},
    failure::Failure,
    routes::Routes,
};
use crate::clock;

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 500;
const MAX_NAME_CHARS: usize = 80;
const MAX_PLATE_CHARS: usize = 20;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Page {
    after: Option<Vin>,
    limit: Option<u32>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/vehicles", Access::May(Right::Watch), list)
        .says("Vehicles in the order of their VINs")
        .asks::<Page>()
        .gives::<VehicleList>();
    routes.get("/frontend/vehicles/{vin}", Access::May(Right::Watch), show).says("A vehicle").gives::<VehicleSummary>();
    routes
        .put("/frontend/vehicles/{vin}", Access::May(Right::Vehicles), name)
        .says("Name a vehicle; one that is not known becomes known")
        .takes::<Naming>()
        .gives::<VehicleSummary>();
}

pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(page): Params<Page>,
) -> Result<Json<VehicleList>, Failure> {
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    // One more than asked for tells whether there is a next page.
    let store = &app.config.store;
    let mut states = match caller.scope {
        Scope::Fleet => store.vehicles(page.after, limit + 1).await?,
        Scope::Client(client) => {
            let mut states = Vec::new();
            for vin in store.client_vehicles(client, clock::now(), page.after, limit + 1).await? {
                states.extend(store.vehicle(vin).await?);
            }
            states
        }
        Scope::Nothing => Vec::new(),
    };
    let has_more = states.len() > limit as usize;
    states.truncate(limit as usize);
    Ok(Json(VehicleList {
        next: states.last().filter(|_| has_more).map(|last| last.vin.to_string()),
        vehicles: states.into_iter().map(summary).collect(),
    }))
}

pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
) -> Result<Json<VehicleSummary>, Failure> {
    Ok(Json(summary(caller.sees(&app, vin).await?)))
}

/// What people call a vehicle.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Naming {
    name: String,
    #[serde(default)]
    plate: Option<String>,
}

pub(crate) async fn name(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Body(naming): Body<Naming>,
) -> Result<Json<VehicleSummary>, Failure> {
    let name = naming.name.trim();
    let plate = naming.plate.as_deref().map(str::trim).filter(|plate| !plate.is_empty());
    if name.is_empty() || !fits(name, MAX_NAME_CHARS) {
        return Err(Failure::field("name", "a name has 1 to 80 characters, none of them a control character"));
    }
    if plate.is_some_and(|plate| !fits(plate, MAX_PLATE_CHARS)) {
        return Err(Failure::field("plate", "a plate has up to 20 characters, none of them a control character"));
    }
    let store = &app.config.store;
    store.name_vehicle(vin, name, plate, clock::now()).await?;
    app.feed.change(|fleet| fleet.rename(vin, name, plate));
    app.note(&caller, "vehicle_named", Some(("vehicle", vin.as_str())), json!({ "name": name, "plate": plate }))
        .await?;
    Ok(Json(summary(caller.sees(&app, vin).await?)))
}

fn fits(text: &str, max_chars: usize) -> bool {
    text.chars().count() <= max_chars && !text.chars().any(char::is_control)
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
