//! What is too old goes, what is erased is gone, and neither takes more than it should.

use bugbrother_store::{
    Arrival, Assignment, CertificateRecord, Client, ClientId, Contract, ContractId, Place, Refusal, Retention, Store,
    StoreError, User,
};
use bugbrother_wire::{
    AlertId, Epoch, EventId, Message, SCHEMA_VERSION, Seq, UnixMs, Vin,
    api::Role,
    message::{Alert, AlertState, Event, EventKind, Severity},
};
use uuid::Uuid;

use crate::fleet::{NOW, batch, everything, fiesta, golf, live, store};

const DAY: i64 = 24 * 3_600_000;

async fn fold(store: &Store, vin: Vin) {
    while store.keep(&[vin]).await.unwrap()[0].more {}
}

/// A vehicle of which there is something of everything, received at `at`.
async fn known(store: &Store, vin: Vin, at: UnixMs) {
    let event = Event {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(1),
        seq: Seq(9),
        id: EventId(Uuid::from_u128(1)),
        at,
        kind: EventKind::Crash,
        lat: None,
        lon: None,
        values: Default::default(),
        text: None,
    };
    let bad = Refusal { reason: "malformed", place: Some(Place { vin, epoch: Epoch(1), seq: Seq(10) }) };
    let topic = format!("fleet/v1/{vin}/up/telemetry");
    let payload = bytes::Bytes::from_static(b"junk");
    let odd = Refusal { reason: "time", place: Some(Place { vin, epoch: Epoch(1), seq: Seq(11) }) };
    let arrivals = [
        Arrival { received_ts: at, ..live(batch(vin, 1, 1)) },
        Arrival { received_ts: at, topic: topic.clone(), payload: payload.clone(), content: Ok(Message::Event(event)) },
        Arrival { received_ts: at, topic: topic.clone(), payload: payload.clone(), content: Err(bad) },
        Arrival { received_ts: at, topic, payload, content: Err(odd) },
    ];
    store.commit(&arrivals).await.unwrap();
    fold(store, vin).await;
    let alert = Alert {
        v: SCHEMA_VERSION,
        vin,
        id: AlertId(Uuid::now_v7()),
        rule: "fast".into(),
        title: "Fast".into(),
        severity: Severity::Warning,
        state: AlertState::Resolved,
        opened: at,
        updated: at,
        resolved: Some(at),
        count: 1,
        value: None,
        signal: None,
        limit: None,
        lat: None,
        lon: None,
        acknowledged_by: Some("ada".into()),
        late: false,
        detail: None,
    };
    store.save_alert(&alert).await.unwrap();
}

async fn counts(store: &Store) -> [usize; 4] {
    [
        store.alerts(None, 100).await.unwrap().len(),
        store.dead_letters(100).await.unwrap().len(),
        store.quarantine(0, 100).await.unwrap().len(),
        everything(store, golf()).await.rows.len(),
    ]
}

