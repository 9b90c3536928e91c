//! People who may sign in.

use bugbrother_wire::{SessionId, UnixMs, api::Role};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{Store, StoreError, id, id::ClientId, page, session, word};

/// Somebody who may sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// User name.
    pub name: String,
    /// Of the password, in the PHC form (`$argon2id$…`); empty until an invited person has set one.
    pub password_hash: String,
    /// What the user may do.
    pub role: Role,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// What is known of a user, who may sign in or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// User name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// What people call the user.
    pub display_name: Option<String>,
    /// Where to write.
    pub email: Option<String>,
    /// In which language.
    pub language: Language,
    /// Whose vehicles the user sees if the role is [`Role::Client`]; without one, none.
    pub client: Option<ClientId>,
    /// When the user was added.
    pub created: UnixMs,
    /// Since when the user may not sign in.
    pub disabled: Option<UnixMs>,
    /// Tokens that were issued before are void.
    pub sessions_after: UnixMs,
    /// When the user signed in last.
    pub signed_in: Option<UnixMs>,
    /// Since when the user asks for a new password.
    pub asks: Option<UnixMs>,
    /// Whether the user has set a password.
    pub has_password: bool,
    /// Since when a second factor is asked for.
    pub second_factor: Option<UnixMs>,
    /// Until when an invitation is open.
    pub invited: Option<UnixMs>,
}

/// A language that the programs speak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

/// What became of a change to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountChange {
    /// It is made.
    Done,
    /// There is nobody of that name.
    NoSuchUser,
    /// It is not made: nobody would be left who may do everything.
    LastAdministrator,
}

macro_rules! columns {
    () => {
        "SELECT name, role, display_name, email, language, client, created_ts, disabled_ts, sessions_after_ts, \
         signed_in_ts, password_asked_ts, CAST(CASE WHEN password_hash = '' THEN 0 ELSE 1 END AS BIGINT), totp_since_ts, \
         (SELECT expires_ts FROM invitation WHERE invitation.account = account.name) FROM account "
    };
}

