//! Trips as they are stored: made while tails are folded, mended by what comes late.

use bugbrother_store::{FuelKind, Prices, Store, TripRecord, VehicleFacts};
use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Seq, UnixMs,
    message::{Clock, Row, Telemetry},
};

use crate::fleet::{NOW, fiesta, golf, late, live, store};

const MINUTE: i64 = 60_000;
/// Begin and length of drives, in minutes.
const DRIVES: [(i64, i64); 4] = [(10, 20), (90, 15), (200, 40), (400, 10)];
const LENGTH_MIN: i64 = 480;

/// A day at work: a row every two seconds while driving, one every minute while parked; a batch for every minute.
fn day() -> Vec<Telemetry> {
    let mut lat = 46.52;
    let batch = |minute: i64| {
        let driven = DRIVES.iter().find(|(begin, length)| (*begin..begin + length).contains(&minute));
        let rows: Vec<Row> = match driven {
            Some(_) => (0..30)
                .map(|n| {
                    lat += 54.0 / 3.6 * 2.0 / 111_195.0;
                    Row { dt_ms: n * 2000, values: [lat, 6.63, 54.0, 54.0, 1800.0, 1.0].map(Some).to_vec() }
                })
                .collect(),
            None => vec![Row { dt_ms: 0, values: [lat, 6.63, 0.0, 0.0, 0.0, 0.0].map(Some).to_vec() }],
        };
        Telemetry {
            v: SCHEMA_VERSION,
            vin: golf(),
            epoch: Epoch(1),
            seq: Seq(minute as u64 + 1),
            t0: NOW + minute * MINUTE,
            clock: Clock::Gnss,
            keys: ["lat", "lon", "gspd", "spd", "rpm", "ign"].map(str::to_owned).to_vec(),
            rows,
            gap: None,
        }
    };
    (0..LENGTH_MIN).map(batch).collect()
}

async fn keep_all(store: &Store) {
    while store.keep(&[golf()]).await.unwrap()[0].more {}
}

async fn trips(store: &Store) -> Vec<TripRecord> {
    store.trips(golf(), 0, UnixMs::MAX, 100).await.unwrap()
}

/// What the day's trips are when all of it is known at once.
async fn at_once() -> Vec<TripRecord> {
    let (store, _home) = store().await;
    store.commit(&day().into_iter().map(live).collect::<Vec<_>>()).await.unwrap();
    keep_all(&store).await;
    trips(&store).await
}

#[tokio::test]
async fn a_day_is_four_trips_with_stops_between_and_the_places_have_names() {
    let (store, _home) = store().await;
    store.commit(&day().into_iter().map(live).collect::<Vec<_>>()).await.unwrap();
    keep_all(&store).await;
    let trips = trips(&store).await;
    assert_eq!(trips.len(), 4);
    for (record, (begin, length)) in trips.iter().rev().zip(DRIVES) {
        assert!((record.trip.start - NOW - begin * MINUTE).abs() <= 60_000, "{record:?}");
        let metres = 15.0 * 60.0 * length as f64;
        assert!((record.trip.distance_m - metres).abs() < metres * 0.05, "{} {metres}", record.trip.distance_m);
        assert!(!record.trip.open);
        assert!(record.trip.track.len() > 4);
    }
    assert_eq!(trips[3].start_place.as_deref(), Some("Lausanne, CH"));
    let stops = store.stops(golf(), 0, UnixMs::MAX, 100).await.unwrap();
    assert_eq!((stops.len(), stops[0].stop.end, stops[4].place.as_deref()), (5, None, Some("Lausanne, CH")));
    let totals = store.trip_totals(golf(), 0, UnixMs::MAX).await.unwrap();
    assert_eq!((totals.trips, totals.distance_m), (4, trips.iter().map(|t| t.trip.distance_m).sum::<f64>()));
    assert_eq!(store.trip_totals(golf(), 0, 5).await.unwrap().trips, 0);
}

#[tokio::test]
async fn trips_are_the_same_however_the_day_was_cut_into_pieces() {
    let expected = at_once().await;
    let (store, _home) = store().await;
    for piece in day().chunks(37) {
        store.commit(&piece.iter().cloned().map(live).collect::<Vec<_>>()).await.unwrap();
        keep_all(&store).await;
    }
    assert_eq!(trips(&store).await, expected);
}

