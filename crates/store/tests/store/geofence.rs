//! Geofences.

use crate::{
    fleet::{NOW, store},
    office::client,
};
use bugbrother_store::{GeofenceId, GeofenceRecord};
use bugbrother_wire::message::Shape;
use uuid::Uuid;

fn depot(n: u128) -> GeofenceRecord {
    GeofenceRecord {
        id: GeofenceId(Uuid::from_u128(n)),
        name: format!("Depot {n}"),
        shape: Shape::Circle { centre: (47.376_887, 8.541_694), radius_m: 250.5 },
        client: None,
        colour: Some("#e66100".into()),
        created: NOW,
        updated: NOW,
    }
}

#[tokio::test]
async fn a_geofence_of_each_shape_comes_back_as_it_was_drawn() {
    let (store, _home) = store().await;
    let shapes = [
        Shape::Circle { centre: (-89.999_999_9, 179.999_999_9), radius_m: 0.1 },
        Shape::Polygon(vec![(47.1, 8.1), (47.2, 8.1), (47.2, 8.3)]),
        Shape::Corridor { line: vec![(47.1, 8.1), (46.2, 7.3)], width_m: 40.0 },
    ];
    for (n, shape) in shapes.into_iter().enumerate() {
        let fence = GeofenceRecord { shape, ..depot(n as u128) };
        store.save_geofence(&fence).await.unwrap();
        assert_eq!(store.geofence(fence.id).await.unwrap(), Some(fence));
    }
}

#[tokio::test]
async fn a_geofence_is_changed_and_deleted() {
    let (store, _home) = store().await;
    store.add_client(&client(1, "Taxi")).await.unwrap();
    store.save_geofence(&depot(1)).await.unwrap();
    let changed = GeofenceRecord {
        name: "Yard".into(),
        shape: Shape::Polygon(vec![(1.0, 2.0), (3.0, 4.0), (5.0, 6.0)]),
        client: Some(client(1, "Taxi").id),
        colour: None,
        created: 0,
        updated: NOW + 9,
        ..depot(1)
    };
    store.save_geofence(&changed).await.unwrap();
    assert_eq!(store.geofence(changed.id).await.unwrap(), Some(GeofenceRecord { created: NOW, ..changed.clone() }));
    assert!(store.delete_geofence(changed.id).await.unwrap());
    assert!(!store.delete_geofence(changed.id).await.unwrap());
    assert_eq!(store.geofence(changed.id).await.unwrap(), None);
    let orphan = GeofenceRecord { client: Some(client(2, "nobody").id), ..changed };
    assert!(store.save_geofence(&orphan).await.unwrap_err().is_about_content());
}

#[tokio::test]
async fn geofences_come_in_pages_all_of_them_or_a_clients() {
    let (store, _home) = store().await;
    let taxi = client(1, "Taxi");
    store.add_client(&taxi).await.unwrap();
    for n in 1..=4 {
        let client = (n % 2 == 0).then_some(taxi.id);
        store.save_geofence(&GeofenceRecord { client, ..depot(n) }).await.unwrap();
    }
    let numbers = |fences: Vec<GeofenceRecord>| fences.iter().map(|fence| fence.id.0.as_u128()).collect::<Vec<_>>();
    assert_eq!(numbers(store.geofences(None, 3).await.unwrap()), [1, 2, 3]);
    assert_eq!(numbers(store.geofences(Some(depot(3).id), 3).await.unwrap()), [4]);
    assert_eq!(numbers(store.client_geofences(taxi.id, None, 1).await.unwrap()), [2]);
    assert_eq!(numbers(store.client_geofences(taxi.id, Some(depot(2).id), 9).await.unwrap()), [4]);
}

#[tokio::test]
async fn a_shape_that_could_not_be_read_back_is_refused() {
    let (store, _home) = store().await;
    let nowhere = Shape::Circle { centre: (f64::NAN, 8.0), radius_m: 1.0 };
    let error = store.save_geofence(&GeofenceRecord { shape: nowhere, ..depot(1) }).await.unwrap_err();
    assert!(error.is_about_content(), "{error:?}");
    assert!(error.to_string().starts_with("table `geofence` does not take this"), "{error}");
    assert_eq!(store.geofences(None, 9).await.unwrap(), []);
}
