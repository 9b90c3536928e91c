//! People who may sign in.

use bugbrother_wire::{UnixMs, api::Role};
use sqlx::Row;

use crate::{Store, StoreError, word};

/// Somebody who may sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// User name.
    pub name: String,
    /// Of the password, in the PHC form (`$argon2id$…`).
    pub password_hash: String,
    /// What the user may do.
    pub role: Role,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

impl Store {
    /// The user with that name.
    pub async fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        let row = sqlx::query("SELECT name, password_hash, role FROM account WHERE name = $1")
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

    /// Gives a user another password; `false` when there is no such user.
    pub async fn set_password_hash(&self, name: &str, password_hash: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE account SET password_hash = $2 WHERE name = $1")
            .bind(name)
            .bind(password_hash)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether anybody may sign in.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        let one = sqlx::query("SELECT name FROM account LIMIT 1").fetch_optional(&self.read).await?;
        Ok(one.is_some())
    }
}
