//! The books of the demo's fleet: whom it serves, on what terms, what is to be done to its cars, and who looks.

use anyhow::{Context, Result};
use bugbrother_dashboard::{NewPassword, documents::Documents};
use bugbrother_simulator::Profile;
use bugbrother_store::{
    Assignment, Client, ClientId, Contract, ContractId, Document, DocumentId, FuelKind, GeofenceId, GeofenceRecord,
    Interval, MaintenanceId, MaintenanceItem, Prices, Store, VehicleFacts, Work, WorkId,
};
use bugbrother_wire::{
    UnixMs,
    api::Role,
    message::{ReplyState, Shape},
};
use bytes::Bytes;
use serde_json::{Map, json};
use uuid::Uuid;

use super::{past, rules};
use crate::data::DataDir;

const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;
const NOTE: &str = "Simulated, by `bugbrother demo`.";
const OPERATOR: &str = "olivia";
const CLIENT_USER: &str = "marc";

/// Somebody who may sign in beside the administrator.
pub struct Visitor {
    /// What the banner calls the account.
    pub label: &'static str,
    /// User name.
    pub name: &'static str,
    /// Shown this once.
    pub password: NewPassword,
}

/// Fills an empty data folder, once.
pub async fn fill(data: &DataDir, store: &Store, fleet: &[Profile], now: UnixMs) -> Result<Vec<Visitor>> {
    // First: trips are made with what they cost.
    let prices = Prices {
        currency: "CHF".to_owned(),
        fuel_per_l: [(FuelKind::Diesel, 1.89), (FuelKind::Petrol, 1.79)].into(),
        electricity_per_kwh: Some(0.29),
    };
    store.save_setting(&prices, Some("demo"), now).await?;
    for profile in fleet {
        store.name_vehicle(profile.vin, profile.name, Some(profile.plate), now).await?;
        store.set_vehicle_facts(profile.vin, &facts(profile), now).await?;
    }
    past::fill(store, fleet, now).await?;
    let clients = serve(data, store, fleet, now).await?;
    let [depot, town] = geofences(store, clients[0], now).await?;
    rules::make(store, depot, town, clients[0]).await?;
    maintain(store, fleet, now).await?;
    let mut visitors = Vec::new();
    for (label, name, shown, role, client) in [
        ("Operator", OPERATOR, "Olivia Rochat", Role::Operator, None),
        ("Client", CLIENT_USER, "Marc Favre", Role::Client, Some(clients[0])),
    ] {
        if let Some(password) = bugbrother_dashboard::add_user(store, name, shown, role, client).await? {
            visitors.push(Visitor { label, name, password });
        }
    }
    for (n, (name, outcome)) in
        [("take_photo", ReplyState::Done), ("read_codes", ReplyState::Done), ("clear_codes", ReplyState::Failed)]
            .into_iter()
            .enumerate()
    {
        let vin = fleet[(n * 4) % fleet.len()].vin;
        past::command(store, vin, name, OPERATOR, now - (n as i64 + 2) * DAY, outcome).await?;
    }
    for alert in store.alerts(None, 3).await? {
        let text = "Spoke with the driver.";
        store
            .append_alert_event(
                alert.id,
                alert.updated + HOUR,
                bugbrother_store::AlertEventKind::Commented,
                Some(OPERATOR),
                Some(text),
            )
            .await?;
    }
    Ok(visitors)
}

fn facts(profile: &Profile) -> VehicleFacts {
    let is_van = profile.model.contains("Master") || profile.model.contains("Transit");
    let burns_diesel = is_van || profile.model.ends_with(" d");
    VehicleFacts {
        fuel: if burns_diesel { FuelKind::Diesel } else { FuelKind::Petrol },
        tank_l: Some(profile.drivetrain.tank_l),
        battery_kwh: None,
        class: Some(if is_van { "Van" } else { "Car" }.to_owned()),
        note: Some(format!("{}, {}. {NOTE}", profile.model, profile.year)),
        archived: None,
    }
}

