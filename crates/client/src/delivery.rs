use std::fmt;

use bytes::Bytes;
use rumqttc::v5::{
    AsyncClient,
    mqttbytes::{
        QoS,
        v5::{Publish, PublishProperties},
    },
};
use tracing::debug;

use crate::Qos;

/// A message that arrived.
pub struct Delivery {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Bytes,
    /// How it was delivered.
    pub qos: Qos,
    /// Whether the broker had kept it from before the subscription; of a session [as a bridge](crate::Options::as_bridge),
    /// whether it was published to be kept.
    pub retained: bool,
    packet_id: u16,
    /// Of the packet that it came in.
    pub(crate) packet_bytes: usize,
    /// Seldom there: the box keeps what is queued small.
    properties: Option<Box<PublishProperties>>,
    client: AsyncClient,
}

impl Delivery {
    /// `None` for what no broker may send: a topic that is not UTF-8, or none.
    pub(crate) fn new(publish: Publish, client: AsyncClient) -> Option<Self> {
        let topic = std::str::from_utf8(&publish.topic).ok().filter(|topic| !topic.is_empty())?;
        // 2 is never asked for.
        let qos = if publish.qos == QoS::AtMostOnce { Qos::AtMostOnce } else { Qos::AtLeastOnce };
        Some(Delivery {
            topic: topic.to_owned(),
            qos,
            retained: publish.retain,
            packet_id: publish.pkid,
            packet_bytes: publish.size(),
            payload: publish.payload,
            properties: publish.properties.map(Box::new),
            client,
        })
    }

    /// Says PUBACK. Of a connection that is gone it does nothing: the broker sends the message again.
    pub fn ack(&self) {
        // The queue is larger than there are packet ids, so it cannot be full; a closed one belongs to a lost connection.
        let publish = Publish { qos: self.qos.to_rumqttc(), pkid: self.packet_id, ..Publish::default() };
        if let Err(error) = self.client.try_ack(&publish) {
            debug!(topic = self.topic, %error, "acknowledgement of a connection that is gone");
        }
    }

    /// Without those that are between one client and one broker.
    pub(crate) fn properties_to_forward(&self) -> Option<PublishProperties> {
        let properties = PublishProperties::clone(self.properties.as_ref()?);
        Some(PublishProperties { topic_alias: None, subscription_identifiers: Vec::new(), ..properties })
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("topic", &self.topic)
            .field("bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}
