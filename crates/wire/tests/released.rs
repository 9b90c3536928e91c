//! What every released version wrote is understood by this one: `tests/released` has a folder for each, with the bytes of every
//! message that crosses between versions, a vehicle's and a third party's. The live feed and the bodies of the HTTP interface
//! are not among them, since the app comes from the server that it speaks to.
//!
//! `scripts/freeze` adds the folder of a new version.

mod samples;

use std::{collections::BTreeMap, fs, path::PathBuf};

use bugbrother_wire::{Topic, decode, embedded, message::Message, video::Piece};
use samples::{all, payload};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, from_slice, to_value};

/// Version → file → bytes.
fn released() -> BTreeMap<String, BTreeMap<String, Vec<u8>>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/released");
    let files = |folder: PathBuf| {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
        entries
            .map(|entry| (entry.file_name().into_string().expect("a name"), fs::read(entry.path()).expect("a file")))
            .collect()
    };
    let versions = fs::read_dir(root).expect("the folder of versions").map(|entry| entry.expect("an entry"));
    versions.map(|entry| (entry.file_name().into_string().expect("a version"), files(entry.path()))).collect()
}

/// What the bytes say, whatever it means.
fn plain(name: &str, bytes: &[u8]) -> Value {
    match name.ends_with(".json") {
        true => from_slice(bytes).unwrap_or_else(|error| panic!("{name}: {error}")),
        false => rmp_serde::from_slice(bytes).unwrap_or_else(|error| panic!("{name}: {error}")),
    }
}

/// Whether all that was said before is said now: fields are only added. What was nil may be left out.
fn holds(now: &Value, before: &Value) -> bool {
    match (now, before) {
        (Value::Object(now), Value::Object(before)) => before.iter().all(|(key, value)| match now.get(key) {
            Some(found) => holds(found, value),
            None => value.is_null(),
        }),
        (Value::Array(now), Value::Array(before)) => {
            now.len() == before.len() && now.iter().zip(before).all(|(now, before)| holds(now, before))
        }
        (Value::Number(now), Value::Number(before)) => now.as_f64() == before.as_f64(),
        _ => now == before,
    }
}

fn check_message(place: &str, name: &str, topics: &BTreeMap<&str, Topic>, bytes: &[u8]) {
    let topic = topics.get(name).unwrap_or_else(|| panic!("{place}: no message is called so any more"));
    let message = decode(topic, bytes).unwrap_or_else(|error| panic!("{place}: {error}"));
    let ending = if matches!(message, Message::State(_)) { ".json" } else { ".msgpack" };
    let (now, before) = (plain(ending, &payload(&message)), plain(place, bytes));
    assert!(holds(&now, &before), "{place}: something was not understood: {before} is read as {now}");
}

fn check_body<T: Serialize + DeserializeOwned>(place: &str, bytes: &[u8]) {
    let body: T = from_slice(bytes).unwrap_or_else(|error| panic!("{place}: {error}"));
    let (now, before) = (to_value(&body).expect("it is JSON"), plain(place, bytes));
    assert!(holds(&now, &before), "{place}: something was not understood: {before} is read as {now}");
}

#[test]
fn what_every_released_version_wrote_is_understood_to_the_last_field() {
    let topics: BTreeMap<_, _> = all().into_iter().map(|(name, topic, _)| (name, topic)).collect();
    let released = released();
    assert!(released.contains_key("0.1.0"), "{:?}", released.keys());
    for (version, files) in released {
        assert!(files.len() > 10, "{version} has {} files", files.len());
        for (file, bytes) in files {
            let place = format!("{version}/{file}");
            match file.rsplit_once('.') {
                Some((name, "bin")) => {
                    let piece = Piece::read(&bytes).unwrap_or_else(|error| panic!("{place}: {error:?}"));
                    assert_eq!(piece.expect(name).to_bytes(), bytes, "{place}");
                }
                Some(("enroll", _)) => check_body::<embedded::Enroll>(&place, &bytes),
                Some(("enrolled", _)) => check_body::<embedded::Enrolled>(&place, &bytes),
                Some(("renew", _)) => check_body::<embedded::Renew>(&place, &bytes),
                Some(("sign-in", _)) => check_body::<embedded::SignIn>(&place, &bytes),
                Some(("vehicle-session", _)) => check_body::<embedded::VehicleSession>(&place, &bytes),
                Some(("media-offer", _)) => check_body::<embedded::MediaOffer>(&place, &bytes),
                Some(("media-progress", _)) => check_body::<embedded::MediaProgress>(&place, &bytes),
                Some((name, _)) => check_message(&place, name, &topics, &bytes),
                None => panic!("{place}: what is that?"),
            }
        }
    }
}

#[test]
fn a_field_that_is_no_longer_read_would_be_noticed() {
    let holds = |now: &str, before: &str| {
        holds(&serde_json::from_str(now).expect("JSON"), &serde_json::from_str(before).expect("JSON"))
    };
    assert!(holds(r#"{"a":1,"b":[1,{"c":2}],"new":3}"#, r#"{"a":1.0,"b":[1,{"c":2}],"old":null}"#));
    assert!(!holds(r#"{"a":1}"#, r#"{"a":1,"old":2}"#));
    assert!(!holds(r#"{"a":1}"#, r#"{"a":2}"#));
    assert!(!holds(r#"{"b":[1]}"#, r#"{"b":[1,2]}"#));
}
