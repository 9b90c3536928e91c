//! What the roles are called and what they permit. What a program does it decides by
//! [`Role`](bugbrother_wire::api::Role); this is for people.

use sqlx::Row;

use crate::{Store, StoreError, page, word};

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDescription {
    /// Its name, such as `operator`.
    pub name: String,
    /// What it is called.
    pub label: String,
    /// What it permits, a word each.
    pub permissions: Vec<String>,
    /// Whether it came with the database.
    pub builtin: bool,
}

impl Store {
    /// All roles, by name.
    pub async fn roles(&self, limit: u32) -> Result<Vec<RoleDescription>, StoreError> {
        let rows = sqlx::query("SELECT name, label, permissions, builtin FROM role ORDER BY name LIMIT $1")
            .bind(page(limit))
            .fetch_all(&self.read)
            .await?;
        let read = |row: &sqlx::any::AnyRow| {
            Ok(RoleDescription {
                name: row.try_get(0)?,
                label: row.try_get(1)?,
                permissions: word::from_json("role", row.try_get(2)?)?,
                builtin: row.try_get::<i64, _>(3)? != 0,
            })
        };
        rows.iter().map(read).collect()
    }
}
