//! A list of brokers, and TLS sessions that go on: against Debian's Mosquitto.

mod parts;

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use bugbrother_client::{Event, Options, Peer, PublishError, Qos, Tls, connect};
use bugbrother_kit::{mosquitto::Mosquitto, mqtt::packet::packet, port};
use parts::{LIMIT, certificates::Authority, next, next_message, options, until_down, until_up};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const SOON: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(200));

fn write_identities(folder: &Path) -> Result<Authority> {
    let authority = Authority::new(folder, "ca")?;
    authority.sign("server")?;
    authority.sign("car")?;
    Ok(authority)
}

fn broker_lines(folder: &Path) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    format!(
        "certfile {}\nkeyfile {}\ncafile {}\nallow_anonymous true\nrequire_certificate true\n",
        path("server.crt"),
        path("server.key"),
        path("ca.crt")
    )
}

fn secured(folder: &Path, port: u16) -> Options {
    let mut options = options(port, "car", &["fleet/#"]);
    let identity = Some((folder.join("car.crt"), folder.join("car.key")));
    options.tls = Some(Tls { ca: Some(folder.join("ca.crt")), identity });
    options
}

#[tokio::test]
async fn a_broker_that_works_is_stayed_with_until_one_before_it_answers_with_tls() -> Result<()> {
    let folder = tempfile::tempdir()?;
    write_identities(folder.path())?;
    // Something listens where the first broker was, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let first_port = silent.local_addr()?.port();
    let second = Mosquitto::start(&broker_lines(folder.path()))?;
    let mut car = secured(folder.path(), first_port);
    car.alternatives = vec![("127.0.0.1".to_owned(), second.port())];
    car.return_after = Some(SOON);
    let stop = CancellationToken::new();
    let (publisher, mut events) = connect(car, stop.clone());
    drop(silent.accept().await?);
    until_up(&mut events).await?;
    for knock in 0..3 {
        let (knocking, _) = timeout(LIMIT, silent.accept()).await.context("nobody knocks")??;
        drop(knocking);
        publisher.publish("fleet/x", format!("{knock}"), Qos::AtLeastOnce, false).await?.await?;
        assert_eq!(next_message(&mut events).await?.payload, format!("{knock}"), "the connection stands");
    }
    drop(silent);
    let first = Mosquitto::start_on(first_port, &broker_lines(folder.path()))?;
    let under_way = publisher.publish("fleet/x", "last", Qos::AtLeastOnce, false).await?;
    let reason = until_down(&mut events).await?;
    assert!(reason.contains("preferred"), "{reason}");
    under_way.await?;
    until_up(&mut events).await?;
    drop(second);
    publisher.publish("fleet/x", "home", Qos::AtLeastOnce, false).await?.await?;
    assert_eq!(next_message(&mut events).await?.payload, "home");
    stop.cancel();
    while events.recv().await.is_some() {}
    drop(first);
    Ok(())
}

#[tokio::test]
async fn a_broker_that_is_lost_is_tried_first_and_then_the_next() -> Result<()> {
    let (first_port, second) = (port::free()?, Mosquitto::open_to_all()?);
    let first = Mosquitto::open_to_all_on(first_port)?;
    let mut car = options(first_port, "car", &["fleet/#"]);
    car.alternatives = vec![("127.0.0.1".to_owned(), second.port())];
    let stop = CancellationToken::new();
    let (publisher, mut events) = connect(car, stop.clone());
    until_up(&mut events).await?;
    drop(first);
    let lost = next(&mut events).await?;
    assert!(matches!(lost, Event::Down { .. }), "{lost:?}");
    // The same one is tried again before the next.
    let refused = until_down(&mut events).await?;
    assert!(refused.contains("refused"), "{refused}");
    until_up(&mut events).await?;
    publisher.publish("fleet/x", "elsewhere", Qos::AtLeastOnce, false).await?.await?;
    stop.cancel();
    while events.recv().await.is_some() {}
    Ok(())
}

