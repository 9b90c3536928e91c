//! Mosquitto's `mosquitto.conf`: where a broker listens, whom it lets in, and what it bridges.
//!
//! Each option of Mosquitto 2.0 and 2.1 is in one table, [`OPTIONS`], with what becomes of it here. [`Conf::load`] refuses
//! what it cannot honour; [`check`] says of every line whether it can be used; [`render`] writes what Mosquitto reads.
//!
//! Where the real program starts with a configuration that contradicts itself (a `cafile` without a `certfile`, which
//! leaves a listener open, or a word where a number belongs), we refuse it: `tests/conf.rs` has the list.

mod bridge;
mod listener;
mod options;
mod parser;
mod render;
mod statement;
#[cfg(test)]
mod tests;
mod values;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

pub use options::{Fate, OPTIONS, Opt, Part};
pub use render::render;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfError {
    /// The file cannot be read.
    #[error("configuration `{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line that is refused.
    #[error("configuration `{}` line {line}: {reason}", path.display())]
    Line {
        /// The file, which may be one of an `include_dir`.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
}

/// What is to be said of each line of `text` that says something, in order; `path` is for the findings.
pub fn check(text: &str, path: &Path) -> Vec<Finding> {
    parser::read(text, path).1
}

/// What a configuration says, with Mosquitto's defaults where it is silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conf {
    /// Where to listen.
    pub listeners: Vec<Listener>,
    /// Other brokers to exchange topics with.
    pub bridges: Vec<Bridge>,
    /// `sys_interval`: seconds between two editions of `$SYS/…`; 0 for none.
    pub sys_interval_s: u32,
    /// `max_keepalive`: longest keep alive in seconds that a client may ask for.
    pub max_keepalive_s: u16,
    /// `message_size_limit`: largest payload in bytes.
    pub message_size_limit: Option<u32>,
    /// `max_packet_size`: largest packet in bytes.
    pub max_packet_size: Option<u32>,
    /// `max_inflight_messages`: deliveries to one client that it has not acknowledged.
    pub max_inflight_messages: Option<u16>,
    /// `max_queued_messages`: messages that wait for one client, if there is a limit.
    pub max_queued_messages: Option<u32>,
    /// `max_queued_bytes`: what those weigh.
    pub max_queued_bytes: Option<u32>,
    /// `persistent_client_expiration`: longest life of a session after its connection, in seconds.
    pub persistent_client_expiration_s: Option<u32>,
    /// `global_max_connections`: clients of all listeners together.
    pub global_max_connections: Option<u32>,
    /// `persistence`: whether sessions and retained messages outlive the broker, if it is said.
    pub persistence: Option<bool>,
    /// `persistence_location`: the folder for them.
    pub persistence_location: Option<PathBuf>,
    /// What the file asks for and does not get: findings of the verdict [`Verdict::WithoutEffect`].
    pub warnings: Vec<Finding>,
}

/// Mosquitto's defaults, without a listener.
impl Default for Conf {
    fn default() -> Self {
        Conf {
            listeners: Vec::new(),
            bridges: Vec::new(),
            sys_interval_s: 10,
            max_keepalive_s: u16::MAX,
            message_size_limit: None,
            max_packet_size: None,
            max_inflight_messages: None,
            max_queued_messages: None,
            max_queued_bytes: None,
            persistent_client_expiration_s: None,
            global_max_connections: None,
            persistence: None,
            persistence_location: None,
            warnings: Vec::new(),
        }
    }
}

/// What is to be said of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, which may be one of an `include_dir`.
    pub path: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// Whether it can be used.
    pub verdict: Verdict,
    /// The option, and what it does or why it does not.
    pub text: String,
}

/// Whether a line can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It does here what it does in Mosquitto.
    Supported,
    /// It is accepted and changes nothing.
    WithoutEffect,
    /// It asks for something that this broker does not do; a configuration with it is refused.
    Unsupported,
    /// It is no option, has a value that makes no sense, or contradicts another line; refused by Mosquitto too, or worse.
    Invalid,
}

