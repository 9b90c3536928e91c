//! Notifiers that share the vehicles, and what a notifier that has lost some can still do: nothing.

use std::collections::{BTreeMap, BTreeSet};

use bugbrother_store::{AlertEventKind, Held, SHARDS, Store, shard_of};
use bugbrother_wire::{
    AlertId, Vin,
    message::{Alert, AlertState},
};
use uuid::Uuid;

use crate::{
    face::alert,
    fleet::{NOW, fiesta, golf, open, store},
};

/// Takes what is free, as `id`.
pub async fn hold(store: &Store, id: &str) -> Held {
    let (_, leases) = store.beat(id).await.unwrap();
    let free: Vec<_> =
        leases.iter().filter(|lease| lease.holder.is_none()).map(|lease| (lease.shard, lease.fence)).collect();
    Held { holder: id.into(), fences: store.take_leases(id, &free).await.unwrap() }
}

#[test]
fn vehicles_are_spread_over_the_shards_and_stay_where_they_are() {
    assert_eq!([golf(), fiesta()].map(shard_of), [29, 35], "another number would have two notifiers look after them");
    let mut vehicles = [0; SHARDS as usize];
    for n in 0..6_400 {
        let vin: Vin = format!("WVWZZZ1JZ3W{n:06}").parse().unwrap();
        vehicles[usize::from(shard_of(vin))] += 1;
    }
    assert!(vehicles.iter().all(|count| (60..=140).contains(count)), "{vehicles:?}");
}

#[tokio::test]
async fn each_shard_has_one_holder_and_changes_hands_once() {
    let (store, home) = store().await;
    let (peers, leases) = store.beat("a").await.unwrap();
    assert_eq!((peers.len(), peers[0].beat, leases.len()), (1, 1, usize::from(SHARDS)));
    let seen: Vec<_> = leases.iter().map(|lease| (lease.shard, lease.fence)).collect();
    // Two see the same and take it at the same time.
    let other = open(&home).await;
    let (one, two) = tokio::join!(store.take_leases("a", &seen), other.take_leases("b", &seen));
    let (one, two) = (one.unwrap(), two.unwrap());
    let both: BTreeSet<_> = one.keys().chain(two.keys()).copied().collect();
    assert_eq!((one.len() + two.len(), both), (usize::from(SHARDS), (0..SHARDS).collect()));
    assert!(store.take_leases("c", &seen).await.unwrap().is_empty(), "what they saw is past");
    let (_, leases) = store.beat("b").await.unwrap();
    let has = |shard: u8, held: &BTreeMap<u8, i64>, id: &str| {
        let lease = &leases[usize::from(shard)];
        held.get(&shard).is_none_or(|fence| (lease.holder.as_deref(), lease.fence) == (Some(id), *fence))
    };
    assert!((0..SHARDS).all(|shard| has(shard, &one, "a") && has(shard, &two, "b")));
}

#[tokio::test]
async fn who_leaves_gives_everything_up_and_who_is_dead_is_forgotten() {
    let (store, _home) = store().await;
    let held = hold(&store, "a").await;
    assert_eq!(held.fences.len(), usize::from(SHARDS));
    store.give_leases(&held, &[3, 4]).await.unwrap();
    assert_eq!(hold(&store, "b").await.fences.keys().copied().collect::<Vec<_>>(), [3, 4]);
    let (peers, _) = store.beat("b").await.unwrap();
    store.forget_peer(&peers[0]).await.unwrap();
    assert_eq!(store.beat("b").await.unwrap().0.len(), 2, "one that holds something is not forgotten");
    store.leave("a").await.unwrap();
    let (peers, leases) = store.beat("b").await.unwrap();
    assert_eq!((peers.len(), leases.iter().filter(|lease| lease.holder.is_none()).count()), (1, 62));
    store.give_leases(&held, &[3, 4]).await.unwrap();
    assert_eq!(hold(&store, "c").await.fences.len(), 62, "nobody gives what is another's");
    let (peers, _) = store.beat("d").await.unwrap();
    let old = peers.iter().find(|peer| peer.id == "d").unwrap();
    store.beat("d").await.unwrap();
    store.forget_peer(old).await.unwrap();
    assert!(store.beat("b").await.unwrap().0.iter().any(|peer| peer.id == "d"), "it has beaten meanwhile");
}

