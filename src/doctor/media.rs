//! Photos and clips, where they are kept in a bucket.

use std::time::Duration;

use bugbrother_dashboard::library::LibraryError;
use tokio::time::timeout;

use super::Finding;
use crate::media::MediaPlace;

const PART: &str = "media";
const PATIENCE: Duration = Duration::from_secs(15);
/// Of what the server says; it may say anything.
const MAX_TOLD: usize = 300;

/// Whether the bucket answers and lets us in, where there is one. A folder is of the data folder, which is looked at anyhow.
pub(super) async fn look(place: &MediaPlace) -> Option<Finding> {
    let bucket = match place.bucket() {
        Ok(bucket) => bucket?,
        Err(error) => {
            return Some(Finding::bad(PART, format!("{error:#}"), "correct `media_url` and what belongs to it"));
        }
    };
    let at = bucket.endpoint.as_deref().unwrap_or("Amazon");
    let name = &bucket.name;
    Some(match timeout(PATIENCE, bucket.check()).await {
        // Only who stores finds out whether that is allowed, and nothing is changed here.
        Ok(Ok(())) => Finding::good(PART, format!("the bucket `{name}` at {at} can be listed")),
        Ok(Err(error)) => {
            let told = told(&error);
            let advice = advice(&told);
            Finding::bad(PART, format!("the bucket `{name}` at {at}: {told}"), advice)
        }
        Err(_) => {
            let found = format!("the bucket `{name}` at {at}: no answer within {} s", PATIENCE.as_secs());
            Finding::bad(PART, found, advice(""))
        }
    })
}

/// The last cause, in one line. What it holds of an address has no key in it: those are in headers.
fn told(error: &LibraryError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    let told = causes.last().map_or_else(|| error.to_string(), ToString::to_string);
    told.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_TOLD).collect()
}

fn advice(told: &str) -> &'static str {
    let lower = told.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if any(&["403", "401", "forbidden", "accessdenied", "invalidaccesskey", "signature"]) {
        "are the two lines of `media_keys` right, may that account list, read and write there, and is this machine's clock right?"
    } else if any(&["404", "nosuchbucket", "not found"]) {
        "make the bucket, or correct its name in `media_url`"
    } else if any(&["301", "region", "redirect"]) {
        "correct `media_region`, or `media_endpoint`"
    } else if any(&["certificate", "unknownissuer"]) {
        "the certificate of `media_endpoint` is not for this name, or of nobody whom this system trusts"
    } else if any(&["lookup", "name or service", "resolve", "dns"]) {
        "is the name in `media_endpoint` right?"
    } else {
        "does it run, is `media_endpoint` right, does a firewall let it through? Until it answers photos and films wait in the vehicles"
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::{Router, http::StatusCode};
    use tokio::net::TcpListener;

    use super::*;
    use crate::doctor::Verdict;

    /// A server that answers everything so.
    async fn server(status: StatusCode, body: &'static str) -> String {
        let pages = Router::new().fallback(move || async move { (status, body) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, pages).await });
        format!("http://{address}")
    }

    async fn look_at(endpoint: String) -> Finding {
        let mut keys = tempfile::NamedTempFile::new().unwrap();
        writeln!(keys, "access\ns3cret").unwrap();
        let place = MediaPlace {
            media_url: Some("s3://films/fleet".to_owned()),
            media_endpoint: Some(endpoint),
            media_keys: Some(keys.path().to_owned()),
            ..MediaPlace::default()
        };
        let found = look(&place).await.unwrap();
        assert!(!format!("{found:?}").contains("s3cret"), "{found:?}");
        found
    }

    #[tokio::test]
    async fn a_bucket_that_answers_is_told_from_one_that_is_missing_shut_or_away() {
        assert_eq!(look(&MediaPlace::default()).await, None);
        const LISTED: &str = "<?xml version=\"1.0\"?><ListBucketResult><Name>films</Name><KeyCount>0</KeyCount>\
                              <IsTruncated>false</IsTruncated></ListBucketResult>";
        let good = look_at(server(StatusCode::OK, LISTED).await).await;
        assert_eq!(good.verdict, Verdict::Good, "{good:?}");
        for (status, body, word) in [
            (StatusCode::FORBIDDEN, "<Error><Code>InvalidAccessKeyId</Code></Error>", "media_keys"),
            (StatusCode::NOT_FOUND, "<Error><Code>NoSuchBucket</Code></Error>", "make the bucket"),
        ] {
            let bad = look_at(server(status, body).await).await;
            assert!(bad.verdict == Verdict::Bad && bad.advice.as_ref().unwrap().contains(word), "{bad:?}");
        }
        let away = look_at("http://127.0.0.1:9".to_owned()).await;
        assert!(away.verdict == Verdict::Bad && away.advice.as_ref().unwrap().contains("does it run"), "{away:?}");
    }

    #[tokio::test]
    async fn settings_that_do_not_go_together_are_named() {
        let place = MediaPlace { media_links: Some("https://films.example.org".to_owned()), ..MediaPlace::default() };
        let found = look(&place).await.unwrap();
        assert!(found.verdict == Verdict::Bad && found.found.contains("--media-url"), "{found:?}");
    }
}
