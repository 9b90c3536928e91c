use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::time::timeout;

use crate::kit::{Broker, CAR, Connect, OTHER_CAR, PATIENCE, of};

#[tokio::test]
async fn what_is_refused_denied_received_and_sent_is_counted() {
    // The only test that installs a recorder; others of the same process may count too, so everything is "at least".
    let metrics = PrometheusBuilder::new().install_recorder().unwrap();
    let mut broker = Broker::start().await;
    broker.socket().await.offer(Connect::new(4, "x", CAR).password("wrong")).await.unwrap();
    let mut car = broker.client(4, CAR, CAR).await;
    car.publish(&of(OTHER_CAR, "up/event"), b"forged", 1).await;
    car.subscribe("#", 1).await;
    car.acknowledge(7).await;
    broker.sings().await;
    for name in [
        "bugbrother_broker_sockets_total",
        "bugbrother_broker_connect_packets_total",
        "bugbrother_broker_connects_refused_total{reason=\"password\"}",
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
