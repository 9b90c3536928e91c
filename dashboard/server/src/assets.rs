//! The web app as files, packed at build time.

use std::io::Read;

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
const NOT_PAGES: [&str; 6] = ["/api/", "/assets/", "/live", "/hls/", "/metrics", "/healthz"];

/// `style-src` needs no `unsafe-inline`: the app sets styles through the object model alone.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; \
    font-src 'self'; connect-src 'self'; media-src 'self' blob:; manifest-src 'self'; worker-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const SECURITY: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Serves the app as the fallback of all other routes.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().fallback(serve)
}

/// Answers with a file of the app, or with its page for the paths that the app routes by itself.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let mut response = answer(&method, uri.path(), &headers);
    for (name, value) in SECURITY {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
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

/// For programs that do not know brotli; browsers all do.
fn unpack(asset: &Asset) -> Bytes {
    let mut raw = Vec::with_capacity(asset.size);
    brotli_decompressor::Decompressor::new(asset.bytes, 1 << 14).read_to_end(&mut raw).expect("the build packed it");
    raw.into()
}