#[tokio::test]
async fn a_broker_that_falls_silent_is_left_for_the_next_before_its_keep_alive_is_over() -> Result<()> {
    let (first, second) = (Mosquitto::open_to_all()?, Mosquitto::open_to_all()?);
    let mut car = options(first.port(), "car", &["fleet/#"]);
    car.alternatives = vec![("127.0.0.1".to_owned(), second.port())];
    car.keep_alive = 2 * LIMIT;
    car.answer_within = Duration::from_millis(300);
    let stop = CancellationToken::new();
    let (publisher, mut events) = connect(car, stop.clone());
    until_up(&mut events).await?;
    // As when its machine has lost its power: nobody closes the connection.
    first.pause()?;
    let receipt = publisher.publish("fleet/x", "into nothing", Qos::AtLeastOnce, false).await?;
    let reason = until_down(&mut events).await?;
    assert!(reason.contains("does not answer"), "{reason}");
    assert_eq!(receipt.await, Err(PublishError::ConnectionLost));
    let next = next(&mut events).await?;
    assert!(matches!(next, Event::Up), "it is not tried once more: {next:?}");
    publisher.publish("fleet/x", "elsewhere", Qos::AtLeastOnce, false).await?.await?;
    stop.cancel();
    while events.recv().await.is_some() {}
    Ok(())
}

/// Takes one connection and answers nothing but that it is there, so many times; then it acknowledges what was published.
async fn hesitate(listener: TcpListener, times: usize) -> Result<()> {
    let (mut client, _) = listener.accept().await?;
    let (mut published, mut asked) = (None, 0);
    loop {
        let first = client.read_u8().await?;
        // Nothing in this conversation is longer than 127 bytes.
        let mut body = vec![0; usize::from(client.read_u8().await?)];
        client.read_exact(&mut body).await?;
        match first >> 4 {
            1 => client.write_all(&packet(0x20, &[0, 0, 0])).await?,
            3 => published = body.get(2 + usize::from(body[1])..).and_then(|rest| rest.first_chunk::<2>()).copied(),
            10 => {
                asked += 1;
                client.write_all(&packet(0xB0, &[body[0], body[1], 0, 0x11])).await?;
            }
            _ => return Ok(()),
        }
        if let (true, Some(id)) = (asked == times, published) {
            client.write_all(&packet(0x40, &id)).await?;
        }
    }
}

#[tokio::test]
async fn a_broker_that_takes_its_time_but_is_there_is_stayed_with() -> Result<()> {
    let slow = TcpListener::bind("127.0.0.1:0").await?;
    let mut car = options(slow.local_addr()?.port(), "car", &[]);
    car.answer_within = Duration::from_millis(300);
    let hesitating = tokio::spawn(hesitate(slow, 3));
    let stop = CancellationToken::new();
    let (publisher, mut events) = connect(car, stop.clone());
    until_up(&mut events).await?;
    publisher.publish("fleet/x", "in the end", Qos::AtLeastOnce, false).await?.await?;
    assert!(events.try_recv().is_none(), "on the same connection");
    stop.cancel();
    while events.recv().await.is_some() {}
    timeout(LIMIT, hesitating).await??
}

