//! What brokers refuse and limit: Mosquitto, the embedded one, and one of the test's own that plays tricks.

mod parts;

use std::time::Duration;

use anyhow::Result;
use bugbrother_client::{PublishError, Qos, connect};
use bugbrother_kit::mosquitto::Mosquitto;
use parts::{embedded::Embedded, next_message, options, until_down, until_up};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const ACL: &str = "user car\ntopic write mine/#\ntopic read mine/#\nuser reader\ntopic readwrite #\n";

/// A Mosquitto with those rules.
fn mosquitto(lines: &str) -> Result<(Mosquitto, tempfile::NamedTempFile)> {
    let acl = tempfile::NamedTempFile::new()?;
    std::fs::write(acl.path(), ACL)?;
    let broker = Mosquitto::start(&format!("allow_anonymous true\nacl_file {}\n{lines}", acl.path().display()))?;
    Ok((broker, acl))
}

/// More than rumqttc has packet ids, every third one refused: each receipt tells the truth.
async fn every_receipt_tells_whether_the_broker_took_it(port: u16) -> Result<()> {
    let stop = CancellationToken::new();
    let (publisher, mut events) = connect(options(port, "car", &[]), stop.clone());
    until_up(&mut events).await?;
    let mut receipts = Vec::new();
    for n in 0..2500 {
        let topic = if n % 3 == 0 { "theirs" } else { "mine/x" };
        receipts.push(publisher.publish(topic, "x", Qos::AtLeastOnce, false).await?);
    }
    for (n, receipt) in receipts.into_iter().enumerate() {
        let expected = if n % 3 == 0 { Err(PublishError::Refused("not authorized")) } else { Ok(()) };
        assert_eq!(timeout(parts::LIMIT, receipt).await?, expected, "publish {n}");
    }
    stop.cancel();
    while events.recv().await.is_some() {}
    Ok(())
}

#[tokio::test]
async fn mosquitto_tells_of_each_publish_that_it_refuses() -> Result<()> {
    let (broker, _acl) = mosquitto("")?;
    every_receipt_tells_whether_the_broker_took_it(broker.port()).await
}

#[tokio::test]
async fn the_embedded_broker_tells_of_each_publish_that_it_refuses() -> Result<()> {
    let broker = Embedded::start(&["car"], ACL).await?;
    every_receipt_tells_whether_the_broker_took_it(broker.port()).await
}

#[tokio::test]
async fn a_refused_subscription_is_named() -> Result<()> {
    let broker = Embedded::start(&["car"], ACL).await?;
    let stop = CancellationToken::new();
    let (_, mut events) = connect(options(broker.port(), "car", &["mine/#", "theirs/#"]), stop.clone());
    let reason = until_down(&mut events).await?;
    assert_eq!(reason, "the broker refused the subscription to `theirs/#`: NotAuthorized");
    stop.cancel();
    Ok(())
}

#[tokio::test]
async fn a_broker_that_takes_few_at_a_time_gets_few_at_a_time() -> Result<()> {
    for receive_maximum in [1, 2, 5] {
        let (broker, _acl) = mosquitto(&format!("max_inflight_messages {receive_maximum}\n"))?;
        let stop = CancellationToken::new();
        let (publisher, mut events) = connect(options(broker.port(), "reader", &["x/#"]), stop.clone());
        until_up(&mut events).await?;
        let sending = async {
            for n in 0..300 {
                publisher.publish("x/y", n.to_string(), Qos::AtLeastOnce, false).await?;
            }
            anyhow::Ok(())
        };
        let hearing = async {
            for n in 0..300 {
                let delivery = next_message(&mut events).await?;
                assert_eq!(delivery.payload, n.to_string(), "the order is kept");
                delivery.ack();
            }
            anyhow::Ok(())
        };
        let (sent, heard) = tokio::join!(sending, hearing);
        sent.and(heard)?;
        stop.cancel();
        while events.recv().await.is_some() {}
    }
    Ok(())
}

