//! The maintenance book.

use bugbrother_store::{
    DueState, Interval, MaintenanceId, MaintenanceItem, SubjectKind, Upkeep, Work, WorkId, maintenance::MAX_ITEMS,
    upkeep,
};
use bugbrother_wire::{Seq, UnixMs, Vin, message::Telemetry};
use uuid::Uuid;

use crate::fleet::{NOW, batch, fiesta, golf, live, store};

const DAY: i64 = 24 * 60 * 60 * 1000;

fn oil(n: u128, vin: Vin) -> MaintenanceItem {
    MaintenanceItem {
        id: MaintenanceId(Uuid::from_u128(n)),
        vin,
        title: "Oil".into(),
        interval: Interval { km: Some(15_000), months: Some(12), ..Interval::default() },
        since: NOW - 10 * DAY,
        since_km: Some(100_000.0),
        note: None,
        created: NOW,
        archived: None,
    }
}

fn work(n: u128, item: Option<MaintenanceId>, done: UnixMs, odometer_km: Option<f64>) -> Work {
    Work {
        id: WorkId(Uuid::from_u128(n)),
        vin: golf(),
        item,
        title: "Oil".into(),
        done,
        odometer_km,
        cost: Some(189.5),
        workshop: Some("Garage du Lac".into()),
        note: None,
        created: NOW,
        by: "ada".into(),
    }
}

async fn with_odometer(km: f64) -> (bugbrother_store::Store, crate::fleet::Home) {
    let (store, home) = store().await;
    let first = batch(golf(), 1, 1);
    let rows = first.rows.iter().cloned().map(|mut row| {
        row.values.push(Some(km));
        row
    });
    let mut keys = first.keys.clone();
    keys.push("odo".into());
    let told = Telemetry { keys, rows: rows.collect(), seq: Seq(1), ..first.clone() };
    store.commit(&[live(told)]).await.unwrap();
    (store, home)
}

async fn only(store: &bugbrother_store::Store) -> Upkeep {
    let mut all = store.vehicle_upkeep(golf()).await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[tokio::test]
async fn what_is_due_counts_by_the_odometer_from_the_last_time_on() {
    let (store, _home) = with_odometer(114_000.0).await;
    let item = oil(1, golf());
    assert!(store.add_maintenance_item(&item).await.unwrap());
    assert!(!store.add_maintenance_item(&item).await.unwrap());
    let found = only(&store).await;
    assert_eq!((found.item.clone(), found.passed.km, found.odometer_km), (item.clone(), 14_000.0, Some(114_000.0)));
    assert_eq!(upkeep::next(&found.item.interval, &found.passed, NOW).unwrap().state, DueState::Soon);

    assert!(store.add_work(&work(1, Some(item.id), NOW, Some(113_500.0))).await.unwrap());
    let found = only(&store).await;
    assert_eq!((found.item.since, found.passed.km), (NOW, 500.0));
    // What was done before and is written down later moves nothing.
    assert!(store.add_work(&work(2, Some(item.id), NOW - 5 * DAY, Some(107_000.0))).await.unwrap());
    assert_eq!(only(&store).await.item.since, NOW);
    let works = store.works(golf(), None, 10).await.unwrap();
    assert_eq!(works.iter().map(|work| work.id.0.as_u128()).collect::<Vec<_>>(), [1, 2]);
    let rest = store.works(golf(), Some((works[0].done, works[0].id)), 10).await.unwrap();
    assert_eq!(rest, [work(2, Some(item.id), NOW - 5 * DAY, Some(107_000.0))]);

    // Taken back, the one before counts.
    assert!(!store.delete_work(fiesta(), works[0].id).await.unwrap(), "it is another vehicle's");
    assert!(store.delete_work(golf(), works[0].id).await.unwrap());
    let found = only(&store).await;
    assert_eq!((found.item.since, found.item.since_km), (NOW - 5 * DAY, Some(107_000.0)));
}

#[tokio::test]
async fn what_is_to_be_done_once_is_over_when_it_is_done() {
    let (store, _home) = with_odometer(1.0).await;
    let once = MaintenanceItem {
        interval: Interval { at: Some(NOW + 40 * DAY), ..Interval::default() },
        title: "Official inspection".into(),
        ..oil(1, golf())
    };
    store.add_maintenance_item(&once).await.unwrap();
    assert_eq!(only(&store).await.item, once);
    store.add_work(&work(1, Some(once.id), NOW, None)).await.unwrap();
    assert_eq!(store.vehicle_upkeep(golf()).await.unwrap(), []);
    let kept = store.maintenance_item(once.id).await.unwrap().unwrap();
    assert_eq!((kept.archived, kept.interval.at), (Some(NOW), None));
    // Brought back with another day.
    let again = MaintenanceItem { archived: None, interval: once.interval, ..kept };
    assert!(store.update_maintenance_item(&again).await.unwrap());
    assert_eq!(only(&store).await.item, again);
    assert!(!store.update_maintenance_item(&oil(7, golf())).await.unwrap());
}

#[tokio::test]
async fn the_whole_fleet_is_gone_through_in_pages_and_a_vehicle_has_an_end_of_items() {
    let (store, _home) = with_odometer(1.0).await;
    store.name_vehicle(fiesta(), "Fiesta", None, NOW).await.unwrap();
    for n in 0..u128::from(MAX_ITEMS) {
        assert!(store.add_maintenance_item(&oil(n + 1, golf())).await.unwrap());
    }
    assert!(!store.add_maintenance_item(&oil(9_999, golf())).await.unwrap());
    store.add_maintenance_item(&oil(10_000, fiesta())).await.unwrap();
    let mut after = None;
    let mut seen = Vec::new();
    loop {
        let page = store.upkeep(after, 40).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.item.vin, last.item.id));
        seen.extend(page.into_iter().map(|upkeep| upkeep.item.id));
    }
    assert_eq!(seen.len(), MAX_ITEMS as usize + 1);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), MAX_ITEMS as usize + 1);
}

#[tokio::test]
async fn an_erased_vehicle_takes_its_book_along() {
    let (store, _home) = with_odometer(1.0).await;
    store.add_maintenance_item(&oil(1, golf())).await.unwrap();
    store.add_work(&work(1, Some(oil(1, golf()).id), NOW, None)).await.unwrap();
    let receipt = store.erase_vehicle(golf(), "ada", NOW).await.unwrap();
    assert_eq!(receipt.subject_kind, SubjectKind::Vehicle);
    assert_eq!((receipt.erased["maintenance_item"], receipt.erased["maintenance_entry"]), (1, 1));
    assert_eq!(store.works(golf(), None, 10).await.unwrap(), []);
}
