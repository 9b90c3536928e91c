//! Rules.

use bugbrother_store::{AlertEventKind, Condition, GeofenceId, GeofenceRecord, Rule, RuleScope};
use bugbrother_wire::{
    AlertId,
    message::{Alert, AlertCause, AlertState, Severity, Shape},
};
use uuid::Uuid;

use crate::{
    face::alert,
    fleet::{NOW, fiesta, golf, store},
    lease::hold,
};

fn flat() -> Rule {
    Rule {
        id: "flat".into(),
        title: "Battery below 11.8 V".into(),
        severity: Severity::Critical,
        enabled: true,
        scope: RuleScope::All,
        condition: Condition::Below { signals: vec!["vbat".into()], on: 11.8, off: 12.2, for_ms: 60_000 },
        film: false,
    }
}

#[tokio::test]
async fn a_rule_is_made_changed_and_deleted_and_each_change_is_counted() {
    let (store, _home) = store().await;
    let mut before = store.rules_version().await.unwrap();
    let mut has_risen = async || {
        let now = store.rules_version().await.unwrap();
        std::mem::replace(&mut before, now) < now
    };
    assert!(store.save_rule_of(&flat(), 10).await.unwrap() && has_risen().await);
    assert_eq!(store.rule("flat").await.unwrap(), Some(flat()));
    let off = Rule { enabled: false, ..flat() };
    assert!(store.save_rule_of(&off, 10).await.unwrap() && has_risen().await);
    assert_eq!(store.rule("flat").await.unwrap(), Some(off));
    assert!(store.delete_rule("flat").await.unwrap() && has_risen().await);
    assert!(!store.delete_rule("flat").await.unwrap());
    assert_eq!(store.rule("flat").await.unwrap(), None);
}

#[tokio::test]
async fn there_are_no_more_rules_than_there_may_be_but_those_that_are_there_can_change() {
    let (store, _home) = store().await;
    assert!(!store.save_rule_of(&flat(), 2).await.unwrap(), "a new fleet has two");
    assert_eq!(store.rule("flat").await.unwrap(), None);
    let mut fast = store.rule("fast").await.unwrap().unwrap();
    fast.title = "Too fast".into();
    assert!(store.save_rule_of(&fast, 2).await.unwrap());
    assert_eq!(store.rule("fast").await.unwrap(), Some(fast));
}

#[tokio::test]
async fn a_tree_of_conditions_and_whom_it_is_about_come_back_as_they_were() {
    let (store, _home) = store().await;
    let condition =
        Condition::Any(vec![Condition::All(vec![flat().condition, Condition::Lamp]), Condition::ReadinessLost]);
    let vans = Rule { scope: RuleScope::Class("Van".into()), condition, ..flat() };
    store.save_rule(&vans).await.unwrap();
    assert_eq!(store.rule("flat").await.unwrap(), Some(vans.clone()));
    let two = Rule { scope: RuleScope::Vehicles(vec![golf(), fiesta()]), ..vans };
    store.save_rule(&two).await.unwrap();
    assert_eq!(store.rule("flat").await.unwrap(), Some(two));
}

#[tokio::test]
async fn a_change_of_an_area_counts_as_one_of_the_rules_that_look_at_it() {
    let (store, _home) = store().await;
    let depot = GeofenceRecord {
        id: GeofenceId(Uuid::from_u128(1)),
        name: "Depot".into(),
        shape: Shape::Circle { centre: (46.5, 6.6), radius_m: 200.0 },
        client: None,
        colour: None,
        created: NOW,
        updated: NOW,
    };
    let before = store.rules_version().await.unwrap();
    store.save_geofence(&depot).await.unwrap();
    let made = store.rules_version().await.unwrap();
    assert!(store.delete_geofence(depot.id).await.unwrap());
    let deleted = store.rules_version().await.unwrap();
    assert!(before < made && made < deleted);
}

#[tokio::test]
async fn what_is_remembered_of_a_vehicle_is_stored_with_its_alerts_and_goes_with_it() {
    let (store, _home) = store().await;
    let held = hold(&store, "me").await;
    let memories = [(golf(), "{}".to_owned()), (fiesta(), "[1]".to_owned())];
    store.save_judgement(&held, &[alert(1, NOW)], &memories, NOW).await.unwrap();
    let newer = [(golf(), "[2]".to_owned())];
    store.save_judgement(&held, &[], &newer, NOW + 1).await.unwrap();
    let [golf_kept, fiesta_kept] = [(golf(), "[2]".to_owned()), (fiesta(), "[1]".to_owned())];
    assert_eq!(store.memories(None, 10).await.unwrap().len(), 2);
    assert_eq!(
        store.memories(None, 1).await.unwrap(),
        [if fiesta() < golf() { fiesta_kept.clone() } else { golf_kept.clone() }]
    );
    let receipt = store.erase_vehicle(fiesta(), "ada", NOW).await.unwrap();
    assert_eq!(receipt.erased.get("rule_state"), Some(&1));
    assert_eq!(store.memories(None, 10).await.unwrap(), [golf_kept]);
}

#[tokio::test]
async fn what_late_data_tells_is_put_into_the_history_and_taken_out_and_what_people_were_told_stays() {
    let (store, _home) = store().await;
    let told = Alert { rule: "fast".into(), state: AlertState::Resolved, resolved: Some(NOW + 60), ..alert(1, NOW) };
    store.save_alert(&told).await.unwrap();
    let cause = AlertCause { geofence: Some("Depot".into()), ..AlertCause::default() };
    let late = |n: u128, opened: i64| Alert {
        late: true,
        rule: "fast".into(),
        state: AlertState::Resolved,
        resolved: Some(opened + 10),
        detail: Some(Box::new(cause.clone())),
        ..alert(n, opened)
    };
    let (one, two) = (late(2, NOW - 500), late(3, NOW - 300));
    store.settle_late(&[one.clone(), two.clone()], &[]).await.unwrap();
    store.settle_late(std::slice::from_ref(&one), &[]).await.unwrap();
    assert_eq!(
        store.alerts_during(golf(), "fast", (NOW - 900, NOW), 10).await.unwrap(),
        [one.clone(), two.clone(), told.clone()]
    );
    assert_eq!(
        store.alerts_during(golf(), "fast", (NOW - 495, NOW - 400), 10).await.unwrap(),
        std::slice::from_ref(&one)
    );
    let kinds: Vec<_> = store.alert_events(one.id, 0, 10).await.unwrap().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [AlertEventKind::Opened, AlertEventKind::Resolved], "once");
    store.settle_late(&[], &[two.id, told.id, AlertId(Uuid::from_u128(9))]).await.unwrap();
    assert_eq!(store.alerts_during(golf(), "fast", (NOW - 900, NOW), 10).await.unwrap(), [one, told]);
    let not_late = Alert { late: false, ..late(4, NOW - 100) };
    store.settle_late(&[not_late], &[]).await.unwrap();
    assert!(store.alert(AlertId(Uuid::from_u128(4))).await.unwrap().is_none(), "it is no finding of late data");
}