#[tokio::test]
async fn what_comes_late_mends_the_trips_that_were_made_without_it() {
    let expected = at_once().await;
    let (store, _home) = store().await;
    // Without reach from the middle of the first drive to that of the third.
    let day = day();
    let (known, missed): (Vec<_>, Vec<_>) =
        day.into_iter().partition(|batch| !(20..220).contains(&((batch.t0 - NOW) / MINUTE)));
    store.commit(&known.into_iter().map(live).collect::<Vec<_>>()).await.unwrap();
    keep_all(&store).await;
    assert_ne!(trips(&store).await, expected);
    let (first, second) = missed.split_at(100);
    for part in [second, first] {
        store.commit(&part.iter().cloned().map(late).collect::<Vec<_>>()).await.unwrap();
        keep_all(&store).await;
    }
    assert_eq!(trips(&store).await, expected);
}

#[tokio::test]
async fn a_trip_of_which_nothing_more_is_heard_is_ended_where_it_fell_silent() {
    let (store, _home) = store().await;
    let begun: Vec<_> = day().into_iter().take(20).map(live).collect();
    store.commit(&begun).await.unwrap();
    keep_all(&store).await;
    assert!(trips(&store).await[0].trip.open);
    let last = trips(&store).await[0].trip.end;
    let now = last + 60 * MINUTE;
    assert_eq!(store.silent_trips(last - 1, 10).await.unwrap(), []);
    assert_eq!(store.silent_trips(now - 15 * MINUTE, 10).await.unwrap(), [golf()]);
    store.end_silent_trip(golf(), now).await.unwrap();
    let ended = trips(&store).await;
    assert_eq!((ended.len(), ended[0].trip.open), (1, false));
    assert_eq!(store.silent_trips(now, 10).await.unwrap(), []);

    // The rest of the day arrives after all.
    store.commit(&day().into_iter().skip(20).map(late).collect::<Vec<_>>()).await.unwrap();
    keep_all(&store).await;
    assert_eq!(trips(&store).await, at_once().await);
}

#[tokio::test]
async fn a_trip_costs_what_is_known_of_it_and_one_without_fuel_stands_beside_one_with() {
    let (store, _place) = store().await;
    let prices = Prices { fuel_per_l: [(FuelKind::Diesel, 2.0)].into(), ..Prices::default() };
    store.save_setting(&prices, None, NOW).await.unwrap();
    store.commit(&day().into_iter().map(live).collect::<Vec<_>>()).await.unwrap();
    keep_all(&store).await;
    assert_eq!(trips(&store).await[0].trip.fuel_l, None);

    let facts = VehicleFacts { fuel: FuelKind::Diesel, ..VehicleFacts::default() };
    store.set_vehicle_facts(fiesta(), &facts, NOW).await.unwrap();
    let thirsty = |batch: Telemetry| {
        let mut keys = batch.keys.clone();
        keys.push("frate".into());
        let rows = batch.rows.into_iter().map(|mut row| {
            row.values.push(Some(6.0));
            row
        });
        Telemetry { vin: fiesta(), keys, rows: rows.collect(), ..batch }
    };
    store.commit(&day().into_iter().map(thirsty).map(live).collect::<Vec<_>>()).await.unwrap();
    while store.keep(&[fiesta()]).await.unwrap()[0].more {}
    let trip = &store.trips(fiesta(), 0, UnixMs::MAX, 1).await.unwrap()[0].trip;
    let litres = trip.fuel_l.unwrap();
    assert!((litres - 6.0 * trip.duration_ms() as f64 / 3_600_000.0).abs() < 0.1, "{trip:?}");
    assert_eq!(trip.cost, Some(litres * 2.0));
    let totals = store.trip_totals(fiesta(), 0, UnixMs::MAX).await.unwrap();
    assert!(totals.fuel_l > litres && totals.co2_kg > 2.0 * totals.fuel_l, "{totals:?}");
}

#[tokio::test]
async fn late_data_removes_no_trip_whose_samples_have_been_removed() {
    const DAY: i64 = 24 * 3_600_000;
    let (store, _place) = store().await;
    store.commit(&day().into_iter().map(live).collect::<Vec<_>>()).await.unwrap();
    keep_all(&store).await;
    let before = trips(&store).await;
    // The first two drives are more than 400 days old.
    let now = NOW + 400 * DAY + 180 * MINUTE + 3_600_000;
    while store.expire_samples(golf(), now).await.unwrap() > 0 {}
    let from_long_ago = Telemetry { t0: NOW - 300 * DAY, seq: Seq(9000), ..day().swap_remove(0) };
    let from_then = Telemetry { t0: NOW + 130 * MINUTE, seq: Seq(9001), ..day().swap_remove(0) };
    for batch in [from_long_ago, from_then] {
        store.commit(&[late(batch)]).await.unwrap();
        keep_all(&store).await;
        assert_eq!(trips(&store).await, before);
    }
}
