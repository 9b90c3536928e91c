use std::{fs, sync::Arc, time::Duration};

use bugbrother_broker::{Config, Door, Error, Health, Limits, TlsError};
use bugbrother_mosquitto_compat::conf::{self, Protocol};
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS, TlsConfiguration, Transport};
use rustls::{
    HandshakeKind,
    version::{TLS12, TLS13},
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    authority::{Authority, Issued, replace, tls},
    kit::{Broker, CAR, Connect, PATIENCE, Raw, listener, of},
    wires::{config, secure, trusting, websocket},
};

/// A broker with one more door, for TLS.
async fn secured(server: &Issued) -> Broker {
    Broker::with_doors(Limits::default(), |folder, access| {
        vec![conf::Listener { tls: Some(tls(folder, server)), ..listener(access) }]
    })
    .await
}

#[tokio::test]
async fn clients_of_both_versions_are_served_over_each_version_of_tls() {
    let authority = Authority::new("ours");
    let mut broker = secured(&authority.server("one")).await;
    let mut reader = broker.client(5, "reader", "ingest").await;
    reader.subscribe("fleet/v1/+/up/#", 1).await;
    for tls_version in [&TLS12, &TLS13] {
        for version in [4, 5] {
            for alpn in [&[][..], &[b"mqtt".to_vec()][..]] {
                let mut config = config(&authority, None, &[tls_version]);
                config.alpn_protocols = alpn.to_vec();
                let stream = secure(broker.doors[0], &Arc::new(config)).await.unwrap();
                assert_eq!(stream.get_ref().1.alpn_protocol(), alpn.first().map(Vec::as_slice));
                let mut car = Raw::over(stream).welcomed(Connect::new(version, CAR, CAR)).await;
                let large = vec![version; 200_000];
                car.publish(&of(CAR, "up/telemetry"), &large, 1).await;
                assert_eq!(reader.message().await.payload, large);
                car.vanish().await;
            }
        }
    }
    let wrong = Raw::over(secure(broker.doors[0], &trusting(&authority, None)).await.unwrap());
    assert_eq!(wrong.code(Connect::new(5, "x", CAR).password("wrong")).await, Some(0x86));
    broker.sings().await;
    broker.stop().await;
}

#[tokio::test]
async fn a_real_client_sends_and_receives_large_messages_over_tls() {
    let authority = Authority::new("ours");
    let broker = secured(&authority.server("one")).await;
    let mut options = MqttOptions::new("real", "localhost", broker.doors[0].port());
    options.set_credentials("free", "secret").set_keep_alive(Duration::from_secs(5));
    options.set_max_packet_size(1 << 20, 1 << 20);
    options.set_transport(Transport::Tls(TlsConfiguration::Rustls(trusting(&authority, None))));
    let (client, mut events) = AsyncClient::new(options, 100);
    client.subscribe("big/#", QoS::AtLeastOnce).await.unwrap();
    for n in 0..20_u8 {
        client.publish("big/one", QoS::AtLeastOnce, false, vec![n; 100_000]).await.unwrap();
    }
    let mut next = 0;
    while next < 20 {
        let event = timeout(PATIENCE, events.poll()).await.expect("it goes on").expect("the connection stays");
        if let Event::Incoming(Incoming::Publish(message)) = event {
            assert_eq!(message.payload, vec![next; 100_000]);
            next += 1;
        }
    }
    broker.stop().await;
}

