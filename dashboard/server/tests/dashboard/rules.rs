//! Whom rules are about, and rules of other kinds on history.

use anyhow::{Context, Result};
use bugbrother_store::{GeofenceId, GeofenceRecord};
use bugbrother_wire::{
    Epoch, EventId, Message, SCHEMA_VERSION, Seq,
    api::{RuleEntry, RuleList, TrialReport},
    message::{Diagnostics, Dtc, DtcStatus, Event, EventKind, Shape},
    rule::Scope,
    topic::Kind,
};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    doings::{Person, arrival},
    drive::{DAY, HOUR, START, two_days},
    rig::{Rig, now, vin},
};

#[tokio::test]
async fn a_client_learns_of_the_rules_about_its_vehicles_and_of_no_other_vehicle() -> Result<()> {
    let rig = Rig::start().await?;
    for n in [1, 2] {
        rig.store.name_vehicle(vin(n), "Van", None, now()).await?;
    }
    let admin = Person::admin(&rig).await?;
    let make = async |id: &str, scope: Value| {
        let rule = json!({ "title": id, "severity": "info", "enabled": true, "condition": "lamp", "scope": scope });
        admin.send::<RuleEntry>(Method::PUT, &format!("/rules/{id}"), &rule).await
    };
    make("both", json!({ "vehicles": [vin(1), vin(2)] })).await?;
    make("others", json!({ "vehicles": [vin(1)] })).await?;
    make("vans", json!({ "class": "Van" })).await?;
    make("theirs", json!({ "client": Uuid::from_u128(99) })).await?;
    let client = Person { token: rig.client_with(&[vin(2)]).await?, rig: &rig };
    let list: RuleList = client.ask("/rules").await?;
    let ids: Vec<_> = list.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["both", "fast", "silent", "vans"]);
    assert_eq!(list.rules[0].rule.scope, Scope::Vehicles(vec![vin(2)]));
    assert_eq!(admin.ask::<RuleList>("/rules").await?.rules.len(), 6);
    rig.stop().await
}

/// Rules of other kinds on the same past: two days with four drives, an event and a code.
#[tokio::test]
async fn rules_of_other_kinds_are_tried_on_history_too() -> Result<()> {
    let rig = Rig::start().await?;
    two_days(&rig.store, vin(1)).await?;
    let admin = Person::admin(&rig).await?;
    let track = rig.store.positions(vin(1), START, START + 2 * DAY, 100_000).await?;
    let begins = track.first().context("it was somewhere")?;
    let area = GeofenceRecord {
        id: GeofenceId(Uuid::from_u128(5)),
        name: "Start".into(),
        shape: Shape::Circle { centre: (begins.lat, begins.lon), radius_m: 300.0 },
        client: None,
        colour: None,
        created: now(),
        updated: now(),
    };
    rig.store.save_geofence(&area).await?;
    let try_out = async |condition: Value, scope: Value| {
        let order = json!({ "condition": condition, "scope": scope, "from": START, "to": START + 2 * DAY });
        admin.send::<TrialReport>(Method::POST, "/rules/trial", &order).await
    };
    let left = json!({ "area": { "geofences": [area.id.to_string()], "when": "leave" } });
    let gone: TrialReport = try_out(left.clone(), json!("all")).await?;
    assert!(gone.fired >= 1, "it drove away: {gone:?}");
    assert_eq!(gone.firings[0].cause.as_ref().and_then(|cause| cause.geofence.as_deref()), Some("Start"));
    let vans = try_out(left, json!({ "class": "Van" })).await?;
    assert_eq!((vans.fired, vans.vehicles), (0, 0), "it is no van");

    let night = json!({ "all": [
        { "above": { "signals": ["gspd"], "on": 5, "off": 2, "for_ms": 60_000 } },
        { "outside_hours": { "zone": "UTC", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from_min": 0, "to_min": 1440 } },
    ] });
    assert_eq!(try_out(night, json!("all")).await?.fired, 0, "it is never outside of all hours");
    let event = Event {
        v: SCHEMA_VERSION,
        vin: vin(1),
        epoch: Epoch(9),
        seq: Seq(1),
        id: EventId(Uuid::from_u128(1)),
        at: START + 9 * HOUR,
        kind: EventKind::HarshBraking,
        lat: Some(46.5),
        lon: Some(6.6),
        values: [].into(),
        text: None,
    };
    let picture = |seq: u64, at, codes: &[&str]| Diagnostics {
        v: SCHEMA_VERSION,
        vin: vin(1),
        epoch: Epoch(9),
        seq: Seq(seq),
        at,
        mil: None,
        dtcs: codes.iter().map(|code| Dtc { code: (*code).into(), status: DtcStatus::Stored, ecu: None }).collect(),
        monitors: Vec::new(),
        freeze_frame: None,
    };
    let mut arrivals = vec![arrival(Message::Event(event), Kind::Event)];
    arrivals.push(arrival(Message::Diagnostics(picture(2, START + 10 * HOUR, &["P0301"])), Kind::Diagnostics));
    arrivals.push(arrival(Message::Diagnostics(picture(3, START + 12 * HOUR, &[])), Kind::Diagnostics));
    rig.store.commit(&arrivals).await?;
    let harsh = json!({ "event": { "kinds": ["harsh_braking"], "hold_ms": 60_000 } });
    let harsh = try_out(harsh, json!("all")).await?;
    assert_eq!((harsh.fired, harsh.firings[0].opened), (1, START + 9 * HOUR));
    assert_eq!(harsh.firings[0].resolved, Some(START + 9 * HOUR + 60_000));
    let codes = json!({ "codes": { "codes": ["P03"], "at_least": "info" } });
    let codes = try_out(codes, json!("all")).await?;
    assert_eq!((codes.fired, codes.firings[0].opened), (1, START + 10 * HOUR));
    assert_eq!(codes.firings[0].resolved, Some(START + 12 * HOUR));
    rig.stop().await
}
