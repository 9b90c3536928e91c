//! The second factor: codes of an app on a telephone (TOTP, RFC 6238), and codes for when it is lost.

use bugbrother_wire::UnixMs;
use sqlx::{Any, Row, Transaction};

use crate::{Store, StoreError};

/// A user's second factor.
#[derive(Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// What the telephone knows too (base32).
    pub secret: String,
    /// Since when it counts; not yet, if it was not confirmed.
    pub since: Option<UnixMs>,
    /// The last step of time whose code was taken.
    pub step: i64,
}

impl std::fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecondFactor").field("since", &self.since).field("step", &self.step).finish_non_exhaustive()
    }
}

impl Store {
    /// The second factor of a user, confirmed or not.
    pub async fn second_factor(&self, name: &str) -> Result<Option<SecondFactor>, StoreError> {
        let row = sqlx::query("SELECT totp_secret, totp_since_ts, totp_step FROM account WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.read)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let Some(secret) = row.try_get(0)? else { return Ok(None) };
        Ok(Some(SecondFactor { secret, since: row.try_get(1)?, step: row.try_get(2)? }))
    }

    /// Keeps a secret until it is confirmed; `false` when there is a second factor that counts, or no such user.
    pub async fn propose_second_factor(&self, name: &str, secret: &str) -> Result<bool, StoreError> {
        let done =
            sqlx::query("UPDATE account SET totp_secret = $2, totp_step = 0 WHERE name = $1 AND totp_since_ts IS NULL")
                .bind(name)
                .bind(secret)
                .execute(&self.write)
                .await?;
        Ok(done.rows_affected() == 1)
    }

    /// From now on the secret counts. `step`: of the code that has shown that the telephone knows it. `false` when another
    /// secret was proposed meanwhile, or one counts already.
    pub async fn confirm_second_factor(
        &self,
        name: &str,
        proposed: &SecondFactor,
        step: i64,
        recovery: &[String],
        now: UnixMs,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE account SET totp_since_ts = $4, totp_step = $3 \
             WHERE name = $1 AND totp_secret = $2 AND totp_since_ts IS NULL",
        )
        .bind(name)
        .bind(&proposed.secret)
        .bind(step)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        replace(&mut tx, name, recovery).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes the code of a step; `false` when one of it or of a later one was taken before.
    pub async fn take_step(&self, name: &str, step: i64) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE account SET totp_step = $2 WHERE name = $1 AND totp_since_ts IS NOT NULL AND totp_step < $2",
        )
        .bind(name)
        .bind(step)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes a recovery code, by its hash; `false` when there is none such any more.
    pub async fn take_recovery_code(&self, name: &str, sha256: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM recovery_code WHERE account = $1 AND sha256 = $2")
            .bind(name)
            .bind(sha256)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives a user other recovery codes; `false` when there is no second factor that counts.
    pub async fn replace_recovery_codes(&self, name: &str, recovery: &[String]) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query("SELECT name FROM account WHERE name = $1 AND totp_since_ts IS NOT NULL")
            .bind(name)
            .fetch_optional(&mut *tx)
            .await?;
        if row.is_none() {
            return Ok(false);
        }
        replace(&mut tx, name, recovery).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// How many recovery codes are left.
    pub async fn recovery_codes_left(&self, name: &str) -> Result<u32, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM recovery_code WHERE account = $1")
            .bind(name)
            .fetch_one(&self.read)
            .await?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Takes the second factor off a user; `false` when there was none.
    pub async fn remove_second_factor(&self, name: &str) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE account SET totp_secret = NULL, totp_since_ts = NULL, totp_step = 0 \
             WHERE name = $1 AND totp_secret IS NOT NULL",
        )
        .bind(name)
        .execute(&mut *tx)
        .await?;
        replace(&mut tx, name, &[]).await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}

async fn replace(tx: &mut Transaction<'_, Any>, name: &str, recovery: &[String]) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM recovery_code WHERE account = $1").bind(name).execute(&mut **tx).await?;
    for sha256 in recovery {
        sqlx::query("INSERT INTO recovery_code (account, sha256) VALUES ($1, $2)")
            .bind(name)
            .bind(sha256)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}
