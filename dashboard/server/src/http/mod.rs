//! The HTTP side: routes, and what all requests have in common.

mod address;
mod alert_films;
mod alerts;
mod audit;
mod body;
mod caller;
mod cameras;
mod card;
mod channels;
mod clients;
mod commands;
mod contracts;
mod description;
mod diagnostics;
mod documents;
mod embedded;
mod enrolment;
mod etag;
mod export;
mod eyes;
mod failure;
mod fleet_notifications;
mod form;
mod geofences;
mod health;
mod history;
mod hls;
mod import;
mod invitations;
mod keeping;
pub(crate) mod limits;
mod live;
mod maintenance;
mod media;
mod metrics_page;
mod notifications;
mod origin;
mod overview;
mod passwords;
mod preferences;
mod push;
mod roster;
mod routes;
mod rules;
mod second_factor;
mod serve;
mod servers;
mod session;
mod sessions;
mod settings;
mod signed;
mod sockets;
mod span;
mod statistics;
mod system;
mod thumbnails;
mod tickets;
mod tiles;
mod tokens;
mod topics;
mod track;
mod trips;
mod uploads;
mod users;
mod vehicle;
mod vehicles;
mod views;
mod watch;
mod wishes;

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use bugbrother_wire::UnixMs;
use bytes::Bytes;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use hls::Shows;
pub(crate) use overview::Overviews;
pub(crate) use serve::serve;

use crate::{
    Config, assets,
    attempts::{Attempts, Visits},
    darkroom::Bell,
    downlink::Downlink,
    feed::Feed,
    pass::Passes,
    passage::Passages,
    password::Passwords,
    room::Room,
    seats::Seats,
    ticket::Tickets,
    token::Tokens,
    turns::Turns,
    vehicle_pass::VehiclePasses,
    video::Relay,
};
use caller::Access;
use failure::Failure;
use routes::Routes;

/// Largest body of a request.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What handlers share.
pub(crate) struct Shared {
    pub config: Config,
    pub feed: Arc<Feed>,
    pub downlink: Arc<Downlink>,
    /// For rules that are tried on history.
    pub trials: Turns,
    pub tokens: Tokens,
    pub passes: Passes,
    pub tickets: Tickets<caller::Caller>,
    pub passwords: Passwords,
    pub attempts: Attempts,
    pub passages: Passages,
    pub vehicle_passes: VehiclePasses,
    pub enrolments: Visits,
    pub renewals: Visits,
    /// For what a vehicle's request costs before it has shown that it is one.
    pub desk: Turns,
    pub viewers: Arc<Seats<String>>,
    /// Who looks at cameras.
    pub watchers: Arc<Seats<String>>,
    pub relay: Arc<Relay>,
    /// Who plays cameras by HLS.
    pub shows: Shows,
    /// For films that are made here.
    pub clips: Turns,
    /// For cameras that are tried before they are added.
    pub trying: Turns,
    /// Where small pictures are made.
    pub darkroom: Bell,
    /// How much photos and clips may take.
    pub room: Room,
    pub exports: Arc<Seats<String>>,
    pub overviews: Overviews,
    /// Open sockets of the live feed, and exports under way; [`crate::run`] waits for them.
    pub sockets: TaskTracker,
    pub stop: CancellationToken,
    /// When this process was started.
    pub started: UnixMs,
}

type App = Arc<Shared>;

/// The API, with its description.
fn api(app: &App) -> Router<App> {
    let mut routes = Routes::new(app.clone());
    for room in ROOMS {
        room(&mut routes);
    }
    routes.get("/openapi.json", Access::Anybody, openapi).says("This description");
    routes.get("/asyncapi.json", Access::Anybody, asyncapi).says("The description of the MQTT topics");
    let description = Bytes::from(description::document(&mut routes).to_string());
    let topics = Bytes::from(topics::document().to_string());
    routes
        .router
        .layer(Extension(Descriptions { api: description, topics }))
        .fallback(|| async { Failure::not_found("there is nothing at this address") })
        .method_not_allowed_fallback(|| async { Failure::method() })
        .layer(from_fn(etag::tag))
        .layer(from_fn_with_state(app.clone(), origin::guard))
        .layer(from_fn(body::guard))
}

const ROOMS: &[fn(&mut Routes)] = &[
    session::routes,
    sessions::routes,
    passwords::routes,
    second_factor::routes,
    invitations::routes,
    tokens::routes,
    tickets::routes,
    preferences::routes,
    users::routes,
    audit::routes,
    vehicles::routes,
    history::routes,
    track::routes,
    trips::routes,
    export::routes,
    alerts::routes,
    alert_films::routes,
    servers::routes,
    tiles::routes,
    settings::routes,
    system::routes,
    card::routes,
    commands::routes,
    diagnostics::routes,
    geofences::routes,
    media::routes,
    cameras::routes,
    eyes::routes,
    keeping::routes,
    push::routes,
    rules::routes,
    wishes::routes,
    embedded::routes,
    vehicle::routes,
    uploads::routes,
    thumbnails::routes,
    clients::routes,
    contracts::routes,
    documents::routes,
    roster::routes,
    import::routes,
    enrolment::routes,
    overview::routes,
    statistics::routes,
    maintenance::routes,
    views::routes,
    notifications::routes,
    fleet_notifications::routes,
];

/// Made once: they do not change.
#[derive(Clone)]
struct Descriptions {
    api: Bytes,
    topics: Bytes,
}

async fn openapi(Extension(descriptions): Extension<Descriptions>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], descriptions.api)
}

async fn asyncapi(Extension(descriptions): Extension<Descriptions>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], descriptions.topics)
}

fn router(app: App) -> Router {
    Router::new()
        .nest("/api", api(&app))
        .route("/live", get(live::open))
        .route("/video/{vin}/{camera}", get(watch::open))
        .route("/hls/{vin}/{camera}/{file}", get(hls::open))
        .route("/healthz", get(health::show))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics_page::show))
        .merge(assets::router(&app.config.servers, app.config.tiles.as_ref().and_then(|tiles| tiles.origin())))
        .method_not_allowed_fallback(|| async { Failure::method() })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(app.clone(), surround))
        .with_state(app)
}

/// A deadline before, headers and a count after. The deadline is for the head of an answer: an export's body has one of its
/// own for each piece.
async fn surround(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let answered = tokio::time::timeout(time_for(&app, &request), next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| Failure::timeout().into_response());
    metrics::counter!(
        "bugbrother_dashboard_requests_total",
        "status" => response.status().as_u16().to_string()
    )
    .increment(1);
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        // The app's pages have their own.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if app.config.secure_cookies {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    if is_api {
        // A copy may be kept by who asked, and is to be asked about before it is used.
        let private = HeaderValue::from_static("private, no-cache");
        headers.entry(header::CACHE_CONTROL).or_insert(private);
    }
    response
}

/// A file takes longer than a form.
fn time_for(app: &App, request: &Request) -> Duration {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let limits = &app.config.limits;
    // With its last piece a file goes into the store, which may be far away.
    let path = request.uri().path();
    let is_file = path.starts_with("/api/embedded/media/") || path.contains("/documents/");
    let is_large = is_file || length.is_some_and(|length: usize| length > MAX_BODY_BYTES);
    if is_large { limits.upload_time } else { limits.request_time }
}

/// What the API says is data, and nobody's page.
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
