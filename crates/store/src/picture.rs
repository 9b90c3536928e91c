//! What a vehicle said of itself last, and its photos and clips.

use bugbrother_wire::{
    UnixMs, Vin,
    message::{Birth, CameraDeclaration, Diagnostics, Media, MediaState},
};
use sqlx::{Row, any::AnyRow};

use crate::{ClientId, Store, StoreError, id, page, word};

impl Store {
    /// The newest picture of a vehicle's trouble codes, and when it was received.
    pub async fn diagnostics(&self, vin: Vin) -> Result<Option<(Diagnostics, UnixMs)>, StoreError> {
        let row = sqlx::query("SELECT body, received_ts FROM diagnostics WHERE vin = $1")
            .bind(vin.as_str())
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| Ok((word::from_json("diagnostics", row.try_get(0)?)?, row.try_get(1)?))).transpose()
    }

    /// What a car said was wrong with it between `from` and `to` (inclusive), oldest first, without freeze frames.
    pub async fn pictures(
        &self,
        vin: Vin,
        from: UnixMs,
        to: UnixMs,
        limit: u32,
    ) -> Result<Vec<Diagnostics>, StoreError> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT body FROM picture WHERE vin = $1 AND at_ts >= $2 AND at_ts <= $3 ORDER BY at_ts LIMIT $4",
        )
        .bind(vin.as_str())
        .bind(from)
        .bind(to)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|body| word::from_json("picture", body)).collect()
    }

    /// What a vehicle's agent said of itself last.
    pub async fn birth(&self, vin: Vin) -> Result<Option<Birth>, StoreError> {
        let body: Option<String> = sqlx::query_scalar("SELECT body FROM birth WHERE vin = $1")
            .bind(vin.as_str())
            .fetch_optional(&self.read)
            .await?;
        body.map(|body| word::from_json("birth", &body)).transpose()
    }

    /// Vehicles with cameras after `after`, by VIN, with their names and their cameras; of a client those whose cameras it may
    /// look at at `at`.
    pub async fn vehicles_with_cameras(
        &self,
        client: Option<ClientId>,
        at: UnixMs,
        after: Option<Vin>,
        limit: u32,
    ) -> Result<Vec<(Vin, String, Vec<CameraDeclaration>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT birth.vin, name, body FROM birth JOIN vehicle ON vehicle.vin = birth.vin \
             WHERE cameras > 0 AND birth.vin > $1 AND ($2 IS NULL OR EXISTS (SELECT 1 FROM contract_vehicle \
             JOIN contract ON contract.id = contract_vehicle.contract JOIN client ON client.id = contract.client \
             WHERE contract_vehicle.vin = birth.vin AND client.id = $2 AND archived_ts IS NULL AND video = 1 \
             AND starts_ts <= $3 AND (ends_ts IS NULL OR ends_ts > $3) \
             AND from_ts <= $3 AND (to_ts IS NULL OR to_ts > $3))) ORDER BY birth.vin LIMIT $4",
        )
        .bind(after.map(|vin| vin.to_string()).unwrap_or_default())
        .bind(client.map(|client| client.to_string()))
        .bind(at)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        let vehicle = |row: &AnyRow| {
            let birth: Birth = word::from_json("birth", row.try_get(2)?)?;
            Ok((birth.vin, row.try_get(1)?, birth.cameras))
        };
        rows.iter().map(vehicle).collect()
    }

    /// Photos and clips of a vehicle that begin between `from` and `to` (inclusive), oldest first. Uploaded are those whose file
    /// is there, whatever their vehicle says.
    pub async fn media(&self, vin: Vin, from: UnixMs, to: UnixMs, limit: u32) -> Result<Vec<Media>, StoreError> {
        let rows = sqlx::query(
            "SELECT media.body, media_file.stored_ts FROM media \
             LEFT JOIN media_file ON media_file.vin = media.vin AND media_file.id = media.id \
             WHERE media.vin = $1 AND media.from_ts >= $2 AND media.from_ts <= $3 ORDER BY media.from_ts LIMIT $4",
        )
        .bind(vin.as_str())
        .bind(from)
        .bind(to)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        let read = |row: &AnyRow| {
            let mut media: Media = word::from_json("media", row.try_get(0)?)?;
            let stored: Option<i64> = row.try_get(1)?;
            media.state = match (media.state, stored) {
                (MediaState::Requested | MediaState::Recording | MediaState::Ready, Some(_)) => MediaState::Uploaded,
                (MediaState::Uploaded, None) => MediaState::Ready,
                (state, _) => state,
            };
            Ok(media)
        };
        rows.iter().map(read).collect()
    }

    /// The clients that see a vehicle at `at`, see [`Store::client_vehicles`], with their names.
    pub async fn clients_of(&self, vin: Vin, at: UnixMs, limit: u32) -> Result<Vec<(ClientId, String)>, StoreError> {
        let rows = sqlx::query(
            "SELECT client.id, client.name FROM contract_vehicle \
             JOIN contract ON contract.id = contract_vehicle.contract JOIN client ON client.id = contract.client \
             WHERE contract_vehicle.vin = $1 AND archived_ts IS NULL AND starts_ts <= $2 \
             AND (ends_ts IS NULL OR ends_ts > $2) AND from_ts <= $2 AND (to_ts IS NULL OR to_ts > $2) LIMIT $3",
        )
        .bind(vin.as_str())
        .bind(at)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        let mut found = Vec::new();
        for row in &rows {
            let client: ClientId = id::parse("client", row.try_get(0)?)?;
            // A vehicle may be in several contracts of a client.
            if !found.iter().any(|(known, _)| *known == client) {
                found.push((client, row.try_get(1)?));
            }
        }
        Ok(found)
    }
}
