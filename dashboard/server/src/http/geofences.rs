//! `/api/frontend/geofences`: areas that are watched.

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_store::{GeofenceId, GeofenceRecord};
use bugbrother_wire::{
    api::{GeofenceEdit, GeofenceEntry, GeofenceList, MAX_POINTS, Right},
    message::Shape,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    App,
    body::{Body, Params},
    caller::{Access, Caller, Scope},
    failure::Failure,
    form::PathId,
    routes::Routes,
};
use crate::{clock, downlink::MAX_GEOFENCES};

const MAX_PAGE: u32 = 500;
const MAX_NAME_CHARS: usize = 80;
/// From a yard to a country, in metres.
const ACROSS_M: std::ops::RangeInclusive<f64> = 10.0..=200_000.0;
const WIDTH_M: std::ops::RangeInclusive<f64> = 5.0..=10_000.0;
/// A corridor may be longer than it is wide.
const MAX_LENGTH_M: f64 = 2_000_000.0;
const METRES_PER_DEGREE: f64 = 111_195.0;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Page {
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most.
    limit: Option<u32>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let (watch, draw) = (Access::May(Right::Watch), Access::May(Right::Geofences));
    routes
        .get("/frontend/geofences", watch, list)
        .says("Areas that are watched, in the order in which they were made")
        .asks::<Page>()
        .gives::<GeofenceList>();
    routes.get("/frontend/geofences/{id}", watch, show).says("An area that is watched").gives::<GeofenceEntry>();
    routes
        .post("/frontend/geofences", draw, make)
        .says("Has an area watched")
        .takes::<GeofenceEdit>()
        .gives::<GeofenceEntry>();
    routes
        .put("/frontend/geofences/{id}", draw, save)
        .says("Changes an area, or puts one back")
        .takes::<GeofenceEdit>()
        .gives::<GeofenceEntry>();
    routes
        .delete("/frontend/geofences/{id}", draw, delete)
        .says("Has an area watched no more")
        .gives::<GeofenceEntry>();
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(page): Params<Page>,
) -> Result<Json<GeofenceList>, Failure> {
    let limit = page.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let after = page.after.as_deref().map(identity).transpose()?;
    let store = &app.config.store;
    let mut records = match caller.scope {
        Scope::Fleet => store.geofences(after, limit + 1).await?,
        Scope::Client(client) => store.client_geofences(client, after, limit + 1).await?,
        Scope::Nothing => Vec::new(),
    };
    let has_more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let next = records.last().filter(|_| has_more).map(|last| last.id.to_string());
    let mut geofences = Vec::with_capacity(records.len());
    for record in records {
        geofences.push(entry(&app, record).await?);
    }
    Ok(Json(GeofenceList { geofences, next }))
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<String>,
) -> Result<Json<GeofenceEntry>, Failure> {
    let record = find(&app, identity(&id)?).await?;
    let sees = match caller.scope {
        Scope::Fleet => true,
        Scope::Client(client) => record.client == Some(client),
        Scope::Nothing => false,
    };
    if sees { Ok(Json(entry(&app, record).await?)) } else { Err(not_found()) }
}

async fn make(
    State(app): State<App>,
    caller: Caller,
    Body(edit): Body<GeofenceEdit>,
) -> Result<Json<GeofenceEntry>, Failure> {
    keep(&app, &caller, GeofenceId(Uuid::now_v7()), edit, "geofence_made").await
}

async fn save(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<String>,
    Body(edit): Body<GeofenceEdit>,
) -> Result<Json<GeofenceEntry>, Failure> {
    keep(&app, &caller, identity(&id)?, edit, "geofence_changed").await
}

async fn keep(
    app: &App,
    caller: &Caller,
    id: GeofenceId,
    edit: GeofenceEdit,
    what: &str,
) -> Result<Json<GeofenceEntry>, Failure> {
    let mut wrong = check(&edit);
    let client = match edit.client.as_deref().map(str::parse).transpose() {
        Ok(client) => client,
        Err(_) => {
            wrong.push(("client".to_owned(), "no such client is known".to_owned()));
            None
        }
    };
    let store = &app.config.store;
    if let Some(client) = client
        && store.client(client).await?.is_none()
    {
        wrong.push(("client".to_owned(), "no such client is known".to_owned()));
    }
    if !wrong.is_empty() {
        return Err(Failure::fields(wrong));
    }
    let known = store.geofence(id).await?;
    if known.is_none() && store.geofences(None, MAX_GEOFENCES).await?.len() >= MAX_GEOFENCES as usize {
        let message = "there are 1,000 geofences; delete one first";
        return Err(Failure::new(StatusCode::CONFLICT, "too_many_geofences", message));
    }
    let now = clock::now();
    let record = GeofenceRecord {
        id,
        name: edit.name.trim().to_owned(),
        shape: edit.shape,
        client,
        colour: edit.colour,
        created: known.map_or(now, |known| known.created),
        updated: now,
    };
    app.note(caller, what, Some(("geofence", &id.to_string())), json!({ "name": record.name })).await?;
    store.save_geofence(&record).await?;
    app.downlink.reconcile();
    Ok(Json(entry(app, record).await?))
}

