use std::{sync::Arc, time::Duration};

use anyhow::Result;
use bugbrother_kit::{port, wait};
use bugbrother_store::User;
use bugbrother_wire::api::{AlertList, Escalation, Health, Role, Settings, System, VehicleList, VehicleSummary};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::rig::{LIMIT, Rig, expect_refusal, now, vin};

const SESSION: &str = "/api/frontend/session";

#[tokio::test]
async fn another_sites_page_cannot_make_a_browser_change_anything() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        for (method, path) in [
            (Method::POST, SESSION.to_owned()),
            (Method::DELETE, SESSION.to_owned()),
            (Method::PUT, format!("/api/frontend/vehicles/{}", vin(1))),
        ] {
            let request = rig.request(method, &path).bearer_auth(&token);
            let answer = request.header("origin", origin).json(&json!({ "name": "x" })).send().await?;
            expect_refusal(answer, StatusCode::FORBIDDEN, "origin").await?;
        }
    }
    assert!(rig.store.vehicle(vin(1)).await?.is_none());
    rig.stop().await
}

#[tokio::test]
async fn a_body_that_is_too_large_or_no_json_is_refused_as_json() -> Result<()> {
    let rig = Rig::start().await?;
    let post = |body: String, kind: &'static str| {
        let request = rig.request(Method::POST, SESSION);
        request.header("content-type", kind).body(body).send()
    };
    let large = json!({ "name": "x".repeat(100_000), "password": "" }).to_string();
    let answer = post(large, "application/json").await?;
    expect_refusal(answer, StatusCode::PAYLOAD_TOO_LARGE, "body_too_large").await?;
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let answer = post(json!({ "name": "a", "password": "b" }).to_string(), kind).await?;
        expect_refusal(answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type").await?;
    }
    for body in ["", "{", "[]", r#"{"name":"admin","password":["hunter2"]}"#] {
        let answer = post(body.to_owned(), "application/json").await?;
        let said = expect_refusal(answer, StatusCode::BAD_REQUEST, "invalid_body").await?;
        assert!(!said.detail.contains("hunter2"));
    }
    rig.stop().await
}

#[tokio::test]
async fn a_chunked_body_without_end_is_cut_off_at_the_limit() -> Result<()> {
    let rig = Rig::start().await?;
    let mut stream = TcpStream::connect(rig.address).await?;
    let head = "POST /api/frontend/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    let (mut read, mut write) = stream.split();
    let mut answer = [0; 12];
    let flood = async { while write.write_all(chunk.as_bytes()).await.is_ok() {} };
    let (_, got) = tokio::join!(flood, timeout(LIMIT, read.read_exact(&mut answer)));
    got??;
    assert_eq!(&answer, b"HTTP/1.1 413");
    rig.stop().await
}

#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for() -> Result<()> {
    let rig = Rig::start_with(port::free()?, |config| {
        config.limits.request_time = Duration::from_millis(300);
    })
    .await?;
    let mut stream = TcpStream::connect(rig.address).await?;
    let head = "POST /api/frontend/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 40\r\n\r\n{";
    stream.write_all(head.as_bytes()).await?;
    let mut answer = [0; 12];
    timeout(LIMIT, stream.read_exact(&mut answer)).await??;
    assert_eq!(&answer, b"HTTP/1.1 408");
    rig.stop().await
}

#[tokio::test]
async fn unknown_addresses_methods_and_vehicles_are_refused_as_json() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    let get = |path: &'static str| rig.get(path, &token);
    for path in ["/api/frontend/nothing", "/api/nothing", "/api/frontend/vehicles/"] {
        expect_refusal(get(path).await?, StatusCode::NOT_FOUND, "not_found").await?;
    }
    let patch = rig.request(Method::PATCH, SESSION).send().await?;
    expect_refusal(patch, StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed").await?;
    let path = "/api/frontend/vehicles/WVWZZZ1JZ3W000001";
    expect_refusal(get(path).await?, StatusCode::NOT_FOUND, "not_found").await?;
    for path in ["/api/frontend/vehicles/..%2f..%2fx", "/api/frontend/vehicles/wvwzzz1jz3w000001"] {
        expect_refusal(get(path).await?, StatusCode::BAD_REQUEST, "invalid_vin").await?;
    }
    expect_refusal(get("/api/frontend/vehicles/%ff%fe").await?, StatusCode::BAD_REQUEST, "invalid_address").await?;
    for path in [
        "/api/frontend/vehicles?limit=-1",
        "/api/frontend/vehicles?limit=99999999999",
        "/api/frontend/vehicles?after=x",
        "/api/frontend/alerts?before=never",
    ] {
        expect_refusal(get(path).await?, StatusCode::BAD_REQUEST, "invalid_query").await?;
    }
    let answer = get("/api/frontend/alerts").await?;
    assert_eq!(answer.headers()["cache-control"], "private, no-cache");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert!(answer.headers().contains_key("content-security-policy"));
    let alerts: AlertList = answer.error_for_status()?.json().await?;
    assert!(alerts.alerts.is_empty());
    rig.stop().await
}

