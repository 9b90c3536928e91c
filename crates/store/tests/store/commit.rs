//! The writer's door: nothing lost, nothing twice, nothing back.

use std::collections::BTreeSet;

use bugbrother_store::{Arrival, Place, Position, Refusal, Samples, Store, arrival::MAX_DEAD_LETTERS};
use bugbrother_wire::{
    Epoch, EventId, Message, SCHEMA_VERSION, Seq,
    codec::MAX_RANGES,
    encode,
    message::{Diagnostics, Dtc, DtcStatus, Event, EventKind, Gap, Presence, Status, Telemetry},
};
use proptest::prelude::*;
use uuid::Uuid;

use crate::{
    fleet::{Home, NOW, batch, everything, fiesta, golf, late, live, open, store, url},
    home::{self, CASES},
};

fn refused(payload: &[u8], place: Option<Place>) -> Arrival {
    Arrival {
        received_ts: NOW,
        topic: "fleet/v1/WVWZZZ1JZ3W386752/up/telemetry".into(),
        payload: payload.to_vec().into(),
        content: Err(Refusal { reason: "malformed", place }),
    }
}

fn message(message: Message) -> Arrival {
    Arrival { received_ts: NOW, topic: String::new(), payload: Default::default(), content: Ok(message) }
}

async fn count(home: &Home, table: &str) -> i64 {
    let pool = sqlx::AnyPool::connect(&url(home)).await.unwrap();
    let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
}

async fn positions(store: &Store) -> Vec<Position> {
    store.positions(golf(), 0, i64::MAX, 100_000).await.unwrap()
}

#[tokio::test]
async fn a_batch_is_stored_as_it_came_and_acknowledged() {
    let (store, _home) = store().await;
    let sent = batch(golf(), 9, 1);
    let done = store.commit(&[live(sent.clone())]).await.unwrap();
    assert_eq!((done.stored, done.duplicates, done.acks.len()), (1, 0, 1));
    let ack = &done.acks[0];
    assert_eq!((ack.vin, ack.epoch, ack.seq, ack.ranges.len()), (golf(), Epoch(9), Seq(1), 0));
    assert_eq!(ack.store, store.identity());
    assert_eq!(everything(&store, golf()).await, Samples::of_batch(&sent, 0, i64::MAX));
    assert_eq!(everything(&store, fiesta()).await, Samples::default());
}

#[tokio::test]
async fn what_is_delivered_twice_is_stored_once_and_acknowledged_again() {
    let (store, _home) = store().await;
    let both = [live(batch(golf(), 1, 1)), live(batch(golf(), 1, 2))];
    store.commit(&both).await.unwrap();
    let again = store.commit(&[both[0].clone(), both[1].clone(), both[0].clone()]).await.unwrap();
    assert_eq!((again.stored, again.duplicates, again.acks[0].seq), (0, 3, Seq(2)));
    assert_eq!(positions(&store).await.len(), 20);
}

#[tokio::test]
async fn a_record_that_was_folded_out_of_the_tail_does_not_come_back() {
    let (store, _home) = store().await;
    store.commit(&[live(batch(golf(), 1, 1))]).await.unwrap();
    store.keep(&[golf()]).await.unwrap();
    let track = positions(&store).await;
    assert_eq!(store.commit(&[live(batch(golf(), 1, 1))]).await.unwrap().duplicates, 1);
    assert_eq!((positions(&store).await, track.len()), (track, 10));
}

#[tokio::test]
async fn late_data_fills_history_and_leaves_the_latest_alone() {
    let (store, _home) = store().await;
    store.commit(&[live(batch(golf(), 1, 5))]).await.unwrap();
    let before = store.vehicle(golf()).await.unwrap().unwrap();
    let done = store.commit(&[late(batch(golf(), 1, 2)), late(batch(golf(), 1, 3))]).await.unwrap();
    assert_eq!((done.acks[0].seq, done.acks[0].ranges.as_slice()), (Seq(0), &[(Seq(2), Seq(3)), (Seq(5), Seq(5))][..]));
    assert_eq!(store.vehicle(golf()).await.unwrap().unwrap(), before);
    let done = store.commit(&[late(batch(golf(), 1, 4)), late(batch(golf(), 1, 1))]).await.unwrap();
    assert_eq!((done.acks[0].seq, done.acks[0].ranges.len()), (Seq(5), 0));

    let track = positions(&store).await;
    assert_eq!(track.len(), 50);
    assert!(track.windows(2).all(|pair| pair[0].ts < pair[1].ts), "in the order of time, whatever came when");
    let last = track.last().unwrap();
    assert_eq!(
        (last.lat, last.lon, last.ts),
        (before.latest.signals["lat"].1, before.latest.signals["lon"].1, before.latest.source_ts)
    );
}

