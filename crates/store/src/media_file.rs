//! Files of photos and clips: what vehicles have offered, and what of it is there. The files themselves are in the object store.

use bugbrother_wire::{CameraId, MediaId, UnixMs, Vin, message::MediaKind};
use sqlx::{Row, any::AnyRow};

use crate::{Store, StoreError, id, number, page, word};

const TABLE: &str = "media_file";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT vin, id, camera, kind, bytes, sha256, object_key, cause, from_ts, to_ts, offered_ts, stored_ts, \
             gone_ts, thumb_bytes FROM media_file ",
            $rest
        )
    };
}

/// A file of a photo or clip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// The vehicle.
    pub vin: Vin,
    /// The photo or clip.
    pub id: MediaId,
    /// The camera.
    pub camera: CameraId,
    /// Photo or clip.
    pub kind: MediaKind,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Where it is in the object store.
    pub object_key: String,
    /// The event or command that asked for it.
    pub cause: Option<String>,
    /// First moment that is seen, where the vehicle knew.
    pub from: Option<UnixMs>,
    /// Last moment that is seen.
    pub to: Option<UnixMs>,
    /// When the vehicle offered it.
    pub offered: UnixMs,
    /// Since when it is whole.
    pub stored: Option<UnixMs>,
    /// Since when it is no longer kept.
    pub gone: Option<UnixMs>,
    /// Size of the small picture of it: 0 where none can be made, none while nobody has tried.
    pub thumb_bytes: Option<u64>,
}

impl MediaFile {
    /// When what is seen happened; no later than it was offered, whatever a vehicle says.
    pub fn seen(&self) -> UnixMs {
        self.from.unwrap_or(self.offered).min(self.offered)
    }

    /// Whether it can be looked at.
    pub fn is_here(&self) -> bool {
        self.stored.is_some() && self.gone.is_none()
    }
}

/// A file with a small picture, and what it was taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still {
    /// The photo or clip that the small picture is of.
    pub id: MediaId,
    /// The camera.
    pub camera: CameraId,
    /// The event or command that asked for it.
    pub cause: Option<String>,
}

/// What became of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, for as long as an offer is answered")]
pub enum Offered {
    /// The file is one that is coming, or is there already.
    Known(MediaFile),
    /// It is wanted.
    New,
    /// It is another file than the one that was offered under that identity, of which nothing is to be kept.
    Other,
    /// All files together would be larger than they may be.
    Full,
    /// So many of the vehicle's are coming already.
    TooMany,
}

