//! `/api/frontend/vehicles/{vin}/maintenance` and `/works`: the book of a vehicle; `/api/frontend/maintenance`: what is due.

use std::collections::HashSet;

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_store::{DueState, Interval, MaintenanceItem, Prices, Upkeep, Work, upkeep};
use bugbrother_wire::{
    MaintenanceId, UnixMs, Vin, WorkId,
    api::{DueLine, DueList, MaintenanceBook, MaintenanceForm, Pressing, Right, WorkForm, WorkLine},
    codec::LATEST,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    App,
    body::{Body, Params, PathVin},
    caller::{Access, Caller, Scope},
    failure::Failure,
    form::{Form, PathIds, nothing_there, place, place_text},
    routes::Routes,
};
use crate::clock;

const DEFAULT_PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;
const MAX_DUE: usize = 500;
/// Items of the fleet that are looked at, in steps.
const STEP: u32 = 1_000;
const MAX_STEPS: usize = 200;
const MAX_KM: u32 = 1_000_000;
const MAX_HOURS: u32 = 100_000;
const MAX_MONTHS: u32 = 600;
const MAX_ODOMETER_KM: f64 = 10_000_000.0;
const MAX_COST: f64 = 100_000_000.0;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Page {
    /// Place in what was done.
    before: Option<String>,
    limit: Option<u32>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let (see, write) = (Access::May(Right::Watch), Access::May(Right::Vehicles));
    routes
        .get("/frontend/maintenance", see, due)
        .says("What is to be done to the fleet now or soon, the most pressing first")
        .gives::<DueList>();
    routes
        .get("/frontend/vehicles/{vin}/maintenance", see, show)
        .says("The maintenance book of a vehicle")
        .asks::<Page>()
        .gives::<MaintenanceBook>();
    routes
        .post("/frontend/vehicles/{vin}/maintenance", write, add)
        .says("Add something that is to be done")
        .takes::<MaintenanceForm>()
        .gives::<MaintenanceBook>();
    routes
        .put("/frontend/vehicles/{vin}/maintenance/{id}", write, change)
        .says("Change something that is to be done")
        .takes::<MaintenanceForm>()
        .gives::<MaintenanceBook>();
    routes
        .delete("/frontend/vehicles/{vin}/maintenance/{id}", write, archive)
        .says("Something need not be done any more")
        .gives::<MaintenanceBook>();
    routes
        .post("/frontend/vehicles/{vin}/maintenance/{id}/again", write, bring_back)
        .says("Something is to be done after all")
        .gives::<MaintenanceBook>();
    routes
        .post("/frontend/vehicles/{vin}/works", write, work)
        .says("Write down that something was done")
        .takes::<WorkForm>()
        .gives::<WorkLine>();
    routes
        .delete("/frontend/vehicles/{vin}/works/{id}", write, take_back)
        .says("Take back what was written down by mistake")
        .gives::<MaintenanceBook>();
}

async fn due(State(app): State<App>, caller: Caller) -> Result<Json<DueList>, Failure> {
    let all = fleet_due(&app, caller.scope, clock::now()).await?;
    let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
    Ok(Json(DueList { due: all.into_iter().take(MAX_DUE).collect(), count }))
}

/// What is to be done to the vehicles of a scope now or soon, the most pressing first.
pub(super) async fn fleet_due(app: &App, scope: Scope, now: UnixMs) -> Result<Vec<DueLine>, Failure> {
    let store = &app.config.store;
    let seen: Option<HashSet<Vin>> = match scope {
        Scope::Fleet => None,
        Scope::Nothing => return Ok(Vec::new()),
        Scope::Client(client) => Some(store.client_vehicles(client, now, None, u32::MAX).await?.into_iter().collect()),
    };
    let mut due = Vec::new();
    let mut after = None;
    for _ in 0..MAX_STEPS {
        let step = store.upkeep(after, STEP).await?;
        let Some(last) = step.last() else { break };
        after = Some((last.item.vin, last.item.id));
        let of_scope = step.into_iter().filter(|one| seen.as_ref().is_none_or(|seen| seen.contains(&one.item.vin)));
        due.extend(of_scope.map(|one| line(one, now)).filter(|line| line.state != Pressing::Later));
    }
    sort(&mut due);
    Ok(due)
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Params(page): Params<Page>,
) -> Result<Json<MaintenanceBook>, Failure> {
    caller.sees(&app, vin).await?;
    book(&app, vin, page).await.map(Json)
}

async fn first_page(app: &App, vin: Vin) -> Result<Json<MaintenanceBook>, Failure> {
    book(app, vin, Page { before: None, limit: None }).await.map(Json)
}

