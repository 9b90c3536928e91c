use std::time::Duration;

use bugbrother_broker::Limits;
use bugbrother_mosquitto_compat::conf::{self, Protocol};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::time::timeout;

use crate::{
    authority::{Authority, mutual},
    kit::{Broker, CAR, Connect, OTHER_CAR, PATIENCE, Raw, listener, of},
    wires::{secure, trusting},
};

#[tokio::test]
async fn what_is_refused_denied_received_and_sent_is_counted() {
    // The only test that installs a recorder; others of the same process may count too, so everything is "at least".
    let metrics = PrometheusBuilder::new().install_recorder().unwrap();
    let authority = Authority::new("ours");
    let server = authority.server("server");
    let limits = Limits { sign_in_failures_per_address: 1, ..Limits::default() };
    let mut broker = Broker::with_doors(limits, |folder, access| {
        let secure = conf::Listener { tls: Some(mutual(folder, &authority, &server)), ..listener(access.clone()) };
        let web = conf::Listener { protocol: Protocol::WebSockets, ..listener(access.clone()) };
        let behind = conf::Listener { proxy_protocol: true, ..listener(access.clone()) };
        vec![secure, web, behind, conf::Listener { max_connections: Some(0), ..listener(access) }]
    })
    .await;
    // No TLS, no request, no header.
    for door in &broker.doors[..3] {
        let mut raw = Raw::open(*door).await;
        raw.try_send(b"nonsense\r\n\r\n").await;
        raw.ends().await;
    }
    let stranger = Authority::new("theirs").vehicle(CAR, 2);
    if let Ok(stream) = secure(broker.doors[0], &trusting(&authority, Some(&stranger))).await {
        Raw::over(stream).ends().await;
    }
    broker.client(4, CAR, CAR).await.ping().await;
    assert_eq!(Raw::open(broker.doors[3]).await.code(Connect::new(4, "x", CAR)).await, Some(3));
    for _ in 0..2 {
        broker.socket().await.offer(Connect::new(4, "x", CAR).password("wrong")).await.unwrap();
    }
    let mut car = broker.client(4, CAR, CAR).await;
    car.publish(&of(OTHER_CAR, "up/event"), b"forged", 1).await;
    car.subscribe("#", 1).await;
    car.acknowledge(7).await;
    broker.sings().await;
    for name in [
        "bugbrother_broker_sockets_total",
        "bugbrother_broker_connect_packets_total",
        "bugbrother_broker_connects_refused_total{reason=\"password\"}",
        "bugbrother_broker_connects_refused_total{reason=\"sign_in_failures\"}",
        "bugbrother_broker_connects_refused_total{reason=\"tls\"}",
        "bugbrother_broker_connects_refused_total{reason=\"certificate\"}",
        "bugbrother_broker_connects_refused_total{reason=\"websocket\"}",
        "bugbrother_broker_connects_refused_total{reason=\"proxy_header\"}",
        "bugbrother_broker_connects_refused_total{reason=\"listener_connections\"}",
        "bugbrother_broker_connections",
        "bugbrother_broker_connections_maximum",
        "bugbrother_broker_connects_total",
        "bugbrother_broker_subscriptions",
        "bugbrother_broker_denied_publishes_total",
        "bugbrother_broker_denied_subscribes_total",
        "bugbrother_broker_unknown_acks_total",
        "bugbrother_broker_received_packets_total",
        "bugbrother_broker_sent_packets_total",
        "bugbrother_broker_received_messages_total",
        "bugbrother_broker_sent_messages_total",
        "bugbrother_broker_received_payload_bytes_total",
        "bugbrother_broker_sent_payload_bytes_total",
        "bugbrother_broker_received_bytes_total",
        "bugbrother_broker_sent_bytes_total",
        "bugbrother_broker_router_round_trip_seconds_count",
    ] {
        let counted = async {
            loop {
                let text = metrics.render();
                let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
                if value.is_some_and(|value| value >= 1.0) {
                    return;
                }
                // They are copied once a second.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, counted).await.unwrap_or_else(|_| panic!("{name} is not there:\n{}", metrics.render()));
    }
    let dropped = "bugbrother_broker_dropped_messages_total{reason=\"slow_subscriber\"} 0";
    assert!(metrics.render().contains(dropped), "what never happened is there too");
}