/// Gives what was deleted, so that it can be put back.
async fn delete(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<String>,
) -> Result<Json<GeofenceEntry>, Failure> {
    let id = identity(&id)?;
    let record = find(&app, id).await?;
    app.note(&caller, "geofence_deleted", Some(("geofence", &id.to_string())), json!({ "name": record.name })).await?;
    if !app.config.store.delete_geofence(id).await? {
        return Err(not_found());
    }
    app.downlink.reconcile();
    Ok(Json(entry(&app, record).await?))
}

fn not_found() -> Failure {
    Failure::not_found("there is no such geofence")
}

fn identity(text: &str) -> Result<GeofenceId, Failure> {
    text.parse().map_err(|_| not_found())
}

async fn find(app: &App, id: GeofenceId) -> Result<GeofenceRecord, Failure> {
    app.config.store.geofence(id).await?.ok_or_else(not_found)
}

async fn entry(app: &App, record: GeofenceRecord) -> Result<GeofenceEntry, Failure> {
    let client = match record.client {
        Some(client) => app.config.store.client(client).await?,
        None => None,
    };
    Ok(GeofenceEntry {
        id: record.id.to_string(),
        geofence: GeofenceEdit {
            name: record.name,
            shape: record.shape,
            client: record.client.map(|client| client.to_string()),
            colour: record.colour,
        },
        client_name: client.map(|client| client.name),
        created: record.created,
        updated: record.updated,
    })
}

/// What is wrong with a geofence, field by field.
fn check(edit: &GeofenceEdit) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let mut say = |field: &str, message: &str| wrong.push((field.to_owned(), message.to_owned()));
    let name = edit.name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        say("name", "1 to 80 characters");
    }
    let is_colour = |text: &String| {
        text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    if edit.colour.as_ref().is_some_and(|colour| !is_colour(colour)) {
        say("colour", "such as #e66100");
    }
    if let Some(problem) = check_shape(&edit.shape) {
        say("shape", problem);
    }
    wrong
}

fn check_shape(shape: &Shape) -> Option<&'static str> {
    let (points, least) = match shape {
        Shape::Circle { centre, .. } => (std::slice::from_ref(centre), 1),
        Shape::Polygon(ring) => (ring.as_slice(), 3),
        Shape::Corridor { line, .. } => (line.as_slice(), 2),
    };
    if points.len() < least || points.len() > MAX_POINTS {
        return Some("a polygon has 3 to 200 corners, a corridor 2 to 200");
    }
    let is_place = |(lat, lon): &(f64, f64)| lat.abs() <= 90.0 && lon.abs() <= 180.0;
    if !points.iter().all(is_place) {
        return Some("a latitude is -90 to 90, a longitude -180 to 180");
    }
    let across = across_m(points);
    match shape {
        Shape::Circle { radius_m, .. } if !ACROSS_M.contains(&(2.0 * radius_m)) => Some("10 m to 200 km across"),
        Shape::Polygon(_) if !ACROSS_M.contains(&across) => Some("10 m to 200 km across"),
        Shape::Corridor { width_m, .. } if !WIDTH_M.contains(width_m) => Some("a corridor is 5 m to 10 km wide"),
        Shape::Corridor { .. } if across > MAX_LENGTH_M => Some("a corridor spans at most 2,000 km"),
        _ => None,
    }
}

/// The diagonal of what encloses the points, in metres.
fn across_m(points: &[(f64, f64)]) -> f64 {
    let ends = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (south, north) = ends(&mut points.iter().map(|(lat, _)| *lat));
    let (west, east) = ends(&mut points.iter().map(|(_, lon)| *lon));
    let width = (east - west) * METRES_PER_DEGREE * ((south + north) / 2.0).to_radians().cos();
    ((north - south) * METRES_PER_DEGREE).hypot(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_have_points_that_are_places_and_sizes_that_a_vehicle_can_be_in() {
        let yard = vec![(46.5, 6.6), (46.5, 6.601), (46.501, 6.601)];
        for shape in [
            Shape::Circle { centre: (46.5, 6.6), radius_m: 50.0 },
            Shape::Polygon(yard.clone()),
            Shape::Corridor { line: yard[..2].to_vec(), width_m: 20.0 },
        ] {
            assert_eq!(check_shape(&shape), None, "{shape:?}");
        }
        for shape in [
            Shape::Circle { centre: (46.5, 6.6), radius_m: f64::NAN },
            Shape::Circle { centre: (91.0, 6.6), radius_m: 50.0 },
            Shape::Circle { centre: (f64::NAN, 6.6), radius_m: 50.0 },
            Shape::Circle { centre: (46.5, 6.6), radius_m: 1e6 },
            Shape::Polygon(yard[..2].to_vec()),
            Shape::Polygon(vec![(46.5, 6.6); 3]),
            Shape::Polygon(vec![(0.0, 0.0), (0.0, 50.0), (50.0, 50.0)]),
            Shape::Polygon(vec![(46.5, 6.6); 201]),
            Shape::Corridor { line: yard[..1].to_vec(), width_m: 20.0 },
            Shape::Corridor { line: yard, width_m: 0.0 },
        ] {
            assert!(check_shape(&shape).is_some(), "{shape:?}");
        }
    }
}
