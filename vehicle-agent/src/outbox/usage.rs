use sqlx::Row;

use super::{Outbox, OutboxError, failed, to_column};
use crate::budget::Usage;

impl Outbox {
    /// What has gone over the network on the last day that was counted.
    pub async fn usage(&self) -> Result<Option<Usage>, OutboxError> {
        let db = &mut self.0.file.lock().await.db;
        let row = sqlx::query("SELECT day, bytes FROM usage").fetch_optional(db).await.map_err(failed("read"))?;
        Ok(row.map(|row| Usage { day: row.get(0), bytes: row.get::<i64, _>(1).unsigned_abs() }))
    }

    /// Keeps what has gone over the network, in place of what was counted before.
    pub async fn note_usage(&self, usage: Usage) -> Result<(), OutboxError> {
        let db = &mut self.0.file.lock().await.db;
        sqlx::query("INSERT OR REPLACE INTO usage (one, day, bytes) VALUES (1, $1, $2)")
            .bind(usage.day)
            .bind(to_column(usage.bytes))
            .execute(db)
            .await
            .map(drop)
            .map_err(failed("written"))
    }
}
