//! What a store of samples elsewhere adds: it can be away, refuse, and know words that a vehicle uses, too.

use bugbrother_kit::influx::Influx;
use bugbrother_store::{Store, StoreError};
use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Seq, UnixMs, Vin,
    message::{Clock, Row, Telemetry},
};
use tempfile::TempDir;

use crate::{
    fleet::{NOW, batch, everything, golf, late, live, store, url},
    home,
};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

async fn at(folder: &TempDir, telemetry_url: &str) -> Result<Store, StoreError> {
    Store::open_with(&format!("sqlite://{}/fleet.db", folder.path().display()), Some(telemetry_url)).await
}

/// A row every minute with these values.
fn minutes(vin: Vin, seq: u64, t0: UnixMs, keys: &[&str], rows: u32) -> Telemetry {
    let row = |n: u32| Row { dt_ms: n * 60_000, values: vec![Some(f64::from(n)); keys.len()] };
    Telemetry {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(1),
        seq: Seq(seq),
        t0,
        clock: Clock::Gnss,
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        rows: (0..rows).map(row).collect(),
        gap: None,
    }
}

fn samples_failed(error: StoreError) -> String {
    match error {
        StoreError::Samples(text) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn while_it_is_away_nothing_is_acknowledged_and_then_the_same_is_stored_once() {
    let mut server = Influx::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = at(&folder, &server.url("fleet")).await.unwrap();
    store.commit(&[live(batch(golf(), 1, 1))]).await.unwrap();
    let arrivals = [live(batch(golf(), 1, 2)), live(batch(golf(), 1, 3))];

    server.kill().await.unwrap();
    let text = samples_failed(store.commit(&arrivals).await.unwrap_err());
    assert_eq!(text, "influxdb: it cannot be reached");
    samples_failed(store.signals(golf(), 0, i64::MAX).await.unwrap_err());

    server.start_again().await.unwrap();
    let done = store.commit(&arrivals).await.unwrap();
    assert_eq!((done.stored, done.duplicates, done.acks[0].seq), (2, 0, Seq(3)));
    let all = everything(&store, golf()).await;
    assert_eq!(all.rows.len(), 30, "and what it had before it was killed is there");
    let again = store.commit(&arrivals).await.unwrap();
    assert_eq!((again.stored, again.duplicates), (0, 2));
    assert_eq!(everything(&store, golf()).await, all);
}

#[tokio::test]
async fn one_that_is_away_at_the_start_keeps_nobody_from_starting_and_is_made_ready_when_it_is_there() {
    let mut server = Influx::start().await.unwrap();
    server.kill().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = at(&folder, &server.url("fleet")).await.unwrap();
    let arrivals = [live(batch(golf(), 1, 1))];
    let text = samples_failed(store.commit(&arrivals).await.unwrap_err());
    assert_eq!(text, "influxdb: it cannot be reached");
    server.start_again().await.unwrap();
    assert_eq!(store.commit(&arrivals).await.unwrap().stored, 1, "in a database that did not exist");
    assert_eq!(everything(&store, golf()).await.rows.len(), 10);
}

#[tokio::test]
async fn one_that_does_not_answer_holds_nobody_up_for_ever() {
    let server = Influx::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = at(&folder, &server.url("fleet")).await.unwrap();
    server.pause().await.unwrap();
    let text = samples_failed(store.commit(&[live(batch(golf(), 1, 1))]).await.unwrap_err());
    assert_eq!(text, "influxdb: it does not answer");
    server.resume().unwrap();
    assert_eq!(store.commit(&[live(batch(golf(), 1, 1))]).await.unwrap().stored, 1);
    assert_eq!(everything(&store, golf()).await.rows.len(), 10);
}

#[tokio::test]
async fn points_older_than_the_retention_policy_stop_nothing() {
    let server = home::server().await;
    let folder = tempfile::tempdir().unwrap();
    let limited = format!("{}?retention_days=3650", server.url("limited"));
    let store = at(&folder, &limited).await.unwrap();
    let policies = server.query("limited", "SHOW RETENTION POLICIES").await.unwrap();
    assert!(policies.contains(r#"["autogen","87600h0m0s""#), "{policies}");

    let ancient = Telemetry { t0: 1_000_000_000_000, ..batch(golf(), 1, 1) };
    let done = store.commit(&[late(ancient), live(batch(golf(), 1, 2))]).await.unwrap();
    assert_eq!((done.stored, done.acks[0].seq), (2, Seq(2)));
    while store.keep(&[golf()]).await.unwrap()[0].more {}
    let all = everything(&store, golf()).await;
    assert_eq!((all.rows.len(), all.rows[0].ts), (10, NOW + 20_000));

    at(&folder, &limited).await.unwrap();
    at(&folder, &server.url("limited")).await.unwrap();
    let again = server.query("limited", "SHOW RETENTION POLICIES").await.unwrap();
    assert_eq!(again, policies, "it stays as it was set");
}

#[tokio::test]
async fn points_that_clash_with_somebody_elses_stop_nothing() {
    let (store, home) = store().await;
    let (server, database) = (home::server().await, home::database(&home));
    server.write(&database, &format!("telemetry,vin=X spd=\"fast\" {NOW}000000")).await.unwrap();
    let free = minutes(golf(), 2, NOW, &["rpm"], 5);
    let done = store.commit(&[live(batch(golf(), 1, 1)), live(free)]).await.unwrap();
    assert_eq!((done.stored, done.acks[0].seq), (2, Seq(2)));
    let rpm: Vec<_> = everything(&store, golf()).await.values("rpm").map(|(_, value)| value).collect();
    assert_eq!(rpm, [0.0, 1.0, 2.0, 3.0, 4.0]);
}

#[tokio::test]
async fn words_of_the_database_are_signals_like_any_other() {
    let (store, _home) = store().await;
    let keys = ["error", "select", "time", "vin", "x.a_b"];
    let sent = minutes(golf(), 1, NOW, &keys, 30);
    store.commit(&[live(sent)]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(store.signals(golf(), NOW, NOW + DAY).await.unwrap(), keys);
        let all = everything(&store, golf()).await;
        assert_eq!((all.rows.len(), all.keys.as_slice()), (30, keys.map(str::to_owned).as_slice()));
        for key in keys {
            let series = store.series(golf(), key, NOW, NOW + 3 * DAY, 10).await.unwrap();
            assert_eq!(series.buckets.iter().map(|bucket| bucket.n).sum::<i64>(), 30, "{key}");
        }
        while store.keep(&[golf()]).await.unwrap()[0].more {}
    }
    let odd = store.series(golf(), "x' OR \"vin\" =~ /./ --", NOW, NOW + DAY, 10).await.unwrap();
    assert_eq!(odd.buckets, []);
}

#[tokio::test]
async fn long_series_come_from_hours_that_were_written_down_and_what_has_changed_since_from_its_values() {
    let (store, home) = store().await;
    let (server, database) = (home::server().await, home::database(&home));
    let start = NOW / DAY * DAY;
    let hours: Vec<_> = (0..48).map(|n| live(minutes(golf(), n + 1, start + n as i64 * HOUR, &["rpm"], 60))).collect();
    store.commit(&hours).await.unwrap();
    while store.keep(&[golf()]).await.unwrap()[0].more {}
    let days = async || {
        let series = store.series(golf(), "rpm", start, start + 40 * DAY, 50).await.unwrap();
        assert_eq!(series.bucket_ms, DAY);
        series.buckets.iter().map(|bucket| (bucket.ts, bucket.n, bucket.high)).collect::<Vec<_>>()
    };
    let whole = [(start, 1440, 59.0), (start + DAY, 1440, 59.0)];
    assert_eq!(days().await, whole);

    // What the hours amount to is all that is left of the first day.
    let delete = format!("DELETE FROM telemetry WHERE time < {}ms", start + DAY);
    server.query(&database, &delete).await.unwrap();
    assert_eq!(days().await, whole);

    // Half an hour more in an hour of the second day; 7 days later a new one.
    let more = Telemetry { t0: start + DAY + 30_000, ..minutes(golf(), 49, start, &["rpm"], 30) };
    let new = minutes(golf(), 50, start + 8 * DAY, &["rpm"], 10);
    store.commit(&[late(more), live(new)]).await.unwrap();
    let whole = [(start, 1440, 59.0), (start + DAY, 1470, 59.0), (start + 8 * DAY, 10, 9.0)];
    for _ in 0..2 {
        assert_eq!(days().await, whole);
        while store.keep(&[golf()]).await.unwrap()[0].more {}
    }
}

#[tokio::test]
async fn a_vehicle_whose_number_reads_like_a_question_is_forgotten_like_any_other() {
    let (store, home) = store().await;
    let vin: Vin = "WVWSELECT12345678".parse().unwrap();
    let (start, mine) = (NOW / HOUR * HOUR, batch(golf(), 1, 1));
    store.commit(&[live(minutes(vin, 1, start, &["rpm"], 150)), live(mine)]).await.unwrap();
    while store.keep(&[vin]).await.unwrap()[0].more {}
    assert_eq!(store.forget_samples(vin, start + HOUR, 10).await.unwrap(), 1);
    assert_eq!(everything(&store, vin).await.rows[0].ts, start + HOUR);
    assert_eq!(store.forget_samples(vin, i64::MAX, 10).await.unwrap(), 2);
    assert_eq!(store.forget_samples(vin, i64::MAX, 10).await.unwrap(), 0);
    assert!(everything(&store, vin).await.rows.is_empty());
    assert_eq!(everything(&store, golf()).await.rows.len(), 10);
    let left = home::server().await.query(&home::database(&home), "SELECT * FROM telemetry_1h").await.unwrap();
    assert!(!left.contains("values"), "{left}");
}

#[tokio::test]
async fn an_account_that_may_use_its_database_and_nothing_else_is_enough() {
    let (server, folder) = (home::server().await, tempfile::tempdir().unwrap());
    let made = server.create_database("given").await.unwrap();
    server.query("", "CREATE USER plain WITH PASSWORD 'its/secret'").await.unwrap();
    server.query("", "GRANT ALL ON given TO plain").await.unwrap();
    let host = made.split_once('@').unwrap().1;
    let store = at(&folder, &format!("influxdb://plain:its%2Fsecret@{host}")).await.unwrap();
    store.commit(&[live(batch(golf(), 1, 1))]).await.unwrap();
    while store.keep(&[golf()]).await.unwrap()[0].more {}
    assert_eq!(store.forget_samples(golf(), NOW + DAY, 10).await.unwrap(), 1);

    let other = host.replace("given", "other");
    for (refused, reason) in [
        (format!("influxdb://plain:its%2Fsecret@{other}"), "influxdb: it answers 403"),
        (format!("influxdb://plain:wrong-secret@{host}"), "influxdb: it does not know the account of telemetry_url"),
        (format!("influxdb://{host}"), "influxdb: it does not know the account of telemetry_url"),
    ] {
        let text = samples_failed(at(&folder, &refused).await.unwrap_err());
        assert!(text.starts_with(reason) && !text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn an_address_of_another_kind_is_refused_in_words() {
    let (store, home) = store().await;
    drop(store);
    for telemetry_url in ["http://localhost:8086/fleet", "sqlite:///other.db", "influx://localhost/fleet"] {
        let error = Store::open_with(&url(&home), Some(telemetry_url)).await.unwrap_err();
        let expected = "telemetry_url must start with sqlite://, postgres:// or influxdb://";
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}
