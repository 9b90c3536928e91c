use anyhow::Result;
use bugbrother_kit::{broker::Broker, mqtt::VERSIONS, on_each_broker};

use crate::{
    field::{A, B, Field, Proof},
    topics::{filters, foreign},
};

on_each_broker!(
    nothing_that_is_not_meant_for_a_vehicle_with_a_password_reaches_it,
    nothing_that_is_not_meant_for_a_vehicle_with_a_certificate_reaches_it,
);

async fn nothing_that_is_not_meant_for_a_vehicle_with_a_password_reaches_it(broker: Broker) -> Result<()> {
    listen(&Field::open(broker, Proof::Password).await?).await
}

async fn nothing_that_is_not_meant_for_a_vehicle_with_a_certificate_reaches_it(broker: Broker) -> Result<()> {
    listen(&Field::open(broker, Proof::Certificate).await?).await
}

async fn listen(field: &Field) -> Result<()> {
    let mut writer = field.writer().await?;
    let down = format!("fleet/v1/{A}/down/");
    let (for_a, for_others): (Vec<_>, Vec<_>) = foreign().into_iter().partition(|topic| topic.starts_with(&down));
    assert!(!for_a.is_empty());
    for topic in for_a.iter().chain(&for_others) {
        writer.say(topic, "retained", true).await?;
    }
    for version in VERSIONS {
        let mut a = field.a(version).await?;
        // What is its own is so in a share, too.
        let is_own = |filter: &str| filter.strip_prefix("$share/g/").unwrap_or(filter).starts_with(&down);
        for filter in filters().into_iter().filter(|filter| !is_own(filter)) {
            let code = a.subscribe(&filter).await?;
            // Mosquitto grants what it is asked for and looks at each delivery.
            let refused = if version == 5 { code >= 0x80 } else { code == 0x80 };
            assert!(refused || field.broker == Broker::Mosquitto, "{filter}, version {version}: {code:#x}");
        }
        assert_eq!(a.subscribe(&format!("{down}#")).await?, 1);

        let mut b = field.b(version).await?;
        assert_eq!(b.subscribe(&format!("fleet/v1/{B}/down/#")).await?, 1);
        for branch in ["up/birth", "up/status", "up/telemetry", "up/event"] {
            let topic = format!("fleet/v1/{B}/{branch}");
            b.say(&topic, "B's own", false).await?;
            b.say(&topic, "B's own", true).await?;
        }
        for topic in for_others.iter().chain(&for_a) {
            writer.say(topic, "live", false).await?;
        }
        let end = format!("the end of version {version}");
        for topic in for_a.iter().chain([&format!("fleet/v1/{B}/down/ack")]) {
            writer.say(topic, &end, false).await?;
        }

        let mut ended = 0;
        let heard = a.messages_until(|message| {
            ended += usize::from(message.text() == end);
            ended == for_a.len()
        });
        let mut heard = heard.await?;
        heard.extend(a.ping().await?);
        for message in &heard {
            assert!(message.topic.starts_with(&down), "version {version}: {message:?} reached A");
        }
        for topic in &for_a {
            let of_topic = |text: &str| heard.iter().any(|m| m.topic == *topic && m.text() == text);
            assert!(of_topic("retained") && of_topic("live"), "A hears what is meant for it on {topic}");
        }
        let by_b = b.messages_until(|message| message.text() == end).await?;
        assert!(by_b.iter().any(|message| message.text() == "live"), "B hears what is meant for it");
        a.leave().await?;
        b.leave().await?;
    }
    Ok(())
}