#[tokio::test]
async fn another_broker_is_heard_and_told_as_well_and_may_come_and_go() -> Result<()> {
    let (first, other_port) = (Mosquitto::open_to_all()?, port::free()?);
    let mut service = options(first.port(), "service", &["fleet/#"]);
    service.others = vec![Peer { host: "127.0.0.1".to_owned(), port: other_port, tls: None }];
    let stop = CancellationToken::new();
    let (publisher, mut events) = connect(service, stop.clone());
    until_up(&mut events).await?;
    publisher.publish("fleet/x", "alone", Qos::AtLeastOnce, false).await?.await?;
    assert_eq!(next_message(&mut events).await?.payload, "alone", "nobody waits for a broker that is away");

    let other = Mosquitto::open_to_all_on(other_port)?;
    until_up(&mut events).await.context("one hears that it is there")?;
    let (there, mut heard) = connect(options(other_port, "there", &["fleet/#"]), stop.clone());
    until_up(&mut heard).await?;
    there.publish("fleet/x", "from there", Qos::AtLeastOnce, false).await?.await?;
    let delivery = next_message(&mut events).await?;
    assert_eq!(delivery.payload, "from there");
    delivery.ack();
    publisher.publish("fleet/x", "to both", Qos::AtLeastOnce, false).await?.await?;
    for text in ["from there", "to both"] {
        assert_eq!(next_message(&mut heard).await?.payload, text);
    }
    for _ in 0..2 {
        assert_eq!(next_message(&mut events).await?.payload, "to both", "it comes from each");
    }

    drop(other);
    while !matches!(next(&mut heard).await?, Event::Down { .. }) {}
    publisher.publish("fleet/x", "alone again", Qos::AtLeastOnce, false).await?.await?;
    match next(&mut events).await? {
        Event::Message(delivery) => assert_eq!(delivery.payload, "alone again"),
        told => anyhow::bail!("that another broker is lost does not concern anybody: {told:?}"),
    }
    stop.cancel();
    while events.recv().await.is_some() {}
    Ok(())
}

/// Passes bytes on to a broker and counts what it answers; each value cuts the connections of before.
async fn relay(listener: TcpListener, to: SocketAddr, mut cut: watch::Receiver<()>, answered: Arc<AtomicUsize>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let Ok(mut broker) = TcpStream::connect(to).await else { return };
        cut.mark_unchanged();
        let (mut up, mut down) = ([0; 8192], [0; 8192]);
        loop {
            let passed = tokio::select! {
                read = client.read(&mut up) => match read {
                    Ok(1..) => broker.write_all(&up[..read.unwrap_or(0)]).await,
                    _ => break,
                },
                read = broker.read(&mut down) => match read {
                    Ok(1..) => {
                        answered.fetch_add(read.as_ref().map_or(0, |read| *read), Ordering::SeqCst);
                        client.write_all(&down[..read.unwrap_or(0)]).await
                    }
                    _ => break,
                },
                _ = cut.changed() => break,
            };
            if passed.is_err() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn the_next_connection_resumes_the_tls_session_until_the_certificate_is_renewed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = write_identities(folder.path())?;
    let broker = Mosquitto::start(&broker_lines(folder.path()))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let (cut, cut_in) = watch::channel(());
    let answered = Arc::new(AtomicUsize::new(0));
    let to = SocketAddr::from(([127, 0, 0, 1], broker.port()));
    let relaying = tokio::spawn(relay(listener, to, cut_in, answered.clone()));
    let stop = CancellationToken::new();
    let car = secured(folder.path(), port);
    let traffic = car.traffic.clone();
    let (publisher, mut events) = connect(car, stop.clone());
    let mut needed = Vec::new();
    let mut counted = Vec::new();
    for connection in 0..4 {
        if connection == 3 {
            authority.sign("car")?;
        }
        if connection > 0 {
            answered.store(0, Ordering::SeqCst);
            cut.send_replace(());
            until_down(&mut events).await?;
        }
        until_up(&mut events).await?;
        publisher.publish("fleet/x", "here", Qos::AtLeastOnce, false).await?.await?;
        next_message(&mut events).await?;
        needed.push(answered.load(Ordering::SeqCst));
        counted.push(traffic.total());
    }
    eprintln!("bytes of the broker until a message is back: {needed:?}; counted in all: {counted:?}");
    let [whole, second, third, renewed] = needed[..] else { anyhow::bail!("{needed:?}") };
    assert!(second + 500 < whole && third + 500 < whole, "no certificate is sent again: {needed:?}");
    assert!(renewed > second + 500, "a renewed certificate is shown at once: {needed:?}");
    assert!(counted.windows(2).all(|pair| pair[0] < pair[1]), "{counted:?}");
    stop.cancel();
    while events.recv().await.is_some() {}
    relaying.abort();
    Ok(())
}
