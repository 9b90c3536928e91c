//! Between a Mosquitto far away and a broker here, which is the embedded one or a Mosquitto.

#[path = "../../client/tests/parts/mod.rs"]
mod parts;

use std::{
    collections::BTreeSet,
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::Result;
use bugbrother_bridge::Config;
use bugbrother_client::{Event, Events, Options, Publisher, Qos, connect};
use bugbrother_kit::{mosquitto::Mosquitto, port, wait};
use bugbrother_mosquitto_compat::conf::{Bridge, BridgeTls, BridgeTopic, Direction, Secret};
use parts::{LIMIT, certificates::Authority, embedded::Embedded, next_message, options, until_up};
use tokio::{io::AsyncWriteExt as _, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// With Nagle's algorithm, which is Mosquitto's default, a delivery and a PUBACK in turn take 40 ms.
const OPEN: &str = "allow_anonymous true\nset_tcp_nodelay true\n";
const ACL: &str = "user bridge\ntopic deny secret/#\ntopic readwrite #\nuser here\ntopic readwrite #\n";

/// The broker that the bridge belongs to.
enum Local {
    Embedded(Embedded),
    Mosquitto(Mosquitto),
}

impl Local {
    async fn embedded() -> Result<Self> {
        Ok(Local::Embedded(Embedded::start(&["bridge", "here"], ACL).await?))
    }

    fn mosquitto() -> Result<Self> {
        Ok(Local::Mosquitto(Mosquitto::start(OPEN)?))
    }

    fn port(&self) -> u16 {
        match self {
            Local::Embedded(broker) => broker.port(),
            Local::Mosquitto(broker) => broker.port(),
        }
    }
}

/// `PATTERN DIRECTION QOS LOCAL-PREFIX REMOTE-PREFIX`, where `-` is an empty one.
fn topic(line: &str) -> BridgeTopic {
    let words: Vec<_> = line.split(' ').map(|word| if word == "-" { "" } else { word }).collect();
    let direction = match words[1] {
        "in" => Direction::In,
        "out" => Direction::Out,
        _ => Direction::Both,
    };
    BridgeTopic {
        pattern: words[0].to_owned(),
        direction,
        qos: words[2].parse().expect("a QoS"),
        local_prefix: words[3].to_owned(),
        remote_prefix: words[4].to_owned(),
    }
}

fn to(remote: u16, topics: &[&str]) -> Bridge {
    Bridge {
        name: "site".to_owned(),
        addresses: vec![("127.0.0.1".to_owned(), remote)],
        topics: topics.iter().map(|line| topic(line)).collect(),
        remote_client_id: Some("bridge-of-site".to_owned()),
        remote_username: Some("bridge".to_owned()),
        remote_password: Some(Secret("secret".to_owned())),
        tls: None,
        keepalive_s: 5,
        clean_session: true,
    }
}

/// A bridge that runs; it ends with this value, or with `stop`.
struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), bugbrother_bridge::Error>>,
}

impl Running {
    fn start(bridge: Bridge, local: u16) -> Self {
        let shutdown = CancellationToken::new();
        let local = Options::new("127.0.0.1", local, "bridge", "bridge", "secret");
        let task = tokio::spawn(bugbrother_bridge::run(Config { bridge, local }, shutdown.clone()));
        Running { shutdown, task }
    }