impl Store {
    /// The user with that name, if it may sign in.
    pub async fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        let row = sqlx::query("SELECT name, password_hash, role FROM account WHERE name = $1 AND disabled_ts IS NULL")
            .bind(name)
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| {
            Ok(User {
                name: row.try_get(0)?,
                password_hash: row.try_get(1)?,
                role: word::read("account", row.try_get(2)?)?,
            })
        })
        .transpose()
    }

    /// Adds a user; `false` when the name is taken, which changes nothing.
    pub async fn add_user(&self, user: &User, now: UnixMs) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO account (name, password_hash, role, created_ts) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(&user.name)
        .bind(&user.password_hash)
        .bind(word::of(&user.role))
        .bind(now)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives a user another password and ends the sessions, but the one in which it was changed. Tells which were ended; `None`
    /// when there is no such user.
    pub async fn set_password_hash(
        &self,
        name: &str,
        password_hash: &str,
        but: Option<SessionId>,
        now: UnixMs,
    ) -> Result<Option<Vec<SessionId>>, StoreError> {
        let done = sqlx::query("UPDATE account SET password_hash = $2, password_asked_ts = NULL WHERE name = $1")
            .bind(name)
            .bind(password_hash)
            .execute(&self.write)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(None);
        }
        Ok(Some(self.end_other_sessions(name, but, now).await?))
    }

    /// Whether there is any user.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        let one = sqlx::query("SELECT name FROM account LIMIT 1").fetch_optional(&self.read).await?;
        Ok(one.is_some())
    }

    /// What is known of a user.
    pub async fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let row = sqlx::query(concat!(columns!(), "WHERE name = $1")).bind(name).fetch_optional(&self.read).await?;
        row.as_ref().map(read).transpose()
    }

    /// All users by name, those after `after`.
    pub async fn accounts(&self, after: Option<&str>, limit: u32) -> Result<Vec<Account>, StoreError> {
        let rows = sqlx::query(concat!(columns!(), "WHERE name > $1 ORDER BY name LIMIT $2"))
            .bind(after.unwrap_or_default())
            .bind(page(limit))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }

    /// The users of a client by name, those after `after`.
    pub async fn client_accounts(
        &self,
        client: ClientId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Account>, StoreError> {
        let rows = sqlx::query(concat!(columns!(), "WHERE client = $1 AND name > $2 ORDER BY name LIMIT $3"))
            .bind(client.to_string())
            .bind(after.unwrap_or_default())
            .bind(page(limit))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Changes role, names, language and client of a user. Another role or client makes the tokens void that were issued
    /// until now, since they tell of the old one.
    pub async fn update_account(&self, account: &Account, now: UnixMs) -> Result<AccountChange, StoreError> {
        let mut tx = self.begin().await?;
        let keeps = account.role == Role::Administrator;
        if let Some(refused) = check(&mut tx, &account.name, keeps).await? {
            return Ok(refused);
        }
        sqlx::query(
            "UPDATE account SET display_name = $2, email = $3, language = $4, sessions_after_ts = CASE \
             WHEN role <> $5 OR COALESCE(client, '') <> COALESCE($6, '') THEN $7 ELSE sessions_after_ts END, \
             role = $5, client = $6 WHERE name = $1",
        )
        .bind(&account.name)
        .bind(account.display_name.as_deref())
        .bind(account.email.as_deref())
        .bind(word::of(&account.language))
        .bind(word::of(&account.role))
        .bind(account.client.map(|client| client.to_string()))
        .bind(now)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE session SET revoked_ts = $2 WHERE account = $1 AND revoked_ts IS NULL AND created_ts < \
             (SELECT sessions_after_ts FROM account WHERE name = $1)",
        )
        .bind(&account.name)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(AccountChange::Done)
    }

    /// Lets a user sign in no more, ends its sessions and revokes its API tokens.
    pub async fn disable_account(&self, name: &str, now: UnixMs) -> Result<AccountChange, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(refused) = check(&mut tx, name, false).await? {
            return Ok(refused);
        }
        sqlx::query(
            "UPDATE account SET disabled_ts = COALESCE(disabled_ts, $2), password_asked_ts = NULL, \
             sessions_after_ts = $2 WHERE name = $1",
        )
        .bind(name)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        session::forget_owner(&mut tx, name, now).await?;
        tx.commit().await?;
        Ok(AccountChange::Done)
    }

    /// Lets a user sign in again; `false` when there is no such user.
    pub async fn enable_account(&self, name: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE account SET disabled_ts = NULL WHERE name = $1")
            .bind(name)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends every session of a user that began before `now`; `false` when there is no such user.
    pub async fn end_sessions(&self, name: &str, now: UnixMs) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("UPDATE account SET sessions_after_ts = $2 WHERE name = $1")
            .bind(name)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        session::end_all(&mut tx, name, now).await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// How a user wants the app to be, as JSON; `None` when the user never said.
    pub async fn preferences<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let row = sqlx::query("SELECT preferences FROM account WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.read)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let text: Option<String> = row.try_get(0)?;
        text.map(|text| word::from_json("account", &text)).transpose()
    }

    /// Keeps how a user wants the app to be; letters to the user are in that language, too. `false` when there is no such user.
    pub async fn set_preferences<T: Serialize>(
        &self,
        name: &str,
        preferences: &T,
        language: Language,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE account SET preferences = $2, language = $3 WHERE name = $1")
            .bind(name)
            .bind(word::json(preferences))
            .bind(word::of(&language))
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Deletes a user. What the user did stays in the audit log.
    pub async fn delete_account(&self, name: &str, now: UnixMs) -> Result<AccountChange, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(refused) = check(&mut tx, name, false).await? {
            return Ok(refused);
        }
        session::forget_owner(&mut tx, name, now).await?;
        sqlx::query("DELETE FROM account WHERE name = $1").bind(name).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(AccountChange::Done)
    }
}

/// Why a user must not be changed, if so. `keeps`: whoever is an administrator stays one.
async fn check(tx: &mut Transaction<'_, Any>, name: &str, keeps: bool) -> Result<Option<AccountChange>, StoreError> {
    // Two changes at once, each of which leaves the other's administrator: the second one waits here.
    sqlx::query("UPDATE role SET builtin = builtin WHERE name = 'administrator'").execute(&mut **tx).await?;
    let row = sqlx::query("SELECT role, disabled_ts FROM account WHERE name = $1")
        .bind(name)
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else { return Ok(Some(AccountChange::NoSuchUser)) };
    let role: Role = word::read("account", row.try_get(0)?)?;
    let is_disabled = row.try_get::<Option<UnixMs>, _>(1)?.is_some();
    if keeps || role != Role::Administrator || is_disabled {
        return Ok(None);
    }
    let other = sqlx::query(
        "SELECT name FROM account WHERE role = 'administrator' AND disabled_ts IS NULL AND name <> $1 LIMIT 1",
    )
    .bind(name)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(other.is_none().then_some(AccountChange::LastAdministrator))
}

fn read(row: &AnyRow) -> Result<Account, StoreError> {
    Ok(Account {
        name: row.try_get(0)?,
        role: word::read("account", row.try_get(1)?)?,
        display_name: row.try_get(2)?,
        email: row.try_get(3)?,
        language: word::read("account", row.try_get(4)?)?,
        client: id::parse_some("account", row.try_get(5)?)?,
        created: row.try_get(6)?,
        disabled: row.try_get(7)?,
        sessions_after: row.try_get(8)?,
        signed_in: row.try_get(9)?,
        asks: row.try_get(10)?,
        has_password: row.try_get::<i64, _>(11)? != 0,
        second_factor: row.try_get(12)?,
        invited: row.try_get(13)?,
    })
}
