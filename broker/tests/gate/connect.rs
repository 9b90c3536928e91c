use std::{net::Ipv4Addr, thread::available_parallelism, time::Duration};

use bugbrother_broker::Limits;
use bugbrother_mosquitto_compat::PasswordFile;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    kit::{Broker, CAR, Connect, OTHER_CAR, PATIENCE, Raw, packet},
    log::Log,
};

async fn code(broker: &Broker, connect: Connect) -> u8 {
    let (first, body) = broker.socket().await.offer(connect).await.expect("a CONNACK");
    assert_eq!(first, 0x20);
    body[1]
}

#[tokio::test]
async fn a_wrong_password_is_answered_in_the_words_of_each_version() {
    let mut broker = Broker::start().await;
    assert_eq!(code(&broker, Connect::new(4, "x", CAR).password("wrong")).await, 4);
    assert_eq!(code(&broker, Connect::new(5, "x", CAR).password("wrong")).await, 0x86);
    assert_eq!(code(&broker, Connect::new(4, "x", "nobody")).await, 4);
    assert_eq!(code(&broker, Connect::new(4, "x", CAR).anonymous()).await, 5);
    assert_eq!(code(&broker, Connect::new(5, "x", CAR).anonymous()).await, 0x87);
    assert_eq!(code(&broker, Connect::new(4, "x", CAR)).await, 0);
    assert_eq!(code(&broker, Connect::new(5, "x", CAR)).await, 0);
    broker.sings().await;
    broker.stop().await;
}

#[tokio::test]
async fn a_refused_client_is_told_and_then_disconnected() {
    let mut broker = Broker::start().await;
    let mut client = broker.socket().await;
    client.offer(Connect::new(4, "x", CAR).password("wrong")).await.unwrap();
    assert_eq!(client.ends().await, None);
    broker.sings().await;
}

#[tokio::test]
async fn an_unknown_version_is_named_as_such() {
    let broker = Broker::start().await;
    for connect in
        [&b"\x10\x0c\x00\x04MQTT\x03\x02\x00\x1e\x00\x00"[..], b"\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x1e\x00\x00"]
    {
        let mut old = broker.socket().await;
        old.send(connect).await;
        assert_eq!(old.packet().await, Some((0x20, vec![0, 1])));
    }
}

