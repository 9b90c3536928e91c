use anyhow::Result;
use bugbrother_kit::{
    broker::Broker,
    mqtt::{Connect, VERSIONS},
    on_each_broker,
};

use crate::field::{A, B, Field, NOBODY};

on_each_broker!(a_vehicle_cannot_take_the_session_of_another, nobody_comes_in_without_an_account);

async fn a_vehicle_cannot_take_the_session_of_another(broker: Broker) -> Result<()> {
    let field = Field::open(broker).await?;
    let mut writer = field.writer().await?;
    let topic = format!("fleet/v1/{B}/down/command");
    for version in VERSIONS {
        let mut b = field.connect(&field.b(version)).await?;
        assert_eq!(b.subscribe(&topic).await?, 1);
        let mut a = field.connect(&field.a(version).called(B)).await?;
        a.ping().await?;
        writer.say(&topic, "still there?", false).await?;
        assert_eq!(b.message().await?.text(), "still there?", "version {version}");
        assert!(a.ping().await?.is_empty());
        a.leave().await?;
        b.leave().await?;
    }
    Ok(())
}

async fn nobody_comes_in_without_an_account(broker: Broker) -> Result<()> {
    let field = Field::open(broker).await?;
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
            match field.offer(&connect).await? {
                Ok(_) => panic!("let in: {connect:?}"),
                Err(code) => assert!(refusals.contains(&code), "{connect:?}: {code:#x}"),
            }
        }
        field.connect(&field.a(version)).await?.leave().await?;
    }
    Ok(())
}
