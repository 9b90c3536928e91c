//! Who may say and hear what: the real Mosquitto and we decide alike.

use std::{fs, path::Path};

use bugbrother_kit::mosquitto::Mosquitto;
use bugbrother_mosquitto_compat::{
    AclFile,
    acl::{self, Access},
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::client::Client;

/// User name and client identifier. The last one could be taken for a wildcard.
const CLIENTS: &[(Option<&str>, &str)] =
    &[(Some("a"), "b"), (Some("with a space"), "a"), (None, "anonymous"), (Some("b"), "b"), (Some("a"), "c+")];

/// Whoever compares is let in everywhere but at `$SYS`.
const OBSERVER: &str = "user observer\ntopic readwrite #\ntopic read $SYS/#\n";

fn rules() -> impl Strategy<Value = String> {
    let filter = prop::string::string_regex("([abx+]|%u|%c|with a space)(/([abx+]|%u|%c)){0,2}(/#)?|#").unwrap();
    let line = (0..9u8, "( read| write| readwrite| deny)", filter).prop_map(|(kind, access, filter)| match kind {
        0 => "user a".to_owned(),
        1 => "user with a space".to_owned(),
        2 => "user  b ".to_owned(),
        3 | 4 => format!("pattern{access} {filter}"),
        5 => "# a comment\n".to_owned(),
        6 => format!("  topic{access}  {filter}  "),
        _ => format!("topic{access} {filter}"),
    });
    prop::collection::vec(line, 1..14).prop_map(|lines| lines.join("\n"))
}

fn topics() -> impl Strategy<Value = Vec<String>> {
    let topic = prop::string::string_regex("([abx]|with a space|b|c)(/([abx]|b)){0,3}").unwrap();
    prop::collection::btree_set(topic, 6..16).prop_map(|topics| topics.into_iter().collect())
}

fn start(text: &str) -> (Mosquitto, AclFile) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("acl");
    fs::write(&path, text).unwrap();
    let acl = AclFile::load(&path).unwrap();
    (Mosquitto::start(&format!("allow_anonymous true\nacl_file {}\n", path.display())).unwrap(), acl)
}

fn connect(mosquitto: &Mosquitto, user: Option<&str>, client_id: &str) -> Client {
    Client::connect(mosquitto.port(), client_id, user.map(|user| (user, "any"))).unwrap()
}

#[test]
fn both_grant_and_deny_the_same() {
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner
        .run(&(rules(), topics()), |(rules, topics)| {
            let (mosquitto, acl) = start(&format!("{rules}\n{OBSERVER}"));
            let mut observer = connect(&mosquitto, Some("observer"), "observer");
            for &(user, client_id) in CLIENTS {
                let mut client = connect(&mosquitto, user, client_id);
                observer.subscribe("#");
                client.publish(&topics);
                let may_write: Vec<_> =
                    topics.iter().filter(|topic| acl.may_write(user, client_id, topic)).cloned().collect();
                prop_assert_eq!(observer.delivered(), may_write, "{:?} writes with\n{}", (user, client_id), &rules);

                client.subscribe("#");
                observer.publish(&topics);
                let may_read: Vec<_> =
                    topics.iter().filter(|topic| acl.may_read(user, client_id, topic)).cloned().collect();
                prop_assert_eq!(client.delivered(), may_read, "{:?} reads with\n{}", (user, client_id), &rules);
                observer.delivered();
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn with_the_user_name_for_the_identifier_nobody_is_taken_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("acl");
    fs::write(&path, format!("pattern write by/%c\n{OBSERVER}")).unwrap();
    let options = format!("allow_anonymous true\nuse_username_as_clientid true\nacl_file {}\n", path.display());
    let (mosquitto, acl) = (Mosquitto::start(&options).unwrap(), AclFile::load(&path).unwrap());
    assert!(Client::connect(mosquitto.port(), "nobody", None).is_err());
    let mut observer = connect(&mosquitto, Some("observer"), "observer");
    observer.subscribe("#");
    let topics = ["by/a".to_owned(), "by/b".to_owned()];
    connect(&mosquitto, Some("a"), "b").publish(&topics);
    assert_eq!(observer.delivered(), topics[..1]);
    assert_eq!(topics.each_ref().map(|topic| acl.may_write(Some("a"), "a", topic)), [true, false]);
}

#[test]
fn what_the_server_says_of_itself_is_for_those_who_are_granted_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("acl");
    fs::write(&path, "user all\ntopic read #\n").unwrap();
    acl::grant(&path, "operator", Access::Read, "$SYS/#").unwrap();
    let (mosquitto, acl) = start(&fs::read_to_string(&path).unwrap());
    for (user, granted) in [("operator", true), ("all", false)] {
        let mut client = connect(&mosquitto, Some(user), user);
        client.subscribe("$SYS/broker/version");
        assert_eq!(client.delivered() == ["$SYS/broker/version"], granted, "{user}");
        assert_eq!(acl.may_read(Some(user), user, "$SYS/broker/version"), granted, "{user}");
        assert_eq!(acl.may_subscribe(Some(user), user, "$SYS/#"), granted, "{user}");
    }
}

#[test]
fn both_refuse_the_same_files() {
    for (text, sound) in [
        ("", true),
        ("   \n\n# a comment\n", true),
        ("  user   with a space  \n  topic  read   a b \r\n", true),
        ("topic a\npattern a\npattern deny %u/#\n", true),
        ("\ttopic read a\n", false),
        ("topic\tread a\n", false),
        ("  # indented\n", false),
        ("user\n", false),
        ("user  \n", false),
        ("topic\n", false),
        ("topic a b\n", false),
        ("topic READ a\n", false),
        ("topic read a # c\n", false),
        ("topic read a/#/b\n", false),
        ("topic read a#\n", false),
        ("allow a\n", false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acl");
        fs::write(&path, text).unwrap();
        let real = Mosquitto::start(&format!("acl_file {}\n", path.display())).map(drop);
        assert_eq!(real.is_ok(), sound, "mosquitto: {text:?}");
        assert_eq!(AclFile::parse(text, Path::new("acl")).is_ok(), sound, "ours: {text:?}");
    }
}
