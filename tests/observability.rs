//! What is counted, who is told of it, and who draws it: the list of metrics, Prometheus and its rules, Grafana's queries.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{
    broker::Broker,
    postgres::Postgres,
    process::Process,
    system::{Stores, System},
    wait,
};
use bugbrother_simulator::Drive;
use bugbrother_store::Store;
use bugbrother_tests::prometheus::{Prometheus, promtool};
use serde_json::Value;

const VIN: &str = "WVWZZZ1JZ3W386752";
const LIMIT: Duration = Duration::from_secs(120);
/// Whose sources count something.
const SOURCES: [&str; 8] = [
    "src",
    "broker/src",
    "crates/bridge/src",
    "crates/client/src",
    "ingest/src",
    "notifier/src",
    "dashboard/server/src",
    "vehicle-agent/src",
];
const SERVICES: [&str; 7] = ["process", "broker", "bridge", "ingest", "notifier", "dashboard", "agent"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's root")
}

/// Name → kind, labels and help text, as docs/metrics.md has them.
fn listed() -> Result<BTreeMap<String, (String, bool, String)>> {
    let text = fs::read_to_string(root().join("docs/metrics.md"))?;
    let line = |line: &str| {
        let cells: Vec<_> = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ").collect();
        let [name, kind, labels, help] = cells[..] else { return None };
        Some((name.trim_end_matches('`').to_owned(), (kind.to_owned(), !labels.is_empty(), help.to_owned())))
    };
    Ok(text.lines().filter_map(line).filter(|(name, _)| name.starts_with("bugbrother_")).collect())
}

fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, ending)?);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Names of metrics between quotation marks.
fn named(source: &str) -> impl Iterator<Item = &str> {
    source.split('"').filter(|text| {
        let parts: Vec<_> = text.split('_').collect();
        let plain =
            |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        parts.len() > 2 && parts[0] == "bugbrother" && SERVICES.contains(&parts[1]) && parts.iter().all(plain)
    })
}

#[test]
fn every_metric_is_in_the_list_and_nothing_else_is() -> Result<()> {
    let mut counted = BTreeSet::new();
    for folder in SOURCES {
        for path in files(&root().join(folder), ".rs")? {
            counted.extend(named(&fs::read_to_string(path)?).map(str::to_owned));
        }
    }
    let listed: BTreeSet<_> = listed()?.into_keys().collect();
    assert!(counted.len() > 60, "{counted:?}");
    assert_eq!(counted.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new(), "are not in docs/metrics.md");
    assert_eq!(listed.difference(&counted).collect::<Vec<_>>(), Vec::<&String>::new(), "are counted nowhere");
    Ok(())
}