#[tokio::test]
async fn what_is_too_large_or_no_topic_is_refused_here_and_the_connection_stands() -> Result<()> {
    let (broker, _acl) = mosquitto("max_packet_size 2000\n")?;
    let stop = CancellationToken::new();
    let (publisher, mut events) = connect(options(broker.port(), "reader", &["x"]), stop.clone());
    until_up(&mut events).await?;
    let publish = |topic: String, bytes: usize| publisher.publish(topic, vec![0; bytes], Qos::AtLeastOnce, false);
    let too_large = publish("x".to_owned(), 2000).await.unwrap_err();
    assert!(matches!(too_large, PublishError::TooLarge { max: 2000, .. }), "{too_large}");
    for topic in ["", "a/+", "#", "a\0b", &"x".repeat(70_000)] {
        assert_eq!(publish(topic.to_owned(), 1).await.unwrap_err(), PublishError::InvalidTopic);
    }
    publish("x".to_owned(), 1900).await?.await?;
    assert_eq!(next_message(&mut events).await?.payload.len(), 1900);
    assert!(events.try_recv().is_none(), "the connection was lost meanwhile");
    stop.cancel();
    Ok(())
}

#[tokio::test]
async fn a_message_that_mosquitto_finds_too_large_costs_a_connection_and_is_known_to_be_refused() -> Result<()> {
    let (broker, _acl) = mosquitto("message_size_limit 1000\n")?;
    let stop = CancellationToken::new();
    let (publisher, mut events) = connect(options(broker.port(), "reader", &[]), stop.clone());
    until_up(&mut events).await?;
    let mut receipts = Vec::new();
    for bytes in [10, 2000, 10] {
        receipts.push(publisher.publish("x", vec![0; bytes], Qos::AtLeastOnce, false).await?);
    }
    let mut outcomes = Vec::new();
    for receipt in receipts {
        outcomes.push(timeout(parts::LIMIT, receipt).await?);
    }
    assert_eq!(outcomes[..2], [Ok(()), Err(PublishError::Refused("unknown reason code"))]);
    until_down(&mut events).await?;
    stop.cancel();
    Ok(())
}

/// A broker of the test's own, from CONNECT on.
struct Trickster(TcpStream);

impl Trickster {
    async fn accept(listener: &TcpListener, connack: &[u8]) -> Result<Self> {
        let (stream, _) = timeout(parts::LIMIT, listener.accept()).await??;
        let mut trickster = Trickster(stream);
        assert_eq!(trickster.packet().await?.0, 0x10);
        trickster.0.write_all(connack).await?;
        Ok(trickster)
    }

    /// First byte and rest of a packet of less than 128 bytes, or of two bytes of length.
    async fn packet(&mut self) -> Result<(u8, Vec<u8>)> {
        timeout(parts::LIMIT, async {
            let first = self.0.read_u8().await?;
            let mut length = usize::from(self.0.read_u8().await?);
            if length >= 128 {
                length = length - 128 + 128 * usize::from(self.0.read_u8().await?);
            }
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).await?;
            Ok((first, body))
        })
        .await?
    }

    /// The packet id of a publish to the topic `x`.
    async fn publish(&mut self) -> Result<u16> {
        let (first, body) = self.packet().await?;
        assert_eq!(first, 0x32, "a publish of QoS 1");
        Ok(u16::from_be_bytes([body[3], body[4]]))
    }

    async fn refuse(&mut self, id: u16) -> Result<()> {
        let [high, low] = id.to_be_bytes();
        Ok(self.0.write_all(&[0x40, 3, high, low, 0x97]).await?)
    }
}

#[tokio::test]
async fn a_broker_that_answers_out_of_order_and_refuses_makes_no_message_get_lost() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let stop = CancellationToken::new();
    let (publisher, mut events) = connect(options(listener.local_addr()?.port(), "car", &[]), stop.clone());
    // Receive maximum 4: packet ids run from 1 to 4, and three publishes are under way.
    let mut broker = Trickster::accept(&listener, &[0x20, 6, 0, 0, 3, 0x21, 0, 4]).await?;
    until_up(&mut events).await?;
    let answering = async {
        for _ in 0..20 {
            let ids = [broker.publish().await?, broker.publish().await?, broker.publish().await?];
            for id in [ids[2], ids[1], ids[0]] {
                broker.refuse(id).await?;
            }
        }
        anyhow::Ok(())
    };
    let sending = async {
        let mut receipts = Vec::new();
        for _ in 0..60 {
            receipts.push(publisher.publish("x", "x", Qos::AtLeastOnce, false).await?);
        }
        for receipt in receipts {
            assert_eq!(timeout(parts::LIMIT, receipt).await?, Err(PublishError::Refused("quota exceeded")));
        }
        anyhow::Ok(())
    };
    let (answered, sent) = tokio::join!(answering, sending);
    answered.and(sent)?;
    stop.cancel();
    Ok(())
}

