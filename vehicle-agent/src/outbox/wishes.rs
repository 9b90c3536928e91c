use std::collections::BTreeMap;

use sqlx::{Connection, Row};

use super::{Outbox, OutboxError, failed, to_column};
use crate::budget::Usage;

/// What the fleet wanted last of the vehicle. It counts from the start on, in reach or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Rises with every change.
    pub revision: u64,
    /// Position stays in the vehicle.
    pub private: bool,
    /// Signal key → wanted interval in ms.
    pub periods_ms: BTreeMap<String, u32>,
    /// Most bytes over the network in a day (UTC).
    pub daily_bytes: Option<u64>,
}

impl Outbox {
    /// What the fleet wanted last; `None` if it never said.
    pub async fn wanted(&self) -> Result<Option<Wanted>, OutboxError> {
        let db = &mut self.0.file.lock().await.db;
        let row = sqlx::query("SELECT revision, private, daily_bytes FROM wanted").fetch_optional(&mut *db).await;
        let Some(row) = row.map_err(failed("read"))? else { return Ok(None) };
        let periods: Vec<(String, u32)> =
            sqlx::query_as("SELECT key, period_ms FROM wanted_period").fetch_all(db).await.map_err(failed("read"))?;
        Ok(Some(Wanted {
            revision: row.get::<i64, _>(0).unsigned_abs(),
            private: row.get(1),
            periods_ms: periods.into_iter().collect(),
            daily_bytes: row.get::<Option<i64>, _>(2).map(i64::unsigned_abs),
        }))
    }

    /// Keeps what the fleet wants, in place of what it wanted before.
    pub async fn note_wanted(&self, wanted: &Wanted) -> Result<(), OutboxError> {
        let db = &mut self.0.file.lock().await.db;
        let mut tx = db.begin().await.map_err(failed("written"))?;
        sqlx::query("INSERT OR REPLACE INTO wanted (one, revision, private, daily_bytes) VALUES (1, $1, $2, $3)")
            .bind(to_column(wanted.revision))
            .bind(wanted.private)
            .bind(wanted.daily_bytes.map(to_column))
            .execute(&mut *tx)
            .await
            .map_err(failed("written"))?;
        sqlx::query("DELETE FROM wanted_period").execute(&mut *tx).await.map_err(failed("written"))?;
        for (key, period_ms) in &wanted.periods_ms {
            sqlx::query("INSERT INTO wanted_period (key, period_ms) VALUES ($1, $2)")
                .bind(key)
                .bind(period_ms)
                .execute(&mut *tx)
                .await
                .map_err(failed("written"))?;
        }
        tx.commit().await.map_err(failed("written"))
    }

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