/// Name → type and help text of a page of metrics.
fn told(page: &str) -> BTreeMap<String, (String, String)> {
    let mut found: BTreeMap<String, (String, String)> = BTreeMap::new();
    for line in page.lines() {
        let mut words = line.splitn(4, ' ');
        if let (Some("#"), Some(what), Some(name), Some(text)) =
            (words.next(), words.next(), words.next(), words.next())
        {
            let entry = found.entry(name.to_owned()).or_default();
            match what {
                "TYPE" => text.clone_into(&mut entry.0),
                _ => text.clone_into(&mut entry.1),
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_tells_what_the_list_says_and_is_ready() -> Result<()> {
    let listed = listed()?;
    let mut system = System::new()?;
    system.start("up").await?;
    let url = format!("http://127.0.0.1:{}", system.metrics());
    wait::until("the services are connected", LIMIT, || async {
        let answer = reqwest::get(format!("{url}/readyz")).await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await?;
    let page = wait::until("the first figures are taken", LIMIT, || async {
        let page = reqwest::get(format!("{url}/metrics")).await.ok()?.text().await.ok()?;
        let taken = ["bugbrother_process_resident_bytes ", "bugbrother_broker_router_round_trip_seconds_count "];
        taken.iter().all(|name| page.contains(name)).then_some(page)
    })
    .await?;
    let told = told(&page);
    for (name, (kind, help)) in &told {
        let (listed_kind, _, listed_help) = listed.get(name).with_context(|| format!("{name} is not in the list"))?;
        assert_eq!((kind, help), (listed_kind, listed_help), "{name}");
    }
    // What has labels comes with its first; a histogram with its first value; bridges and agents there are none.
    let from_the_start = listed.iter().filter(|(name, (kind, labels, _))| {
        let service = name.split('_').nth(1).unwrap_or_default();
        kind != "histogram" && !labels && service != "agent"
    });
    let missing: Vec<_> = from_the_start.map(|(name, _)| name).filter(|name| !told.contains_key(*name)).collect();
    assert!(missing.is_empty(), "{missing:?} are not there");
    let answer = reqwest::get(format!("http://127.0.0.1:{}/readyz", system.http())).await?;
    let health: Value = answer.json().await?;
    assert_eq!(health["ok"], true, "{health}");
    assert_eq!(
        health["parts"].as_object().map(serde_json::Map::len),
        Some(4),
        "store, mqtt, ingest, notifier: {health}"
    );
    system.check_logs()
}

#[test]
fn the_rules_are_well_formed_and_each_has_a_case_that_comes_true() -> Result<()> {
    let folder = root().join("deploy/prometheus");
    let at = |name: &str| folder.join(name).display().to_string();
    promtool(&["check", "config", &at("prometheus.yml")])?;
    promtool(&[
        "check",
        "config",
        "--syntax-only",
        &root().join("deploy/container/prometheus.yml").display().to_string(),
    ])?;
    promtool(&["check", "rules", &at("alerts.yml")])?;
    promtool(&["test", "rules", &at("alerts.test.yml")])?;
    let (rules, cases) = (fs::read_to_string(at("alerts.yml"))?, fs::read_to_string(at("alerts.test.yml"))?);
    let names: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let listed = listed()?;
    for name in &names {
        let is_tried =
            [format!("alertname=\"{name}\""), format!("alertname: {name}")].iter().any(|text| cases.contains(text));
        let only_at_rest = *name == "DiskFullWithinADay" && cases.contains("DiskFullWithinADay");
        assert!(is_tried || only_at_rest, "alerts.test.yml has no case for {name}");
    }
    assert!(names.len() > 15);
    for word in
        rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("bugbrother_"))
    {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
        assert!(listed.contains_key(base), "alerts.yml names {word}, which is not in docs/metrics.md");
    }
    Ok(())
}

/// A server on a PostgreSQL, and a vehicle that has driven for half an hour, some of it just now.
async fn fleet(system: &mut System) -> Result<Process> {
    system.start("broker").await?;
    system.start_with("ingest", &[]).await?;
    system.start("notifier").await?;
    system.start("dashboard").await?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis();
    let start = i64::try_from(now)? - 7_500_000;
    let drive = Drive { seed: 5, duration: Duration::from_secs(3600), start, rate_hz: 1, damaged: false };
    let nmea = system.dir().join("drive.nmea");
    fs::write(&nmea, &drive.log().bytes)?;
    let password = system.add_vehicle(VIN, "Van 12")?;
    system.replay(VIN, &password, &nmea, "max")
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_wakes_somebody_when_the_database_is_away_and_grafanas_queries_have_answers() -> Result<()> {
    let mut postgres = Postgres::start().await?;
    let database = Some(postgres.create_database("fleet").await?);
    let mut system = System::on_stores(Broker::Embedded, Stores { database, telemetry: None })?;
    let mut agent = fleet(&mut system).await?;
    let status = agent.ended(LIMIT).await?;
    ensure!(status.success(), "{status}: {}", agent.logged());
    let store = Store::open(&system.database()).await?;
    store.keep(&[VIN.parse()?]).await?;

    // As they are, but without the wait that spares people and not tests.
    let rules = fs::read_to_string(root().join("deploy/prometheus/alerts.yml"))?;
    let rules: Vec<_> = rules.lines().filter(|line| !line.trim_start().starts_with("for: ")).collect();
    let prometheus = Prometheus::start(system.dir(), &[system.metrics(), system.http()], &rules.join("\n")).await?;
    wait::until("several scrapes of ingest and of the dashboard", LIMIT, || async {
        let rows = prometheus.query("count_over_time(bugbrother_process_start_time_seconds[1m]) > 2").await.ok()?;
        (rows.len() == 2).then_some(())
    })
    .await?;
    assert_eq!(prometheus.query("up == 0").await?, Vec::<Value>::new());
    assert!(!prometheus.firing().await?.contains(&"IngestCannotStore".to_owned()));
    ask_grafanas_questions(&prometheus, &["bugbrother_ingest_", "bugbrother_dashboard_", "bugbrother_process_"])
        .await?;
    ask_the_database(&postgres).await?;

    // Messages come while nobody can store them.
    postgres.kill().await?;
    let password = system.dir().join(format!("{VIN}.password"));
    let outbox = system.dir().join("second.outbox");
    let _agent = system.replay_by(&outbox, VIN, &password, &system.dir().join("drive.nmea"), "max")?;
    wait::until("somebody is woken up", LIMIT, || async {
        prometheus.firing().await.ok().filter(|firing| firing.contains(&"IngestCannotStore".to_owned())).map(drop)
    })
    .await?;
    let answer = reqwest::get(format!("http://127.0.0.1:{}/readyz", system.metrics())).await?;
    assert_eq!(answer.status(), 503);
    let text = answer.text().await?;
    assert!(text.contains("store: the database"), "{text}");
    postgres.start_again().await?;
    wait::until("everybody sleeps again", LIMIT, || async {
        prometheus.firing().await.ok().filter(|firing| !firing.contains(&"IngestCannotStore".to_owned())).map(drop)
    })
    .await
}

fn dashboards() -> Result<Vec<(String, Value)>> {
    let read = |path: PathBuf| -> Result<(String, Value)> {
        Ok((path.display().to_string(), serde_json::from_str(&fs::read_to_string(&path)?)?))
    };
    files(&root().join("deploy/grafana/dashboards"), ".json")?.into_iter().map(read).collect()
}

/// Questions of one kind of source: panel and question.
fn questions(kind: &str, field: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for (name, dashboard) in dashboards()? {
        for panel in dashboard["panels"].as_array().context("panels")? {
            for target in panel["targets"].as_array().context("targets")? {
                if target["datasource"]["type"] == kind {
                    let question = target[field].as_str().with_context(|| format!("{name}: {panel}"))?;
                    found.push((format!("{name}, {}", panel["title"]), question.to_owned()));
                }
            }
        }
    }
    Ok(found)
}

/// Each of them is understood; and has an answer, where what it asks for is there from the start in a process that is looked at.
async fn ask_grafanas_questions(prometheus: &Prometheus, looked_at: &[&str]) -> Result<()> {
    let listed = listed()?;
    let (mut asked, mut answered) = (0, 0);
    for (place, question) in questions("prometheus", "expr")? {
        let question = question.replace("$instance", ".*").replace("$__rate_interval", "1m");
        let rows = prometheus.query(&question).await.context(place.clone())?;
        let words = question.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let names: BTreeSet<_> = words.filter(|word| word.starts_with("bugbrother_")).collect();
        let is_there = |name: &&str| {
            let known = listed.get(*name).is_some_and(|(kind, labels, _)| kind != "histogram" && !labels);
            known && looked_at.iter().any(|service| name.starts_with(service))
        };
        for name in &names {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            ensure!(listed.contains_key(base), "{place} asks for {name}, which is not in docs/metrics.md");
        }
        if !names.is_empty() && names.iter().all(is_there) {
            ensure!(!rows.is_empty(), "{place}: {question} has no answer");
            answered += 1;
        }
        asked += 1;
    }
    ensure!(asked > 80 && answered > 30, "{asked} asked, {answered} had to be answered");
    Ok(())
}

/// What Grafana makes of its macros is put in their place.
async fn ask_the_database(postgres: &Postgres) -> Result<()> {
    let questions = questions("postgres", "rawSql")?;
    ensure!(questions.len() > 8, "{questions:?}");
    for (place, question) in questions {
        let sql =
            question.replace("$vin", VIN).replace("$__unixEpochFrom()", "0").replace("$__unixEpochTo()", "4102444800");
        let rows = postgres.execute("fleet", &sql).await.context(place.clone())?;
        // A receiver alone tells no fuel and no codes.
        if ["The fleet now", "Trips", "Distance by day"].iter().any(|title| place.ends_with(&format!("\"{title}\""))) {
            ensure!(!rows.trim().is_empty(), "{place} has no answer: {sql}");
        }
    }
    Ok(())
}

#[test]
fn every_dashboard_has_an_identity_a_source_for_each_panel_and_signals_that_there_are() -> Result<()> {
    let (mut identities, mut fields) = (BTreeSet::new(), 0);
    let sources = fs::read_to_string(root().join("deploy/grafana/provisioning/datasources/bugbrother.yml"))?;
    for (name, dashboard) in dashboards()? {
        let uid = dashboard["uid"].as_str().context("uid")?;
        ensure!(identities.insert(uid.to_owned()), "{name}: another dashboard has that uid");
        for panel in dashboard["panels"].as_array().context("panels")? {
            let source = panel["datasource"]["uid"].as_str().context("a source")?;
            ensure!(sources.contains(&format!("uid: {source}\n")), "{name}: no source {source}");
        }
    }
    ensure!(identities.len() == 7, "{identities:?}");
    for (place, question) in questions("influxdb", "query")? {
        for key in question.split("mean(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            ensure!(bugbrother_wire::signal::find(key).is_some(), "{place}: there is no signal {key}");
            fields += 1;
        }
    }
    ensure!(fields > 10);
    Ok(())
}
