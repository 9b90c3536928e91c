//! What happens to alerts after they are raised.

use crate::{
    face::alert,
    fleet::{NOW, fiesta, golf, open, store},
};
use bugbrother_store::{AlertEvent, AlertEventKind, Handling};
use bugbrother_wire::message::{Alert, AlertState};

use AlertEventKind::{Acknowledged, Assigned, Commented, Escalated, Opened, Resolved, Snoozed};

fn event(number: u32, at: i64, kind: AlertEventKind, by: Option<&str>, text: Option<&str>) -> AlertEvent {
    AlertEvent { number, at, kind, by: by.map(str::to_owned), text: text.map(str::to_owned) }
}

#[tokio::test]
async fn each_change_of_an_alerts_state_is_in_its_history_once() {
    let (store, _home) = store().await;
    let open = alert(1, NOW);
    store.save_alert(&open).await.unwrap();
    // It is worse now; that is no change of its state.
    store.save_alert(&Alert { count: 2, value: Some(150.0), updated: NOW + 1, ..open.clone() }).await.unwrap();
    let acknowledged = Alert {
        state: AlertState::Acknowledged,
        acknowledged_by: Some("ada".into()),
        late: false,
        detail: None,
        updated: NOW + 2,
        ..open.clone()
    };
    store.save_alert(&acknowledged).await.unwrap();
    // The notifier has not heard of it and says that it is open: it stays acknowledged.
    store.save_alert(&Alert { count: 3, updated: NOW + 3, ..open.clone() }).await.unwrap();
    let resolved = Alert { state: AlertState::Resolved, resolved: Some(NOW + 4), updated: NOW + 4, ..open.clone() };
    store.save_alert(&resolved).await.unwrap();
    store.save_alert(&resolved).await.unwrap();
    let history = store.alert_events(open.id, 0, 10).await.unwrap();
    let expected = [
        event(1, NOW, Opened, None, None),
        event(2, NOW + 2, Acknowledged, Some("ada"), None),
        event(3, NOW + 4, Resolved, None, None),
    ];
    assert_eq!(history, expected);
}

#[tokio::test]
async fn an_alert_that_is_heard_of_when_it_is_over_has_both_in_its_history() {
    let (store, _home) = store().await;
    let late = Alert { state: AlertState::Resolved, resolved: Some(NOW + 4), updated: NOW + 5, ..alert(1, NOW) };
    let none = Alert { value: None, ..alert(2, NOW) };
    store.save_alerts(&[none.clone(), late.clone()]).await.unwrap();
    let history = store.alert_events(late.id, 0, 10).await.unwrap();
    assert_eq!(history, [event(1, NOW + 5, Opened, None, None), event(2, NOW + 5, Resolved, None, None)]);
    // Values come and go: a statement that was prepared for one must do for the other.
    for alert in [Alert { value: Some(9.5), ..none.clone() }, none] {
        store.save_alert(&alert).await.unwrap();
        assert_eq!(store.active_alerts(10).await.unwrap(), [alert]);
    }
}

