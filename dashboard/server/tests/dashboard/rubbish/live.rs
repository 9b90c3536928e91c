//! The live feed, asked for wrongly, and wishes that are none.

use anyhow::{Context, Result, ensure};
use futures_util::SinkExt;
use reqwest::{Method, header::CONTENT_TYPE};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    rig::{Rig, vin},
    viewer::Viewer,
};

#[tokio::test]
async fn a_wish_that_is_rubbish_ends_its_viewer_with_the_reason_and_nobody_else() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    let mut patient = Viewer::join(&rig, &token).await?;
    // MessagePack: what follows is a map of one entry, `which`, `signals`, `whole` or `since`.
    let entry = |key: &str, value: &[u8]| [&[0x81, 0xa0 | key.len() as u8], key.as_bytes(), value].concat();
    let text = |text: &str| [&[0xd9, text.len() as u8], text.as_bytes()].concat();
    let rubbish: [(&str, Vec<u8>); 14] = [
        ("nothing", vec![]),
        ("a map of 4 billion entries", vec![0xdf, 0xff, 0xff, 0xff, 0xff]),
        ("an array of 4 billion", vec![0xdd, 0xff, 0xff, 0xff, 0xff]),
        ("a text of 4 GB", vec![0xdb, 0xff, 0xff, 0xff, 0xff, b'x']),
        ("arrays in arrays", vec![0x91; 15_000]),
        ("arrays in a wish", entry("signals", &[0x91; 15_000])),
        ("something after its end", [entry("signals", &[0xc0]), vec![0xc0]].concat()),
        ("a word that is no choice", entry("which", &text("everything"))),
        ("a VIN that is none", entry("whole", &[vec![0x91], text("WVWZZZ1JZ3W00000I")].concat())),
        ("a key with 200 bytes", entry("signals", &[vec![0x91], text(&"x".repeat(200))].concat())),
        ("a key that is no UTF-8", entry("signals", &[0x91, 0xa2, 0xff, 0xfe])),
        ("a number for signals", entry("signals", &[0x01])),
        (
            "a tick below zero",
            entry("since", &[&[0x82, 0xa4][..], b"feed", &text("x"), &[0xa4], b"tick", &[0xff]].concat()),
        ),
        ("an infinite edge", {
            let edge = |name: &str, value: f64| {
                [&[0xa0 | name.len() as u8], name.as_bytes(), &[0xcb], &value.to_be_bytes()].concat()
            };
            let edges =
                [edge("south", 1.0), edge("west", f64::INFINITY), edge("north", 2.0), edge("east", 3.0)].concat();
            entry("which", &[vec![0x81], text("area"), vec![0x84], edges].concat())
        }),
    ];
    // The same made rightly is taken.
    let whole = entry("whole", &[vec![0x91], text(vin(1).as_str())].concat());
    for right in [entry("signals", &[0xc0]), whole] {
        patient.snapshots = 0;
        patient.socket.send(Message::Binary(right.into())).await?;
        patient.until(|viewer| viewer.snapshots > 0).await?;
    }
    for (what, bytes) in rubbish {
        let mut viewer = Viewer::join(&rig, &token).await?;
        viewer.socket.send(Message::Binary(bytes.into())).await?;
        let code = viewer.close_code().await.with_context(|| what.to_owned())?;
        ensure!(code == 1007, "{what}: {code}");
    }
    rig.name(&token, vin(1), "Van 1").await?;
    patient.until(|viewer| viewer.vehicles.len() == 1).await?;
    rig.stop().await
}

#[tokio::test]
async fn what_asks_for_the_live_feed_wrongly_is_refused_clearly() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ];
    type Headers = Vec<(&'static str, &'static str)>;
    let mut asked: Vec<(String, Method, String, Headers)> = vec![
        ("no upgrade".to_owned(), Method::GET, "/live".to_owned(), Vec::new()),
        ("a POST".to_owned(), Method::POST, "/live".to_owned(), upgrade.to_vec()),
    ];
    for (at, (name, _)) in upgrade.iter().enumerate() {
        let mut headers = upgrade.to_vec();
        headers[at].1 = "7";
        // RFC 6455, 4.2.1: a server need not look into the key.
        if *name != "sec-websocket-key" {
            asked.push((format!("{name}: 7"), Method::GET, "/live".to_owned(), headers.clone()));
        }
        headers.remove(at);
        asked.push((format!("without {name}"), Method::GET, "/live".to_owned(), headers));
    }
    for quiet in ["x", "-1", "%00", "99999999999"] {
        asked.push((format!("quiet={quiet}"), Method::GET, format!("/live?quiet={quiet}"), upgrade.to_vec()));
    }
    for (what, method, path, headers) in asked {
        let mut request = rig.request(method, &path).bearer_auth(&token);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request.send().await?;
        let (status, kind) = (answer.status(), answer.headers().get(CONTENT_TYPE).cloned());
        ensure!(status.is_client_error(), "{what}: {status}");
        ensure!(kind.is_some_and(|kind| kind == "application/problem+json"), "{what}: {status} is no problem+json");
    }
    rig.stop().await
}
