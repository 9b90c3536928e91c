//! Channels, and steps of alerts on their way into them.

use bugbrother_store::{
    Channel, ChannelSettings, Claim, DeliveryFilter, MAX_CHANNELS, NewDelivery, Posting, Store, User,
};
use bugbrother_wire::{
    AlertId, ChannelId,
    api::{Attention, ChannelKind, DeliveryState, DeliveryStep, Digest, Role},
    message::{Alert, AlertState, Severity},
};
use uuid::Uuid;

use crate::{
    face::alert,
    fleet::{NOW, golf, open, store},
};

const LEASE: i64 = 30_000;

fn channel(n: u128, account: Option<&str>) -> Channel {
    Channel {
        id: ChannelId(Uuid::from_u128(n)),
        account: account.map(str::to_owned),
        kind: ChannelKind::Webhook,
        label: format!("hook {n}"),
        settings: ChannelSettings {
            target: "https://example.org/hook".into(),
            severities: vec![Severity::Warning, Severity::Critical],
            ..ChannelSettings::default()
        },
        has_secret: true,
        enabled: true,
        created: NOW,
        failing: None,
    }
}

async fn with_ada(store: &Store) {
    let ada = User { name: "ada".into(), password_hash: "hash".into(), role: Role::Operator };
    store.add_user(&ada, NOW).await.unwrap();
}

fn new(channel: &Channel, due: i64, bundle: Option<&str>) -> NewDelivery {
    NewDelivery {
        channel: channel.id,
        step: DeliveryStep::Opened,
        rule: "fast".into(),
        vin: golf(),
        bundle: bundle.map(str::to_owned),
        due,
    }
}

/// An alert whose opening is told to a channel.
async fn raise(store: &Store, n: u128, deliveries: Vec<NewDelivery>) -> AlertId {
    // A rule has one active alert of a vehicle.
    let alert = Alert { rule: format!("rule {n}"), ..alert(n, NOW) };
    store.save_alert(&alert).await.unwrap();
    let posting = Posting { alert: alert.id, number: 1, deliveries };
    assert_eq!(store.post(&[posting], NOW).await.unwrap(), 1);
    alert.id
}

async fn claim(store: &Store, channel: &Channel, by: &str, now: i64) -> Option<Claim> {
    store.claim(channel.id, by, now, now + LEASE).await.unwrap()
}

#[tokio::test]
async fn a_channel_is_its_owners_alone_and_what_opens_it_is_not_shown() {
    let (store, _home) = store().await;
    with_ada(&store).await;
    let (own, fleet) = (channel(1, Some("ada")), channel(2, None));
    assert!(store.add_channel(&own, Some("swordfish")).await.unwrap());
    assert!(store.add_channel(&fleet, None).await.unwrap());
    assert_eq!(store.channels(Some("ada")).await.unwrap(), std::slice::from_ref(&own));
    assert_eq!(store.channels(None).await.unwrap(), [Channel { has_secret: false, ..fleet.clone() }]);
    assert!(store.channels(Some("bob")).await.unwrap().is_empty());
    assert!(!format!("{:?}", store.channel(own.id).await.unwrap()).contains("swordfish"));
    assert_eq!(store.channel_secret(own.id).await.unwrap().as_deref(), Some("swordfish"));

    // Without a new secret the present one stays; of another's nothing is changed.
    let renamed = Channel { label: "phone".into(), enabled: false, ..own.clone() };
    assert!(store.update_channel(&renamed, None).await.unwrap());
    assert_eq!(store.channel_secret(own.id).await.unwrap().as_deref(), Some("swordfish"));
    assert!(
        !store.update_channel(&Channel { account: Some("bob".into()), ..renamed.clone() }, Some("x")).await.unwrap()
    );
    assert!(!store.update_channel(&Channel { account: None, ..renamed.clone() }, Some("x")).await.unwrap());
    assert_eq!(store.channel(own.id).await.unwrap(), Some(renamed));
    assert!(!store.delete_channel(Some("bob"), own.id).await.unwrap());
    assert!(!store.delete_channel(None, own.id).await.unwrap());
    assert!(store.delete_channel(Some("ada"), own.id).await.unwrap());
    assert_eq!(store.channel(own.id).await.unwrap(), None);
}

#[tokio::test]
async fn nobody_has_more_channels_than_there_is_room_for() {
    let (store, _home) = store().await;
    with_ada(&store).await;
    for n in 0..MAX_CHANNELS {
        assert!(store.add_channel(&channel(u128::from(n), Some("ada")), None).await.unwrap());
        assert!(store.add_channel(&channel(1000 + u128::from(n), None), None).await.unwrap());
    }
    assert!(!store.add_channel(&channel(500, Some("ada")), None).await.unwrap());
    assert!(!store.add_channel(&channel(501, None), None).await.unwrap());
}

