use bugbrother_wire::codec::decode_value;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::Row;

use super::{Outbox, OutboxError, failed};

impl Outbox {
    /// What a part of the agent has noted of itself before the agent ended last; `None` where that is of no use any more.
    pub async fn noted<T: DeserializeOwned>(&self, part: &str) -> Result<Option<T>, OutboxError> {
        let db = &mut self.0.file.lock().await.db;
        let row = sqlx::query("SELECT body FROM note WHERE part = $1").bind(part).fetch_optional(db).await;
        Ok(row.map_err(failed("read"))?.and_then(|row| decode_value(row.get(0)).ok()))
    }

    /// Has a part of the agent find this after the next start.
    pub async fn note(&self, part: &str, what: &impl Serialize) -> Result<(), OutboxError> {
        let db = &mut self.0.file.lock().await.db;
        sqlx::query("INSERT OR REPLACE INTO note (part, body) VALUES ($1, $2)")
            .bind(part)
            .bind(bugbrother_wire::encode(what))
            .execute(db)
            .await
            .map(drop)
            .map_err(failed("written"))
    }
}