#[tokio::test]
async fn a_notifier_that_wakes_up_after_others_took_over_changes_nothing() {
    let (store, _home) = store().await;
    let paused = hold(&store, "a").await;
    let open = alert(1, NOW);
    assert_eq!(
        store.save_judgement(&paused, std::slice::from_ref(&open), &[], NOW).await.unwrap(),
        [Some(open.clone())]
    );
    // The vehicle's shard is another's now; the rest is still its own.
    let shard = shard_of(golf());
    let taken = store.take_leases("b", &[(shard, paused.fences[&shard])]).await.unwrap();
    let holder = Held { holder: "b".into(), fences: taken };
    let resolved = Alert { state: AlertState::Resolved, resolved: Some(NOW + 9), ..open.clone() };
    let new = alert(2, NOW + 1);
    let elsewhere = Alert { vin: fiesta(), ..alert(3, NOW + 2) };
    let saved =
        store.save_judgement(&paused, &[resolved.clone(), new.clone(), elsewhere.clone()], &[], NOW).await.unwrap();
    assert_eq!(saved, [None, None, Some(elsewhere.clone())]);
    assert_eq!(store.active_alerts(10).await.unwrap(), [open.clone(), elsewhere.clone()]);
    assert_eq!(store.alert_events(open.id, 0, 10).await.unwrap().len(), 1);
    // Nor does it with a number of its own that is past.
    store.give_leases(&holder, &[shard]).await.unwrap();
    let again = store.take_leases("a", &[(shard, holder.fences[&shard] + 1)]).await.unwrap();
    assert_eq!(store.save_judgement(&paused, std::slice::from_ref(&new), &[], NOW).await.unwrap(), [None]);
    let again = Held { holder: "a".into(), fences: again };
    assert_eq!(
        store.save_judgement(&again, std::slice::from_ref(&resolved), &[], NOW).await.unwrap(),
        [Some(resolved)]
    );
}

#[tokio::test]
async fn a_shard_that_changes_hands_during_a_save_is_saved_by_one_of_the_two() {
    let (store, home) = store().await;
    let other = open(&home).await;
    let shard = shard_of(golf());
    let mut held = hold(&store, "0").await;
    for n in 1..=30_u128 {
        let fence = held.fences[&shard];
        let next = n.to_string();
        let one = Alert { rule: "fast".into(), ..alert(n, NOW + n as i64) };
        let seen = [(shard, fence)];
        let (saved, taken) = tokio::join!(
            store.save_judgement(&held, std::slice::from_ref(&one), &[], NOW),
            other.take_leases(&next, &seen)
        );
        let (saved, taken) = (saved.unwrap(), taken.unwrap());
        assert_eq!(taken[&shard], fence + 1);
        held = Held { holder: next, fences: taken };
        let mine = Alert { rule: "fast".into(), ..alert(1000 + n, NOW + n as i64) };
        let taken_over = store.save_judgement(&held, std::slice::from_ref(&mine), &[], NOW).await.unwrap();
        let expected = if saved[0].is_some() { one.id } else { mine.id };
        let active = store.active_alerts(10).await.unwrap();
        assert_eq!(active.iter().map(|alert| alert.id).collect::<Vec<_>>(), [expected]);
        assert_eq!(taken_over[0].as_ref().map(|alert| alert.id), Some(expected));
        let end = Alert { state: AlertState::Resolved, resolved: Some(NOW), ..active[0].clone() };
        store.save_judgement(&held, &[end], &[], NOW).await.unwrap();
    }
}

#[tokio::test]
async fn a_rule_has_one_active_alert_of_a_vehicle_and_the_second_is_said_of_the_first() {
    let (store, _home) = store().await;
    let first = Alert { count: 2, ..alert(1, NOW) };
    let second =
        Alert { id: AlertId(Uuid::from_u128(2)), value: Some(155.0), updated: NOW + 5, count: 1, ..first.clone() };
    store.save_alert(&first).await.unwrap();
    store.acknowledge_alert(first.id, "ada", NOW + 1).await.unwrap();
    let stored = store.save_alert(&second).await.unwrap();
    let expected = Alert {
        id: first.id,
        count: 3,
        state: AlertState::Acknowledged,
        acknowledged_by: Some("ada".into()),
        ..second.clone()
    };
    assert_eq!(stored, expected);
    assert_eq!(store.active_alerts(10).await.unwrap(), [expected]);
    let other = Alert { vin: fiesta(), ..second.clone() };
    assert_eq!(store.save_alert(&other).await.unwrap(), other, "another vehicle has its own");
    // Who knows it by another name resolves it all the same.
    let end = Alert { state: AlertState::Resolved, resolved: Some(NOW + 9), id: AlertId(Uuid::from_u128(3)), ..second };
    assert_eq!(store.save_alert(&end).await.unwrap().id, first.id);
    let kinds: Vec<_> =
        store.alert_events(first.id, 0, 10).await.unwrap().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [AlertEventKind::Opened, AlertEventKind::Acknowledged, AlertEventKind::Resolved]);
    let anew = alert(1, NOW + 20);
    let anew = Alert { id: AlertId(Uuid::from_u128(4)), ..anew };
    assert_eq!(store.save_alert(&anew).await.unwrap(), anew, "and then there may be one again");
}

#[tokio::test]
async fn who_raise_the_same_alert_at_once_raise_one() {
    let (store, home) = store().await;
    let other = open(&home).await;
    let mut voices = tokio::task::JoinSet::new();
    for n in 0..24 {
        let store = if n % 2 == 0 { store.clone() } else { other.clone() };
        voices
            .spawn(async move { store.save_alert(&Alert { rule: "fast".into(), ..alert(n, NOW) }).await.unwrap().id });
    }
    let ids: BTreeSet<_> = voices.join_all().await.into_iter().collect();
    let active = store.active_alerts(100).await.unwrap();
    assert_eq!((active.len(), active[0].count, ids), (1, 24, BTreeSet::from([active[0].id])));
    assert_eq!(store.alert_events(active[0].id, 0, 100).await.unwrap().len(), 1);
}
