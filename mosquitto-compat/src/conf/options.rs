//! Every option of Mosquitto 2.0 and 2.1, and what becomes of it here.

use super::Verdict;

/// One option.
#[derive(Debug)]
pub struct Opt {
    /// Its name; one that ends in `*` stands for all that begin so.
    pub name: &'static str,
    /// What it is about.
    pub part: Part,
    /// What becomes of it.
    pub fate: Fate,
    /// What it does, or why it does not.
    pub note: &'static str,
}

/// The part of a configuration that an option belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The broker as a whole.
    General,
    /// The listener above it, with `per_listener_settings true`, or else all of them.
    Access,
    /// The listener above it.
    Listener,
    /// The bridge above it.
    Bridge,
}

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Read into a [`super::Conf`].
    Read,
    /// The same whatever it is set to.
    Always(Verdict),
    /// These values are what happens anyway; any other gets the verdict.
    Except(&'static [&'static str], Verdict),
}

use Fate::{Always, Except, Read};
use Part::{Access, Bridge, General, Listener};
use Verdict::{Unsupported, WithoutEffect};

const NO: &[&str] = &["false", "0"];
const YES: &[&str] = &["true", "1"];
const PLUGIN: &str = "plugins are not run";
const LOG: &str = "the program logs in its own way, to the standard error";
const SAVED: &str = "what is to outlive the broker is written at once, into a file with a name of its own";
const PSK: &str = "TLS with pre-shared keys is not spoken";
const ENGINE: &str = "keys are read from PEM files only";
const SUITES: &str = "the cipher suites are those of rustls: forward secrecy and authenticated encryption always";
const LIMIT: &str = "the broker has limits of its own for what waits for a client";
const ALIAS: &str = "the broker decides how many topic aliases there are";
const LAZY: &str = "a bridge is always connected";
const RETRY: &str = "a bridge connects again after a growing, random time";
const LOCAL: &str = "the program connects a bridge to its own broker by itself";
const NOTICE: &str = "the state of a bridge is a metric and a log line, not a topic";

