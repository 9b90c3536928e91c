//! What people want of a vehicle: how often it sends what, and what it keeps to itself.

use std::collections::BTreeMap;

use bugbrother_wire::{
    SCHEMA_VERSION, UnixMs, Vin,
    message::{Config, Geofence},
};
use serde::{Deserialize, Serialize};
use sqlx::{Row, any::AnyRow};

use crate::{Store, StoreError, id, page, vehicle, word};

/// What people want of a vehicle, see [`Config`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Wishes {
    /// Signal key → wanted interval in milliseconds.
    #[serde(default)]
    pub periods_ms: BTreeMap<String, u32>,
    /// Event threshold → value.
    #[serde(default)]
    pub thresholds: BTreeMap<String, f64>,
    /// Neither position nor pictures leave the vehicle.
    #[serde(default)]
    pub privacy: bool,
    /// Whether the driver may switch privacy.
    #[serde(default)]
    pub driver_privacy: bool,
    /// Most bytes to send in a day.
    #[serde(default)]
    pub daily_bytes: Option<u64>,
}

/// The wishes for a vehicle as they stand.
#[derive(Debug, Clone, PartialEq)]
pub struct WishRecord {
    /// The vehicle.
    pub vin: Vin,
    /// What people want.
    pub wishes: Wishes,
    /// All that was said to the vehicle last.
    pub said: Config,
    /// When it was changed last.
    pub updated: UnixMs,
    /// By whom, if a person did.
    pub updated_by: Option<String>,
}

impl Wishes {
    /// All that is to be said to a vehicle.
    fn config(&self, vin: Vin, revision: u64, geofences: Vec<Geofence>) -> Config {
        Config {
            v: SCHEMA_VERSION,
            vin,
            revision,
            periods_ms: self.periods_ms.clone(),
            thresholds: self.thresholds.clone(),
            geofences,
            privacy: self.privacy,
            driver_privacy: self.driver_privacy,
            daily_bytes: self.daily_bytes,
        }
    }
}

impl Store {
    /// The wishes for a vehicle; nothing until somebody has said something.
    pub async fn wishes(&self, vin: Vin) -> Result<Option<WishRecord>, StoreError> {
        let row = sqlx::query("SELECT vin, revision, wishes, said, updated_ts, updated_by FROM wish WHERE vin = $1")
            .bind(vin.as_str())
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// The wishes for all vehicles for which there are any, by VIN, those after `after`.
    pub async fn all_wishes(&self, after: Option<Vin>, limit: u32) -> Result<Vec<WishRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT vin, revision, wishes, said, updated_ts, updated_by FROM wish WHERE vin > $1 ORDER BY vin LIMIT $2",
        )
        .bind(after.as_ref().map_or("", Vin::as_str))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Keeps what is wanted of a vehicle: `wishes`, or those that are there without them, and the geofences that it is to
    /// watch. What is to be said to it then, if that is something new; its revision is higher than any before, also than
    /// those of a database that was lost.
    pub async fn wish(
        &self,
        vin: Vin,
        wishes: Option<(&Wishes, &str)>,
        geofences: Vec<Geofence>,
        now: UnixMs,
    ) -> Result<Option<Config>, StoreError> {
        let mut tx = self.begin().await?;
        if wishes.is_some() {
            vehicle::make(&mut tx, vin, now).await?;
        }
        // From here on nobody else changes it before the transaction ends.
        let held = sqlx::query("UPDATE vehicle SET name = name WHERE vin = $1").bind(vin.as_str()).execute(&mut *tx);
        if held.await?.rows_affected() == 0 {
            return Ok(None);
        }
        let row = sqlx::query("SELECT vin, revision, wishes, said, updated_ts, updated_by FROM wish WHERE vin = $1")
            .bind(vin.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        let known = row.as_ref().map(read).transpose()?;
        let wanted = match (wishes, &known) {
            (Some((wishes, _)), _) => wishes.clone(),
            (None, Some(known)) => known.wishes.clone(),
            (None, None) if geofences.is_empty() => return Ok(None),
            (None, None) => Wishes::default(),
        };
        let revision = known.as_ref().map_or(0, |known| known.said.revision);
        let same = known.as_ref().is_some_and(|known| known.said == wanted.config(vin, revision, geofences.clone()));
        let by = wishes.map(|(_, by)| by.to_owned());
        if same && wishes.is_none() {
            return Ok(None);
        }
        let said = wanted.config(vin, if same { revision } else { next(revision, now) }, geofences);
        sqlx::query(
            "INSERT INTO wish (vin, revision, wishes, said, updated_ts, updated_by) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (vin) DO UPDATE SET revision = excluded.revision, wishes = excluded.wishes, \
             said = excluded.said, updated_ts = excluded.updated_ts, updated_by = excluded.updated_by",
        )
        .bind(vin.as_str())
        .bind(said.revision.cast_signed())
        .bind(word::checked_json("wish", &wanted)?)
        .bind(word::checked_json("wish", &said)?)
        .bind(now)
        .bind(by.or(known.and_then(|known| known.updated_by)))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok((!same).then_some(said))
    }
}

/// A revision higher than the last one. The clock makes it higher than those of a database that was lost, too.
fn next(revision: u64, now: UnixMs) -> u64 {
    (revision + 1).max(u64::try_from(now).unwrap_or_default())
}

fn read(row: &AnyRow) -> Result<WishRecord, StoreError> {
    Ok(WishRecord {
        vin: id::parse("wish", row.try_get(0)?)?,
        wishes: word::from_json("wish", row.try_get(2)?)?,
        said: word::from_json("wish", row.try_get(3)?)?,
        updated: row.try_get(4)?,
        updated_by: row.try_get(5)?,
    })
}
