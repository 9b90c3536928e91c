//! Listeners with settings of their own.

use std::{fs, path::Path};

use bugbrother_broker::Limits;
use bugbrother_mosquitto_compat::{PasswordFile, conf};

use tokio::time::timeout;

use crate::kit::{Broker, CAR, Connect, OTHER_CAR, PATIENCE, Raw, listener, of};

/// Besides the usual door: one for a user of its own, one that is open with rules, one that is open to everything, and
/// one that nobody is let in by.
async fn broker(limits: Limits) -> Broker {
    Broker::with_doors(limits, |folder, access| {
        let open = conf::Access { password_file: None, acl_file: Some(rules(folder)), allow_anonymous: true };
        let wide = conf::Access { acl_file: None, ..open.clone() };
        let shut = conf::Access { allow_anonymous: false, ..wide.clone() };
        let own = conf::Access { password_file: Some(users(folder)), ..access };
        [own, open, wide, shut].map(listener).to_vec()
    })
    .await
}

fn users(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("others");
    let mut file = PasswordFile::default();
    file.set_with("guest", "secret", 1).unwrap();
    file.set_with("free", "another", 1).unwrap();
    file.save(&path).unwrap();
    path
}

fn rules(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("open.acl");
    fs::write(&path, "topic read news/#\nuser bob\ntopic readwrite bob/#\npattern write by/%u/%c\n").unwrap();
    path
}

async fn at(broker: &Broker, door: usize) -> Raw {
    Raw::open(broker.doors[door]).await
}

