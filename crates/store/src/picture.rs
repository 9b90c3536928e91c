//! What a vehicle said of itself last, and its photos and clips.

use bugbrother_wire::{
    UnixMs, Vin,
    message::{Birth, CameraDeclaration, Diagnostics, Media, MediaState},
};
use sqlx::{Row, any::AnyRow};

use crate::{ClientId, Eye, Store, StoreError, id, page, word};

/// A vehicle with cameras.
#[derive(Debug, Clone, PartialEq)]
pub struct WithCameras {
    /// The vehicle.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// Cameras that its agent has told of.
    pub cameras: Vec<CameraDeclaration>,
    /// Those that the server reaches by itself and that are used.
    pub eyes: Vec<Eye>,
}

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

    /// Vehicles with cameras after `after`, by VIN; of a client those whose cameras it may look at at `at`.
    pub async fn vehicles_with_cameras(
        &self,
        client: Option<ClientId>,
        at: UnixMs,
        after: Option<Vin>,
        limit: u32,
    ) -> Result<Vec<WithCameras>, StoreError> {
        let rows = sqlx::query(
            "SELECT vehicle.vin, name, body FROM vehicle LEFT JOIN birth ON birth.vin = vehicle.vin AND cameras > 0 \
             WHERE vehicle.vin IN (SELECT vin FROM birth WHERE cameras > 0 AND vin > $1 \
             UNION SELECT vin FROM eye WHERE enabled = 1 AND vin > $1) \
             AND ($2 IS NULL OR EXISTS (SELECT 1 FROM contract_vehicle \
             JOIN contract ON contract.id = contract_vehicle.contract JOIN client ON client.id = contract.client \
             WHERE contract_vehicle.vin = vehicle.vin AND client.id = $2 AND archived_ts IS NULL AND video = 1 \
             AND starts_ts <= $3 AND (ends_ts IS NULL OR ends_ts > $3) \
             AND from_ts <= $3 AND (to_ts IS NULL OR to_ts > $3))) ORDER BY vehicle.vin LIMIT $4",
        )
        .bind(after.map(|vin| vin.to_string()).unwrap_or_default())
        .bind(client.map(|client| client.to_string()))
        .bind(at)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        let vehicle = |row: &AnyRow| {
            let body: Option<&str> = row.try_get(2)?;
            let birth: Option<Birth> = body.map(|body| word::from_json("birth", body)).transpose()?;
            let cameras = birth.map(|birth| birth.cameras).unwrap_or_default();
            Ok(WithCameras {
                vin: id::parse("vehicle", row.try_get(0)?)?,
                name: row.try_get(1)?,
                cameras,
                eyes: vec![],
            })
        };
        let mut found: Vec<_> = rows.iter().map(vehicle).collect::<Result<_, StoreError>>()?;
        if let (Some(first), Some(last)) = (found.first(), found.last()) {
            let mut eyes = self.eyes_between(first.vin, last.vin, limit).await?;
            for vehicle in &mut found {
                vehicle.eyes = eyes.extract_if(.., |eye| eye.vin == vehicle.vin).collect();
            }
        }
        Ok(found)
    }

    /// A photo or clip that was taken here and not by a vehicle's agent; the vehicle is known.
    pub async fn add_media(&self, media: &Media, now: UnixMs) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO media (vin, id, camera, kind, state, at_ts, from_ts, received_ts, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (vin, id) DO NOTHING",
        )
        .bind(media.vin.as_str())
        .bind(media.id.to_string())
        .bind(media.camera.as_str())
        .bind(word::of(&media.kind))
        .bind(word::of(&media.state))
        .bind(media.at)
        .bind(media.from)
        .bind(now)
        .bind(word::json(media))
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Photos and clips of a vehicle that begin between `from` and `to` (inclusive), oldest first. Uploaded are those whose file
    /// is there, whatever their vehicle says, and expired those whose file is no longer kept.
    pub async fn media(&self, vin: Vin, from: UnixMs, to: UnixMs, limit: u32) -> Result<Vec<Media>, StoreError> {
        let rows = sqlx::query(
            "SELECT media.body, media_file.stored_ts, media_file.gone_ts FROM media \
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
            let (stored, gone): (Option<i64>, Option<i64>) = (row.try_get(1)?, row.try_get(2)?);
            media.state = match (media.state, stored, gone) {
                (_, _, Some(_)) => MediaState::Expired,
                (MediaState::Requested | MediaState::Recording | MediaState::Ready, Some(_), _) => MediaState::Uploaded,
                (MediaState::Uploaded, None, _) => MediaState::Ready,
                (state, _, _) => state,
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
