//! Sends the steps of records to a collector of OpenTelemetry's, by HTTP.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result, bail};
use bugbrother_trace::{Steps, otlp};
use metrics::counter;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{arguments::Net, doctor};

/// Steps in one request.
const MOST: usize = 512;
/// Until that many have come together.
const GATHER_FOR: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);
/// When everything stops.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// Where to send them, if anywhere: `/v1/traces` of the collector.
pub fn target(net: &Net) -> Result<Option<reqwest::Url>> {
    let Some(text) = &net.traces else { return Ok(None) };
    let mut url: reqwest::Url = text.parse().with_context(|| format!("--traces {text}: it is no address"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if is_here || net.allow_plain => {}
        "http" => bail!("--traces {host}: to another machine without TLS only with --allow-plain; VINs go there"),
        _ => bail!("--traces {text}: it begins with https:// or http://"),
    }
    if !(0.0..=1.0).contains(&net.traces_share) {
        bail!("--traces-share {}: a share of all records, from 0 to 1", net.traces_share);
    }
    if url.path() == "/" {
        url.set_path("/v1/traces");
    }
    Ok(Some(url))
}

/// Sends what is told until `stop`. A collector that is away costs what was told meanwhile and nothing else.
pub async fn run(mut steps: Steps, url: reqwest::Url, stop: CancellationToken) -> Result<()> {
    let client = doctor::http_client(PATIENCE).context("cannot speak to the collector of traces")?;
    let mut is_away = false;
    loop {
        let mut batch = match stop.run_until_cancelled(steps.next(MOST)).await {
            Some(batch) if !batch.is_empty() => batch,
            _ => return Ok(()),
        };
        let ends = stop.run_until_cancelled(sleep(GATHER_FOR)).await.is_none();
        if let Ok(more) = timeout(Duration::ZERO, steps.next(MOST)).await {
            batch.extend(more);
        }
        counter!("bugbrother_process_spans_dropped_total").increment(steps.dropped());
        let patience = if ends { LAST_PATIENCE } else { PATIENCE };
        let body = otlp::request(&batch, env!("CARGO_PKG_VERSION")).to_string();
        let request = client.post(url.clone()).header("content-type", "application/json").body(body);
        let refusal = match timeout(patience, request.send()).await {
            Ok(Ok(answer)) if answer.status().is_success() => None,
            Ok(Ok(answer)) => Some(answer.status().to_string()),
            Ok(Err(error)) => Some(error.without_url().to_string()),
            Err(_) => Some("no answer in time".to_owned()),
        };
        match refusal {
            None => {
                counter!("bugbrother_process_spans_sent_total").increment(batch.len() as u64);
                if is_away {
                    info!("the collector takes traces again");
                }
                is_away = false;
            }
            Some(refusal) => {
                counter!("bugbrother_process_spans_dropped_total").increment(batch.len() as u64);
                if !is_away {
                    warn!(refusal, "the collector takes no traces; what is told meanwhile is dropped");
                }
                is_away = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_refused_where_vins_could_be_read_on_the_way() {
        let net = |url: &str, allow_plain| Net {
            traces: Some(url.to_owned()),
            traces_share: 0.5,
            allow_plain,
            ..Net::default()
        };
        let at = |url: &str| target(&net(url, false)).map(|url| url.unwrap().to_string());
        assert!(target(&Net::default()).unwrap().is_none());
        assert_eq!(at("http://127.0.0.1:4318").unwrap(), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(at("http://[::1]:4318/").unwrap(), "http://[::1]:4318/v1/traces");
        assert_eq!(at("https://collector.example.org/otlp/v1/traces").unwrap().matches("/v1/traces").count(), 1);
        assert!(at("http://collector.example.org:4318").unwrap_err().to_string().contains("--allow-plain"));
        assert!(target(&net("http://collector.example.org:4318", true)).is_ok());
        assert!(at("grpc://127.0.0.1").is_err() && at("127.0.0.1:4318").is_err());
        assert!(target(&Net { traces_share: 1.5, ..net("http://127.0.0.1", false) }).is_err());
    }
}
