//! Alerts that are told again, and people who see to them at the same time as the notifier.

use bugbrother_store::{AlertEventKind, Escalation, Handling, Held, Store};
use bugbrother_wire::{
    AlertId,
    message::{Alert, AlertState, Severity},
};

use crate::{
    face::alert,
    fleet::{NOW, fiesta, open, store},
    lease::hold,
};

use AlertEventKind::{Acknowledged, Assigned, Commented, Escalated, Opened, Resolved, Snoozed};

const MINUTE: i64 = 60_000;

fn critical(n: u128) -> Alert {
    Alert { severity: Severity::Critical, ..alert(n, NOW) }
}

async fn kinds(store: &Store, id: AlertId) -> Vec<AlertEventKind> {
    store.alert_events(id, 0, 100).await.unwrap().into_iter().map(|event| event.kind).collect()
}

async fn escalated(store: &Store, held: &Held, now: i64) -> Vec<AlertId> {
    let told = store.escalate_alerts(held, &Escalation::default(), now).await.unwrap();
    told.into_iter().map(|alert| alert.id).collect()
}

#[tokio::test]
async fn a_critical_alert_that_nobody_sees_to_is_told_again_after_five_minutes_and_once() {
    let (store, _home) = store().await;
    let held = hold(&store, "a").await;
    let open = critical(1);
    store.save_alerts(&[open.clone(), alert(2, NOW)]).await.unwrap();
    assert!(escalated(&store, &held, NOW + 5 * MINUTE - 1).await.is_empty());
    let told = store.escalate_alerts(&held, &Escalation::default(), NOW + 5 * MINUTE).await.unwrap();
    assert_eq!(told, [Alert { updated: NOW + 5 * MINUTE, ..open.clone() }], "its severity stays");
    assert!(escalated(&store, &held, NOW + 50 * MINUTE).await.is_empty());
    assert_eq!(kinds(&store, open.id).await, [Opened, Escalated]);
    // Taken on and given back: it is not told a second time.
    store.acknowledge_alert(open.id, "ada", NOW + 51 * MINUTE).await.unwrap();
    store.unacknowledge_alert(open.id, "ada", NOW + 52 * MINUTE).await.unwrap();
    assert!(escalated(&store, &held, NOW + 99 * MINUTE).await.is_empty());
    let warnings = Escalation { critical_minutes: None, warning_minutes: Some(30) };
    let told = store.escalate_alerts(&held, &warnings, NOW + 99 * MINUTE).await.unwrap();
    assert_eq!(told.iter().map(|alert| alert.id.0.as_u128()).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn what_somebody_sees_to_what_rests_what_is_over_and_what_another_holds_is_left_alone() {
    let (store, _home) = store().await;
    let held = hold(&store, "a").await;
    let alerts: Vec<_> = (1..=4).map(critical).collect();
    store.save_alerts(&alerts).await.unwrap();
    store.acknowledge_alert(alerts[0].id, "ada", NOW).await.unwrap();
    store.snooze_alert(alerts[1].id, Some(NOW + 60 * MINUTE), "ada", NOW).await.unwrap();
    let over = Alert { state: AlertState::Resolved, resolved: Some(NOW), ..alerts[2].clone() };
    store.save_alert(&over).await.unwrap();
    store.save_alert(&Alert { vin: fiesta(), ..critical(5) }).await.unwrap();
    let mut part = held.clone();
    part.fences.remove(&bugbrother_store::shard_of(fiesta()));
    assert_eq!(escalated(&store, &part, NOW + 6 * MINUTE).await, [alerts[3].id]);
    store.leave("a").await.unwrap();
    assert!(escalated(&store, &held, NOW + 6 * MINUTE).await.is_empty(), "who has lost a vehicle tells nothing of it");
}

#[tokio::test]
async fn a_rest_that_is_over_raises_the_alert_anew_and_then_its_time_counts() {
    let (store, _home) = store().await;
    let held = hold(&store, "a").await;
    let (open, seen_to) = (critical(1), critical(2));
    store.save_alerts(&[open.clone(), seen_to.clone()]).await.unwrap();
    let until = NOW + 60 * MINUTE;
    for id in [open.id, seen_to.id] {
        store.snooze_alert(id, Some(until), "ada", NOW + MINUTE).await.unwrap();
    }
    store.acknowledge_alert(seen_to.id, "bob", NOW + 2 * MINUTE).await.unwrap();
    assert!(store.wake_alerts(&held, until - 1).await.unwrap().is_empty());
    assert_eq!(store.wake_alerts(&held, until).await.unwrap().len(), 2);
    assert!(store.wake_alerts(&held, until + 1).await.unwrap().is_empty());
    assert_eq!(kinds(&store, open.id).await, [Opened, Snoozed, Opened]);
    let quiet = store.alert_events(seen_to.id, 0, 10).await.unwrap().pop().unwrap();
    assert_eq!((quiet.kind, quiet.by, quiet.text), (Snoozed, None, None), "who sees to it need not be told");
    assert_eq!(store.alert_handling(open.id).await.unwrap(), Some(Handling::default()));
    assert!(escalated(&store, &held, until + 5 * MINUTE - 1).await.is_empty());
    assert_eq!(escalated(&store, &held, until + 5 * MINUTE).await, [open.id]);
}

#[tokio::test]
async fn many_who_look_at_once_tell_each_alert_once() {
    let (store, home) = store().await;
    let held = hold(&store, "a").await;
    let other = open(&home).await;
    let alerts: Vec<_> = (1..=20).map(critical).collect();
    store.save_alerts(&alerts).await.unwrap();
    for alert in &alerts[10..] {
        store.snooze_alert(alert.id, Some(NOW + MINUTE), "ada", NOW).await.unwrap();
    }
    let now = NOW + 5 * MINUTE;
    let mut voices = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (store, held) = (if n % 2 == 0 { store.clone() } else { other.clone() }, held.clone());
        voices.spawn(async move {
            let woken = store.wake_alerts(&held, now).await.unwrap();
            woken.len() + store.escalate_alerts(&held, &Escalation::default(), now).await.unwrap().len()
        });
    }
    assert_eq!(voices.join_all().await.iter().sum::<usize>(), 20);
    for (n, alert) in alerts.iter().enumerate() {
        let expected = if n < 10 { vec![Opened, Escalated] } else { vec![Opened, Snoozed, Opened] };
        assert_eq!(kinds(&store, alert.id).await, expected);
    }
}

#[tokio::test]
async fn the_setting_is_bounded() {
    let (store, _home) = store().await;
    for wrong in [0, 1441] {
        let wrong = Escalation { critical_minutes: None, warning_minutes: Some(wrong) };
        store.save_setting(&wrong, None, NOW).await.unwrap_err();
    }
    let wanted = Escalation { critical_minutes: Some(1), warning_minutes: Some(1440) };
    store.save_setting(&wanted, None, NOW).await.unwrap();
    assert_eq!(store.setting::<Escalation>().await.unwrap(), wanted);
}

/// What people and the notifier do to an alert.
#[derive(Debug, Clone, Copy)]
enum Doing {
    Assign,
    Rest,
    Comment,
    Acknowledge,
    Worsen,
}

const DOINGS: [Doing; 5] = [Doing::Assign, Doing::Rest, Doing::Comment, Doing::Acknowledge, Doing::Worsen];

async fn act(store: &Store, held: &Held, open: &Alert, doing: Doing) {
    let id = open.id;
    match doing {
        Doing::Assign => assert!(store.assign_alert(id, Some("bob"), "ada", NOW + 1).await.unwrap()),
        Doing::Rest => assert!(store.snooze_alert(id, Some(NOW + MINUTE), "ada", NOW + 2).await.unwrap()),
        Doing::Comment => {
            let number = store.append_alert_event(id, NOW + 3, Commented, Some("ada"), Some("called")).await.unwrap();
            assert!(number.is_some());
        }
        Doing::Acknowledge => assert!(store.acknowledge_alert(id, "ada", NOW + 4).await.unwrap().is_some()),
        // The notifier knows of none of that.
        Doing::Worsen => {
            let worse = Alert { count: 2, value: Some(155.0), updated: NOW + 5, ..open.clone() };
            assert!(store.save_judgement(held, &[worse], &[], NOW).await.unwrap()[0].is_some());
        }
    }
}

/// All of it is there, whatever came first.
async fn look(store: &Store, id: AlertId, order: &[Doing]) {
    let record = store.alert(id).await.unwrap().unwrap();
    let handling = Handling { assigned_to: Some("bob".into()), snoozed_until: Some(NOW + MINUTE) };
    assert_eq!(record.handling, handling, "{order:?}");
    let Alert { state, acknowledged_by, count, value, .. } = record.alert;
    assert_eq!((state, acknowledged_by.as_deref()), (AlertState::Acknowledged, Some("ada")), "{order:?}");
    assert_eq!((count, value), (2, Some(155.0)), "{order:?}");
    let history = store.alert_events(id, 0, 10).await.unwrap();
    let numbers: Vec<_> = history.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=5).collect::<Vec<_>>(), "{order:?}");
    for kind in [Opened, Assigned, Snoozed, Commented, Acknowledged] {
        assert_eq!(history.iter().filter(|event| event.kind == kind).count(), 1, "{kind:?} in {order:?}");
    }
}

