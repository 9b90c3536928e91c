//! Enrolment codes and certificates of vehicles.

use bugbrother_wire::{UnixMs, Vin};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{Store, StoreError, page, vehicle};

/// Most certificates of one vehicle that are neither revoked nor expired. Two are usual: they overlap.
pub const MAX_CERTIFICATES: u32 = 16;
/// How long a certificate is kept after its end, for people who look.
const KEEP_EXPIRED_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// A vehicle that asks again for the same key within this time did not hear the answer.
const SAME_ANSWER_MS: i64 = 24 * 60 * 60 * 1000;

/// A vehicle's certificate, as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRecord {
    /// Serial number in hexadecimal digits.
    pub serial: String,
    /// Whose it is.
    pub vin: Vin,
    /// SHA-256 of its public key, in hexadecimal digits.
    pub key_sha256: String,
    /// From when it is valid.
    pub not_before: UnixMs,
    /// Until when.
    pub not_after: UnixMs,
    /// Since when it is revoked.
    pub revoked: Option<UnixMs>,
    /// The certificate itself.
    pub pem: String,
}

/// What a code is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The vehicle.
    pub vin: Vin,
    /// The certificate that the code was used up for.
    pub used: Option<CertificateRecord>,
}

/// What became of a code that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolled {
    /// This is the vehicle's: the new one, or the one that the code was used up for with the same key before.
    Issued(CertificateRecord),
    /// The code is not open to it.
    Refused,
    /// The vehicle has [`MAX_CERTIFICATES`] already; the code is not used up.
    Full,
}

/// What became of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    /// This is the vehicle's: the new one, or the one that it got for the same key a moment ago.
    Issued(CertificateRecord),
    /// The certificate that it has is revoked or was never ours.
    Refused,
    /// It has [`MAX_CERTIFICATES`] already.
    Full,
}

/// How a vehicle may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The vehicle.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// Serial number of its newest certificate.
    pub serial: Option<String>,
    /// Until when that is valid.
    pub not_after: Option<UnixMs>,
    /// Since when it is revoked.
    pub revoked: Option<UnixMs>,
    /// When the code that it has and has not used ends.
    pub code_expires: Option<UnixMs>,
}

/// A vehicle's newest certificate and the code that it has not used.
macro_rules! credentials {
    ($which:literal) => {
        concat!(
            "SELECT vehicle.vin, vehicle.name, certificate.serial, not_after, revoked_ts, expires_ts FROM vehicle \
             LEFT JOIN certificate ON certificate.serial = (SELECT newest.serial FROM certificate AS newest \
             WHERE newest.vin = vehicle.vin ORDER BY newest.issued_ts DESC, newest.serial DESC LIMIT 1) \
             LEFT JOIN enrolment ON enrolment.vin = vehicle.vin AND enrolment.serial IS NULL WHERE ",
            $which
        )
    };
}

