//! Vehicles' books over HTTP: facts, import, enrolment codes, views, maintenance.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use bugbrother_dashboard::Enrolment;
use bugbrother_kit::port;
use bugbrother_pki::{Authority, Code};
use bugbrother_wire::{
    FuelKind,
    api::{
        CredentialState, DueList, EnrolmentCode, FaultKind, ImportReport, ImportStep, MaintenanceBook, Pressing,
        RevokedKeys, Roster, VehicleFacts, View, ViewList, WorkLine,
    },
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    office::{DAY, Desk},
    rig::{Rig, now, vin},
};

#[tokio::test]
async fn a_vehicle_is_added_changed_archived_and_brought_back() -> Result<()> {
    let rig = Rig::start().await?;
    let desk = Desk::of_administrator(&rig).await?;
    let body = json!({ "vin": format!(" {} ", vin(1).as_str().to_lowercase()), "name": "Van", "fuel": "diesel", "tank_l": 80.5 });
    let facts: VehicleFacts = desk.post("/vehicles", body.clone()).await?;
    assert_eq!((facts.vin, facts.form.fuel, facts.form.tank_l), (vin(1), FuelKind::Diesel, Some(80.5)));
    desk.refused(Method::POST, "/vehicles", body, "vin").await?;
    for (body, field) in [
        (json!({ "vin": "WVWZZZ1JZ3W38675", "name": "A" }), "vin"),
        (json!({ "vin": "WVWZZZ1JZ3W38675O", "name": "A" }), "vin"),
        (json!({ "vin": vin(2), "name": "" }), "name"),
        (json!({ "vin": vin(2), "name": "A", "tank_l": -1 }), "tank_l"),
        (json!({ "vin": vin(2), "name": "A", "battery_kwh": 1e9 }), "battery_kwh"),
        (json!({ "vin": vin(2), "name": "A", "plate": "x".repeat(21) }), "plate"),
    ] {
        desk.refused(Method::POST, "/vehicles", body, field).await?;
    }
    let path = format!("/vehicles/{}", vin(1));
    let changed: VehicleFacts = desk.put(&format!("{path}/facts"), json!({ "name": "Van 1", "class": "Van" })).await?;
    assert_eq!((changed.form.class.as_deref(), changed.form.fuel), (Some("Van"), FuelKind::Unknown));
    let gone: VehicleFacts = desk.post(&format!("{path}/archive"), json!({})).await?;
    assert!(gone.archived.is_some());
    // Facts are changed, and it stays archived.
    let changed: VehicleFacts = desk.put(&format!("{path}/facts"), json!({ "name": "Van 2" })).await?;
    assert_eq!(changed.archived, gone.archived);
    let roster: Roster = desk.get("/roster").await?;
    assert!(roster.vehicles[0].archived);
    assert_eq!(desk.status(Method::DELETE, &format!("{path}/archive")).await?, StatusCode::OK);
    assert!(!desk.get::<Roster>("/roster").await?.vehicles[0].archived);
    rig.stop().await
}

#[tokio::test]
async fn a_client_finds_its_own_vehicles_in_the_roster_and_no_other_client() -> Result<()> {
    let rig = Rig::start().await?;
    let desk = Desk::of_administrator(&rig).await?;
    let (taxi, bus) = (desk.client("Taxi").await?, desk.client("Bus").await?);
    for (n, client) in [(1, taxi.id), (2, bus.id)] {
        rig.store.name_vehicle(vin(n), &format!("Car {n}"), None, now()).await?;
        let contract = desk.contract(client, None).await?;
        let path = format!("/contracts/{}/vehicles", contract.id);
        desk.post::<serde_json::Value>(&path, json!({ "vins": [vin(n)] })).await?;
    }
    let all: Roster = desk.get("/roster").await?;
    assert_eq!((all.vehicles.len(), all.clients.len()), (2, 2));
    let page: Roster = desk.get("/roster?limit=1").await?;
    assert_eq!(page.next, Some(vin(1)));
    let eva = Desk::of_client(&rig, "eva", taxi.id).await?;
    let own: Roster = eva.get("/roster").await?;
    assert_eq!(own.vehicles.iter().map(|line| line.vin).collect::<Vec<_>>(), [vin(1)]);
    assert_eq!(own.clients.iter().map(|client| client.name.as_str()).collect::<Vec<_>>(), ["Taxi"]);
    rig.stop().await
}

