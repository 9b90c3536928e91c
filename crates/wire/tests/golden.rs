//! The bytes of every message are kept in `tests/golden`: a change that a third party's decoder would notice fails here.
//!
//! A message that is new, or that has a new field, is written by `BUGBROTHER_WRITE_GOLDEN=1 cargo test -p bugbrother-wire`.

mod samples;

use std::{env, fs, path::PathBuf};

use bugbrother_wire::{
    api, decode, embedded, encode,
    live::{Change, Delta, Frame, LiveVehicle, Mark, News, Notice, Snapshot, Want, Which},
    message::{Message, Presence},
    video::{Beginning, Fragment, Piece},
};
use samples::{all, payload, vin};

fn compare(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if env::var_os("BUGBROTHER_WRITE_GOLDEN").is_some() {
        fs::write(&path, bytes).expect("the folder can be written");
    }
    let golden = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(golden == bytes, "{name} is no longer written as it was");
}

#[test]
fn every_message_is_written_as_it_always_was_and_reads_back_as_itself() {
    for (name, topic, message) in all() {
        let bytes = payload(&message);
        let suffix = if matches!(message, Message::State(_)) { "json" } else { "msgpack" };
        compare(&format!("{name}.{suffix}"), &bytes);
        assert_eq!(decode(&topic, &bytes).unwrap(), message, "{name}");
    }
}

#[test]
fn the_live_feed_is_written_as_it_always_was() {
    let vehicle = LiveVehicle {
        n: 0,
        vin: vin(),
        name: "Van 12".to_owned(),
        plate: Some("VD 123 456".to_owned()),
        client: Some("Alpine Taxi".to_owned()),
        presence: Presence::Online,
        source_ts: 1_790_000_000_123,
        received_ts: 1_790_000_000_456,
        values: [("spd".to_owned(), 87.0)].into(),
    };
    let Some((_, _, Message::Alert(alert))) = all().into_iter().find(|(name, ..)| *name == "alert") else {
        panic!("there is a sample of an alert")
    };
    let change = Change(0, Presence::Online, 1_790_000_001_123, 1_790_000_001_456, vec![("spd".to_owned(), 88.0)]);
    let now = 1_790_000_002_000;
    for (name, frame) in [
        ("live-hello", Frame::Hello { server: "0.1.0".to_owned(), now, feed: "6f1c".to_owned() }),
        (
            "live-snapshot",
            Frame::Snapshot(Snapshot { now, tick: 7, vehicles: vec![vehicle.clone()], alerts: vec![alert.clone()] }),
        ),
        (
            "live-delta",
            Frame::Delta(Delta {
                now,
                tick: 8,
                named: vec![vehicle],
                left: vec![3],
                changed: vec![change],
                alerts: vec![alert],
                notices: vec![],
            }),
        ),
        (
            "live-notices",
            Frame::Delta(Delta {
                now,
                tick: 9,
                named: vec![],
                left: vec![],
                changed: vec![],
                alerts: vec![],
                notices: vec![Notice(0, News::Command), Notice(7, News::Trips)],
            }),
        ),
    ] {
        let bytes = encode(&frame);
        compare(&format!("{name}.msgpack"), &bytes);
        assert_eq!(bugbrother_wire::codec::decode_value::<Frame>(&bytes).unwrap(), frame);
    }
    let want = Want {
        which: Which::Only(vec![vin()]),
        signals: Some(vec!["spd".to_owned()]),
        whole: vec![vin()],
        since: Some(Mark { feed: "6f1c".to_owned(), tick: 8 }),
    };
    let bytes = encode(&want);
    compare("live-want.msgpack", &bytes);
    assert_eq!(bugbrother_wire::codec::decode_value::<Want>(&bytes).unwrap(), want);
}

#[test]
fn a_session_does_not_name_a_token_that_it_does_not_give() {
    let rights = vec![api::Right::Watch];
    let session = api::Session {
        name: "ada".to_owned(),
        display_name: None,
        role: api::Role::Operator,
        rights,
        expires: 1,
        ends: 2,
        token: None,
        refresh_token: None,
    };
    assert_eq!(
        serde_json::to_string(&session).unwrap(),
        r#"{"name":"ada","role":"operator","rights":["watch"],"expires":1,"ends":2}"#
    );
}

