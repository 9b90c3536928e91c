//! The server as those outside see it.

use std::time::Duration;

use super::Finding;
use crate::arguments::Net;

const PART: &str = "public URL";
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer that is looked at.
const MAX_BYTES: usize = 64 << 10;

/// An HTTP client that trusts whom this system trusts and follows nobody elsewhere.
pub fn client(patience: Duration) -> reqwest::Result<reqwest::Client> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    reqwest::Client::builder().timeout(patience).no_proxy().redirect(reqwest::redirect::Policy::none()).build()
}

/// Whether an answer is a dashboard's `/healthz`.
pub(super) async fn is_health(mut answer: reqwest::Response) -> bool {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > MAX_BYTES {
            return false;
        }
    }
    serde_json::from_slice::<bugbrother_wire::api::Health>(&body).is_ok_and(|health| health.parts.contains_key("store"))
}

/// Whether the proxy with TLS leads to a dashboard; `runs` tells whether one runs here.
pub(super) async fn proxy(net: &Net, runs: bool) -> Finding {
    let Some(url) = &net.public_url else {
        return Finding::note(PART, "none is set: people and vehicles outside find no dashboard");
    };
    if !url.starts_with("https://") {
        return Finding::bad(
            PART,
            format!("{url} does not begin with https://"),
            "correct `public_url`: TLS is the proxy's",
        );
    }
    let client = match client(PATIENCE) {
        Ok(client) => client,
        Err(error) => return Finding::bad(PART, chain(&error), "apt-get install ca-certificates"),
    };
    let asked = client.get(format!("{}/healthz", url.trim_end_matches('/'))).send().await;
    match asked {
        Ok(answer) => {
            let status = answer.status();
            match is_health(answer).await {
                true => Finding::good(PART, format!("{url} leads to a dashboard, and its certificate is trusted here")),
                false if !runs => Finding::note(PART, format!("{url} answers {status}, and no dashboard runs here")),
                false => Finding::bad(
                    PART,
                    format!("{url} answers {status}, and not as a dashboard"),
                    "let the proxy pass everything on to the address of `http`, WebSockets too",
                ),
            }
        }
        Err(error) => {
            let told = chain(&error);
            let advice = advice(&told);
            Finding::bad(PART, format!("{url}: {told}"), advice)
        }
    }
}

/// Whether a Bot API server of one's own answers at all, where one is set; whom it lets in is a matter of each channel.
pub(super) async fn telegram(net: &Net) -> Option<Finding> {
    const PART: &str = "telegram";
    let url = net.telegram_api.as_ref()?;
    let client = match client(PATIENCE) {
        Ok(client) => client,
        Err(error) => return Some(Finding::bad(PART, chain(&error), "apt-get install ca-certificates")),
    };
    Some(match client.get(url).send().await {
        Ok(answer) => Finding::good(PART, format!("{url} answers ({})", answer.status())),
        Err(error) => Finding::bad(
            PART,
            format!("{url}: {}", chain(&error.without_url())),
            "does it run, and is `telegram_api` right? Messages are tried again eight times, and then given up",
        ),
    })
}

fn chain(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn advice(told: &str) -> &'static str {
    let lower = told.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if any(&["expired", "certificate", "unknownissuer", "notvalid"]) {
        "the proxy's certificate: is it for this name, in its time, and signed by somebody whom browsers trust?"
    } else if any(&["lookup", "name or service", "resolve", "dns"]) {
        "the name has no address: make a record for it, or correct `public_url`"
    } else {
        "does the proxy run, does it listen on 443, does a firewall let that through?"
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};
    use tokio::net::TcpListener;

    use super::*;
    use crate::doctor::Verdict;

    fn net(url: &str) -> Net {
        Net { public_url: Some(url.to_owned()), ..Net::default() }
    }

    #[tokio::test]
    async fn an_address_without_tls_or_without_anybody_is_bad() {
        assert_eq!(proxy(&Net::default(), true).await.verdict, Verdict::Note);
        assert!(proxy(&net("http://fleet.example.org"), true).await.found.contains("does not begin with https://"));
        let nobody = proxy(&net("https://127.0.0.1:9"), true).await;
        assert!(nobody.verdict == Verdict::Bad && nobody.advice.unwrap().contains("does the proxy run"));
        let unknown = proxy(&net("https://fleet.invalid"), true).await;
        assert!(unknown.advice.as_ref().unwrap().contains("no address"), "{unknown:?}");
    }

    #[tokio::test]
    async fn a_dashboard_is_told_from_another_server() {
        let pages = Router::new()
            .route("/ours", get(|| async { r#"{"ok":false,"parts":{"store":"ok"}}"# }))
            .route("/other", get(|| async { r#"{"status":"up"}"# }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, pages).await });
        let ask = async |path: &str| {
            is_health(client(PATIENCE).unwrap().get(format!("http://{address}/{path}")).send().await.unwrap()).await
        };
        assert!(ask("ours").await);
        assert!(!ask("other").await && !ask("nothing").await);
    }

    #[tokio::test]
    async fn a_bot_api_server_of_ones_own_is_asked_where_one_is_set() {
        assert_eq!(telegram(&Net::default()).await, None);
        let at = |url: &str| Net { telegram_api: Some(url.to_owned()), ..Net::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new()).await });
        let good = telegram(&at(&format!("http://{address}"))).await.unwrap();
        assert!(good.verdict == Verdict::Good && good.found.contains("404"), "{good:?}");
        assert_eq!(telegram(&at("http://127.0.0.1:9")).await.unwrap().verdict, Verdict::Bad);
    }

    #[test]
    fn what_is_wrong_with_tls_is_the_proxys_matter() {
        assert!(advice("invalid peer certificate: Expired").contains("certificate"));
    }
}
