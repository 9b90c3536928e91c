//! The broker is killed again and again while clients publish and subscribe: what was acknowledged is not lost, and what
//! was sent at QoS 2 comes once.
//!
//! `BUGBROTHER_KILLS=100` says how often.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../gate/kit/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests of the gate, which need more of it")]
mod kit;

use std::{
    collections::{BTreeMap, HashSet},
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use bugbrother_broker::{Config, Door, Health, Limits};
use bugbrother_mosquitto_compat::conf;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use kit::{Connect, PATIENCE, Raw, packet, publish};

const FOLDER: &str = "BUGBROTHER_CRASH_FOLDER";
/// Acknowledged between two kills.
const PROGRESS: u64 = 150;
/// Messages that the publisher has under way at each QoS.
const UNDER_WAY: usize = 8;

/// Not a test: the process that is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is started by the test, and ends when it is killed"]
async fn the_broker_itself() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
    let access = conf::Access { password_file: None, acl_file: None, allow_anonymous: true };
    let door = Door::open(kit::listener(access)).await.unwrap();
    let address = door.sockets[0].local_addr().unwrap();
    let new = folder.join("address.new");
    fs::write(&new, address.to_string()).unwrap();
    fs::rename(new, folder.join("address")).unwrap();
    let config = Config {
        doors: vec![door],
        limits: Limits { tokens_per_second: u32::MAX, tokens_per_second_of_services: u32::MAX, ..Limits::default() },
        persistence: Some(folder.join("kept")),
        health: Health::default(),
        sys_interval: None,
        reload: Arc::default(),
    };
    bugbrother_broker::run(config, CancellationToken::new()).await.unwrap();
}

/// The process, and where it listens.
struct Victim {
    child: Child,
    address: SocketAddr,
}