#[tokio::test]
async fn a_fleet_is_named_and_read_page_by_page() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    for n in 0..5 {
        let answer = rig.name(&token, vin(n), &format!(" Van {n} ")).await?;
        let summary: VehicleSummary = answer.error_for_status()?.json().await?;
        assert_eq!(summary.name, format!("Van {n}"));
        assert!(summary.maker.is_some());
    }
    let (mut names, mut after) = (Vec::new(), String::new());
    for _ in 0..3 {
        let path = format!("/api/frontend/vehicles?limit=2{after}");
        let page: VehicleList = rig.get(&path, &token).await?.json().await?;
        names.extend(page.vehicles.into_iter().map(|vehicle| vehicle.name));
        after = match page.next {
            Some(next) => format!("&after={next}"),
            None => break,
        };
    }
    assert_eq!(names, ["Van 0", "Van 1", "Van 2", "Van 3", "Van 4"]);
    let all: VehicleList = rig.get("/api/frontend/vehicles?limit=4000000000", &token).await?.json().await?;
    assert_eq!((all.vehicles.len(), all.next), (5, None));
    for bad in ["", "   ", "a\u{7}b", &"x".repeat(81)] {
        let answer = rig.name(&token, vin(1), bad).await?;
        let said = expect_refusal(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields").await?;
        assert!(said.fields["name"].contains("80 characters"), "{said:?}");
    }
    rig.stop().await
}

#[tokio::test]
async fn a_client_without_a_contract_sees_nothing() -> Result<()> {
    let rig = Rig::start().await?;
    let admin = rig.store.user("admin").await?;
    let password_hash = admin.map(|user| user.password_hash).unwrap_or_default();
    let client = User { name: "client".to_owned(), password_hash, role: Role::Client };
    rig.store.add_user(&client, now()).await?;
    let answer = rig.try_to_sign_in("client", &rig.password).await?;
    let session: bugbrother_wire::api::Session = answer.error_for_status()?.json().await?;
    let token = session.token.unwrap_or_default();
    let vehicles: VehicleList = rig.get("/api/frontend/vehicles", &token).await?.error_for_status()?.json().await?;
    assert_eq!(vehicles, VehicleList { vehicles: Vec::new(), next: None });
    let answer = rig.name(&token, vin(1), "mine").await?;
    expect_refusal(answer, StatusCode::FORBIDDEN, "forbidden").await?;
    rig.stop().await
}

#[tokio::test]
async fn health_names_the_part_that_is_not_well() -> Result<()> {
    let rig = Rig::start().await?;
    let answer = rig.request(Method::GET, "/healthz").send().await?;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let health: Health = answer.json().await?;
    assert_eq!(health.parts["store"], "ok");
    assert_eq!(health.parts["live"], "ok");
    assert_eq!(health.parts["mqtt"], "not connected to the broker");
    rig.stop().await
}

#[tokio::test]
async fn who_has_no_broker_or_whose_neighbours_have_none_is_not_ready() -> Result<()> {
    let rig = Rig::start_with(port::free()?, |config| {
        config.ready = vec![("ingest", Arc::new(|| Some("not connected to the broker".to_owned())))];
    })
    .await?;
    let answer = rig.request(Method::GET, "/readyz").send().await?;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let health: Health = answer.json().await?;
    assert!(!health.ok && health.parts["store"] == "ok" && health.parts.len() == 3, "{health:?}");
    assert_eq!(
        (&*health.parts["mqtt"], &*health.parts["ingest"]),
        ("not connected to the broker", "not connected to the broker")
    );
    rig.stop().await
}

