//! `/api/frontend/contracts`: on what terms the fleet serves whom, and with which vehicles.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_store::{Assignment, Contract, ContractFilter, ContractLine};
use bugbrother_wire::{
    ClientId, ContractId, UnixMs, Vin,
    api::{
        Assign, ContractDetail, ContractForm, ContractList, ContractState, ContractSummary, ContractVehicle,
        ENDS_SOON_MS, Release, Right,
    },
    codec::LATEST,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    App,
    body::{Body, Params},
    caller::{Access, Caller},
    clients, documents,
    failure::Failure,
    form::{Form, PathId, PathIds, nothing_there, place, place_text},
    routes::Routes,
};
use crate::clock;

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 200;
const VEHICLES: u32 = 1_000;
const MAX_ASSIGNED: usize = 500;
const MAX_OPTIONS: usize = 30;
/// A hundred years.
const MAX_DAYS: u32 = 36_500;

/// Which contracts are wanted.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Which {
    All,
    Running,
    Ending,
    Ended,
    Coming,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Page {
    /// `all`, `running`, `ending` (within 60 days), `ended` or `coming`.
    state: Option<Which>,
    client: Option<ClientId>,
    after: Option<String>,
    limit: Option<u32>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let access = Access::May(Right::Clients);
    routes
        .get("/frontend/contracts", access, list)
        .says("Contracts by what has become of them")
        .asks::<Page>()
        .gives::<ContractList>();
    routes
        .post("/frontend/contracts", access, add)
        .says("Add a contract")
        .takes::<ContractForm>()
        .gives::<ContractSummary>();
    routes
        .get("/frontend/contracts/{id}", access, show)
        .says("A contract with its vehicles and documents")
        .gives::<ContractDetail>();
    routes
        .put("/frontend/contracts/{id}", access, change)
        .says("Change a contract")
        .takes::<ContractForm>()
        .gives::<ContractSummary>();
    routes.delete("/frontend/contracts/{id}", access, remove).says("Delete a contract that has no documents");
    routes
        .post("/frontend/contracts/{id}/vehicles", access, assign)
        .says("Put vehicles into a contract")
        .takes::<Assign>()
        .gives::<ContractDetail>();
    routes
        .post("/frontend/contracts/{id}/vehicles/{vin}/release", access, release)
        .says("Take a vehicle out of a contract")
        .takes::<Release>()
        .gives::<ContractDetail>();
    routes
        .post("/frontend/contracts/{id}/vehicles/{vin}/stay", access, stay)
        .says("Let a vehicle that was taken out stay after all")
        .takes::<ContractVehicle>()
        .gives::<ContractDetail>();
}

async fn list(State(app): State<App>, _: Caller, Params(page): Params<Page>) -> Result<Json<ContractList>, Failure> {
    let now = clock::now();
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let filter = match page.state.unwrap_or(Which::All) {
        Which::All => ContractFilter::All,
        Which::Running => ContractFilter::Running,
        Which::Ending => ContractFilter::Ending(now + ENDS_SOON_MS),
        Which::Ended => ContractFilter::Ended,
        Which::Coming => ContractFilter::Coming,
    };
    let after = page.after.as_deref().map(|text| place("after", text)).transpose()?;
    let mut lines = app.config.store.contract_lines(filter, page.client, now, after, limit + 1).await?;
    let has_more = lines.len() > limit as usize;
    lines.truncate(limit as usize);
    let next = lines.last().filter(|_| has_more).map(|line| {
        let (at, id) = line.place(filter);
        place_text(at, id)
    });
    Ok(Json(ContractList { contracts: lines.into_iter().map(|line| summary(line, now)).collect(), next }))
}