fn orders(rest: &[Doing]) -> Vec<Vec<Doing>> {
    if rest.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for n in 0..rest.len() {
        let mut others = rest.to_vec();
        let first = others.remove(n);
        all.extend(orders(&others).into_iter().map(|mut order| {
            order.insert(0, first);
            order
        }));
    }
    all
}

#[tokio::test]
async fn people_and_the_notifier_never_overwrite_each_other_in_whatever_order() {
    let (store, _home) = store().await;
    let held = hold(&store, "a").await;
    let orders = orders(&DOINGS);
    assert_eq!(orders.len(), 120);
    for (n, order) in orders.iter().enumerate() {
        let open = alert(n as u128, NOW);
        store.save_judgement(&held, std::slice::from_ref(&open), &[], NOW).await.unwrap();
        for doing in order {
            act(&store, &held, &open, *doing).await;
        }
        look(&store, open.id, order).await;
        // The cause is gone: that ends all, and takes nothing away.
        let end = Alert { state: AlertState::Resolved, resolved: Some(NOW + 9), count: 2, ..open.clone() };
        store.save_judgement(&held, &[end], &[], NOW).await.unwrap();
        assert_eq!(kinds(&store, open.id).await.last(), Some(&Resolved));
        assert!(store.wake_alerts(&held, NOW + 2 * MINUTE).await.unwrap().is_empty());
        let handling = store.alert_handling(open.id).await.unwrap().unwrap();
        assert_eq!(handling.assigned_to.as_deref(), Some("bob"));
    }
}

#[tokio::test]
async fn people_and_the_notifier_never_overwrite_each_other_at_the_same_time() {
    let (store, home) = store().await;
    let held = hold(&store, "a").await;
    let other = open(&home).await;
    for n in 0..10 {
        let one = alert(n, NOW);
        store.save_judgement(&held, std::slice::from_ref(&one), &[], NOW).await.unwrap();
        let mut voices = tokio::task::JoinSet::new();
        for doing in DOINGS {
            let store = if matches!(doing, Doing::Worsen) { store.clone() } else { other.clone() };
            let (held, one) = (held.clone(), one.clone());
            voices.spawn(async move { act(&store, &held, &one, doing).await });
        }
        voices.join_all().await;
        look(&store, one.id, &DOINGS).await;
    }
}