/// The table, in alphabetical order.
pub const OPTIONS: &[Opt] = &[
    opt(
        "accept_protocol_versions",
        Listener,
        Except(&["4,5", "4, 5"], Unsupported),
        "every listener speaks 3.1.1 and 5.0",
    ),
    opt("acl_file", Access, Read, "who may read and write what"),
    opt("address", Bridge, Read, "where the other broker is"),
    opt("addresses", Bridge, Read, "where the other broker is"),
    opt("allow_anonymous", Access, Read, "whether clients without a user name are let in"),
    opt("allow_duplicate_messages", General, Always(WithoutEffect), "Mosquitto has deprecated it"),
    opt("allow_zero_length_clientid", Access, Except(YES, Unsupported), "a client without an identifier is given one"),
    opt("auth_opt_*", Access, Always(Unsupported), PLUGIN),
    opt("auth_plugin", Access, Always(Unsupported), PLUGIN),
    opt("auth_plugin_deny_special_chars", Access, Always(Unsupported), PLUGIN),
    opt(
        "auto_id_prefix",
        Access,
        Always(WithoutEffect),
        "the identifiers that the broker gives have a form of their own",
    ),
    opt("autosave_interval", General, Always(WithoutEffect), SAVED),
    opt("autosave_on_changes", General, Always(WithoutEffect), SAVED),
    opt("bind_address", Listener, Read, "the address of the default listener"),
    opt(
        "bind_interface",
        Listener,
        Always(Unsupported),
        "name the address of the interface after the port of `listener`",
    ),
    opt("bridge_alpn", Bridge, Always(Unsupported), "no protocol is negotiated within TLS"),
    opt("bridge_attempt_unsubscribe", Bridge, Always(WithoutEffect), "nothing is unsubscribed that was not subscribed"),
    opt("bridge_bind_address", Bridge, Always(Unsupported), "the system chooses the local address"),
    opt("bridge_cafile", Bridge, Read, "who signs the other broker's certificate"),
    opt("bridge_capath", Bridge, Always(Unsupported), "name one file with `bridge_cafile`"),
    opt("bridge_certfile", Bridge, Read, "the certificate shown to the other broker"),
    opt("bridge_ciphers", Bridge, Always(WithoutEffect), SUITES),
    opt("bridge_ciphers_tls1.3", Bridge, Always(WithoutEffect), SUITES),
    opt("bridge_identity", Bridge, Always(Unsupported), PSK),
    opt("bridge_insecure", Bridge, Except(NO, Unsupported), "the name in a certificate is always checked"),
    opt("bridge_keyfile", Bridge, Read, "the key of `bridge_certfile`"),
    opt("bridge_max_packet_size", Bridge, Always(WithoutEffect), "a bridge sends what the broker takes"),
    opt("bridge_max_topic_alias", Bridge, Always(WithoutEffect), ALIAS),
    opt("bridge_mptcp", Bridge, Except(NO, WithoutEffect), "plain TCP is spoken"),
    opt("bridge_outgoing_retain", Bridge, Except(YES, Unsupported), "a retained message goes over as a retained one"),
    opt(
        "bridge_protocol_version",
        Bridge,
        Except(&["mqttv50"], WithoutEffect),
        "a bridge speaks MQTT 5.0, which the other broker must know",
    ),
    opt("bridge_psk", Bridge, Always(Unsupported), PSK),
    opt("bridge_receive_maximum", Bridge, Always(WithoutEffect), "a bridge has a window of its own"),
    opt("bridge_reload_type", Bridge, Always(WithoutEffect), "bridges are set up at start"),
    opt("bridge_require_ocsp", Bridge, Except(NO, Unsupported), "OCSP is not asked for"),
    opt("bridge_session_expiry_interval", Bridge, Always(WithoutEffect), "the session lasts as `cleansession` says"),
    opt("bridge_tcp_keepalive", Bridge, Always(WithoutEffect), "MQTT's own keep alive finds a dead connection"),
    opt("bridge_tcp_user_timeout", Bridge, Always(WithoutEffect), "MQTT's own keep alive finds a dead connection"),
    opt("bridge_tls_use_os_certs", Bridge, Except(NO, Unsupported), "name one file with `bridge_cafile`"),
    opt(
        "bridge_tls_version",
        Bridge,
        Except(&["tlsv1.2", "tlsv1.3"], Unsupported),
        "TLS 1.3 is spoken, or 1.2 where the other broker has nothing newer",
    ),
    opt("cafile", Listener, Read, "who signs clients' certificates"),
    opt("capath", Listener, Always(Unsupported), "name one file with `cafile`"),
    opt("certfile", Listener, Read, "the listener's certificate, which makes it speak TLS"),
    opt(
        "check_retain_source",
        Access,
        Except(NO, WithoutEffect),
        "a retained message is delivered to whoever may read it, though its publisher may have lost the right to write it",
    ),
    opt("ciphers", Listener, Always(WithoutEffect), SUITES),
    opt("ciphers_tls1.3", Listener, Always(WithoutEffect), SUITES),
    opt("cleansession", Bridge, Read, "whether the other broker forgets the bridge when it leaves"),
    opt("clientid", Bridge, Read, "the older name of `remote_clientid`"),
    opt("clientid_prefixes", General, Always(Unsupported), "clients are told apart by user name, not by identifier"),
    opt("connection", Bridge, Read, "begins a bridge"),
    opt("connection_messages", General, Always(WithoutEffect), LOG),
    opt("crlfile", Listener, Read, "which certificates are revoked"),
    opt("dhparamfile", Listener, Always(WithoutEffect), "keys are agreed on elliptic curves"),
    opt(
        "disable_client_cert_date_checks",
        Listener,
        Except(NO, Unsupported),
        "an expired certificate is worth nothing",
    ),
    opt("enable_control_api", General, Except(NO, WithoutEffect), "there is nothing behind `$CONTROL`"),
    opt("enable_proxy_protocol", Listener, Read, "a PROXY protocol v2 header begins each connection"),
    opt("global_max_clients", General, Always(WithoutEffect), "sessions have a limit of their own"),
    opt("global_max_connections", General, Read, "connections of all listeners together"),
    opt("global_plugin", General, Always(Unsupported), PLUGIN),
    opt("http_dir", Listener, Always(WithoutEffect), "a WebSocket listener serves no files"),
    opt("idle_timeout", Bridge, Always(WithoutEffect), LAZY),
    opt("include_dir", General, Read, "reads the `*.conf` files of a folder"),
    opt("keepalive_interval", Bridge, Read, "the bridge's keep alive"),
    opt("keyfile", Listener, Read, "the key of `certfile`"),
    opt("listener", Listener, Read, "begins a listener"),
    opt("listener_allow_anonymous", Listener, Read, "`allow_anonymous` of one listener"),
    opt(
        "listener_auto_id_prefix",
        Listener,
        Always(WithoutEffect),
        "the identifiers that the broker gives have a form of their own",
    ),
    opt("local_cleansession", Bridge, Always(WithoutEffect), LOCAL),
    opt("local_clientid", Bridge, Always(WithoutEffect), LOCAL),
    opt("local_password", Bridge, Always(WithoutEffect), LOCAL),
    opt("local_username", Bridge, Always(WithoutEffect), LOCAL),
    opt("log_dest", General, Always(WithoutEffect), LOG),
    opt("log_facility", General, Always(WithoutEffect), LOG),
    opt("log_timestamp", General, Always(WithoutEffect), LOG),
    opt("log_timestamp_format", General, Always(WithoutEffect), LOG),
    opt("log_type", General, Always(WithoutEffect), LOG),
    opt("max_connections", Listener, Read, "connections of the listener"),
    opt("max_inflight_bytes", General, Always(WithoutEffect), LIMIT),
    opt("max_inflight_messages", General, Read, "deliveries to a client that it has not acknowledged"),
    opt("max_keepalive", General, Read, "longest keep alive of a client"),
    opt("max_packet_size", General, Read, "largest packet"),
    opt("max_qos", Listener, Except(&["2"], Unsupported), "every listener takes all QoS"),
    opt("max_queued_bytes", General, Read, "what the messages that wait for a client may weigh"),
    opt("max_queued_messages", General, Read, "messages that may wait for a client"),
    opt("max_topic_alias", Listener, Always(WithoutEffect), ALIAS),
    opt("max_topic_alias_broker", Listener, Always(WithoutEffect), ALIAS),
    opt("maximum_qos", Listener, Except(&["2"], Unsupported), "every listener takes all QoS"),
    opt("memory_limit", General, Always(WithoutEffect), "each thing that takes memory has a limit of its own"),
    opt("message_size_limit", General, Read, "largest payload"),
    opt("mount_point", Listener, Always(Unsupported), "topics are the same on all listeners"),
    opt("mptcp", Listener, Except(NO, WithoutEffect), "plain TCP is spoken"),
    opt("notification_topic", Bridge, Always(WithoutEffect), NOTICE),
    opt("notifications", Bridge, Except(NO, WithoutEffect), NOTICE),
    opt("notifications_local_only", Bridge, Always(WithoutEffect), NOTICE),
    opt("packet_buffer_size", General, Always(WithoutEffect), "buffers grow and shrink by themselves"),
    opt("password", Bridge, Read, "the older name of `remote_password`"),
    opt("password_file", Access, Read, "the users and their passwords"),
    opt("per_listener_settings", General, Read, "makes access a matter of each listener"),
    opt(
        "persistence",
        General,
        Read,
        "whether sessions and retained messages outlive the broker; unlike in Mosquitto they do unless it is `false`",
    ),
    opt("persistence_file", General, Always(WithoutEffect), SAVED),
    opt("persistence_location", General, Read, "the folder for what is to outlive the broker"),
    opt("persistent_client_expiration", General, Read, "longest life of a session whose client is away"),
    opt("pid_file", General, Always(WithoutEffect), "the supervisor knows the process"),
    opt("plugin", Access, Always(Unsupported), PLUGIN),
    opt("plugin_load", General, Always(Unsupported), PLUGIN),
    opt("plugin_opt_*", Access, Always(Unsupported), PLUGIN),
    opt("plugin_use", Listener, Always(Unsupported), PLUGIN),
    opt("port", Listener, Read, "the port of the default listener"),
    opt("protocol", Listener, Read, "MQTT over TCP or over WebSocket"),
    opt("proxy_protocol_v2_require_tls", Listener, Except(NO, Unsupported), "what a proxy says of TLS is not read"),
    opt("psk_file", Access, Always(Unsupported), PSK),
    opt("psk_hint", Listener, Always(Unsupported), PSK),
    opt("queue_qos0_messages", General, Except(NO, WithoutEffect), "a message of QoS 0 does not wait for who is away"),
    opt("remote_clientid", Bridge, Read, "the bridge's identifier at the other broker"),
    opt("remote_password", Bridge, Read, "the bridge's password at the other broker"),
    opt("remote_username", Bridge, Read, "the bridge's user name at the other broker"),
    opt("require_certificate", Listener, Read, "whether a client must show a certificate"),
    opt("restart_timeout", Bridge, Always(WithoutEffect), RETRY),
    opt("retain_available", General, Except(YES, Unsupported), "retained messages are always there"),
    opt("retain_expiry_interval", General, Always(WithoutEffect), "expired messages go by themselves"),
    opt("retained_persistence", General, Except(YES, WithoutEffect), "retained messages are kept as sessions are"),
    opt("retry_interval", General, Always(WithoutEffect), "Mosquitto has taken it out"),
    opt("round_robin", Bridge, Except(YES, WithoutEffect), "a bridge stays with the address that answers"),
    opt("set_tcp_nodelay", General, Except(YES, WithoutEffect), "TCP_NODELAY is always set"),
    opt("socket_domain", Listener, Read, "IPv4 or IPv6 only"),
    opt("start_type", Bridge, Except(&["automatic"], Unsupported), LAZY),
    opt("sys_interval", General, Read, "seconds between two editions of `$SYS`"),
    opt("threshold", Bridge, Always(WithoutEffect), LAZY),
    opt("tls_engine", Listener, Always(Unsupported), ENGINE),
    opt("tls_engine_kpass_sha1", Listener, Always(Unsupported), ENGINE),
    opt("tls_keyform", Listener, Except(&["pem"], Unsupported), ENGINE),
    opt("tls_version", Listener, Read, "oldest version of TLS: `tlsv1.2` or `tlsv1.3`"),
    opt("topic", Bridge, Read, "what goes over the bridge"),
    opt(
        "try_private",
        Bridge,
        Except(NO, WithoutEffect),
        "a bridge is an ordinary client, which MQTT 5.0 keeps from hearing itself",
    ),
    opt(
        "upgrade_outgoing_qos",
        General,
        Except(NO, Unsupported),
        "a message is never delivered at a higher QoS than it was published",
    ),
    opt("use_identity_as_username", Listener, Read, "the certificate's common name is the user name"),
    opt("use_subject_as_username", Listener, Except(NO, Unsupported), "use `use_identity_as_username`"),
    opt(
        "use_username_as_clientid",
        Listener,
        Read,
        "`%c` in a rule is the user name; sessions are always the user's own",
    ),
    opt("user", General, Always(WithoutEffect), "the program runs as whoever starts it"),
    opt("username", Bridge, Read, "the older name of `remote_username`"),
    opt("websockets_headers_size", General, Always(WithoutEffect), "the size of a WebSocket handshake is limited"),
    opt("websockets_log_level", General, Always(WithoutEffect), LOG),
    opt("websockets_origin", Listener, Always(Unsupported), "put a proxy before it that checks the origin"),
];

const fn opt(name: &'static str, part: Part, fate: Fate, note: &'static str) -> Opt {
    Opt { name, part, fate, note }
}

/// The option of that name.
pub fn find(name: &str) -> Option<&'static Opt> {
    OPTIONS.iter().find(|option| match option.name.strip_suffix('*') {
        Some(beginning) => name.len() > beginning.len() && name.starts_with(beginning),
        None => name == option.name,
    })
}
