//! An InfluxDB over HTTP: every request has an end, and no error tells a secret.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use influxdb::{Client, Error, Query, QueryType, ReadQuery, ValidQuery, WriteQuery};
use reqwest::{
    StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
    redirect,
};
use tokio::time::timeout;
use tracing::warn;

use super::{
    address::{Address, Login},
    answer::{self, Table},
};
use crate::{StoreError, telemetry::embedded::compute};

/// How long it may take to get through to the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How much of a refusal's reason is read, in bytes.
const MAX_REASON: usize = 4096;
/// How much of it is told, in characters.
const MAX_TOLD: usize = 300;

/// A database of an InfluxDB.
pub(super) struct Server {
    client: Client,
    /// The same connections, for what the client cannot do.
    http: reqwest::Client,
    endpoint: String,
    database: String,
    /// Whether it has been said that points are refused for ever.
    has_warned: AtomicBool,
}

/// Lines of a request, kept to be sent once more.
#[derive(Clone)]
struct Lines(String);

impl Query for Lines {
    fn build(&self) -> Result<ValidQuery, Error> {
        Ok(self.0.as_str().into())
    }

    fn build_with_opts(&self, _use_v2: bool) -> Result<ValidQuery, Error> {
        self.build()
    }

    fn get_type(&self) -> QueryType {
        QueryType::WriteQuery("ms".to_owned())
    }
}

/// What a server says that does not do what it was asked.
struct Refusal {
    status: StatusCode,
    reason: String,
}

