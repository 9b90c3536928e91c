//! A configuration that Mosquitto starts with we accept, and one that it refuses we refuse, but for what is listed here.

use std::{
    cell::Cell,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use bugbrother_kit::{mosquitto, port, process::Process};
use bugbrother_mosquitto_compat::{
    PasswordFile,
    conf::{self, Conf},
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::{certificates, client::Client};

/// A Mosquitto with that configuration, of which `PORT` and `DIR` are filled in, once it runs; else what it says of it.
fn start(folder: &Path, text: &str, port: u16) -> Result<Process, String> {
    let config = folder.join("mosquitto.conf");
    let text = filled(folder, &text.replace("PORT", &port.to_string()));
    // Started by root it would become the user `mosquitto`, who cannot read our folder. What goes to the standard output
    // is held back, so that only the standard error tells.
    fs::write(&config, format!("user root\nlog_dest stderr\n{text}")).unwrap();
    drop(fs::remove_file(folder.join("mosquitto.log")));
    let mut process = mosquitto::serve(folder, "mosquitto", &config).unwrap();
    let began = Instant::now();
    loop {
        if process.check_running().is_err() {
            return Err(process.logged());
        }
        if mosquitto::is_running(&process) {
            return Ok(process);
        }
        assert!(began.elapsed() < Duration::from_secs(60), "neither starts nor ends: {text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn starts(folder: &Path, text: &str) -> Result<(), String> {
    start(folder, text, port::free().unwrap()).map(drop)
}

fn filled(folder: &Path, text: &str) -> String {
    text.replace("DIR", folder.to_str().unwrap())
}

fn accepts(folder: &Path, text: &str) -> Result<Conf, String> {
    let text = filled(folder, &text.replace("PORT", "1883"));
    Conf::parse(&text, Path::new("mosquitto.conf")).map_err(|error| error.to_string())
}

const LISTENER: &str = "listener PORT 127.0.0.1\n";
const TLS: &str = "certfile DIR/server.crt\nkeyfile DIR/server.key\n";
const BRIDGE: &str = "connection a\naddress 127.0.0.1:1\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    certificates::write(folder.path());
    fs::write(folder.path().join("acl"), "topic read a/#\n").unwrap();
    fs::write(folder.path().join("passwords"), "").unwrap();
    fs::create_dir(folder.path().join("included")).unwrap();
    fs::write(folder.path().join("included/a.conf"), "max_keepalive 100\n").unwrap();
    fs::write(folder.path().join("included/.conf"), "nonsense\n").unwrap();
    fs::create_dir(folder.path().join("bad")).unwrap();
    fs::write(folder.path().join("bad/a.conf"), "nonsense\n").unwrap();
    folder
}

#[test]
fn both_start_with_the_same_configurations_and_refuse_the_same() {
    let folder = folder();
    let on = |lines: &str| format!("{LISTENER}{lines}");
    let over = |lines: &str| format!("{LISTENER}{BRIDGE}{lines}");
    let started = [
        on(""),
        on("   \n\n \r\n"),
        "   listener   PORT   127.0.0.1\r\n".to_owned(),
        "# a comment\nlistener PORT 127.0.0.1 # another\nallow_anonymous true # and one more\n".to_owned(),
        "port PORT\nbind_address 127.0.0.1\nmax_connections 3\n".to_owned(),
        "port 1\nport PORT\nbind_address 127.0.0.1\n".to_owned(),
        "listener PORT\nsocket_domain ipv4\nlistener PORT\nsocket_domain ipv6\n".to_owned(),
        on("max_connections -1\nmax_keepalive 65535\nmax_inflight_messages 0\nmax_packet_size 20\nsys_interval 0\n"),
        on("allow_anonymous 1\nacl_file DIR/acl\npassword_file DIR/passwords\n"),
        on("per_listener_settings true\nallow_anonymous true\nacl_file DIR/acl\n"),
        format!("per_listener_settings 1\n{LISTENER}password_file DIR/passwords\n"),
        on("include_dir DIR/included\n"),
        on("persistence false\nlog_dest stdout\nlog_type all\nset_tcp_nodelay true\nretain_available true\n"),
        on(TLS),
        on(&format!("{TLS}cafile DIR/ca.crt\ncrlfile DIR/crl.pem\nrequire_certificate true\n")),
        on(&format!("{TLS}cafile DIR/ca.crt\nrequire_certificate true\nuse_identity_as_username true\n")),
        on(&format!("{TLS}tls_version tlsv1.3\n")),
        over("topic #\n"),
        over("topic a/# OUT 1 x/ y/\ntopic b both 2\n"),
        over("topic \"\" in 0 here there\n"),
        over("topic # in 0 \"\" y/\nremote_username u\nremote_password a b\nremote_clientid c # d\n"),
        over("topic #\nkeepalive_interval 1\ncleansession true\nbridge_protocol_version mqttv50\n"),
        over("topic #\nbridge_cafile DIR/ca.crt\nbridge_certfile DIR/server.crt\nbridge_keyfile DIR/server.key\n"),
    ];
    for text in &started {
        let (real, ours) = (starts(folder.path(), text), accepts(folder.path(), text));
        assert!(real.is_ok() && ours.is_ok(), "{text}\nmosquitto: {real:?}\nours: {ours:?}");
    }
    let refused = [
        on("nonsense 1\n"),
        on("  # indented\n"),
        on("\tallow_anonymous true\n"),
        on("allow_anonymous yes\n"),
        on("allow_anonymous\n"),
        on("allow_anonymous true\nper_listener_settings true\n"),
        on("password_file \n"),
        on("password_file DIR/passwords\npassword_file DIR/passwords\n"),
        on("acl_file DIR/acl\nacl_file DIR/acl\n"),
        on("max_keepalive 70000\n"),
        on("max_keepalive 9\n"),
        on("max_packet_size 19\n"),
        on("max_inflight_messages 65536\n"),
        on("message_size_limit -1\n"),
        on("message_size_limit 268435456\n"),
        on("sys_interval 65536\n"),
        on("socket_domain ipx\n"),
        on("socket_domain ipv6\n"),
        on("protocol quic\n"),
        on("plugin /nonexistent.so\n"),
        on("include_dir /nonexistent\n"),
        on("include_dir DIR/bad\n"),
        on(LISTENER),
        "listener PORT\nlistener PORT 127.0.0.1\n".to_owned(),
        "port PORT\nlistener PORT 127.0.0.1\n".to_owned(),
        "port PORT\nbind_address 127.0.0.1\nbind_address 127.0.0.1\n".to_owned(),
        "listener\n".to_owned(),
        "listener any\n".to_owned(),
        "listener 65536\n".to_owned(),
        "port 0\n".to_owned(),
        on("topic #\n"),
        on("address 127.0.0.1:1\n"),
        on("remote_username me\n"),
        on("bridge_cafile DIR/ca.crt\n"),
        on("connection a\ntopic #\n"),
        over(""),
        over("topic\n"),
        over("topic #\nconnection a\naddress 127.0.0.1:1\ntopic #\n"),
        over("topic #\naddress 127.0.0.1:2\n"),
        over("topic # sideways\n"),
        over("topic # # a comment\n"),
        over("topic # out 3\n"),
        over("topic # out 0 a+/ b/\n"),
        over("topic # out 0 a b\n"),
        over("topic \"\" out 0 a\n"),
        over("topic #\nkeepalive_interval 65536\n"),
        on("connection a\naddress 127.0.0.1:0\ntopic #\n"),
    ];
    for text in &refused {
        let (real, ours) = (starts(folder.path(), text), accepts(folder.path(), text));
        assert!(real.is_err() && ours.is_err(), "{text}\nmosquitto: {real:?}\nours: {ours:?}");
    }
}

/// What Mosquitto 2.0 starts with and we refuse on purpose.
const STRICTER: &[(&str, &str)] = &[
    ("certfile DIR/server.crt\n", "a listener that was meant to speak TLS would be open"),
    ("keyfile DIR/server.key\n", "a listener that was meant to speak TLS would be open"),
    ("cafile DIR/ca.crt\n", "a listener that was meant to ask for certificates would be open"),
    ("crlfile DIR/crl.pem\n", "nothing would be revoked"),
    ("require_certificate true\n", "nobody would be asked for a certificate"),
    ("use_identity_as_username true\n", "no name would come from a certificate"),
    ("tls_version tlsv1.2\n", "there is no TLS to have a version"),
    ("max_connections many\n", "a word is taken for 0"),
    ("max_connections\n", "an error is logged and the line ignored"),
    ("sys_interval 5 6\n", "the rest of the line is ignored"),
    ("per_listener_settings true\nper_listener_settings false\n", "the second line is ignored"),
    ("connection a\naddress 127.0.0.1:1\ntopic a/#/b\n", "the filter is refused by every broker"),
    ("connection a\naddress 127.0.0.1:1\ntopic #\nremote_password x\n", "a password without a name is never sent"),
    ("connection a\naddress 127.0.0.1:1\ntopic #\nbridge_certfile DIR/server.crt\n", "the bridge would not speak TLS"),
    ("bind_interface lo\n", "unsupported"),
    ("psk_hint here\n", "unsupported"),
    ("mount_point here/\n", "unsupported"),
    ("max_qos 1\n", "unsupported"),
    ("retain_available false\n", "unsupported"),
];

#[test]
fn what_we_refuse_and_mosquitto_does_not_is_on_purpose() {
    let folder = folder();
    for (lines, why) in STRICTER {
        let text = format!("{LISTENER}{lines}");
        let (real, ours) = (starts(folder.path(), &text), accepts(folder.path(), &text));
        assert!(real.is_ok(), "no longer stricter ({why}): {text}\n{real:?}");
        assert!(ours.is_err(), "not refused ({why}): {text}");
    }
    // A listener of which only a limit is said is opened on port 1883 at every address.
    assert!(accepts(folder.path(), "max_connections 5\nlistener PORT 127.0.0.1\n").is_err());
}

/// What we accept and Mosquitto 2.0.11 refuses.
const NEWER: &[(&str, &str)] = &[
    ("global_max_connections 10\n", "an option of 2.1"),
    ("enable_proxy_protocol 2\n", "an option of 2.1"),
    ("listener_allow_anonymous true\n", "an option of 2.1"),
    ("max_keepalive 0\n", "a value of 2.1"),
    ("log_dest nowhere\n", "what has no effect is not looked at"),
    ("password_file /nonexistent\n", "the broker finds out when it opens the file"),
    ("acl_file /nonexistent\n", "the broker finds out when it opens the file"),
];

#[test]
fn what_we_accept_and_mosquitto_does_not_is_on_purpose() {
    let folder = folder();
    for (lines, why) in NEWER {
        let text = format!("{LISTENER}{lines}");
        accepts(folder.path(), &text).unwrap_or_else(|error| panic!("{error} ({why})"));
        // A newer Mosquitto knows what 2.0.11 does not.
        if !why.contains("2.1") {
            assert!(starts(folder.path(), &text).is_err(), "{text}");
        }
    }
}

/// What Mosquitto 2.0.11 does not know.
const OF_2_1: &[&str] = &[
    "accept_protocol_versions",
    "bridge_ciphers",
    "bridge_ciphers_tls1.3",
    "bridge_max_topic_alias",
    "bridge_mptcp",
    "bridge_receive_maximum",
    "bridge_reload_type",
    "bridge_session_expiry_interval",
    "bridge_tcp_keepalive",
    "bridge_tcp_user_timeout",
    "bridge_tls_use_os_certs",
    "disable_client_cert_date_checks",
    "enable_control_api",
    "enable_proxy_protocol",
    "global_max_clients",
    "global_max_connections",
    "global_plugin",
    "listener_allow_anonymous",
    "listener_auto_id_prefix",
    "max_topic_alias_broker",
    "mptcp",
    "packet_buffer_size",
    "plugin_load",
    "plugin_use",
    "proxy_protocol_v2_require_tls",
    "retain_expiry_interval",
    "websockets_origin",
];

#[test]
fn mosquitto_knows_every_option_of_the_table() {
    let folder = folder();
    // Some options name a file that the program makes.
    let value = folder.path().join("x");
    let mut unknown = Vec::new();
    for option in conf::OPTIONS {
        let line = format!("{LISTENER}{} {}\n", option.name, value.display());
        if starts(folder.path(), &line).is_err_and(|log| log.contains("Unknown configuration variable")) {
            unknown.push(option.name);
        }
    }
    unknown.retain(|name| !OF_2_1.contains(name));
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Lines of which any number may stand together, each right or wrong for itself.
fn lines() -> impl Strategy<Value = Vec<String>> {
    let boolean = prop_oneof![Just("true"), Just("false"), Just("1"), Just("0")];
    let word = prop_oneof![4 => boolean.clone(), 1 => Just("maybe")];
    let read = prop_oneof![Just("allow_anonymous"), Just("cleansession")];
    let ignored = prop_oneof![
        Just("persistence"),
        Just("log_timestamp"),
        Just("autosave_on_changes"),
        Just("connection_messages"),
        Just("try_private"),
    ];
    let number = prop_oneof![
        (Just("max_keepalive"), 10..66_000i64),
        (Just("max_packet_size"), 10..4_000i64),
        (Just("message_size_limit"), -1..3i64),
        (Just("max_inflight_messages"), 60_000..66_000i64),
        (Just("max_connections"), -2..9i64),
        (Just("sys_interval"), 60_000..66_000i64),
        (Just("keepalive_interval"), 60_000..66_000i64),
        (Just("max_queued_messages"), -1..9i64),
    ];
    let topic = ("(#|a|a/[+]/b|\"\")", "( in| out| both| up)?", "( [0123])?", "( \"\"| l/| l| \\+/)?", "( \"\"| r/)?");
    let line = prop_oneof![
        3 => (read, word).prop_map(|(name, value)| format!("{name} {value}")),
        2 => (ignored, boolean).prop_map(|(name, value)| format!("{name} {value}")),
        4 => number.prop_map(|(name, value)| format!("{name} {value}")),
        3 => topic.prop_filter_map("words in order", |(pattern, direction, qos, local, remote)| {
            let ordered = [&direction, &qos, &local, &remote].map(|word| !word.is_empty()).is_sorted_by(|a, b| a >= b);
            ordered.then(|| format!("topic {pattern}{direction}{qos}{local}{remote}"))
        }),
        1 => Just("# a comment".to_owned()),
        1 => Just(String::new()),
    ];
    proptest::collection::vec(line, 0..6)
}

#[test]
fn both_agree_on_generated_configurations() {
    let folder = folder();
    let config = Config { cases: 120, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (good, bad) = (Cell::new(0), Cell::new(0));
    runner
        .run(&(lines(), any::<bool>()), |(lines, bridge)| {
            let bridge = if bridge { "connection a\naddress 127.0.0.1:1\ntopic x/#\n" } else { "" };
            let text = format!("{LISTENER}{bridge}{}\n", lines.join("\n"));
            let (real, ours) = (starts(folder.path(), &text), accepts(folder.path(), &text));
            prop_assert_eq!(real.is_ok(), ours.is_ok(), "{}\nmosquitto: {:?}\nours: {:?}", text, real, ours);
            let count = if real.is_ok() { &good } else { &bad };
            count.set(count.get() + 1);
            Ok(())
        })
        .unwrap();
    let (good, bad) = (good.get(), bad.get());
    assert!(good > 20 && bad > 20, "{good} were started and {bad} refused: too few of one kind to say something");
}

#[test]
fn both_let_in_the_same_clients() {
    let folder = folder();
    let mut passwords = PasswordFile::default();
    passwords.set_with("known", "secret", 1).unwrap();
    passwords.save(&folder.path().join("passwords")).unwrap();
    fs::write(folder.path().join("included/b.conf"), "allow_anonymous true\n").unwrap();
    let other = port::free().unwrap();
    let (one, two) = ("listener PORT 127.0.0.1\n", format!("listener {other} 127.0.0.1\n"));
    let (file, own) = ("password_file DIR/passwords\n", "per_listener_settings true\n");
    for text in [
        format!("{one}{two}"),
        format!("{one}{two}allow_anonymous true\n"),
        format!("allow_anonymous true\n{one}{two}allow_anonymous false\n"),
        format!("{file}{one}{two}"),
        format!("{one}{file}{two}allow_anonymous true\n"),
        format!("{own}{one}{two}"),
        format!("{own}{one}allow_anonymous true\n{two}"),
        format!("{own}{one}{file}{two}allow_anonymous true\n"),
        format!("{own}{one}allow_anonymous true\n{file}{two}{file}"),
        format!("{one}{two}include_dir DIR/included\n"),
        format!("{file}port PORT\nbind_address 127.0.0.1\n{two}"),
    ] {
        let port = port::free().unwrap();
        let conf = accepts(folder.path(), &text.replace("PORT", &port.to_string())).unwrap();
        let _mosquitto = start(folder.path(), &text, port).unwrap();
        for listener in &conf.listeners {
            let access = &listener.access;
            let named = access.password_file.is_none() && access.allow_anonymous;
            for (account, expected) in [
                (None, access.allow_anonymous),
                (Some(("known", "secret")), named || access.password_file.is_some()),
                (Some(("known", "wrong")), named),
                (Some(("unknown", "secret")), named),
            ] {
                let let_in = Client::connect(listener.port, "probe", account).is_ok();
                assert_eq!(let_in, expected, "{account:?} on {}\n{text}", listener.port);
            }
        }
    }
}

#[test]
fn mosquitto_starts_with_what_we_write() {
    let folder = folder();
    let text = format!(
        "per_listener_settings true\n{LISTENER}allow_anonymous true\nlistener 0PORT ::1\nsocket_domain ipv6\n{TLS}\
         cafile DIR/ca.crt\ncrlfile DIR/crl.pem\nrequire_certificate true\nuse_identity_as_username true\n\
         acl_file DIR/acl\n{BRIDGE}topic # both 1 l/ r/\nremote_username u\nremote_password p w\n"
    );
    let text = text.replace("0PORT", "PORT");
    let written = conf::render(&accepts(folder.path(), &text).unwrap());
    starts(folder.path(), &written.replace("1883", "PORT")).unwrap_or_else(|error| panic!("{error}\n{written}"));
}