#[tokio::test]
async fn nobody_waits_for_the_handshake_of_somebody_else() {
    let authority = Authority::new("ours");
    let server = authority.server("one");
    let limits = Limits { connect_deadline: Duration::from_secs(60), ..Limits::default() };
    let mut broker = Broker::with_doors(limits, |folder, access| {
        let tls = Some(tls(folder, &server));
        [(None, Protocol::WebSockets), (tls.clone(), Protocol::Mqtt), (tls, Protocol::WebSockets)]
            .map(|(tls, protocol)| conf::Listener { tls, protocol, ..listener(access.clone()) })
            .to_vec()
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        for door in &broker.doors {
            let mut stream = TcpStream::connect(door).await.unwrap();
            // The first byte of a TLS handshake, or of a request.
            stream.write_all(if silent.len() % 2 == 0 { b"\x16" } else { b"G" }).await.unwrap();
            silent.push(stream);
        }
    }
    let config = trusting(&authority, None);
    for _ in 0..10 {
        websocket(TcpStream::connect(broker.doors[0]).await.unwrap(), 100).await.welcomed(connect()).await.ping().await;
        Raw::over(secure(broker.doors[1], &config).await.unwrap()).welcomed(connect()).await.ping().await;
        let stream = secure(broker.doors[2], &config).await.unwrap();
        websocket(stream, 100).await.welcomed(connect()).await.ping().await;
    }
    broker.sings().await;
}

fn connect() -> Connect {
    Connect::new(5, "", "free")
}

#[tokio::test]
async fn who_does_not_finish_a_handshake_in_time_is_put_out() {
    let authority = Authority::new("ours");
    let server = authority.server("one");
    let limits = Limits { connect_deadline: Duration::from_millis(500), ..Limits::default() };
    let mut broker = Broker::with_doors(limits, |folder, access| {
        let tls = Some(tls(folder, &server));
        let web = conf::Listener { protocol: Protocol::WebSockets, ..listener(access.clone()) };
        vec![conf::Listener { tls, ..listener(access) }, web]
    })
    .await;
    for door in broker.doors.clone() {
        let mut dripping = Raw::open(door).await;
        let hello = [b"\x16\x03\x01\x02\x00\x01".to_vec(), vec![0; 600]].concat();
        let drip = async {
            for byte in &hello {
                dripping.try_send(&[*byte]).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(3), drip).await.ok();
        let mut silent = Raw::open(door).await;
        assert_eq!(silent.ends().await, None);
        assert_eq!(dripping.ends().await, None);
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_newcomers_and_nobody_is_cut_off() {
    let authority = Authority::new("ours");
    let mut broker = secured(&authority.server("one")).await;
    let folder = broker.passwords.parent().unwrap().to_owned();
    let client = trusting(&authority, None);
    let mut old = Raw::over(secure(broker.doors[0], &client).await.unwrap()).welcomed(connect()).await;
    old.subscribe("news", 1).await;
    let second = authority.server("two");
    second.save(&folder.join("server.crt"), &folder.join("server.key"));
    let seen = async {
        loop {
            // A client without tickets, so that the server shows its certificate.
            let stream = secure(broker.doors[0], &trusting(&authority, None)).await.unwrap();
            if stream.get_ref().1.peer_certificates().unwrap() == second.chain() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, seen).await.expect("the new certificate is shown");
    old.publish("news", b"still here", 1).await;
    assert_eq!(old.message().await.payload, b"still here");
    replace(&folder.join("server.key"), "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n");
    broker.reload.notify_one();
    broker.sings().await;
    fs::remove_file(folder.join("server.crt")).unwrap();
    broker.reload.notify_one();
    broker.sings().await;
    let stream = secure(broker.doors[0], &trusting(&authority, None)).await.unwrap();
    assert_eq!(stream.get_ref().1.peer_certificates().unwrap(), second.chain());
    Raw::over(stream).welcomed(connect()).await.ping().await;
    old.ping().await;
}

#[tokio::test]
async fn a_client_that_comes_back_resumes_its_session() {
    let authority = Authority::new("ours");
    let broker = secured(&authority.server("one")).await;
    let client = trusting(&authority, None);
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let stream = secure(broker.doors[0], &client).await.unwrap();
        let kind = stream.get_ref().1.handshake_kind();
        // Tickets come after the handshake: CONNACK comes after them.
        Raw::over(stream).welcomed(connect()).await.ping().await;
        assert_eq!(kind, Some(expected));
    }
}

#[tokio::test]
async fn a_broker_whose_tls_files_are_no_good_does_not_start_and_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    let good = tls(folder.path(), &authority.server("one"));
    let other = authority.server("two");
    replace(&folder.path().join("other.key"), &other.key);
    replace(&folder.path().join("empty"), "");
    let run = |tls: conf::Tls| async {
        let settings = conf::Listener { tls: Some(tls), ..listener(conf::Access::default()) };
        let doors = vec![Door::open(settings).await.unwrap()];
        let config = Config {
            doors,
            limits: Limits::default(),
            persistence: None,
            health: Health::default(),
            sys_interval: None,
            reload: Arc::default(),
        };
        match timeout(PATIENCE, bugbrother_broker::run(config, CancellationToken::new())).await.expect("it ends") {
            Err(Error::Tls(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let missing = run(conf::Tls { certfile: "/nowhere".into(), ..good.clone() }).await;
    assert_eq!(missing.to_string(), "`/nowhere` cannot be used");
    let (empty, key) = (folder.path().join("empty"), folder.path().join("other.key"));
    assert!(matches!(run(conf::Tls { certfile: empty.clone(), ..good.clone() }).await, TlsError::NoCertificate { .. }));
    assert!(matches!(run(conf::Tls { keyfile: key, ..good.clone() }).await, TlsError::Identity { .. }));
    let asking = conf::Tls { require_certificate: true, ..good };
    assert!(matches!(run(asking.clone()).await, TlsError::NoAuthority));
    assert!(matches!(run(conf::Tls { cafile: Some(empty), ..asking }).await, TlsError::NoCertificate { .. }));
}
