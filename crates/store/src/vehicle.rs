//! Vehicles and their last known state.

use bugbrother_wire::{Epoch, UnixMs, Vin, wmi};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{Store, StoreError, bulk::Bulk, latest::Latest, memory::Held, page, word};

/// $1: when; $2: after which VIN; $3: how many.
const SERVED_CLIENTS: &str = "SELECT vin, (SELECT client.name FROM contract_vehicle \
    JOIN contract ON contract.id = contract_vehicle.contract JOIN client ON client.id = contract.client \
    WHERE contract_vehicle.vin = vehicle.vin AND client.archived_ts IS NULL AND from_ts <= $1 \
    AND (to_ts IS NULL OR to_ts > $1) AND starts_ts <= $1 AND (ends_ts IS NULL OR ends_ts > $1) \
    ORDER BY contract_vehicle.from_ts DESC, contract_vehicle.contract DESC LIMIT 1) AS client \
    FROM vehicle WHERE vin > $2 ORDER BY vin LIMIT $3";

/// A vehicle as it was last known.
#[derive(Debug, Clone, PartialEq)]
pub struct VehicleState {
    /// The vehicle.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// Registration plate, where it is known.
    pub plate: Option<String>,
    /// Its presence and its signals.
    pub latest: Latest,
}

impl Store {
    /// Vehicles in the order of their VINs, those after `after`.
    pub async fn vehicles(&self, after: Option<Vin>, limit: u32) -> Result<Vec<VehicleState>, StoreError> {
        let rows = sqlx::query(
            "SELECT vehicle.vin, name, plate, presence, presence_epoch, presence_since, source_ts, received_ts, signals \
             FROM vehicle JOIN last_state ON last_state.vin = vehicle.vin \
             WHERE vehicle.vin > $1 ORDER BY vehicle.vin LIMIT $2",
        )
        .bind(after.as_ref().map_or("", Vin::as_str))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// One vehicle.
    pub async fn vehicle(&self, vin: Vin) -> Result<Option<VehicleState>, StoreError> {
        let row = sqlx::query(
            "SELECT vehicle.vin, name, plate, presence, presence_epoch, presence_since, source_ts, received_ts, signals \
             FROM vehicle JOIN last_state ON last_state.vin = vehicle.vin WHERE vehicle.vin = $1",
        )
        .bind(vin.as_str())
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// Vehicles in the order of their VINs, those after `after`, each with the name of the client whom it serves at `now`:
    /// of several, the one that has it since the latest.
    pub async fn served_clients(
        &self,
        after: Option<Vin>,
        limit: u32,
        now: UnixMs,
    ) -> Result<Vec<(Vin, Option<String>)>, StoreError> {
        let rows = sqlx::query(SERVED_CLIENTS)
            .bind(now)
            .bind(after.as_ref().map_or("", Vin::as_str))
            .bind(page(limit))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| Ok((read_vin(row)?, row.try_get("client")?))).collect()
    }

    /// Names a vehicle. One that is not known yet is made.
    pub async fn name_vehicle(&self, vin: Vin, name: &str, plate: Option<&str>, now: UnixMs) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        make(&mut tx, vin, now).await?;
        sqlx::query("UPDATE vehicle SET name = $2, plate = $3 WHERE vin = $1")
            .bind(vin.as_str())
            .bind(name)
            .bind(plate)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}

fn read_vin(row: &AnyRow) -> Result<Vin, StoreError> {
    row.try_get::<&str, _>("vin")?.parse().map_err(|error| StoreError::corrupt("vehicle", error))
}

fn read(row: &AnyRow) -> Result<VehicleState, StoreError> {
    let vin = read_vin(row)?;
    Ok(VehicleState { vin, name: row.try_get("name")?, plate: row.try_get("plate")?, latest: read_latest(row)? })
}

fn read_latest(row: &AnyRow) -> Result<Latest, StoreError> {
    Ok(Latest {
        presence: word::read("last_state", row.try_get("presence")?)?,
        presence_epoch: Epoch(row.try_get::<i64, _>("presence_epoch")?.cast_unsigned()),
        presence_since: row.try_get("presence_since")?,
        source_ts: row.try_get("source_ts")?,
        received_ts: row.try_get("received_ts")?,
        signals: word::from_json("last_state", row.try_get("signals")?)?,
    })
}

/// Makes a vehicle, called by its maker, unless it is there.
pub(crate) async fn make(tx: &mut Transaction<'static, Any>, vin: Vin, now: UnixMs) -> Result<(), StoreError> {
    let made =
        sqlx::query("INSERT INTO vehicle (vin, name, created_ts) VALUES ($1, $2, $3) ON CONFLICT (vin) DO NOTHING")
            .bind(vin.as_str())
            .bind(wmi::maker(vin).unwrap_or(vin.as_str()))
            .bind(now)
            .execute(&mut **tx)
            .await?;
    if made.rows_affected() == 1 {
        save_latest(tx, &[(vin, &Held { row: Latest::default(), version: 0 })]).await?;
    }
    Ok(())
}

/// The last state of a vehicle that exists.
pub(crate) async fn latest(tx: &mut Transaction<'_, Any>, vin: Vin) -> Result<Option<Held<Latest>>, StoreError> {
    let row = sqlx::query(
        "SELECT presence, presence_epoch, presence_since, source_ts, received_ts, signals, version FROM last_state \
         WHERE vin = $1",
    )
    .bind(vin.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(|row| Ok(Held { row: read_latest(row)?, version: row.try_get("version")? })).transpose()
}

static LAST_STATES: Bulk = Bulk::new(
    "INSERT INTO last_state (vin, presence, presence_epoch, presence_since, source_ts, received_ts, signals, version) VALUES ",
    8,
    " ON CONFLICT (vin) DO UPDATE SET presence = excluded.presence, presence_epoch = excluded.presence_epoch, \
     presence_since = excluded.presence_since, source_ts = excluded.source_ts, received_ts = excluded.received_ts, \
     signals = excluded.signals, version = excluded.version WHERE last_state.version = excluded.version - 1",
);

/// Saves last states that follow the ones with these versions. Tells how many did.
pub(crate) async fn save_latest(
    tx: &mut Transaction<'static, Any>,
    states: &[(Vin, &Held<Latest>)],
) -> Result<u64, StoreError> {
    LAST_STATES
        .run(tx, states, |query, (vin, held)| {
            let latest = &held.row;
            query
                .bind(vin.as_str())
                .bind(word::of(&latest.presence))
                .bind(latest.presence_epoch.0.cast_signed())
                .bind(latest.presence_since)
                .bind(latest.source_ts)
                .bind(latest.received_ts)
                .bind(word::json(&latest.signals))
                .bind(held.version + 1)
        })
        .await
}
