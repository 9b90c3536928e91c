//! Cameras of vehicles that the server reaches by itself.

use bugbrother_wire::{CameraId, UnixMs, Vin, api::EyeTransport};
use sqlx::{Row, any::AnyRow};

use crate::{Store, StoreError, page, word};

const TABLE: &str = "eye";

/// Most of one vehicle, as many as an agent has.
pub const MAX_EYES: u32 = 8;
/// Most of the fleet.
pub const MAX_ALL_EYES: u32 = 2_000;

macro_rules! eye_sql {
    ($rest:literal) => {
        concat!(
            "SELECT vin, camera, label, url, sub_url, photo_url, transport, user_name, \
             CAST(CASE WHEN secret IS NULL THEN 0 ELSE 1 END AS BIGINT), enabled, made_by, created_ts, updated_ts FROM eye ",
            $rest
        )
    };
}

/// A camera that the server reaches. What opens it is not in here, see [`Store::eye_secret`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eye {
    /// The vehicle that it looks at or out of.
    pub vin: Vin,
    /// Its name among the vehicle's cameras.
    pub camera: CameraId,
    /// What people call it.
    pub label: String,
    /// Where it is, without credentials.
    pub url: String,
    /// Where its smaller stream is.
    pub sub_url: Option<String>,
    /// Where it gives photos.
    pub photo_url: Option<String>,
    /// How its pictures come.
    pub transport: EyeTransport,
    /// User name, where it wants one.
    pub user: Option<String>,
    /// Whether a password goes with it.
    pub has_secret: bool,
    /// Whether it is used.
    pub enabled: bool,
    /// Who made it.
    pub by: String,
    /// When it was made.
    pub created: UnixMs,
    /// When it was changed last. No two changes have the same time.
    pub updated: UnixMs,
}

/// What became of an eye that is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EyeAdded {
    /// It is there.
    Added,
    /// The vehicle has another one of that name.
    Taken,
    /// The vehicle has [`MAX_EYES`].
    TooMany,
    /// The fleet has [`MAX_ALL_EYES`].
    Full,
}

impl Store {
    /// A vehicle's eyes, by name.
    pub async fn eyes(&self, vin: Vin) -> Result<Vec<Eye>, StoreError> {
        let rows = sqlx::query(eye_sql!("WHERE vin = $1 ORDER BY camera LIMIT $2"))
            .bind(vin.as_str())
            .bind(i64::from(MAX_EYES))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }

    /// The eyes that are used of vehicles from `first` to `last`.
    pub(crate) async fn eyes_between(&self, first: Vin, last: Vin, vehicles: u32) -> Result<Vec<Eye>, StoreError> {
        let rows = sqlx::query(eye_sql!("WHERE vin >= $1 AND vin <= $2 AND enabled = 1 ORDER BY vin, camera LIMIT $3"))
            .bind(first.as_str())
            .bind(last.as_str())
            .bind(page(vehicles.saturating_mul(MAX_EYES)))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }

    /// One eye.
    pub async fn eye(&self, vin: Vin, camera: &CameraId) -> Result<Option<Eye>, StoreError> {
        let row = sqlx::query(eye_sql!("WHERE vin = $1 AND camera = $2"))
            .bind(vin.as_str())
            .bind(camera.as_str())
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// What opens an eye, for whoever reaches it.
    pub async fn eye_secret(&self, vin: Vin, camera: &CameraId) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT secret FROM eye WHERE vin = $1 AND camera = $2")
            .bind(vin.as_str())
            .bind(camera.as_str())
            .fetch_optional(&self.read)
            .await?;
        row.map_or(Ok(None), |row| Ok(row.try_get(0)?))
    }

    /// Adds an eye to a vehicle that is known.
    pub async fn add_eye(&self, eye: &Eye, secret: Option<&str>) -> Result<EyeAdded, StoreError> {
        let mut tx = self.begin().await?;
        // Two at once could be one too many: the second one waits here.
        sqlx::query("UPDATE vehicle SET vin = vin WHERE vin = $1").bind(eye.vin.as_str()).execute(&mut *tx).await?;
        let own: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM eye WHERE vin = $1")
            .bind(eye.vin.as_str())
            .fetch_one(&mut *tx)
            .await?;
        if own >= i64::from(MAX_EYES) {
            return Ok(EyeAdded::TooMany);
        }
        let all: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM eye WHERE vin > ''").fetch_one(&mut *tx).await?;
        if all >= i64::from(MAX_ALL_EYES) {
            return Ok(EyeAdded::Full);
        }
        let done = sqlx::query(
            "INSERT INTO eye (vin, camera, label, url, sub_url, photo_url, transport, user_name, secret, enabled, made_by, \
             created_ts, updated_ts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) \
             ON CONFLICT (vin, camera) DO NOTHING",
        )
        .bind(eye.vin.as_str())
        .bind(eye.camera.as_str())
        .bind(&eye.label)
        .bind(&eye.url)
        .bind(eye.sub_url.as_deref())
        .bind(eye.photo_url.as_deref())
        .bind(word::of(&eye.transport))
        .bind(eye.user.as_deref())
        .bind(secret)
        .bind(i64::from(eye.enabled))
        .bind(&eye.by)
        .bind(eye.created)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(if done.rows_affected() == 1 { EyeAdded::Added } else { EyeAdded::Taken })
    }

    /// Changes an eye, and what opens it: `None` keeps that, and without a user name there is none. `false` when the vehicle has
    /// no such eye.
    pub async fn update_eye(&self, eye: &Eye, secret: Option<&str>, now: UnixMs) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE eye SET label = $3, url = $4, sub_url = $5, photo_url = $6, transport = $7, user_name = $8, \
             secret = CASE WHEN $8 IS NULL THEN NULL ELSE COALESCE($9, secret) END, enabled = $10, \
             updated_ts = CASE WHEN $11 > updated_ts THEN $11 ELSE updated_ts + 1 END WHERE vin = $1 AND camera = $2",
        )
        .bind(eye.vin.as_str())
        .bind(eye.camera.as_str())
        .bind(&eye.label)
        .bind(&eye.url)
        .bind(eye.sub_url.as_deref())
        .bind(eye.photo_url.as_deref())
        .bind(word::of(&eye.transport))
        .bind(eye.user.as_deref())
        .bind(secret)
        .bind(i64::from(eye.enabled))
        .bind(now)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes an eye; `false` when the vehicle has no such one. Its photos and clips stay.
    pub async fn remove_eye(&self, vin: Vin, camera: &CameraId) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM eye WHERE vin = $1 AND camera = $2")
            .bind(vin.as_str())
            .bind(camera.as_str())
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

fn read(row: &AnyRow) -> Result<Eye, StoreError> {
    let camera = CameraId::try_from(row.try_get::<String, _>(1)?).map_err(|error| StoreError::corrupt(TABLE, error))?;
    Ok(Eye {
        vin: row.try_get::<&str, _>(0)?.parse().map_err(|error| StoreError::corrupt(TABLE, error))?,
        camera,
        label: row.try_get(2)?,
        url: row.try_get(3)?,
        sub_url: row.try_get(4)?,
        photo_url: row.try_get(5)?,
        transport: word::read(TABLE, row.try_get(6)?)?,
        user: row.try_get(7)?,
        has_secret: row.try_get::<i64, _>(8)? != 0,
        enabled: row.try_get::<i64, _>(9)? != 0,
        by: row.try_get(10)?,
        created: row.try_get(11)?,
        updated: row.try_get(12)?,
    })
}