#[tokio::test]
async fn each_listener_has_users_and_rules_of_its_own() {
    let mut broker = broker(Limits::default()).await;
    for version in [4, 5] {
        let (wrong, unwanted) = if version == 5 { (0x86, 0x87) } else { (4, 5) };
        let free = || Connect::new(version, "x", "free");
        assert_eq!(at(&broker, 0).await.code(free()).await, Some(wrong));
        assert_eq!(at(&broker, 0).await.code(free().password("another")).await, Some(0));
        assert_eq!(broker.socket().await.code(free().password("another")).await, Some(wrong));
        assert_eq!(broker.socket().await.code(Connect::new(version, "x", "guest")).await, Some(wrong));
        assert_eq!(at(&broker, 0).await.code(Connect::new(version, "x", "guest")).await, Some(0));
        assert_eq!(at(&broker, 0).await.code(free().anonymous()).await, Some(unwanted));
        assert_eq!(at(&broker, 3).await.code(free().anonymous()).await, Some(unwanted));
        assert_eq!(at(&broker, 3).await.code(free()).await, Some(unwanted));
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_client_without_a_name_gets_what_the_rules_say_of_it() {
    let mut broker = broker(Limits::default()).await;
    let mut free = broker.client(5, "free", "free").await;
    free.subscribe("#", 1).await;
    let mut nobody = at(&broker, 1).await.welcomed(Connect::new(5, "nobody", "").anonymous()).await;
    assert_eq!(nobody.subscribe("news/#", 1).await, 1);
    assert_eq!(nobody.subscribe("bob/#", 1).await, 0x87);
    assert_eq!(nobody.publish("news/today", b"x", 1).await, 0x87);
    let mut bob = at(&broker, 1).await.welcomed(Connect::new(5, "own", "bob").password("any")).await;
    assert_eq!(bob.publish("bob/says", b"hello", 1).await, 0);
    assert_eq!(bob.publish("by/bob/own", b"hello", 1).await, 0);
    assert_eq!(bob.publish("by/bob/other", b"hello", 1).await, 0x87);
    assert_eq!(free.message().await.topic, "bob/says");
    assert_eq!(free.message().await.topic, "by/bob/own");
    let mut anybody = at(&broker, 2).await.welcomed(Connect::new(5, "anybody", "").anonymous()).await;
    assert_eq!(anybody.subscribe("#", 1).await, 1);
    assert_eq!(anybody.publish("anything/at/all", b"x", 1).await, 0);
    assert_eq!(free.message().await.topic, "anything/at/all");
    broker.sings().await;
}

#[tokio::test]
async fn a_name_that_anybody_may_claim_takes_nothing_from_who_has_proven_it() {
    let limits = Limits { connections_per_user: 2, retained_messages_per_user: 2, ..Limits::default() };
    let mut broker = broker(limits).await;
    let mut real = broker.client(5, CAR, CAR).await;
    let mut claims = Vec::new();
    for id in [CAR, "1", "2", "3"] {
        let mut claim = at(&broker, 2).await.welcomed(Connect::new(5, id, CAR)).await;
        claim.retain(&format!("claimed/{id}"), b"x").await;
        claims.push(claim);
    }
    // Neither taken over, nor without a place for another client and a retained message.
    real.ping().await;
    assert_eq!(real.retain(&of(CAR, "up/birth"), b"mine").await, 0);
    broker.client(5, "another", CAR).await.ping().await;
    let mut ingest = broker.client(5, "ingest", "ingest").await;
    ingest.subscribe("fleet/v1/+/up/#", 1).await;
    assert_eq!(ingest.message().await.payload, b"mine");
    broker.sings().await;
}

#[tokio::test]
async fn clients_without_a_name_share_the_places_of_their_address() {
    // One of the places is the canary's, and one the newcomer's who hears it sing.
    let mut broker = broker(Limits { connections_per_address: 4, connections_per_user: 2, ..Limits::default() }).await;
    let mut clients = Vec::new();
    for id in ["a", "b"] {
        clients.push(at(&broker, 2).await.welcomed(Connect::new(5, id, "").anonymous()).await);
    }
    broker.sings().await;
    let last = async {
        loop {
            let mut raw = at(&broker, 2).await;
            if raw.offer(Connect::new(5, "c", "").anonymous()).await.unwrap().1[1] == 0 {
                return raw;
            }
        }
    };
    let _last = timeout(PATIENCE, last).await.expect("the newcomer's place becomes free");
    assert_eq!(at(&broker, 2).await.code(Connect::new(5, "d", "").anonymous()).await, Some(0x89));
    for client in &mut clients {
        client.ping().await;
    }
}

#[tokio::test]
async fn a_client_without_a_name_takes_over_its_own_session() {
    let mut broker = broker(Limits::default()).await;
    let nobody = |id: &str| Connect::new(5, id, "").anonymous();
    let mut first = at(&broker, 2).await.welcomed(nobody("a")).await;
    let mut other = at(&broker, 2).await.welcomed(nobody("b")).await;
    at(&broker, 1).await.welcomed(nobody("a")).await.ping().await;
    assert_eq!(first.ends().await, Some((0xE0, vec![0x8E, 0])));
    other.ping().await;
    broker.sings().await;
}

#[tokio::test]
async fn with_the_user_name_for_the_identifier_no_rule_takes_a_user_for_another() {
    let mut broker = Broker::with_doors(Limits::default(), |folder, access| {
        let acl = folder.join("by_identifier.acl");
        fs::write(&acl, "pattern write fleet/v1/%c/up/#\npattern read fleet/v1/%c/down/#\n").unwrap();
        let own = listener(conf::Access { acl_file: Some(acl.clone()), ..access });
        let open = conf::Access { password_file: None, acl_file: Some(acl), allow_anonymous: true };
        let named = conf::Listener { username_as_client_id: true, ..own.clone() };
        vec![named, own, conf::Listener { username_as_client_id: true, ..listener(open) }]
    })
    .await;
    for version in [4, 5] {
        let refused = |code| if version == 5 { code } else { 0 };
        let mut first = at(&broker, 0).await.welcomed(Connect::new(version, OTHER_CAR, CAR)).await;
        let mut second = at(&broker, 0).await.welcomed(Connect::new(version, "another", CAR)).await;
        for client in [&mut first, &mut second] {
            assert_eq!(client.publish(&of(CAR, "up/status"), b"mine", 1).await, 0);
            assert_eq!(client.publish(&of(OTHER_CAR, "up/status"), b"forged", 1).await, refused(0x87));
            assert_eq!(client.subscribe(&of(CAR, "down/#"), 1).await, 1);
            assert!(client.subscribe(&of(OTHER_CAR, "down/#"), 1).await >= 0x80);
        }
        let forged = Connect::new(version, OTHER_CAR, CAR).will(&of(OTHER_CAR, "up/status"), b"offline", 8);
        assert_ne!(at(&broker, 0).await.code(forged).await, Some(0));
        // Where it is not asked for, a rule believes what the client calls itself, as in Mosquitto.
        let mut as_it_says = at(&broker, 1).await.welcomed(Connect::new(version, OTHER_CAR, CAR)).await;
        assert_eq!(as_it_says.publish(&of(OTHER_CAR, "up/status"), b"as told", 1).await, 0);
        let unwanted = if version == 5 { 0x87 } else { 5 };
        assert_eq!(at(&broker, 2).await.code(Connect::new(version, "x", "").anonymous()).await, Some(unwanted));
    }
    broker.sings().await;
}
