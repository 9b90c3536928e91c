use std::sync::Arc;

use bugbrother_broker::{Config, Door, Error, Health, Limits};
use bugbrother_mosquitto_compat::conf;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::kit::{Broker, CAR, Connect, listener, of};

#[tokio::test]
async fn at_shutdown_clients_are_told_no_will_is_sent_and_nobody_comes_in() {
    let broker = Broker::start().await;
    let address = broker.address;
    let mut new = broker.client_with(Connect::new(5, "new", CAR).will(&of(CAR, "up/status"), b"offline", 8)).await;
    let mut old = broker.client(4, "old", CAR).await;
    let mut watcher = broker.client(5, "watcher", "ingest").await;
    watcher.subscribe("fleet/#", 1).await;
    let mut silent = broker.socket().await;
    new.ping().await;
    broker.stop().await;
    assert_eq!(new.ends().await, Some((0xE0, vec![0x8B, 0])));
    assert_eq!(old.ends().await, None);
    assert_eq!(watcher.ends().await, Some((0xE0, vec![0x8B, 0])));
    assert_eq!(silent.ends().await, None);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_was_published_before_the_stop_is_delivered() {
    let broker = Broker::start().await;
    let mut reader = broker.client(5, "reader", "ingest").await;
    reader.subscribe("fleet/v1/+/up/#", 1).await;
    let mut car = broker.client(4, CAR, CAR).await;
    car.publish(&of(CAR, "up/event"), b"last words", 1).await;
    assert_eq!(reader.message().await.payload, b"last words");
    broker.stop().await;
}

#[tokio::test]
async fn a_broker_without_users_or_rules_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let (password_file, acl_file) = (folder.path().join("passwd"), folder.path().join("acl"));
    let run = || async {
        let access = conf::Access {
            password_file: Some(password_file.clone()),
            acl_file: Some(acl_file.clone()),
            allow_anonymous: false,
        };
        let doors = vec![Door::open(listener(access)).await.unwrap()];
        let config = Config {
            doors,
            limits: Limits::default(),
            persistence: None,
            health: Health::default(),
            sys_interval: None,
            reload: Arc::default(),
        };
        bugbrother_broker::run(config, CancellationToken::new()).await
    };
    assert!(matches!(run().await, Err(Error::Passwords(_))));
    std::fs::write(&password_file, "").unwrap();
    assert!(matches!(run().await, Err(Error::Acl(_))));
    std::fs::write(&acl_file, "allow all").unwrap();
    let Err(Error::Acl(cause)) = run().await else { panic!("started") };
    assert!(cause.to_string().contains("line 1"));
}