#[tokio::test]
async fn what_is_too_old_goes_and_nothing_before_its_time() {
    let (store, _place) = store().await;
    known(&store, golf(), NOW).await;
    let all = [1, 1, 1, 10];
    store.expire(NOW + 89 * DAY).await.unwrap();
    assert_eq!(counts(&store).await, all);
    assert_eq!(store.expire(NOW + 91 * DAY).await.unwrap(), 1);
    assert_eq!(counts(&store).await, [1, 0, 1, 10]);
    assert_eq!(store.expire_samples(golf(), NOW + 390 * DAY).await.unwrap(), 0);
    while store.expire_samples(golf(), NOW + 402 * DAY).await.unwrap() > 0 {}
    while store.expire(NOW + 402 * DAY).await.unwrap() > 0 {}
    assert_eq!(counts(&store).await, [1, 0, 0, 0]);
    while store.expire(NOW + 1101 * DAY).await.unwrap() > 0 {}
    assert_eq!(counts(&store).await, [0; 4]);
    assert!(store.vehicle(golf()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_contract_keeps_samples_longer_and_who_wants_them_for_ever_has_them_for_ever() {
    let (store, _place) = store().await;
    known(&store, golf(), NOW).await;
    let client = Client {
        id: ClientId(Uuid::now_v7()),
        name: "Bakery".into(),
        contact: None,
        email: None,
        phone: None,
        note: None,
        created: NOW,
        archived: None,
    };
    store.add_client(&client).await.unwrap();
    let contract = Contract {
        id: ContractId(Uuid::now_v7()),
        client: client.id,
        title: "Vans".into(),
        starts: NOW,
        ends: None,
        retention_days: Some(2000),
        media_retention_days: None,
        video: false,
        options: Default::default(),
        note: None,
    };
    store.add_contract(&contract).await.unwrap();
    let assignment = Assignment { contract: contract.id, vin: golf(), from: NOW, to: None };
    store.assign_vehicle(&assignment, NOW).await.unwrap();
    assert_eq!(store.expire_samples(golf(), NOW + 1990 * DAY).await.unwrap(), 0);
    let for_ever = Retention { telemetry_days: None, ..Retention::default() };
    store.save_setting(&for_ever, None, NOW).await.unwrap();
    assert_eq!(store.expire_samples(golf(), NOW + 9000 * DAY).await.unwrap(), 0);
    store.save_setting(&Retention::default(), None, NOW).await.unwrap();
    while store.expire_samples(golf(), NOW + 2002 * DAY).await.unwrap() > 0 {}
    assert_eq!(everything(&store, golf()).await.rows.len(), 0);

    let receipt = store.erase_client(client.id, "ada", NOW).await.unwrap();
    assert_eq!((receipt.erased["client"], receipt.erased["contract"], receipt.erased["contract_vehicle"]), (1, 1, 1));
    assert_eq!(store.client(client.id).await.unwrap(), None);
}

#[tokio::test]
async fn an_erased_vehicle_is_gone_with_a_receipt_and_the_others_are_as_they_were() {
    let (store, _place) = store().await;
    known(&store, golf(), NOW).await;
    known(&store, fiesta(), NOW).await;
    let receipt = store.erase_vehicle(golf(), "ada", NOW).await.unwrap();
    for table in
        ["hours of samples", "event", "alert", "dead_letter", "quarantine", "progress", "last_state", "vehicle"]
    {
        assert!(receipt.erased[table] >= 1, "{table}: {receipt:?}");
    }
    assert_eq!(counts(&store).await, [1, 1, 1, 0]);
    assert_eq!(store.vehicle(golf()).await.unwrap(), None);
    assert_eq!(everything(&store, fiesta()).await.rows.len(), 10);
    assert!(!format!("{receipt:?}").contains(golf().as_str()), "a receipt does not say whose data it was");
    assert_eq!(store.receipts(None, 10).await.unwrap(), [receipt]);

    // One that sends again is another vehicle to us.
    store.commit(&[live(batch(golf(), 1, 1))]).await.unwrap();
    assert_eq!(everything(&store, golf()).await.rows.len(), 10);
}

#[tokio::test]
async fn who_is_still_trusted_is_not_erased() {
    let (store, _place) = store().await;
    known(&store, golf(), NOW).await;
    let certificate = CertificateRecord {
        serial: "01".into(),
        vin: golf(),
        key_sha256: "k".into(),
        not_before: NOW,
        not_after: NOW + DAY,
        revoked: None,
        pem: "pem".into(),
    };
    store.add_enrolment(golf(), "code", NOW, NOW + DAY).await.unwrap();
    store.enrol("code", &certificate, NOW).await.unwrap();
    let error = store.erase_vehicle(golf(), "ada", NOW + 1).await.unwrap_err();
    assert!(matches!(error, StoreError::StillTrusted(vin) if vin == golf()), "{error}");
    assert_eq!(everything(&store, golf()).await.rows.len(), 10);
    store.erase_vehicle(golf(), "ada", NOW + 2 * DAY).await.unwrap();
}

#[tokio::test]
async fn an_erased_user_leaves_the_deeds_behind_and_the_last_administrator_stays() {
    let (store, _place) = store().await;
    known(&store, golf(), NOW).await;
    for (name, role) in [("root", Role::Administrator), ("ada", Role::Operator)] {
        let user = User { name: name.into(), password_hash: "hash".into(), role };
        store.add_user(&user, NOW).await.unwrap();
    }
    let receipt = store.erase_user("ada", "root", NOW).await.unwrap();
    assert_eq!((receipt.erased["account"], receipt.erased["alert"]), (1, 1));
    assert_eq!(store.user("ada").await.unwrap(), None);
    assert_eq!(store.alerts(None, 10).await.unwrap()[0].acknowledged_by.as_deref(), Some("(erased)"));
    let error = store.erase_user("root", "root", NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::LastAdministrator), "{error}");
}

#[tokio::test]
async fn room_that_is_free_is_given_back_to_the_disk() {
    let (store, _place) = store().await;
    let letters: Vec<_> = (0..4000)
        .map(|_| Arrival {
            received_ts: NOW,
            topic: "x".into(),
            payload: vec![7; 4000].into(),
            content: Err(Refusal { reason: "malformed", place: None }),
        })
        .collect();
    store.commit(&letters).await.unwrap();
    while store.expire(NOW + 91 * DAY).await.unwrap() > 0 {}
    let mut steps = 0;
    while store.give_back().await.unwrap() {
        steps += 1;
    }
    if store.engine() == bugbrother_store::Engine::Sqlite {
        assert!(steps >= 2, "{steps}");
    }
}
