use anyhow::Result;
use bugbrother_kit::{
    broker::Broker,
    mqtt::{Connect, VERSIONS},
    on_each_broker,
};

use crate::field::{A, B, Field, NOBODY, Proof, must};

on_each_broker!(
    a_vehicle_with_a_password_cannot_take_the_session_of_another,
    a_vehicle_with_a_certificate_cannot_take_the_session_of_another,
    a_vehicle_with_a_certificate_is_nobody_else_whatever_it_says,
    nobody_comes_in_without_an_account,
);

async fn a_vehicle_with_a_password_cannot_take_the_session_of_another(broker: Broker) -> Result<()> {
    take_over(&Field::open(broker, Proof::Password).await?).await
}

async fn a_vehicle_with_a_certificate_cannot_take_the_session_of_another(broker: Broker) -> Result<()> {
    take_over(&Field::open(broker, Proof::Certificate).await?).await
}

async fn take_over(field: &Field) -> Result<()> {
    let mut writer = field.writer().await?;
    let topic = format!("fleet/v1/{B}/down/command");
    for version in VERSIONS {
        let mut b = field.b(version).await?;
        assert_eq!(b.subscribe(&topic).await?, 1);
        let mut a = must(field.offer_a(|connect| connect.called(B), version).await?)?;
        a.ping().await?;
        writer.say(&topic, "still there?", false).await?;
        assert_eq!(b.message().await?.text(), "still there?", "version {version}");
        assert!(a.ping().await?.is_empty());
        a.leave().await?;
        b.leave().await?;
    }
    Ok(())
}

/// The certificate alone says who it is: a name and a password of somebody else's are nothing beside it.
async fn a_vehicle_with_a_certificate_is_nobody_else_whatever_it_says(broker: Broker) -> Result<()> {
    let field = Field::open(broker, Proof::Certificate).await?;
    let mut watcher = field.watcher().await?;
    for version in VERSIONS {
        let as_b = |_| Connect::new(version, B, &format!("password of {B}"));
        let Ok(mut a) = field.offer_a(as_b, version).await? else { continue };
        a.publish(&format!("fleet/v1/{B}/up/event"), b"as B", 1, false).await?;
        a.say(&format!("fleet/v1/{A}/up/event"), "as A", false).await?;
        a.leave().await?;
        let heard = watcher.messages_until(|message| message.text() == "as A").await?;
        assert!(heard.iter().all(|message| message.text() != "as B"), "version {version}: {heard:?}");
    }
    Ok(())
}

async fn nobody_comes_in_without_an_account(broker: Broker) -> Result<()> {
    let field = Field::open(broker, Proof::Password).await?;
    for version in VERSIONS {
        let refusals = if version == 5 { [0x86, 0x87] } else { [4, 5] };
        for connect in [
            Connect::new(version, A, "a guess"),
            Connect::new(version, A, ""),
            Connect::new(version, NOBODY, "a guess"),
            Connect::new(version, "", ""),
            Connect::new(version, "ingest", "ingest"),
            Connect::nameless(version, A),
        ] {
            match field.offer_plain(&connect).await? {
                Ok(_) => panic!("let in: {connect:?}"),
                Err(code) => assert!(refusals.contains(&code), "{connect:?}: {code:#x}"),
            }
        }
        field.a(version).await?.leave().await?;
    }
    Ok(())
}