#[tokio::test]
async fn what_was_acknowledged_just_before_the_end_is_known() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let stop = CancellationToken::new();
    let (publisher, mut events) = connect(options(listener.local_addr()?.port(), "car", &[]), stop.clone());
    let mut broker = Trickster::accept(&listener, &[0x20, 3, 0, 0, 0]).await?;
    until_up(&mut events).await?;
    let receipts = [
        publisher.publish("x", "1", Qos::AtLeastOnce, false).await?,
        publisher.publish("x", "2", Qos::AtLeastOnce, false).await?,
        publisher.publish("x", "3", Qos::AtLeastOnce, false).await?,
    ];
    let ids = [broker.publish().await?, broker.publish().await?, broker.publish().await?].map(|id| id as u8);
    // Two PUBACKs and a DISCONNECT in one segment.
    broker.0.write_all(&[0x40, 2, 0, ids[0], 0x40, 2, 0, ids[1], 0xE0, 2, 0x8B, 0]).await?;
    let mut outcomes = Vec::new();
    for receipt in receipts {
        outcomes.push(timeout(parts::LIMIT, receipt).await?);
    }
    assert_eq!(outcomes, [Ok(()), Ok(()), Err(PublishError::ConnectionLost)]);
    let reason = until_down(&mut events).await?;
    assert_eq!(reason, "the broker closed the connection: ServerShuttingDown");
    stop.cancel();
    Ok(())
}

#[tokio::test]
async fn a_message_without_a_topic_is_no_message_and_no_end() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let stop = CancellationToken::new();
    let (_, mut events) = connect(options(listener.local_addr()?.port(), "car", &[]), stop.clone());
    let mut broker = Trickster::accept(&listener, &[0x20, 3, 0, 0, 0]).await?;
    until_up(&mut events).await?;
    // A topic alias that was never agreed on, a topic that is not UTF-8, and one that is.
    broker.0.write_all(&[0x30, 6, 0, 0, 3, 0x23, 0, 1]).await?;
    broker.0.write_all(&[0x30, 5, 0, 1, 0xFF, 0, b'!']).await?;
    broker.0.write_all(&[0x30, 5, 0, 1, b'x', 0, b'!']).await?;
    assert_eq!(next_message(&mut events).await?.topic, "x");
    stop.cancel();
    Ok(())
}

#[tokio::test]
async fn a_broker_of_3_1_1_alone_and_one_that_wants_no_keep_alive_are_tried_again_with_a_reason() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let stop = CancellationToken::new();
    let (_, mut events) = connect(options(listener.local_addr()?.port(), "car", &[]), stop.clone());
    // Server keep alive 0: rumqttc pings without a pause.
    let broker = Trickster::accept(&listener, &[0x20, 6, 0, 0, 3, 0x13, 0, 0]).await?;
    let reason = until_down(&mut events).await?;
    assert_eq!(reason, "the broker does not answer any more");
    drop(broker);
    // CONNACK of 3.1.1: unacceptable protocol version.
    let _broker = Trickster::accept(&listener, &[0x20, 2, 0, 1]).await?;
    let reason = until_down(&mut events).await?;
    assert!(reason.contains("no CONNACK of MQTT 5.0"), "{reason}");
    stop.cancel();
    Ok(())
}

#[tokio::test]
async fn a_broker_that_stops_reading_is_noticed() -> Result<()> {
    let (broker, _acl) = mosquitto("")?;
    let stop = CancellationToken::new();
    let mut patient = options(broker.port(), "reader", &[]);
    patient.keep_alive = Duration::from_secs(5);
    let (publisher, mut events) = connect(patient, stop.clone());
    until_up(&mut events).await?;
    broker.pause()?;
    // More than the system's buffers hold, so that the writer is stuck and no ping gets out.
    let flooding = tokio::spawn(async move {
        while publisher.publish("x", vec![0; 1 << 19], Qos::AtLeastOnce, false).await.is_ok() {}
    });
    let reason = until_down(&mut events).await?;
    assert_eq!(reason, "the broker does not read any more");
    timeout(parts::LIMIT, flooding).await??;
    stop.cancel();
    Ok(())
}
