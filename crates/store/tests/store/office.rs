//! Whom the fleet serves.

use crate::fleet::NOW;
use bugbrother_store::{Client, ClientId, Contract, ContractId};
use uuid::Uuid;

const DAY: i64 = 24 * 60 * 60 * 1000;

pub fn client(n: u128, name: &str) -> Client {
    Client {
        id: ClientId(Uuid::from_u128(n)),
        name: name.to_owned(),
        contact: None,
        email: None,
        phone: None,
        note: None,
        created: NOW,
        archived: None,
    }
}

/// One that began a hundred days ago and has no end.
pub fn contract(n: u128, client: ClientId) -> Contract {
    Contract {
        id: ContractId(Uuid::from_u128(n)),
        client,
        title: format!("Contract {n}"),
        starts: NOW - 100 * DAY,
        ends: None,
        retention_days: Some(100),
        media_retention_days: Some(30),
        video: true,
        options: serde_json::Map::new(),
        note: None,
    }
}
