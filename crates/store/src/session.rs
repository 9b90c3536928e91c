//! Sessions: from a sign-in to its end, a family of refresh tokens of which each is good once.

use std::net::IpAddr;

use bugbrother_wire::{ApiTokenId, SessionId, UnixMs};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{Store, StoreError, id, page};

/// Most sessions of one user at a time, of persons and of programs apart. One more ends the one that was used least lately.
pub const MAX_SESSIONS: u32 = 50;
/// How long it is known that a session was ended: longer than any access token runs.
const KEEP_ENDED_MS: i64 = 24 * 60 * 60 * 1000;
/// Rows that one step removes.
const STEP: i64 = 500;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its identity.
    pub id: SessionId,
    /// Whose it is.
    pub account: String,
    /// Whether a program signed in, and not a browser.
    pub is_program: bool,
    /// When it began.
    pub created: UnixMs,
    /// When it was last refreshed.
    pub used: UnixMs,
    /// When it ends, if it is not refreshed.
    pub expires: UnixMs,
    /// From where it was last used.
    pub address: Option<IpAddr>,
    /// What the program there calls itself.
    pub user_agent: Option<String>,
}

/// The one refresh token that is good, as hashes: of what all tokens of the family share, and of the whole.
#[derive(Debug, Clone, Copy)]
pub struct RefreshHash<'a> {
    /// Of the family.
    pub family: &'a str,
    /// Of the token.
    pub token: &'a str,
}

/// A refresh token that somebody shows, and what is to become of its session if it is good.
#[derive(Debug, Clone, Copy)]
pub struct Refresh<'a> {
    /// What is shown.
    pub shown: RefreshHash<'a>,
    /// Hash of the token that follows it.
    pub next: &'a str,
    /// When.
    pub now: UnixMs,
    /// How long the session goes on if it is not used.
    pub idle_ms: i64,
    /// How long it goes on at most, from its beginning.
    pub longest_ms: i64,
    /// How long after its use a token may be shown again.
    pub grace_ms: i64,
    /// From where.
    pub address: Option<IpAddr>,
    /// What the program there calls itself.
    pub user_agent: Option<&'a str>,
}

/// What became of a refresh token that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// It was good, and is used up: the next one is good now.
    Rotated(SessionRecord),
    /// It has been used up a moment ago, by another tab or by a request whose answer was lost. The one after it is good.
    Again(SessionRecord),
    /// It was used up before: two have it, and the session has been ended for both.
    Reused(SessionRecord),
    /// It is of no session that goes on.
    Ended,
}

/// What was ended lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endings {
    /// Sessions, with when.
    pub sessions: Vec<(SessionId, UnixMs)>,
    /// API tokens, with when.
    pub tokens: Vec<(ApiTokenId, UnixMs)>,
    /// Users all of whose sessions of before were ended, with when.
    pub accounts: Vec<(String, UnixMs)>,
}

