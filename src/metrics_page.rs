//! What a process counts, for Prometheus, whether it lives, and whether it can be given work.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::Result;
use axum::{Router, http::StatusCode, routing::get};
use bugbrother_dashboard::Trouble;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::readiness::Readiness;

/// Serves `/metrics`, `/healthz` and `/readyz` until `stop`. A part of the system that fails ends the process, and this page
/// with it; one that waits for something to get well says so.
pub async fn run(
    listener: TcpListener,
    metrics: PrometheusHandle,
    parts: Vec<(&'static str, Trouble)>,
    readiness: Readiness,
    stop: CancellationToken,
) -> Result<()> {
    let health = move || {
        let parts = parts.iter().map(|(part, trouble)| ((*part).to_owned(), trouble().unwrap_or_else(ok)));
        std::future::ready(page(&parts.collect()))
    };
    let ready = move || {
        let readiness = readiness.clone();
        async move { page(&readiness.parts().await) }
    };
    let pages = Router::new()
        .route("/metrics", get(move || std::future::ready(metrics.render())))
        .route("/healthz", get(health))
        .route("/readyz", get(ready));
    Ok(axum::serve(listener, pages).with_graceful_shutdown(stop.cancelled_owned()).await?)
}

fn ok() -> String {
    "ok".to_owned()
}

/// `ok`, or a line for each part that is not.
fn page(parts: &BTreeMap<String, String>) -> (StatusCode, String) {
    let mut ill = String::new();
    for (part, state) in parts.iter().filter(|(_, state)| *state != "ok") {
        writeln!(ill, "{part}: {state}").expect("a text grows");
    }
    match ill.is_empty() {
        true => (StatusCode::OK, "ok\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, ill),
    }
}
