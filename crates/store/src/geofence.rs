//! Geofences: areas that are watched.

use bugbrother_wire::{UnixMs, message::Shape};
use sqlx::{Row, any::AnyRow};

use crate::{
    Store, StoreError, id,
    id::{ClientId, GeofenceId},
    page, rule, word,
};

/// An area that is watched, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct GeofenceRecord {
    /// Its identity.
    pub id: GeofenceId,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub shape: Shape,
    /// The client that it concerns; the whole fleet without one.
    pub client: Option<ClientId>,
    /// How it is drawn, such as `#e66100`.
    pub colour: Option<String>,
    /// When it was made.
    pub created: UnixMs,
    /// When it was changed last.
    pub updated: UnixMs,
}

impl Store {
    /// Makes a geofence, or changes everything about the one with that identity but when it was made.
    pub async fn save_geofence(&self, geofence: &GeofenceRecord) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        // Rules look at it.
        rule::count_change(&mut tx).await?;
        sqlx::query(
            "INSERT INTO geofence (id, name, shape, client, colour, created_ts, updated_ts) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
             shape = excluded.shape, client = excluded.client, colour = excluded.colour, \
             updated_ts = excluded.updated_ts",
        )
        .bind(geofence.id.to_string())
        .bind(&geofence.name)
        .bind(word::checked_json("geofence", &geofence.shape)?)
        .bind(geofence.client.map(|client| client.to_string()))
        .bind(geofence.colour.as_deref())
        .bind(geofence.created)
        .bind(geofence.updated)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Deletes a geofence; `false` when there is no such geofence.
    pub async fn delete_geofence(&self, geofence: GeofenceId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        rule::count_change(&mut tx).await?;
        let done =
            sqlx::query("DELETE FROM geofence WHERE id = $1").bind(geofence.to_string()).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// One geofence.
    pub async fn geofence(&self, geofence: GeofenceId) -> Result<Option<GeofenceRecord>, StoreError> {
        let row =
            sqlx::query("SELECT id, name, shape, client, colour, created_ts, updated_ts FROM geofence WHERE id = $1")
                .bind(geofence.to_string())
                .fetch_optional(&self.read)
                .await?;
        row.as_ref().map(read).transpose()
    }

    /// All geofences by identity, which is the order in which they were made, those after `after`.
    pub async fn geofences(&self, after: Option<GeofenceId>, limit: u32) -> Result<Vec<GeofenceRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, name, shape, client, colour, created_ts, updated_ts FROM geofence WHERE id > $1 \
             ORDER BY id LIMIT $2",
        )
        .bind(after.map_or(String::new(), |id| id.to_string()))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// The geofences of a client in the same order.
    pub async fn client_geofences(
        &self,
        client: ClientId,
        after: Option<GeofenceId>,
        limit: u32,
    ) -> Result<Vec<GeofenceRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, name, shape, client, colour, created_ts, updated_ts FROM geofence \
             WHERE client = $1 AND id > $2 ORDER BY id LIMIT $3",
        )
        .bind(client.to_string())
        .bind(after.map_or(String::new(), |id| id.to_string()))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &AnyRow) -> Result<GeofenceRecord, StoreError> {
    Ok(GeofenceRecord {
        id: id::parse("geofence", row.try_get(0)?)?,
        name: row.try_get(1)?,
        shape: word::from_json("geofence", row.try_get(2)?)?,
        client: id::parse_some("geofence", row.try_get(3)?)?,
        colour: row.try_get(4)?,
        created: row.try_get(5)?,
        updated: row.try_get(6)?,
    })
}
