use std::{fmt, time::Duration};

use rumqttc::{LastWill, MqttOptions, QoS};

/// Quality of service. 2 is not needed: records carry numbers and duplicates are harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qos {
    /// 0
    AtMostOnce,
    /// 1
    AtLeastOnce,
}

impl Qos {
    pub(crate) fn to_rumqttc(self) -> QoS {
        match self {
            Qos::AtMostOnce => QoS::AtMostOnce,
            Qos::AtLeastOnce => QoS::AtLeastOnce,
        }
    }
}

/// What the broker publishes when the connection is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// How.
    pub qos: Qos,
    /// Whether the broker keeps it.
    pub retain: bool,
}

/// To whom a session connects and as whom.
#[derive(Clone)]
pub struct Options {
    /// Name or address of the broker.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// MQTT client identifier.
    pub client_id: String,
    /// MQTT user name.
    pub username: String,
    /// MQTT password.
    pub password: String,
    /// Longest silence; at least one second.
    pub keep_alive: Duration,
    /// What the broker publishes when the connection is lost.
    pub will: Option<Will>,
    /// Topic filters that are subscribed on every connection.
    pub subscriptions: Vec<(String, Qos)>,
    /// Largest packet in either direction.
    pub max_packet_bytes: usize,
    /// Most publishes that wait for their PUBACK, at most 500.
    pub window: usize,
    /// Most received messages that wait to be taken. A broker that honours the window of unacknowledged messages never
    /// fills it; when it is full, nothing more is read from the connection.
    pub backlog: usize,
}

impl Options {
    /// Options with a keep alive of 30 s, packets of up to 1 MiB, a window of 64 and no subscription.
    pub fn new(
        host: impl Into<String>,
        port: u16,
        client_id: impl Into<String>,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        Options {
            host: host.into(),
            port,
            client_id: client_id.into(),
            username: username.into(),
            password: password.into(),
            keep_alive: Duration::from_secs(30),
            will: None,
            subscriptions: Vec::new(),
            max_packet_bytes: 1 << 20,
            window: 64,
            backlog: 1024,
        }
    }

    pub(crate) fn to_rumqttc(&self) -> MqttOptions {
        let mut options = MqttOptions::new(&self.client_id, &self.host, self.port);
        options
            .set_clean_session(true)
            .set_keep_alive(self.keep_alive.max(Duration::from_secs(1)))
            .set_credentials(&self.username, &self.password)
            .set_max_packet_size(self.max_packet_bytes, self.max_packet_bytes)
            .set_inflight(INFLIGHT)
            .set_manual_acks(true);
        if let Some(will) = &self.will {
            options.set_last_will(LastWill::new(&will.topic, will.payload.clone(), will.qos.to_rumqttc(), will.retain));
        }
        options
    }
}

/// rumqttc's own limit of publishes under way: packet ids run from 1 to here, so it must stay far above the window.
const INFLIGHT: u16 = 1000;

/// Secrets do not get into logs.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("broker", &format_args!("{}:{}", self.host, self.port))
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
