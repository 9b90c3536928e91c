//! Looking for alerts, and seeing to them.

use bugbrother_store::{AlertEventKind, AlertFilter, Assignment, Store};
use bugbrother_wire::{
    AlertId,
    message::{Alert, AlertState, Severity},
};

use crate::{
    face::alert,
    fleet::{NOW, fiesta, golf, store},
    office::{client, contract},
};

async fn found(store: &Store, filter: AlertFilter<'_>) -> Vec<u128> {
    let mut all = Vec::new();
    let mut before = None;
    loop {
        let page = store.find_alerts(filter, before, 2).await.unwrap();
        let Some(last) = page.last() else { return all };
        before = Some((last.alert.opened, last.alert.id));
        all.extend(page.iter().map(|record| record.alert.id.0.as_u128()));
    }
}

#[tokio::test]
async fn alerts_are_found_by_each_filter_in_pages_newest_first() {
    let (store, _home) = store().await;
    store.add_client(&client(1, "Taxi")).await.unwrap();
    store.add_contract(&contract(1, client(1, "Taxi").id)).await.unwrap();
    let assignment = Assignment { contract: contract(1, client(1, "Taxi").id).id, vin: golf(), from: 0, to: None };
    store.assign_vehicle(&assignment, NOW).await.unwrap();
    let plain = |n: u128| alert(n, NOW + n as i64);
    store
        .save_alerts(&[
            plain(1),
            Alert { severity: Severity::Critical, rule: "flat".into(), ..plain(2) },
            Alert { vin: fiesta(), ..plain(3) },
            Alert { state: AlertState::Resolved, resolved: Some(NOW + 9), ..plain(4) },
            Alert { state: AlertState::Acknowledged, acknowledged_by: Some("ada".into()), ..plain(5) },
        ])
        .await
        .unwrap();
    let all = AlertFilter::default();
    assert_eq!(found(&store, all).await, [5, 4, 3, 2, 1]);
    assert_eq!(found(&store, AlertFilter { active: true, ..all }).await, [5, 3, 2, 1]);
    assert_eq!(found(&store, AlertFilter { state: Some(AlertState::Open), ..all }).await, [3, 2, 1]);
    assert_eq!(found(&store, AlertFilter { vin: Some(golf()), ..all }).await, [5, 4, 2, 1]);
    assert_eq!(found(&store, AlertFilter { vin: Some(fiesta()), active: true, ..all }).await, [3]);
    assert_eq!(found(&store, AlertFilter { rule: Some("flat"), ..all }).await, [2]);
    assert_eq!(found(&store, AlertFilter { severity: Some(Severity::Critical), ..all }).await, [2]);
    let period = AlertFilter { from: Some(NOW + 2), to: Some(NOW + 4), ..all };
    assert_eq!(found(&store, period).await, [4, 3, 2]);
    let seen = AlertFilter { seen_by: Some((client(1, "Taxi").id, NOW)), ..all };
    assert_eq!(found(&store, seen).await, [5, 4, 2, 1], "the other vehicle is nobody's");
    let stranger = AlertFilter { seen_by: Some((client(2, "Bus").id, NOW)), ..all };
    assert_eq!(found(&store, stranger).await, [0u128; 0]);
}

#[tokio::test]
async fn an_alert_keeps_what_it_is_about_and_where_it_was() {
    let (store, _home) = store().await;
    let one =
        Alert { signal: Some("spd".into()), limit: Some(130.0), lat: Some(46.5), lon: Some(6.6), ..alert(1, NOW) };
    store.save_alert(&one).await.unwrap();
    assert_eq!(store.alert(one.id).await.unwrap().unwrap().alert, one);
    assert_eq!(store.alert(AlertId(uuid::Uuid::from_u128(2))).await.unwrap(), None);
}

#[tokio::test]
async fn acknowledging_counts_once_and_can_be_taken_back() {
    let (store, _home) = store().await;
    let one = alert(1, NOW);
    store.save_alert(&one).await.unwrap();
    let seen = store.acknowledge_alert(one.id, "ada", NOW + 5).await.unwrap().unwrap();
    assert_eq!((seen.state, seen.acknowledged_by.as_deref()), (AlertState::Acknowledged, Some("ada")));
    assert_eq!(seen.updated, NOW + 5);
    assert_eq!(store.acknowledge_alert(one.id, "bob", NOW + 6).await.unwrap(), None, "ada has");
    let back = store.unacknowledge_alert(one.id, "bob", NOW + 7).await.unwrap().unwrap();
    assert_eq!((back.state, back.acknowledged_by), (AlertState::Open, None));
    // The notifier goes on as if nothing had been.
    let worse = store.save_alert(&Alert { count: 2, updated: NOW + 8, ..one.clone() }).await.unwrap();
    assert_eq!((worse.state, worse.acknowledged_by), (AlertState::Open, None));
    let end = Alert { state: AlertState::Resolved, resolved: Some(NOW + 9), ..one.clone() };
    store.save_alert(&end).await.unwrap();
    assert_eq!(store.acknowledge_alert(one.id, "ada", NOW + 10).await.unwrap(), None, "it is over");
    let kinds: Vec<_> = store.alert_events(one.id, 0, 10).await.unwrap().iter().map(|event| event.kind).collect();
    use AlertEventKind::{Acknowledged, Opened, Resolved};
    assert_eq!(kinds, [Opened, Acknowledged, Opened, Resolved]);
}