impl Server {
    pub fn new(address: &Address) -> Result<Self, StoreError> {
        // Both the client that we make and the one that `Client::new` makes for itself take it from here. Another one that
        // the program has installed serves as well.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        let mut headers = HeaderMap::new();
        // In a header: as `u` and `p` in the address, which `with_auth` makes of them, they would get into logs.
        let authorization = match &address.login {
            Login::Nobody => None,
            Login::Account { user, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            Login::Token(token) => Some(format!("Token {token}")),
        };
        if let Some(text) = authorization {
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| StoreError::Samples("telemetry_url: the token holds a control character".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            // A write that is led elsewhere would become a question, and a sign-in page is an answer, too.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            // `Client::new` would panic.
            .map_err(|_| {
                let text = "no HTTP client can be made: this system trusts no certificate authority (ca-certificates)";
                StoreError::Samples(text.to_owned())
            })?;
        let client = Client::new(&address.endpoint, &address.database).with_http_client(http.clone());
        Ok(Server {
            client,
            http,
            endpoint: address.endpoint.clone(),
            database: address.database.clone(),
            has_warned: AtomicBool::new(false),
        })
    }

    /// Asks what these statements ask; the answers in their order.
    ///
    /// The client takes the word `"error"` anywhere in an answer for a failure: no column may be named by a vehicle.
    pub async fn ask(&self, statements: Vec<String>) -> Result<Vec<Table>, StoreError> {
        let count = statements.len();
        let json = self.ask_for_json(ReadQuery::new(statements.join(";"))).await?;
        compute(move || {
            answer::read(&json, count).map_err(|error| failed(&format!("its answer is not understood: {error}")))
        })
        .await
    }

    /// The answer as it comes.
    pub async fn ask_for_json(&self, query: ReadQuery) -> Result<String, StoreError> {
        match timeout(ANSWER_TIMEOUT, self.client.query(query)).await {
            Err(_) => Err(silent()),
            Ok(answer) => answer.map_err(|error| told(&error)),
        }
    }

    /// Has a statement carried out that changes something.
    ///
    /// The client would take one in which `SELECT` stands for a question, and a VIN may hold that.
    pub async fn tell(&self, statement: &str) -> Result<(), StoreError> {
        let request = self.http.post(format!("{}/query", self.endpoint));
        let request = request.query(&[("db", self.database.as_str()), ("q", statement)]);
        match timeout(ANSWER_TIMEOUT, reason(request)).await {
            Err(_) => Err(silent()),
            Ok(Err(_)) => Err(unreachable()),
            Ok(Ok(Refusal { status, reason })) if status.is_success() => match error_in(&reason) {
                None => Ok(()),
                Some(text) => Err(failed(text)),
            },
            Ok(Ok(refusal)) => Err(refused(&refusal)),
        }
    }

    /// Writes points; those that it will never take are told in the log, once, and count as done.
    pub async fn write(&self, points: Vec<WriteQuery>) -> Result<(), StoreError> {
        let lines = compute(move || {
            let lines = points.build().map_err(|_| failed("a point has no field"))?;
            Ok(Lines(lines.get()))
        });
        let lines = lines.await?;
        match timeout(ANSWER_TIMEOUT, self.client.query(&lines)).await {
            Err(_) => Err(silent()),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(Error::ApiError(400 | 422 | 500))) => self.write_again(lines).await,
            Ok(Err(error)) => Err(told(&error)),
        }
    }

    /// The client keeps to itself why something is refused, so it is sent once more, which changes nothing. It helps, too:
    /// where one part of a request is refused, the rest may still be on its way to the disk when the refusal comes.
    async fn write_again(&self, lines: Lines) -> Result<(), StoreError> {
        let request = self.http.post(format!("{}/write", self.endpoint));
        let request = request.query(&[("db", self.database.as_str()), ("precision", "ms")]).body(lines.0);
        let refusal = match timeout(ANSWER_TIMEOUT, reason(request)).await {
            Err(_) => return Err(silent()),
            Ok(Err(_)) => return Err(unreachable()),
            Ok(Ok(refusal)) => refusal,
        };
        if refusal.status.is_success() {
            return Ok(());
        }
        let Some(problem) = refusal.problem_of_points() else { return Err(refused(&refusal)) };
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            warn!(problem, "influxdb refuses points for ever; they are left out, and this is said once");
        }
        Ok(())
    }
}

impl Refusal {
    /// What is wrong with points that are refused whenever they come, where the others of the request are taken.
    fn problem_of_points(&self) -> Option<&'static str> {
        let of_points = matches!(self.status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY);
        // `max-values-per-tag`, `max-series-per-database`: the operator's limits, which can be raised.
        if !of_points || self.reason.contains("limit exceeded") || self.reason.contains("max-") {
            return None;
        }
        let has = |text: &str| self.reason.contains(text);
        if has("beyond retention") || has("outside retention") {
            Some("older than the retention policy keeps them")
        } else if has("field type conflict") {
            Some("a field has another type in the database than a float")
        } else if has("unable to parse") {
            Some("not understood")
        } else {
            None
        }
    }
}

/// Sends a request and reads the beginning of its answer.
async fn reason(request: reqwest::RequestBuilder) -> Result<Refusal, reqwest::Error> {
    let mut response = request.send().await?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        body.extend_from_slice(&part);
        if body.len() > MAX_REASON {
            body.truncate(MAX_REASON);
            break;
        }
    }
    Ok(Refusal { status, reason: String::from_utf8_lossy(&body).into_owned() })
}

/// The text of the first `error` in an answer, JSON that may be escaped once more.
fn error_in(answer: &str) -> Option<&str> {
    let text = answer.split_once("error\":").or_else(|| answer.split_once("error\\\":"))?.1;
    let text = text.trim_start_matches(['\\', '"', ' ']);
    Some(text.split(['"', '}']).next().unwrap_or(text).trim_end_matches('\\'))
}

fn refused(refusal: &Refusal) -> StoreError {
    let text = error_in(&refusal.reason).unwrap_or_default();
    match refusal.status {
        StatusCode::UNAUTHORIZED => failed("it does not know the account of telemetry_url"),
        status if text.is_empty() => failed(&format!("it answers {}", status.as_u16())),
        status => failed(&format!("it answers {}: {text}", status.as_u16())),
    }
}

