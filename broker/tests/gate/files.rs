use std::{fs, time::Duration};

use bugbrother_mosquitto_compat::PasswordFile;
use tokio::time::timeout;

use crate::kit::{Broker, CAR, Connect, OTHER_CAR, PATIENCE, of};

async fn until_code(broker: &Broker, user: &str, password: &str, code: u8) {
    let trying = async {
        loop {
            let connect = Connect::new(4, "probe", user).password(password);
            if broker.socket().await.offer(connect).await.is_some_and(|(_, body)| body[1] == code) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, trying).await.expect("the changed file is read");
}

#[tokio::test]
async fn a_user_who_is_taken_out_of_the_file_is_thrown_out_and_others_stay() {
    let mut broker = Broker::start().await;
    let mut gone = broker.client(5, "gone", CAR).await;
    let mut changed = broker.client(4, "changed", OTHER_CAR).await;
    let mut stays = broker.client(4, "stays", "free").await;
    let mut file = PasswordFile::load(&broker.passwords).unwrap();
    file.remove(CAR);
    file.set_with(OTHER_CAR, "another", 1).unwrap();
    file.set_with("new", "fresh", 1).unwrap();
    file.save(&broker.passwords).unwrap();
    assert_eq!(gone.ends().await, Some((0xE0, vec![0x98, 0])));
    assert_eq!(changed.ends().await, None);
    until_code(&broker, "new", "fresh", 0).await;
    until_code(&broker, OTHER_CAR, "another", 0).await;
    until_code(&broker, OTHER_CAR, "secret", 4).await;
    stays.ping().await;
    broker.sings().await;
}

#[tokio::test]
async fn changed_rules_hold_for_those_who_are_connected() {
    let mut broker = Broker::start().await;
    let mut car = broker.client(5, "car", CAR).await;
    let mut free = broker.client(5, "free", "free").await;
    let topic = of(CAR, "up/telemetry");
    free.subscribe("fleet/#", 1).await;
    assert_eq!(car.publish(&topic, b"before", 1).await, 0);
    assert_eq!(free.message().await.payload, b"before");
    let rules = fs::read_to_string(&broker.acl).unwrap();
    let rules = rules.replace("topic readwrite #", "topic readwrite #\ntopic deny fleet/v1/+/up/secret");
    fs::write(&broker.acl, rules.replace("pattern write fleet/v1/%u/up/#", "pattern write fleet/v1/%u/up/secret"))
        .unwrap();
    let denied = async { while car.publish(&topic, b"x", 1).await != 0x87 {} };
    timeout(PATIENCE, denied).await.expect("the new rules are read");
    assert_eq!(car.publish(&of(CAR, "up/secret"), b"unseen", 1).await, 0);
    free.publish("fleet/end", b"end", 1).await;
    loop {
        let message = free.message().await;
        assert_ne!(message.payload, b"unseen");
        if message.payload == b"end" {
            break;
        }
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_file_that_is_broken_changes_nothing_until_it_is_whole_again() {
    let mut broker = Broker::start().await;
    let good = fs::read_to_string(&broker.passwords).unwrap();
    fs::write(&broker.passwords, "nonsense").unwrap();
    // A good change of the other file is not applied alone: both are read together.
    let mut file = PasswordFile::parse(&good, &broker.passwords).unwrap();
    until_code(&broker, CAR, "secret", 0).await;
    broker.sings().await;
    file.set_with("new", "fresh", 1).unwrap();
    file.save(&broker.passwords).unwrap();
    until_code(&broker, "new", "fresh", 0).await;
    broker.sings().await;
}
