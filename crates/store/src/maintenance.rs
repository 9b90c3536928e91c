//! The maintenance book of each vehicle: what is to be done again and again, and what was done.

use std::collections::BTreeMap;

use bugbrother_wire::{UnixMs, Vin};
use serde_json::Value;
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{
    Store, StoreError, id,
    id::{MaintenanceId, WorkId},
    number,
    number::Real,
    page,
    upkeep::{Interval, Passed},
    word,
};

/// Most things of one vehicle that are to be done again and again.
pub const MAX_ITEMS: u32 = 100;

/// Something that is to be done to a vehicle.
#[derive(Debug, Clone, PartialEq)]
pub struct MaintenanceItem {
    /// Its identity.
    pub id: MaintenanceId,
    /// The vehicle.
    pub vin: Vin,
    /// What is to be done.
    pub title: String,
    /// How often.
    pub interval: Interval,
    /// When it was done last, or from when on it counts.
    pub since: UnixMs,
    /// What the odometer showed then.
    pub since_km: Option<f64>,
    /// What else is worth knowing.
    pub note: Option<String>,
    /// When it was added.
    pub created: UnixMs,
    /// Since when it need not be done any more.
    pub archived: Option<UnixMs>,
}

/// Something that was done to a vehicle.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// Its identity.
    pub id: WorkId,
    /// The vehicle.
    pub vin: Vin,
    /// What was to be done, if it was to be.
    pub item: Option<MaintenanceId>,
    /// What was done.
    pub title: String,
    /// When.
    pub done: UnixMs,
    /// What the odometer showed.
    pub odometer_km: Option<f64>,
    /// What it cost, in the currency of the fleet's prices.
    pub cost: Option<f64>,
    /// Who did it.
    pub workshop: Option<String>,
    /// What else is worth knowing.
    pub note: Option<String>,
    /// When it was written down.
    pub created: UnixMs,
    /// By whom.
    pub by: String,
}

/// Something that is to be done, and how far the vehicle has come since the last time.
#[derive(Debug, Clone, PartialEq)]
pub struct Upkeep {
    /// What.
    pub item: MaintenanceItem,
    /// What has passed since it was done last.
    pub passed: Passed,
    /// What the odometer shows, where the vehicle tells.
    pub odometer_km: Option<f64>,
    /// What people call the vehicle.
    pub vehicle: String,
}

/// Distance and hours are sums over the trips where they are asked for and no odometer tells.
macro_rules! upkeep {
    ($tail:literal) => {
        concat!(
            "SELECT id, maintenance_item.vin, title, every_km, every_hours, every_months, due_ts, since_ts, since_km, \
             maintenance_item.note, maintenance_item.created_ts, maintenance_item.archived_ts, signals, CASE WHEN every_km IS NOT NULL THEN (SELECT SUM(distance_m) FROM trip \
             WHERE trip.vin = maintenance_item.vin AND trip.start_ts >= since_ts LIMIT 1) END, \
             CAST(CASE WHEN every_hours IS NOT NULL THEN (SELECT SUM(moving_ms + idle_ms) FROM trip \
             WHERE trip.vin = maintenance_item.vin AND trip.start_ts >= since_ts LIMIT 1) END AS BIGINT), \
             vehicle.name FROM maintenance_item JOIN vehicle ON vehicle.vin = maintenance_item.vin \
             JOIN last_state ON last_state.vin = maintenance_item.vin WHERE maintenance_item.archived_ts IS NULL AND ",
            $tail
        )
    };
}