/// One `listener`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// `listener PORT`.
    pub port: u16,
    /// The address or host name after the port; every address of this machine where it is missing.
    pub bind: Option<String>,
    /// `socket_domain`.
    pub domain: Domain,
    /// `protocol`.
    pub protocol: Protocol,
    /// `certfile` and all that goes with it; `None` for a listener without TLS.
    pub tls: Option<Tls>,
    /// `max_connections`: clients of this listener.
    pub max_connections: Option<u32>,
    /// `enable_proxy_protocol 2` (Mosquitto 2.1): each connection begins with a PROXY protocol v2 header.
    pub proxy_protocol: bool,
    /// `use_username_as_clientid`: `%c` in a rule stands for the user name, whatever identifier a client gives itself.
    pub username_as_client_id: bool,
    /// Who is let in. The same for all listeners unless `per_listener_settings true`.
    pub access: Access,
}

impl Listener {
    /// MQTT over TCP at `address`, without TLS.
    pub fn at(address: SocketAddr, access: Access) -> Self {
        Listener {
            port: address.port(),
            bind: Some(address.ip().to_string()),
            domain: Domain::Both,
            protocol: Protocol::Mqtt,
            tls: None,
            max_connections: None,
            proxy_protocol: false,
            username_as_client_id: false,
            access,
        }
    }
}

/// Which addresses a name stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Domain {
    /// All.
    #[default]
    Both,
    /// `ipv4`.
    V4,
    /// `ipv6`.
    V6,
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT over TCP or TLS.
    #[default]
    Mqtt,
    /// MQTT over WebSocket.
    WebSockets,
}

/// TLS of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The server's certificate with its chain, PEM.
    pub certfile: PathBuf,
    /// Its private key, PEM.
    pub keyfile: PathBuf,
    /// Certificates of those who sign clients' certificates, PEM.
    pub cafile: Option<PathBuf>,
    /// The certificate revocation list of those signers, PEM.
    pub crlfile: Option<PathBuf>,
    /// Whether a client must have a certificate.
    pub require_certificate: bool,
    /// `use_identity_as_username`: the certificate's common name is the user name, and no password is asked for.
    pub use_identity_as_username: bool,
    /// `tls_version`: the oldest version that is spoken.
    pub min_version: TlsVersion,
}

/// Versions of TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// `tlsv1.2`.
    #[default]
    V1_2,
    /// `tlsv1.3`.
    V1_3,
}

/// Who is let in, and who may say what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The users. Without it every user name is taken as it is, if `allow_anonymous` or a certificate lets it in.
    pub password_file: Option<PathBuf>,
    /// Who may read and write what. Without it everything is allowed, as in Mosquitto.
    pub acl_file: Option<PathBuf>,
    /// Whether a client without a user name is let in.
    pub allow_anonymous: bool,
}

/// One `connection` to another broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// `connection NAME`.
    pub name: String,
    /// `address HOST[:PORT]`, tried in their order.
    pub addresses: Vec<(String, u16)>,
    /// `topic`: what goes over.
    pub topics: Vec<BridgeTopic>,
    /// `remote_clientid`.
    pub remote_client_id: Option<String>,
    /// `remote_username`.
    pub remote_username: Option<String>,
    /// `remote_password`.
    pub remote_password: Option<Secret>,
    /// `bridge_cafile`, `bridge_certfile`, `bridge_keyfile`; `None` for a connection without TLS.
    pub tls: Option<BridgeTls>,
    /// `keepalive_interval` in seconds.
    pub keepalive_s: u16,
    /// `cleansession`.
    pub clean_session: bool,
}

/// TLS of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeTls {
    /// Who signs the remote broker's certificate, PEM.
    pub cafile: PathBuf,
    /// Our certificate and its key, PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// `topic PATTERN DIRECTION QOS LOCAL-PREFIX REMOTE-PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeTopic {
    /// Topic filter, without the prefixes.
    pub pattern: String,
    /// Which way.
    pub direction: Direction,
    /// 0 or 1.
    pub qos: u8,
    /// Before the pattern on this broker.
    pub local_prefix: String,
    /// Before the pattern on the other broker.
    pub remote_prefix: String,
}

/// Which way messages go over a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the other broker to this one.
    In,
    /// From this broker to the other one.
    Out,
    /// Both ways.
    Both,
}

/// A password that is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}
