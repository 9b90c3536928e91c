//! Every route of the API's own description, with bodies, queries and paths that are wrong: nothing but clear refusals.
//!
//! A body that the description asks for is made of its schema, and then one thing in it is made wrong at a time, so that what
//! is wrong is not hidden behind something else.

mod live;
mod sample;

use std::{sync::Arc, time::SystemTime};

use anyhow::{Context, Result, ensure};
use bugbrother_dashboard::Enrolment;
use bugbrother_kit::port;
use bugbrother_pki::Authority;
use reqwest::{Method, StatusCode, header::CONTENT_TYPE};
use serde_json::{Map, Value, json};

use crate::rig::{Rig, now, vin};
use sample::Schemas;

/// Routes that end the session that is asking.
const ENDING: [(&str, &str); 1] = [("delete", "/api/frontend/session")];

/// A route of the description.
struct Route {
    method: Method,
    path: String,
    operation: Value,
}

impl Route {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The path with something in each place that has the form of what belongs there.
    fn url(&self) -> String {
        self.path_with(|name| match name {
            "vin" => vin(1).to_string(),
            _ => "0198f0c4-7a3b-7000-8000-000000000001".to_owned(),
        })
    }

    fn path_with(&self, fill: impl Fn(&str) -> String) -> String {
        let levels =
            self.path.split('/').map(|level| match level.strip_prefix('{').and_then(|l| l.strip_suffix('}')) {
                Some(name) => fill(name),
                None => level.to_owned(),
            });
        levels.collect::<Vec<_>>().join("/")
    }

    fn body(&self) -> Option<&Value> {
        self.operation.pointer("/requestBody/content/application~1json/schema")
    }

    fn parameters(&self) -> impl Iterator<Item = (&str, &Value)> {
        let all = self.operation["parameters"].as_array().into_iter().flatten();
        all.filter(|one| one["in"] == "query").filter_map(|one| Some((one["name"].as_str()?, &one["schema"])))
    }
}

/// A dashboard with everything that a route may need, and somebody who may do everything.
struct Walk {
    rig: Rig,
    tokens: Vec<String>,
    routes: Vec<Route>,
    schemas: Schemas,
    _dir: tempfile::TempDir,
}

impl Walk {
    async fn begin() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let authority = Arc::new(Authority::open_or_create(&dir.path().join("ca"), SystemTime::now())?);
        let rig = Rig::start_with(port::free()?, |config| {
            config.enrolment = Some(Enrolment { authority, broker: None });
        })
        .await?;
        rig.store.name_vehicle(vin(1), "Van 1", None, now()).await?;
        // A walk through everything also ends sessions, and wrong passwords keep it from beginning more of them.
        let mut tokens = Vec::new();
        for _ in 0..4 {
            tokens.push(rig.token().await?);
        }
        let description: Value = rig.get("/api/openapi.json", "").await?.error_for_status()?.json().await?;
        let mut routes = Vec::new();
        for (path, methods) in description["paths"].as_object().context("a description has paths")? {
            for (method, operation) in methods.as_object().context("a path has methods")? {
                if !ENDING.contains(&(method.as_str(), path.as_str())) {
                    let method = method.to_uppercase().parse()?;
                    routes.push(Route { method, path: path.clone(), operation: operation.clone() });
                }
            }
        }
        ensure!(routes.len() >= 10, "only {} routes", routes.len());
        Ok(Walk { rig, tokens, routes, schemas: Schemas::of(&description), _dir: dir })
    }

    /// Asks; the answer is a success or a clear refusal, or the walk has failed.
    async fn ask(&mut self, route: usize, url: &str, body: Option<(&'static str, Vec<u8>)>) -> Result<StatusCode> {
        loop {
            let token = self.tokens.last().context("every session of the walk has been ended")?;
            let request = self.rig.request(self.routes[route].method.clone(), url).bearer_auth(token);
            let request = match &body {
                Some((kind, bytes)) => request.header(CONTENT_TYPE, *kind).body(bytes.clone()),
                None => request,
            };
            let answer = request.send().await?;
            let status = answer.status();
            if status == StatusCode::UNAUTHORIZED && !self.is_for_everybody(route) {
                let known = self.rig.get("/api/frontend/session", token).await?.status();
                if known == StatusCode::UNAUTHORIZED {
                    self.tokens.pop();
                    continue;
                }
            }
            ensure!(!status.is_server_error(), "{status}: {}", answer.text().await?);
            if status.is_client_error() {
                let kind = answer.headers().get(CONTENT_TYPE).cloned();
                let text = answer.text().await?;
                ensure!(
                    kind.is_some_and(|kind| kind == "application/problem+json"),
                    "{status} is no problem+json: {text}"
                );
                let problem: Value = serde_json::from_str(&text)?;
                ensure!(problem["status"] == status.as_u16(), "{status} with the body {text}");
                let clear = ["title", "detail", "error"]
                    .iter()
                    .all(|field| problem[field].as_str().is_some_and(|text| !text.is_empty()));
                ensure!(clear, "{status} is not clear: {text}");
            }
            return Ok(status);
        }
    }

    fn is_for_everybody(&self, route: usize) -> bool {
        self.routes[route].operation["x-access"] == "anybody" || self.routes[route].operation["x-access"] == "vehicle"
    }

    /// The same, which must be refused.
    async fn refused(&mut self, route: usize, url: &str, body: Option<(&'static str, Vec<u8>)>) -> Result<()> {
        let status = self.ask(route, url, body).await?;
        ensure!(status.is_client_error(), "it was answered with {status}");
        Ok(())
    }
}

const JSON: &str = "application/json";

/// What is never the JSON that a route asks for.
fn never_right() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("nothing", Vec::new()),
        ("half an object", text("{")),
        ("bytes that are no UTF-8", vec![b'{', b'"', 0xff, 0xfe, b'"', b':', b'1', b'}']),
        ("a NUL", vec![0]),
        ("null", text("null")),
        ("an array", text("[]")),
        ("an array of arrays", text("[[],[]]")),
        ("a text", text("\"text\"")),
        ("a number", text("1")),
        ("a number past every float", text("1e400")),
        ("an object and more", text("{}{}")),
        ("100,000 bytes", [text("{\"x\":\""), vec![b'x'; 100_000], text("\"}")].concat()),
        ("arrays in arrays", vec![b'['; 30_000]),
        ("objects in objects", b"{\"a\":".repeat(10_000)),
        ("arrays in an object", [text("{\"a\":"), vec![b'['; 60_000]].concat()),
    ]
}