#[tokio::test]
async fn who_listens_is_told_with_when_and_whoever_may_not_sign_in_does_not() {
    let (store, _home) = store().await;
    with_ada(&store).await;
    let (own, fleet) = (channel(1, Some("ada")), channel(2, None));
    store.add_channel(&own, None).await.unwrap();
    store.add_channel(&fleet, None).await.unwrap();
    store.add_channel(&Channel { enabled: false, ..channel(3, None) }, None).await.unwrap();
    assert_eq!(store.attention("ada").await.unwrap(), Attention::default());
    let attention =
        Attention { digest: Digest::Daily, time_zone: Some("Europe/Zurich".into()), ..Attention::default() };
    store.save_attention("ada", &attention, NOW).await.unwrap();
    let heard = store.listeners(None, 10).await.unwrap();
    let names: Vec<_> = heard.iter().map(|one| (one.channel, one.person.as_ref().map(|p| p.name.as_str()))).collect();
    assert_eq!(names, [(own.id, Some("ada")), (fleet.id, None)]);
    assert_eq!(heard[0].person.as_ref().unwrap().attention, attention);
    assert_eq!(store.listeners(Some(own.id), 10).await.unwrap().len(), 1);
    store.disable_account("ada", NOW).await.unwrap();
    assert_eq!(store.listeners(None, 10).await.unwrap().len(), 1);
    store.delete_account("ada", NOW).await.unwrap();
    assert_eq!(store.channel(own.id).await.unwrap(), None, "channels go with their owner");
}

