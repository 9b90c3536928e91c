//! The HTTP side: routes, and what all requests have in common.

mod address;
mod alerts;
mod audit;
mod body;
mod caller;
mod description;
mod embedded;
mod export;
mod failure;
mod health;
mod history;
mod invitations;
mod live;
mod metrics_page;
mod origin;
mod passwords;
mod preferences;
mod routes;
mod second_factor;
mod serve;
mod session;
mod sessions;
mod signed;
mod span;
mod tickets;
mod tokens;
mod track;
mod trips;
mod users;
mod vehicles;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use serve::serve;

use crate::{
    Config, assets,
    attempts::{Attempts, Visits},
    feed::Feed,
    pass::Passes,
    password::Passwords,
    seats::Seats,
    ticket::Tickets,
    token::Tokens,
    turns::Turns,
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
    pub tokens: Tokens,
    pub passes: Passes,
    pub tickets: Tickets<caller::Caller>,
    pub passwords: Passwords,
    pub attempts: Attempts,
    pub enrolments: Visits,
    pub renewals: Visits,
    /// For what a vehicle's request costs before it has shown that it is one.
    pub desk: Turns,
    pub viewers: Arc<Seats<String>>,
    pub exports: Arc<Seats<String>>,
    /// Open sockets of the live feed, and exports under way; [`crate::run`] waits for them.
    pub sockets: TaskTracker,
    pub stop: CancellationToken,
}

type App = Arc<Shared>;

/// The API, with its description.
fn api(app: &App) -> Router<App> {
    let mut routes = Routes::new(app.clone());
    for room in ROOMS {
        room(&mut routes);
    }
    routes.get("/openapi.json", Access::Anybody, openapi).says("This description");
    let description = Bytes::from(description::document(&mut routes).to_string());
    routes
        .router
        .layer(Extension(Description(description)))
        .fallback(|| async { Failure::not_found("there is nothing at this address") })
        .method_not_allowed_fallback(|| async { Failure::method() })
        .layer(from_fn_with_state(app.clone(), origin::guard))
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
    embedded::routes,
];

#[derive(Clone)]
struct Description(Bytes);

async fn openapi(Extension(Description(document)): Extension<Description>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document)
}

fn router(app: App) -> Router {
    Router::new()
        .nest("/api", api(&app))
        .route("/live", get(live::open))
        .route("/healthz", get(health::show))
        .route("/metrics", get(metrics_page::show))
        .merge(assets::router())
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(app.clone(), surround))
        .with_state(app)
}

/// A deadline before, headers and a count after. The deadline is for the head of an answer: an export's body has one of its
/// own for each piece.
async fn surround(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let answered = tokio::time::timeout(app.config.limits.request_time, next.run(request)).await;
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
        let no_store = HeaderValue::from_static("no-store");
        headers.insert(header::CACHE_CONTROL, no_store);
    }
    response
}

/// What the API says is data, and nobody's page.
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
