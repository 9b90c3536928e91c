//! `/api/frontend/vehicles/{vin}/media` and `/events`: what a vehicle's cameras have, and what happened in it.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_store::Still;
use bugbrother_wire::{
    EventId, MediaId, UnixMs,
    api::{EventList, MediaList, Right},
    message::{Media, MediaState},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    body::{Params, PathVin},
    caller::{Access, Caller},
    cameras::may_look,
    failure::Failure,
    routes::Routes,
    span::Span,
};

const DEFAULT_PAGE: u32 = 200;
const MAX_PAGE: u32 = 500;
/// Small pictures that are looked through for a page.
const MAX_STILLS: u32 = 1_000;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Page {
    /// `next` of the page before, of events.
    after: Option<String>,
    /// How many at most.
    limit: Option<u32>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let watch = Access::May(Right::Watch);
    routes
        .get("/frontend/vehicles/{vin}/media", watch, media)
        .says("Photos and clips of a vehicle that begin in a span, oldest first")
        .asks::<Span>()
        .asks::<Page>()
        .gives::<MediaList>();
    routes
        .get("/frontend/vehicles/{vin}/events", watch, events)
        .says("What happened in a vehicle in a span, oldest first")
        .asks::<Span>()
        .asks::<Page>()
        .gives::<EventList>();
}

async fn media(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Params(span): Params<Span>,
    Params(page): Params<Page>,
) -> Result<Json<MediaList>, Failure> {
    let (from, to) = span.or_a_day()?;
    caller.sees(&app, vin).await?;
    if !may_look(&app, &caller, vin).await? {
        return Ok(Json(MediaList { media: Vec::new(), next: None, thumbnails: BTreeMap::new() }));
    }
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let mut media = app.config.store.media(vin, from, to, limit + 1).await?;
    let next = media.get(limit as usize).map(|first| first.from);
    media.truncate(limit as usize);
    let until = media.iter().map(|media| media.to).max().unwrap_or(to);
    let stills = app.config.store.stills(vin, from, until.max(to), MAX_STILLS).await?;
    let thumbnails = media.iter().filter_map(|media| Some((media.id, still_of(media, &stills)?))).collect();
    Ok(Json(MediaList { media, next, thumbnails }))
}

/// Whose small picture a photo or clip has: its own, or that of a photo which the same camera took for the same reason.
pub(super) fn still_of(media: &Media, stills: &[Still]) -> Option<MediaId> {
    if media.state == MediaState::Expired {
        return None;
    }
    let own = stills.iter().find(|still| still.id == media.id);
    let taken_with_it = || {
        let of_it = |still: &&Still| still.camera == media.camera && still.cause == media.cause;
        media.cause.as_ref().and_then(|_| stills.iter().find(of_it))
    };
    own.or_else(taken_with_it).map(|still| still.id)
}

async fn events(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Params(span): Params<Span>,
    Params(page): Params<Page>,
) -> Result<Json<EventList>, Failure> {
    let (from, to) = span.or_a_day()?;
    caller.sees(&app, vin).await?;
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let after = page.after.as_deref().map(cursor).transpose()?;
    let mut events = app.config.store.oldest_events(vin, (from, to), after, limit + 1).await?;
    let has_more = events.len() > limit as usize;
    events.truncate(limit as usize);
    let next = events.last().filter(|_| has_more).map(|last| format!("{}_{}", last.at, last.id));
    Ok(Json(EventList { events, next }))
}

fn cursor(text: &str) -> Result<(UnixMs, EventId), Failure> {
    let parts = text.split_once('_').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    parts.ok_or_else(|| Failure::new(StatusCode::BAD_REQUEST, "invalid_query", "`after` is `next` of the page before"))
}
