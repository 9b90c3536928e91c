//! Password files in both directions.

use std::process::{Command, Stdio};

use bugbrother_kit::mosquitto::{Mosquitto, program};
use bugbrother_mosquitto_compat::PasswordFile;

use crate::client::Client;

#[test]
fn a_file_of_mosquitto_passwd_is_read_and_its_passwords_verified() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwd");
    for (create, user, password) in [(true, "ingest", "first secret"), (false, "WVWZZZ1JZ3W386752", "žluťoučký 🚗")]
    {
        let mut command = Command::new(program("mosquitto_passwd").unwrap());
        command.arg("-b");
        if create {
            command.arg("-c");
        }
        let status =
            command.arg(&path).args([user, password]).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success());
    }
    let file = PasswordFile::load(&path).unwrap();
    assert!(file.verify("ingest", "first secret"));
    assert!(file.verify("WVWZZZ1JZ3W386752", "žluťoučký 🚗"));
    assert!(!file.verify("ingest", "žluťoučký 🚗"));
}

#[test]
fn a_file_of_an_older_mosquitto_is_read_and_still_read_by_mosquitto_when_we_have_added_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwd");
    let status = Command::new(program("mosquitto_passwd").unwrap())
        .args(["-H", "sha512", "-c", "-b"])
        .arg(&path)
        .args(["old", "first secret"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("old:$6$"));
    let mut file = PasswordFile::load(&path).unwrap();
    assert!(file.verify("old", "first secret") && !file.verify("old", "another"));
    file.set("new", "second secret").unwrap();
    file.save(&path).unwrap();
    let mosquitto = Mosquitto::start(&format!("password_file {}\n", path.display())).unwrap();
    for account in [("old", "first secret"), ("new", "second secret")] {
        assert!(Client::connect(mosquitto.port(), "probe", Some(account)).is_ok(), "{account:?}");
    }
}

#[test]
fn mosquitto_passwd_changes_a_file_that_we_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwd");
    let mut file = PasswordFile::default();
    file.set("kept", "one").unwrap();
    file.set("changed", "two").unwrap();
    file.save(&path).unwrap();
    let status = Command::new(program("mosquitto_passwd").unwrap())
        .arg("-b")
        .arg(&path)
        .args(["changed", "three"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let file = PasswordFile::load(&path).unwrap();
    assert!(file.verify("kept", "one") && file.verify("changed", "three") && !file.verify("changed", "two"));
}

#[test]
fn a_real_mosquitto_accepts_a_password_that_we_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwd");
    let mut file = PasswordFile::default();
    file.set("ingest", "first secret").unwrap();
    file.save(&path).unwrap();
    let mosquitto = Mosquitto::start(&format!("password_file {}\n", path.display())).unwrap();
    let code = |user, password| Client::connect(mosquitto.port(), "probe", Some((user, password))).err();
    assert_eq!(code("ingest", "first secret"), None);
    assert!(code("ingest", "another").is_some());
    assert!(code("nobody", "first secret").is_some());
}
