//! What a client has to say when it is gone.

use std::time::Duration;

use bugbrother_mosquitto_compat::topic;

use crate::{
    access::{Access, Identity},
    count,
    gate::Gate,
    handshake::Cause,
    message::{Message, TopicName},
    packet::{Version, decode::Connect},
};

/// A will that its client may have.
pub(crate) struct Will {
    /// Its expiry interval is counted from its publication, which may never be.
    pub(crate) message: Message,
    pub(crate) delay_s: u32,
}

/// Looks at the will of a CONNECT, if it has one.
pub(crate) fn check(
    gate: &Gate,
    access: &Access,
    identity: &Identity,
    connect: &Connect,
) -> Result<Option<Will>, Cause> {
    let Some(will) = &connect.will else { return Ok(None) };
    if !topic::is_valid_name(will.topic()) && connect.version == Version::V4 {
        return Err(Cause::WillOfNoTopic);
    }
    if !topic::is_valid_name(will.topic()) || !gate.limits.take_topic(will.topic()) {
        return Err(Cause::WillTopic);
    }
    if will.payload.len() > gate.limits.message_bytes {
        return Err(Cause::WillSize);
    }
    if !access.may_write(identity, will.topic()) {
        count::publish_denied();
        return Err(Cause::WillDenied);
    }
    let message = Message {
        name: TopicName::of(will.topic.clone()).ok_or(Cause::WillTopic)?,
        payload: will.payload.clone(),
        qos: will.qos,
        retain: will.retain,
        publisher: 0,
        seq: 0,
        properties: will.properties.clone(),
        // Counted from its publication, which may never be: set then.
        expires: will.expiry_s.map(|seconds| Duration::from_secs(seconds.into())),
    };
    // It waits as long as the session lives.
    Ok(Some(Will { message: message.detached(), delay_s: connect.will_delay_s }))
}
