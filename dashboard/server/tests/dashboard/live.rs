use std::time::Duration;

use anyhow::Result;
use bugbrother_kit::port;
use bugbrother_wire::{
    api::Ticket,
    live::{Frame, Mark, Want, Which},
};
use futures_util::SinkExt;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    rig::{Rig, expect_refusal, vin},
    viewer::{Viewer, open, open_at, refusal},
};

#[tokio::test]
async fn a_viewer_gets_hello_and_a_snapshot_and_then_what_changes() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    rig.name(&token, vin(1), "Van 1").await?;
    let mut viewer = Viewer::join(&rig, &token).await?;
    assert_eq!(viewer.vehicle(vin(1)).map(|v| v.name.as_str()), Some("Van 1"));
    let n = viewer.vehicle(vin(1)).map(|vehicle| vehicle.n);
    rig.name(&token, vin(1), "Van One").await?;
    rig.name(&token, vin(2), "Van Two").await?;
    viewer.until(|viewer| viewer.vehicles.len() == 2).await?;
    viewer.until(|viewer| viewer.vehicle(vin(1)).is_some_and(|v| v.name == "Van One")).await?;
    assert_eq!(viewer.vehicle(vin(1)).map(|vehicle| vehicle.n), n);
    assert_eq!(viewer.snapshots, 1);
    rig.stop().await
}

#[tokio::test]
async fn a_quiet_line_has_a_heartbeat() -> Result<()> {
    let rig = Rig::start().await?;
    let mut viewer = Viewer::join(&rig, &rig.token().await?).await?;
    let Frame::Delta(delta) = viewer.read().await? else {
        anyhow::bail!("no delta");
    };
    assert!(delta.named.is_empty() && delta.changed.is_empty() && delta.alerts.is_empty());
    rig.stop().await
}

#[tokio::test]
async fn a_browser_is_let_in_by_a_ticket_once_and_only_from_our_origin() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    let cookie = format!("bugbrother_session={token}");
    let own = rig.url("");
    let ticket = async || -> Result<String> {
        let request = rig.request(Method::POST, "/api/frontend/tickets").header("cookie", &cookie);
        let answer = request.header("origin", &own).json(&json!({ "for": "live" })).send().await?;
        let ticket: Ticket = answer.error_for_status()?.json().await?;
        Ok(format!("/live?ticket={}", ticket.ticket))
    };
    let path = ticket().await?;
    let headers = [("cookie", cookie.as_str()), ("origin", own.as_str())];
    Viewer::open(&rig, &path, &headers).await?;
    assert_eq!(refusal(open_at(&rig, &path, &headers).await)?.status().as_u16(), 401, "it was used");
    let foreign = open_at(&rig, &ticket().await?, &[("origin", "http://evil.example")]).await;
    assert_eq!(refusal(foreign)?.status().as_u16(), 403);
    for bad in ["/live", "/live?ticket=", "/live?ticket=guess", "/live?ticket=a&ticket=b"] {
        let nobody = open_at(&rig, bad, &headers).await;
        assert_eq!(refusal(nobody)?.status().as_u16(), 401, "a cookie is not enough: {bad}");
    }
    let other = rig.request(Method::POST, "/api/frontend/tickets").bearer_auth(&token);
    let answer = other.json(&json!({ "for": "everything" })).send().await?;
    expect_refusal(answer, StatusCode::BAD_REQUEST, "invalid_body").await?;
    rig.stop().await
}

#[tokio::test]
async fn a_ticket_lets_nobody_in_whose_session_has_ended_meanwhile() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    let answer = rig.post("/api/frontend/tickets", &token, &json!({ "for": "live" })).await?;
    let ticket: Ticket = answer.error_for_status()?.json().await?;
    rig.request(Method::DELETE, "/api/frontend/session").bearer_auth(&token).send().await?.error_for_status()?;
    let late = open_at(&rig, &format!("/live?ticket={}", ticket.ticket), &[]).await;
    assert_eq!(refusal(late)?.status().as_u16(), 401);
    rig.stop().await
}

#[tokio::test]
async fn a_session_that_expires_closes_its_open_socket_with_4401() -> Result<()> {
    let rig = Rig::start_with(port::free()?, |config| {
        config.session_idle = Duration::from_secs(2);
    })
    .await?;
    let token = rig.token().await?;
    let viewer = Viewer::join(&rig, &token).await?;
    assert_eq!(viewer.close_code().await?, 4401);
    let bearer = format!("Bearer {token}");
    let again = open(&rig, &[("authorization", &bearer)]).await;
    assert_eq!(refusal(again)?.status().as_u16(), 401);
    rig.stop().await
}

#[tokio::test]
async fn signing_out_closes_the_sockets_of_the_session_and_no_others() -> Result<()> {
    let rig = Rig::start().await?;
    let (token, other) = (rig.token().await?, rig.token().await?);
    let viewer = Viewer::join(&rig, &token).await?;
    let mut others = Viewer::join(&rig, &other).await?;
    let out = rig.request(Method::DELETE, "/api/frontend/session");
    out.bearer_auth(&token).send().await?.error_for_status()?;
    assert_eq!(viewer.close_code().await?, 4401);
    rig.name(&other, vin(1), "Van 1").await?;
    others.until(|viewer| viewer.vehicles.len() == 1).await?;
    rig.stop().await
}