impl Store {
    /// Begins a session. Whoever has too many loses the one that was used least lately.
    pub async fn add_session(&self, session: &SessionRecord, hash: RefreshHash<'_>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO session (id, account, program, family_sha256, refresh_sha256, rotated_ts, created_ts, used_ts, \
             expires_ts, address, user_agent) VALUES ($1, $2, $3, $4, $5, $6, $6, $6, $7, $8, $9)",
        )
        .bind(session.id.to_string())
        .bind(&session.account)
        .bind(i64::from(session.is_program))
        .bind(hash.family)
        .bind(hash.token)
        .bind(session.created)
        .bind(session.expires)
        .bind(session.address.map(|address| address.to_string()))
        .bind(session.user_agent.as_deref())
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE session SET revoked_ts = $2 WHERE id IN (SELECT id FROM session WHERE account = $1 AND program = $3 \
             AND revoked_ts IS NULL ORDER BY used_ts DESC, id DESC LIMIT 1000 OFFSET $4)",
        )
        .bind(&session.account)
        .bind(session.created)
        .bind(i64::from(session.is_program))
        .bind(i64::from(MAX_SESSIONS))
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE account SET signed_in_ts = $2 WHERE name = $1")
            .bind(&session.account)
            .bind(session.created)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Takes a refresh token that is shown.
    pub async fn refresh_session(&self, refresh: &Refresh<'_>) -> Result<Refreshed, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE session SET previous_sha256 = refresh_sha256, refresh_sha256 = $3, rotated_ts = $4, used_ts = $4, \
             expires_ts = CASE WHEN created_ts + $6 < $4 + $5 THEN created_ts + $6 ELSE $4 + $5 END, \
             address = $7, user_agent = $8 \
             WHERE family_sha256 = $1 AND refresh_sha256 = $2 AND revoked_ts IS NULL AND expires_ts > $4",
        )
        .bind(refresh.shown.family)
        .bind(refresh.shown.token)
        .bind(refresh.next)
        .bind(refresh.now)
        .bind(refresh.idle_ms)
        .bind(refresh.longest_ms)
        .bind(refresh.address.map(|address| address.to_string()))
        .bind(refresh.user_agent)
        .execute(&mut *tx)
        .await?;
        let row = sqlx::query(
            "SELECT id, account, program, created_ts, used_ts, expires_ts, address, user_agent, revoked_ts, rotated_ts, \
             previous_sha256 FROM session WHERE family_sha256 = $1",
        )
        .bind(refresh.shown.family)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(Refreshed::Ended) };
        let session = read(&row)?;
        if done.rows_affected() == 1 {
            tx.commit().await?;
            return Ok(Refreshed::Rotated(session));
        }
        let (revoked, rotated): (Option<UnixMs>, UnixMs) = (row.try_get(8)?, row.try_get(9)?);
        if revoked.is_some() || session.expires <= refresh.now {
            return Ok(Refreshed::Ended);
        }
        let previous: Option<String> = row.try_get(10)?;
        if previous.as_deref() == Some(refresh.shown.token) && refresh.now - rotated <= refresh.grace_ms {
            return Ok(Refreshed::Again(session));
        }
        sqlx::query("UPDATE session SET revoked_ts = $2 WHERE id = $1")
            .bind(session.id.to_string())
            .bind(refresh.now)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Refreshed::Reused(session))
    }

    /// A user's sessions that go on, those used lately first.
    pub async fn sessions(&self, account: &str, now: UnixMs, limit: u32) -> Result<Vec<SessionRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, account, program, created_ts, used_ts, expires_ts, address, user_agent FROM session \
             WHERE account = $1 AND revoked_ts IS NULL AND expires_ts > $2 ORDER BY used_ts DESC, id DESC LIMIT $3",
        )
        .bind(account)
        .bind(now)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Ends a session of a user; `false` when it has none of that identity that goes on.
    pub async fn end_session(&self, account: &str, id: SessionId, now: UnixMs) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE session SET revoked_ts = $3 WHERE id = $2 AND account = $1 AND revoked_ts IS NULL AND expires_ts > $3",
        )
        .bind(account)
        .bind(id.to_string())
        .bind(now)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends the session of a refresh token, whichever of its family it is; tells which that was.
    pub async fn end_session_of(&self, family: &str, now: UnixMs) -> Result<Option<SessionRecord>, StoreError> {
        let row = sqlx::query(
            "UPDATE session SET revoked_ts = $2 WHERE family_sha256 = $1 AND revoked_ts IS NULL \
             RETURNING id, account, program, created_ts, used_ts, expires_ts, address, user_agent",
        )
        .bind(family)
        .bind(now)
        .fetch_optional(&self.write)
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// Ends the sessions of a user but one; tells which.
    pub async fn end_other_sessions(
        &self,
        account: &str,
        but: Option<SessionId>,
        now: UnixMs,
    ) -> Result<Vec<SessionId>, StoreError> {
        let rows = sqlx::query(
            "UPDATE session SET revoked_ts = $3 WHERE account = $1 AND id <> $2 AND revoked_ts IS NULL RETURNING id",
        )
        .bind(account)
        .bind(but.map_or(String::new(), |id| id.to_string()))
        .bind(now)
        .fetch_all(&self.write)
        .await?;
        rows.iter().map(|row| id::parse("session", row.try_get(0)?)).collect()
    }

    /// What was ended at `since` and later, up to `limit` of each kind.
    pub async fn endings(&self, since: UnixMs, limit: u32) -> Result<Endings, StoreError> {
        let ask = async |sql: &'static str| {
            sqlx::query(sql).bind(since).bind(page(limit)).fetch_all(&self.read).await.map_err(StoreError::from)
        };
        let sessions =
            ask("SELECT id, revoked_ts FROM session WHERE revoked_ts >= $1 ORDER BY revoked_ts, id LIMIT $2").await?;
        let tokens =
            ask("SELECT id, revoked_ts FROM api_token WHERE revoked_ts >= $1 ORDER BY revoked_ts, id LIMIT $2").await?;
        let accounts = ask("SELECT name, sessions_after_ts FROM account WHERE sessions_after_ts >= $1 \
                            ORDER BY sessions_after_ts, name LIMIT $2")
        .await?;
        let read = |row: &AnyRow| Ok::<_, StoreError>((id::parse("session", row.try_get(0)?)?, row.try_get(1)?));
        let read_token =
            |row: &AnyRow| Ok::<_, StoreError>((id::parse("api_token", row.try_get(0)?)?, row.try_get(1)?));
        Ok(Endings {
            sessions: sessions.iter().map(read).collect::<Result<_, _>>()?,
            tokens: tokens.iter().map(read_token).collect::<Result<_, _>>()?,
            accounts: accounts
                .iter()
                .map(|row| Ok::<_, StoreError>((row.try_get(0)?, row.try_get(1)?)))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Removes a step of sessions and API tokens that have long ended. Tells how many.
    pub(crate) async fn forget_sessions(&self, now: UnixMs) -> Result<u64, StoreError> {
        let mut gone = 0;
        for sql in [
            "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_ts < $1 ORDER BY expires_ts, id LIMIT $2)",
            "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE revoked_ts < $1 ORDER BY revoked_ts, id LIMIT $2)",
            "DELETE FROM api_token WHERE id IN (SELECT id FROM api_token WHERE revoked_ts < $1 ORDER BY revoked_ts, id LIMIT $2)",
        ] {
            let done = sqlx::query(sql).bind(now - KEEP_ENDED_MS).bind(STEP).execute(&self.write).await?;
            gone += done.rows_affected();
        }
        Ok(gone)
    }
}

/// Ends all sessions of a user, if the transaction succeeds.
pub(crate) async fn end_all(tx: &mut Transaction<'_, Any>, account: &str, now: UnixMs) -> Result<(), StoreError> {
    sqlx::query("UPDATE session SET revoked_ts = $2 WHERE account = $1 AND revoked_ts IS NULL")
        .bind(account)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Ends all sessions and API tokens of somebody who goes, and forgets from where they were used.
pub(crate) async fn forget_owner(tx: &mut Transaction<'_, Any>, account: &str, now: UnixMs) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE session SET revoked_ts = COALESCE(revoked_ts, $2), address = NULL, user_agent = NULL WHERE account = $1",
    )
    .bind(account)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    sqlx::query("UPDATE api_token SET revoked_ts = COALESCE(revoked_ts, $2) WHERE account = $1")
        .bind(account)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<SessionRecord, StoreError> {
    Ok(SessionRecord {
        id: id::parse("session", row.try_get(0)?)?,
        account: row.try_get(1)?,
        is_program: row.try_get::<i64, _>(2)? != 0,
        created: row.try_get(3)?,
        used: row.try_get(4)?,
        expires: row.try_get(5)?,
        address: id::parse_some("session", row.try_get(6)?)?,
        user_agent: row.try_get(7)?,
    })
}
