//! What a vehicle can say wrongly: each kind is counted in its place, keeps nobody's next message, and holds up no outbox.

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::{Context, Result, ensure};
use bugbrother_client::{Event, Events, Options, Publisher, Qos, connect};
use bugbrother_kit::{broker::Broker, on_each_broker, system::System, wait};
use bugbrother_store::Store;
use bugbrother_wire::{
    Epoch, Message, SCHEMA_VERSION, Seq, Topic, UnixMs, Vin,
    codec::{MAX_KEYS, MAX_MESSAGE_BYTES, MAX_ROWS, MAX_TELEMETRY_BYTES},
    decode, encode,
    message::{Ack, Clock, Gap, Row, Telemetry},
    topic::Kind,
};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const VIN: &str = "WVWZZZ1JZ3W386752";
const OTHER: &str = "1M8GDM9AXKP042788";
const LIMIT: Duration = Duration::from_secs(20);
const EPOCH: u64 = 5;
const T0: UnixMs = 1_760_000_000_000;
const HOUR_MS: i64 = 60 * 60 * 1000;

/// Where a message that is wrong must show.
#[derive(Clone, Copy)]
enum Shows {
    /// Among the dead letters, and in the counter, for that reason.
    Dead(&'static str),
    /// In quarantine and in both counters: its time is what is wrong with it.
    Apart(&'static str),
    /// In the counter of what was there already.
    Again,
}
use Shows::{Again, Apart, Dead};

/// A message that is wrong.
struct Wrong {
    what: &'static str,
    kind: Kind,
    payload: Vec<u8>,
    shows: Shows,
    /// The number of the record that it is: it can be read, so the record counts as done.
    seq: Option<u64>,
}

fn vin() -> Vin {
    VIN.parse().expect("a VIN")
}

fn batch(seq: u64) -> Telemetry {
    Telemetry {
        v: SCHEMA_VERSION,
        vin: vin(),
        epoch: Epoch(EPOCH),
        seq: Seq(seq),
        t0: T0 + seq as i64 * 1000,
        clock: Clock::Gnss,
        keys: ["lat", "lon", "spd"].map(str::to_owned).to_vec(),
        rows: vec![row(0, [46.5, 6.6, 50.0])],
        gap: None,
    }
}

fn row<const N: usize>(dt_ms: u32, values: [f64; N]) -> Row {
    Row { dt_ms, values: values.into_iter().map(Some).collect() }
}

/// The table, in which the next record is number `seq`.
struct Table {
    seq: u64,
    wrong: Vec<Wrong>,
}

impl Table {
    fn of_all() -> Vec<Wrong> {
        // A good record stands before each.
        let mut table = Table { seq: 3, wrong: Vec::new() };
        table.bytes();
        table.types();
        table.values();
        table.forms();
        table.times();
        table.places();
        table.others();
        table.wrong
    }

    /// Bytes in which no record can be found.
    fn add(&mut self, what: &'static str, kind: Kind, payload: Vec<u8>, shows: Shows) {
        self.wrong.push(Wrong { what, kind, payload, shows, seq: None });
        self.seq += 1;
    }

    /// A record of which all but its number may be wrong.
    fn record(&mut self, what: &'static str, kind: Kind, shows: Shows, payload: impl FnOnce(u64) -> Vec<u8>) {
        self.wrong.push(Wrong { what, kind, payload: payload(self.seq), shows, seq: Some(self.seq) });
        self.seq += 2;
    }

    fn bent(&mut self, what: &'static str, shows: Shows, bend: impl FnOnce(&mut Telemetry)) {
        self.record(what, Kind::Telemetry, shows, |seq| {
            let mut batch = batch(seq);
            bend(&mut batch);
            encode(&batch)
        });
    }

    fn bytes(&mut self) {
        let good = encode(&batch(1));
        let malformed = Dead("malformed");
        self.add("nothing", Kind::Telemetry, Vec::new(), malformed);
        self.add("a byte that MessagePack never uses", Kind::Telemetry, vec![0xc1], malformed);
        self.add("half of a record", Kind::Telemetry, good[..good.len() / 2].to_vec(), malformed);
        self.add("a record as JSON", Kind::Telemetry, br#"{"v":1,"seq":2,"rows":[]}"#.to_vec(), malformed);
        self.add("an array of four billion", Kind::Telemetry, vec![0xdd, 0xff, 0xff, 0xff, 0xff], malformed);
        self.add("arrays in arrays in arrays", Kind::Telemetry, vec![0x91; 100_000], malformed);
        self.record("a record with something after it", Kind::Telemetry, Dead("trailing_bytes"), |seq| {
            [encode(&batch(seq)), b"junk".to_vec()].concat()
        });
        self.bent("more bytes than a batch may have", Dead("too_large"), |batch| {
            batch.keys = vec!["x".repeat(MAX_TELEMETRY_BYTES)];
        });
    }

    /// Each field as something that it is not, and none at all.
    fn types(&mut self) {
        for (what, field, value) in [
            ("a version in words", "v", json!("one")),
            ("no vehicle", "vin", Value::Null),
            ("a vehicle that is a number", "vin", json!(17)),
            ("a vehicle with a letter that no VIN has", "vin", json!("WVWZZZ1JZ3W38675O")),
            ("a time in words", "t0", json!("yesterday")),
            ("a time with fractions", "t0", json!(1.5)),
            ("no clock", "clock", json!(null)),
            ("keys that are a text", "keys", json!("lat")),
            ("keys that are numbers", "keys", json!([1, 2, 3])),
            ("rows that are a map", "rows", json!({"0": [0, 1, 2, 3]})),
            ("a row that is a number", "rows", json!([7])),
            ("a row without its time", "rows", json!([[]])),
            ("a row before its batch", "rows", json!([[-1, 1, 2, 3]])),
            ("a value in words", "rows", json!([[0, "north", 2, 3]])),
            ("a gap that is true", "gap", json!(true)),
        ] {
            self.record(what, Kind::Telemetry, Dead("malformed"), |seq| {
                let mut record = loose(seq);
                record[field] = value;
                encode(&record)
            });
        }
        for field in ["v", "vin", "t0", "clock", "keys", "rows"] {
            self.record("a field is missing", Kind::Telemetry, Dead("malformed"), |seq| {
                let mut record = loose(seq);
                record.as_object_mut().expect("it is a map").remove(field);
                encode(&record)
            });
        }
        // Which of the two is meant nobody knows, so neither is done.
        let mut twice = encode(&batch(1));
        twice[0] += 1;
        twice.extend([encode(&"seq"), encode(&2)].concat());
        self.add("a field twice", Kind::Telemetry, twice, Dead("malformed"));
    }

    fn values(&mut self) {
        let field = Dead("field");
        for (what, values) in [
            ("a latitude that is no number", [f64::NAN, 6.6, 50.0]),
            ("a longitude that is no number", [46.5, f64::NAN, 50.0]),
            ("a speed that is no number", [46.5, 6.6, f64::NAN]),
            ("a latitude without end", [f64::INFINITY, 6.6, 50.0]),
            ("a speed without end", [46.5, 6.6, f64::INFINITY]),
            ("a speed without beginning", [46.5, 6.6, f64::NEG_INFINITY]),
            ("north of the pole", [90.000_001, 6.6, 50.0]),
            ("south of the pole", [-91.0, 6.6, 50.0]),
            ("east of the date line", [46.5, 180.5, 50.0]),
            ("west of it", [46.5, -1e300, 50.0]),
        ] {
            self.bent(what, field, |batch| batch.rows = vec![row(0, values)]);
        }
    }

    fn forms(&mut self) {
        let field = Dead("field");
        self.bent("a row that is too short", field, |batch| batch.rows.push(row(10, [46.5, 6.6])));
        self.bent("a row that is too long", field, |batch| batch.rows.push(row(10, [46.5, 6.6, 50.0, 1.0])));
        self.bent("rows that go back in time", field, |batch| {
            batch.rows = vec![row(10, [46.5, 6.6, 50.0]), row(9, [46.5, 6.6, 50.0])];
        });
        self.bent("a row more than a day later", field, |batch| batch.rows.push(row(86_400_001, [46.5, 6.6, 50.0])));
        self.bent("no row", field, |batch| batch.rows.clear());
        self.bent("more rows than a batch may have", field, |batch| {
            batch.rows = vec![row(0, [46.5, 6.6, 50.0]); MAX_ROWS + 1];
        });
        self.bent("more keys than a batch may have", field, |batch| {
            batch.keys = (0..=MAX_KEYS).map(|n| format!("k{n}")).collect();
            batch.rows = vec![Row { dt_ms: 0, values: vec![Some(1.0); MAX_KEYS + 1] }];
        });
        self.bent("a key twice", field, |batch| batch.keys[1] = "lat".to_owned());
        self.bent("a key without a letter", field, |batch| batch.keys[2] = String::new());
        self.bent("a key in capitals", field, |batch| batch.keys[2] = "SPD".to_owned());
        self.bent("a key that is a statement", field, |batch| batch.keys[2] = "x'; DROP TABLE tail".to_owned());
        self.bent("a huge key", field, |batch| batch.keys[2] = "x".repeat(100_000));
        self.bent("a gap that ends before it begins", field, |batch| batch.gap = gap(2, 1, "outbox full"));
        self.bent("a gap of what is to come", field, |batch| batch.gap = gap(1, batch.seq.0 + 5, "outbox full"));
        self.bent("a gap with a huge reason", field, |batch| batch.gap = gap(1, 1, &"x".repeat(2_000)));
    }

    fn times(&mut self) {
        for version in [0, SCHEMA_VERSION + 1, u8::MAX] {
            self.bent("another schema", Dead("version"), |batch| batch.v = version);
        }
        self.bent("the first day of 1970", Apart("time"), |batch| batch.t0 = 0);
        self.bent("a receiver that does not know the date", Apart("time"), |batch| batch.t0 = 315_964_800_000);
        self.bent("the last moment of 1999", Apart("time"), |batch| batch.t0 = 946_684_799_999);
        self.bent("2099", Apart("future"), |batch| batch.t0 = 4_070_908_800_000);
        self.bent("2100", Apart("time"), |batch| batch.t0 = 4_102_444_800_000);
        self.bent("the end of all numbers", Apart("time"), |batch| batch.t0 = i64::MAX);
        self.bent("the beginning of all numbers", Apart("time"), |batch| batch.t0 = i64::MIN);
    }

    /// Numbers of records.
    fn places(&mut self) {
        let bent = |bend: fn(&mut Telemetry)| {
            let mut batch = batch(1);
            bend(&mut batch);
            encode(&batch)
        };
        let field = Dead("field");
        self.add("record 0", Kind::Telemetry, bent(|batch| batch.seq = Seq(0)), field);
        self.add("the last of all numbers", Kind::Telemetry, bent(|batch| batch.seq = Seq(u64::MAX)), field);
        self.add("a number that no database has", Kind::Telemetry, bent(|batch| batch.seq = Seq(1 << 63)), field);
        self.add("outbox 0", Kind::Telemetry, bent(|batch| batch.epoch = Epoch(0)), field);
        self.add("the last of all outboxes", Kind::Telemetry, bent(|batch| batch.epoch = Epoch(u64::MAX)), field);
        self.add("a record that was there", Kind::Telemetry, encode(&batch(1)), Again);
        self.add("a record that was refused before", Kind::Telemetry, encode(&batch(17)), Again);
        self.add(
            "a number that was there, with other content",
            Kind::Backfill,
            bent(|batch| batch.t0 += HOUR_MS),
            Again,
        );
        self.bent("another vehicle's", Dead("other_vin"), |batch| batch.vin = OTHER.parse().expect("a VIN"));
    }

    fn others(&mut self) {
        self.record("a trouble code that is none", Kind::Diagnostics, Dead("field"), |seq| {
            encode(&json!({
                "v": 1, "vin": VIN, "epoch": EPOCH, "seq": seq, "at": T0, "mil": true,
                "dtcs": [{"code": "P04Z0", "status": "stored"}], "monitors": [],
            }))
        });
        self.record("an event with a huge text", Kind::Event, Dead("field"), |seq| event(seq, &"x".repeat(2_000), T0));
        self.record("an event that is too large", Kind::Event, Dead("too_large"), |seq| {
            event(seq, &"x".repeat(MAX_MESSAGE_BYTES), T0)
        });
        self.record("an event of 1970", Kind::Event, Apart("time"), |seq| event(seq, "crash", 0));
        let status = |since: i64| {
            encode(&json!({"v": 1, "vin": VIN, "epoch": EPOCH, "status": "online", "since": since, "reason": null}))
        };
        // No record of an outbox: there is nothing to keep for later.
        self.add("online since 1970", Kind::Status, status(0), Dead("time"));
        self.add("a status that is a number", Kind::Status, encode(&7), Dead("malformed"));
        self.add("a birth that is a text", Kind::Birth, encode(&"hello"), Dead("malformed"));
        self.add("a media step that is nil", Kind::Media, encode(&Value::Null), Dead("malformed"));
        self.add("a reply that is a list", Kind::Reply, encode(&[1, 2, 3]), Dead("malformed"));
    }
}

fn gap(from: u64, to: u64, reason: &str) -> Option<Gap> {
    Some(Gap { from: Seq(from), to: Seq(to), reason: reason.to_owned() })
}

/// A batch that can be bent in ways that its type does not allow.
fn loose(seq: u64) -> Value {
    json!({
        "v": SCHEMA_VERSION, "vin": VIN, "epoch": EPOCH, "seq": seq, "t0": T0, "clock": "gnss",
        "keys": ["lat", "lon", "spd"], "rows": [[0, 46.5, 6.6, 50.0]],
    })
}

fn event(seq: u64, text: &str, at: UnixMs) -> Vec<u8> {
    encode(&json!({
        "v": 1, "vin": VIN, "epoch": EPOCH, "seq": seq, "id": "01931d1a-0000-7000-8000-000000000000", "at": at,
        "kind": "ignition_on", "text": text,
    }))
}

/// Says what it likes.
struct Speaker {
    publisher: Publisher,
    events: Events,
    shutdown: CancellationToken,
}

impl Speaker {
    async fn connect(system: &System, user: &str, password: &str, filter: Option<String>) -> Result<Self> {
        let shutdown = CancellationToken::new();
        let mut options = Options::new("127.0.0.1", system.mqtt(), user, user, password);
        options.max_packet_bytes = 512 * 1024;
        options.subscriptions = filter.into_iter().map(|filter| (filter, Qos::AtLeastOnce)).collect();
        let (publisher, mut events) = connect(options, shutdown.clone());
        while !matches!(timeout(LIMIT, events.recv()).await?.context("the session ended")?, Event::Up) {}
        Ok(Speaker { publisher, events, shutdown })
    }

    async fn leave(mut self) {
        self.shutdown.cancel();
        while self.events.recv().await.is_some() {}
    }

    async fn say(&self, topic: &str, payload: Vec<u8>) -> Result<()> {
        timeout(LIMIT, self.publisher.publish(topic, payload, Qos::AtLeastOnce, false)).await??.await?;
        Ok(())
    }

    async fn until_acknowledged(&mut self, seq: u64) -> Result<Ack> {
        loop {
            let event = timeout(LIMIT, self.events.recv()).await.with_context(|| format!("no ack of {seq}"))?;
            let Event::Message(delivery) = event.context("the session ended")? else { continue };
            delivery.ack();
            let Message::Ack(ack) = decode(&delivery.topic.parse()?, &delivery.payload)? else { continue };
            if ack.seq >= Seq(seq) {
                return Ok(ack);
            }
        }
    }
}

/// What ingest has counted.
#[derive(Debug, Default, Clone, PartialEq)]
struct Counted {
    refused: BTreeMap<String, u64>,
    quarantined: u64,
    duplicates: u64,
    stored: u64,
}

impl Counted {
    async fn of(system: &System) -> Result<Self> {
        let page = reqwest::get(format!("http://127.0.0.1:{}/metrics", system.metrics())).await?.text().await?;
        let mut counted = Counted::default();
        for line in page.lines() {
            let Some((name, number)) = line.rsplit_once(' ') else { continue };
            let number = || number.parse::<u64>().with_context(|| line.to_owned());
            match name.trim_start_matches("bugbrother_ingest_") {
                "records_quarantined_total" => counted.quarantined = number()?,
                "records_duplicate_total" => counted.duplicates = number()?,
                "records_stored_total" => counted.stored = number()?,
                refused => {
                    let reason =
                        refused.strip_prefix("refused_total{reason=\"").and_then(|rest| rest.strip_suffix("\"}"));
                    if let Some(reason) = reason {
                        counted.refused.insert(reason.to_owned(), number()?);
                    }
                }
            }
        }
        Ok(counted)
    }

    fn add(&mut self, shows: Shows) {
        match shows {
            Dead(reason) => *self.refused.entry(reason.to_owned()).or_default() += 1,
            Apart(reason) => {
                *self.refused.entry(reason.to_owned()).or_default() += 1;
                self.quarantined += 1;
            }
            Again => self.duplicates += 1,
        }
    }
}

async fn until_counted(system: &System, what: &str, expected: &Counted) -> Result<()> {
    let waited = wait::until(what, LIMIT, || async {
        Counted::of(system).await.ok().filter(|counted| counted == expected).map(|_| ())
    });
    match waited.await {
        Ok(()) => Ok(()),
        Err(error) => Err(error).context(format!("expected {expected:?}, counted {:?}", Counted::of(system).await)),
    }
}

on_each_broker!(
    each_kind_of_bad_payload_is_counted_in_its_place_and_the_next_message_is_stored,
    what_stands_on_no_topic_of_a_vehicle_is_a_dead_letter,
);

async fn each_kind_of_bad_payload_is_counted_in_its_place_and_the_next_message_is_stored(broker: Broker) -> Result<()> {
    let mut system = System::on(broker)?;
    let password = fs::read_to_string(system.add_vehicle(VIN, "Liar")?)?;
    system.start("broker").await?;
    system.start("ingest").await?;
    let store = Store::open(&system.database()).await?;
    let car = Speaker::connect(&system, VIN, &password, None).await?;
    let telemetry = Topic::new(vin(), Kind::Telemetry).to_string();
    // What nobody hears yet is lost to this test, which has no outbox.
    wait::until("ingest listens", LIMIT, || async {
        car.say(&telemetry, encode(&batch(1))).await.ok()?;
        store.positions(vin(), 0, i64::MAX, 1).await.ok().filter(|stored| stored.len() == 1)
    })
    .await?;
    // All of the first have been counted when the second has.
    car.say(&telemetry, encode(&batch(2))).await?;
    let mut expected = wait::until("two records are counted", LIMIT, || async {
        Counted::of(&system).await.ok().filter(|counted| counted.stored == 2)
    })
    .await?;
    assert_eq!(expected.refused, BTreeMap::new());

    let (mut good, mut dead, mut apart) = (2, 0, 0);
    for Wrong { what, kind, payload, shows, seq } in Table::of_all() {
        let topic = Topic::new(vin(), kind).to_string();
        car.say(&topic, payload.clone()).await.with_context(|| what.to_owned())?;
        let next = seq.map_or(good + 1, |seq| seq + 1);
        car.say(&telemetry, encode(&batch(next))).await?;
        good = next;
        expected.add(shows);
        expected.stored += 1;
        until_counted(&system, what, &expected).await?;
        match shows {
            Dead(reason) => {
                dead += 1;
                let letter = store.dead_letters(1).await?.pop().with_context(|| what.to_owned())?;
                let found = (letter.topic, letter.reason.as_str(), letter.size);
                assert_eq!(found, (topic, reason, payload.len() as i64), "{what}");
            }
            Apart(reason) => {
                apart += 1;
                let kept = store.quarantine(0, 100).await?.pop().with_context(|| what.to_owned())?;
                assert_eq!((kept.topic, kept.reason.as_str(), kept.payload), (topic, reason, payload), "{what}");
            }
            Again => {}
        }
    }
    car.leave().await;
    let mut car = Speaker::connect(&system, VIN, &password, Some(Topic::down_filter(vin()))).await?;
    let ack = car.until_acknowledged(good).await?;
    assert_eq!((ack.seq, ack.ranges), (Seq(good), Vec::new()), "no wrong record leaves a hole");
    let stored = store.positions(vin(), 0, i64::MAX, 1000).await?;
    assert_eq!(stored.len() as u64, expected.stored, "and nothing of what is wrong was stored");
    assert_eq!(store.dead_letters(1000).await?.len(), dead);
    assert_eq!(store.quarantine(0, 1000).await?.len(), apart);
    car.leave().await;
    system.check_running()?;
    system.check_logs()
}

async fn what_stands_on_no_topic_of_a_vehicle_is_a_dead_letter(broker: Broker) -> Result<()> {
    let mut system = System::on(broker)?;
    system.add_vehicle(VIN, "Honest")?;
    // A bridge may say what it likes, a vehicle only what is on its own topics.
    system.add_account("bridge", "a bridge's password", "topic write fleet/v1/#")?;
    system.start("broker").await?;
    system.start("ingest").await?;
    let store = Store::open(&system.database()).await?;
    let bridge = Speaker::connect(&system, "bridge", "a bridge's password", None).await?;
    let telemetry = Topic::new(vin(), Kind::Telemetry).to_string();
    wait::until("ingest listens", LIMIT, || async {
        bridge.say(&telemetry, encode(&batch(1))).await.ok()?;
        store.positions(vin(), 0, i64::MAX, 1).await.ok().filter(|stored| stored.len() == 1)
    })
    .await?;

    let mut seq = 1;
    for (wrong, what) in [
        ("WVWZZZ1JZ3W38675", "up/telemetry"),
        ("WVWZZZ1JZ3W3867522", "up/telemetry"),
        ("WVWZZZ1JZ3W38675I", "up/telemetry"),
        ("WVWZZZ1JZ3W38675O", "up/telemetry"),
        ("QVWZZZ1JZ3W386752", "up/telemetry"),
        ("wvwzzz1jz3w386752", "up/telemetry"),
        // A Cyrillic letter that looks like a Latin one.
        ("WVWZZZ1JZ3W38675В", "up/telemetry"),
        ("..", "up/telemetry"),
        ("", "up/telemetry"),
        (" WVWZZZ1JZ3W38675", "up/telemetry"),
        (VIN, "up/nothing"),
        (VIN, "up/telemetry/"),
        (VIN, "up/telemetry/../status"),
        (VIN, "up/Telemetry"),
    ] {
        let topic = format!("fleet/v1/{wrong}/{what}");
        bridge.say(&topic, encode(&batch(1))).await.with_context(|| topic.clone())?;
        seq += 1;
        bridge.say(&telemetry, encode(&batch(seq))).await?;
        wait::until(&format!("what follows {topic}"), LIMIT, || async {
            store.positions(vin(), 0, i64::MAX, 100).await.ok().filter(|stored| stored.len() as u64 == seq)
        })
        .await?;
        let letter = store.dead_letters(1).await?.pop().with_context(|| topic.clone())?;
        assert_eq!((letter.topic.as_str(), letter.reason.as_str()), (topic.as_str(), "topic"));
    }
    assert_eq!(Counted::of(&system).await?.refused, BTreeMap::from([("topic".to_owned(), seq - 1)]));
    ensure!(
        store.vehicles(None, 10).await?.iter().all(|vehicle| vehicle.vin == vin()),
        "a vehicle was made of nothing"
    );
    bridge.leave().await;
    system.check_running()?;
    system.check_logs()
}
