use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::system::System;
use bugbrother_simulator::Drive;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(120);
const VIN: &str = "WVWZZZ1JZ3W386752";

/// One connection of a collector: OTLP over HTTP, as the protocol's specification has it.
async fn serve(connection: TcpStream, requests: mpsc::Sender<Value>) -> Result<()> {
    let mut connection = BufReader::new(connection);
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        ensure!(line == "POST /v1/traces HTTP/1.1\r\n", "{line}");
        let (mut length, mut is_json) = (0, false);
        loop {
            line.clear();
            connection.read_line(&mut line).await?;
            let lower = line.trim_end().to_lowercase();
            if let Some(number) = lower.strip_prefix("content-length: ") {
                length = number.parse()?;
            }
            is_json |= lower == "content-type: application/json";
            if lower.is_empty() {
                break;
            }
        }
        ensure!(is_json, "it does not say what it is");
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await?;
        requests.send(serde_json::from_slice(&body)?).await?;
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        connection.write_all(answer.as_bytes()).await?;
    }
}

/// A step of a record.
#[derive(Debug)]
struct Span {
    id: String,
    parent: Option<String>,
    service: String,
    from: u128,
    to: u128,
}

/// Trace → name → span, out of a request.
fn read(request: &Value, traces: &mut BTreeMap<String, BTreeMap<String, Span>>) -> Result<()> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
    for resource in request["resourceSpans"].as_array().context("resourceSpans")? {
        let attributes = resource["resource"]["attributes"].as_array().context("attributes")?;
        let service = attributes.iter().find(|one| one["key"] == "service.name").context("a service")?;
        for span in resource["scopeSpans"][0]["spans"].as_array().context("spans")? {
            let found = Span {
                id: text(&span["spanId"])?,
                parent: span["parentSpanId"].as_str().map(str::to_owned),
                service: text(&service["value"]["stringValue"])?,
                from: text(&span["startTimeUnixNano"])?.parse()?,
                to: text(&span["endTimeUnixNano"])?.parse()?,
            };
            ensure!(found.from <= found.to && found.id.len() == 16, "{span}");
            let (trace, name) = (text(&span["traceId"])?, text(&span["name"])?);
            ensure!(trace.len() == 32 && span["attributes"][0]["value"]["stringValue"] == VIN, "{span}");
            traces.entry(trace).or_default().insert(name, found);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_told_of_one_record_by_three_processes() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (requests, mut received) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection, requests.clone()));
        }
    });
    let mut system = System::new()?;
    system.start("broker").await?;
    for service in ["ingest", "notifier", "dashboard"] {
        system.start_with(service, &["--traces", &url, "--traces-share", "1"]).await?;
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    let (seconds, start) = (Duration::from_secs(600), i64::try_from(now)? - 600_000);
    let nmea = system.dir().join("drive.nmea");
    std::fs::write(&nmea, Drive { seed: 5, duration: seconds, start, rate_hz: 1, damaged: false }.log().bytes)?;
    let password = system.add_vehicle(VIN, "Followed")?;
    // So long that the notifier has begun to look after the vehicle before its end.
    let mut agent = system.replay(VIN, &password, &nmea, "10")?;
    let mut traces = BTreeMap::new();
    let whole = timeout(LIMIT, async {
        loop {
            read(&received.recv().await.context("no request any more")?, &mut traces)?;
            if let Some(whole) = traces.values().find(|spans| spans.len() == 4) {
                return anyhow::Ok(format!("{whole:?}"));
            }
        }
    });
    whole.await.with_context(|| format!("{agent:?}", agent = agent.logged()))??;
    agent.kill()?;
    for spans in traces.values() {
        let ids: BTreeSet<_> = spans.values().map(|span| &span.id).collect();
        assert_eq!(ids.len(), spans.len(), "{spans:?}");
        for (name, span) in spans {
            let service = match name.as_str() {
                "arrive" | "store" => "bugbrother-ingest",
                "judge" => "bugbrother-notifier",
                "show" => "bugbrother-dashboard",
                other => panic!("{other}"),
            };
            assert_eq!(span.service, service);
            match (name.as_str(), spans.get("arrive")) {
                ("arrive", _) => assert_eq!(span.parent, None),
                (_, Some(first)) => assert_eq!(span.parent.as_ref(), Some(&first.id), "{spans:?}"),
                // Ingest has not told of it yet.
                _ => assert!(span.parent.is_some()),
            }
        }
    }
    let whole = traces.values().find(|spans| spans.len() == 4).context("it was there")?;
    assert_eq!(whole["arrive"].to, whole["store"].from, "{whole:?}");
    system.check_logs()
}