#[tokio::test]
async fn positions_of_a_span_come_in_order_and_to_the_limit() {
    let (store, _home) = store().await;
    let batches: Vec<_> = (1..=200).map(|seq| live(batch(golf(), 1, seq))).collect();
    store.commit(&batches).await.unwrap();
    let (from, to) = (NOW + 500_000, NOW + 1_500_000);
    let span = store.positions(golf(), from, to, 10_000).await.unwrap();
    assert_eq!(span.len(), 1001);
    assert_eq!((span[0].ts, span[1000].ts), (from, to));
    assert_eq!(store.positions(golf(), from, to, 15).await.unwrap(), span[..15]);
    assert!(store.positions(golf(), from, to, 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_row_without_both_coordinates_is_no_position() {
    let (store, _home) = store().await;
    let mut blind = batch(golf(), 1, 1);
    blind.rows[3].values[1] = None;
    store.commit(&[live(blind)]).await.unwrap();
    assert_eq!(positions(&store).await.len(), 9);
}

#[tokio::test]
async fn a_gap_that_the_vehicle_declares_is_counted_and_not_waited_for() {
    let (store, home) = store().await;
    store.commit(&[live(batch(golf(), 1, 1))]).await.unwrap();
    let gap = Gap { from: Seq(2), to: Seq(6), reason: "outbox is full".into() };
    let record = Telemetry { gap: Some(gap), rows: Vec::new(), ..batch(golf(), 1, 7) };
    let done = store.commit(&[live(record.clone()), live(record)]).await.unwrap();
    assert_eq!((done.acks[0].seq, done.stored, done.duplicates), (Seq(7), 1, 1));
    assert_eq!(count(&home, "gap").await, 1);
    assert_eq!(positions(&store).await.len(), 10);
}

#[tokio::test]
async fn records_that_lie_too_far_apart_are_left_to_be_sent_again() {
    let (store, _home) = store().await;
    let scattered: Vec<_> = (1..=MAX_RANGES as u64 + 10).map(|n| live(batch(golf(), 1, n * 2))).collect();
    let done = store.commit(&scattered).await.unwrap();
    assert_eq!((done.stored, done.scattered), (MAX_RANGES as u64, 10));
    assert_eq!(done.acks[0].ranges.len(), MAX_RANGES);
    let filled: Vec<_> = (0..MAX_RANGES as u64 + 10).map(|n| late(batch(golf(), 1, n * 2 + 1))).collect();
    let mut rest = scattered.clone();
    rest.extend(filled.clone());
    rest.extend(scattered.clone());
    store.commit(&rest).await.unwrap();
    let done = store.commit(&rest).await.unwrap();
    assert_eq!((done.acks[0].seq, done.scattered), (Seq(2 * (MAX_RANGES as u64 + 10)), 0));
}

#[tokio::test]
async fn a_gap_gets_on_though_its_record_lies_too_far_away() {
    let (store, _home) = store().await;
    let scattered: Vec<_> = (1..=MAX_RANGES as u64).map(|n| live(batch(golf(), 1, 100 + n * 2))).collect();
    store.commit(&scattered).await.unwrap();
    let gap = Gap { from: Seq(1), to: Seq(99), reason: "outbox is full".into() };
    let record = Telemetry { gap: Some(gap), rows: Vec::new(), ..batch(golf(), 1, 1000) };
    assert_eq!(store.commit(&[live(record.clone())]).await.unwrap().scattered, 1);
    let below = [100, 101].map(|n| late(batch(golf(), 1, n)));
    assert_eq!(store.commit(&below).await.unwrap().acks[0].seq, Seq(102));
    assert_eq!(store.commit(&[live(record)]).await.unwrap().stored, 1);
}

#[tokio::test]
async fn poison_is_kept_for_examination_and_does_not_stop_the_outbox() {
    let (store, _home) = store().await;
    let place = Place { vin: golf(), epoch: Epoch(1), seq: Seq(2) };
    let done = store
        .commit(&[
            live(batch(golf(), 1, 1)),
            refused(b"\xc1junk", None),
            refused(&[7; 9_000], Some(place)),
            live(batch(golf(), 1, 3)),
        ])
        .await
        .unwrap();
    assert_eq!((done.acks[0].seq, done.stored, done.dead_letters), (Seq(3), 2, 2));
    let again = store.commit(&[refused(&[7; 9_000], Some(place))]).await.unwrap();
    assert_eq!((again.dead_letters, again.duplicates, again.acks[0].seq), (0, 1, Seq(3)));
    let letters = store.dead_letters(10).await.unwrap();
    assert_eq!(letters.iter().map(|letter| (letter.number, letter.size)).collect::<Vec<_>>(), [(2, 9_000), (1, 5)]);
    assert_eq!((letters[0].payload.len(), letters[1].payload.as_slice()), (4096, &b"\xc1junk"[..]));
    assert_eq!(letters[1].reason, "malformed");
    assert_eq!(store.vehicles(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_oldest_dead_letters_make_room() {
    let (store, home) = store().await;
    let flood: Vec<_> = (0..MAX_DEAD_LETTERS + 5).map(|_| refused(b"x", None)).collect();
    assert_eq!(store.commit(&flood).await.unwrap().dead_letters_dropped, 5);
    assert_eq!(store.commit(&flood[..3]).await.unwrap().dead_letters_dropped, 3);
    assert_eq!(count(&home, "dead_letter").await, i64::from(MAX_DEAD_LETTERS));
}

#[tokio::test]
async fn presence_follows_the_newest_connection() {
    let (store, _home) = store().await;
    let say = |since: i64, status: Presence| {
        message(Message::Status(Status {
            v: SCHEMA_VERSION,
            vin: golf(),
            epoch: Epoch(1),
            status,
            since,
            reason: None,
        }))
    };
    let done = store.commit(&[say(NOW, Presence::Online), say(NOW + 1, Presence::Online)]).await.unwrap();
    assert!(done.acks.is_empty(), "a status is no record of an outbox");
    store.commit(&[say(NOW, Presence::Offline)]).await.unwrap();
    assert_eq!(store.vehicle(golf()).await.unwrap().unwrap().latest.presence, Presence::Online);
    store.commit(&[say(NOW + 1, Presence::Offline)]).await.unwrap();
    assert_eq!(store.vehicle(golf()).await.unwrap().unwrap().latest.presence, Presence::Offline);
}

#[tokio::test]
async fn trouble_codes_keep_the_first_and_the_last_time_they_were_told() {
    let (store, home) = store().await;
    let read = |seq: u64, at: i64| {
        message(Message::Diagnostics(Diagnostics {
            v: SCHEMA_VERSION,
            vin: golf(),
            epoch: Epoch(1),
            seq: Seq(seq),
            at,
            mil: Some(true),
            dtcs: vec![Dtc { code: "P0420".into(), status: DtcStatus::Stored, ecu: None }],
            monitors: Vec::new(),
            freeze_frame: None,
        }))
    };
    store.commit(&[read(1, NOW + 50), read(2, NOW + 90), read(3, NOW)]).await.unwrap();
    let pool = sqlx::AnyPool::connect(&url(&home)).await.unwrap();
    let seen: (i64, i64) = sqlx::query_as("SELECT first_seen, last_seen FROM dtc").fetch_one(&pool).await.unwrap();
    assert_eq!(seen, (NOW, NOW + 90));
    let newest: i64 = sqlx::query_scalar("SELECT at_ts FROM diagnostics").fetch_one(&pool).await.unwrap();
    assert_eq!(newest, NOW + 90);
}

#[tokio::test]
async fn an_event_id_of_one_vehicle_does_not_hide_anothers_event() {
    let (store, home) = store().await;
    let event = |vin, seq| {
        message(Message::Event(Event {
            v: SCHEMA_VERSION,
            vin,
            epoch: Epoch(1),
            seq: Seq(seq),
            id: EventId(Uuid::from_u128(5)),
            at: NOW,
            kind: EventKind::Crash,
            lat: None,
            lon: None,
            values: Default::default(),
            text: None,
        }))
    };
    store.commit(&[event(fiesta(), 1), event(golf(), 1), event(golf(), 2)]).await.unwrap();
    assert_eq!(count(&home, "event").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_may_make_and_fill_the_same_database_at_once() {
    let home = home::make().await;
    let (one, two) = tokio::join!(open(&home), open(&home));
    assert_eq!(one.identity(), two.identity());
    let fill = |store: Store, first: u64| async move {
        for seq in (first..=100).step_by(2) {
            store.commit(&[live(batch(golf(), 1, seq)), live(batch(fiesta(), 1, seq))]).await.unwrap();
            store.name_vehicle(golf(), &format!("Golf {seq}"), None, NOW).await.unwrap();
        }
    };
    let (one_filled, two_filled) = tokio::join!(tokio::spawn(fill(one.clone(), 1)), tokio::spawn(fill(two, 2)));
    one_filled.unwrap();
    two_filled.unwrap();
    let done = one.commit(&[live(batch(golf(), 1, 1)), live(batch(fiesta(), 1, 1))]).await.unwrap();
    assert_eq!(done.duplicates, 2);
    assert!(done.acks.iter().all(|ack| ack.seq == Seq(100) && ack.ranges.is_empty()), "{:?}", done.acks);
    assert_eq!(positions(&one).await.len(), 1000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn in_whatever_order_and_however_often_it_comes_history_and_latest_are_the_same(
        deliveries in proptest::collection::vec((1..=40u64, any::<bool>()), 0..120),
        sizes in proptest::collection::vec(1..20usize, 40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (one, home) = store().await;
            let two = open(&home).await;
            let mut rest = deliveries.as_slice();
            for (n, size) in sizes.iter().cycle().enumerate() {
                let (now, later) = rest.split_at(rest.len().min(*size));
                let deliver = |(seq, backfill): &(u64, bool)| {
                    if *backfill { late(batch(golf(), 1, *seq)) } else { live(batch(golf(), 1, *seq)) }
                };
                let arrivals: Vec<_> = now.iter().map(deliver).collect();
                let writer = if n % 2 == 0 { &one } else { &two };
                writer.commit(&arrivals).await.unwrap();
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            let seqs: BTreeSet<u64> = deliveries.iter().map(|(seq, _)| *seq).collect();
            let expected: Vec<_> =
                seqs.iter().flat_map(|seq| (0..10).map(move |n| NOW + *seq as i64 * 10_000 + n * 1000)).collect();
            let stored: Vec<_> = positions(&two).await.iter().map(|position| position.ts).collect();
            prop_assert_eq!(stored, expected.clone());
            if let Some(last) = expected.last() {
                let latest = one.vehicle(golf()).await.unwrap().unwrap().latest;
                prop_assert_eq!(latest.source_ts, *last);
                prop_assert_eq!(latest.signals["spd"], (*last, (*last - NOW) as f64 / 1000.0));
            }
            Ok(())
        })?;
    }
}

#[test]
fn the_bodies_of_the_tests_are_what_a_vehicle_would_send() {
    let sent = batch(golf(), 1, 1);
    let topic = "fleet/v1/WVWZZZ1JZ3W386752/up/telemetry".parse().unwrap();
    assert!(matches!(bugbrother_wire::decode(&topic, &encode(&sent)), Ok(Message::Telemetry(read)) if read == sent));
}

#[tokio::test]
async fn a_record_of_an_impossible_time_waits_until_that_time_is_possible() {
    const DAY: i64 = 24 * 3_600_000;
    let (store, _home) = store().await;
    let sent = live(batch(golf(), 1, 1));
    let place = Some(Place { vin: golf(), epoch: Epoch(1), seq: Seq(1) });
    let ahead = Arrival { content: Err(Refusal { reason: "future", place }), ..sent.clone() };
    let before_2000 = Telemetry { t0: 5_000, ..batch(golf(), 1, 2) };
    let place = Some(Place { vin: golf(), epoch: Epoch(1), seq: Seq(2) });
    let before_2000 = Arrival {
        topic: sent.topic.clone(),
        payload: encode(&before_2000).into(),
        content: Err(Refusal { reason: "time", place }),
        ..sent
    };
    let done = store.commit(&[ahead.clone(), before_2000]).await.unwrap();
    assert_eq!((done.quarantined, done.dead_letters, done.acks[0].seq), (2, 0, Seq(2)));
    assert_eq!(store.commit(&[ahead]).await.unwrap().duplicates, 1);
    assert!(positions(&store).await.is_empty());

    assert_eq!(store.release(NOW - 2 * DAY).await.unwrap(), Default::default());
    let released = store.release(NOW - DAY / 2).await.unwrap();
    assert_eq!((released.records, released.waiting), (1, vec![(golf(), 10)]));
    assert_eq!(positions(&store).await.len(), 10);
    assert_eq!(store.release(i64::MAX).await.unwrap().records, 0);
    let left = store.quarantine(0, 10).await.unwrap();
    assert_eq!(left.iter().map(|record| record.reason.as_str()).collect::<Vec<_>>(), ["time"]);
}
