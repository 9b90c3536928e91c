//! Devices: the boxes in the vehicles, and which certificates they hold.

use bugbrother_wire::{UnixMs, Vin};
use sqlx::{Row, any::AnyRow};

use crate::{CertificateRecord, Store, StoreError, credential, id, id::DeviceId, page, vehicle};

/// A device as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its identity.
    pub id: DeviceId,
    /// The vehicle that it was in.
    pub vin: Option<Vin>,
    /// What it is.
    pub model: Option<String>,
    /// Version of the agent that ran on it.
    pub agent: Option<String>,
    /// When it was seen for the first time.
    pub first_seen: UnixMs,
    /// When it was seen last.
    pub last_seen: UnixMs,
    /// What else is worth knowing.
    pub note: Option<String>,
}

/// Word of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The device.
    pub id: DeviceId,
    /// The vehicle that it is in.
    pub vin: Option<Vin>,
    /// What it is.
    pub model: Option<String>,
    /// Version of the agent that runs on it.
    pub agent: Option<String>,
    /// When.
    pub at: UnixMs,
}

impl Store {
    /// Notes that a device was seen. What the sighting does not tell stays as it was, and one that is older than the last
    /// changes nothing but when the device was seen first. A vehicle that is not known is made.
    pub async fn see_device(&self, sighting: &Sighting) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if let Some(vin) = sighting.vin {
            vehicle::make(&mut tx, vin, sighting.at).await?;
        }
        sqlx::query(
            "INSERT INTO device (id, vin, model, agent, first_seen, last_seen) VALUES ($1, $2, $3, $4, $5, $5) \
             ON CONFLICT (id) DO UPDATE SET \
             vin = CASE WHEN excluded.last_seen >= device.last_seen THEN COALESCE(excluded.vin, device.vin) \
             ELSE device.vin END, \
             model = CASE WHEN excluded.last_seen >= device.last_seen THEN COALESCE(excluded.model, device.model) \
             ELSE device.model END, \
             agent = CASE WHEN excluded.last_seen >= device.last_seen THEN COALESCE(excluded.agent, device.agent) \
             ELSE device.agent END, \
             first_seen = CASE WHEN excluded.first_seen < device.first_seen THEN excluded.first_seen \
             ELSE device.first_seen END, \
             last_seen = CASE WHEN excluded.last_seen > device.last_seen THEN excluded.last_seen \
             ELSE device.last_seen END",
        )
        .bind(sighting.id.as_str())
        .bind(sighting.vin.as_ref().map(Vin::as_str))
        .bind(sighting.model.as_deref())
        .bind(sighting.agent.as_deref())
        .bind(sighting.at)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// One device.
    pub async fn device(&self, device: &DeviceId) -> Result<Option<Device>, StoreError> {
        let row = sqlx::query("SELECT id, vin, model, agent, first_seen, last_seen, note FROM device WHERE id = $1")
            .bind(device.as_str())
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// All devices by identity, those after `after`.
    pub async fn devices(&self, after: Option<&DeviceId>, limit: u32) -> Result<Vec<Device>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, vin, model, agent, first_seen, last_seen, note FROM device WHERE id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after.map_or("", DeviceId::as_str))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Devices that were in a vehicle when they were seen last, the newest sighting first.
    pub async fn vehicle_devices(&self, vin: Vin, limit: u32) -> Result<Vec<Device>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, vin, model, agent, first_seen, last_seen, note FROM device WHERE vin = $1 \
             ORDER BY last_seen DESC, id DESC LIMIT $2",
        )
        .bind(vin.as_str())
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Writes what is worth knowing of a device; `false` when there is no such device.
    pub async fn note_device(&self, device: &DeviceId, note: Option<&str>) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE device SET note = $2 WHERE id = $1")
            .bind(device.as_str())
            .bind(note)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Deletes a device; `false` when there is no such device. Its certificates stay, as those of no device.
    pub async fn delete_device(&self, device: &DeviceId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE certificate SET device = NULL WHERE device = $1")
            .bind(device.as_str())
            .execute(&mut *tx)
            .await?;
        let done = sqlx::query("DELETE FROM device WHERE id = $1").bind(device.as_str()).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes which device holds a certificate; `false` when there is no such certificate.
    pub async fn set_certificate_device(&self, serial: &str, device: &DeviceId) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE certificate SET device = $2 WHERE serial = $1")
            .bind(serial)
            .bind(device.as_str())
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Certificates that a device holds, the newest first.
    pub async fn device_certificates(
        &self,
        device: &DeviceId,
        limit: u32,
    ) -> Result<Vec<CertificateRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT serial, vin, key_sha256, not_before, not_after, revoked_ts, pem FROM certificate WHERE device = $1 \
             ORDER BY issued_ts DESC, serial DESC LIMIT $2",
        )
        .bind(device.as_str())
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(credential::read).collect()
    }
}

fn read(row: &AnyRow) -> Result<Device, StoreError> {
    Ok(Device {
        id: id::parse("device", row.try_get(0)?)?,
        vin: id::parse_some("device", row.try_get(1)?)?,
        model: row.try_get(2)?,
        agent: row.try_get(3)?,
        first_seen: row.try_get(4)?,
        last_seen: row.try_get(5)?,
        note: row.try_get(6)?,
    })
}
