//! Clients, contracts, the vehicles in them and their documents, over HTTP.

use std::sync::Arc;

use anyhow::{Result, ensure};
use bugbrother_dashboard::documents::Documents;
use bugbrother_kit::port;
use bugbrother_store::AuditFilter;
use bugbrother_wire::api::{
    ClientDetail, ClientList, ClientSummary, ContractDetail, ContractDocument, ContractList, ContractState,
};
use reqwest::{Method, StatusCode, header};
use serde_json::json;

use crate::{
    office::{DAY, Desk},
    rig::{Rig, expect_refusal, now, vin},
};

const PDF: &[u8] = b"%PDF-1.7\nsigned\n%%EOF";

async fn rig() -> Result<(Rig, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    let documents = Arc::new(Documents::open(&folder.path().join("documents"))?);
    let rig = Rig::start_with(port::free()?, |config| config.documents = Some(documents)).await?;
    Ok((rig, folder))
}

#[tokio::test]
async fn a_client_is_added_found_changed_archived_and_brought_back() -> Result<()> {
    let (rig, _folder) = rig().await?;
    let desk = Desk::of_administrator(&rig).await?;
    let form = json!({ "name": " Boulangerie Müller ", "email": "m@example.org", "phone": "", "note": "two\nlines" });
    let client: ClientSummary = desk.post("/clients", form).await?;
    assert_eq!((client.form.name.as_str(), client.form.phone.as_deref()), ("Boulangerie Müller", None));
    for name in ["Alpine", "Zweirad", "Berg"] {
        desk.client(name).await?;
    }
    let found: ClientList = desk.get("/clients?q=MULL").await?;
    assert_eq!(*found.clients, *std::slice::from_ref(&client));
    let page: ClientList = desk.get("/clients?limit=3").await?;
    let next = page.next.expect("there are four");
    let rest: ClientList = desk.get(&format!("/clients?limit=3&after={next}")).await?;
    assert_eq!(rest.clients.len() + page.clients.len(), 4);
    assert_eq!((rest.clients[0].form.name.as_str(), rest.next), ("Zweirad", None));

    for (body, field) in [
        (json!({ "name": "  " }), "name"),
        (json!({ "name": "x".repeat(121) }), "name"),
        (json!({ "name": "a\u{7}b" }), "name"),
        (json!({ "name": "A", "email": "nowhere" }), "email"),
        (json!({ "name": "A", "note": "x".repeat(4_001) }), "note"),
    ] {
        desk.refused(Method::POST, "/clients", body, field).await?;
    }
    let path = format!("/clients/{}", client.id);
    let changed: ClientSummary = desk.put(&path, json!({ "name": "Müller", "contact": "Eva" })).await?;
    assert_eq!((changed.form.contact.as_deref(), changed.form.email), (Some("Eva"), None));
    let archived: ClientSummary = desk.post(&format!("{path}/archive"), json!({})).await?;
    assert!(archived.archived.is_some());
    assert_eq!(desk.get::<ClientList>("/clients?q=muller").await?.clients, []);
    assert_eq!(desk.get::<ClientList>("/clients?q=muller&archived=true").await?.clients.len(), 1);
    assert_eq!(desk.status(Method::DELETE, &format!("{path}/archive")).await?, StatusCode::OK);
    assert_eq!(desk.get::<ClientList>("/clients?q=muller").await?.clients.len(), 1);
    for path in ["/clients/none", "/clients/01926b2e-7f00-7000-8000-000000000001"] {
        assert_eq!(desk.status(Method::GET, path).await?, StatusCode::NOT_FOUND);
    }
    let audit = rig.store.audit(AuditFilter::default(), None, 100).await?;
    let deeds: Vec<_> = audit.iter().map(|entry| entry.what.as_str()).collect();
    for deed in ["client_added", "client_changed", "client_archived", "client_brought_back"] {
        ensure!(deeds.contains(&deed), "{deed} is not in {deeds:?}");
    }
    rig.stop().await
}

