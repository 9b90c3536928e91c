//! What trips amount to, against drives whose length is known beforehand.

use bugbrother_store::{Assignment, Client, ClientId, Contract, Scope, Store, Sums, Zone};
use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Seq, UnixMs, Vin,
    message::{Clock, Row, Telemetry},
};

use crate::{
    fleet::{NOW, fiesta, golf, late, store},
    office::{client, contract},
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2026-03-29 0:00 in Zürich; at 2:00 it is 3:00 there.
const SPRING: UnixMs = 1_774_738_800_000;

fn zurich() -> Zone {
    Zone::new(HOUR, [(SPRING + 2 * HOUR, 2 * HOUR)]).unwrap()
}

/// A drive of so many minutes at 54 km/h, 900 m a minute, with the engine burning 6 l/h, and some minutes of standing after.
fn drive(vin: Vin, number: u64, begin: UnixMs, minutes: i64) -> Vec<Telemetry> {
    let mut lat = 46.52;
    (0..minutes + 12)
        .map(|minute| {
            let rows: Vec<Row> = if minute < minutes {
                (0..30)
                    .map(|n| {
                        lat += 54.0 / 3.6 * 2.0 / 111_195.0;
                        Row { dt_ms: n * 2000, values: [lat, 6.63, 54.0, 54.0, 1800.0, 1.0, 6.0].map(Some).to_vec() }
                    })
                    .collect()
            } else {
                vec![Row { dt_ms: 0, values: [lat, 6.63, 0.0, 0.0, 0.0, 0.0, 0.0].map(Some).to_vec() }]
            };
            Telemetry {
                v: SCHEMA_VERSION,
                vin,
                epoch: Epoch(number),
                seq: Seq(minute as u64 + 1),
                t0: begin + minute * MINUTE,
                clock: Clock::Gnss,
                keys: ["lat", "lon", "gspd", "spd", "rpm", "ign", "frate"].map(str::to_owned).to_vec(),
                rows,
                gap: None,
            }
        })
        .collect()
}

async fn driven(store: &Store, drives: &[(Vin, UnixMs, i64)]) {
    for (number, (vin, begin, minutes)) in drives.iter().enumerate() {
        let batches = drive(*vin, number as u64 + 1, *begin, *minutes);
        store.commit(&batches.into_iter().map(late).collect::<Vec<_>>()).await.unwrap();
    }
    for vin in [golf(), fiesta()] {
        while store.keep(&[vin]).await.unwrap().first().is_some_and(|kept| kept.more) {}
    }
}

fn near(found: f64, wanted: f64, share: f64) -> bool {
    (found - wanted).abs() <= wanted * share
}

#[tokio::test]
async fn sums_are_those_of_the_drives() {
    let (store, _home) = store().await;
    driven(&store, &[(golf(), NOW, 20), (golf(), NOW + DAY, 40), (fiesta(), NOW + 2 * HOUR, 10)]).await;
    let sums = store.statistics((NOW - DAY, NOW + 3 * DAY), &Zone::UTC, &Scope::default()).await.unwrap();
    assert_eq!((sums.trips, sums.vehicle_days), (3, 3));
    assert!(near(sums.distance_m, 70.0 * 900.0, 0.05), "{sums:?}");
    assert!(near(sums.moving_ms as f64, 70.0 * 60_000.0, 0.05), "{sums:?}");
    assert!(near(sums.fuel_l, 7.0, 0.05), "6 l/h for 70 minutes: {sums:?}");
    assert_eq!(sums.fuel_m, sums.distance_m);
    assert!(near(sums.fuel_per_100km().unwrap(), 6.0 / 54.0 * 100.0, 0.08), "{sums:?}");
    assert_eq!(sums.harsh_m, sums.distance_m, "of new trips harsh events are known");

    // Exactly what the trips themselves say.
    let mut by_hand = Sums::default();
    for vin in [golf(), fiesta()] {
        for record in store.trips(vin, 0, UnixMs::MAX, 100).await.unwrap() {
            by_hand.trips += 1;
            by_hand.distance_m += record.trip.distance_m;
            by_hand.moving_ms += record.trip.moving_ms;
            by_hand.idle_ms += record.trip.idle_ms;
            by_hand.scores += i64::from(record.trip.score);
            let trip = &record.trip;
            by_hand.harsh += i64::from(trip.harsh_accelerations + trip.harsh_brakings + trip.harsh_cornerings);
        }
    }
    assert!(near(sums.distance_m, by_hand.distance_m, 1e-9));
    let counted = |sums: &Sums| (sums.trips, sums.moving_ms, sums.idle_ms, sums.scores, sums.harsh);
    assert_eq!(counted(&sums), counted(&by_hand));
    assert_eq!(sums.score(), Some(by_hand.scores as f64 / 3.0));

    let by_vehicle =
        store.statistics_by_vehicle((NOW - DAY, NOW + 3 * DAY), &Zone::UTC, &Scope::default(), 10).await.unwrap();
    assert_eq!(
        by_vehicle.iter().map(|(vin, sums)| (*vin, sums.trips)).collect::<Vec<_>>(),
        [(fiesta(), 1), (golf(), 2)]
    );
    let mut together = Sums::default();
    for (_, sums) in by_vehicle {
        together += sums;
    }
    assert_eq!(counted(&together), counted(&sums));
    let of_golf = Scope { vin: Some(golf()), ..Scope::default() };
    assert_eq!(store.statistics((0, UnixMs::MAX), &Zone::UTC, &of_golf).await.unwrap().trips, 2);
    assert_eq!(store.statistics((0, NOW - DAY), &Zone::UTC, &of_golf).await.unwrap(), Sums::default());
}

#[tokio::test]
async fn a_trip_belongs_to_the_day_on_which_it_began_where_the_person_is() {
    let (store, _home) = store().await;
    // Saturday 23:30, Sunday 0:30, Sunday 22:30 by the summer's clock (a day of 23 hours), Monday 0:15.
    let begins = [
        SPRING - 30 * MINUTE,
        SPRING + 30 * MINUTE,
        SPRING + 21 * HOUR + 30 * MINUTE,
        SPRING + 23 * HOUR + 15 * MINUTE,
    ];
    driven(&store, &begins.map(|begin| (golf(), begin, 10))).await;
    let span = (SPRING - DAY, SPRING + 3 * DAY);
    let days = |found: Vec<(i64, Sums)>| found.into_iter().map(|(day, sums)| (day, sums.trips)).collect::<Vec<_>>();
    let sunday = zurich().day(SPRING);
    let here = store.statistics_by_day(span, &zurich(), &Scope::default()).await.unwrap();
    assert!(here.iter().all(|(_, sums)| sums.vehicle_days == 1));
    assert_eq!(days(here), [(sunday - 1, 1), (sunday, 2), (sunday + 1, 1)]);
    let there = store.statistics_by_day(span, &Zone::UTC, &Scope::default()).await.unwrap();
    assert_eq!(days(there), [(sunday - 1, 2), (sunday, 2)], "in Greenwich it is earlier");
    let sums = store.statistics(span, &zurich(), &Scope::default()).await.unwrap();
    assert_eq!((sums.trips, sums.vehicle_days), (4, 3));
}

async fn served(store: &Store, n: u128, vin: Vin, from: UnixMs, to: Option<UnixMs>) -> (Client, Contract) {
    let taxi = client(n, "Taxi");
    store.add_client(&taxi).await.unwrap();
    let terms = contract(n, taxi.id);
    store.add_contract(&terms).await.unwrap();
    store.assign_vehicle(&Assignment { contract: terms.id, vin, from, to }, NOW).await.unwrap();
    (taxi, terms)
}

#[tokio::test]
async fn a_trip_counts_for_the_client_whose_contract_the_vehicle_was_in_and_once() {
    let (store, _home) = store().await;
    driven(&store, &[(golf(), NOW, 20), (golf(), NOW + DAY, 20), (golf(), NOW + 2 * DAY, 20), (fiesta(), NOW, 20)])
        .await;
    let (first, terms) = served(&store, 1, golf(), NOW + DAY - HOUR, None).await;
    // The same vehicle in a second contract of the same client.
    let twice = Contract { title: "also".into(), ..contract(9, first.id) };
    store.add_contract(&twice).await.unwrap();
    store.assign_vehicle(&Assignment { contract: twice.id, vin: golf(), from: NOW, to: None }, NOW).await.unwrap();
    store.release_vehicle(terms.id, golf(), NOW + 2 * DAY).await.unwrap();
    let (second, _) = served(&store, 2, golf(), NOW + 2 * DAY - HOUR, None).await;

    let span = (NOW - DAY, NOW + 5 * DAY);
    let all = store.statistics_by_client(span, &Zone::UTC, &Scope::default(), 10).await.unwrap();
    assert_eq!(all.iter().map(|(id, sums)| (*id, sums.trips)).collect::<Vec<_>>(), [(first.id, 3), (second.id, 1)]);
    assert_eq!(store.statistics_of_nobody(span, &Zone::UTC).await.unwrap().trips, 1, "the other car's");
    let of = |client: ClientId, seen_at| Scope { client: Some(client), seen_at, vin: None };
    assert_eq!(store.statistics(span, &Zone::UTC, &of(second.id, None)).await.unwrap().trips, 1);
    assert_eq!(store.vehicle_count(Some(first.id), span).await.unwrap(), 1);
    assert_eq!(store.vehicle_count(None, span).await.unwrap(), 2);

    // What it may ask for itself ends with the contract.
    assert_eq!(store.statistics(span, &Zone::UTC, &of(first.id, Some(NOW + 3 * DAY))).await.unwrap().trips, 3);
    store.release_vehicle(twice.id, golf(), NOW + 3 * DAY).await.unwrap();
    assert_eq!(store.statistics(span, &Zone::UTC, &of(first.id, Some(NOW + 3 * DAY))).await.unwrap().trips, 0);
    assert_eq!(store.statistics(span, &Zone::UTC, &of(first.id, None)).await.unwrap().trips, 3);
    let both = Scope { vin: Some(fiesta()), ..of(first.id, None) };
    assert_eq!(store.statistics_by_day(span, &Zone::UTC, &both).await.unwrap(), []);
}