#[tokio::test]
async fn an_import_is_tried_first_and_then_done_once() -> Result<()> {
    let rig = Rig::start().await?;
    let desk = Desk::of_administrator(&rig).await?;
    rig.store.name_vehicle(vin(1), "Known", None, now()).await?;
    rig.store.name_vehicle(vin(2), "Same", Some("VD 2"), now()).await?;
    let file = format!(
        "vin;nom;plaque;carburant;couleur\r\n{};New name;VD 1;gazole;rot\r\n{};Same;VD 2;;\r\n{};Neu;;essence;\r\nWVW123;x;;;\r\n",
        vin(1),
        vin(2),
        vin(3)
    );
    let tried: ImportReport = desk.send("/vehicles/import?dry_run=true", file.clone().into()).await?.json().await?;
    assert_eq!((tried.added, tried.changed, tried.same, tried.wrong), (1, 1, 1, 1));
    assert_eq!(tried.unknown_columns, ["couleur"]);
    let steps: Vec<_> = tried.lines.iter().map(|line| (line.line, line.step)).collect();
    assert_eq!(steps, [(2, ImportStep::Change), (3, ImportStep::Same), (4, ImportStep::Add), (5, ImportStep::Wrong)]);
    assert_eq!(tried.lines[3].faults[0].fault, FaultKind::VinLength);
    assert_eq!(rig.store.vehicle(vin(3)).await?, None, "it was only tried");

    let done: ImportReport = desk.send("/vehicles/import", file.clone().into()).await?.json().await?;
    assert_eq!((done.added, done.changed, done.dry_run), (1, 1, false));
    let known: VehicleFacts = desk.get(&format!("/vehicles/{}/facts", vin(1))).await?;
    assert_eq!((known.form.name.as_str(), known.form.fuel), ("New name", FuelKind::Diesel));
    let again: ImportReport = desk.send("/vehicles/import", file.into()).await?.json().await?;
    assert_eq!((again.added, again.changed, again.same), (0, 0, 3));

    for (bytes, status) in [
        (Vec::new(), StatusCode::UNPROCESSABLE_ENTITY),
        (b"name\nx\n".to_vec(), StatusCode::UNPROCESSABLE_ENTITY),
        (vec![b'x'; 4 * 1024 * 1024 + 1], StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(desk.send("/vehicles/import", bytes).await?.status(), status);
    }
    rig.stop().await
}

#[tokio::test]
async fn ten_thousand_vehicles_are_imported_and_one_more_is_refused() -> Result<()> {
    let rig = Rig::start().await?;
    let desk = Desk::of_administrator(&rig).await?;
    let file = |count: usize| {
        let lines: String = (0..count).map(|n| format!("{},Car {n}\n", vin(n))).collect();
        format!("\u{feff}vin,name\n{lines}").into_bytes()
    };
    assert_eq!(desk.send("/vehicles/import", file(10_001)).await?.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let report: ImportReport = desk.send("/vehicles/import", file(10_000)).await?.json().await?;
    assert_eq!((report.added, report.wrong), (10_000, 0));
    let roster: Roster = desk.get(&format!("/roster?limit=5000&after={}", vin(4_999))).await?;
    assert_eq!((roster.vehicles.len(), roster.next), (5_000, None));
    rig.stop().await
}

#[tokio::test]
async fn a_code_from_the_web_is_one_that_enrols_and_revoking_takes_it_back() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let authority = Arc::new(Authority::open_or_create(&dir.path().join("ca"), std::time::SystemTime::now())?);
    let revoked = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&revoked);
    let rig = Rig::start_with(port::free()?, |config| {
        config.enrolment = Some(Enrolment { authority, broker: None });
        config.revoke = Some(Arc::new(move |vin| {
            told.lock().expect("nobody broke down").push(vin);
            Box::pin(async { Ok(RevokedKeys { certificates: 2, password: true }) })
        }));
    })
    .await?;
    let desk = Desk::of_administrator(&rig).await?;
    rig.store.name_vehicle(vin(1), "Van", None, now()).await?;
    let path = format!("/vehicles/{}", vin(1));
    let code: EnrolmentCode = desk.post(&format!("{path}/enrolment"), json!({})).await?;
    let words: Vec<&str> = code.command.split(' ').collect();
    assert_eq!(words[..2], ["bugbrother-agent", "enroll"]);
    assert_eq!(words[2..], [rig.url("").as_str(), code.code.as_str()]);
    ensure!(code.qr.size > 29 && code.qr.path.starts_with('M'), "{:?}", code.qr);
    let hash = code.code.parse::<Code>().ok().context("it is a code")?.sha256();
    assert_eq!(rig.store.enrolment(&hash, now()).await?.context("it is known")?.vin, vin(1));
    let state: CredentialState = desk.get(&format!("{path}/credential")).await?;
    assert_eq!((state.code_expires, state.can_change, state.serial), (Some(code.expires), true, None));
    // A second one makes the first one worthless.
    desk.post::<EnrolmentCode>(&format!("{path}/enrolment"), json!({})).await?;
    assert_eq!(rig.store.enrolment(&hash, now()).await?, None);

    let lost: RevokedKeys = desk.post(&format!("{path}/revoke"), json!({})).await?;
    assert_eq!((lost.certificates, lost.password), (2, true));
    assert_eq!(*revoked.lock().expect("nobody broke down"), [vin(1)]);
    for what in ["enrolment", "revoke"] {
        let path = format!("/vehicles/{}/{what}", vin(9));
        assert_eq!(desk.status(Method::POST, &path).await?, StatusCode::NOT_FOUND, "of nobody's vehicle");
    }
    rig.stop().await
}

