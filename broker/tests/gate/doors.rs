//! Limits at the door.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bugbrother_broker::Limits;
use bugbrother_mosquitto_compat::{PasswordFile, conf};
use tokio::{
    task::{JoinSet, yield_now},
    time::timeout,
};

use crate::{
    authority::{Authority, mutual},
    kit::{Broker, CAR, Connect, OTHER_CAR, PATIENCE, Raw, listener},
    wires::{secure, trusting},
};

#[tokio::test]
async fn a_listener_has_as_many_clients_as_it_may_and_others_have_theirs() {
    let mut broker = Broker::with_doors(Limits::default(), |_, access| {
        vec![conf::Listener { max_connections: Some(1), ..listener(access) }]
    })
    .await;
    let connect = |version| Connect::new(version, "", "free");
    let first = Raw::open(broker.doors[0]).await.welcomed(connect(4)).await;
    for (version, busy) in [(4, 3), (5, 0x89)] {
        assert_eq!(Raw::open(broker.doors[0]).await.code(connect(version)).await, Some(busy));
        assert_eq!(broker.socket().await.code(connect(version)).await, Some(0));
    }
    drop(first);
    let free = async { while Raw::open(broker.doors[0]).await.code(connect(4)).await != Some(0) {} };
    timeout(PATIENCE, free).await.expect("the place becomes free");
    broker.sings().await;
}

#[tokio::test]
async fn a_keep_alive_that_is_too_long_is_shortened_or_refused() {
    let mut broker = Broker::with(Limits { keep_alive_s: 60, ..Limits::default() }).await;
    for (asked, told) in [(0, true), (61, true), (60, false), (1, false)] {
        let mut raw = broker.socket().await;
        let (_, connack) = raw.offer(Connect::new(5, "x", "free").keep_alive(asked)).await.unwrap();
        assert_eq!(connack[1], 0);
        assert_eq!(connack.windows(3).any(|bytes| bytes == [0x13, 0, 60]), told, "{asked}: {connack:x?}");
        let refused = broker.socket().await.code(Connect::new(4, "x", "free").keep_alive(asked)).await;
        assert_eq!(refused, Some(if told { 2 } else { 0 }), "{asked}");
    }
    broker.sings().await;
}

#[tokio::test]
async fn wrong_passwords_keep_out_only_whom_they_are_for() {
    let authority = Authority::new("ours");
    let server = authority.server("server");
    let limits = Limits { sign_in_failures_per_address: 3, ..Limits::default() };
    let mut broker = Broker::with_doors(limits, |folder, access| {
        let tls = mutual(folder, &authority, &server);
        let password_too = conf::Tls { use_identity_as_username: false, ..tls.clone() };
        [tls, password_too].map(|tls| conf::Listener { tls: Some(tls), ..listener(access.clone()) }).to_vec()
    })
    .await;
    broker.client(4, "known", CAR).await.ping().await;
    let wrong = || Connect::new(5, "guess", "free").password("guess");
    let mut codes = Vec::new();
    for _ in 0..5 {
        codes.push(broker.socket().await.code(wrong()).await.unwrap());
    }
    assert_eq!(codes, [0x86, 0x86, 0x86, 0x89, 0x89]);
    // Whoever was guessed at waits, unless it has signed in before; a certificate is proof enough.
    assert_eq!(broker.socket().await.code(Connect::new(4, "new", "free")).await, Some(3));
    for user in ["operator", CAR] {
        assert_eq!(broker.socket().await.code(Connect::new(4, "x", user)).await, Some(0));
    }
    for _ in 0..5 {
        broker.socket().await.code(Connect::new(5, "guess", CAR).password("guess")).await;
    }
    assert_eq!(broker.socket().await.code(Connect::new(4, "known", CAR)).await, Some(0));
    let own = trusting(&authority, Some(&authority.vehicle(OTHER_CAR, 2)));
    for door in &broker.doors {
        let raw = Raw::over(secure(*door, &own).await.unwrap());
        assert_eq!(raw.code(Connect::new(4, "new", OTHER_CAR)).await, Some(0));
    }
    broker.sings().await;
}

/// As a page in a browser on the operator's own machine could do it.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_wrong_passwords_for_many_names_does_not_keep_a_service_from_signing_in() {
    let mut broker = Broker::start().await;
    let mut flood = JoinSet::new();
    let refused = Arc::new(AtomicUsize::new(0));
    for n in 0..50 {
        let (address, refused) = (broker.address, Arc::clone(&refused));
        flood.spawn(async move {
            for m in 0.. {
                let connect = Connect::new(4, "x", &format!("{n}-{m}")).password("guess");
                assert!(matches!(Raw::open(address).await.code(connect).await, Some(3 | 4)));
                refused.fetch_add(1, Relaxed);
            }
        });
    }
    // More than the address has.
    let used_up = async {
        while refused.load(Relaxed) < 200 && flood.try_join_next().is_none() {
            yield_now().await
        }
    };
    timeout(PATIENCE, used_up).await.expect("the flood comes");
    for service in ["ingest", "operator", "glance"] {
        assert_eq!(broker.socket().await.code(Connect::new(4, service, service)).await, Some(0));
    }
    broker.sings().await;
    assert!(flood.try_join_next().is_none(), "the flood went on");
}

#[tokio::test]
async fn checks_side_by_side_are_no_more_than_one_after_the_other() {
    let limits = Limits { sign_in_failures_per_user: 3, ..Limits::default() };
    let mut broker = Broker::with(limits).await;
    let mut coming = JoinSet::new();
    for _ in 0..50 {
        let address = broker.address;
        coming.spawn(async move { Raw::open(address).await.code(Connect::new(4, "x", CAR).password("guess")).await });
    }
    let codes = timeout(PATIENCE, coming.join_all()).await.expect("all are answered");
    let checked = codes.iter().filter(|code| **code == Some(4)).count();
    // One is forgiven every three seconds.
    assert!((3..=10).contains(&checked), "{codes:?}");
    broker.sings().await;
}

#[tokio::test]
async fn a_password_that_was_changed_is_not_remembered() {
    let broker = Broker::start().await;
    broker.client(4, "x", "free").await.ping().await;
    let mut file = PasswordFile::load(&broker.passwords).unwrap();
    file.set_with("free", "changed", 1).unwrap();
    file.save(&broker.passwords).unwrap();
    let changed = async { while broker.socket().await.code(Connect::new(4, "x", "free")).await != Some(4) {} };
    timeout(PATIENCE, changed).await.expect("the changed file is read");
}