impl Victim {
    async fn start(folder: &Path) -> Self {
        let path = folder.join("address");
        fs::remove_file(&path).ok();
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "the_broker_itself", "--ignored"])
            .env(FOLDER, folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let reading = async {
            loop {
                if let Some(address) = fs::read_to_string(&path).ok().and_then(|text| text.parse().ok()) {
                    return address;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        let address = timeout(PATIENCE, reading).await.expect("the broker starts");
        Victim { child, address }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What all tasks share.
struct Scene {
    address: Mutex<SocketAddr>,
    /// The last message acknowledged at QoS 1 and at QoS 2: all before it are, too.
    acknowledged: Mutex<[HashSet<u64>; 2]>,
    progress: AtomicU64,
    enough: AtomicBool,
}

impl Scene {
    /// Connects as often as it takes. The session must be there, but for the first time.
    async fn connected(&self, version: u8, id: &str, first: bool) -> Raw {
        let connecting = async {
            loop {
                let address = *self.address.lock().unwrap();
                if let Ok(stream) = tokio::net::TcpStream::connect(address).await {
                    stream.set_nodelay(true).unwrap();
                    let mut raw = Raw::over(stream);
                    raw.acknowledges = false;
                    raw.version = version;
                    let connect = Connect::new(version, id, "free").lasting(u32::MAX).keep_alive(0);
                    raw.try_send(&connect.bytes()).await;
                    if let Some((0x20, body)) = raw.packet().await {
                        assert_eq!(body[1], 0, "refused: {body:?}");
                        assert!(first || body[0] == 1, "the session of {id} is gone");
                        return raw;
                    }
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(3 * PATIENCE, connecting).await.expect("the broker comes back")
    }
}

/// A message under way.
struct Open {
    n: u64,
    released: bool,
}

/// Publishes numbers at QoS 1 and 2 until there are enough, whatever happens to the broker.
async fn publish_numbers(scene: Arc<Scene>, version: u8) {
    // By packet identifier, in the order in which they were sent: identifiers only grow.
    let mut open: BTreeMap<u16, (u8, Open)> = BTreeMap::new();
    let (mut last_id, mut last) = (0_u16, [0_u64; 2]);
    let mut first = true;
    loop {
        let mut raw = scene.connected(version, "publisher", first).await;
        first = false;
        for (id, (qos, message)) in &open {
            let bytes = if message.released {
                packet(0x62, &id.to_be_bytes())
            } else {
                publish(version, topic(*qos).as_bytes(), &message.n.to_be_bytes(), 0x08 | qos << 1, *id, &[])
            };
            raw.try_send(&bytes).await;
        }
        loop {
            for qos in [1_u8, 2] {
                while !scene.enough.load(SeqCst) && open.values().filter(|(of, _)| *of == qos).count() < UNDER_WAY {
                    last[usize::from(qos) - 1] += 1;
                    last_id += 1;
                    let n = last[usize::from(qos) - 1];
                    open.insert(last_id, (qos, Open { n, released: false }));
                    let bytes = publish(version, topic(qos).as_bytes(), &n.to_be_bytes(), qos << 1, last_id, &[]);
                    raw.try_send(&bytes).await;
                }
            }
            if open.is_empty() {
                return;
            }
            let Some((first, body)) = raw.packet().await else { break };
            let id = u16::from_be_bytes([body[0], body[1]]);
            match first {
                0x40 | 0x70 => {
                    if let Some((qos, message)) = open.remove(&id) {
                        scene.acknowledged.lock().unwrap()[usize::from(qos) - 1].insert(message.n);
                        scene.progress.fetch_add(1, SeqCst);
                    }
                }
                0x50 => {
                    if let Some((_, message)) = open.get_mut(&id) {
                        message.released = true;
                    }
                    raw.try_send(&packet(0x62, &id.to_be_bytes())).await;
                }
                _ => panic!("what is {first:x}?"),
            }
        }
    }
}

fn topic(qos: u8) -> String {
    format!("numbers/{qos}")
}

/// What one subscriber has heard, in order.
type Heard = [Vec<u64>; 2];

/// Subscribes and listens until all that was acknowledged has come.
async fn listen(scene: Arc<Scene>, version: u8, id: &str, heard: Arc<Mutex<Heard>>) {
    // QoS 2 messages that are ours and not released: this client is never killed.
    let mut taken = HashSet::new();
    loop {
        let mut raw = scene.connected(version, id, false).await;
        loop {
            let waiting = timeout(Duration::from_millis(100), raw.packet());
            let Ok(packet_or_end) = waiting.await else {
                if is_complete(&scene, &heard) {
                    return;
                }
                continue;
            };
            let Some((first, body)) = packet_or_end else { break };
            match first >> 4 {
                3 => {
                    let qos = (first >> 1) & 3;
                    let end = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
                    let id = [body[end], body[end + 1]];
                    let n = u64::from_be_bytes(body[body.len() - 8..].try_into().unwrap());
                    if qos == 1 || taken.insert(id) {
                        heard.lock().unwrap()[usize::from(qos) - 1].push(n);
                    }
                    raw.try_send(&packet(if qos == 1 { 0x40 } else { 0x50 }, &id)).await;
                }
                6 => {
                    taken.remove(&[body[0], body[1]]);
                    raw.try_send(&packet(0x70, &body[..2])).await;
                }
                _ => panic!("what is {first:x}?"),
            }
        }
    }
}

fn is_complete(scene: &Scene, heard: &Mutex<Heard>) -> bool {
    let (acknowledged, heard) = (scene.acknowledged.lock().unwrap(), heard.lock().unwrap());
    let all = |at: usize| {
        let heard: HashSet<_> = heard[at].iter().collect();
        acknowledged[at].iter().all(|n| heard.contains(n))
    };
    scene.enough.load(SeqCst) && all(0) && all(1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_again_and_again_loses_nothing_that_it_acknowledged() {
    let kills: u64 = env::var("BUGBROTHER_KILLS").map_or(6, |kills| kills.parse().expect("a number"));
    let folder = tempfile::tempdir().unwrap();
    let mut victim = Victim::start(folder.path()).await;
    let scene = Arc::new(Scene {
        address: Mutex::new(victim.address),
        acknowledged: Mutex::default(),
        progress: AtomicU64::new(0),
        enough: AtomicBool::new(false),
    });
    let mut listeners = Vec::new();
    for (version, id) in [(4, "old"), (5, "new")] {
        let mut raw = scene.connected(version, id, true).await;
        assert_eq!(raw.subscribe("numbers/1", 1).await, 1);
        assert_eq!(raw.subscribe("numbers/2", 2).await, 2);
        drop(raw);
        let heard = Arc::new(Mutex::new(Heard::default()));
        let task = tokio::spawn(listen(Arc::clone(&scene), version, id, Arc::clone(&heard)));
        listeners.push((id, heard, task));
    }
    let publisher = tokio::spawn(publish_numbers(Arc::clone(&scene), 5));
    for _ in 0..kills {
        let goal = scene.progress.load(SeqCst) + PROGRESS;
        let working = async {
            while scene.progress.load(SeqCst) < goal {
                assert!(!publisher.is_finished(), "the publisher has given up");
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(3 * PATIENCE, working).await.expect("messages are acknowledged");
        drop(victim);
        victim = Victim::start(folder.path()).await;
        *scene.address.lock().unwrap() = victim.address;
    }
    scene.enough.store(true, SeqCst);
    timeout(3 * PATIENCE, publisher).await.expect("all are acknowledged in the end").unwrap();
    for (id, heard, task) in listeners {
        let done = timeout(3 * PATIENCE, task).await;
        let heard = heard.lock().unwrap();
        let acknowledged = scene.acknowledged.lock().unwrap();
        for (at, heard) in heard.iter().enumerate() {
            let once: HashSet<_> = heard.iter().copied().collect();
            let lost: Vec<_> = acknowledged[at].iter().filter(|n| !once.contains(n)).collect();
            assert!(lost.is_empty(), "{id} has never heard of {lost:?} at QoS {}", at + 1);
        }
        done.expect("all come").unwrap();
        let twice = heard[1].len() - heard[1].iter().collect::<HashSet<_>>().len();
        assert_eq!(twice, 0, "{id} has heard messages of QoS 2 twice");
        assert!(heard[1].is_sorted(), "{id} has heard messages of QoS 2 out of order");
    }
}