async fn book(app: &App, vin: Vin, page: Page) -> Result<MaintenanceBook, Failure> {
    let store = &app.config.store;
    let now = clock::now();
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let before = page.before.as_deref().map(|text| place("before", text)).transpose()?;
    let mut works = store.works(vin, before, limit + 1).await?;
    let has_more = works.len() > limit as usize;
    works.truncate(limit as usize);
    let mut items: Vec<DueLine> = Vec::new();
    for one in store.vehicle_upkeep(vin).await? {
        items.push(DueLine { vehicle: String::new(), ..line(one, now) });
    }
    sort(&mut items);
    let prices: Prices = store.setting().await?;
    Ok(MaintenanceBook {
        items,
        next: works.last().filter(|_| has_more).map(|last| place_text(last.done, last.id)),
        works: works.into_iter().map(work_line).collect(),
        odometer_km: odometer(app, vin).await?,
        currency: prices.currency,
    })
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Body(form): Body<MaintenanceForm>,
) -> Result<(StatusCode, Json<MaintenanceBook>), Failure> {
    caller.sees(&app, vin).await?;
    let now = clock::now();
    let mut item = checked(MaintenanceId(Uuid::now_v7()), vin, form, now)?;
    if item.since_km.is_none() && now - item.since < 60_000 {
        item.since_km = odometer(&app, vin).await?;
    }
    if !app.config.store.add_maintenance_item(&item).await? {
        let message = "a vehicle has up to 100 things to be done";
        return Err(Failure::new(StatusCode::CONFLICT, "too_many_items", message));
    }
    note(&app, &caller, "maintenance_added", &item).await?;
    Ok((StatusCode::CREATED, first_page(&app, vin).await?))
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    PathIds(vin, id): PathIds<Vin, MaintenanceId>,
    Body(form): Body<MaintenanceForm>,
) -> Result<Json<MaintenanceBook>, Failure> {
    let before = find(&app, &caller, vin, id).await?;
    let form = MaintenanceForm { since: form.since.or(Some(before.since)), ..form };
    let item = MaintenanceItem { created: before.created, ..checked(id, vin, form, clock::now())? };
    app.config.store.update_maintenance_item(&item).await?;
    note(&app, &caller, "maintenance_changed", &item).await?;
    first_page(&app, vin).await
}

async fn archive(
    State(app): State<App>,
    caller: Caller,
    PathIds(vin, id): PathIds<Vin, MaintenanceId>,
) -> Result<Json<MaintenanceBook>, Failure> {
    let item = find(&app, &caller, vin, id).await?;
    let item = MaintenanceItem { archived: item.archived.or(Some(clock::now())), ..item };
    app.config.store.update_maintenance_item(&item).await?;
    note(&app, &caller, "maintenance_ended", &item).await?;
    first_page(&app, vin).await
}

async fn bring_back(
    State(app): State<App>,
    caller: Caller,
    PathIds(vin, id): PathIds<Vin, MaintenanceId>,
) -> Result<Json<MaintenanceBook>, Failure> {
    let item = MaintenanceItem { archived: None, ..find(&app, &caller, vin, id).await? };
    app.config.store.update_maintenance_item(&item).await?;
    note(&app, &caller, "maintenance_brought_back", &item).await?;
    first_page(&app, vin).await
}

async fn work(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Body(form): Body<WorkForm>,
) -> Result<(StatusCode, Json<WorkLine>), Failure> {
    caller.sees(&app, vin).await?;
    let item = match form.item {
        Some(id) => {
            Some(find(&app, &caller, vin, id).await.map_err(|_| Failure::field("item", "there is no such thing"))?)
        }
        None => None,
    };
    let now = clock::now();
    let title = form.title.or_else(|| item.as_ref().map(|item| item.title.clone())).unwrap_or_default();
    let mut check = Form::default();
    let done = form.done.unwrap_or(now);
    check.check("done", (0..=now + 86_400_000).contains(&done), "it is done: today or before");
    if let Some(cost) = form.cost {
        check.check("cost", (0.0..=MAX_COST).contains(&cost), "0 or more");
    }
    let mut work = Work {
        id: WorkId(Uuid::now_v7()),
        vin,
        item: item.map(|item| item.id),
        title: check.line("title", &title, 120),
        done,
        odometer_km: check.some_size("odometer_km", form.odometer_km, MAX_ODOMETER_KM),
        cost: form.cost,
        workshop: check.some_line("workshop", form.workshop.as_deref(), 120),
        note: check.some_text("note", form.note.as_deref(), 4_000),
        created: now,
        by: caller.name.clone(),
    };
    check.done()?;
    if work.odometer_km.is_none() && now - done < 60_000 {
        work.odometer_km = odometer(&app, vin).await?;
    }
    app.config.store.add_work(&work).await?;
    let detail = json!({ "title": work.title, "done": work.done, "cost": work.cost });
    app.note(&caller, "maintenance_done", Some(("vehicle", vin.as_str())), detail).await?;
    Ok((StatusCode::CREATED, Json(work_line(work))))
}

