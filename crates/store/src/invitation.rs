//! Invitations: a link, good once, by which somebody sets a password.

use bugbrother_wire::UnixMs;
use sqlx::Row;

use crate::{Store, StoreError, session};

/// An invitation that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Whom it is for.
    pub account: String,
    /// When it was made.
    pub created: UnixMs,
    /// Until when it is good.
    pub expires: UnixMs,
    /// Who made it.
    pub by: String,
}

impl Store {
    /// Invites somebody to set a password; an invitation of before is void. That the person asked for a new password is
    /// seen to. `false` when there is no such user, or none that may sign in.
    pub async fn invite(&self, invitation: &Invitation, sha256: &str) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("UPDATE account SET password_asked_ts = NULL WHERE name = $1 AND disabled_ts IS NULL")
            .bind(&invitation.account)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO invitation (account, sha256, created_ts, expires_ts, created_by) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (account) DO UPDATE SET sha256 = excluded.sha256, created_ts = excluded.created_ts, \
             expires_ts = excluded.expires_ts, created_by = excluded.created_by",
        )
        .bind(&invitation.account)
        .bind(sha256)
        .bind(invitation.created)
        .bind(invitation.expires)
        .bind(&invitation.by)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The invitation of this hash, if it is open.
    pub async fn invitation(&self, sha256: &str, now: UnixMs) -> Result<Option<Invitation>, StoreError> {
        let row = sqlx::query(
            "SELECT invitation.account, invitation.created_ts, invitation.expires_ts, invitation.created_by \
             FROM invitation JOIN account ON account.name = invitation.account \
             WHERE invitation.sha256 = $1 AND invitation.expires_ts > $2 AND account.disabled_ts IS NULL",
        )
        .bind(sha256)
        .bind(now)
        .fetch_optional(&self.read)
        .await?;
        row.map(|row| {
            Ok(Invitation {
                account: row.try_get(0)?,
                created: row.try_get(1)?,
                expires: row.try_get(2)?,
                by: row.try_get(3)?,
            })
        })
        .transpose()
    }

    /// Uses an invitation up: its user has this password now, and what was signed in with another is not so any more. Tells
    /// who that is; nobody when it is not open.
    pub async fn accept_invitation(
        &self,
        sha256: &str,
        password_hash: &str,
        now: UnixMs,
    ) -> Result<Option<String>, StoreError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query("DELETE FROM invitation WHERE sha256 = $1 AND expires_ts > $2 RETURNING account")
            .bind(sha256)
            .bind(now)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let account: String = row.try_get(0)?;
        let done = sqlx::query(
            "UPDATE account SET password_hash = $2, password_asked_ts = NULL, sessions_after_ts = $3 \
             WHERE name = $1 AND disabled_ts IS NULL",
        )
        .bind(&account)
        .bind(password_hash)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(None);
        }
        session::end_all(&mut tx, &account, now).await?;
        tx.commit().await?;
        Ok(Some(account))
    }

    /// Withdraws the invitation of a user; `false` when there is none.
    pub async fn withdraw_invitation(&self, account: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM invitation WHERE account = $1").bind(account).execute(&self.write).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Remembers that somebody asks for a new password, if there is such a user who may sign in.
    pub async fn ask_for_password(&self, name: &str, now: UnixMs) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE account SET password_asked_ts = $2 WHERE name = $1 AND disabled_ts IS NULL")
            .bind(name)
            .bind(now)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