impl Store {
    /// What is to be done to a vehicle, the oldest first.
    pub async fn vehicle_upkeep(&self, vin: Vin) -> Result<Vec<Upkeep>, StoreError> {
        let rows = sqlx::query(upkeep!(
            "maintenance_item.vin = $1 ORDER BY maintenance_item.vin, maintenance_item.created_ts, id LIMIT $2"
        ))
        .bind(vin.as_str())
        .bind(page(MAX_ITEMS))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read_upkeep).collect()
    }

    /// What is to be done to all vehicles but archived ones, in the order of VINs and identities, what comes after `after`.
    pub async fn upkeep(&self, after: Option<(Vin, MaintenanceId)>, limit: u32) -> Result<Vec<Upkeep>, StoreError> {
        let rows =
            sqlx::query(upkeep!("vehicle.archived_ts IS NULL AND (maintenance_item.vin, id) > ($1, $2) ORDER BY maintenance_item.vin, id LIMIT $3"))
                .bind(after.as_ref().map_or("", |(vin, _)| vin.as_str()))
                .bind(after.map_or(String::new(), |(_, id)| id.to_string()))
                .bind(page(limit))
                .fetch_all(&self.read)
                .await?;
        rows.iter().map(read_upkeep).collect()
    }

    /// One thing that is to be done.
    pub async fn maintenance_item(&self, item: MaintenanceId) -> Result<Option<MaintenanceItem>, StoreError> {
        let row = sqlx::query(
            "SELECT id, vin, title, every_km, every_hours, every_months, due_ts, since_ts, since_km, note, created_ts, \
             archived_ts FROM maintenance_item WHERE id = $1",
        )
        .bind(item.to_string())
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(read_item).transpose()
    }

    /// Adds something that is to be done; `false` when the vehicle has [`MAX_ITEMS`] already, or there is one of that
    /// identity.
    pub async fn add_maintenance_item(&self, item: &MaintenanceItem) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE vehicle SET vin = vin WHERE vin = $1").bind(item.vin.as_str()).execute(&mut *tx).await?;
        let count: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM maintenance_item WHERE vin = $1 AND archived_ts IS NULL")
                .bind(item.vin.as_str())
                .fetch_one(&mut *tx)
                .await?;
        if count >= i64::from(MAX_ITEMS) {
            return Ok(false);
        }
        let done = sqlx::query(
            "INSERT INTO maintenance_item (id, vin, title, every_km, every_hours, every_months, due_ts, since_ts, since_km, \
             note, created_ts, archived_ts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(item.id.to_string())
        .bind(item.vin.as_str())
        .bind(&item.title)
        .bind(item.interval.km.map(i64::from))
        .bind(item.interval.hours.map(i64::from))
        .bind(item.interval.months.map(i64::from))
        .bind(item.interval.at)
        .bind(item.since)
        .bind(Real(item.since_km))
        .bind(item.note.as_deref())
        .bind(item.created)
        .bind(item.archived)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Changes everything about something that is to be done but whose it is and when it was added; `false` when there is
    /// no such thing.
    pub async fn update_maintenance_item(&self, item: &MaintenanceItem) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = update(&mut tx, item).await?;
        tx.commit().await?;
        Ok(done)
    }

    /// Writes down that something was done. What was to be done again counts from then on, unless it was done later already;
    /// what was to be done once is over.
    pub async fn add_work(&self, work: &Work) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "INSERT INTO maintenance_entry (id, vin, item, title, done_ts, odometer_km, cost, workshop, note, created_ts, \
             by_user) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING",
        )
        .bind(work.id.to_string())
        .bind(work.vin.as_str())
        .bind(work.item.map(|item| item.to_string()))
        .bind(&work.title)
        .bind(work.done)
        .bind(Real(work.odometer_km))
        .bind(Real(work.cost))
        .bind(work.workshop.as_deref())
        .bind(work.note.as_deref())
        .bind(work.created)
        .bind(&work.by)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        if let Some(item) = work.item {
            sqlx::query(
                "UPDATE maintenance_item SET since_ts = $2, since_km = $3, due_ts = NULL, \
                 archived_ts = CASE WHEN every_km IS NULL AND every_hours IS NULL AND every_months IS NULL THEN $4 \
                 ELSE archived_ts END WHERE id = $1 AND since_ts <= $2",
            )
            .bind(item.to_string())
            .bind(work.done)
            .bind(Real(work.odometer_km))
            .bind(work.created)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// What was done to a vehicle, the latest first, what came before `before`: time and identity of the last one of the page
    /// before.
    pub async fn works(&self, vin: Vin, before: Option<(UnixMs, WorkId)>, limit: u32) -> Result<Vec<Work>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, vin, item, title, done_ts, odometer_km, cost, workshop, note, created_ts, by_user \
             FROM maintenance_entry WHERE vin = $1 AND (done_ts, id) < ($2, $3) ORDER BY done_ts DESC, id DESC LIMIT $4",
        )
        .bind(vin.as_str())
        .bind(before.map_or(UnixMs::MAX, |(done, _)| done))
        .bind(before.map_or(String::new(), |(_, id)| id.to_string()))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read_work).collect()
    }

    /// Takes back what was written down by mistake; `false` when the vehicle has nothing of that identity. What was to be
    /// done counts from the time before again, where there was one.
    pub async fn delete_work(&self, vin: Vin, work: WorkId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM maintenance_entry WHERE id = $1 AND vin = $2 RETURNING item, done_ts")
            .bind(work.to_string())
            .bind(vin.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        let Some(gone) = gone else { return Ok(false) };
        let (item, done): (Option<String>, UnixMs) = (gone.try_get(0)?, gone.try_get(1)?);
        if let Some(item) = item {
            let last = sqlx::query(
                "SELECT done_ts, odometer_km FROM maintenance_entry WHERE item = $1 ORDER BY done_ts DESC, id DESC LIMIT 1",
            )
            .bind(&item)
            .fetch_optional(&mut *tx)
            .await?;
            if let Some(last) = last {
                sqlx::query("UPDATE maintenance_item SET since_ts = $2, since_km = $3 WHERE id = $1 AND since_ts = $4")
                    .bind(&item)
                    .bind(last.try_get::<UnixMs, _>(0)?)
                    .bind(Real(last.try_get(1)?))
                    .bind(done)
                    .execute(&mut *tx)
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(true)
    }
}

async fn update(tx: &mut Transaction<'static, Any>, item: &MaintenanceItem) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE maintenance_item SET title = $2, every_km = $3, every_hours = $4, every_months = $5, due_ts = $6, \
         since_ts = $7, since_km = $8, note = $9, archived_ts = $10 WHERE id = $1",
    )
    .bind(item.id.to_string())
    .bind(&item.title)
    .bind(item.interval.km.map(i64::from))
    .bind(item.interval.hours.map(i64::from))
    .bind(item.interval.months.map(i64::from))
    .bind(item.interval.at)
    .bind(item.since)
    .bind(Real(item.since_km))
    .bind(item.note.as_deref())
    .bind(item.archived)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn read_item(row: &AnyRow) -> Result<MaintenanceItem, StoreError> {
    const TABLE: &str = "maintenance_item";
    Ok(MaintenanceItem {
        id: id::parse(TABLE, row.try_get(0)?)?,
        vin: id::parse(TABLE, row.try_get(1)?)?,
        title: row.try_get(2)?,
        interval: Interval {
            km: number::count_some(TABLE, row.try_get(3)?)?,
            hours: number::count_some(TABLE, row.try_get(4)?)?,
            months: number::count_some(TABLE, row.try_get(5)?)?,
            at: row.try_get(6)?,
        },
        since: row.try_get(7)?,
        since_km: row.try_get(8)?,
        note: row.try_get(9)?,
        created: row.try_get(10)?,
        archived: row.try_get(11)?,
    })
}

fn read_upkeep(row: &AnyRow) -> Result<Upkeep, StoreError> {
    let item = read_item(row)?;
    let signals: BTreeMap<String, (UnixMs, Value)> = word::from_json("last_state", row.try_get(12)?)?;
    let odometer_km = signals.get("odo").and_then(|(_, value)| value.as_f64());
    let by_trips = row.try_get::<Option<f64>, _>(13)?.unwrap_or(0.0) / 1000.0;
    let by_odometer = odometer_km.zip(item.since_km).map(|(now, then)| now - then).filter(|km| *km >= 0.0);
    let hours = row.try_get::<Option<i64>, _>(14)?.unwrap_or(0) as f64 / 3_600_000.0;
    let passed = Passed { since: item.since, km: by_odometer.unwrap_or(by_trips), hours };
    Ok(Upkeep { item, passed, odometer_km, vehicle: row.try_get(15)? })
}

fn read_work(row: &AnyRow) -> Result<Work, StoreError> {
    const TABLE: &str = "maintenance_entry";
    Ok(Work {
        id: id::parse(TABLE, row.try_get(0)?)?,
        vin: id::parse(TABLE, row.try_get(1)?)?,
        item: id::parse_some(TABLE, row.try_get(2)?)?,
        title: row.try_get(3)?,
        done: row.try_get(4)?,
        odometer_km: row.try_get(5)?,
        cost: row.try_get(6)?,
        workshop: row.try_get(7)?,
        note: row.try_get(8)?,
        created: row.try_get(9)?,
        by: row.try_get(10)?,
    })
}
