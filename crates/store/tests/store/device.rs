//! Devices and the certificates that they hold.

use crate::fleet::{NOW, fiesta, golf, store};
use bugbrother_store::{CertificateRecord, Device, DeviceId, Enrolled, Sighting, Store};
use bugbrother_wire::UnixMs;

fn device(name: &str) -> DeviceId {
    name.parse().unwrap()
}

fn sighting(name: &str, at: UnixMs) -> Sighting {
    Sighting {
        id: device(name),
        vin: Some(golf()),
        model: Some("Raspberry Pi 4".into()),
        agent: Some("0.1.0".into()),
        at,
    }
}

async fn enrolled(store: &Store, serial: &str, at: UnixMs) -> CertificateRecord {
    let record = CertificateRecord {
        serial: serial.into(),
        vin: golf(),
        key_sha256: format!("key {serial}"),
        not_before: at,
        not_after: at + 1_000_000,
        revoked: None,
        pem: "pem".into(),
    };
    store.add_enrolment(golf(), &format!("code {serial}"), at, at + 1_000).await.unwrap();
    let done = store.enrol(&format!("code {serial}"), &record, at).await.unwrap();
    assert_eq!(done, Enrolled::Issued(record.clone()));
    record
}

#[tokio::test]
async fn a_device_that_moves_is_in_the_vehicle_where_it_was_seen_last() {
    let (store, _home) = store().await;
    store.see_device(&sighting("box-1", NOW)).await.unwrap();
    assert_eq!(store.vehicle(golf()).await.unwrap().unwrap().name, "Volkswagen", "it is made");
    let moved =
        Sighting { vin: Some(fiesta()), model: None, agent: Some("0.2.0".into()), ..sighting("box-1", NOW + 9) };
    store.see_device(&moved).await.unwrap();
    // Older word that comes late moves nothing back.
    store.see_device(&sighting("box-1", NOW - 9)).await.unwrap();
    let expected = Device {
        id: device("box-1"),
        vin: Some(fiesta()),
        model: Some("Raspberry Pi 4".into()),
        agent: Some("0.2.0".into()),
        first_seen: NOW - 9,
        last_seen: NOW + 9,
        note: None,
    };
    assert_eq!(store.device(&device("box-1")).await.unwrap(), Some(expected.clone()));
    // One on the bench is in no vehicle, and where it was is not forgotten.
    store.see_device(&Sighting { vin: None, agent: None, ..sighting("box-1", NOW + 10) }).await.unwrap();
    let benched = Device { last_seen: NOW + 10, ..expected };
    assert_eq!(store.device(&device("box-1")).await.unwrap(), Some(benched));
    assert_eq!(store.device(&device("box-2")).await.unwrap(), None);
}

#[tokio::test]
async fn devices_are_listed_by_identity_and_by_vehicle() {
    let (store, _home) = store().await;
    for (name, at) in [("c", NOW), ("a", NOW + 2), ("b", NOW + 1)] {
        store.see_device(&sighting(name, at)).await.unwrap();
    }
    store.see_device(&Sighting { vin: None, ..sighting("d", NOW) }).await.unwrap();
    let names = |devices: Vec<Device>| devices.into_iter().map(|one| one.id.to_string()).collect::<Vec<_>>();
    assert_eq!(names(store.devices(None, 2).await.unwrap()), ["a", "b"]);
    assert_eq!(names(store.devices(Some(&device("b")), 9).await.unwrap()), ["c", "d"]);
    assert_eq!(names(store.vehicle_devices(golf(), 9).await.unwrap()), ["a", "b", "c"]);
    assert_eq!(names(store.vehicle_devices(golf(), 1).await.unwrap()), ["a"]);
    assert!(store.note_device(&device("a"), Some("under the seat")).await.unwrap());
    store.see_device(&sighting("a", NOW + 3)).await.unwrap();
    assert_eq!(store.device(&device("a")).await.unwrap().unwrap().note.as_deref(), Some("under the seat"));
    assert!(!store.note_device(&device("e"), None).await.unwrap());
}

#[tokio::test]
async fn certificates_outlive_the_device_that_holds_them() {
    let (store, _home) = store().await;
    let (first, second) = (enrolled(&store, "4a", NOW).await, enrolled(&store, "4b", NOW + 1).await);
    let error = store.set_certificate_device("4a", &device("box-1")).await.unwrap_err();
    assert!(error.is_about_content(), "nobody has seen that device: {error:?}");
    store.see_device(&sighting("box-1", NOW)).await.unwrap();
    assert!(store.set_certificate_device("4a", &device("box-1")).await.unwrap());
    assert!(store.set_certificate_device("4b", &device("box-1")).await.unwrap());
    assert!(!store.set_certificate_device("4c", &device("box-1")).await.unwrap());
    let held = store.device_certificates(&device("box-1"), 9).await.unwrap();
    assert_eq!(held, [second, first.clone()]);

    assert!(store.delete_device(&device("box-1")).await.unwrap());
    assert!(!store.delete_device(&device("box-1")).await.unwrap());
    assert_eq!(store.device_certificates(&device("box-1"), 9).await.unwrap(), []);
    assert_eq!(store.certificate("4a").await.unwrap(), Some(first));
}
