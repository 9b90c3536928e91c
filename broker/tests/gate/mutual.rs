//! Vehicles known by their certificates.

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    time::{Duration, Instant},
};

use bugbrother_broker::Limits;
use bugbrother_mosquitto_compat::conf::{self, Protocol};
use rustls::HandshakeKind;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    authority::{Authority, Issued, mutual, replace},
    kit::{Broker, CAR, Connect, OTHER_CAR, PATIENCE, Raw, listener, of},
    wires::{config, secure, trusting, websocket},
};

/// A broker that asks for certificates at its second and third door, the latter for WebSocket.
struct Fleet {
    authority: Authority,
    broker: Broker,
    crl: PathBuf,
    ca: PathBuf,
}

impl Fleet {
    async fn start() -> Self {
        Self::with(|tls| tls).await
    }

    async fn with(change: impl Fn(conf::Tls) -> conf::Tls) -> Self {
        let authority = Authority::new("ours");
        let server = authority.server("server");
        let broker = Broker::with_doors(Limits::default(), |folder, access| {
            let tls = Some(change(mutual(folder, &authority, &server)));
            let web = conf::Listener { tls: tls.clone(), protocol: Protocol::WebSockets, ..listener(access.clone()) };
            vec![conf::Listener { tls, ..listener(access) }, web]
        })
        .await;
        let folder = broker.passwords.parent().unwrap();
        let (crl, ca) = (folder.join("crl.pem"), folder.join("ca.crt"));
        Fleet { authority, broker, crl, ca }
    }

    /// What CONNACK says to who comes with this certificate; `None` when there is none.
    async fn code(&self, own: Option<&Issued>, connect: Connect) -> Option<u8> {
        // TLS 1.3 lets a client believe that all is well until it reads.
        match secure(self.broker.doors[0], &trusting(&self.authority, own)).await {
            Ok(stream) => {
                let mut raw = Raw::over(stream);
                raw.try_send(&connect.bytes()).await;
                Some(raw.packet().await?.1[1])
            }
            Err(_) => None,
        }
    }

    async fn client(&self, own: &Issued, connect: Connect) -> Raw {
        let stream = secure(self.broker.doors[0], &trusting(&self.authority, Some(own))).await.unwrap();
        Raw::over(stream).welcomed(connect).await
    }
}

/// Whatever user and password it shows do not matter.
fn car(version: u8) -> Connect {
    Connect::new(version, CAR, OTHER_CAR).password("wrong")
}

#[tokio::test]
async fn the_certificate_says_who_it_is_and_nothing_else_does() {
    let mut fleet = Fleet::start().await;
    let own = fleet.authority.vehicle(CAR, 2);
    for version in [4, 5] {
        for connect in [car(version), car(version).anonymous()] {
            let mut car = fleet.client(&own, connect).await;
            assert_eq!(car.subscribe(&of(CAR, "down/#"), 1).await, 1);
            assert_eq!(car.subscribe(&of(OTHER_CAR, "down/#"), 1).await, if version == 5 { 0x87 } else { 0x80 });
            let mut ingest = fleet.broker.client(5, "ingest", "ingest").await;
            ingest.subscribe("fleet/v1/+/up/#", 1).await;
            car.publish(&of(OTHER_CAR, "up/event"), b"forged", 1).await;
            car.publish(&of(CAR, "up/event"), b"mine", 1).await;
            assert_eq!(ingest.message().await.payload, b"mine");
        }
        let foreign_will = car(version).will(&of(OTHER_CAR, "up/status"), b"gone", 0);
        assert_eq!(fleet.code(Some(&own), foreign_will).await, Some(if version == 5 { 0x87 } else { 5 }));
    }
    fleet.broker.sings().await;
}

#[tokio::test]
async fn without_a_good_certificate_nobody_comes_in() {
    let mut fleet = Fleet::start().await;
    let other = Authority::new("theirs");
    let (good, revoked) = (fleet.authority.vehicle(CAR, 2), fleet.authority.vehicle(CAR, 3));
    replace(&fleet.crl, &fleet.authority.revoke(&[&revoked]));
    let seen = async { while fleet.code(Some(&revoked), car(4)).await.is_some() {} };
    timeout(PATIENCE, seen).await.expect("the list is read");
    for version in [4, 5] {
        assert_eq!(fleet.code(Some(&good), car(version)).await, Some(0));
        for (what, bad) in [
            ("none", None),
            ("expired", Some(fleet.authority.expired(CAR))),
            ("of another authority", Some(other.vehicle(CAR, 2))),
            ("of another authority of the same name", Some(Authority::new("ours").vehicle(CAR, 2))),
            ("a server's", Some(fleet.authority.server(CAR))),
        ] {
            assert_eq!(fleet.code(bad.as_ref(), car(version)).await, None, "{what}");
        }
        let refused = if version == 5 { 0x86 } else { 4 };
        for name in ["", "a\nb", &"x".repeat(300)] {
            let odd = fleet.authority.vehicle(name, 5);
            assert_eq!(fleet.code(Some(&odd), car(version)).await, Some(refused), "{name:?}");
        }
    }
    fleet.broker.sings().await;
}

