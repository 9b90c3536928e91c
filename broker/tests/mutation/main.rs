//! Sessions of valid packets, changed in many ways, over real sockets and many at once, while canaries of both versions
//! go on and miss nothing.
//!
//! `BUGBROTHER_SESSIONS=100000` says how many, `BUGBROTHER_SEED` which ones: the same seed makes the same sessions.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was measured is of interest")]

#[path = "../gate/kit/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests of the gate, which need more of it")]
mod kit;
mod session;

use std::{
    env,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bugbrother_broker::Limits;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use kit::{Broker, Connect, PATIENCE, Raw};

/// Sessions at a time.
const WORKERS: usize = 16;

fn number(name: &str, usually: u64) -> u64 {
    env::var(name).map_or(usually, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// What became of all sessions.
#[derive(Default)]
struct Tally {
    begun: AtomicUsize,
    let_in: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_sessions_stop_nothing_and_disturb_nobody() {
    let sessions = number("BUGBROTHER_SESSIONS", 30_000) as usize;
    let seed = number("BUGBROTHER_SEED", 1);
    println!("{sessions} sessions with seed {seed}");
    let limits = Limits {
        tokens_per_second: u32::MAX,
        tokens_per_second_of_services: u32::MAX,
        connections_per_user: 4 * WORKERS,
        ..Limits::default()
    };
    let mut broker = Broker::with(limits).await;
    let done = CancellationToken::new();
    let canaries = [4, 5].map(|version| tokio::spawn(sing(broker.address, version, done.clone())));

    let tally = Arc::new(Tally::default());
    let started = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (address, tally) = (broker.address, Arc::clone(&tally));
        workers.spawn(async move {
            loop {
                let n = tally.begun.fetch_add(1, Relaxed);
                if n >= sessions {
                    return;
                }
                let bytes = session::mutated(seed, n as u64);
                let answer = timeout(PATIENCE, exchange(address, &bytes)).await;
                let answer = answer.unwrap_or_else(|_| panic!("session {n} of seed {seed} hangs: {bytes:x?}"));
                let let_in = answer.first() == Some(&0x20) && answer.get(3) == Some(&0);
                tally.let_in.fetch_add(usize::from(let_in), Relaxed);
            }
        });
    }
    while let Some(worked) = workers.join_next().await {
        worked.unwrap();
        assert!(!broker.task.is_finished(), "the broker has ended");
    }
    let took = started.elapsed();
    done.cancel();
    for canary in canaries {
        let songs = canary.await.unwrap();
        println!("a canary sang {songs} times and heard all of it");
    }
    let let_in = tally.let_in.load(Relaxed);
    println!("{sessions} sessions in {took:.1?}, {let_in} of them were let in");
    assert!(let_in * 3 > sessions, "too few get past CONNECT to prove anything: {let_in} of {sessions}");
    broker.sings().await;
    broker.stop().await;
}

/// `BUGBROTHER_WRITE_GOLDEN=1` writes them anew.
#[test]
fn the_fuzz_target_starts_from_valid_sessions() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds");
    for n in 0..40 {
        let (path, session) = (format!("{folder}/{n:02}"), session::unchanged(n));
        if std::env::var_os("BUGBROTHER_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, &session).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == session, "`{path}` is no such session any more");
    }
}

/// Sends all, closes its direction and reads what comes until the broker has closed too.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    let send = async {
        // The broker may be fed up before the end.
        if writer.write_all(bytes).await.is_ok() {
            writer.shutdown().await.ok();
        }
    };
    let receive = async { reader.read_to_end(&mut answer).await.ok() };
    tokio::join!(send, receive);
    answer
}

/// Publishes numbers at QoS 1 and hears each of them once, in order; how many.
async fn sing(address: SocketAddr, version: u8, done: CancellationToken) -> u64 {
    let id = format!("singer-{version}");
    let mut canary = Raw::connect(address, Connect::new(version, &id, "free").keep_alive(0)).await;
    let topic = format!("song/{version}");
    canary.subscribe(&topic, 1).await;
    let mut song = 0_u64;
    let mut pace = tokio::time::interval(Duration::from_millis(2));
    while !done.is_cancelled() {
        pace.tick().await;
        song += 1;
        assert_eq!(canary.publish(&topic, &song.to_be_bytes(), 1).await, 0);
        let heard = canary.message().await;
        assert_eq!((heard.topic.as_str(), &heard.payload[..]), (topic.as_str(), &song.to_be_bytes()[..]));
    }
    song
}