#[tokio::test]
async fn metrics_are_for_this_machine_or_with_their_token() -> Result<()> {
    let rig = Rig::start_with(port::free()?, |config| {
        config.metrics_token = Some("scrape".to_owned());
    })
    .await?;
    rig.request(Method::GET, "/healthz").send().await?;
    let page = rig.request(Method::GET, "/metrics").send().await?;
    let page = page.error_for_status()?.text().await?;
    assert!(page.contains("bugbrother_dashboard_requests_total{status=\"503\"}"));
    // A proxy on this machine that nobody told us of must not open them to the world.
    let through_proxy = || {
        let request = rig.request(Method::GET, "/metrics");
        request.header("x-forwarded-for", "203.0.113.9")
    };
    let answer = through_proxy().send().await?;
    expect_refusal(answer, StatusCode::FORBIDDEN, "forbidden").await?;
    let answer = through_proxy().bearer_auth("wrong").send().await?;
    expect_refusal(answer, StatusCode::FORBIDDEN, "forbidden").await?;
    let answer = through_proxy().bearer_auth("scrape").send().await?;
    assert_eq!(answer.status(), StatusCode::OK);
    rig.stop().await
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() -> Result<()> {
    let rig = Rig::start_with(port::free()?, |config| {
        config.limits.connections_per_address = 3;
    })
    .await?;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(rig.address).await?);
    }
    let mut refused = TcpStream::connect(rig.address).await?;
    assert_eq!(timeout(LIMIT, refused.read(&mut [0])).await??, 0);
    silent.clear();
    wait::until("there is room again", LIMIT, || async {
        let request = rig.request(Method::GET, "/healthz");
        request.send().await.ok().map(|_| ())
    })
    .await?;
    rig.stop().await
}

#[tokio::test]
async fn an_answer_that_is_known_already_is_not_sent_again() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    rig.name(&token, vin(1), "Van 1").await?;
    let path = "/api/frontend/vehicles";
    let first = rig.get(path, &token).await?.error_for_status()?;
    let tag = first.headers()["etag"].clone();
    let ask = |tag: &reqwest::header::HeaderValue| {
        rig.request(Method::GET, path).bearer_auth(&token).header("if-none-match", tag).send()
    };
    let again = ask(&tag).await?;
    assert_eq!((again.status(), again.headers()["etag"].clone()), (StatusCode::NOT_MODIFIED, tag.clone()));
    assert!(again.bytes().await?.is_empty());
    rig.name(&token, vin(1), "Van One").await?;
    let changed = ask(&tag).await?;
    assert!(changed.status() == StatusCode::OK && changed.headers()["etag"] != tag);
    rig.stop().await
}

#[tokio::test]
async fn settings_are_changed_as_a_whole_and_what_is_wrong_is_named() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    let path = "/api/frontend/settings";
    let mut settings: Settings = rig.get(path, &token).await?.error_for_status()?.json().await?;
    assert_eq!(settings.retention["telemetry_days"], Some(400));
    settings.retention.insert("telemetry_days".to_owned(), None);
    settings.prices.fuel_per_l.insert("diesel".to_owned(), 1.79);
    assert_eq!(settings.escalation, Some(Escalation { critical_minutes: Some(5), warning_minutes: None }));
    settings.escalation = Some(Escalation { critical_minutes: None, warning_minutes: Some(60) });
    let put = |body: &Settings| rig.request(Method::PUT, path).bearer_auth(&token).json(body).send();
    let changed: Settings = put(&settings).await?.error_for_status()?.json().await?;
    assert_eq!(changed, settings);
    let bad = |change: fn(&mut Settings)| {
        let mut bad = settings.clone();
        change(&mut bad);
        bad
    };
    for (field, body) in [
        (
            "media_days",
            bad(|settings| {
                settings.retention.insert("media_days".to_owned(), Some(0));
            }),
        ),
        (
            "love_letters_days",
            bad(|settings| {
                settings.retention.insert("love_letters_days".to_owned(), None);
            }),
        ),
        (
            "critical_minutes",
            bad(|settings| {
                settings.escalation = Some(Escalation { critical_minutes: Some(0), warning_minutes: None });
            }),
        ),
        ("currency", bad(|settings| settings.prices.currency = "Franken".to_owned())),
        (
            "fuel_per_l",
            bad(|settings| {
                settings.prices.fuel_per_l.insert("coal".to_owned(), 1.0);
            }),
        ),
    ] {
        let said = expect_refusal(put(&body).await?, StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields").await?;
        assert!(said.fields.contains_key(field), "{said:?}");
    }
    let kept: Settings = rig.get(path, &token).await?.error_for_status()?.json().await?;
    assert_eq!(kept, settings);
    let system: System = rig.get("/api/frontend/system", &token).await?.error_for_status()?.json().await?;
    assert_eq!(system.parts["store"], "ok");
    assert!(system.figures.iter().any(|figure| figure.name == "bugbrother_dashboard_requests_total"));
    rig.stop().await
}