impl Store {
    /// Keeps the hash of a new enrolment code in the place of the vehicle's last one. A vehicle that is not known is
    /// made.
    pub async fn add_enrolment(
        &self,
        vin: Vin,
        code_sha256: &str,
        now: UnixMs,
        expires: UnixMs,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sweep(&mut tx, now).await?;
        vehicle::make(&mut tx, vin, now).await?;
        hold(&mut tx, vin).await?;
        sqlx::query(
            "INSERT INTO enrolment (vin, code_sha256, created_ts, expires_ts) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (vin) DO UPDATE SET code_sha256 = excluded.code_sha256, created_ts = excluded.created_ts, \
             expires_ts = excluded.expires_ts, serial = NULL",
        )
        .bind(vin.as_str())
        .bind(code_sha256)
        .bind(now)
        .bind(expires)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// What a code that has not expired is good for, used up or not.
    pub async fn enrolment(&self, code_sha256: &str, now: UnixMs) -> Result<Option<Enrolment>, StoreError> {
        let row = sqlx::query(
            "SELECT enrolment.vin AS holder, certificate.serial, certificate.vin, key_sha256, not_before, not_after, \
             revoked_ts, pem FROM enrolment LEFT JOIN certificate ON certificate.serial = enrolment.serial \
             WHERE code_sha256 = $1 AND expires_ts > $2 \
             AND (enrolment.serial IS NULL OR certificate.serial IS NOT NULL)",
        )
        .bind(code_sha256)
        .bind(now)
        .fetch_optional(&self.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let is_used = row.try_get::<Option<String>, _>("serial")?.is_some();
        Ok(Some(Enrolment { vin: vin(&row, "holder")?, used: is_used.then(|| read(&row)).transpose()? }))
    }

    /// Uses up a code for a certificate, both or nothing.
    ///
    /// A vehicle that has [`MAX_CERTIFICATES`] is refused: only [`Store::revoke`] takes certificates away, and whoever
    /// calls it tells the broker.
    pub async fn enrol(&self, code_sha256: &str, new: &CertificateRecord, now: UnixMs) -> Result<Enrolled, StoreError> {
        let mut tx = self.begin().await?;
        sweep(&mut tx, now).await?;
        hold(&mut tx, new.vin).await?;
        let used = sqlx::query(
            "UPDATE enrolment SET serial = $3 WHERE code_sha256 = $1 AND vin = $2 AND expires_ts > $4 \
             AND serial IS NULL",
        )
        .bind(code_sha256)
        .bind(new.vin.as_str())
        .bind(&new.serial)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        if used.rows_affected() == 0 {
            let row = sqlx::query(
                "SELECT certificate.serial, certificate.vin, key_sha256, not_before, not_after, revoked_ts, pem \
                 FROM enrolment JOIN certificate ON certificate.serial = enrolment.serial \
                 WHERE code_sha256 = $1 AND enrolment.vin = $2 AND expires_ts > $4 AND key_sha256 = $3 \
                 AND revoked_ts IS NULL",
            )
            .bind(code_sha256)
            .bind(new.vin.as_str())
            .bind(&new.key_sha256)
            .bind(now)
            .fetch_optional(&mut *tx)
            .await?;
            return Ok(match row {
                Some(row) => Enrolled::Issued(read(&row)?),
                None => Enrolled::Refused,
            });
        }
        if is_full(&mut tx, new.vin, now).await? {
            return Ok(Enrolled::Full);
        }
        insert(&mut tx, new, now).await?;
        tx.commit().await?;
        Ok(Enrolled::Issued(new.clone()))
    }

    /// Keeps the certificate that follows the one with serial number `old`, which stays good until its end.
    ///
    /// A vehicle that has [`MAX_CERTIFICATES`] is refused rather than losing its oldest: whoever has stolen one key
    /// could have the others revoked, and the list of what is revoked would grow without end.
    pub async fn renew(&self, old: &str, new: &CertificateRecord, now: UnixMs) -> Result<Renewed, StoreError> {
        let mut tx = self.begin().await?;
        sweep(&mut tx, now).await?;
        hold(&mut tx, new.vin).await?;
        let known = sqlx::query(
            "SELECT serial FROM certificate WHERE serial = $1 AND vin = $2 AND revoked_ts IS NULL AND not_after > $3",
        )
        .bind(old)
        .bind(new.vin.as_str())
        .bind(now)
        .fetch_optional(&mut *tx)
        .await?;
        if known.is_none() {
            return Ok(Renewed::Refused);
        }
        let same = sqlx::query(
            "SELECT serial, vin, key_sha256, not_before, not_after, revoked_ts, pem FROM certificate \
             WHERE vin = $1 AND key_sha256 = $2 AND revoked_ts IS NULL AND issued_ts > $3 \
             AND serial <> $4 ORDER BY issued_ts DESC, serial DESC LIMIT 1",
        )
        .bind(new.vin.as_str())
        .bind(&new.key_sha256)
        .bind(now - SAME_ANSWER_MS)
        .bind(old)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(row) = same {
            return Ok(Renewed::Issued(read(&row)?));
        }
        if is_full(&mut tx, new.vin, now).await? {
            return Ok(Renewed::Full);
        }
        insert(&mut tx, new, now).await?;
        tx.commit().await?;
        Ok(Renewed::Issued(new.clone()))
    }

    /// The certificate with that serial number.
    pub async fn certificate(&self, serial: &str) -> Result<Option<CertificateRecord>, StoreError> {
        let row = sqlx::query(
            "SELECT serial, vin, key_sha256, not_before, not_after, revoked_ts, pem FROM certificate WHERE serial = $1",
        )
        .bind(serial)
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// Revokes every certificate of a vehicle that has not expired, and takes its code away. Tells how many it revoked.
    pub async fn revoke(&self, vin: Vin, now: UnixMs) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        hold(&mut tx, vin).await?;
        sqlx::query("DELETE FROM enrolment WHERE vin = $1").bind(vin.as_str()).execute(&mut *tx).await?;
        let done = sqlx::query(
            "UPDATE certificate SET revoked_ts = $2 WHERE vin = $1 AND revoked_ts IS NULL AND not_after > $2",
        )
        .bind(vin.as_str())
        .bind(now)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    /// Everything that is revoked and has not expired: serial numbers, and since when.
    ///
    /// It is whole, however long: a list with one left out would let somebody in.
    pub async fn revoked(&self, now: UnixMs) -> Result<Vec<(String, UnixMs)>, StoreError> {
        let rows = sqlx::query(
            "SELECT serial, revoked_ts FROM certificate WHERE revoked_ts IS NOT NULL AND not_after > $1 \
             ORDER BY revoked_ts, serial",
        )
        .bind(now)
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// How vehicles may come in, in the order of their VINs, those after `after`.
    pub async fn credentials(&self, after: Option<Vin>, limit: u32) -> Result<Vec<Credential>, StoreError> {
        let rows = sqlx::query(credentials!("vehicle.vin > $1 ORDER BY vehicle.vin LIMIT $2"))
            .bind(after.as_ref().map_or("", Vin::as_str))
            .bind(page(limit))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read_credential).collect()
    }

    /// How one vehicle may come in; nothing when there is no such vehicle.
    pub async fn credential(&self, vin: Vin) -> Result<Option<Credential>, StoreError> {
        let row = sqlx::query(credentials!("vehicle.vin = $1")).bind(vin.as_str()).fetch_optional(&self.read).await?;
        row.as_ref().map(read_credential).transpose()
    }
}

fn read_credential(row: &AnyRow) -> Result<Credential, StoreError> {
    Ok(Credential {
        vin: vin(row, "vin")?,
        name: row.try_get("name")?,
        serial: row.try_get("serial")?,
        not_after: row.try_get("not_after")?,
        revoked: row.try_get("revoked_ts")?,
        code_expires: row.try_get("expires_ts")?,
    })
}

/// Forgets codes that have expired, and certificates that have long.
async fn sweep(tx: &mut Transaction<'_, Any>, now: UnixMs) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM enrolment WHERE expires_ts <= $1").bind(now).execute(&mut **tx).await?;
    sqlx::query("DELETE FROM certificate WHERE not_after <= $1").bind(now - KEEP_EXPIRED_MS).execute(&mut **tx).await?;
    Ok(())
}

/// From here on nobody else changes the certificates of this vehicle before the transaction ends: one that was issued while
/// another process revokes would not be revoked, and two at once could be one too many.
async fn hold(tx: &mut Transaction<'_, Any>, vin: Vin) -> Result<(), StoreError> {
    sqlx::query("UPDATE vehicle SET vin = vin WHERE vin = $1").bind(vin.as_str()).execute(&mut **tx).await?;
    Ok(())
}

async fn is_full(tx: &mut Transaction<'_, Any>, vin: Vin, now: UnixMs) -> Result<bool, StoreError> {
    let count: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM certificate WHERE vin = $1 AND revoked_ts IS NULL AND not_after > $2")
            .bind(vin.as_str())
            .bind(now)
            .fetch_one(&mut **tx)
            .await?;
    Ok(count >= i64::from(MAX_CERTIFICATES))
}

async fn insert(tx: &mut Transaction<'_, Any>, new: &CertificateRecord, now: UnixMs) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO certificate (serial, vin, key_sha256, issued_ts, not_before, not_after, revoked_ts, pem) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&new.serial)
    .bind(new.vin.as_str())
    .bind(&new.key_sha256)
    .bind(now)
    .bind(new.not_before)
    .bind(new.not_after)
    .bind(new.revoked)
    .bind(&new.pem)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(crate) fn read(row: &AnyRow) -> Result<CertificateRecord, StoreError> {
    Ok(CertificateRecord {
        serial: row.try_get("serial")?,
        vin: vin(row, "vin")?,
        key_sha256: row.try_get("key_sha256")?,
        not_before: row.try_get("not_before")?,
        not_after: row.try_get("not_after")?,
        revoked: row.try_get("revoked_ts")?,
        pem: row.try_get("pem")?,
    })
}

fn vin(row: &AnyRow, column: &str) -> Result<Vin, StoreError> {
    row.try_get::<&str, _>(column)?.parse().map_err(|error| StoreError::corrupt("certificate", error))
}