    async fn stop(mut self) -> Result<()> {
        self.shutdown.cancel();
        Ok(timeout(LIMIT, &mut self.task).await???)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A client that hears everything but the brokers' own, and can publish.
struct Ear {
    publisher: Publisher,
    events: Events,
    stop: CancellationToken,
}

impl Ear {
    async fn at(port: u16) -> Result<Self> {
        let stop = CancellationToken::new();
        let mut options = options(port, "here", &["#"]);
        static EARS: AtomicUsize = AtomicUsize::new(0);
        options.client_id = format!("ear-{}", EARS.fetch_add(1, Ordering::Relaxed));
        options.backlog = 20_000;
        let (publisher, mut events) = connect(options, stop.clone());
        until_up(&mut events).await?;
        Ok(Ear { publisher, events, stop })
    }

    async fn say(&self, topic: &str, payload: &str, retain: bool) -> Result<()> {
        self.publisher.publish(topic, payload.to_owned(), Qos::AtLeastOnce, retain).await?.await?;
        Ok(())
    }

    /// Says `0` to `299`.
    async fn count(&self, topic: &str) -> Result<()> {
        let mut receipts = Vec::new();
        for n in 0..COUNT {
            receipts.push(self.publisher.publish(topic, n.to_string(), Qos::AtLeastOnce, false).await?);
        }
        for receipt in receipts {
            receipt.await?;
        }
        Ok(())
    }

    /// Topic and payload of the next message.
    async fn hear(&mut self) -> Result<(String, String)> {
        let delivery = next_message(&mut self.events).await?;
        delivery.ack();
        Ok((delivery.topic.clone(), String::from_utf8(delivery.payload.to_vec())?))
    }

    /// All until that one, sorted.
    async fn hear_until(&mut self, last: &str) -> Result<Vec<(String, String)>> {
        let mut heard = Vec::new();
        loop {
            match self.hear().await? {
                (topic, payload) if payload == last => {
                    heard.push((topic, payload));
                    heard.sort();
                    return Ok(heard);
                }
                message => heard.push(message),
            }
        }
    }

    /// All payloads until the connection ends.
    async fn hear_until_the_end(mut self) -> Result<BTreeSet<String>> {
        let mut heard = BTreeSet::new();
        loop {
            match parts::next(&mut self.events).await? {
                Event::Message(delivery) => {
                    delivery.ack();
                    heard.insert(String::from_utf8(delivery.payload.to_vec())?);
                }
                Event::Down { .. } => return Ok(heard),
                Event::Up => {}
            }
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Waits until messages go over in both directions, on topics that go both ways as they are.
async fn until_bridged(here: &mut Ear, there: &mut Ear) -> Result<()> {
    until_heard(here, there).await?;
    until_heard(there, here).await?;
    here.say("both/probe", "last of here", false).await?;
    there.say("both/probe", "last of there", false).await?;
    for ear in [here, there] {
        let mut last = BTreeSet::from(["last of here", "last of there"]);
        while !last.is_empty() {
            last.remove(ear.hear().await?.1.as_str());
        }
    }
    Ok(())
}

async fn until_heard(from: &mut Ear, to: &mut Ear) -> Result<()> {
    timeout(LIMIT, async {
        for n in 0.. {
            let probe = format!("probe {n}");
            from.say("both/probe", &probe, false).await?;
            if timeout(Duration::from_millis(200), to.hear_until(&probe)).await.is_ok() {
                break;
            }
        }
        Ok(())
    })
    .await?
}

/// What is still on the way has come when these have.
async fn nothing_more_comes(here: &mut Ear, there: &mut Ear) -> Result<()> {
    for round in 0..3 {
        here.say("both/marker", &format!("from here {round}"), false).await?;
        there.say("both/marker", &format!("from there {round}"), false).await?;
        for ear in [&mut *here, &mut *there] {
            let heard = BTreeSet::from([ear.hear().await?.1, ear.hear().await?.1]);
            let expected = BTreeSet::from([format!("from here {round}"), format!("from there {round}")]);
            assert_eq!(heard, expected, "nothing else, and nothing twice");
        }
    }
    Ok(())
}

const COUNT: usize = 300;

async fn each_message_goes_its_way_exactly_once(local: Local) -> Result<()> {
    let remote = Mosquitto::start(OPEN)?;
    let topics = ["in/# in 1 - -", "out/# out 1 - -", "both/# both 1 - -", "sometimes both 0 - -"];
    let bridge = Running::start(to(remote.port(), &topics), local.port());
    let (mut here, mut there) = (Ear::at(local.port()).await?, Ear::at(remote.port()).await?);
    until_bridged(&mut here, &mut there).await?;
    nothing_more_comes(&mut here, &mut there).await?;
    for (topic, reaches_there, reaches_here) in [
        ("in/x", true, true),
        ("out/x", true, false),
        ("both/x", true, true),
        ("sometimes", true, true),
        ("x", true, false),
    ] {
        there.count(topic).await?;
        for (ear, reached) in [(&mut there, reaches_there), (&mut here, reaches_here)] {
            for n in 0..if reached { COUNT } else { 0 } {
                assert_eq!(ear.hear().await?, (topic.to_owned(), n.to_string()), "in their order");
            }
        }
        nothing_more_comes(&mut here, &mut there).await?;
    }
    for (topic, reaches_there) in
        [("in/x", false), ("out/x", true), ("both/x", true), ("sometimes", true), ("x", false)]
    {
        here.count(topic).await?;
        for (ear, reached) in [(&mut here, true), (&mut there, reaches_there)] {
            for n in 0..if reached { COUNT } else { 0 } {
                assert_eq!(ear.hear().await?, (topic.to_owned(), n.to_string()), "in their order");
            }
        }
        nothing_more_comes(&mut here, &mut there).await?;
    }
    bridge.stop().await
}

#[tokio::test]
async fn into_the_embedded_broker_each_message_goes_its_way_exactly_once() -> Result<()> {
    each_message_goes_its_way_exactly_once(Local::embedded().await?).await
}

#[tokio::test]
async fn into_mosquitto_each_message_goes_its_way_exactly_once() -> Result<()> {
    each_message_goes_its_way_exactly_once(Local::mosquitto()?).await
}

#[tokio::test]
async fn prefixes_and_single_topics_are_renamed_both_ways_and_the_retain_flag_goes_along() -> Result<()> {
    let (local, remote) = (Local::embedded().await?, Mosquitto::start(OPEN)?);
    let mut there = Ear::at(remote.port()).await?;
    there.say("site/7/v/state", "kept there", true).await?;
    let topics = ["both/# both 1 - -", "+/state both 1 fleet/v1/ site/7/", "- both 1 single far/away"];
    let bridge = Running::start(to(remote.port(), &topics), local.port());
    let mut here = Ear::at(local.port()).await?;
    until_bridged(&mut here, &mut there).await?;
    here.say("fleet/v1/w/state", "kept here", true).await?;
    here.say("single", "one", false).await?;
    assert_eq!(there.hear_until("one").await?.last(), Some(&("site/7/w/state".to_owned(), "kept here".to_owned())));
    there.say("far/away", "another", false).await?;
    here.hear_until("another").await?;
    // Who comes now gets what is kept, from both sides, and nothing that was not to be kept.
    let expected = |prefix: &str| {
        [("v", "kept there"), ("w", "kept here"), ("x", "last")]
            .map(|(v, text)| (format!("{prefix}{v}/state"), text.to_owned()))
    };
    here.say("fleet/v1/x/state", "last", true).await?;
    there.hear_until("last").await?;
    let mut late = Ear::at(local.port()).await?;
    assert_eq!(
        BTreeSet::from([late.hear().await?, late.hear().await?, late.hear().await?]),
        expected("fleet/v1/").into()
    );
    let mut late = Ear::at(remote.port()).await?;
    assert_eq!(
        BTreeSet::from([late.hear().await?, late.hear().await?, late.hear().await?]),
        expected("site/7/").into()
    );
    // An empty one clears it, over there too.
    there.say("site/7/v/state", "", true).await?;
    here.hear_until("").await?;
    bridge.stop().await
}

/// Publishes retained messages of QoS 1, each to a topic of its own, on one broker, while the other one is killed and
/// comes back. What a listener there heard before, and what is kept there afterwards, are together all.
async fn none_is_missing(publisher_at: u16, killed: Mosquitto, topic: &'static str) -> Result<()> {
    let port = killed.port();
    let heard_before = tokio::spawn(Ear::at(port).await?.hear_until_the_end());
    let source = Ear::at(publisher_at).await?;
    for n in 0..200 {
        source.say(&format!("{topic}/{n}"), &n.to_string(), true).await?;
    }
    let killer = tokio::task::spawn_blocking(move || drop(killed));
    for n in 200..400 {
        source.say(&format!("{topic}/{n}"), &n.to_string(), true).await?;
    }
    killer.await?;
    let mut heard = timeout(LIMIT, heard_before).await???;
    let before = heard.len();
    for n in 400..420 {
        source.say(&format!("{topic}/{n}"), &n.to_string(), true).await?;
    }
    let _back = Mosquitto::start_on(port, OPEN)?;
    for n in 420..500 {
        source.say(&format!("{topic}/{n}"), &n.to_string(), true).await?;
    }
    let mut afterwards = Ear::at(port).await?;
    while heard.len() < 500 {
        let missing = 500 - heard.len();
        let (_, payload) =
            afterwards.hear().await.map_err(|error| error.context(format!("{missing} missing, {before} before")))?;
        heard.insert(payload);
    }
    Ok(())
}

#[tokio::test]
async fn none_is_missing_when_the_remote_broker_is_killed_and_comes_back() -> Result<()> {
    let (local, remote) = (Local::embedded().await?, Mosquitto::start(OPEN)?);
    let bridge = Running::start(to(remote.port(), &["both/# both 1 - -"]), local.port());
    until_bridged(&mut Ear::at(local.port()).await?, &mut Ear::at(remote.port()).await?).await?;
    none_is_missing(local.port(), remote, "both/x").await?;
    bridge.stop().await
}

#[tokio::test]
async fn none_is_missing_when_the_local_broker_is_killed_and_comes_back() -> Result<()> {
    let (local, remote) = (Mosquitto::start(OPEN)?, Mosquitto::start(OPEN)?);
    let bridge = Running::start(to(remote.port(), &["both/# both 1 - -"]), local.port());
    until_bridged(&mut Ear::at(local.port()).await?, &mut Ear::at(remote.port()).await?).await?;
    none_is_missing(remote.port(), local, "both/x").await?;
    bridge.stop().await
}

#[tokio::test]
async fn the_remote_broker_keeps_what_comes_while_the_bridge_is_away() -> Result<()> {
    let (local, remote) = (Local::embedded().await?, Mosquitto::start(OPEN)?);
    let kept = || Bridge { clean_session: false, ..to(remote.port(), &["both/# both 1 - -"]) };
    let bridge = Running::start(kept(), local.port());
    let (mut here, mut there) = (Ear::at(local.port()).await?, Ear::at(remote.port()).await?);
    until_bridged(&mut here, &mut there).await?;
    bridge.stop().await?;
    for n in 0..50 {
        there.say("both/x", &n.to_string(), false).await?;
    }
    let bridge = Running::start(kept(), local.port());
    for n in 0..50 {
        assert_eq!(here.hear().await?.1, n.to_string());
    }
    bridge.stop().await
}

#[tokio::test]
async fn what_the_destination_does_not_take_blocks_nothing() -> Result<()> {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let figures = recorder.handle();
    let _metrics = metrics::set_default_local_recorder(&recorder);
    let remote = Mosquitto::start(
        "allow_anonymous true\nset_tcp_nodelay true\nmax_packet_size 2000\nmessage_size_limit 1000\n",
    )?;
    let local = Local::embedded().await?;
    let topics = ["both/# both 1 - -", "secret/# in 1 - -", "# in 1 under/ parent/", "large out 1 - -"];
    // What is too large for a message costs a connection to the remote broker; what it had to say must not go with it.
    let kept = Bridge { clean_session: false, ..to(remote.port(), &topics) };
    let bridge = Running::start(kept, local.port());
    let (mut here, mut there) = (Ear::at(local.port()).await?, Ear::at(remote.port()).await?);
    until_bridged(&mut here, &mut there).await?;
    for n in 0..200 {
        // The bridge's account here may not write it; it has no name here; over there it is too large for a packet, and
        // too large for a message.
        there.say("secret/x", "x", false).await?;
        there.say("parent", "x", false).await?;
        here.say("large", &"x".repeat(3000), false).await?;
        if n < 3 {
            here.say("large", &"x".repeat(1500), false).await?;
        }
    }
    there.say("both/end", "end there", false).await?;
    here.say("both/end", "end here", false).await?;
    there.hear_until("end here").await?;
    here.hear_until("end there").await?;
    // What came again after a lost connection is counted again.
    for (direction, reason, least) in
        [("in", "refused", 200), ("in", "invalid_topic", 200), ("out", "too_large", 200), ("out", "refused", 3)]
    {
        let line = format!("dropped_messages_total{{direction=\"{direction}\",reason=\"{reason}\"}} ");
        let count = || {
            let text = figures.render();
            let (_, count) = text.split_once(&line)?;
            count.lines().next()?.parse::<u64>().ok()
        };
        wait::until(&line, LIMIT, || std::future::ready(count().filter(|count| *count >= least))).await?;
    }
    bridge.stop().await
}

#[tokio::test]
async fn the_remote_broker_is_reached_over_tls_with_a_certificate_at_the_second_address() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new(folder.path(), "ca")?;
    let (certificate, key) = authority.sign("server")?;
    let identity = authority.sign("bridge-of-site")?;
    let ca = folder.path().join("ca.crt");
    let remote = Mosquitto::start(&format!(
        "certfile {}\nkeyfile {}\ncafile {}\nrequire_certificate true\nuse_identity_as_username true\n",
        certificate.display(),
        key.display(),
        ca.display()
    ))?;
    let local = Local::embedded().await?;
    let mut bridge = to(remote.port(), &["both/# both 1 - -"]);
    bridge.addresses.insert(0, ("127.0.0.1".to_owned(), port::free()?));
    bridge.tls = Some(BridgeTls { cafile: ca.clone(), identity: Some(identity) });
    let running = Running::start(bridge, local.port());
    let mut here = Ear::at(local.port()).await?;
    let stop = CancellationToken::new();
    let mut ear = options(remote.port(), "ear", &["#"]);
    ear.tls = Some(bugbrother_client::Tls { ca: Some(ca), identity: Some(authority.sign("ear")?) });
    let (publisher, mut events) = connect(ear, stop.clone());
    until_up(&mut events).await?;
    let mut there = Ear { publisher, events, stop };
    until_bridged(&mut here, &mut there).await?;
    running.stop().await
}

#[tokio::test]
async fn a_wrong_password_is_told_once_and_tried_again_ever_more_slowly() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let writer = fs::File::create(&log)?;
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let remote = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let local = Local::embedded().await?;
    let bridge = Running::start(to(remote.local_addr()?.port(), &["both/# both 1 - -"]), local.port());
    let began = Instant::now();
    for _ in 0..6 {
        let (mut stranger, _) = timeout(LIMIT, remote.accept()).await??;
        stranger.write_all(&[0x20, 3, 0, 0x86, 0]).await?;
    }
    // The least that five waits can be, each at least half of 0.2, 0.4, 0.8, 1.6 and 3.2 s.
    assert!(began.elapsed() >= Duration::from_millis(3100), "{:?}", began.elapsed());
    let text = fs::read_to_string(&log)?;
    assert_eq!(text.matches("the broker refused the connection: BadUserNamePassword").count(), 1, "{text}");
    assert!(!text.contains("secret"), "{text}");
    // The local side works meanwhile, and QoS 1 waits.
    let here = Ear::at(local.port()).await?;
    here.say("both/x", "x", false).await?;
    bridge.stop().await
}
