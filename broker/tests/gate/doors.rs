//! Limits at the door.

use bugbrother_broker::Limits;
use bugbrother_mosquitto_compat::{PasswordFile, conf};
use tokio::time::timeout;

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
async fn wrong_passwords_keep_out_only_who_has_nothing_to_show() {
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
    // Who signs in for the first time waits, who did so a moment ago does not, and a certificate is proof enough.
    assert_eq!(broker.socket().await.code(Connect::new(4, "new", OTHER_CAR)).await, Some(3));
    assert_eq!(broker.socket().await.code(Connect::new(4, "known", CAR)).await, Some(0));
    let own = trusting(&authority, Some(&authority.vehicle(OTHER_CAR, 2)));
    for door in &broker.doors {
        let raw = Raw::over(secure(*door, &own).await.unwrap());
        assert_eq!(raw.code(Connect::new(4, "new", OTHER_CAR)).await, Some(0));
    }
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