#[tokio::test]
async fn vehicles_come_into_a_contract_leave_it_and_stay_after_all() -> Result<()> {
    let (rig, _folder) = rig().await?;
    let desk = Desk::of_administrator(&rig).await?;
    for n in 0..3 {
        rig.store.name_vehicle(vin(n), &format!("Car {n}"), None, now()).await?;
    }
    let client = desk.client("Taxi").await?;
    let contract = desk.contract(client.id, None).await?;
    let path = format!("/contracts/{}", contract.id);
    let detail: ContractDetail = desk.post(&format!("{path}/vehicles"), json!({ "vins": [vin(0), vin(1)] })).await?;
    assert_eq!((detail.vehicles.len(), detail.contract.vehicles), (2, 2));
    // Who is in it comes into it no second time.
    let detail: ContractDetail = desk.post(&format!("{path}/vehicles"), json!({ "vins": [vin(0), vin(2)] })).await?;
    assert_eq!(detail.vehicles.len(), 3);
    desk.refused(Method::POST, &format!("{path}/vehicles"), json!({ "vins": [] }), "vins").await?;
    desk.refused(Method::POST, &format!("{path}/vehicles"), json!({ "vins": [vin(9)] }), "vins").await?;

    let sees = Desk::of_client(&rig, "eva", client.id).await?;
    assert_eq!(sees.status(Method::GET, &format!("/vehicles/{}/facts", vin(0))).await?, StatusCode::OK);
    assert_eq!(sees.status(Method::GET, &path).await?, StatusCode::FORBIDDEN);
    let stay = detail.vehicles[0].clone();
    let detail: ContractDetail = desk.post(&format!("{path}/vehicles/{}/release", vin(0)), json!({})).await?;
    assert!(detail.vehicles[0].to.is_some_and(|to| to <= now()));
    assert_eq!(sees.status(Method::GET, &format!("/vehicles/{}/facts", vin(0))).await?, StatusCode::NOT_FOUND);
    desk.refused(Method::POST, &format!("{path}/vehicles/{}/release", vin(0)), json!({}), "at").await?;
    let undone: ContractDetail =
        desk.post(&format!("{path}/vehicles/{}/stay", vin(0)), serde_json::to_value(&stay)?).await?;
    assert_eq!(undone.vehicles[0], stay);
    assert_eq!(sees.status(Method::GET, &format!("/vehicles/{}/facts", vin(0))).await?, StatusCode::OK);

    let shown: ClientDetail = desk.get(&format!("/clients/{}", client.id)).await?;
    assert_eq!((shown.contracts.len(), shown.vehicles.len(), shown.users.len()), (1, 3, 1));
    assert_eq!(shown.users[0].name, "eva");
    rig.stop().await
}

#[tokio::test]
async fn contracts_are_listed_by_what_has_become_of_them() -> Result<()> {
    let (rig, _folder) = rig().await?;
    let desk = Desk::of_administrator(&rig).await?;
    let client = desk.client("Taxi").await?.id;
    let ends = [None, Some(now() + 20 * DAY), Some(now() + 40 * DAY), Some(now() + 400 * DAY), Some(now() - DAY)];
    for end in ends {
        desk.contract(client, end).await?;
    }
    for (state, count) in [("all", 5), ("running", 4), ("ending", 2), ("ended", 1), ("coming", 0)] {
        let list: ContractList = desk.get(&format!("/contracts?state={state}")).await?;
        assert_eq!(list.contracts.len(), count, "{state}");
    }
    let first: ContractList = desk.get("/contracts?state=ending&limit=1").await?;
    assert_eq!(first.contracts[0].state, ContractState::Ending);
    let next = first.next.expect("there are two");
    let second: ContractList = desk.get(&format!("/contracts?state=ending&limit=1&after={next}")).await?;
    assert!(second.contracts[0].form.ends > first.contracts[0].form.ends && second.next.is_none());

    for (body, field) in [
        (json!({ "client": client, "title": "T", "starts": 10, "ends": 10 }), "ends"),
        (json!({ "client": client, "title": "", "starts": 10 }), "title"),
        (json!({ "client": client, "title": "T", "starts": -1 }), "starts"),
        (json!({ "client": client, "title": "T", "starts": 1, "retention_days": 0 }), "retention_days"),
        (json!({ "client": "01926b2e-7f00-7000-8000-000000000001", "title": "T", "starts": 1 }), "client"),
    ] {
        desk.refused(Method::POST, "/contracts", body, field).await?;
    }
    assert_eq!(desk.status(Method::GET, "/contracts?state=odd").await?, StatusCode::BAD_REQUEST);
    assert_eq!(desk.status(Method::GET, "/contracts?after=odd").await?, StatusCode::UNPROCESSABLE_ENTITY);
    rig.stop().await
}

