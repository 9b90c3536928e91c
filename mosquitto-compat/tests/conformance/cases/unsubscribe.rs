//! UNSUBSCRIBE and UNSUBACK.

use anyhow::{Result, ensure};
use bugbrother_kit::mqtt::{
    packet::{Packet, Publish, packet, string},
    peer::{PUBACK, PUBCOMP, PUBREC, PUBREL},
};

use crate::{cases, lab::Lab};

cases! {
    an_unsubscription_is_answered_under_its_identifier: "2.3.1-7 3.10.4-4 3.10.4-5", "2.2.1-6 3.10.4-4 3.10.4-5 3.11.3-2";
    only_the_very_filter_is_ended: "3.10.4-1 3.10.4-2", "3.10.4-1 3.10.4-2";
    many_filters_end_as_many_subscriptions: "3.10.4-6", "3.10.4-6 3.11.3-1 3.11.3-2";
    a_delivery_that_has_begun_is_finished: "3.10.4-3", "3.10.4-3";
    an_unsubscribe_without_a_filter_is_not_taken: "3.10.3-2 4.8.0-1", "3.10.3-2 4.13.1-1";
}

fn unsubscribe(version: u8, id: u16, filters: &[&str]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == 5 {
        body.push(0);
    }
    for filter in filters {
        string(&mut body, filter.as_bytes());
    }
    packet(0xA2, &body)
}

async fn an_unsubscription_is_answered_under_its_identifier(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 1).await?;
    // The second time there is nothing to end.
    for (id, code) in [(500, 0), (65_535, 0x11)] {
        peer.send(&unsubscribe(lab.version, id, &[&topic])).await?;
        match peer.answer().await? {
            Packet::Answer { kind: 11, id: answered, codes, .. } if answered == id => {
                let wanted = if lab.version == 5 { vec![code] } else { vec![] };
                ensure!(codes == wanted, "{codes:?} for {id}");
            }
            other => anyhow::bail!("{other:?} came instead of UNSUBACK of {id}"),
        }
    }
    Ok(())
}

async fn only_the_very_filter_is_ended(lab: Lab) -> Result<()> {
    let (one, two) = (lab.topic("text/one"), lab.topic("text/two"));
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&one, 1).await?;
    peer.subscribe(&two, 1).await?;
    peer.unsubscribe(&[&lab.topic("text/+"), &lab.topic("TEXT/ONE"), &lab.topic("text/one/")]).await?;
    lab.say(Publish::new(&one, "still", 1)).await?;
    ensure!(peer.message().await?.text() == "still", "something else");
    peer.unsubscribe(&[&one]).await?;
    lab.say(Publish::new(&one, "ended", 1)).await?;
    lab.say(Publish::new(&two, "end", 1)).await?;
    let mut heard = peer.texts_until("end").await?;
    heard.extend(peer.so_far().await?.iter().map(Publish::text));
    ensure!(heard.is_empty(), "{heard:?}");
    Ok(())
}

async fn many_filters_end_as_many_subscriptions(lab: Lab) -> Result<()> {
    let topics = ["a", "b", "c"].map(|topic| lab.topic(topic));
    let mut peer = lab.peer("a").await?;
    for topic in &topics {
        peer.subscribe(topic, 1).await?;
    }
    let codes = peer.unsubscribe(&[&topics[0], &lab.topic("never"), &topics[1]]).await?;
    ensure!(lab.version == 4 || codes == [0, 0x11, 0], "{codes:?}");
    for topic in &topics {
        lab.say(Publish::new(topic, topic, 1)).await?;
    }
    let message = peer.message().await?;
    ensure!(message.topic == topics[2], "{message:?}");
    let more = peer.so_far().await?;
    ensure!(more.is_empty(), "{more:?}");
    Ok(())
}

async fn a_delivery_that_has_begun_is_finished(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 2).await?;
    peer.acknowledges = false;
    lab.say(Publish::new(&topic, "one", 1)).await?;
    lab.say(Publish::new(&topic, "two", 2)).await?;
    let (one, two) = (peer.message().await?, peer.message().await?);
    peer.unsubscribe(&[&topic]).await?;
    peer.say(PUBACK, one.id).await?;
    peer.say(PUBREC, two.id).await?;
    ensure!(peer.ack(PUBREL, two.id).await? == 0, "PUBREL refuses");
    peer.say(PUBCOMP, two.id).await?;
    peer.ping().await
}

async fn an_unsubscribe_without_a_filter_is_not_taken(lab: Lab) -> Result<()> {
    lab.refuses_of_a_client(&unsubscribe(lab.version, 1, &[]), &[0x81, 0x82]).await
}
