//! `/api/frontend/vehicles/import`: many vehicles out of a spreadsheet, tried first and then done.

use std::collections::HashMap;

use axum::{
    Json,
    body::to_bytes,
    extract::{Request, State},
    http::StatusCode,
};
use bugbrother_store::{Enlisted, RosterEntry, VehicleFacts};
use bugbrother_wire::{
    Vin,
    api::{ImportLine, ImportReport, ImportStep, Right},
    wmi,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::task::spawn_blocking;

use super::{
    App,
    body::Params,
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
};
use crate::{
    clock,
    sheet::{MAX_BYTES, Row, Sheet, SheetError},
};

const PAGE: u32 = 5_000;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Order {
    /// Only tells what would become of each line.
    dry_run: Option<bool>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .post("/frontend/vehicles/import", Access::May(Right::Vehicles), import)
        .says("Vehicles out of a CSV file: the body is the file, up to 10,000 lines; wrong lines are left out")
        .asks::<Order>()
        .gives::<ImportReport>();
}

async fn import(
    State(app): State<App>,
    caller: Caller,
    Params(order): Params<Order>,
    request: Request,
) -> Result<Json<ImportReport>, Failure> {
    let bytes = to_bytes(request.into_body(), MAX_BYTES)
        .await
        .map_err(|_| Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "a file has up to 4 MiB"))?;
    let sheet = spawn_blocking(move || Sheet::read(&bytes))
        .await
        .map_err(|error| Failure::internal(&error, "the file could not be read; the server's log says why"))??;
    let known = known(&app).await?;
    let dry_run = order.dry_run.unwrap_or(false);
    let mut report = ImportReport {
        dry_run,
        lines: Vec::with_capacity(sheet.rows.len()),
        unknown_columns: sheet.unknown_columns,
        added: 0,
        changed: 0,
        same: 0,
        wrong: 0,
    };
    let mut wanted = Vec::new();
    for row in sheet.rows {
        let (step, vehicle) = judge(&row, &known);
        *match step {
            ImportStep::Add => &mut report.added,
            ImportStep::Change => &mut report.changed,
            ImportStep::Same => &mut report.same,
            ImportStep::Wrong => &mut report.wrong,
        } += 1;
        let name = vehicle.as_ref().map_or_else(|| row.name.clone().unwrap_or_default(), |one| one.name.clone());
        report.lines.push(ImportLine { line: row.line, vin: row.vin_text, name, step, faults: row.faults });
        wanted.extend(vehicle.filter(|_| matches!(step, ImportStep::Add | ImportStep::Change)));
    }
    if !dry_run && !wanted.is_empty() {
        app.config.store.enlist(&wanted, clock::now()).await?;
        app.feed.change(|fleet| {
            for vehicle in &wanted {
                fleet.rename(vehicle.vin, &vehicle.name, vehicle.plate.as_deref());
            }
        });
        let detail = json!({ "added": report.added, "changed": report.changed, "wrong": report.wrong });
        app.note(&caller, "vehicles_imported", None, detail).await?;
    }
    Ok(Json(report))
}

/// What becomes of a line, and how the vehicle is in the books then. What the line does not say stays as it is.
fn judge(row: &Row, known: &HashMap<Vin, RosterEntry>) -> (ImportStep, Option<Enlisted>) {
    let Some(vin) = row.vin.filter(|_| row.faults.is_empty()) else { return (ImportStep::Wrong, None) };
    let before = known.get(&vin);
    let facts = before.map(|entry| entry.facts.clone()).unwrap_or_default();
    let named = || wmi::maker(vin).unwrap_or(vin.as_str()).to_owned();
    let vehicle = Enlisted {
        vin,
        name: row.name.clone().or_else(|| before.map(|entry| entry.name.clone())).unwrap_or_else(named),
        plate: row.plate.clone().or_else(|| before.and_then(|entry| entry.plate.clone())),
        facts: VehicleFacts {
            fuel: row.fuel.unwrap_or(facts.fuel),
            tank_l: row.tank_l.or(facts.tank_l),
            battery_kwh: row.battery_kwh.or(facts.battery_kwh),
            class: row.class.clone().or(facts.class),
            note: row.note.clone().or(facts.note),
            // Who is on the list is in the fleet.
            archived: None,
        },
    };
    let step = match before {
        None => ImportStep::Add,
        Some(entry) if is_same(entry, &vehicle) => ImportStep::Same,
        Some(_) => ImportStep::Change,
    };
    (step, Some(vehicle))
}

fn is_same(before: &RosterEntry, after: &Enlisted) -> bool {
    before.name == after.name && before.plate == after.plate && before.facts == after.facts
}

/// All vehicles that there are.
async fn known(app: &App) -> Result<HashMap<Vin, RosterEntry>, Failure> {
    let mut all = HashMap::new();
    let mut after = None;
    loop {
        let page = app.config.store.roster(None, clock::now(), after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.vin);
        all.extend(page.into_iter().map(|entry| (entry.vin, entry)));
    }
}

impl From<SheetError> for Failure {
    fn from(error: SheetError) -> Self {
        Failure::field("file", error.to_string())
    }
}
