//! The web app as files, packed at build time.

use std::{
    collections::HashMap,
    io::Read,
    sync::{LazyLock, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

/// A file of the app.
struct Asset {
    path: &'static str,
    mime: &'static str,
    hash: &'static str,
    /// Bytes before compression.
    size: usize,
    /// Whether `bytes` are compressed.
    brotli: bool,
    bytes: &'static [u8],
}

/// In the order of the paths.
static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets_table.rs"));

/// Everything below is served by somebody else: the page is not the answer to a wrong path there.
const NOT_PAGES: [&str; 7] = ["/api/", "/assets/", "/live", "/hls/", "/metrics", "/healthz", "/readyz"];

/// `style-src` needs no `unsafe-inline`: the app sets styles through the object model alone. `{servers}` are the fleet's other
/// dashboards, which the app asks whether they are well when this one is not.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:{tiles}; \
    font-src 'self'; connect-src 'self'{servers}; media-src 'self' blob:; manifest-src 'self'; worker-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const SECURITY: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Serves the app as the fallback of all other routes. Its pages may ask these servers, each an origin, whether they are well,
/// and have the pictures of a map from `tiles`.
pub fn router<S: Clone + Send + Sync + 'static>(servers: &[String], tiles: Option<&str>) -> Router<S> {
    let policy = policy(servers, tiles);
    let serve = async move |method: Method, uri: Uri, headers: HeaderMap| serve(&method, &uri, &headers, &policy);
    Router::new().fallback(serve)
}

fn policy(servers: &[String], tiles: Option<&str>) -> HeaderValue {
    let tiles = tiles.map(|origin| format!(" {origin}")).unwrap_or_default();
    let servers: String = servers.iter().map(|origin| format!(" {origin}")).collect();
    HeaderValue::from_str(&POLICY.replace("{servers}", &servers).replace("{tiles}", &tiles))
        .expect("an origin that was checked is a header value")
}

/// Answers with a file of the app, or with its page for the paths that the app routes by itself.
fn serve(method: &Method, uri: &Uri, headers: &HeaderMap, policy: &HeaderValue) -> Response {
    let mut response = answer(method, uri.path(), headers);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Response {
    let Some(asset) = find(path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    let etag = format!("\"{}\"", asset.hash);
    let base = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, cache_control(asset).to_owned()),
        (header::VARY, "accept-encoding".to_owned()),
    ];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| matches(known, &etag)) {
        return (StatusCode::NOT_MODIFIED, base).into_response();
    }
    let (encoding, bytes) = match (asset.brotli, accepts_brotli(headers)) {
        (true, true) => (Some([(header::CONTENT_ENCODING, "br")]), Bytes::from_static(asset.bytes)),
        (true, false) => (None, unpack(asset)),
        (false, _) => (None, Bytes::from_static(asset.bytes)),
    };
    let length = [(header::CONTENT_LENGTH, bytes.len().to_string())];
    let body = if method == Method::HEAD { Body::empty() } else { Body::from(bytes) };
    (base, [(header::CONTENT_TYPE, asset.mime)], encoding, length, body).into_response()
}

/// The file with that path; the page for a path that may be one of the app's own.
fn find(path: &str) -> Option<&'static Asset> {
    let by_path = |path: &str| ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok().map(|index| &ASSETS[index]);
    let page = || NOT_PAGES.iter().all(|prefix| !path.starts_with(prefix)).then(|| by_path("/index.html"));
    by_path(path).or_else(|| page().flatten())
}

/// Names with a hash never change their content.
fn cache_control(asset: &Asset) -> &'static str {
    if asset.path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" }
}

fn matches(known: &HeaderValue, etag: &str) -> bool {
    known.to_str().is_ok_and(|known| {
        known.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
    })
}

fn accepts_brotli(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|coding| {
            let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
            name.trim() == "br" && !matches!(quality.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
        })
    })
}

/// For programs that do not know brotli; browsers all do. Each file is unpacked once: unpacking at every request would let
/// anybody keep the processors busy.
fn unpack(asset: &'static Asset) -> Bytes {
    static UNPACKED: LazyLock<Mutex<HashMap<&str, Bytes>>> = LazyLock::new(Mutex::default);
    let mut unpacked = UNPACKED.lock().unwrap_or_else(PoisonError::into_inner);
    let unpack = || {
        let mut raw = Vec::with_capacity(asset.size);
        brotli_decompressor::Decompressor::new(asset.bytes, 1 << 14)
            .read_to_end(&mut raw)
            .expect("the build packed it");
        raw.into()
    };
    unpacked.entry(asset.path).or_insert_with(unpack).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, headers: &[(HeaderName, &'static str)]) -> Response {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        answer(&Method::GET, path, &headers)
    }

    fn header_of(response: &Response, name: HeaderName) -> Option<&str> {
        response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    async fn body(response: Response) -> Bytes {
        axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap()
    }

    #[test]
    fn the_table_is_in_the_order_in_which_it_is_searched() {
        assert!(ASSETS.is_sorted_by(|a, b| a.path < b.path));
        assert!(ASSETS.iter().all(|asset| find(asset.path).is_some_and(|found| found.path == asset.path)));
    }

    #[tokio::test]
    async fn paths_of_the_app_get_its_page_and_others_do_not() {
        for path in ["/", "/vehicles", "/some/where"] {
            let response = get(path, &[]);
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(header_of(&response, header::CACHE_CONTROL), Some("no-cache"));
            assert!(body(response).await.starts_with(b"<!doctype html>"));
        }
        for path in ["/api/frontend/nothing", "/assets/gone.js", "/live/x"] {
            assert_eq!(get(path, &[]).status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn who_knows_brotli_gets_what_unpacks_to_what_others_get() {
        let plain = body(get("/", &[])).await;
        let refused = get("/", &[(header::ACCEPT_ENCODING, "gzip, br;q=0")]);
        assert_eq!(header_of(&refused, header::CONTENT_ENCODING), None);
        let response = get("/", &[(header::ACCEPT_ENCODING, "gzip, br")]);
        assert_eq!(header_of(&response, header::CONTENT_ENCODING), Some("br"));
        assert_eq!(header_of(&response, header::VARY), Some("accept-encoding"));
        let packed = body(response).await;
        let mut unpacked = Vec::new();
        brotli_decompressor::Decompressor::new(&packed[..], 4096).read_to_end(&mut unpacked).unwrap();
        assert_eq!(plain, unpacked);
    }

    #[test]
    fn what_the_browser_has_is_not_sent_again() {
        let etag = header_of(&get("/", &[]), header::ETAG).unwrap().to_owned();
        let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_str(&etag).unwrap())]);
        assert_eq!(answer(&Method::GET, "/", &headers).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(get("/", &[(header::IF_NONE_MATCH, "\"other\"")]).status(), StatusCode::OK);
    }

    #[test]
    fn every_answer_carries_the_policy_and_only_reading_is_allowed() {
        let policy = policy(&["https://b.example".to_owned()], Some("https://tiles.example"));
        let response = serve(&Method::POST, &Uri::from_static("/vehicles"), &HeaderMap::new(), &policy);
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        let said = header_of(&response, header::CONTENT_SECURITY_POLICY).unwrap();
        assert!(said.contains("img-src 'self' data: blob: https://tiles.example;"), "{said}");
        assert!(said.contains("connect-src 'self' https://b.example; media-src"), "{said}");
        assert_eq!(header_of(&response, header::X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
        assert!(!POLICY.contains("unsafe-inline"));
    }
}
