//! What a process counts, for Prometheus, and whether it lives, for whoever watches over it.

use anyhow::Result;
use axum::{Router, http::StatusCode, routing::get};
use bugbrother_dashboard::Trouble;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves `/metrics` and `/healthz` until `stop`. A part of the system that fails ends the process, and this page with
/// it; one that waits for something to get well says so.
pub async fn run(
    listener: TcpListener,
    metrics: PrometheusHandle,
    parts: Vec<(&'static str, Trouble)>,
    stop: CancellationToken,
) -> Result<()> {
    let health = move || {
        let ill = parts.iter().filter_map(|(part, trouble)| Some(format!("{part}: {}\n", trouble()?)));
        let ill: String = ill.collect();
        std::future::ready(match ill.is_empty() {
            true => (StatusCode::OK, "ok\n".to_owned()),
            false => (StatusCode::SERVICE_UNAVAILABLE, ill),
        })
    };
    let pages = Router::new()
        .route("/metrics", get(move || std::future::ready(metrics.render())))
        .route("/healthz", get(health));
    Ok(axum::serve(listener, pages).with_graceful_shutdown(stop.cancelled_owned()).await?)
}
