use std::{fmt, sync::Arc, time::Duration};

use rumqttc::{
    NetworkOptions, TlsConfiguration, Transport,
    v5::{
        MqttOptions,
        mqttbytes::{
            QoS,
            v5::{ConnectProperties, Filter, LastWill},
        },
    },
};
use tokio_rustls::rustls::ClientConfig;

use crate::{Standing, Tls, Traffic};

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

/// Makes the payload of a will.
pub type WillPayload = Arc<dyn Fn() -> Vec<u8> + Send + Sync>;

/// A broker that knows nothing of the one that a session is with, such as another site's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Name or address. With TLS its certificate must be for it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS; `None` for a plain connection.
    pub tls: Option<Tls>,
}

/// To whom a session connects and as whom.
#[derive(Clone)]
pub struct Options {
    /// Name or address of the broker. With TLS its certificate must be for it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Further brokers, host and port, that are tried in turn when an attempt fails. One that works is stayed with.
    pub alternatives: Vec<(String, u16)>,
    /// On another broker than the first, those before it are knocked at after a random time between these two, and
    /// again and again; the first that answers, with TLS as far as the handshake, is gone back to. `None` for never.
    pub return_after: Option<(Duration, Duration)>,
    /// Brokers that are heard besides, each by a connection of its own that comes and goes by itself. What is published goes to
    /// those that are connected and have room for it as well, and nobody is told what became of it there. That the first
    /// broker is lost is told by [`Event::Down`](crate::Event::Down); that one of these is back by
    /// [`Event::Up`](crate::Event::Up), if the first is there.
    pub others: Vec<Peer>,
    /// TLS; `None` for a plain connection.
    pub tls: Option<Tls>,
    /// MQTT client identifier.
    pub client_id: String,
    /// MQTT user name.
    pub username: String,
    /// MQTT password; none is sent when it is empty.
    pub password: String,
    /// Longest silence; at least five seconds.
    pub keep_alive: Duration,
    /// How long a publish may wait for its PUBACK with nothing heard of the broker. Then it is asked, and after as long again
    /// without an answer taken for gone. What a slow link takes for what is under way is added.
    pub answer_within: Duration,
    /// What the broker publishes when the connection is lost.
    pub will: Option<Will>,
    /// Makes the will's payload anew for each connection, where it is not always the same.
    pub will_payload: Option<WillPayload>,
    /// Topic filters that are subscribed on every connection.
    pub subscriptions: Vec<(String, Qos)>,
    /// Subscribes as a bridge does: not to what this session publishes itself, and with the retain flag as it was published.
    pub as_bridge: bool,
    /// How long the broker keeps messages for this session while it is away; `None` for not at all.
    pub keep_session: Option<Duration>,
    /// Largest packet in either direction.
    pub max_packet_bytes: usize,
    /// Most publishes that wait for their PUBACK, at most 500.
    pub window: usize,
    /// Most received messages that wait to be taken, and that the broker sends without an acknowledgement. When so many
    /// wait, or 32 MiB of them, nothing more is read from the connection.
    pub backlog: usize,
    /// What goes over the network is added to it.
    pub traffic: Traffic,
    /// Is kept up to date.
    pub standing: Standing,
}

impl Options {
    /// Options without TLS, with a keep alive of 30 s, an answer within 8 s, packets of up to 1 MiB, a window of 64 and no subscription.
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
            alternatives: Vec::new(),
            return_after: None,
            others: Vec::new(),
            tls: None,
            client_id: client_id.into(),
            username: username.into(),
            password: password.into(),
            keep_alive: Duration::from_secs(30),
            answer_within: Duration::from_secs(8),
            will: None,
            will_payload: None,
            subscriptions: Vec::new(),
            as_bridge: false,
            keep_session: None,
            max_packet_bytes: 1 << 20,
            window: 64,
            backlog: 1024,
            traffic: Traffic::default(),
            standing: Standing::default(),
        }
    }

    /// The brokers in the order in which they are tried.
    pub(crate) fn addresses(&self) -> Vec<(&str, u16)> {
        let others = self.alternatives.iter().map(|(host, port)| (host.as_str(), *port));
        std::iter::once((self.host.as_str(), self.port)).chain(others).collect()
    }

    /// The same session with another broker alone.
    pub(crate) fn with_peer(&self, peer: &Peer) -> Self {
        Options {
            host: peer.host.clone(),
            port: peer.port,
            tls: peer.tls.clone(),
            alternatives: Vec::new(),
            others: Vec::new(),
            // Whether a part is ready does not hang on it.
            standing: Standing::default(),
            ..self.clone()
        }
    }

    pub(crate) fn to_rumqttc(&self, host: &str, port: u16, tls: Option<Arc<ClientConfig>>) -> MqttOptions {
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        // What is not announced here is what the broker must not do: no topic alias, which rumqttc gets wrong.
        let mut properties = ConnectProperties::new();
        properties.session_expiry_interval = self.keep_session.map(|kept| saturated(kept.as_secs()));
        properties.receive_maximum = Some(u16::try_from(self.backlog).unwrap_or(u16::MAX).max(1));
        properties.max_packet_size = Some(saturated(self.max_packet_bytes as u64));
        let mut options = MqttOptions::new(&self.client_id, bare(host), port);
        options
            .set_clean_start(self.keep_session.is_none())
            .set_keep_alive(self.keep_alive.max(SHORTEST_KEEP_ALIVE))
            .set_credentials(&self.username, &self.password)
            .set_connection_timeout(CONNECT_TIMEOUT.as_secs())
            .set_network_options(network)
            .set_connect_properties(properties)
            .set_outgoing_inflight_upper_limit(INFLIGHT)
            .set_manual_acks(true);
        if let Some(config) = tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(config)));
        }
        if let Some(will) = &self.will {
            let qos = will.qos.to_rumqttc();
            let payload = self.will_payload.as_ref().map_or_else(|| will.payload.clone(), |make| make());
            options.set_last_will(LastWill::new(&will.topic, payload, qos, will.retain, None));
        }
        options
    }

    /// Of CONNECT, roughly.
    pub(crate) fn connect_bytes(&self) -> usize {
        let will = self.will.as_ref().map_or(0, |will| will.topic.len() + will.payload.len());
        40 + self.client_id.len() + self.username.len() + self.password.len() + will
    }

    pub(crate) fn filters(&self) -> impl Iterator<Item = Filter> {
        self.subscriptions.iter().map(|(path, qos)| {
            let mut filter = Filter::new(path, qos.to_rumqttc());
            // Of a shared subscription every member must be told alike (MQTT 5.0, 3.8.3.1).
            filter.nolocal = self.as_bridge && !path.starts_with("$share/");
            filter.preserve_retain = self.as_bridge;
            filter
        })
    }
}

/// A host in brackets is for people: what looks up and verifies takes the bare address.
pub(crate) fn bare(host: &str) -> &str {
    host.trim_matches(['[', ']'])
}

fn saturated(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// From the look-up of the name to CONNACK.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// rumqttc panics below it.
const SHORTEST_KEEP_ALIVE: Duration = Duration::from_secs(5);
/// rumqttc's own limit of publishes under way. Its packet ids run from 1 to here, or to the broker's receive maximum
/// when that is less.
const INFLIGHT: u16 = 1000;

/// Secrets do not get into logs.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("broker", &format_args!("{}:{}", self.host, self.port))
            .field("tls", &self.tls)
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