#[test]
fn what_vehicles_ask_and_are_answered_is_written_as_it_always_was() {
    let enroll = embedded::Enroll { code: "11100-00000-00000-00000-007ZZW".to_owned(), csr: "CSR".to_owned() };
    let text = serde_json::to_string(&enroll).unwrap();
    compare("enroll.json", text.as_bytes());
    assert_eq!(text, r#"{"code":"11100-00000-00000-00000-007ZZW","csr":"CSR"}"#);
    assert_eq!(serde_json::from_str::<embedded::Enroll>(&text).unwrap(), enroll);
    assert!(!format!("{enroll:?}").contains("11100"), "a code must not get into a log");
    let renew =
        embedded::Renew { certificate: "CERT".to_owned(), csr: "CSR".to_owned(), signature: "MEUCIQ==".to_owned() };
    let text = serde_json::to_string(&renew).unwrap();
    compare("renew.json", text.as_bytes());
    assert_eq!(text, r#"{"certificate":"CERT","csr":"CSR","signature":"MEUCIQ=="}"#);
    assert_eq!(serde_json::from_str::<embedded::Renew>(&text).unwrap(), renew);
    let mut enrolled = embedded::Enrolled {
        vin: vin(),
        certificate: "CERT".to_owned(),
        ca: "CA".to_owned(),
        not_before: None,
        not_after: 1_790_000_000_000,
        broker: None,
    };
    let text = serde_json::to_string(&enrolled).unwrap();
    assert_eq!(text, r#"{"vin":"WVWZZZ1JZ3W386752","certificate":"CERT","ca":"CA","not_after":1790000000000}"#);
    enrolled.not_before = Some(1_780_000_000_000);
    enrolled.broker = Some("mqtts://fleet.example.org:8883".to_owned());
    let text = serde_json::to_string(&enrolled).unwrap();
    compare("enrolled.json", text.as_bytes());
    assert!(text.ends_with(r#","broker":"mqtts://fleet.example.org:8883"}"#), "{text}");
    assert_eq!(serde_json::from_str::<embedded::Enrolled>(&text).unwrap(), enrolled);
}

#[test]
fn how_vehicles_sign_in_and_upload_is_written_as_it_always_was() {
    let sign_in = embedded::SignIn {
        certificate: "CERT".to_owned(),
        challenge: "a.b.c".to_owned(),
        signature: "MEUCIQ==".to_owned(),
    };
    let text = serde_json::to_string(&sign_in).unwrap();
    compare("sign-in.json", text.as_bytes());
    assert_eq!(text, r#"{"certificate":"CERT","challenge":"a.b.c","signature":"MEUCIQ=="}"#);
    let session = embedded::VehicleSession { token: "t0k3n".to_owned(), lasts_s: 900 };
    let text = serde_json::to_string(&session).unwrap();
    compare("vehicle-session.json", text.as_bytes());
    assert_eq!(text, r#"{"token":"t0k3n","lasts_s":900}"#);
    assert!(!format!("{session:?}{sign_in:?}").contains("t0k3n"), "a token must not get into a log");
    let mut offer = embedded::MediaOffer {
        camera: "dash-1".to_owned().try_into().unwrap(),
        kind: bugbrother_wire::message::MediaKind::Clip,
        bytes: 7,
        sha256: "ab".repeat(32),
        from: None,
        to: None,
        cause: None,
    };
    let hash = &offer.sha256;
    let text = format!(r#"{{"camera":"dash-1","kind":"clip","bytes":7,"sha256":"{hash}"}}"#);
    assert_eq!(serde_json::to_string(&offer).unwrap(), text);
    (offer.from, offer.to, offer.cause) = (Some(1), Some(2), Some("me".to_owned()));
    let text = serde_json::to_string(&offer).unwrap();
    compare("media-offer.json", text.as_bytes());
    assert!(text.ends_with(r#","from":1,"to":2,"cause":"me"}"#), "{text}");
    assert_eq!(serde_json::from_str::<embedded::MediaOffer>(&text).unwrap(), offer);
    let progress = embedded::MediaProgress { offset: 7, stored: true };
    let text = serde_json::to_string(&progress).unwrap();
    compare("media-progress.json", text.as_bytes());
    assert_eq!(text, r#"{"offset":7,"stored":true}"#);
}

#[test]
fn a_camera_without_a_picture_is_written_as_it_always_was() {
    let mut camera = api::CameraEntry {
        id: "dash-1".to_owned().try_into().unwrap(),
        label: "Windscreen".to_owned(),
        reached: false,
        still: None,
    };
    let text = serde_json::to_string(&camera).unwrap();
    assert_eq!(text, r#"{"id":"dash-1","label":"Windscreen"}"#);
    assert_eq!(serde_json::from_str::<api::CameraEntry>(&text).unwrap(), camera);
    camera.still = Some(api::CameraStill { id: bugbrother_wire::MediaId(uuid::Uuid::nil()), at: 1_790_000_000_000 });
    let text = serde_json::to_string(&camera).unwrap();
    let still = r#""still":{"id":"00000000-0000-0000-0000-000000000000","at":1790000000000}"#;
    assert_eq!(text, format!(r#"{{"id":"dash-1","label":"Windscreen",{still}}}"#));
    assert_eq!(serde_json::from_str::<api::CameraEntry>(&text).unwrap(), camera);
}

#[test]
fn what_a_vehicle_pushes_of_its_cameras_is_written_as_it_always_was() {
    for (name, piece) in [
        (
            "push-beginning",
            Piece::Beginning(Beginning {
                number: 1,
                is_sub: true,
                plays_in_browsers: true,
                width: 1280,
                height: 720,
                codec: "avc1.42C01E",
                data: b"ftyp and moov",
            }),
        ),
        (
            "push-fragment",
            Piece::Fragment(Fragment {
                beginning: 1,
                is_key: true,
                is_after_gap: true,
                picture: 70_000,
                captured: 1_790_000_000_123,
                data: b"moof and mdat",
            }),
        ),
        ("push-notice", Piece::Notice("camera sent no picture for 10 s")),
    ] {
        let bytes = piece.to_bytes();
        compare(&format!("{name}.bin"), &bytes);
        assert_eq!(Piece::read(&bytes), Ok(Some(piece)));
    }
}

/// 34 signals at 1 Hz in one row is the case that DESIGN.md sizes the contract by.
#[test]
fn a_row_of_whole_and_short_numbers_is_smaller_than_json() {
    let message = samples::telemetry();
    let packed = encode(&message);
    let json = serde_json::to_vec(&message).unwrap();
    assert!(packed.len() * 10 < json.len() * 8, "{} against {} bytes", packed.len(), json.len());
}