/// What the client's error tells. Those of the connection hold the whole address.
fn told(error: &Error) -> StoreError {
    match error {
        Error::ApiError(status) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let reason = match status {
                StatusCode::NOT_FOUND => r#"{"error":"it has no such database"}"#,
                StatusCode::PAYLOAD_TOO_LARGE => r#"{"error":"its max-body-size is too small"}"#,
                _ => "",
            };
            refused(&Refusal { status, reason: reason.to_owned() })
        }
        Error::DatabaseError { error } => failed(error_in(error).unwrap_or("it failed")),
        Error::ConnectionError { .. } | Error::ProtocolError { .. } => unreachable(),
        _ => failed("its answer is not understood"),
    }
}

fn silent() -> StoreError {
    failed("it does not answer")
}

fn unreachable() -> StoreError {
    failed("it cannot be reached")
}

/// Whether it is the server that is missing, and neither the account nor the database.
pub(super) fn is_away(error: &StoreError) -> bool {
    [silent(), unreachable()].iter().any(|away| away.to_string() == error.to_string())
}

pub(super) fn failed(text: &str) -> StoreError {
    let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_TOLD).collect();
    StoreError::Samples(format!("influxdb: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, reason: &str) -> Refusal {
        Refusal { status: StatusCode::from_u16(status).unwrap(), reason: reason.to_owned() }
    }

    #[test]
    fn what_is_wrong_with_points_is_told_from_what_is_wrong_with_the_server() {
        for of_points in [
            r#"{"error":"partial write: points beyond retention policy dropped=3"}"#,
            r#"{"error":"partial write: field type conflict: input field \"spd\" on measurement \"telemetry\" is type float, already exists as type string dropped=1"}"#,
            r#"{"error":"partial write: unable to parse 'x': missing fields dropped=0"}"#,
        ] {
            assert!(refusal(400, of_points).problem_of_points().is_some(), "{of_points}");
            assert!(refusal(422, of_points).problem_of_points().is_some(), "{of_points}");
            assert!(refusal(500, of_points).problem_of_points().is_none(), "{of_points}");
        }
        for of_server in [
            r#"{"error":"partial write: max-values-per-tag limit exceeded (100000/100000): measurement=\"telemetry\" tag=\"vin\" dropped=1"}"#,
            r#"{"error":"partial write: max-series-per-database limit exceeded: (1) dropped=1"}"#,
            r#"{"error":"timeout"}"#,
            "",
        ] {
            assert!(refusal(400, of_server).problem_of_points().is_none(), "{of_server}");
        }
    }

    #[test]
    fn an_error_is_found_in_an_answer_also_in_one_that_was_escaped() {
        let plain = r#"{"results":[{"statement_id":0,"error":"database not found: x"}]}"#;
        assert_eq!(error_in(plain), Some("database not found: x"));
        assert_eq!(error_in(&format!("influxdb error: {plain:?}")), Some("database not found: x"));
        assert_eq!(error_in(r#"{"results":[{"statement_id":0}]}"#), None);
    }

    #[tokio::test]
    async fn nothing_that_is_told_holds_a_secret() {
        let address = Address::parse("influxdb://ada:geheim@127.0.0.1:1/fleet").unwrap();
        let server = Server::new(&address).unwrap();
        let point = WriteQuery::new(influxdb::Timestamp::Milliseconds(1), "m").add_field("a", 1.0);
        let errors = [
            server.ask(vec!["SHOW DATABASES".to_owned()]).await.unwrap_err(),
            server.tell("DROP DATABASE x").await.unwrap_err(),
            server.write(vec![point]).await.unwrap_err(),
        ];
        for error in errors {
            let text = format!("{error:?} {error}");
            assert!(text.contains("cannot be reached") && !text.contains("geheim"), "{text}");
            assert!(!text.contains("YWRh"), "nor as it goes over the network: {text}");
        }
    }
}
