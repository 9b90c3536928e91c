//! A [`Conf`] as text.

use std::fmt::{Display, Write as _};

use super::{Access, Bridge, Conf, Direction, Domain, Listener, Protocol, Tls, TlsVersion, values};

/// The configuration as Mosquitto 2.0 reads it, the same text for the same configuration.
///
/// `enable_proxy_protocol` and `global_max_connections` are known to Mosquitto 2.1 only and are written where they are
/// asked for: a Mosquitto that does not know them refuses to start. What is only a warning is left out.
/// A value cannot add a line: control characters in it become U+FFFD.
pub fn render(conf: &Conf) -> String {
    let mut text = Text::default();
    let shared = conf.listeners.first().map(|first| &first.access);
    let shared = shared.filter(|shared| conf.listeners.iter().all(|listener| listener.access == **shared));
    match shared {
        Some(access) => text.access(access),
        None if conf.listeners.is_empty() => {}
        None => text.line("per_listener_settings", true),
    }
    if !conf.listeners.is_empty() {
        // Without it Mosquitto's answers wait for one another, 40 ms each.
        text.line("set_tcp_nodelay", true);
    }
    let defaults = Conf::default();
    if conf.sys_interval_s != defaults.sys_interval_s {
        text.line("sys_interval", conf.sys_interval_s);
    }
    if conf.max_keepalive_s != defaults.max_keepalive_s {
        text.line("max_keepalive", conf.max_keepalive_s);
    }
    text.maybe("message_size_limit", conf.message_size_limit);
    text.maybe("max_packet_size", conf.max_packet_size);
    text.maybe("max_inflight_messages", conf.max_inflight_messages);
    text.maybe("max_queued_messages", conf.max_queued_messages);
    text.maybe("max_queued_bytes", conf.max_queued_bytes);
    text.maybe("persistent_client_expiration", conf.persistent_client_expiration_s.map(values::written));
    text.maybe("global_max_connections", conf.global_max_connections);
    text.maybe("persistence", conf.persistence);
    text.maybe("persistence_location", conf.persistence_location.as_ref().map(|path| path.display()));
    for listener in &conf.listeners {
        text.listener(listener);
        if shared.is_none() {
            text.access(&listener.access);
        }
    }
    for bridge in &conf.bridges {
        text.bridge(bridge);
    }
    text.0
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, name: &str, value: impl Display) {
        let value = value.to_string().replace(char::is_control, "\u{fffd}");
        writeln!(self.0, "{name} {value}").expect("a string can be written to");
    }

    fn maybe(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.line(name, value);
        }
    }

    fn gap(&mut self) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
    }

    fn access(&mut self, access: &Access) {
        self.line("allow_anonymous", access.allow_anonymous);
        self.maybe("password_file", access.password_file.as_ref().map(|path| path.display()));
        self.maybe("acl_file", access.acl_file.as_ref().map(|path| path.display()));
    }

    fn listener(&mut self, listener: &Listener) {
        self.gap();
        match &listener.bind {
            Some(bind) => self.line("listener", format_args!("{} {bind}", listener.port)),
            None => self.line("listener", listener.port),
        }
        match listener.domain {
            Domain::Both => {}
            Domain::V4 => self.line("socket_domain", "ipv4"),
            Domain::V6 => self.line("socket_domain", "ipv6"),
        }
        if listener.protocol == Protocol::WebSockets {
            self.line("protocol", "websockets");
        }
        if listener.username_as_client_id {
            self.line("use_username_as_clientid", true);
        }
        self.maybe("max_connections", listener.max_connections);
        if listener.proxy_protocol {
            self.line("enable_proxy_protocol", 2);
        }
        if let Some(tls) = &listener.tls {
            self.tls(tls);
        }
    }

    fn tls(&mut self, tls: &Tls) {
        self.line("certfile", tls.certfile.display());
        self.line("keyfile", tls.keyfile.display());
        self.maybe("cafile", tls.cafile.as_ref().map(|path| path.display()));
        self.maybe("crlfile", tls.crlfile.as_ref().map(|path| path.display()));
        if tls.require_certificate {
            self.line("require_certificate", true);
        }
        if tls.use_identity_as_username {
            self.line("use_identity_as_username", true);
        }
        if tls.min_version == TlsVersion::V1_3 {
            self.line("tls_version", "tlsv1.3");
        }
    }

    fn bridge(&mut self, bridge: &Bridge) {
        self.gap();
        self.line("connection", &bridge.name);
        let addresses: Vec<_> = bridge.addresses.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        self.line("address", addresses.join(" "));
        for topic in &bridge.topics {
            let direction = match topic.direction {
                Direction::In => "in",
                Direction::Out => "out",
                Direction::Both => "both",
            };
            let [pattern, local, remote] = [&topic.pattern, &topic.local_prefix, &topic.remote_prefix]
                .map(|part| if part.is_empty() { "\"\"" } else { part });
            self.line("topic", format_args!("{pattern} {direction} {} {local} {remote}", topic.qos));
        }
        self.maybe("remote_clientid", bridge.remote_client_id.as_ref());
        self.maybe("remote_username", bridge.remote_username.as_ref());
        self.maybe("remote_password", bridge.remote_password.as_ref().map(|password| &password.0));
        if let Some(tls) = &bridge.tls {
            self.line("bridge_cafile", tls.cafile.display());
            if let Some((certfile, keyfile)) = &tls.identity {
                self.line("bridge_certfile", certfile.display());
                self.line("bridge_keyfile", keyfile.display());
            }
        }
        self.line("keepalive_interval", bridge.keepalive_s);
        self.line("cleansession", bridge.clean_session);
    }
}
