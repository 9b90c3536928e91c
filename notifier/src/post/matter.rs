//! What a message is about, gathered from the database: all that somebody needs to act.

use std::collections::{HashMap, hash_map::Entry};

use bugbrother_store::{Claim, ClientId, Store, StoreError};
use bugbrother_trip::gazetteer;
use bugbrother_wire::{
    UnixMs, Vin,
    api::DeliveryStep,
    message::{Alert, MediaKind, MediaState},
};
use serde::Serialize;

/// Trouble codes that a message tells at most.
const MOST_CODES: usize = 5;
/// A film is of an alert if it was taken so long before or after its beginning.
const FILM_MS: i64 = 60_000;

/// An alert, with what is around it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Matter {
    /// What is told of it.
    pub step: DeliveryStep,
    /// As it stands.
    pub alert: Alert,
    /// The vehicle.
    pub vehicle: Vehicle,
    /// Whom to ask for at the client, where the vehicle is in a contract.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// What people call the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The trouble codes that it is about, or else those that the vehicle tells now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// Whether there is a film of it.
    pub film: bool,
}

/// A vehicle as people know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vehicle {
    /// Its VIN.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// Registration plate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plate: Option<String>,
}

/// Whom to ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// The client.
    pub client: String,
    /// A person there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Where to write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// What the deliveries of a message are about. An alert that was deleted meanwhile is left out. `reader`: the client for
/// which somebody reads it, who is told of no other client, and of no vehicle that it does not have any more.
pub async fn gather(
    store: &Store,
    claim: &Claim,
    reader: Option<ClientId>,
    now: UnixMs,
) -> Result<Vec<Matter>, StoreError> {
    let mut known: HashMap<Vin, Option<(Vehicle, Option<Contact>)>> = HashMap::new();
    // A message of many says of each no more than what it is.
    let is_single = claim.deliveries.len() == 1;
    let mut matters = Vec::with_capacity(claim.deliveries.len());
    for delivery in &claim.deliveries {
        let Some(id) = delivery.alert else { continue };
        let Some(record) = store.alert(id).await? else { continue };
        let alert = record.alert;
        let vin = alert.vin;
        let found = match known.entry(vin) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(place) => place.insert(vehicle(store, vin, reader, now).await?).clone(),
        };
        let Some((vehicle, contact)) = found else { continue };
        let mut matter = Matter {
            step: delivery.step,
            place: place(&alert),
            alert,
            vehicle,
            contact,
            codes: Vec::new(),
            film: false,
        };
        if is_single {
            let own = matter.alert.detail.as_ref().map(|cause| cause.codes.clone()).filter(|codes| !codes.is_empty());
            matter.codes = match own {
                Some(codes) => codes.into_iter().take(MOST_CODES).collect(),
                None => codes(store, vin).await?,
            };
            matter.film = has_film(store, &matter.alert).await?;
        }
        matters.push(matter);
    }
    Ok(matters)
}

async fn vehicle(
    store: &Store,
    vin: Vin,
    reader: Option<ClientId>,
    now: UnixMs,
) -> Result<Option<(Vehicle, Option<Contact>)>, StoreError> {
    if let Some(reader) = reader
        && !store.client_sees(reader, vin, now).await?
    {
        return Ok(None);
    }
    let entry = store.roster_entry(vin, now).await?;
    let client = match reader.or(entry.as_ref().and_then(|entry| entry.client)) {
        Some(client) => store.client(client).await?,
        None => None,
    };
    let contact = client.map(|client| Contact {
        client: client.name,
        name: client.contact,
        phone: client.phone,
        email: client.email,
    });
    let vehicle = match entry {
        Some(entry) => Vehicle { vin, name: entry.name, plate: entry.plate },
        None => Vehicle { vin, name: vin.to_string(), plate: None },
    };
    Ok(Some((vehicle, contact)))
}

fn place(alert: &Alert) -> Option<String> {
    let (lat, lon) = alert.lat.zip(alert.lon)?;
    gazetteer::place(lat, lon).map(|town| format!("{}, {}", town.name, town.country))
}

async fn codes(store: &Store, vin: Vin) -> Result<Vec<String>, StoreError> {
    let told = store.dtcs(vin, None, 200).await?;
    let mut codes: Vec<_> = told.into_iter().filter(|dtc| dtc.gone.is_none()).map(|dtc| dtc.code).collect();
    codes.dedup();
    codes.truncate(MOST_CODES);
    Ok(codes)
}

async fn has_film(store: &Store, alert: &Alert) -> Result<bool, StoreError> {
    let media = store.media(alert.vin, alert.opened - FILM_MS, alert.opened + FILM_MS, 20).await?;
    let is_film = |state| matches!(state, MediaState::Ready | MediaState::Uploaded | MediaState::Recording);
    Ok(media.iter().any(|media| media.kind == MediaKind::Clip && is_film(media.state)))
}
