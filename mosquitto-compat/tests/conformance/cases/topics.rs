//! What a topic filter is, and what it matches.

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::{packet::Publish, peer::subscribe};

use crate::{
    cases,
    lab::{Lab, none},
};

cases! {
    wildcards_match_levels: "4.7.1-2 4.7.1-3 3.3.2-3", "4.7.1-1 4.7.1-2 3.3.2-3";
    a_wildcard_stands_where_it_may: "4.7.1-2 4.7.1-3", "4.7.1-1 4.7.1-2";
    a_filter_is_not_empty: "4.7.3-1", "4.7.3-1";
    a_topic_matches_byte_for_byte: "4.7.3-4", "4.7.3-4";
    a_leading_wildcard_does_not_match_a_dollar: "4.7.2-1", "4.7.2-1";
    a_topic_may_be_anything_else: "4.7.3-1 4.7.1-3", "4.7.3-1 4.7.1-2";
}

async fn wildcards_match_levels(lab: Lab) -> Result<()> {
    for (filter, hits, misses) in [
        ("tree/#", &["tree", "tree/a", "tree/a/b"][..], &["trees", "other"][..]),
        ("+/leaf", &["a/leaf", "/leaf"], &["leaf", "a/b/leaf", "a/leaf/"]),
        ("a/+/c", &["a/b/c", "a//c"], &["a/c", "a/b/c/d", "a/b"]),
        ("+/+/#", &["x/y", "x/y/z"], &["x"]),
        ("plain", &["plain"], &["plain/", "/plain", "Plain"]),
        ("deep/+", &["deep/", "deep/x"], &["deep", "deep/x/y"]),
    ] {
        let mut peer = lab.peer("a").await?;
        peer.subscribe(&lab.topic(filter), 1).await?;
        for topic in misses.iter().chain(hits) {
            lab.say(Publish::new(&lab.topic(topic), topic, 1)).await?;
        }
        let mut heard = Vec::new();
        for _ in hits {
            let message = peer.message().await.with_context(|| format!("`{filter}` after {heard:?}"))?;
            heard.push(message.text());
        }
        heard.extend(peer.so_far().await?.iter().map(Publish::text));
        // Different topics may overtake each other.
        heard.sort();
        let mut wanted = hits.to_vec();
        wanted.sort_unstable();
        ensure!(heard == wanted, "`{filter}` hears {heard:?}");
        peer.leave().await?;
    }
    Ok(())
}

async fn a_wildcard_stands_where_it_may(lab: Lab) -> Result<()> {
    for filter in ["a/#/b", "a#", "a/b#", "#/a", "a+", "+a", "a/b+/c", "a/+b", "##", "a/##", "++"] {
        let mut peer = lab.peer("a").await?;
        peer.send(&subscribe(lab.version, 1, &[(filter, 0)], &none())).await?;
        use bugbrother_kit::mqtt::packet::Packet;
        match peer.next().await? {
            None => {}
            Some(Packet::Disconnect { code, .. }) => {
                ensure!([0x81, 0x82, 0x8F].contains(&code), "`{filter}`: {code:#x}")
            }
            Some(Packet::Answer { codes, .. }) => {
                let refused = if lab.version == 5 { 0x8F } else { 0x80 };
                ensure!(codes == [refused], "`{filter}`: {codes:?}");
            }
            other => anyhow::bail!("{other:?} for `{filter}`"),
        }
    }
    let mut peer = lab.peer("a").await?;
    for filter in ["#", "+", "+/#", "/+", "+/+/+", "a/+/#", "/"] {
        let code = peer.subscribe(filter, 0).await?;
        ensure!(code == 0, "`{filter}` is refused with {code:#x}");
        peer.unsubscribe(&[filter]).await?;
    }
    Ok(())
}

async fn a_filter_is_not_empty(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    peer.send(&subscribe(lab.version, 1, &[("", 0)], &none())).await?;
    use bugbrother_kit::mqtt::packet::Packet;
    match peer.next().await? {
        None | Some(Packet::Disconnect { code: 0x81 | 0x82 | 0x8F, .. }) => Ok(()),
        Some(Packet::Answer { codes, .. }) if codes[0] >= 0x80 => Ok(()),
        other => anyhow::bail!("{other:?} for an empty filter"),
    }
}

async fn a_topic_matches_byte_for_byte(lab: Lab) -> Result<()> {
    // The same letter in two ways, and one that is nobody's.
    let (composed, decomposed, private) = ("caf\u{e9}", "cafe\u{301}", "\u{10FFFD}");
    for (filter, other) in [(composed, decomposed), (decomposed, composed), (private, "\u{FFFD}"), ("a/b", "a//b")] {
        let mut peer = lab.peer("a").await?;
        peer.subscribe(&lab.topic(filter), 1).await?;
        lab.say(Publish::new(&lab.topic(other), "other", 1)).await?;
        lab.say(Publish::new(&lab.topic(filter), "end", 1)).await?;
        let mut heard = peer.texts_until("end").await?;
        heard.extend(peer.so_far().await?.iter().map(Publish::text));
        ensure!(heard.is_empty(), "`{filter}` matches `{other}`");
        peer.leave().await?;
    }
    Ok(())
}

async fn a_leading_wildcard_does_not_match_a_dollar(lab: Lab) -> Result<()> {
    let own = format!("$own/{}", lab.topic("text"));
    let (mut all, mut exact) = (lab.peer("a").await?, lab.peer("b").await?);
    for filter in ["#", "+/#", "+/lab/#"] {
        all.subscribe(filter, 0).await?;
    }
    exact.subscribe(&own, 1).await?;
    let mut sayer = lab.peer("c").await?;
    // Whether it lets clients use such topics at all is its own choice; if so, only who names it hears.
    sayer.send(&Publish::new(&own, "dollar", 0).bytes(lab.version)).await?;
    let end = lab.topic("end");
    let mut other = lab.peer("d").await?;
    other.publish(Publish::new(&end, "end", 1)).await?;
    loop {
        let message = all.message().await?;
        ensure!(message.topic != own, "`#` or `+` has heard it");
        if message.topic == end {
            break;
        }
    }
    let more = all.so_far().await?;
    ensure!(more.iter().all(|message| message.topic != own), "`#` or `+` has heard it");
    Ok(())
}

async fn a_topic_may_be_anything_else(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    for rest in ["with space", "/", "//", "ends/", "ünïcödé/車", "a$b", "quote\"'\\", "\u{FEFF}start"] {
        let topic = lab.topic(rest);
        peer.subscribe(&topic, 1).await?;
        lab.say(Publish::new(&topic, "text", 1)).await?;
        let message = peer.message().await.with_context(|| rest.to_owned())?;
        ensure!(message.topic == topic, "{message:?}");
        peer.unsubscribe(&[&topic]).await?;
    }
    Ok(())
}
