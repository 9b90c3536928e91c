//! What people know of vehicles.

use crate::fleet::{NOW, batch, fiesta, golf, live, store};
use bugbrother_store::{Engine, FuelKind, VehicleFacts};

#[tokio::test]
async fn nothing_is_known_of_a_vehicle_until_somebody_says_it() {
    let (store, _home) = store().await;
    assert_eq!(store.vehicle_facts(golf()).await.unwrap(), None);
    store.commit(&[live(batch(golf(), 1, 1))]).await.unwrap();
    let known = store.vehicle_facts(golf()).await.unwrap().unwrap();
    assert_eq!(known, VehicleFacts::default());
    assert_eq!(known.fuel, FuelKind::Unknown);
}

#[tokio::test]
async fn what_is_known_of_a_vehicle_comes_back_also_after_it_was_unknown() {
    let (store, _home) = store().await;
    // First without the sizes, then with them: a statement that was prepared for one must do for the other.
    store.set_vehicle_facts(golf(), &VehicleFacts::default(), NOW).await.unwrap();
    for (fuel, tank_l, battery_kwh) in [
        (FuelKind::Diesel, Some(55.1), None),
        (FuelKind::Hybrid, Some(43.0), Some(f64::MIN_POSITIVE)),
        (FuelKind::Electric, None, Some(77.4)),
        (FuelKind::Cng, None, None),
    ] {
        let facts = VehicleFacts {
            fuel,
            tank_l,
            battery_kwh,
            class: Some("van".into()),
            note: Some("a dent".into()),
            archived: Some(NOW),
        };
        store.set_vehicle_facts(golf(), &facts, NOW).await.unwrap();
        assert_eq!(store.vehicle_facts(golf()).await.unwrap(), Some(facts));
    }
    assert_eq!(store.vehicle(golf()).await.unwrap().unwrap().name, "Volkswagen", "it was made");
    assert_eq!(store.vehicle_facts(fiesta()).await.unwrap(), None);
}

#[tokio::test]
async fn a_size_that_is_no_positive_number_is_refused() {
    let (store, _home) = store().await;
    for size in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        for facts in [
            VehicleFacts { tank_l: Some(size), ..VehicleFacts::default() },
            VehicleFacts { battery_kwh: Some(size), ..VehicleFacts::default() },
        ] {
            let error = store.set_vehicle_facts(golf(), &facts, NOW).await.unwrap_err();
            assert!(error.is_about_content(), "{size}: {error:?}");
        }
    }
    assert_eq!(store.vehicle_facts(golf()).await.unwrap(), None, "nothing is half done");
}

#[tokio::test]
async fn a_text_that_the_database_does_not_take_is_told_from_a_database_that_fails() {
    let (store, _home) = store().await;
    let named = store.name_vehicle(golf(), "Pool\0car", None, NOW).await;
    match store.engine() {
        Engine::Sqlite => assert_eq!(store.vehicle(golf()).await.unwrap().unwrap().name, "Pool\0car"),
        Engine::Postgres => assert!(named.unwrap_err().is_about_content()),
    }
    store.close().await;
    assert!(!store.ping().await.unwrap_err().is_about_content());
}