async fn show(
    State(app): State<App>,
    _: Caller,
    PathId(id): PathId<ContractId>,
) -> Result<Json<ContractDetail>, Failure> {
    detail(&app, id).await.map(Json)
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Body(form): Body<ContractForm>,
) -> Result<(StatusCode, Json<ContractSummary>), Failure> {
    let contract = checked(ContractId(Uuid::now_v7()), form)?;
    let client = app.config.store.client(contract.client).await?;
    let client = client.ok_or_else(|| Failure::field("client", "there is no such client"))?;
    app.config.store.add_contract(&contract).await?;
    note(&app, &caller, "contract_added", &contract).await?;
    let line = ContractLine { contract, client_name: client.name, vehicles: 0 };
    Ok((StatusCode::CREATED, Json(summary(line, clock::now()))))
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ContractId>,
    Body(form): Body<ContractForm>,
) -> Result<Json<ContractSummary>, Failure> {
    let before = find(&app, id).await?;
    let contract = Contract { client: before.client, ..checked(id, form)? };
    app.config.store.update_contract(&contract).await?;
    note(&app, &caller, "contract_changed", &contract).await?;
    Ok(Json(detail(&app, id).await?.contract))
}

async fn remove(State(app): State<App>, caller: Caller, PathId(id): PathId<ContractId>) -> Result<StatusCode, Failure> {
    let contract = find(&app, id).await?;
    match app.config.store.delete_contract(id).await {
        Ok(_) => {}
        Err(error) if error.is_about_content() => {
            let message = "the contract has documents: delete them first";
            return Err(Failure::new(StatusCode::CONFLICT, "has_documents", message));
        }
        Err(error) => return Err(error.into()),
    }
    note(&app, &caller, "contract_deleted", &contract).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn assign(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ContractId>,
    Body(wanted): Body<Assign>,
) -> Result<Json<ContractDetail>, Failure> {
    find(&app, id).await?;
    let mut form = Form::default();
    form.check("vins", (1..=MAX_ASSIGNED).contains(&wanted.vins.len()), "1 to 500 vehicles");
    let now = clock::now();
    let from = wanted.from.unwrap_or(now);
    form.check("from", (0..=LATEST).contains(&from), "no such time");
    form.done()?;
    let store = &app.config.store;
    for vin in &wanted.vins {
        if store.vehicle(*vin).await?.is_none() {
            return Err(Failure::field("vins", format!("no vehicle {vin} is known")));
        }
    }
    let present = store.contract_fleet(id, None, VEHICLES).await?;
    for vin in &wanted.vins {
        let is_in = present.iter().any(|known| {
            let stay = known.assignment;
            stay.vin == *vin && stay.from <= from && stay.to.is_none_or(|to| to > from)
        });
        if !is_in {
            store.assign_vehicle(&Assignment { contract: id, vin: *vin, from, to: None }, now).await?;
        }
    }
    app.note(
        &caller,
        "vehicles_assigned",
        Some(("contract", &id.to_string())),
        json!({ "vins": wanted.vins, "from": from }),
    )
    .await?;
    app.downlink.reconcile();
    detail(&app, id).await.map(Json)
}

async fn release(
    State(app): State<App>,
    caller: Caller,
    PathIds(id, vin): PathIds<ContractId, Vin>,
    Body(wanted): Body<Release>,
) -> Result<Json<ContractDetail>, Failure> {
    find(&app, id).await?;
    let at = wanted.at.unwrap_or_else(clock::now);
    if !app.config.store.release_vehicle(id, vin, at).await? {
        return Err(Failure::field("at", "the vehicle is not in the contract then"));
    }
    app.note(&caller, "vehicle_released", Some(("contract", &id.to_string())), json!({ "vin": vin, "at": at })).await?;
    app.downlink.reconcile();
    detail(&app, id).await.map(Json)
}

/// The undoing of a release: the stay that began at `from` has the end that it had.
async fn stay(
    State(app): State<App>,
    caller: Caller,
    PathIds(id, vin): PathIds<ContractId, Vin>,
    Body(wanted): Body<ContractVehicle>,
) -> Result<Json<ContractDetail>, Failure> {
    find(&app, id).await?;
    let known = app.config.store.contract_fleet(id, None, VEHICLES).await?;
    let is_known = known.iter().any(|one| one.assignment.vin == vin && one.assignment.from == wanted.from);
    if !is_known || wanted.to.is_some_and(|to| to <= wanted.from) {
        return Err(Failure::field("from", "the vehicle did not come into the contract then"));
    }
    let assignment = Assignment { contract: id, vin, from: wanted.from, to: wanted.to };
    app.config.store.assign_vehicle(&assignment, clock::now()).await?;
    app.note(&caller, "vehicle_stays", Some(("contract", &id.to_string())), json!({ "vin": vin, "from": wanted.from }))
        .await?;
    app.downlink.reconcile();
    detail(&app, id).await.map(Json)
}

pub(super) async fn find(app: &App, id: ContractId) -> Result<Contract, Failure> {
    app.config.store.contract(id).await?.ok_or_else(nothing_there)
}

async fn detail(app: &App, id: ContractId) -> Result<ContractDetail, Failure> {
    let store = &app.config.store;
    let now = clock::now();
    let contract = find(app, id).await?;
    let client = clients::find(app, contract.client).await?;
    let fleet = store.contract_fleet(id, None, VEHICLES).await?;
    let is_in = |stay: &Assignment| stay.from <= now && stay.to.is_none_or(|to| to > now);
    let vehicles = fleet.iter().filter(|one| is_in(&one.assignment)).count() as i64;
    Ok(ContractDetail {
        contract: summary(ContractLine { contract, client_name: client.name, vehicles }, now),
        vehicles: fleet
            .into_iter()
            .map(|one| ContractVehicle {
                vin: one.assignment.vin,
                name: one.name,
                plate: one.plate,
                from: one.assignment.from,
                to: one.assignment.to,
            })
            .collect(),
        documents: documents::of(app, id).await?,
    })
}

async fn note(app: &App, caller: &Caller, what: &str, contract: &Contract) -> Result<(), Failure> {
    let detail = json!({
        "title": contract.title,
        "client": contract.client,
        "starts": contract.starts,
        "ends": contract.ends,
        "video": contract.video,
        "retention_days": contract.retention_days,
    });
    app.note(caller, what, Some(("contract", &contract.id.to_string())), detail).await?;
    // Whose vehicles are whose may have changed with it, and so which geofences they watch.
    app.downlink.reconcile();
    Ok(())
}

fn checked(id: ContractId, form: ContractForm) -> Result<Contract, Failure> {
    let mut check = Form::default();
    let title = check.line("title", &form.title, 120);
    check.check("starts", (0..=LATEST).contains(&form.starts), "no such time");
    if let Some(ends) = form.ends {
        check.check("ends", ends > form.starts, "it ends after it begins");
        check.check("ends", ends <= LATEST, "no such time");
    }
    check.check("options", form.options.len() <= MAX_OPTIONS, "up to 30 options");
    let mut options = Map::new();
    for (name, value) in &form.options {
        let name = check.line("options", name, 60);
        let value = check.some_line("options", Some(value.as_str()), 200).unwrap_or_default();
        options.insert(name, Value::String(value));
    }
    let contract = Contract {
        id,
        client: form.client,
        title,
        starts: form.starts,
        ends: form.ends,
        retention_days: check.some_count("retention_days", form.retention_days, MAX_DAYS),
        media_retention_days: check.some_count("media_retention_days", form.media_retention_days, MAX_DAYS),
        video: form.video,
        options,
        note: check.some_text("note", form.note.as_deref(), 4_000),
    };
    check.done()?;
    Ok(contract)
}

pub(super) fn summary(line: ContractLine, now: UnixMs) -> ContractSummary {
    let ContractLine { contract, client_name, vehicles } = line;
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let options: BTreeMap<String, String> =
        contract.options.into_iter().map(|(name, value)| (name, text(value))).collect();
    ContractSummary {
        id: contract.id,
        state: ContractState::of(contract.starts, contract.ends, now),
        form: ContractForm {
            client: contract.client,
            title: contract.title,
            starts: contract.starts,
            ends: contract.ends,
            retention_days: contract.retention_days,
            media_retention_days: contract.media_retention_days,
            video: contract.video,
            options,
            note: contract.note,
        },
        client_name,
        vehicles: u32::try_from(vehicles).unwrap_or(u32::MAX),
    }
}