#[tokio::test]
async fn a_document_is_kept_as_it_came_fetched_and_deleted() -> Result<()> {
    let (rig, folder) = rig().await?;
    let desk = Desk::of_administrator(&rig).await?;
    let contract = desk.contract(desk.client("Taxi").await?.id, None).await?.id;
    let path = format!("/contracts/{contract}/documents");
    let answer = desk.send(&format!("{path}?name=sign%C3%A9%20%22a%22.pdf"), PDF.to_vec()).await?;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let document: ContractDocument = answer.json().await?;
    assert_eq!((document.name.as_str(), document.media_type.as_str()), ("signé \"a\".pdf", "application/pdf"));
    assert_eq!((document.size, document.sha256.len()), (PDF.len() as u64, 64));

    let fetched = desk.ask(Method::GET, &format!("{path}/{}", document.id), None).await?.error_for_status()?;
    let headers = fetched.headers();
    assert_eq!(headers[header::CONTENT_TYPE], "application/pdf");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert!(headers[header::CONTENT_DISPOSITION].to_str()?.starts_with("attachment; filename="));
    assert_eq!(fetched.bytes().await?, PDF);
    // Of another contract it is not.
    let other = desk.contract(desk.client("Bus").await?.id, None).await?.id;
    assert_eq!(
        desk.status(Method::GET, &format!("/contracts/{other}/documents/{}", document.id)).await?,
        StatusCode::NOT_FOUND
    );
    let refused = desk.ask(Method::DELETE, &format!("/contracts/{contract}"), None).await?;
    expect_refusal(refused, StatusCode::CONFLICT, "has_documents").await?;
    assert_eq!(desk.status(Method::DELETE, &format!("{path}/{}", document.id)).await?, StatusCode::NO_CONTENT);
    assert_eq!(desk.status(Method::GET, &format!("{path}/{}", document.id)).await?, StatusCode::NOT_FOUND);
    assert_eq!(std::fs::read_dir(folder.path().join("documents"))?.count(), 0);
    assert_eq!(desk.status(Method::DELETE, &format!("/contracts/{contract}")).await?, StatusCode::NO_CONTENT);
    rig.stop().await
}

#[tokio::test]
async fn a_file_that_is_none_of_the_kinds_or_too_large_leaves_nothing_behind() -> Result<()> {
    let (rig, folder) = rig().await?;
    let desk = Desk::of_administrator(&rig).await?;
    let contract = desk.contract(desk.client("Taxi").await?.id, None).await?.id;
    let path = format!("/contracts/{contract}/documents");
    for (name, bytes) in
        [("a.pdf", b"\x7fELF a program".to_vec()), ("a.pdf", Vec::new()), ("a.html", b"<html>".to_vec())]
    {
        let answer = desk.send(&format!("{path}?name={name}"), bytes).await?;
        expect_refusal(answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, "document_kind").await?;
    }
    let mut large = PDF.to_vec();
    large.resize(10 * 1024 * 1024 + 1, b' ');
    let answer = desk.send(&format!("{path}?name=a.pdf"), large.clone()).await?;
    expect_refusal(answer, StatusCode::PAYLOAD_TOO_LARGE, "document_size").await?;
    large.pop();
    assert_eq!(desk.send(&format!("{path}?name=a.pdf"), large).await?.status(), StatusCode::CREATED);
    for name in ["", "..%2Fa.pdf", "a%07.pdf"] {
        let answer = desk.send(&format!("{path}?name={name}"), PDF.to_vec()).await?;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{name}");
    }
    assert_eq!(std::fs::read_dir(folder.path().join("documents"))?.count(), 1);
    rig.stop().await
}
