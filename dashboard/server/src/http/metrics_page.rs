//! `/metrics`: for Prometheus, on this machine or with its token.

use axum::{
    extract::State,
    http::{HeaderMap, header},
};
use subtle::ConstantTimeEq;

use super::{App, address::Client, failure::Failure};

pub(crate) async fn show(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
) -> Result<([(header::HeaderName, &'static str); 1], String), Failure> {
    let page = app.config.metrics.as_ref().ok_or_else(|| Failure::not_found("this server keeps no metrics"))?;
    // Behind a proxy on this machine everybody may look local.
    let is_local = client.address.is_loopback() && !client.is_forwarded && !app.config.behind_proxy;
    if !is_local && !has_token(app.config.metrics_token.as_deref(), &headers) {
        return Err(Failure::forbidden("forbidden", "metrics are for this machine, or for a bearer of their token"));
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], page.render()))
}

fn has_token(token: Option<&str>, headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match (token, given) {
        (Some(token), Some(given)) if !token.is_empty() => token.as_bytes().ct_eq(given).into(),
        _ => false,
    }
}
