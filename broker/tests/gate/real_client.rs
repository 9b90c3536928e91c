//! rumqttc, as the fleet's services use it.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
use tokio::time::timeout;

use crate::kit::{Broker, CAR, PATIENCE, of};

#[tokio::test]
async fn telemetry_of_a_real_client_reaches_a_real_client_and_comes_back_acknowledged() {
    const MESSAGES: u32 = 500;
    let mut broker = Broker::start().await;
    let options = |id: &str, user: &str| {
        let mut options = MqttOptions::new(id, "127.0.0.1", broker.address.port());
        options.set_credentials(user, "secret").set_keep_alive(Duration::from_secs(5));
        options
    };
    let (ingest, mut ingest_events) = AsyncClient::new(options("ingest", "ingest"), 100);
    let (car, mut car_events) = AsyncClient::new(options(CAR, CAR), 100);
    ingest.subscribe("fleet/v1/+/up/#", QoS::AtLeastOnce).await.unwrap();
    wait(&mut ingest_events, |event| matches!(event, Incoming::SubAck(_))).await;
    let publishing = tokio::spawn(async move {
        for n in 0..MESSAGES {
            car.publish(of(CAR, "up/telemetry"), QoS::AtLeastOnce, false, n.to_be_bytes()).await.unwrap();
        }
        car
    });
    let acknowledging = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            wait(&mut car_events, |event| matches!(event, Incoming::PubAck(_))).await;
        }
    });
    for n in 0..MESSAGES {
        let Incoming::Publish(message) = wait(&mut ingest_events, |event| matches!(event, Incoming::Publish(_))).await
        else {
            unreachable!("it was waited for")
        };
        assert_eq!((message.topic, &message.payload[..]), (of(CAR, "up/telemetry"), &n.to_be_bytes()[..]));
    }
    timeout(PATIENCE, acknowledging).await.unwrap().unwrap();
    drop(publishing.await.unwrap());
    broker.sings().await;
    broker.stop().await;
}

async fn wait(events: &mut rumqttc::EventLoop, wanted: impl Fn(&Incoming) -> bool) -> Incoming {
    let waiting = async {
        loop {
            if let Event::Incoming(incoming) = events.poll().await.expect("the connection stays")
                && wanted(&incoming)
            {
                return incoming;
            }
        }
    };
    timeout(PATIENCE, waiting).await.expect("what is waited for comes")
}

#[tokio::test]
async fn a_real_5_0_client_is_understood() {
    use rumqttc::v5::{
        AsyncClient, Event, Incoming, MqttOptions,
        mqttbytes::{QoS, v5::PublishProperties},
    };
    let broker = Broker::start().await;
    let mut options = MqttOptions::new("five", "127.0.0.1", broker.address.port());
    options.set_credentials("free", "secret");
    let (client, mut events) = AsyncClient::new(options, 10);
    client.subscribe("a/+", QoS::AtLeastOnce).await.unwrap();
    let properties = PublishProperties { content_type: Some("text/plain".into()), ..Default::default() };
    client.publish_with_properties("a/b", QoS::AtLeastOnce, true, "hello", properties).await.unwrap();
    let receiving = async {
        loop {
            if let Event::Incoming(Incoming::Publish(message)) = events.poll().await.expect("the connection stays") {
                return message;
            }
        }
    };
    let message = timeout(PATIENCE, receiving).await.expect("the message comes back");
    assert_eq!((&message.topic[..], &message.payload[..]), (&b"a/b"[..], &b"hello"[..]));
    assert_eq!(message.properties.unwrap().content_type.as_deref(), Some("text/plain"));
    broker.stop().await;
}