/// What stands in the place of one member, as JSON text; and whether no text, number or list can be meant by it.
fn wrong_members() -> Vec<(String, bool)> {
    let never = |text: &str| (text.to_owned(), true);
    let perhaps = |text: &str| (text.to_owned(), false);
    vec![
        never("1e400"),
        never("-1e400"),
        never(r#""\ud800""#),
        never(&format!("{}1{}", "[".repeat(500), "]".repeat(500))),
        perhaps("null"),
        perhaps("true"),
        perhaps("-1"),
        perhaps("0"),
        perhaps("1.5"),
        perhaps("1e308"),
        perhaps("9223372036854775807"),
        perhaps("-9223372036854775808"),
        perhaps("18446744073709551616"),
        perhaps("{}"),
        perhaps("[]"),
        perhaps("[null]"),
        perhaps(r#"{"a":{"b":[1,"\u0000"]}}"#),
        perhaps(r#""""#),
        perhaps(r#"" ""#),
        never(r#""\u0000""#),
        never(r#""a\u0000b""#),
        perhaps(r#""\u202e\ufeff\uffff""#),
        perhaps(r#""../../etc/passwd""#),
        perhaps(r#""'; DROP TABLE vehicle; --""#),
        perhaps(r#""<script>alert(1)</script>""#),
        never(&format!("\"{}\"", "x".repeat(60_000))),
        never(&format!("[{}1]", "1,".repeat(20_000))),
    ]
}

/// The object with one member in the words given.
fn with(object: &Map<String, Value>, name: &str, text: &str) -> Vec<u8> {
    let others = object.iter().filter(|(key, _)| *key != name).map(|(key, value)| format!("{}:{value}", json!(key)));
    let mut members: Vec<String> = others.collect();
    members.push(format!("{}:{text}", json!(name)));
    format!("{{{}}}", members.join(",")).into_bytes()
}

#[tokio::test]
async fn a_body_that_is_not_what_a_route_asks_for_is_refused_clearly() -> Result<()> {
    let mut walk = Walk::begin().await?;
    let mut bodies = 0;
    for route in 0..walk.routes.len() {
        let (name, url) = (walk.routes[route].name(), walk.routes[route].url());
        let Some(schema) = walk.routes[route].body().cloned() else { continue };
        for (what, body) in never_right() {
            let refused = walk.refused(route, &url, Some((JSON, body))).await;
            refused.with_context(|| format!("{name} with {what}"))?;
        }
        let right = walk.schemas.sample(&schema);
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            let refused = walk.refused(route, &url, Some((kind, right.to_string().into_bytes()))).await;
            refused.with_context(|| format!("{name} as {kind}"))?;
        }
        let Value::Object(right) = right else { anyhow::bail!("{name} asks for no object: {right}") };
        for member in walk.schemas.members(&schema) {
            for (text, never) in wrong_members() {
                let body = Some((JSON, with(&right, &member, &text)));
                let answered = if never {
                    walk.refused(route, &url, body).await
                } else {
                    walk.ask(route, &url, body).await.map(drop)
                };
                answered
                    .with_context(|| format!("{name} with {member}: {}", text.chars().take(80).collect::<String>()))?;
            }
            bodies += 1;
        }
    }
    ensure!(bodies >= 3, "only {bodies} members of bodies were made wrong");
    walk.rig.stop().await
}

#[tokio::test]
async fn a_query_that_is_not_what_a_route_asks_for_is_refused_clearly() -> Result<()> {
    let long = "x".repeat(5_000);
    let texts = [
        "",
        "x",
        "-1",
        "0",
        "1.5",
        "1e400",
        "NaN",
        "99999999999999999999",
        "-9223372036854775808",
        "9223372036854775807",
        "%00",
        "a%00b",
        "%ff%fe",
        "%",
        "[]",
        "{}",
        "null",
        "true",
        "..%2f..%2f",
        "%27%3b--",
        "%E2%80%AE",
        &long,
    ];
    let mut walk = Walk::begin().await?;
    let mut parameters = 0;
    for route in 0..walk.routes.len() {
        let (name, url) = (walk.routes[route].name(), walk.routes[route].url());
        let asked: Vec<(String, Value)> =
            walk.routes[route].parameters().map(|(name, schema)| (name.to_owned(), schema.clone())).collect();
        let body = walk.routes[route]
            .body()
            .cloned()
            .map(|schema| (JSON, walk.schemas.sample(&schema).to_string().into_bytes()));
        for (parameter, schema) in &asked {
            parameters += 1;
            for text in texts {
                let url = format!("{url}?{parameter}={text}");
                let answered = walk.ask(route, &url, body.clone()).await;
                let what = || format!("{name}?{parameter}={}", text.chars().take(40).collect::<String>());
                let status = answered.with_context(what)?;
                let number = walk.schemas.is_number(schema);
                ensure!(
                    !number || status.is_client_error() || text.parse::<f64>().is_ok() || text.is_empty(),
                    "{}: {status}",
                    what()
                );
            }
            let twice = format!("{url}?{parameter}=1&{parameter}=2");
            walk.ask(route, &twice, body.clone()).await.with_context(|| twice.clone())?;
        }
        let crowd = format!("{url}?{}", "a=1&".repeat(1_000));
        walk.ask(route, &crowd, body.clone()).await.with_context(|| format!("{name} with 1,000 parameters"))?;
    }
    ensure!(parameters >= 5, "only {parameters} parameters");
    walk.rig.stop().await
}

#[tokio::test]
async fn a_path_that_names_nothing_is_refused_clearly() -> Result<()> {
    let long = "x".repeat(5_000);
    let names = [
        "%00",
        "x%00y",
        "%ff",
        "x",
        "..%2f..%2fetc",
        "-1",
        "99999999999999999999",
        "WVWZZZ1JZ3W00000I",
        "wvwzzz1jz3w000001",
        "%E2%85%A3",
        "+",
        "%23",
        "0198f0c4-7a3b-7000-8000",
        "00000000-0000-0000-0000-000000000000",
        "'%3b--",
        &long,
    ];
    let mut walk = Walk::begin().await?;
    let mut paths = 0;
    for route in 0..walk.routes.len() {
        let name = walk.routes[route].name();
        if !walk.routes[route].path.contains('{') {
            continue;
        }
        let body = walk.routes[route]
            .body()
            .cloned()
            .map(|schema| (JSON, walk.schemas.sample(&schema).to_string().into_bytes()));
        for one in names {
            let url = walk.routes[route].path_with(|_| one.to_owned());
            let answered = walk.ask(route, &url, body.clone()).await;
            let status =
                answered.with_context(|| format!("{name} with {}", one.chars().take(40).collect::<String>()))?;
            let named_vehicle = walk.routes[route].path.contains("{vin}");
            ensure!(!named_vehicle || status.is_client_error(), "{name} with `{one}`: {status}");
            paths += 1;
        }
    }
    ensure!(paths >= 16, "only {paths} paths");
    walk.rig.stop().await
}