#[tokio::test]
async fn people_comment_assign_and_let_rest_and_their_doings_are_numbered() {
    let (store, _home) = store().await;
    let one = alert(1, NOW);
    store.save_alert(&one).await.unwrap();
    assert_eq!(store.alert_handling(one.id).await.unwrap(), Some(Handling::default()));
    let number = store.append_alert_event(one.id, NOW + 1, Commented, Some("ada"), Some("called")).await.unwrap();
    assert_eq!(number, Some(2));
    assert!(store.assign_alert(one.id, Some("bob"), "ada", NOW + 2).await.unwrap());
    assert!(store.snooze_alert(one.id, Some(NOW + 500), "bob", NOW + 3).await.unwrap());
    let handling = Handling { assigned_to: Some("bob".into()), snoozed_until: Some(NOW + 500) };
    assert_eq!(store.alert_handling(one.id).await.unwrap(), Some(handling));
    assert_eq!(store.append_alert_event(one.id, NOW + 4, Escalated, None, None).await.unwrap(), Some(5));
    // What the notifier says of the alert takes nobody off it.
    store.save_alert(&Alert { count: 2, ..one.clone() }).await.unwrap();
    assert!(store.alert_handling(one.id).await.unwrap().unwrap().assigned_to.is_some());
    assert!(store.assign_alert(one.id, None, "ada", NOW + 5).await.unwrap());
    assert!(store.snooze_alert(one.id, None, "ada", NOW + 6).await.unwrap());
    assert_eq!(store.alert_handling(one.id).await.unwrap(), Some(Handling::default()));

    let snoozed = (NOW + 500).to_string();
    let expected = [
        event(1, NOW, Opened, None, None),
        event(2, NOW + 1, Commented, Some("ada"), Some("called")),
        event(3, NOW + 2, Assigned, Some("ada"), Some("bob")),
        event(4, NOW + 3, Snoozed, Some("bob"), Some(&snoozed)),
        event(5, NOW + 4, Escalated, None, None),
        event(6, NOW + 5, Assigned, Some("ada"), None),
        event(7, NOW + 6, Snoozed, Some("ada"), None),
    ];
    assert_eq!(store.alert_events(one.id, 0, 10).await.unwrap(), expected);
    assert_eq!(store.alert_events(one.id, 2, 2).await.unwrap(), expected[2..4]);
}

#[tokio::test]
async fn an_alert_that_is_not_there_has_no_history() {
    let (store, _home) = store().await;
    let none = alert(1, NOW).id;
    assert_eq!(store.append_alert_event(none, NOW, Commented, Some("ada"), None).await.unwrap(), None);
    assert!(!store.assign_alert(none, Some("bob"), "ada", NOW).await.unwrap());
    assert!(!store.snooze_alert(none, Some(NOW), "ada", NOW).await.unwrap());
    assert_eq!(store.alert_handling(none).await.unwrap(), None);
    assert_eq!(store.alert_events(none, 0, 10).await.unwrap(), []);
}

#[tokio::test]
async fn what_several_say_at_once_is_numbered_without_a_hole() {
    let (store, home) = store().await;
    let other = open(&home).await;
    let one = alert(1, NOW);
    store.save_alert(&one).await.unwrap();
    let resolved = Alert { state: AlertState::Resolved, resolved: Some(NOW + 1), ..one.clone() };
    let mut voices = tokio::task::JoinSet::new();
    for n in 0..40 {
        let (store, resolved) = (if n % 2 == 0 { store.clone() } else { other.clone() }, resolved.clone());
        voices.spawn(async move {
            match n % 4 {
                0 | 1 => assert!(store.append_alert_event(one.id, NOW, Commented, None, None).await.unwrap().is_some()),
                2 => assert!(store.assign_alert(one.id, Some("bob"), "ada", NOW).await.unwrap()),
                _ => assert_eq!(store.save_alert(&resolved).await.unwrap(), resolved),
            }
        });
    }
    voices.join_all().await;
    let numbers: Vec<_> = store.alert_events(one.id, 0, 100).await.unwrap().iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=32).collect::<Vec<_>>(), "opened, 20 comments, 10 times assigned, resolved once");
}

#[tokio::test]
async fn alerts_of_a_vehicle_come_in_pages_newest_first() {
    let (store, _home) = store().await;
    let alerts: Vec<_> = (1..=4).map(|n| alert(n, NOW + n as i64 / 2)).collect();
    store.save_alerts(&alerts).await.unwrap();
    store.save_alert(&Alert { vin: fiesta(), ..alert(5, NOW) }).await.unwrap();
    let page = store.vehicle_alerts(golf(), None, 3).await.unwrap();
    assert_eq!(page, [alerts[3].clone(), alerts[2].clone(), alerts[1].clone()]);
    let rest = store.vehicle_alerts(golf(), Some((page[2].opened, page[2].id)), 3).await.unwrap();
    assert_eq!(rest, alerts[..1]);
}
