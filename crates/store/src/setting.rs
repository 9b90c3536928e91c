//! Settings of the fleet that people change while it runs.

use bugbrother_wire::UnixMs;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::Row;

use crate::{Store, StoreError, word};

/// A group of settings that is stored as one. Its default counts until somebody has said otherwise.
///
/// Fields are only added, and each needs a default: what an older version has stored must stay readable.
pub trait Setting: Serialize + DeserializeOwned + Default {
    /// Its name in the table.
    const KEY: &'static str;

    /// What is wrong with it, if anything is.
    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

/// When a setting was changed last, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// When.
    pub at: UnixMs,
    /// User name, if a person did.
    pub by: Option<String>,
}

impl Store {
    /// A group of settings as it stands.
    pub async fn setting<T: Setting>(&self) -> Result<T, StoreError> {
        let row =
            sqlx::query("SELECT value FROM setting WHERE key = $1").bind(T::KEY).fetch_optional(&self.read).await?;
        row.map_or(Ok(T::default()), |row| word::from_json("setting", row.try_get(0)?))
    }

    /// When a group of settings was changed last; nothing while the default counts.
    pub async fn setting_change<T: Setting>(&self) -> Result<Option<SettingChange>, StoreError> {
        let row = sqlx::query("SELECT updated_ts, updated_by FROM setting WHERE key = $1")
            .bind(T::KEY)
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| Ok(SettingChange { at: row.try_get(0)?, by: row.try_get(1)? })).transpose()
    }

    /// Changes a group of settings, unless something is wrong with it.
    pub async fn save_setting<T: Setting>(&self, value: &T, by: Option<&str>, now: UnixMs) -> Result<(), StoreError> {
        value.check().map_err(|problem| StoreError::refused("setting", problem))?;
        sqlx::query(
            "INSERT INTO setting (key, value, updated_ts, updated_by) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_ts = excluded.updated_ts, \
             updated_by = excluded.updated_by",
        )
        .bind(T::KEY)
        .bind(word::checked_json("setting", value)?)
        .bind(now)
        .bind(by)
        .execute(&self.write)
        .await?;
        Ok(())
    }
}