#[tokio::test]
async fn a_certificate_that_may_be_missing_is_still_the_only_name() {
    let fleet = Fleet::with(|tls| conf::Tls { require_certificate: false, ..tls }).await;
    let good = fleet.authority.vehicle(CAR, 2);
    assert_eq!(fleet.code(Some(&good), car(4)).await, Some(0));
    assert_eq!(fleet.code(None, Connect::new(4, "x", CAR)).await, Some(4));
    assert_eq!(fleet.code(None, Connect::new(5, "x", CAR)).await, Some(0x86));
}

#[tokio::test]
async fn a_certificate_can_be_asked_for_besides_the_password() {
    let fleet = Fleet::with(|tls| conf::Tls { use_identity_as_username: false, ..tls }).await;
    let good = fleet.authority.vehicle(CAR, 2);
    assert_eq!(fleet.code(Some(&good), Connect::new(4, "x", OTHER_CAR)).await, Some(0));
    assert_eq!(fleet.code(Some(&good), car(4)).await, Some(4));
    assert_eq!(fleet.code(None, Connect::new(4, "x", OTHER_CAR)).await, None);
}

#[tokio::test]
async fn who_is_revoked_is_put_out_at_once_and_others_stay() {
    let mut fleet = Fleet::start().await;
    let (lost, stays) = (fleet.authority.vehicle(CAR, 2), fleet.authority.vehicle(OTHER_CAR, 3));
    let mut old = fleet.client(&lost, Connect::new(4, "old", "")).await;
    let mut new = fleet.client(&lost, Connect::new(5, "new", "")).await;
    let stream = secure(fleet.broker.doors[1], &trusting(&fleet.authority, Some(&lost))).await.unwrap();
    let mut web = websocket(stream, 50).await.welcomed(Connect::new(5, "web", "")).await;
    let mut other = fleet.client(&stays, Connect::new(5, "other", "")).await;
    let revoked = Instant::now();
    replace(&fleet.crl, &fleet.authority.revoke(&[&lost]));
    assert_eq!(new.ends().await, Some((0xE0, vec![0x98, 0])));
    assert_eq!(web.ends().await, Some((0xE0, vec![0x98, 0])));
    assert_eq!(old.ends().await, None);
    eprintln!("revoked sessions were closed after {:?}", revoked.elapsed());
    other.ping().await;
    assert_eq!(fleet.code(Some(&lost), car(5)).await, None);
    assert_eq!(fleet.code(Some(&stays), car(5)).await, Some(0));
    fleet.broker.sings().await;
}

#[tokio::test]
async fn a_ticket_is_worth_no_more_than_the_certificate_behind_it() {
    let fleet = Fleet::start().await;
    let own = fleet.authority.vehicle(CAR, 2);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = std::sync::Arc::new(config(&fleet.authority, Some(&own), &[version]));
        for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let stream = secure(fleet.broker.doors[0], &client).await.unwrap();
            let kind = stream.get_ref().1.handshake_kind();
            let mut car = Raw::over(stream).welcomed(car(5)).await;
            assert_eq!(car.publish(&of(CAR, "up/event"), b"x", 1).await, 0);
            assert_eq!(kind, Some(expected));
        }
        replace(&fleet.crl, &fleet.authority.revoke(&[&own]));
        let closed = async {
            while let Ok(stream) = secure(fleet.broker.doors[0], &client).await {
                let mut raw = Raw::over(stream);
                raw.try_send(&car(5).bytes()).await;
                if raw.packet().await.is_none() {
                    return;
                }
            }
        };
        timeout(PATIENCE, closed).await.expect("the ticket is refused");
        replace(&fleet.crl, &fleet.authority.revoke(&[]));
        let open = async { while fleet.code(Some(&own), car(5)).await != Some(0) {} };
        timeout(PATIENCE, open).await.expect("the list is read");
    }
}

#[tokio::test]
async fn files_that_are_broken_leave_the_last_good_ones_in_force() {
    let mut fleet = Fleet::start().await;
    let (good, revoked) = (fleet.authority.vehicle(CAR, 2), fleet.authority.vehicle(OTHER_CAR, 3));
    let mut live = fleet.client(&good, car(5)).await;
    replace(&fleet.crl, &fleet.authority.revoke(&[&revoked]));
    let seen = async { while fleet.code(Some(&revoked), car(4)).await.is_some() {} };
    timeout(PATIENCE, seen).await.expect("the list is read");
    for broken in ["-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "-----BEGIN X509 CRL-----\n%"] {
        replace(&fleet.crl, broken);
        fleet.broker.reload.notify_one();
        fleet.broker.sings().await;
        assert_eq!(fleet.code(Some(&revoked), car(4)).await, None);
        assert_eq!(fleet.code(Some(&good), Connect::new(4, "another", "")).await, Some(0));
    }
    live.ping().await;
}

