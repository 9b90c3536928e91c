//! Vehicles as the office sees them: what people know of them, whose they are, and many made at once.

use bugbrother_wire::{UnixMs, Vin};
use sqlx::{Row, any::AnyRow};

use crate::{Store, StoreError, VehicleFacts, bulk::Bulk, id, id::ClientId, latest::Latest, number::Real, page, word};

/// A vehicle as the office sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct RosterEntry {
    /// The vehicle.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// Registration plate, where it is known.
    pub plate: Option<String>,
    /// What people know of it.
    pub facts: VehicleFacts,
    /// In whose contract it is; of several, in whose it came last.
    pub client: Option<ClientId>,
}

/// A vehicle as it is to be in the books.
#[derive(Debug, Clone, PartialEq)]
pub struct Enlisted {
    /// The vehicle.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// Registration plate, where it is known.
    pub plate: Option<String>,
    /// What people know of it.
    pub facts: VehicleFacts,
}

/// $1: when; $2: after which VIN; $3: how many.
macro_rules! roster {
    ($filter:literal) => {
        concat!(
            "SELECT vin, name, plate, fuel_kind, tank_l, battery_kwh, class, note, archived_ts, \
             (SELECT contract.client FROM contract_vehicle JOIN contract ON contract.id = contract_vehicle.contract \
             JOIN client ON client.id = contract.client WHERE contract_vehicle.vin = vehicle.vin \
             AND client.archived_ts IS NULL AND from_ts <= $1 AND (to_ts IS NULL OR to_ts > $1) AND starts_ts <= $1 \
             AND (ends_ts IS NULL OR ends_ts > $1) ORDER BY contract_vehicle.from_ts DESC, contract_vehicle.contract DESC \
             LIMIT 1) FROM vehicle WHERE ",
            $filter,
            " vin > $2 ORDER BY vin LIMIT $3"
        )
    };
}

static VEHICLES: Bulk = Bulk::new(
    "INSERT INTO vehicle (vin, name, plate, created_ts, fuel_kind, tank_l, battery_kwh, class, note, archived_ts) VALUES ",
    10,
    " ON CONFLICT (vin) DO UPDATE SET name = excluded.name, plate = excluded.plate, fuel_kind = excluded.fuel_kind, \
     tank_l = excluded.tank_l, battery_kwh = excluded.battery_kwh, class = excluded.class, note = excluded.note, \
     archived_ts = excluded.archived_ts",
);
static LAST_STATES: Bulk = Bulk::new(
    "INSERT INTO last_state (vin, presence, presence_epoch, presence_since, source_ts, received_ts, signals) VALUES ",
    7,
    " ON CONFLICT (vin) DO NOTHING",
);

impl Store {
    /// Vehicles as the office sees them at a moment, in the order of their VINs, those after `after`; those alone that a
    /// client sees, if one is given.
    pub async fn roster(
        &self,
        client: Option<ClientId>,
        at: UnixMs,
        after: Option<Vin>,
        limit: u32,
    ) -> Result<Vec<RosterEntry>, StoreError> {
        let after = after.as_ref().map_or("", Vin::as_str).to_owned();
        let query = match client {
            None => sqlx::query(roster!("")).bind(at).bind(after).bind(page(limit)),
            Some(client) => sqlx::query(roster!(
                "EXISTS (SELECT 1 FROM contract_vehicle AS stay JOIN contract AS terms ON terms.id = stay.contract \
                 JOIN client AS whose ON whose.id = terms.client WHERE stay.vin = vehicle.vin AND terms.client = $4 \
                 AND whose.archived_ts IS NULL AND stay.from_ts <= $1 AND (stay.to_ts IS NULL OR stay.to_ts > $1) \
                 AND terms.starts_ts <= $1 AND (terms.ends_ts IS NULL OR terms.ends_ts > $1)) AND"
            ))
            .bind(at)
            .bind(after)
            .bind(page(limit))
            .bind(client.to_string()),
        };
        query.fetch_all(&self.read).await?.iter().map(read).collect()
    }

    /// One vehicle as the office sees it.
    pub async fn roster_entry(&self, vin: Vin, at: UnixMs) -> Result<Option<RosterEntry>, StoreError> {
        let row = sqlx::query(roster!("vin = $4 AND"))
            .bind(at)
            .bind("")
            .bind(1_i64)
            .bind(vin.as_str())
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Writes vehicles as they are to be in the books, all or none; those that are not known yet are made. No VIN may be
    /// there twice.
    pub async fn enlist(&self, vehicles: &[Enlisted], now: UnixMs) -> Result<(), StoreError> {
        for vehicle in vehicles {
            for (name, size) in [("tank_l", vehicle.facts.tank_l), ("battery_kwh", vehicle.facts.battery_kwh)] {
                if size.is_some_and(|size| !size.is_finite() || size <= 0.0) {
                    return Err(StoreError::refused("vehicle", format!("`{name}` is no positive number")));
                }
            }
        }
        let mut tx = self.begin().await?;
        VEHICLES
            .run(&mut tx, vehicles, |query, vehicle| {
                query
                    .bind(vehicle.vin.as_str())
                    .bind(&vehicle.name)
                    .bind(vehicle.plate.as_deref())
                    .bind(now)
                    .bind(word::of(&vehicle.facts.fuel))
                    .bind(Real(vehicle.facts.tank_l))
                    .bind(Real(vehicle.facts.battery_kwh))
                    .bind(vehicle.facts.class.as_deref())
                    .bind(vehicle.facts.note.as_deref())
                    .bind(vehicle.facts.archived)
            })
            .await?;
        let unheard = Latest::default();
        LAST_STATES
            .run(&mut tx, vehicles, |query, vehicle| {
                query
                    .bind(vehicle.vin.as_str())
                    .bind(word::of(&unheard.presence))
                    .bind(unheard.presence_epoch.0.cast_signed())
                    .bind(unheard.presence_since)
                    .bind(unheard.source_ts)
                    .bind(unheard.received_ts)
                    .bind(word::json(&unheard.signals))
            })
            .await?;
        Ok(tx.commit().await?)
    }
}

fn read(row: &AnyRow) -> Result<RosterEntry, StoreError> {
    Ok(RosterEntry {
        vin: id::parse("vehicle", row.try_get(0)?)?,
        name: row.try_get(1)?,
        plate: row.try_get(2)?,
        facts: VehicleFacts {
            fuel: word::read("vehicle", row.try_get(3)?)?,
            tank_l: row.try_get(4)?,
            battery_kwh: row.try_get(5)?,
            class: row.try_get(6)?,
            note: row.try_get(7)?,
            archived: row.try_get(8)?,
        },
        client: id::parse_some("contract", row.try_get(9)?)?,
    })
}