/// Clients with their contracts: one ends in three weeks and has a document, one is over.
async fn serve(data: &DataDir, store: &Store, fleet: &[Profile], now: UnixMs) -> Result<Vec<ClientId>> {
    let begins = |days: i64| (now - days * DAY).div_euclid(DAY) * DAY;
    let clients = [
        ("Boulangerie du Lac", "Anne Rochat", "commandes@boulangerie.example", "+41 21 555 01 20"),
        ("Spitex Lavaux", "Jean-Luc Favre", "tour@spitex.example", "+41 21 555 01 31"),
        ("Alpine Couriers", "Nora Zufferey", "dispatch@couriers.example", "+41 27 555 01 42"),
    ];
    let mut ids = Vec::new();
    for (name, contact, email, phone) in clients {
        let client = Client {
            id: ClientId(Uuid::now_v7()),
            name: name.to_owned(),
            contact: Some(contact.to_owned()),
            email: Some(email.to_owned()),
            phone: Some(phone.to_owned()),
            note: Some(NOTE.to_owned()),
            created: now - 400 * DAY,
            archived: None,
        };
        store.add_client(&client).await?;
        ids.push(client.id);
    }
    let contract = |client: usize, title: &str, from: i64, to: Option<i64>, video: bool| Contract {
        id: ContractId(Uuid::now_v7()),
        client: ids[client],
        title: title.to_owned(),
        starts: begins(from),
        ends: to.map(|days| begins(-days)),
        retention_days: Some(400),
        media_retention_days: video.then_some(90),
        video,
        options: Map::from_iter([("Reports".to_owned(), json!("monthly")), ("Alerts".to_owned(), json!("by e-mail"))]),
        note: Some(NOTE.to_owned()),
    };
    let contracts = [
        (contract(0, "Delivery tour", 344, Some(21), true), vec![0, 6]),
        (contract(1, "Home care", 200, Some(165), false), vec![4, 5]),
        (contract(2, "Express line", 120, None, true), vec![1, 2, 7]),
        (contract(2, "Winter reserve", 330, Some(-150), false), vec![3]),
    ];
    for (contract, cars) in &contracts {
        store.add_contract(contract).await?;
        for car in cars {
            let vin = fleet.get(*car).map(|profile| profile.vin).context("the demo has eight cars")?;
            let assignment = Assignment {
                contract: contract.id,
                vin,
                from: contract.starts,
                to: contract.ends.filter(|end| *end < now),
            };
            store.assign_vehicle(&assignment, now).await?;
        }
    }
    sign(data, store, &contracts[0].0, now).await?;
    Ok(ids)
}

/// A document like any that people upload.
async fn sign(data: &DataDir, store: &Store, contract: &Contract, now: UnixMs) -> Result<()> {
    let files = Documents::open(&data.documents())?;
    let id = DocumentId(Uuid::now_v7());
    let mut draft = files.begin()?;
    draft.write(&Bytes::from(bugbrother_dashboard::page_of_text(&[
        "Delivery tour",
        "Contract between the fleet and Boulangerie du Lac",
        "Two vehicles, with video; data is kept for 400 days.",
        NOTE,
    ])))?;
    let written = files.keep(draft, &id.to_string()).await?;
    let document = Document {
        id,
        contract: contract.id,
        name: "Delivery tour, signed.pdf".to_owned(),
        media_type: written.kind.media_type().to_owned(),
        size: written.size,
        sha256: written.sha256,
        object_key: id.to_string(),
        created: now - 340 * DAY,
    };
    store.add_document(&document).await?;
    Ok(())
}

async fn geofences(store: &Store, client: ClientId, now: UnixMs) -> Result<[GeofenceId; 2]> {
    let fence = |name: &str, shape, client, colour: &str| GeofenceRecord {
        id: GeofenceId(Uuid::now_v7()),
        name: name.to_owned(),
        shape,
        client,
        colour: Some(colour.to_owned()),
        created: now,
        updated: now,
    };
    let fences = [
        fence("Lausanne depot", Shape::Circle { centre: (46.5225, 6.6150), radius_m: 900.0 }, None, "#60a5fa"),
        fence(
            "Geneva town",
            Shape::Polygon(vec![(46.2300, 6.1000), (46.2300, 6.1700), (46.1850, 6.1800), (46.1800, 6.1050)]),
            Some(client),
            "#fbbf24",
        ),
    ];
    for geofence in &fences {
        store.save_geofence(geofence).await?;
    }
    Ok(fences.map(|geofence| geofence.id))
}

/// Oil and tyres for all; some of it is late.
async fn maintain(store: &Store, fleet: &[Profile], now: UnixMs) -> Result<()> {
    for (n, profile) in fleet.iter().enumerate() {
        let since = now - (150 + 25 * n as i64) * DAY;
        // Between nearly new and past it.
        let driven_km = 4_000.0 + 2_000.0 * n as f64;
        let item = |title: &str, interval, since, since_km| MaintenanceItem {
            id: MaintenanceId(Uuid::now_v7()),
            vin: profile.vin,
            title: title.to_owned(),
            interval,
            since,
            since_km,
            note: None,
            created: now - 300 * DAY,
            archived: None,
        };
        let oil = item(
            "Oil and filters",
            Interval { km: Some(15_000), months: Some(12), ..Interval::default() },
            since,
            Some(profile.odometer_km - driven_km),
        );
        let inspection = item(
            "Official inspection",
            Interval { at: Some(now + (20 + 60 * n as i64) * DAY), ..Interval::default() },
            now - 300 * DAY,
            None,
        );
        let brakes = item("Brakes", Interval { hours: Some(600), ..Interval::default() }, now - 200 * DAY, None);
        for item in [&oil, &inspection, &brakes] {
            store.add_maintenance_item(item).await?;
        }
        let work = Work {
            id: WorkId(Uuid::now_v7()),
            vin: profile.vin,
            item: Some(oil.id),
            title: oil.title.clone(),
            done: since,
            odometer_km: oil.since_km,
            cost: Some(189.0 + 12.5 * n as f64),
            workshop: Some("Garage du Lac".to_owned()),
            note: None,
            created: since,
            by: OPERATOR.to_owned(),
        };
        store.add_work(&work).await?;
    }
    Ok(())
}
