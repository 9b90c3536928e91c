//! What a process counts, for Prometheus, and whether it lives, for whoever watches over it.

use anyhow::Result;
use axum::{Router, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves `/metrics` and `/healthz` until `stop`. A part of the system that fails ends the process, and this page with
/// it: that it answers is the sign of life.
pub async fn run(listener: TcpListener, metrics: PrometheusHandle, stop: CancellationToken) -> Result<()> {
    let pages = Router::new()
        .route("/metrics", get(move || std::future::ready(metrics.render())))
        .route("/healthz", get(|| std::future::ready("ok\n")));
    Ok(axum::serve(listener, pages).with_graceful_shutdown(stop.cancelled_owned()).await?)
}
