//! Tokens that people make for third parties' programs.

use bugbrother_wire::{
    ApiTokenId, UnixMs,
    api::{Right, Role},
};
use sqlx::{Row, any::AnyRow};

use crate::{ClientId, Store, StoreError, id, page, word};

/// Most tokens of one user at a time.
pub const MAX_API_TOKENS: u32 = 50;
/// A use is written down when the one before is so long ago.
const USED_STEP_MS: i64 = 60_000;

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiTokenRecord {
    /// Its identity.
    pub id: ApiTokenId,
    /// Whose it is.
    pub account: String,
    /// What it is for.
    pub label: String,
    /// What it may, as long as its owner may it too.
    pub rights: Vec<Right>,
    /// When it was made.
    pub created: UnixMs,
    /// Until when it is good; for ever, if nothing is said.
    pub expires: Option<UnixMs>,
    /// When it was last used, to the minute.
    pub used: Option<UnixMs>,
}

/// A token that somebody shows, with what its owner is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownToken {
    /// The token.
    pub token: ApiTokenRecord,
    /// The owner's role now.
    pub role: Role,
    /// The owner's client now.
    pub client: Option<ClientId>,
}

impl Store {
    /// Adds a token; `false` when its owner has too many.
    pub async fn add_api_token(&self, token: &ApiTokenRecord, sha256: &str) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        // Two at once: the second one waits here.
        sqlx::query("UPDATE account SET name = name WHERE name = $1").bind(&token.account).execute(&mut *tx).await?;
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM api_token WHERE account = $1 AND revoked_ts IS NULL")
            .bind(&token.account)
            .fetch_one(&mut *tx)
            .await?;
        if count >= i64::from(MAX_API_TOKENS) {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO api_token (id, account, label, sha256, rights, created_ts, expires_ts) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(token.id.to_string())
        .bind(&token.account)
        .bind(&token.label)
        .bind(sha256)
        .bind(word::json(&token.rights))
        .bind(token.created)
        .bind(token.expires)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The token of this hash, if it is good and its owner may sign in. That it was used is written down.
    pub async fn show_api_token(&self, sha256: &str, now: UnixMs) -> Result<Option<ShownToken>, StoreError> {
        let row = sqlx::query(
            "SELECT api_token.id, api_token.account, api_token.label, api_token.rights, api_token.created_ts, \
             api_token.expires_ts, api_token.used_ts, account.role, account.client \
             FROM api_token JOIN account ON account.name = api_token.account \
             WHERE api_token.sha256 = $1 AND api_token.revoked_ts IS NULL \
             AND (api_token.expires_ts IS NULL OR api_token.expires_ts > $2) AND account.disabled_ts IS NULL",
        )
        .bind(sha256)
        .bind(now)
        .fetch_optional(&self.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let token = read(&row)?;
        if token.used.is_none_or(|used| now - used >= USED_STEP_MS) {
            sqlx::query("UPDATE api_token SET used_ts = $2 WHERE id = $1")
                .bind(token.id.to_string())
                .bind(now)
                .execute(&self.write)
                .await?;
        }
        let role = word::read("account", row.try_get(7)?)?;
        Ok(Some(ShownToken { token, role, client: id::parse_some("account", row.try_get(8)?)? }))
    }

    /// A user's tokens that were not revoked, in the order in which they were made.
    pub async fn api_tokens(&self, account: &str, limit: u32) -> Result<Vec<ApiTokenRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, account, label, rights, created_ts, expires_ts, used_ts FROM api_token \
             WHERE account = $1 AND revoked_ts IS NULL ORDER BY id LIMIT $2",
        )
        .bind(account)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Revokes a token of a user; `false` when it has none of that identity.
    pub async fn revoke_api_token(&self, account: &str, id: ApiTokenId, now: UnixMs) -> Result<bool, StoreError> {
        let done =
            sqlx::query("UPDATE api_token SET revoked_ts = $3 WHERE id = $2 AND account = $1 AND revoked_ts IS NULL")
                .bind(account)
                .bind(id.to_string())
                .bind(now)
                .execute(&self.write)
                .await?;
        Ok(done.rows_affected() == 1)
    }
}

fn read(row: &AnyRow) -> Result<ApiTokenRecord, StoreError> {
    Ok(ApiTokenRecord {
        id: id::parse("api_token", row.try_get(0)?)?,
        account: row.try_get(1)?,
        label: row.try_get(2)?,
        rights: word::from_json("api_token", row.try_get(3)?)?,
        created: row.try_get(4)?,
        expires: row.try_get(5)?,
        used: row.try_get(6)?,
    })
}
