//! Vehicles as the office sees them: `/api/frontend/roster`, and what people know of each.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_store::{Enlisted, RosterEntry, VehicleFacts as Facts};
use bugbrother_wire::{
    ClientId, Vin,
    api::{NamedClient, NewVehicle, Right, Roster, RosterLine, VehicleFacts, VehicleForm},
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
    form::{Form, nothing_there},
    limits::{MAX_BATTERY_KWH, MAX_CLASS, MAX_NAME, MAX_NOTE, MAX_PLATE, MAX_TANK_L},
    routes::Routes,
};
use crate::clock;

const DEFAULT_PAGE: u32 = 2_000;
const MAX_PAGE: u32 = 5_000;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Page {
    after: Option<Vin>,
    limit: Option<u32>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/roster", Access::May(Right::Watch), list)
        .says("What a list of vehicles shows that they do not tell themselves")
        .asks::<Page>()
        .gives::<Roster>();
    routes
        .post("/frontend/vehicles", Access::May(Right::Vehicles), add)
        .says("Add a vehicle")
        .takes::<NewVehicle>()
        .gives::<VehicleFacts>();
    routes
        .get("/frontend/vehicles/{vin}/facts", Access::May(Right::Watch), show)
        .says("What people know of a vehicle")
        .gives::<VehicleFacts>();
    routes
        .put("/frontend/vehicles/{vin}/facts", Access::May(Right::Vehicles), change)
        .says("Change what people know of a vehicle")
        .takes::<VehicleForm>()
        .gives::<VehicleFacts>();
    routes
        .post("/frontend/vehicles/{vin}/archive", Access::May(Right::Vehicles), archive)
        .says("Take a vehicle out of the fleet; what is known of it stays")
        .gives::<VehicleFacts>();
    routes
        .delete("/frontend/vehicles/{vin}/archive", Access::May(Right::Vehicles), bring_back)
        .says("Take a vehicle back into the fleet")
        .gives::<VehicleFacts>();
}

async fn list(State(app): State<App>, caller: Caller, Params(page): Params<Page>) -> Result<Json<Roster>, Failure> {
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let client = match caller.scope {
        Scope::Fleet => None,
        Scope::Client(client) => Some(client),
        Scope::Nothing => return Ok(Json(Roster { vehicles: Vec::new(), clients: Vec::new(), next: None })),
    };
    // One more than asked for tells whether there is a next page.
    let store = &app.config.store;
    let mut entries = store.roster(client, clock::now(), page.after, limit + 1).await?;
    let has_more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let mut clients = BTreeMap::new();
    let whose = |entry: &RosterEntry| client.or(entry.client);
    for id in entries.iter().filter_map(whose) {
        if let std::collections::btree_map::Entry::Vacant(place) = clients.entry(id) {
            place.insert(named(&app, id).await?);
        }
    }
    Ok(Json(Roster {
        next: entries.last().filter(|_| has_more).map(|last| last.vin),
        vehicles: entries
            .into_iter()
            .map(|entry| RosterLine {
                vin: entry.vin,
                client: whose(&entry),
                class: entry.facts.class,
                archived: entry.facts.archived.is_some(),
            })
            .collect(),
        clients: clients.into_values().collect(),
    }))
}

async fn show(State(app): State<App>, caller: Caller, PathVin(vin): PathVin) -> Result<Json<VehicleFacts>, Failure> {
    caller.sees(&app, vin).await?;
    facts(&app, &caller, vin).await.map(Json)
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewVehicle>,
) -> Result<(StatusCode, Json<VehicleFacts>), Failure> {
    let mut check = Form::default();
    let vin = Vin::parse_lenient(&new.vin);
    if let Err(error) = &vin {
        check.check("vin", false, &error.to_string());
    }
    let vehicle = checked(check, vin.as_ref().ok().copied(), new.form)?;
    let store = &app.config.store;
    if store.vehicle(vehicle.vin).await?.is_some() {
        return Err(Failure::field("vin", "this vehicle is in the fleet already"));
    }
    write(&app, &caller, "vehicle_added", vehicle.clone()).await?;
    Ok((StatusCode::CREATED, Json(facts(&app, &caller, vehicle.vin).await?)))
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Body(form): Body<VehicleForm>,
) -> Result<Json<VehicleFacts>, Failure> {
    let before = find(&app, vin).await?;
    let mut vehicle = checked(Form::default(), Some(vin), form)?;
    vehicle.facts.archived = before.facts.archived;
    write(&app, &caller, "vehicle_changed", vehicle).await?;
    facts(&app, &caller, vin).await.map(Json)
}