#[tokio::test]
async fn floods_and_long_messages_end_a_viewer_and_nobody_else() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    let mut patient = Viewer::join(&rig, &token).await?;
    for message in [Message::Ping("x".into()), Message::Text("hello".into())] {
        let mut flooder = Viewer::join(&rig, &token).await?;
        for _ in 0..100 {
            flooder.socket.feed(message.clone()).await?;
        }
        flooder.socket.flush().await?;
        assert_eq!(flooder.close_code().await?, 1008);
    }
    let mut talker = Viewer::join(&rig, &token).await?;
    talker.socket.send(Message::Text("x".repeat(20_000).into())).await?;
    talker.close_code().await.expect_err("a message past the limit ends the connection");
    rig.name(&token, vin(1), "Van 1").await?;
    patient.until(|viewer| viewer.vehicles.len() == 1).await?;
    rig.stop().await
}

#[tokio::test]
async fn a_user_has_so_many_seats_and_they_become_free_again() -> Result<()> {
    let rig = Rig::start_with(port::free()?, |config| {
        config.limits.viewers_per_user = 1;
    })
    .await?;
    let token = rig.token().await?;
    let first = Viewer::join(&rig, &token).await?;
    let bearer = format!("Bearer {token}");
    let second = refusal(open(&rig, &[("authorization", &bearer)]).await)?;
    assert_eq!(second.status().as_u16(), 429);
    assert!(second.headers().contains_key("retry-after"));
    drop(first);
    bugbrother_kit::wait::until("the seat is free", crate::rig::LIMIT, || async {
        Viewer::join(&rig, &token).await.ok()
    })
    .await?;
    rig.stop().await
}

#[tokio::test]
async fn a_stop_tells_viewers_and_ends_in_time() -> Result<()> {
    let rig = Rig::start().await?;
    let viewer = Viewer::join(&rig, &rig.token().await?).await?;
    rig.stop.cancel();
    assert_eq!(viewer.close_code().await?, 1001);
    rig.stop().await
}

#[tokio::test]
async fn a_viewer_that_comes_back_goes_on_where_it_was() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    for n in [1, 2] {
        rig.name(&token, vin(n), "Van").await?;
    }
    let bearer = format!("Bearer {token}");
    let mut viewer = Viewer::open(&rig, "/live?quiet=1", &[("authorization", &bearer)]).await?;
    let Frame::Hello { feed, .. } = viewer.read().await? else { anyhow::bail!("no hello") };
    viewer.want(&Want::default()).await?;
    let Frame::Snapshot(snapshot) = viewer.read().await? else { anyhow::bail!("no snapshot") };
    assert_eq!(snapshot.vehicles.len(), 2);
    let mut tick = snapshot.tick;
    rig.name(&token, vin(1), "Van One").await?;
    while viewer.vehicle(vin(1)).is_none_or(|vehicle| vehicle.name != "Van One") {
        if let Frame::Delta(delta) = viewer.read().await? {
            tick = delta.tick;
        }
    }
    drop(viewer);
    rig.name(&token, vin(2), "Van Two").await?;
    let mark = |tick, feed: &str| Some(Mark { feed: feed.to_owned(), tick });
    for (since, named) in [(mark(tick, &feed), Some(1)), (mark(tick, "another"), None), (mark(u64::MAX, &feed), None)] {
        let mut again = Viewer::open(&rig, "/live?quiet=1", &[("authorization", &bearer)]).await?;
        again.read().await?;
        again.want(&Want { since, ..Want::default() }).await?;
        let told = match again.read().await? {
            Frame::Delta(delta) => Some(delta.named.len()),
            Frame::Snapshot(_) => None,
            Frame::Hello { .. } => anyhow::bail!("hello is said once"),
        };
        // The name may still be on its way to the tick.
        assert!(told == named || (named.is_some() && told == Some(0)), "{told:?} instead of {named:?}");
        again.until(|viewer| viewer.vehicle(vin(2)).is_some_and(|vehicle| vehicle.name == "Van Two")).await?;
    }
    rig.stop().await
}

#[tokio::test]
async fn what_is_no_wish_ends_a_viewer() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    for rubbish in [vec![0xc1], vec![0x01], bugbrother_wire::encode(&Want { which: nowhere(), ..Want::default() })] {
        let mut viewer = Viewer::join(&rig, &token).await?;
        viewer.socket.send(Message::Binary(rubbish.into())).await?;
        assert_eq!(viewer.close_code().await?, 1007);
    }
    rig.stop().await
}

fn nowhere() -> Which {
    Which::Area { south: 0.0, west: 0.0, north: 91.0, east: 0.0 }
}

#[tokio::test]
async fn a_client_watches_the_vehicles_of_its_running_contracts_and_hears_of_no_others() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    for n in [1, 2] {
        rig.name(&token, vin(n), "Van").await?;
    }
    let client = rig.client_with(&[vin(1)]).await?;
    let mut viewer = Viewer::join(&rig, &client).await?;
    assert_eq!(viewer.vehicles.values().map(|vehicle| vehicle.vin).collect::<Vec<_>>(), [vin(1)]);
    viewer.want(&Want { which: Which::Only(vec![vin(1), vin(2)]), whole: vec![vin(2)], ..Want::default() }).await?;
    rig.name(&token, vin(2), "Van Two").await?;
    rig.name(&token, vin(1), "Van One").await?;
    viewer.until(|viewer| viewer.vehicle(vin(1)).is_some_and(|vehicle| vehicle.name == "Van One")).await?;
    assert_eq!(viewer.vehicles.len(), 1);
    rig.stop().await
}