async fn take_back(
    State(app): State<App>,
    caller: Caller,
    PathIds(vin, id): PathIds<Vin, WorkId>,
) -> Result<Json<MaintenanceBook>, Failure> {
    caller.sees(&app, vin).await?;
    if !app.config.store.delete_work(vin, id).await? {
        return Err(nothing_there());
    }
    app.note(&caller, "maintenance_taken_back", Some(("vehicle", vin.as_str())), json!({ "work": id })).await?;
    first_page(&app, vin).await
}

async fn find(app: &App, caller: &Caller, vin: Vin, id: MaintenanceId) -> Result<MaintenanceItem, Failure> {
    caller.sees(app, vin).await?;
    let item = app.config.store.maintenance_item(id).await?;
    item.filter(|item| item.vin == vin).ok_or_else(nothing_there)
}

async fn odometer(app: &App, vin: Vin) -> Result<Option<f64>, Failure> {
    let state = app.config.store.vehicle(vin).await?;
    Ok(state.and_then(|state| state.latest.values().get("odo").copied()).filter(|km| *km > 0.0))
}

async fn note(app: &App, caller: &Caller, what: &str, item: &MaintenanceItem) -> Result<(), Failure> {
    let detail = json!({ "item": item.id, "title": item.title });
    app.note(caller, what, Some(("vehicle", item.vin.as_str())), detail).await
}

fn checked(id: MaintenanceId, vin: Vin, form: MaintenanceForm, now: UnixMs) -> Result<MaintenanceItem, Failure> {
    let mut check = Form::default();
    let interval = Interval {
        km: check.some_count("every_km", form.every_km, MAX_KM),
        hours: check.some_count("every_hours", form.every_hours, MAX_HOURS),
        months: check.some_count("every_months", form.every_months, MAX_MONTHS),
        at: form.due,
    };
    check.check("every_km", interval != Interval::default(), "say how often, or on which day");
    check.check("due", interval.at.is_none_or(|at| (0..=LATEST).contains(&at)), "no such time");
    let since = form.since.unwrap_or(now);
    check.check("since", (0..=now + 86_400_000).contains(&since), "today or before");
    let item = MaintenanceItem {
        id,
        vin,
        title: check.line("title", &form.title, 120),
        interval,
        since,
        since_km: check.some_size("since_km", form.since_km, MAX_ODOMETER_KM),
        note: check.some_text("note", form.note.as_deref(), 4_000),
        created: now,
        archived: None,
    };
    check.done()?;
    Ok(item)
}

fn line(one: Upkeep, now: UnixMs) -> DueLine {
    let Upkeep { item, passed, vehicle, .. } = one;
    let due = upkeep::next(&item.interval, &passed, now);
    DueLine {
        id: item.id,
        vin: item.vin,
        vehicle,
        form: MaintenanceForm {
            title: item.title,
            every_km: item.interval.km,
            every_hours: item.interval.hours,
            every_months: item.interval.months,
            due: item.interval.at,
            since: Some(item.since),
            since_km: item.since_km,
            note: item.note,
        },
        state: match due.map(|due| due.state) {
            Some(DueState::Overdue) => Pressing::Overdue,
            Some(DueState::Soon) => Pressing::Soon,
            Some(DueState::Later) | None => Pressing::Later,
        },
        at: due.and_then(|due| due.at),
        left_km: due.and_then(|due| due.left_km),
        left_hours: due.and_then(|due| due.left_hours),
        expected: due.and_then(|due| due.expected),
    }
}

fn sort(lines: &mut [DueLine]) {
    lines.sort_by_key(|line| (line.state, line.expected.or(line.at).unwrap_or(UnixMs::MAX), line.vin, line.id));
}

fn work_line(work: Work) -> WorkLine {
    WorkLine {
        id: work.id,
        item: work.item,
        title: work.title,
        done: work.done,
        odometer_km: work.odometer_km,
        cost: work.cost,
        workshop: work.workshop,
        note: work.note,
        by: work.by,
    }
}