async fn archive(State(app): State<App>, caller: Caller, PathVin(vin): PathVin) -> Result<Json<VehicleFacts>, Failure> {
    let RosterEntry { name, plate, facts: before, .. } = find(&app, vin).await?;
    let archived = before.archived.or(Some(clock::now()));
    let vehicle = Enlisted { vin, name, plate, facts: Facts { archived, ..before } };
    write(&app, &caller, "vehicle_archived", vehicle).await?;
    facts(&app, &caller, vin).await.map(Json)
}

async fn bring_back(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
) -> Result<Json<VehicleFacts>, Failure> {
    let RosterEntry { name, plate, facts: before, .. } = find(&app, vin).await?;
    let vehicle = Enlisted { vin, name, plate, facts: Facts { archived: None, ..before } };
    write(&app, &caller, "vehicle_brought_back", vehicle).await?;
    facts(&app, &caller, vin).await.map(Json)
}

pub(super) async fn find(app: &App, vin: Vin) -> Result<RosterEntry, Failure> {
    app.config.store.roster_entry(vin, clock::now()).await?.ok_or_else(nothing_there)
}

async fn facts(app: &App, caller: &Caller, vin: Vin) -> Result<VehicleFacts, Failure> {
    let entry = find(app, vin).await?;
    let whose = match caller.scope {
        Scope::Client(client) => Some(client),
        _ => entry.client,
    };
    let client = match whose {
        Some(id) => Some(named(app, id).await?),
        None => None,
    };
    Ok(VehicleFacts {
        vin,
        form: VehicleForm {
            name: entry.name,
            plate: entry.plate,
            class: entry.facts.class,
            fuel: entry.facts.fuel,
            tank_l: entry.facts.tank_l,
            battery_kwh: entry.facts.battery_kwh,
            note: entry.facts.note,
        },
        maker: wmi::maker(vin).map(str::to_owned),
        archived: entry.facts.archived,
        client,
    })
}

pub(super) async fn named(app: &App, id: ClientId) -> Result<NamedClient, Failure> {
    let name = app.config.store.client(id).await?.map(|client| client.name).unwrap_or_default();
    Ok(NamedClient { id, name })
}

async fn write(app: &App, caller: &Caller, what: &str, vehicle: Enlisted) -> Result<(), Failure> {
    let detail = json!({
        "name": vehicle.name,
        "plate": vehicle.plate,
        "class": vehicle.facts.class,
        "fuel": vehicle.facts.fuel,
        "tank_l": vehicle.facts.tank_l,
        "battery_kwh": vehicle.facts.battery_kwh,
    });
    app.config.store.enlist(std::slice::from_ref(&vehicle), clock::now()).await?;
    app.feed.change(|fleet| fleet.rename(vehicle.vin, &vehicle.name, vehicle.plate.as_deref()));
    app.note(caller, what, Some(("vehicle", vehicle.vin.as_str())), detail).await
}

fn checked(mut check: Form, vin: Option<Vin>, form: VehicleForm) -> Result<Enlisted, Failure> {
    let name = check.line("name", &form.name, MAX_NAME);
    let plate = check.some_line("plate", form.plate.as_deref(), MAX_PLATE);
    let facts = Facts {
        fuel: form.fuel,
        tank_l: check.some_size("tank_l", form.tank_l, MAX_TANK_L),
        battery_kwh: check.some_size("battery_kwh", form.battery_kwh, MAX_BATTERY_KWH),
        class: check.some_line("class", form.class.as_deref(), MAX_CLASS),
        note: check.some_text("note", form.note.as_deref(), MAX_NOTE),
        archived: None,
    };
    check.check("vin", vin.is_some(), "this is needed");
    check.done()?;
    Ok(Enlisted { vin: vin.ok_or_else(nothing_there)?, name, plate, facts })
}