#[tokio::test]
async fn what_happens_to_an_alert_is_posted_once_with_who_is_told() {
    let (store, _home) = store().await;
    let hook = channel(1, None);
    store.add_channel(&hook, None).await.unwrap();
    let open = alert(1, NOW);
    store.save_alert(&open).await.unwrap();
    let unposted = store.unposted(10).await.unwrap();
    assert_eq!((unposted.len(), unposted[0].record.alert.id, unposted[0].event.number), (1, open.id, 1));
    let posting = Posting { alert: open.id, number: 1, deliveries: vec![new(&hook, NOW, None)] };
    // Two notifiers have looked at the same.
    assert_eq!(store.post(std::slice::from_ref(&posting), NOW).await.unwrap(), 1);
    assert_eq!(store.post(&[posting], NOW).await.unwrap(), 0);
    assert!(store.unposted(10).await.unwrap().is_empty());
    assert_eq!(store.deliveries(DeliveryFilter::default(), None, 10).await.unwrap().len(), 1);
    store.save_alert(&Alert { state: AlertState::Resolved, resolved: Some(NOW + 1), ..open.clone() }).await.unwrap();
    assert_eq!(store.unposted(10).await.unwrap()[0].event.number, 2);
    // A channel that is gone hears nothing, and is in nobody's way.
    let gone = Posting { alert: open.id, number: 2, deliveries: vec![new(&channel(9, None), NOW, None)] };
    assert_eq!(store.post(&[gone], NOW).await.unwrap(), 1);
    assert_eq!(store.deliveries(DeliveryFilter::default(), None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_is_claimed_by_one_until_its_lease_is_over() {
    let (store, home) = store().await;
    let other = open(&home).await;
    let hook = channel(1, None);
    store.add_channel(&hook, None).await.unwrap();
    let raised = raise(&store, 1, vec![new(&hook, NOW, None)]).await;
    assert_eq!(store.due_channels(NOW - 1, 10).await.unwrap(), []);
    assert_eq!(store.due_channels(NOW, 10).await.unwrap(), [hook.id]);
    let (mine, theirs) = tokio::join!(claim(&store, &hook, "a", NOW), claim(&other, &hook, "b", NOW));
    assert!(mine.is_some() != theirs.is_some(), "{mine:?} {theirs:?}");
    let first = mine.or(theirs).unwrap();
    assert_eq!((first.tries, first.deliveries[0].alert), (1, Some(raised)));
    assert!(store.due_channels(NOW + LEASE - 1, 10).await.unwrap().is_empty());
    assert_eq!(claim(&store, &hook, "c", NOW + LEASE - 1).await, None);

    // Whoever had it was killed. The message is the same, so that who got it all the same can tell.
    let again = claim(&store, &hook, "c", NOW + LEASE).await.unwrap();
    assert_eq!((again.tries, &again.message), (2, &first.message));
    assert!(!store.delivered(&first, "a", NOW).await.unwrap() && !store.delivered(&first, "b", NOW).await.unwrap());
    assert!(store.delivered(&again, "c", NOW + LEASE + 5).await.unwrap());
    assert!(!store.delivered(&again, "c", NOW + LEASE + 6).await.unwrap());
    assert_eq!(claim(&store, &hook, "d", NOW + 10 * LEASE).await, None);
    assert_eq!(store.told(raised).await.unwrap(), [hook.id]);
    let log = store.deliveries(DeliveryFilter { channel: Some(hook.id), state: None }, None, 10).await.unwrap();
    assert_eq!((log[0].state, log[0].sent, log[0].tries), (DeliveryState::Sent, Some(NOW + LEASE + 5), 2));
}

#[tokio::test]
async fn what_is_bundled_goes_in_one_message_and_nothing_is_added_to_one_that_was_tried() {
    let (store, _home) = store().await;
    let hook = channel(1, None);
    store.add_channel(&hook, None).await.unwrap();
    for n in 1..=3 {
        raise(&store, n, vec![new(&hook, NOW + 100, Some("storm fast"))]).await;
    }
    raise(&store, 4, vec![new(&hook, NOW + 100, Some("gathered"))]).await;
    raise(&store, 5, vec![new(&hook, NOW, None)]).await;
    let single = claim(&store, &hook, "a", NOW).await.unwrap();
    assert_eq!((single.deliveries.len(), single.bundle), (1, None));
    assert_eq!(claim(&store, &hook, "a", NOW).await, None, "the others are not due");
    let recent = store.recent(hook.id, "fast", DeliveryStep::Opened, NOW - 1, 10).await.unwrap();
    assert_eq!(recent.iter().filter(|one| one.gathers_until == Some(NOW + 100)).count(), 4);

    let storm = claim(&store, &hook, "a", NOW + 100).await.unwrap();
    assert_eq!((storm.deliveries.len(), storm.bundle.as_deref()), (3, Some("storm fast")));
    assert!(store.put_off(&storm, "a", "busy\n", NOW + 5_000).await.unwrap());
    raise(&store, 6, vec![new(&hook, NOW + 100, Some("storm fast"))]).await;
    let mut later = Vec::new();
    while let Some(next) = claim(&store, &hook, "a", NOW + 5_000).await {
        later.push((next.deliveries.len(), next.message == storm.message));
    }
    later.sort_unstable();
    assert_eq!(later, [(1, false), (1, false), (3, true)]);
    let log = store.deliveries(DeliveryFilter::default(), None, 10).await.unwrap();
    assert_eq!(log.iter().filter(|one| one.error.as_deref() == Some("busy")).count(), 3);
}

#[tokio::test]
async fn a_message_that_is_given_up_raises_one_alert_for_its_channel_until_that_works_again() {
    let (store, _home) = store().await;
    let hook = channel(1, None);
    store.add_channel(&hook, None).await.unwrap();
    for n in 1..=3 {
        raise(&store, n, vec![new(&hook, NOW, None)]).await;
    }
    let failing = |n| Alert { rule: "delivery".into(), ..alert(n, NOW) };
    let first = claim(&store, &hook, "a", NOW).await.unwrap();
    assert_eq!(store.give_up(&first, "a", "410", Some(&failing(101))).await.unwrap(), Some(failing(101)));
    let second = claim(&store, &hook, "a", NOW).await.unwrap();
    assert_eq!(store.give_up(&second, "a", "410", Some(&failing(102))).await.unwrap(), None);
    assert_eq!(store.channel(hook.id).await.unwrap().unwrap().failing, Some(failing(101).id));
    let raised: Vec<_> =
        store.active_alerts(10).await.unwrap().into_iter().filter(|one| one.rule == "delivery").collect();
    assert_eq!(raised.len(), 1);
    let dead = DeliveryFilter { channel: None, state: Some(DeliveryState::Dead) };
    assert_eq!(store.deliveries(dead, None, 10).await.unwrap().len(), 2);

    let over = Alert { state: AlertState::Resolved, resolved: Some(NOW + 1), ..failing(101) };
    assert!(!store.recover(hook.id, &Alert { id: failing(102).id, ..over.clone() }).await.unwrap());
    assert!(store.recover(hook.id, &over).await.unwrap());
    assert!(!store.recover(hook.id, &over).await.unwrap());
    assert_eq!(store.channel(hook.id).await.unwrap().unwrap().failing, None);
    assert!(store.active_alerts(10).await.unwrap().iter().all(|one| one.rule != "delivery"));
}

#[tokio::test]
async fn a_test_goes_through_the_same_queue_and_lists_come_in_pages() {
    let (store, _home) = store().await;
    let hook = channel(1, None);
    store.add_channel(&hook, None).await.unwrap();
    let test = store.test_channel(hook.id, NOW).await.unwrap();
    raise(&store, 1, vec![new(&hook, NOW, None)]).await;
    let claimed = claim(&store, &hook, "a", NOW).await.unwrap();
    assert_eq!((claimed.deliveries[0].id, claimed.deliveries[0].alert), (test, None));
    store.delivered(&claimed, "a", NOW + 1).await.unwrap();
    let record = store.delivery(test).await.unwrap().unwrap();
    assert_eq!((record.state, record.vin, record.delivery.step), (DeliveryState::Sent, None, DeliveryStep::Test));
    let first = store.deliveries(DeliveryFilter::default(), None, 1).await.unwrap();
    let place = (first[0].delivery.made, first[0].delivery.id);
    let second = store.deliveries(DeliveryFilter::default(), Some(place), 1).await.unwrap();
    assert_ne!(first[0].delivery.id, second[0].delivery.id);
    let place = (second[0].delivery.made, second[0].delivery.id);
    assert!(store.deliveries(DeliveryFilter::default(), Some(place), 1).await.unwrap().is_empty());
    let gone = store.erase_vehicle(golf(), "ada", NOW).await.unwrap();
    assert_eq!(gone.erased["delivery"], 1);
}