#[tokio::test]
async fn an_unsafe_client_identifier_is_refused_with_its_code_as_often_as_it_tries() {
    let mut broker = Broker::start().await;
    for id in ["a/b", "+", "#", "$SYS", "é", "a b", &"x".repeat(200)] {
        for _ in 0..3 {
            assert_eq!(code(&broker, Connect::new(4, id, "free")).await, 2, "{id:?}");
            assert_eq!(code(&broker, Connect::new(5, id, "free")).await, 0x85, "{id:?}");
        }
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_user_name_that_is_too_long_is_not_looked_at() {
    let mut broker = Broker::start().await;
    assert_eq!(code(&broker, Connect::new(4, "x", &"u".repeat(256))).await, 4);
    for version in [4, 5] {
        assert_eq!(broker.socket().await.offer(Connect::new(version, "x", &"u".repeat(257))).await, None);
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_flood_of_wrong_passwords_is_no_flood_in_the_log() {
    let log = Log::default();
    // Of this thread, on which all of the test runs.
    let logging = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_ansi(false);
    let _logging = tracing::subscriber::set_default(logging.with_writer(log.clone()).finish());
    let mut broker = Broker::start().await;
    let started = tokio::time::Instant::now();
    for _ in 0..200 {
        code(&broker, Connect::new(4, "x", "stranger").password("wrong")).await;
    }
    let lines = refusals(&log);
    let allowed = 5 * (started.elapsed().as_secs() as usize + 2);
    assert!((1..=allowed).contains(&lines.len()), "{} in {:?}", lines.len(), started.elapsed());
    let catching_up = async {
        while !refusals(&log).iter().any(|line| line.contains("unlogged=") && !line.contains("unlogged=0")) {
            code(&broker, Connect::new(4, "x", "stranger").password("wrong")).await;
        }
    };
    timeout(PATIENCE, catching_up).await.expect("a later line says how many were not written");
    broker.sings().await;
}

fn refusals(log: &Log) -> Vec<String> {
    log.lines().into_iter().filter(|line| line.contains("connection refused")).collect()
}

#[tokio::test]
async fn an_empty_client_identifier_gets_one_that_5_0_is_told() {
    let broker = Broker::start().await;
    assert_eq!(code(&broker, Connect::new(4, "", CAR)).await, 0);
    assert_eq!(code(&broker, Connect::new(4, "", CAR).not_clean()).await, 2);
    let (_, body) = broker.socket().await.offer(Connect::new(5, "", CAR)).await.unwrap();
    assert!(body.windows(5).any(|bytes| bytes == b"auto-"));
}

#[tokio::test]
async fn a_vehicle_that_calls_itself_like_others_neither_takes_over_nor_keeps_out() {
    let mut broker = Broker::start().await;
    let mut car = broker.client(4, CAR, CAR).await;
    for version in [4, 5] {
        let mut other = broker.client(version, CAR, OTHER_CAR).await;
        car.ping().await;
        other.ping().await;
    }
    let mut squatter = broker.client(4, "ingest", CAR).await;
    let mut ingest = broker.client(4, "ingest", "ingest").await;
    ingest.ping().await;
    squatter.ping().await;
    broker.sings().await;
}

#[tokio::test]
async fn a_silent_and_a_dripping_connection_are_closed_in_time_and_keep_nobody_waiting() {
    let mut broker = Broker::with(Limits { connect_deadline: Duration::from_millis(700), ..Limits::default() }).await;
    let mut silent = broker.socket().await;
    let mut dripping = broker.socket().await;
    let drip = async {
        for byte in Connect::new(4, "drip", CAR).bytes() {
            dripping.try_send(&[byte]).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        dripping.ends().await
    };
    let (silent, dripping, ()) = tokio::join!(silent.ends(), drip, broker.sings());
    assert_eq!((silent, dripping), (None, None));
    broker.sings().await;
}

#[tokio::test]
async fn only_so_many_sockets_may_stay_unknown_at_a_time() {
    let limits = Limits { handshakes: 2, connect_deadline: Duration::from_secs(2), ..Limits::default() };
    let mut broker = Broker::with(limits).await;
    let _silent = (broker.socket().await, broker.socket().await);
    let mut third = broker.socket().await;
    assert_eq!(third.ends().await, None);
    // The two have gone by then.
    broker.client_when_free().await;
    broker.sings().await;
}

#[tokio::test]
async fn a_fleet_that_comes_back_through_one_proxy_gets_in() {
    const VEHICLES: usize = 200;
    let limits = Limits { handshakes: VEHICLES, handshakes_per_address: VEHICLES / 2, ..Limits::default() };
    let mut broker = Broker::with(Limits { connections_per_user: VEHICLES, ..limits }).await;
    let mut coming = JoinSet::new();
    for n in 0..VEHICLES {
        let (address, id) = (broker.address, n.to_string());
        coming.spawn(async move {
            loop {
                let mut raw = Raw::open(address).await;
                raw.try_send(&Connect::new(4, &id, "free").bytes()).await;
                match raw.packet().await {
                    Some((0x20, body)) if body[1] == 0 => return raw,
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
    }
    let mut fleet = timeout(PATIENCE, coming.join_all()).await.expect("all get in");
    for vehicle in &mut fleet {
        vehicle.ping().await;
    }
    broker.sings().await;
}

#[tokio::test]
async fn one_address_has_only_its_share_of_the_unknown_sockets() {
    let limits = Limits { handshakes_per_address: 2, connect_deadline: Duration::from_secs(60), ..Limits::default() };
    let mut broker = Broker::with(limits).await;
    let silent = (broker.socket().await, broker.socket().await);
    assert_eq!(broker.socket().await.ends().await, None);
    drop(silent);
    broker.client_when_free().await;
    broker.sings().await;
}

#[tokio::test]
async fn strangers_at_a_full_broker_learn_nothing_and_take_no_place() {
    let broker = Broker::with(Limits { connections: 2, ..Limits::default() }).await;
    let last = broker.client(4, "1", "free").await;
    assert_eq!(code(&broker, Connect::new(4, "2", "free").password("wrong")).await, 4);
    assert_eq!(code(&broker, Connect::new(5, "2", "free").password("wrong")).await, 0x86);
    assert_eq!(code(&broker, Connect::new(4, "2", "free")).await, 3);
    drop(last);
    broker.client_when_free().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_password_checks_than_can_wait_are_told_that_the_server_is_busy() {
    let limits = Limits { password_checks_waiting: 0, sign_in_failures_per_address: 10_000, ..Limits::default() };
    let mut broker = Broker::with(limits).await;
    // Some tenths of a second of a core for each.
    let mut file = PasswordFile::load(&broker.passwords).unwrap();
    file.set_with("slow", "secret", 40_000).unwrap();
    file.save(&broker.passwords).unwrap();
    timeout(PATIENCE, async { while code(&broker, Connect::new(4, "x", "slow")).await != 0 {} })
        .await
        .expect("the changed file is read");
    for (version, wrong, busy) in [(4, 4, 3), (5, 0x86, 0x89)] {
        let mut coming = JoinSet::new();
        // Those of one address wait for each other.
        for n in 1..=available_parallelism().unwrap().get() as u8 + 1 {
            let address = broker.address;
            coming.spawn(async move {
                let connect = Connect::new(version, &n.to_string(), "slow").password("wrong");
                Raw::open_from(Ipv4Addr::new(127, 0, 0, n), address).await.offer(connect).await.expect("a CONNACK").1[1]
            });
        }
        let codes = timeout(PATIENCE, coming.join_all()).await.expect("all are answered");
        assert!(codes.contains(&busy) && codes.contains(&wrong), "{codes:x?}");
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_full_broker_says_so_again_and_again_and_takes_the_next_when_there_is_a_place() {
    let mut broker = Broker::with(Limits { connections: 3, ..Limits::default() }).await;
    let first = broker.client(4, "1", "free").await;
    let _second = broker.client(4, "2", "free").await;
    for _ in 0..5 {
        assert_eq!(code(&broker, Connect::new(4, "3", "free")).await, 3);
        assert_eq!(code(&broker, Connect::new(5, "3", "free")).await, 0x89);
    }
    first.vanish().await;
    broker.client_when_free().await;
    broker.sings().await;
}

#[tokio::test]
async fn a_user_may_have_only_so_many_connections() {
    let mut broker = Broker::with(Limits { connections_per_user: 2, ..Limits::default() }).await;
    let _both = (broker.client(4, "1", CAR).await, broker.client(4, "2", CAR).await);
    assert_eq!(code(&broker, Connect::new(5, "3", CAR)).await, 0x97);
    assert_eq!(code(&broker, Connect::new(5, "3", OTHER_CAR)).await, 0);
    broker.sings().await;
}

#[tokio::test]
async fn a_user_whose_clients_come_too_often_waits_and_others_do_not() {
    // Ten a second.
    let limits = Limits {
        tokens_per_second: 10,
        tokens_per_second_of_services: 10,
        connect_deadline: Duration::from_secs(2),
        ..Limits::default()
    };
    let mut broker = Broker::with(Limits { connections_per_user: 1_000, ..limits }).await;
    for version in [4, 5] {
        let mut coming = JoinSet::new();
        for n in 0..100 {
            let (address, connect) = (broker.address, Connect::new(version, &n.to_string(), CAR));
            coming.spawn(async move { Raw::open(address).await.code(connect).await });
        }
        assert_eq!(code(&broker, Connect::new(version, "x", OTHER_CAR)).await, 0);
        let codes = timeout(PATIENCE, coming.join_all()).await.expect("all are answered");
        let refused = Some(if version == 5 { 0x97 } else { 3 });
        assert!(codes.contains(&Some(0)) && codes.contains(&refused), "{codes:?}");
        broker.sings().await;
    }
}

#[tokio::test]
async fn a_second_connect_ends_the_session() {
    let mut broker = Broker::start().await;
    for version in [4, 5] {
        let mut client = broker.client(version, "x", CAR).await;
        client.send(&Connect::new(version, "x", CAR).bytes()).await;
        let last = client.ends().await;
        assert_eq!(last, (version == 5).then(|| (0xE0, vec![0x82, 0])));
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_client_that_is_silent_for_one_and_a_half_keep_alives_is_gone() {
    let mut broker = Broker::start().await;
    let started = tokio::time::Instant::now();
    let mut client = broker.client_with(Connect::new(5, "x", CAR).keep_alive(1)).await;
    // Half a packet is no sign of life.
    client.send(&[0x30, 9]).await;
    assert_eq!(client.ends().await, Some((0xE0, vec![0x8D, 0])));
    assert!(started.elapsed() >= Duration::from_millis(1500));
    broker.sings().await;
}

#[tokio::test]
async fn a_client_that_pings_stays() {
    let mut broker = Broker::start().await;
    let mut client = broker.client_with(Connect::new(4, "x", CAR).keep_alive(1)).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    for _ in 0..6 {
        ticks.tick().await;
        client.ping().await;
    }
    client.send(&packet(0xE0, &[])).await;
    assert_eq!(client.ends().await, None);
    broker.sings().await;
}