#[tokio::test]
async fn a_view_is_its_owners_alone() -> Result<()> {
    let rig = Rig::start().await?;
    let desk = Desk::of_administrator(&rig).await?;
    let view: View = desk.post("/views/vehicles", json!({ "name": "Vans", "query": "class=Van" })).await?;
    let eva = Desk::of_client(&rig, "eva", desk.client("Taxi").await?.id).await?;
    assert_eq!(eva.get::<ViewList>("/views/vehicles").await?.views, []);
    assert_eq!(eva.status(Method::DELETE, &format!("/views/vehicles/{}", view.id)).await?, StatusCode::NOT_FOUND);
    let changed: View =
        desk.put(&format!("/views/vehicles/{}", view.id), json!({ "name": "Big vans", "query": "" })).await?;
    assert_eq!(desk.get::<ViewList>("/views/vehicles").await?.views, [changed]);
    desk.refused(Method::POST, "/views/vehicles", json!({ "name": "", "query": "" }), "name").await?;
    desk.refused(Method::POST, "/views/vehicles", json!({ "name": "A", "query": "?a=b" }), "query").await?;
    assert_eq!(desk.status(Method::GET, "/views/nowhere").await?, StatusCode::NOT_FOUND);
    assert_eq!(desk.status(Method::DELETE, &format!("/views/vehicles/{}", view.id)).await?, StatusCode::NO_CONTENT);
    rig.stop().await
}

#[tokio::test]
async fn the_maintenance_book_says_what_is_due_and_counts_anew_when_it_is_done() -> Result<()> {
    let rig = Rig::start().await?;
    let desk = Desk::of_administrator(&rig).await?;
    rig.store.name_vehicle(vin(1), "Van", None, now()).await?;
    let path = format!("/vehicles/{}", vin(1));
    let late = json!({ "title": "Oil", "every_months": 6, "since": now() - 300 * DAY });
    let book: MaintenanceBook = desk.post(&format!("{path}/maintenance"), late).await?;
    assert_eq!(book.items[0].state, Pressing::Overdue);
    let later = json!({ "title": "Inspection", "due": now() + 200 * DAY });
    let book: MaintenanceBook = desk.post(&format!("{path}/maintenance"), later).await?;
    let states: Vec<_> = book.items.iter().map(|line| (line.form.title.as_str(), line.state)).collect();
    assert_eq!(states, [("Oil", Pressing::Overdue), ("Inspection", Pressing::Later)]);
    let due: DueList = desk.get("/maintenance").await?;
    assert_eq!((due.count, due.due[0].vehicle.as_str(), due.due[0].vin), (1, "Van", vin(1)));
    for (body, field) in [
        (json!({ "title": "Oil" }), "every_km"),
        (json!({ "title": "", "every_km": 1 }), "title"),
        (json!({ "title": "Oil", "every_km": 0 }), "every_km"),
        (json!({ "title": "Oil", "every_km": 1, "since": now() + 10 * DAY }), "since"),
    ] {
        desk.refused(Method::POST, &format!("{path}/maintenance"), body, field).await?;
    }

    let oil = book.items[0].id;
    let body = json!({ "item": oil, "odometer_km": 120_000, "cost": 189.5, "workshop": "Garage" });
    let work: WorkLine = desk.post(&format!("{path}/works"), body).await?;
    assert_eq!((work.title.as_str(), work.by.as_str(), work.item), ("Oil", "admin", Some(oil)));
    assert_eq!(desk.get::<DueList>("/maintenance").await?.count, 0);
    let book: MaintenanceBook = desk.get(&format!("{path}/maintenance")).await?;
    assert_eq!((book.works.len(), book.items.len()), (1, 2));
    desk.refused(Method::POST, &format!("{path}/works"), json!({ "title": "" }), "title").await?;
    desk.refused(Method::POST, &format!("{path}/works"), json!({ "title": "A", "cost": -1 }), "cost").await?;
    // Taken out and brought back.
    let gone: MaintenanceBook =
        desk.ask(Method::DELETE, &format!("{path}/maintenance/{oil}"), None).await?.error_for_status()?.json().await?;
    assert_eq!(gone.items.len(), 1);
    let back: MaintenanceBook = desk.post(&format!("{path}/maintenance/{oil}/again"), json!({})).await?;
    assert_eq!(back.items.len(), 2);
    // Another vehicle has none of it.
    rig.store.name_vehicle(vin(2), "Other", None, now()).await?;
    let other = format!("/vehicles/{}/maintenance/{oil}", vin(2));
    assert_eq!(desk.status(Method::DELETE, &other).await?, StatusCode::NOT_FOUND);
    rig.stop().await
}