#[tokio::test]
async fn a_revocation_does_not_wait_for_the_server_s_own_key() {
    let mut fleet = Fleet::start().await;
    let (lost, stays) = (fleet.authority.vehicle(CAR, 2), fleet.authority.vehicle(OTHER_CAR, 3));
    let mut live = fleet.client(&lost, car(5)).await;
    let mut other = fleet.client(&stays, Connect::new(5, "other", "")).await;
    replace(&fleet.crl.with_file_name("server.key"), "nonsense");
    fleet.broker.reload.notify_one();
    fleet.broker.sings().await;
    live.ping().await;
    replace(&fleet.crl, &fleet.authority.revoke(&[&lost]));
    assert_eq!(live.ends().await, Some((0xE0, vec![0x98, 0])));
    assert_eq!(fleet.code(Some(&lost), car(5)).await, None);
    other.ping().await;
    assert_eq!(fleet.code(Some(&stays), Connect::new(5, "another", "")).await, Some(0));
    fleet.broker.sings().await;
}

#[tokio::test]
async fn a_new_certificate_of_the_server_does_not_wait_for_the_revocations() {
    let mut fleet = Fleet::start().await;
    let (good, revoked) = (fleet.authority.vehicle(CAR, 2), fleet.authority.vehicle(OTHER_CAR, 3));
    replace(&fleet.crl, &fleet.authority.revoke(&[&revoked]));
    let seen = async { while fleet.code(Some(&revoked), car(4)).await.is_some() {} };
    timeout(PATIENCE, seen).await.expect("the list is read");
    replace(&fleet.crl, "-----BEGIN X509 CRL-----\n%");
    let second = fleet.authority.server("second");
    second.save(&fleet.crl.with_file_name("server.crt"), &fleet.crl.with_file_name("server.key"));
    let shown = async {
        loop {
            let stream = secure(fleet.broker.doors[0], &trusting(&fleet.authority, Some(&good))).await.unwrap();
            if stream.get_ref().1.peer_certificates().unwrap() == second.chain() {
                return;
            }
        }
    };
    timeout(PATIENCE, shown).await.expect("the new certificate is shown");
    assert_eq!(fleet.code(Some(&revoked), car(4)).await, None);
    assert_eq!(fleet.code(Some(&good), car(5)).await, Some(0));
    fleet.broker.sings().await;
}

#[tokio::test]
async fn another_authority_ends_the_sessions_of_the_old_one() {
    let mut fleet = Fleet::start().await;
    let own = fleet.authority.vehicle(CAR, 2);
    let mut old = fleet.client(&own, car(5)).await;
    let next = Authority::new("next");
    replace(&fleet.ca, &[fleet.authority.pem.clone(), next.pem.clone()].concat());
    replace(&fleet.crl, &[fleet.authority.revoke(&[]), next.revoke(&[])].concat());
    let new = next.vehicle(OTHER_CAR, 2);
    let seen = async { while fleet.code(Some(&new), Connect::new(5, "x", "")).await != Some(0) {} };
    timeout(PATIENCE, seen).await.expect("the authority is read");
    old.ping().await;
    let mut young = fleet.client(&new, Connect::new(5, "young", "")).await;
    replace(&fleet.ca, &next.pem);
    assert_eq!(old.ends().await, Some((0xE0, vec![0x98, 0])));
    young.ping().await;
    fleet.broker.sings().await;
}

#[tokio::test]
async fn a_plain_client_at_a_door_with_tls_is_put_out() {
    let mut fleet = Fleet::start().await;
    for door in &fleet.broker.doors {
        let mut raw = Raw::over(TcpStream::connect(door).await.unwrap());
        raw.try_send(&car(4).bytes()).await;
        assert!(raw.ends().await.is_none_or(|(first, _)| first == 0x15), "an alert of TLS at most");
    }
    fleet.broker.sings().await;
}

#[tokio::test]
async fn silent_sockets_of_a_few_addresses_make_room_for_a_vehicle() {
    let authority = Authority::new("ours");
    let server = authority.server("server");
    let limits = Limits {
        handshakes: 200,
        handshakes_per_address: 100,
        // Nobody goes by itself.
        connect_deadline: Duration::from_secs(600),
        ..Limits::default()
    };
    let mut broker = Broker::with_doors(limits, |folder, access| {
        vec![conf::Listener { tls: Some(mutual(folder, &authority, &server)), ..listener(access) }]
    })
    .await;
    let mut silent = Vec::new();
    for n in 0..220 {
        let source = Ipv4Addr::new(127, 0, 0, if n % 2 == 0 { 2 } else { 3 });
        silent.push(Raw::open_from(source, broker.address).await);
    }
    for beyond_its_share in &mut silent[200..] {
        assert_eq!(beyond_its_share.ends().await, None);
    }
    let own = trusting(&authority, Some(&authority.vehicle(CAR, 2)));
    for version in [4, 5] {
        let raw = Raw::over(secure(broker.doors[0], &own).await.unwrap());
        raw.welcomed(car(version)).await.ping().await;
    }
    let [first, second, ..] = &mut silent[..] else { panic!("there are more") };
    let gone = async {
        tokio::select! { last = first.ends() => last, last = second.ends() => last }
    };
    assert_eq!(gone.await, None, "the oldest of one of them had to go");
    broker.sings().await;
}
