//! A copy of the embedded database, made while it is in use.

use std::path::Path;

use uuid::Uuid;

use crate::{Engine, Store, StoreError};

impl Store {
    /// Writes the whole database, as it is at this moment, to a new file. Writers are not held up.
    pub async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        if self.engine != Engine::Sqlite {
            return Err(StoreError::NoFile);
        }
        let path = path.to_str().ok_or(StoreError::NoFile)?;
        sqlx::query("VACUUM INTO $1").bind(path).execute(&self.read).await?;
        Ok(())
    }

    /// Tells whether every page and index of the database is whole.
    pub async fn is_whole(&self) -> Result<bool, StoreError> {
        if self.engine != Engine::Sqlite {
            return Err(StoreError::NoFile);
        }
        let said: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&self.read).await?;
        Ok(said == "ok")
    }

    /// Makes another database of it: what was acknowledged since the copy was made is not in it, and vehicles that see another
    /// identity send again what they still have.
    pub async fn renew_identity(&self) -> Result<String, StoreError> {
        let identity = Uuid::new_v4().to_string();
        sqlx::query("UPDATE meta SET value = $1 WHERE key = 'identity'").bind(&identity).execute(&self.write).await?;
        Ok(identity)
    }
}
