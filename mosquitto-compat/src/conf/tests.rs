use std::path::Path;

use proptest::{collection::vec, option, prelude::*};

use super::*;

fn parse(text: &str) -> Result<Conf, ConfError> {
    Conf::parse(text, Path::new("m.conf"))
}

fn reason(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn a_configuration_for_a_fleet_is_read_as_it_is_meant() {
    let conf = parse(
        "# ours\nallow_anonymous false\npassword_file /data/pass words # 1\nacl_file /data/acl\nsys_interval 5\n\
         max_keepalive 300\nlistener 1883 127.0.0.1\nmax_connections -1\n\nlistener 8883\r\ncertfile /data/server.crt\n\
         keyfile /data/server.key\ncafile /data/ca.crt\ncrlfile /data/crl.pem\nrequire_certificate true\n\
         use_identity_as_username 1\ntls_version tlsv1.3\nmax_connections 5000 # enough\nprotocol websockets\n",
    )
    .unwrap();
    assert!(conf.warnings.is_empty() && conf.sys_interval_s == 5 && conf.max_keepalive_s == 300);
    let [plain, tls] = &conf.listeners[..] else { panic!("two listeners") };
    assert_eq!((plain.port, plain.bind.as_deref(), plain.max_connections), (1883, Some("127.0.0.1"), None));
    assert_eq!(plain.access.password_file.as_deref(), Some(Path::new("/data/pass words # 1")));
    assert_eq!(plain.access, tls.access);
    assert_eq!((tls.port, tls.bind.as_deref(), tls.max_connections), (8883, None, Some(5000)));
    let settings = tls.tls.as_ref().unwrap();
    assert!(settings.require_certificate && settings.use_identity_as_username);
    assert_eq!((settings.min_version, tls.protocol), (TlsVersion::V1_3, Protocol::WebSockets));
}

#[test]
fn what_waits_for_a_client_and_how_long_its_session_lasts_can_be_bounded() {
    let conf = parse("max_queued_messages 500\nmax_queued_bytes 1000000\npersistent_client_expiration 2w\n").unwrap();
    assert!(conf.warnings.is_empty());
    assert_eq!((conf.max_queued_messages, conf.max_queued_bytes), (Some(500), Some(1_000_000)));
    assert_eq!(conf.persistent_client_expiration_s, Some(14 * 86_400));
    let lasts = |value: &str| parse(&format!("persistent_client_expiration {value}"));
    let hours = |value: &str| lasts(value).unwrap().persistent_client_expiration_s.map(|seconds| seconds / 3_600);
    assert_eq!(["1h", "1d", "1m", "1y"].map(hours), [1, 24, 720, 8_760].map(Some));
    // What the protocol cannot say is for ever.
    assert_eq!(["0d", "200y"].map(hours), [None, None]);
    for wrong in ["", "14", "d", "x d", "-1d", "1s", "1é", "99999999999d"] {
        assert!(lasts(wrong).is_err(), "{wrong}");
    }
    assert_eq!(parse("max_queued_messages 0\nmax_queued_bytes -1").unwrap().max_queued_messages, None);
}

#[test]
fn without_a_listener_only_this_machine_is_let_in_and_without_a_name_too() {
    let conf = parse("").unwrap();
    let [only] = &conf.listeners[..] else { panic!("one listener") };
    assert_eq!((only.port, only.bind.as_deref(), only.access.allow_anonymous), (1883, Some("localhost"), true));
    assert!(!parse("allow_anonymous false").unwrap().listeners[0].access.allow_anonymous);
    assert!(!parse("listener 1883").unwrap().listeners[0].access.allow_anonymous);
    assert!(!parse("listener 1883\npassword_file p").unwrap().listeners[0].access.allow_anonymous);
}

#[test]
fn the_default_listener_is_the_one_with_port_or_bind_address() {
    let conf = parse("port 1884\nbind_address ::1\nmax_connections 3\nlistener 1885").unwrap();
    assert_eq!((conf.listeners[0].port, conf.listeners[0].bind.as_deref()), (1884, Some("::1")));
    assert_eq!((conf.listeners[0].max_connections, conf.listeners[1].max_connections), (Some(3), None));
    assert_eq!(parse("bind_address 10.0.0.1").unwrap().listeners[0].port, 1883);
    let refused = "m.conf` line 1: `max_connections`: belongs to the default listener";
    assert!(reason("max_connections 3\nlistener 1885").contains(refused));
}

#[test]
fn per_listener_settings_give_each_listener_its_own_access() {
    let conf = parse(
        "per_listener_settings true\nlistener 1\nallow_anonymous true\nacl_file a\nlistener 2\npassword_file p\nlistener 3",
    )
    .unwrap();
    let access: Vec<_> = conf.listeners.into_iter().map(|listener| listener.access).collect();
    let path = |name: &str| Some(PathBuf::from(name));
    assert_eq!(access[0], Access { password_file: None, acl_file: path("a"), allow_anonymous: true });
    assert_eq!(access[1], Access { password_file: path("p"), acl_file: None, allow_anonymous: false });
    assert_eq!(access[2], Access::default());
    let of_one = parse("allow_anonymous true\nlistener 1\nlistener_allow_anonymous false\nlistener 2").unwrap();
    assert!(!of_one.listeners[0].access.allow_anonymous && of_one.listeners[1].access.allow_anonymous);
}

#[test]
fn a_bridge_is_read_and_qos_2_is_lowered_with_a_warning() {
    let conf = parse(
        "connection other\naddress broker.example.org:8883 ::1:1884 plain # two spares\ntopic # both 2 local/ remote/\n\
         topic a/b\ntopic \"\" in 1 here/x there/x\nremote_username me\nremote_password a secret\nbridge_cafile /ca\n\
         bridge_certfile /crt\nbridge_keyfile /key\nkeepalive_interval 3\ncleansession true\nremote_clientid fleet",
    )
    .unwrap();
    let bridge = &conf.bridges[0];
    let hosts: Vec<_> = bridge.addresses.iter().map(|(host, port)| (host.as_str(), *port)).collect();
    assert_eq!(hosts, [("broker.example.org", 8883), ("::1", 1884), ("plain", 1883)]);
    let topics: Vec<_> =
        bridge.topics.iter().map(|topic| (topic.pattern.as_str(), topic.direction, topic.qos)).collect();
    assert_eq!(topics, [("#", Direction::Both, 1), ("a/b", Direction::Out, 0), ("", Direction::In, 1)]);
    assert_eq!(bridge.remote_password, Some(Secret("a secret".to_owned())));
    assert_eq!((bridge.keepalive_s, bridge.clean_session), (5, true));
    let warned: Vec<_> = conf.warnings.iter().map(|warning| warning.line).collect();
    assert_eq!(warned, [3, 11]);
    assert!(!format!("{conf:?}").contains("a secret"));
}

#[test]
fn what_asks_for_durability_says_where() {
    let conf = parse("persistence true\npersistence_location /var/lib\nlistener 1883\nset_tcp_nodelay true").unwrap();
    assert!(conf.warnings.is_empty(), "{:?}", conf.warnings);
    assert_eq!((conf.persistence, conf.persistence_location), (Some(true), Some("/var/lib".into())));
    assert_eq!(parse("persistence 0").unwrap().persistence, Some(false));
    assert_eq!(parse("").unwrap().persistence, None);
    assert_eq!(parse("autosave_interval 7").unwrap().warnings.len(), 1);
}

#[test]
fn a_refused_line_is_named_with_its_number_and_reason() {
    for (text, expected) in [
        ("listener 1\n\nfoo 1", "line 3: `foo`: is no option of Mosquitto"),
        ("  # indented", "line 1: `#`: is no option"),
        ("listener\t1883", "line 1: `listener\\t1883`: is no option"),
        ("listener 1\nplugin /x.so", "line 2: `plugin`: plugins are not run"),
        ("plugin_opt_db x", "line 1: `plugin_opt_db`: plugins are not run"),
        ("listener 1\ncertfile a", "line 2: `certfile`: needs a `keyfile`"),
        ("listener 1\nkeyfile a", "line 2: `keyfile`: needs a `certfile`"),
        ("listener 1\ncafile a", "line 2: `cafile`: needs `certfile` and `keyfile`"),
        ("listener 1\ncertfile a\nkeyfile b\ncrlfile c", "line 4: `crlfile`: needs a `cafile`"),
        (
            "listener 1\ncertfile a\nkeyfile b\nrequire_certificate true",
            "line 4: `require_certificate`: needs a `cafile`",
        ),
        (
            "listener 1\ncertfile a\nkeyfile b\ncafile c\nuse_identity_as_username true",
            "line 5: `use_identity_as_username`: needs `require_certificate true`",
        ),
        ("listener 1\ncertfile a\ncertfile b\nkeyfile c", "line 3: `certfile`: is there twice"),
        ("listener 1 ::1\nlistener 1", "line 2: `listener`: another listener has this port"),
        ("listener 1 ::1\nsocket_domain ipv4", "line 1: `listener`: `::1` is not of the family"),
        ("listener 0 /run/socket", "line 1: `listener`: a Unix socket"),
        ("listener 65536", "line 1: `listener`: must be a number from 1 to 65535"),
        ("max_keepalive 9", "line 1: `max_keepalive`: must be at least 10"),
        ("allow_anonymous yes", "line 1: `allow_anonymous`: must be `true` or `false`"),
        ("allow_anonymous false or true", "line 1: `allow_anonymous`: has more than"),
        ("allow_anonymous true\nper_listener_settings true", "line 2: `per_listener_settings`: must stand before"),
        ("topic #", "line 1: `topic`: belongs to a bridge"),
        ("connection a\naddress b", "line 1: `connection`: needs a `topic`"),
        ("connection a\ntopic #", "line 1: `connection`: needs an `address`"),
        ("connection a\naddress b\ntopic # in 0 x+/", "line 3: `topic`: prefix `x+/` has a wildcard"),
        ("connection a\naddress b\ntopic # in 0 x", "line 3: `topic`: prefix and pattern make `x#`"),
        ("connection a\naddress b\ntopic \"\" in 0 x", "line 3: `topic`: prefix and pattern make ``"),
        (
            "connection a\naddress b\ntopic #\nremote_password secret",
            "line 4: `remote_password`: needs a `remote_username`",
        ),
        ("include_dir /nonexistent", "line 1: `include_dir`: folder `/nonexistent` cannot be read"),
    ] {
        let reason = reason(text);
        assert!(reason.contains(expected) && !reason.contains("secret"), "{text:?}: {reason}");
    }
}

#[test]
fn the_files_of_a_folder_are_read_in_mosquittos_order_each_with_a_scope_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("b.conf", "listener 4"),
        ("A.conf", "listener 2"),
        ("a.conf", "listener 3\nmax_connections 7"),
        ("01.conf", "listener 1\n"),
        ("ignored", "nonsense"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let text = format!("listener 9\ninclude_dir {}\nmax_connections 2\n", folder.path().display());
    let conf = parse(&text).unwrap();
    let listeners: Vec<_> = conf.listeners.iter().map(|listener| (listener.port, listener.max_connections)).collect();
    assert_eq!(listeners, [(9, Some(2)), (1, None), (2, None), (3, Some(7)), (4, None)]);

    std::fs::write(folder.path().join("01.conf"), "\nmax_connections 7").unwrap();
    assert!(reason(&text).contains("01.conf` line 2: `max_connections`: belongs to the default listener"));
    std::fs::write(folder.path().join("01.conf"), "include_dir /nonexistent").unwrap();
    assert_eq!(parse(&text).unwrap().warnings.len(), 1);
}

#[test]
fn a_check_has_a_finding_for_each_line_that_says_something() {
    let text = "# nothing\nlistener 1883\nlog_dest stdout\n\nplugin x\nnonsense\ncafile a\n";
    let findings: Vec<_> =
        check(text, Path::new("m.conf")).into_iter().map(|finding| (finding.line, finding.verdict)).collect();
    let expected = [
        (2, Verdict::Supported),
        (3, Verdict::WithoutEffect),
        (5, Verdict::Unsupported),
        (6, Verdict::Invalid),
        (7, Verdict::Invalid),
    ];
    assert_eq!(findings, expected);
}

#[test]
fn every_option_is_there_once_and_every_one_that_is_read_is_known_to_the_parser() {
    assert!(OPTIONS.is_sorted_by(|a, b| a.name < b.name));
    for option in OPTIONS.iter().filter(|option| option.fate == Fate::Read) {
        for value in ["true", "1", "1883", "x"] {
            check(&format!("listener 9\nconnection c\n{} {value}", option.name), Path::new("m.conf"));
        }
    }
}

#[test]
fn what_is_too_much_is_refused() {
    assert!(reason(&format!("password_file {}", "x".repeat(5_000))).contains("longer than 4096 bytes"));
    let listeners: String = (1..400).map(|port| format!("listener {port}\n")).collect();
    assert!(reason(&listeners).contains("line 257: `listener`: is one of more than 256"));
    assert!(reason(&"user x\n".repeat(100_001)).contains("line 100001: `user`: is one of more than 100000 lines"));
}

fn path() -> impl Strategy<Value = PathBuf> {
    "/[a-zé#\"]([a-z #\"$/]{0,8}[a-z#])?".prop_map(PathBuf::from)
}

fn access() -> impl Strategy<Value = Access> {
    (option::of(path()), option::of(path()), any::<bool>())
        .prop_map(|(password_file, acl_file, allow_anonymous)| Access { password_file, acl_file, allow_anonymous })
}

fn tls() -> impl Strategy<Value = Tls> {
    let version = prop_oneof![Just(TlsVersion::V1_2), Just(TlsVersion::V1_3)];
    (path(), path(), option::of((path(), option::of(path()), 0..3u8)), version).prop_map(
        |(certfile, keyfile, clients, min_version)| {
            let (cafile, crlfile, strictness) = match clients {
                Some((cafile, crlfile, strictness)) => (Some(cafile), crlfile, strictness),
                None => (None, None, 0),
            };
            Tls {
                certfile,
                keyfile,
                cafile,
                crlfile,
                require_certificate: strictness > 0,
                use_identity_as_username: strictness > 1,
                min_version,
            }
        },
    )
}

fn listener() -> impl Strategy<Value = Listener> {
    let place = prop_oneof![
        Just((None, Domain::Both)),
        Just((None, Domain::V4)),
        Just((Some("::1".to_owned()), Domain::V6)),
        Just((Some("127.0.0.1".to_owned()), Domain::Both)),
        Just((Some("broker.example.org".to_owned()), Domain::V4)),
    ];
    let protocol = prop_oneof![Just(Protocol::Mqtt), Just(Protocol::WebSockets)];
    (any::<u16>(), place, protocol, option::of(tls()), option::of(1..=i32::MAX as u32), any::<[bool; 2]>(), access())
        .prop_map(|(port, (bind, domain), protocol, tls, max_connections, switches, access)| Listener {
            port: port.max(1),
            bind,
            domain,
            protocol,
            tls,
            max_connections,
            proxy_protocol: switches[0],
            username_as_client_id: switches[1],
            access,
        })
}

fn bridge_topic() -> impl Strategy<Value = BridgeTopic> {
    let pattern = prop_oneof!["[a-z+]", "[a-z]{1,3}/[+#]", Just("#".to_owned())];
    let direction = prop_oneof![Just(Direction::In), Just(Direction::Out), Just(Direction::Both)];
    (pattern, direction, 0..2u8, "([a-z]{1,4}/)?", "([a-z]{1,4}/)?").prop_map(
        |(pattern, direction, qos, local_prefix, remote_prefix)| BridgeTopic {
            pattern,
            direction,
            qos,
            local_prefix,
            remote_prefix,
        },
    )
}

fn bridge() -> impl Strategy<Value = Bridge> {
    let word = "[a-z][a-z #$%]{0,10}[a-z#]";
    let address = ("[a-z]{1,5}(\\.[a-z]{2,3})?|::1", 1..=u16::MAX);
    let tls = (path(), option::of((path(), path()))).prop_map(|(cafile, identity)| BridgeTls { cafile, identity });
    (
        "[a-z]{1,8}",
        vec(address, 1..4),
        vec(bridge_topic(), 1..4),
        option::of(word),
        option::of((word, option::of(word))),
        option::of(tls),
        5..=u16::MAX,
        any::<bool>(),
    )
        .prop_map(|(name, addresses, topics, remote_client_id, account, tls, keepalive_s, clean_session)| {
            let (remote_username, remote_password) = account.unzip();
            Bridge {
                name,
                addresses,
                topics,
                remote_client_id,
                remote_username,
                remote_password: remote_password.flatten().map(Secret),
                tls,
                keepalive_s,
                clean_session,
            }
        })
}

fn conf() -> impl Strategy<Value = Conf> {
    let limits = (
        0..=65_535u32,
        10..=u16::MAX,
        option::of(1..=268_435_455u32),
        option::of(20..=i32::MAX as u32),
        option::of(1..=u16::MAX),
        option::of(1..=i32::MAX as u32),
        option::of(1..=100_000u32),
    );
    (vec(listener(), 1..4), vec(bridge(), 0..3), limits, any::<bool>()).prop_map(
        |(mut listeners, mut bridges, limits, shared)| {
            listeners.sort_by_key(|listener| listener.port);
            listeners.dedup_by_key(|listener| listener.port);
            bridges.sort_by(|a, b| a.name.cmp(&b.name));
            bridges.dedup_by(|a, b| a.name == b.name);
            if shared {
                let access = listeners[0].access.clone();
                listeners.iter_mut().for_each(|listener| listener.access = access.clone());
            }
            Conf {
                listeners,
                bridges,
                sys_interval_s: limits.0,
                max_keepalive_s: limits.1,
                message_size_limit: limits.2,
                max_packet_size: limits.3,
                max_inflight_messages: limits.4,
                max_queued_messages: limits.6,
                max_queued_bytes: limits.2,
                persistent_client_expiration_s: limits.6.map(|hours| hours * 3_600),
                global_max_connections: limits.5,
                persistence: shared.then_some(limits.0 % 2 == 0),
                persistence_location: shared.then(|| format!("/d {}", limits.0).into()),
                warnings: Vec::new(),
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was(conf in conf()) {
        let text = render(&conf);
        prop_assert_eq!(parse(&text).map_err(|error| format!("{error}\n{text}")), Ok(conf));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        check(&text, Path::new("m.conf"));
    }

    #[test]
    fn no_line_of_options_makes_the_parser_panic(
        lines in vec((0..OPTIONS.len(), "[ \t]?[a-z0-9:/#+\"$ \\-]{0,12}|true|1883 ::1|# both 2 a/ b/"), 0..12)
    ) {
        let line = |(option, value): (usize, String)| format!("{} {value}\n", OPTIONS[option].name);
        let text: String = lines.into_iter().map(line).collect();
        // A folder that is named by chance would be read.
        let text = text.replace("include_dir", "include_dir /nonexistent/");
        let findings = check(&text, Path::new("m.conf"));
        let refused = findings.iter().any(|finding| matches!(finding.verdict, Verdict::Invalid | Verdict::Unsupported));
        prop_assert_eq!(parse(&text).is_err(), refused);
    }

    #[test]
    fn a_value_cannot_add_a_line(name in "[a-z\n\r\t ]{1,20}") {
        let bridge = Bridge {
            name,
            addresses: Vec::new(),
            topics: Vec::new(),
            remote_client_id: None,
            remote_username: None,
            remote_password: None,
            tls: None,
            keepalive_s: 60,
            clean_session: false,
        };
        let text = render(&Conf { bridges: vec![bridge], ..Conf::default() });
        prop_assert_eq!(text.lines().count(), 4, "{}", text);
    }
}
