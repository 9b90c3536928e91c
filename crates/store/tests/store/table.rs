//! Tables from the oldest row on: pages follow one another, also where rows have the same time.

use bugbrother_store::{Arrival, Store};
use bugbrother_wire::{
    AlertId, Epoch, EventId, Message, SCHEMA_VERSION, Seq, UnixMs,
    message::{Alert, AlertState, Diagnostics, Dtc, DtcStatus, Event, EventKind, Severity},
};
use uuid::Uuid;

use crate::fleet::{Home, NOW, fiesta, golf, store};

const ALL: (UnixMs, UnixMs) = (0, UnixMs::MAX);

/// Five at each moment, and their ids in no order of time.
fn event(n: u128) -> Event {
    Event {
        v: SCHEMA_VERSION,
        vin: if n.is_multiple_of(7) { fiesta() } else { golf() },
        epoch: Epoch(1),
        seq: Seq(n as u64 + 1),
        id: EventId(Uuid::from_u128(n * 7919 % 1000)),
        at: NOW + (n / 5) as i64,
        kind: EventKind::HarshBraking,
        lat: None,
        lon: None,
        values: Default::default(),
        text: None,
    }
}

fn arrival(content: Message) -> Arrival {
    Arrival { received_ts: NOW, topic: String::new(), payload: Default::default(), content: Ok(content) }
}

async fn filled() -> (Store, Home, Vec<Event>) {
    let (store, folder) = store().await;
    let events: Vec<_> = (0..100).map(event).collect();
    let arrivals: Vec<_> = events.iter().cloned().map(|event| arrival(Message::Event(event))).collect();
    store.commit(&arrivals).await.unwrap();
    let mut own: Vec<_> = events.into_iter().filter(|event| event.vin == golf()).collect();
    own.sort_by_key(|event| (event.at, event.id));
    (store, folder, own)
}

#[tokio::test]
async fn events_of_one_moment_are_not_torn_or_told_twice_by_a_page() {
    let (store, _folder, own) = filled().await;
    for limit in [1, 3, 50, 1000] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.oldest_events(golf(), ALL, after, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.at, last.id));
            found.extend(page);
        }
        assert_eq!(found, own);
    }
    let within = store.oldest_events(golf(), (NOW + 3, NOW + 4), None, 1000).await.unwrap();
    assert_eq!(within, own.iter().filter(|e| (NOW + 3..=NOW + 4).contains(&e.at)).cloned().collect::<Vec<_>>());
}

#[tokio::test]
async fn alerts_of_one_moment_are_not_torn_or_told_twice_by_a_page() {
    let (store, _folder) = store().await;
    let alert = |n: u128| Alert {
        v: SCHEMA_VERSION,
        vin: if n.is_multiple_of(7) { fiesta() } else { golf() },
        id: AlertId(Uuid::from_u128(n * 7919 % 1000)),
        rule: format!("fast {n}"),
        title: "Faster than 130 km/h".into(),
        severity: Severity::Warning,
        state: AlertState::Open,
        opened: NOW + (n / 5) as i64,
        updated: NOW + 1000,
        resolved: None,
        count: 1,
        value: Some(141.25),
        signal: None,
        limit: None,
        lat: None,
        lon: None,
        acknowledged_by: None,
        late: false,
        detail: None,
    };
    let alerts: Vec<_> = (0..60).map(alert).collect();
    store.save_alerts(&alerts).await.unwrap();
    let mut own: Vec<_> = alerts.into_iter().filter(|alert| alert.vin == golf()).collect();
    own.sort_by_key(|alert| (alert.opened, alert.id));
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.oldest_alerts(golf(), ALL, after, 4).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.opened, last.id));
        found.extend(page);
    }
    assert_eq!(found, own);
    assert!(store.oldest_alerts(golf(), (0, NOW - 1), None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn trouble_codes_come_with_the_first_and_the_last_time_that_they_were_told() {
    let (store, _folder) = store().await;
    let dtc = |code: &str, status, ecu: Option<&str>| Dtc { code: code.into(), status, ecu: ecu.map(str::to_owned) };
    let both = [dtc("P0420", DtcStatus::Stored, None), dtc("P0420", DtcStatus::Pending, Some("7E8"))];
    for (seq, at, dtcs) in
        [(1, NOW, both.to_vec()), (2, NOW + 50, vec![both[0].clone(), dtc("C0035", DtcStatus::Stored, None)])]
    {
        let told = Diagnostics {
            v: SCHEMA_VERSION,
            vin: golf(),
            epoch: Epoch(1),
            seq: Seq(seq),
            at,
            mil: None,
            dtcs,
            monitors: Vec::new(),
            freeze_frame: None,
        };
        store.commit(&[arrival(Message::Diagnostics(told))]).await.unwrap();
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.dtcs(golf(), after.as_ref(), 1).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        found.extend(page);
    }
    let found: Vec<_> =
        found.iter().map(|d| (d.code.as_str(), d.status, d.ecu.as_str(), d.first_seen, d.last_seen)).collect();
    assert_eq!(
        found,
        [
            ("C0035", DtcStatus::Stored, "", NOW + 50, NOW + 50),
            ("P0420", DtcStatus::Pending, "7E8", NOW, NOW),
            ("P0420", DtcStatus::Stored, "", NOW, NOW + 50),
        ]
    );
    assert!(store.dtcs(fiesta(), None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_code_that_is_no_longer_told_is_gone_until_it_comes_back() {
    let (store, _folder) = store().await;
    let mut seq = 0;
    let mut tell = async |at, codes: &[&str]| {
        seq += 1;
        let dtc = |code: &&str| Dtc { code: (*code).into(), status: DtcStatus::Stored, ecu: None };
        let told = Diagnostics {
            v: SCHEMA_VERSION,
            vin: golf(),
            epoch: Epoch(1),
            seq: Seq(seq),
            at,
            mil: None,
            dtcs: codes.iter().map(dtc).collect(),
            monitors: Vec::new(),
            freeze_frame: None,
        };
        store.commit(&[arrival(Message::Diagnostics(told))]).await.unwrap();
        let found = store.dtcs(golf(), None, 10).await.unwrap();
        found.into_iter().map(|dtc| (dtc.code, dtc.gone, dtc.times)).collect::<Vec<_>>()
    };
    let (p, c) = (|gone, times| ("P0420".to_owned(), gone, times), |gone, times| ("C0035".to_owned(), gone, times));
    assert_eq!(tell(NOW, &["P0420"]).await, [p(None, 1)]);
    assert_eq!(tell(NOW + 10, &["P0420", "C0035"]).await, [c(None, 1), p(None, 1)]);
    assert_eq!(tell(NOW + 20, &["C0035"]).await, [c(None, 1), p(Some(NOW + 20), 1)]);
    assert_eq!(tell(NOW + 15, &["P0420"]).await, [c(None, 1), p(Some(NOW + 20), 1)], "an older picture is no news");
    assert_eq!(tell(NOW + 30, &["P0420"]).await, [c(Some(NOW + 30), 1), p(None, 2)]);
    assert_eq!(store.diagnostics(golf()).await.unwrap().unwrap().0.at, NOW + 30);
}
