//! Files that change under live sessions.

use std::{fs, time::Duration};

use bugbrother_mosquitto_compat::PasswordFile;
use tokio::time::timeout;

use crate::{
    authority::replace,
    kit::{Broker, CAR, Connect, OTHER_CAR, PATIENCE, of},
};

#[tokio::test]
async fn who_may_not_have_its_subscription_or_will_any_more_is_put_out() {
    let mut broker = Broker::start().await;
    let mut reading = Vec::new();
    let mut willing = Vec::new();
    let mut staying = Vec::new();
    for version in [4, 5] {
        let mut reader = broker.client(version, &format!("reader{version}"), "ingest").await;
        reader.subscribe("fleet/v1/+/up/event", 1).await;
        reading.push((version, reader));
        let will = Connect::new(version, &format!("will{version}"), CAR).will(&of(CAR, "up/status"), b"gone", 8);
        willing.push((version, broker.client_with(will).await));
        let mut other = broker.client(version, &format!("other{version}"), OTHER_CAR).await;
        other.subscribe(&of(OTHER_CAR, "down/#"), 1).await;
        staying.push(other);
        staying.push(broker.client(version, &format!("idle{version}"), "ingest").await);
    }
    let mut free = broker.client(5, "free", "free").await;
    free.subscribe("#", 1).await;
    let rules = fs::read_to_string(&broker.acl).unwrap();
    let rules = rules.replace("topic read fleet/v1/+/up/#", "topic read fleet/v1/+/up/telemetry");
    replace(&broker.acl, &rules.replace("pattern write fleet/v1/%u/up/#", "pattern write fleet/v1/%u/up/event"));
    for (version, mut client) in reading.into_iter().chain(willing) {
        assert_eq!(client.ends().await, (version == 5).then(|| (0xE0, vec![0x87, 0])));
    }
    for client in &mut staying {
        client.ping().await;
    }
    // The will that is not allowed is not sent either.
    free.publish("end", b"end", 1).await;
    assert_eq!(free.message().await.topic, "end");
    broker.sings().await;
}

#[tokio::test]
async fn files_are_read_again_when_that_is_asked_for() {
    let mut broker = Broker::start().await;
    let before = fs::metadata(&broker.passwords).unwrap().modified().unwrap();
    let mut file = PasswordFile::load(&broker.passwords).unwrap();
    file.remove("free");
    file.set_with("eerf", "secret", 1).unwrap();
    // The same inode, size and time: nobody sees that it has changed.
    let mut text = tempfile::NamedTempFile::new().unwrap();
    file.save(text.path()).unwrap();
    std::io::copy(&mut fs::File::open(text.path()).unwrap(), text.as_file_mut()).ok();
    let new = fs::read(text.path()).unwrap();
    assert_eq!(new.len(), fs::read(&broker.passwords).unwrap().len());
    let target = fs::File::options().write(true).open(&broker.passwords).unwrap();
    std::io::Write::write_all(&mut &target, &new).unwrap();
    target.set_modified(before).unwrap();
    broker.reload.notify_one();
    let asked = async {
        while broker.socket().await.code(Connect::new(4, "x", "eerf")).await != Some(0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, asked).await.expect("the file is read");
    broker.sings().await;
}