impl Store {
    /// A vehicle offers a file. All files together have `most_bytes` at most, and of a vehicle `most_coming` are coming at a time.
    pub async fn offer_media(
        &self,
        file: &MediaFile,
        most_bytes: u64,
        most_coming: u32,
    ) -> Result<Offered, StoreError> {
        let bytes = i64::try_from(file.bytes).map_err(|error| StoreError::refused(TABLE, error))?;
        let mut tx = self.begin().await?;
        let known = sqlx::query(select!("WHERE vin = $1 AND id = $2"))
            .bind(file.vin.as_str())
            .bind(file.id.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let known = known.as_ref().map(read).transpose()?;
        if let Some(known) = &known
            && (known.stored.is_some() || (known.bytes, &known.sha256) == (file.bytes, &file.sha256))
        {
            let is_same = known.sha256 == file.sha256;
            return Ok(if is_same { Offered::Known(known.clone()) } else { Offered::Other });
        }
        // But for the one in whose place it comes.
        let together: i64 = sqlx::query_scalar(
            "SELECT CAST(COALESCE(sum(bytes), 0) AS BIGINT) FROM media_file WHERE gone_ts IS NULL AND (vin <> $1 OR id <> $2)",
        )
        .bind(file.vin.as_str())
        .bind(file.id.to_string())
        .fetch_one(&mut *tx)
        .await?;
        if size(together)?.saturating_add(file.bytes) > most_bytes {
            return Ok(Offered::Full);
        }
        let coming: i64 =
            sqlx::query_scalar("SELECT count(*) FROM media_file WHERE vin = $1 AND id <> $2 AND stored_ts IS NULL")
                .bind(file.vin.as_str())
                .bind(file.id.to_string())
                .fetch_one(&mut *tx)
                .await?;
        if coming >= i64::from(most_coming) {
            return Ok(Offered::TooMany);
        }
        sqlx::query(
            "INSERT INTO media_file (vin, id, camera, kind, bytes, sha256, object_key, cause, from_ts, to_ts, offered_ts, \
             seen_ts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (vin, id) DO UPDATE SET \
             camera = excluded.camera, kind = excluded.kind, bytes = excluded.bytes, sha256 = excluded.sha256, \
             object_key = excluded.object_key, cause = excluded.cause, from_ts = excluded.from_ts, \
             to_ts = excluded.to_ts, offered_ts = excluded.offered_ts, seen_ts = excluded.seen_ts \
             WHERE media_file.stored_ts IS NULL",
        )
        .bind(file.vin.as_str())
        .bind(file.id.to_string())
        .bind(file.camera.as_str())
        .bind(word::of(&file.kind))
        .bind(bytes)
        .bind(&file.sha256)
        .bind(&file.object_key)
        .bind(file.cause.as_deref())
        .bind(file.from)
        .bind(file.to)
        .bind(file.offered)
        .bind(file.seen())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(if known.is_some() { Offered::Other } else { Offered::New })
    }

    /// Bytes of all files that are here or coming.
    pub async fn media_bytes(&self) -> Result<u64, StoreError> {
        let together = "SELECT CAST(COALESCE(sum(bytes), 0) AS BIGINT) FROM media_file WHERE gone_ts IS NULL";
        size(sqlx::query_scalar(together).fetch_one(&self.read).await?)
    }

    /// What is known of a file.
    pub async fn media_file(&self, vin: Vin, media: MediaId) -> Result<Option<MediaFile>, StoreError> {
        let row = sqlx::query(select!("WHERE vin = $1 AND id = $2"))
            .bind(vin.as_str())
            .bind(media.to_string())
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// A file is whole; `false` when it is not one that is coming with that hash.
    pub async fn store_media(&self, vin: Vin, media: MediaId, sha256: &str, now: UnixMs) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE media_file SET stored_ts = $4 WHERE vin = $1 AND id = $2 AND sha256 = $3 AND stored_ts IS NULL",
        )
        .bind(vin.as_str())
        .bind(media.to_string())
        .bind(sha256)
        .bind(now)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Files that were offered before a moment and are not whole, oldest first.
    pub async fn stale_media(&self, before: UnixMs, limit: u32) -> Result<Vec<MediaFile>, StoreError> {
        let rows = sqlx::query(select!("WHERE stored_ts IS NULL AND offered_ts < $1 ORDER BY offered_ts LIMIT $2"))
            .bind(before)
            .bind(page(limit))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }

    /// A file that is not whole is not waited for any more; `false` when it is whole by now.
    pub async fn forget_media(&self, vin: Vin, media: MediaId) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM media_file WHERE vin = $1 AND id = $2 AND stored_ts IS NULL")
            .bind(vin.as_str())
            .bind(media.to_string())
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Photos that are here and of which nobody has tried to make a small picture, the oldest first.
    pub async fn photos_without_thumb(&self, limit: u32) -> Result<Vec<MediaFile>, StoreError> {
        let rows = sqlx::query(select!(
            "WHERE kind = 'photo' AND stored_ts IS NOT NULL AND gone_ts IS NULL AND thumb_bytes IS NULL \
             ORDER BY stored_ts LIMIT $1"
        ))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// A file has a small picture of that size; 0 where none can be made of it.
    pub async fn set_thumb(&self, vin: Vin, media: MediaId, bytes: u64) -> Result<(), StoreError> {
        let bytes = i64::try_from(bytes).map_err(|error| StoreError::refused(TABLE, error))?;
        sqlx::query("UPDATE media_file SET thumb_bytes = $3 WHERE vin = $1 AND id = $2")
            .bind(vin.as_str())
            .bind(media.to_string())
            .bind(bytes)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Files of a vehicle with a small picture, of what happened between `from` and `to` (inclusive).
    pub async fn stills(&self, vin: Vin, from: UnixMs, to: UnixMs, limit: u32) -> Result<Vec<Still>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, camera, cause FROM media_file WHERE vin = $1 AND seen_ts >= $2 AND seen_ts <= $3 \
             AND thumb_bytes > 0 AND gone_ts IS NULL ORDER BY seen_ts LIMIT $4",
        )
        .bind(vin.as_str())
        .bind(from)
        .bind(to)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        let still = |row: &AnyRow| {
            let camera = CameraId::try_from(row.try_get::<String, _>(1)?);
            let camera = camera.map_err(|error| StoreError::corrupt(TABLE, error))?;
            Ok(Still { id: id::parse(TABLE, row.try_get(0)?)?, camera, cause: row.try_get(2)? })
        };
        rows.iter().map(still).collect()
    }

    /// The last file of a camera with a small picture, of what happened since a moment, and when that was.
    pub async fn last_still(
        &self,
        vin: Vin,
        camera: &CameraId,
        since: UnixMs,
    ) -> Result<Option<(MediaId, UnixMs)>, StoreError> {
        let row = sqlx::query(
            "SELECT id, seen_ts FROM media_file WHERE vin = $1 AND camera = $2 AND seen_ts >= $3 AND thumb_bytes > 0 \
             AND gone_ts IS NULL ORDER BY seen_ts DESC LIMIT 1",
        )
        .bind(vin.as_str())
        .bind(camera.as_str())
        .bind(since)
        .fetch_optional(&self.read)
        .await?;
        row.map(|row| Ok((id::parse(TABLE, row.try_get(0)?)?, row.try_get(1)?))).transpose()
    }

    /// The shortest time for which a contract has pictures kept, in days.
    pub async fn shortest_media_retention(&self) -> Result<Option<u32>, StoreError> {
        let days: Option<i64> =
            sqlx::query_scalar("SELECT MIN(media_retention_days) FROM contract").fetch_one(&self.read).await?;
        number::count_some("contract", days)
    }

    /// Files that are here, of what happened before a moment, the oldest first, those after `after`: when what is seen in the last
    /// one of the page before happened, its vehicle and its identity.
    pub async fn old_media(
        &self,
        before: UnixMs,
        after: Option<(UnixMs, Vin, MediaId)>,
        limit: u32,
    ) -> Result<Vec<MediaFile>, StoreError> {
        let (seen, vin, id) = match after {
            Some((seen, vin, id)) => (seen, vin.to_string(), id.to_string()),
            None => (UnixMs::MIN, String::new(), String::new()),
        };
        let rows = sqlx::query(select!(
            "WHERE stored_ts IS NOT NULL AND gone_ts IS NULL AND seen_ts < $1 AND (seen_ts, vin, id) > ($2, $3, $4) \
             ORDER BY seen_ts, vin, id LIMIT $5"
        ))
        .bind(before)
        .bind(seen)
        .bind(vin)
        .bind(id)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// A file is no longer kept; `false` when that was so before, or it is not whole. The row stays and says so.
    pub async fn let_media_go(&self, vin: Vin, media: MediaId, now: UnixMs) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE media_file SET gone_ts = $3 WHERE vin = $1 AND id = $2 AND stored_ts IS NOT NULL AND gone_ts IS NULL",
        )
        .bind(vin.as_str())
        .bind(media.to_string())
        .bind(now)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether an alert of a vehicle was opened between `from` and `to` (inclusive) whose cause is not gone.
    pub async fn has_open_alert(&self, vin: Vin, from: UnixMs, to: UnixMs) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM alert WHERE vin = $1 AND opened >= $2 AND opened <= $3 AND resolved IS NULL LIMIT 1",
        )
        .bind(vin.as_str())
        .bind(from)
        .bind(to)
        .fetch_optional(&self.read)
        .await?;
        Ok(found.is_some())
    }
}

fn size(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|error| StoreError::corrupt(TABLE, error))
}

fn read(row: &AnyRow) -> Result<MediaFile, StoreError> {
    let camera = CameraId::try_from(row.try_get::<String, _>(2)?).map_err(|error| StoreError::corrupt(TABLE, error))?;
    Ok(MediaFile {
        vin: row.try_get::<&str, _>(0)?.parse().map_err(|error| StoreError::corrupt(TABLE, error))?,
        id: id::parse(TABLE, row.try_get(1)?)?,
        camera,
        kind: word::read(TABLE, row.try_get(3)?)?,
        bytes: size(row.try_get(4)?)?,
        sha256: row.try_get(5)?,
        object_key: row.try_get(6)?,
        cause: row.try_get(7)?,
        from: row.try_get(8)?,
        to: row.try_get(9)?,
        offered: row.try_get(10)?,
        stored: row.try_get(11)?,
        gone: row.try_get(12)?,
        thumb_bytes: row.try_get::<Option<i64>, _>(13)?.map(size).transpose()?,
    })
}
