//! No query without a limit and an index: every statement of a day's work is heard, and the database is asked how it would
//! carry it out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

#[path = "plans/doors.rs"]
mod doors;
#[path = "store/fleet.rs"]
mod fleet;
#[path = "store/home/sqlite.rs"]
#[expect(dead_code, reason = "the other tests use more of it")]
mod home;
#[path = "plans/judge.rs"]
mod judge;
#[path = "store/office.rs"]
mod office;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex},
};

use bugbrother_store::{Arrival, Place, Question, Refusal};
use bugbrother_wire::{
    Epoch, EventId, Message, SCHEMA_VERSION, Seq,
    message::{Diagnostics, Dtc, DtcStatus, Event, EventKind, Gap, Telemetry},
};
use tracing::{
    Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use uuid::Uuid;

use fleet::{NOW, batch, everything, golf, late, live, store, url};

/// Hears what statements are executed.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<BTreeSet<String>>>);

struct Statement(String, String);

impl Visit for Statement {
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "db.statement" => self.0 = value.trim().to_owned(),
            "summary" => self.1 = value.trim().to_owned(),
            _ => {}
        }
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut statement = Statement(String::new(), String::new());
        event.record(&mut statement);
        let Statement(whole, summary) = statement;
        self.0.lock().unwrap().insert(if whole.is_empty() { summary } else { whole });
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn message(message: Message) -> Arrival {
    Arrival { received_ts: NOW, topic: String::new(), payload: Default::default(), content: Ok(message) }
}

fn refused(reason: &'static str, seq: u64) -> Arrival {
    let place = Place { vin: golf(), epoch: Epoch(1), seq: Seq(seq) };
    let content = Err(Refusal { reason, place: Some(place) });
    Arrival { received_ts: NOW, topic: "fleet/v1/x".into(), payload: b"junk".to_vec().into(), content }
}

#[tokio::test]
async fn every_statement_of_a_day_finds_its_rows_by_an_index_and_has_an_end() {
    let (store, place) = store().await;
    let ear = Ear::default();
    tracing::subscriber::set_global_default(ear.clone()).unwrap();

    let with_gap =
        Telemetry { gap: Some(Gap { from: Seq(70), to: Seq(75), reason: "full".into() }), ..batch(golf(), 1, 80) };
    let event = Event {
        v: SCHEMA_VERSION,
        vin: golf(),
        epoch: Epoch(1),
        seq: Seq(90),
        id: EventId(Uuid::from_u128(1)),
        at: NOW,
        kind: EventKind::Crash,
        lat: None,
        lon: None,
        values: Default::default(),
        text: None,
    };
    let dtc = Dtc { code: "P0420".into(), status: DtcStatus::Stored, ecu: None };
    let diagnostics = Diagnostics {
        v: SCHEMA_VERSION,
        vin: golf(),
        epoch: Epoch(1),
        seq: Seq(91),
        at: NOW,
        mil: Some(true),
        dtcs: vec![dtc],
        monitors: Vec::new(),
        freeze_frame: None,
    };
    let mut arrivals: Vec<_> = (1..=40).map(|seq| live(batch(golf(), 1, seq))).collect();
    arrivals.extend([live(with_gap), refused("malformed", 92), refused("future", 93)]);
    arrivals.extend([message(Message::Event(event)), message(Message::Diagnostics(diagnostics))]);
    store.commit(&arrivals).await.unwrap();
    store.commit(&arrivals[..3]).await.unwrap();
    everything(&store, golf()).await;
    store.waiting(None, 10).await.unwrap();
    store.keep(&[golf()]).await.unwrap();
    store.commit(&[late(batch(golf(), 1, 50))]).await.unwrap();
    store.keep(&[golf()]).await.unwrap();
    store.sweep(0).await.unwrap();
    everything(&store, golf()).await;
    let question = Question { vin: golf(), from: 0, to: i64::MAX, signals: Some(&["spd"]) };
    store.samples(question, 10).await.unwrap();
    store.positions(golf(), 0, i64::MAX, 10).await.unwrap();
    store.series(golf(), "spd", NOW, NOW + 1000, 100).await.unwrap();
    store.series(golf(), "spd", 0, NOW, 100).await.unwrap();
    store.signals(golf(), 0, NOW).await.unwrap();
    store.trips(golf(), 0, NOW, 10).await.unwrap();
    store.stops(golf(), 0, NOW, 10).await.unwrap();
    store.trip_totals(golf(), 0, NOW).await.unwrap();
    store.silent_trips(NOW, 10).await.unwrap();
    store.oldest_trips(golf(), 0, NOW, 10).await.unwrap();
    store.oldest_events(golf(), (0, NOW), None, 10).await.unwrap();
    store.pictures(golf(), 0, NOW, 10).await.unwrap();
    store.oldest_alerts(golf(), (0, NOW), None, 10).await.unwrap();
    store.dtcs(golf(), None, 10).await.unwrap();
    store.end_silent_trip(golf(), NOW).await.unwrap();
    store.forget_samples(golf(), NOW, 10).await.unwrap();
    store.vehicles(None, 10).await.unwrap();
    store.vehicle(golf()).await.unwrap();
    store.name_vehicle(golf(), "Golf", None, NOW).await.unwrap();
    store.active_alerts(10).await.unwrap();
    store.alerts(None, 10).await.unwrap();
    store.rules().await.unwrap();
    store.dead_letters(10).await.unwrap();
    store.quarantine(0, 10).await.unwrap();
    doors::ask(&store).await;

    let statements = ear.0.lock().unwrap().clone();
    let pool = sqlx::AnyPool::connect(&url(&place)).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    judge::prepare(store.engine(), &mut connection).await;
    let mut looked_at = 0;
    for sql in &statements {
        let words = sql.to_uppercase();
        if !["SELECT", "UPDATE", "DELETE", "INSERT", "WITH"].iter().any(|verb| words.starts_with(verb))
            || sql.contains("sqlite_")
        {
            continue;
        }
        let problem = judge::judge(store.engine(), &mut connection, sql).await;
        assert_eq!(problem, None, "{sql}");
        looked_at += 1;
    }
    assert!(looked_at > 120, "only {looked_at} statements were heard");
}
