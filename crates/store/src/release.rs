//! Records out of quarantine, once their time has come or a clock was set right.

use bugbrother_wire::{Message, UnixMs, judge_present, message::Telemetry, verdict::MAX_AHEAD_MS};
use sqlx::Row;
use tokio::time::timeout;

use crate::{
    Store, StoreError,
    commit::{PATIENCE, telemetry},
};

/// Records that are released at once.
const STEP: i64 = 100;

/// Number, when it was received, payload, and what it says, where this version can read it.
type Record = (i64, UnixMs, Vec<u8>, Option<Message>);

/// What was released.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Released {
    /// How many records.
    pub records: u64,
    /// Vehicles with new batches in the tail, and how many rows these have.
    pub waiting: Vec<(bugbrother_wire::Vin, u64)>,
}

impl Store {
    /// Takes some records out of quarantine whose time is possible at `now`, and keeps them as if they had just been sent.
    pub async fn release(&self, now: UnixMs) -> Result<Released, StoreError> {
        let rows = sqlx::query(
            "SELECT number, topic, received_ts, payload FROM quarantine WHERE at_ts <= $1 ORDER BY at_ts LIMIT $2",
        )
        .bind(now.saturating_add(MAX_AHEAD_MS))
        .bind(STEP)
        .fetch_all(&self.read)
        .await?;
        let mut records: Vec<Record> = Vec::with_capacity(rows.len());
        for row in &rows {
            let (topic, payload): (String, Vec<u8>) = (row.try_get(1)?, row.try_get(3)?);
            let message = judge_present(&topic, &payload, now).ok().map(|(_, message)| message);
            records.push((row.try_get(0)?, row.try_get(2)?, payload, message));
        }
        if records.is_empty() {
            return Ok(Released::default());
        }
        match self.release_some(&records).await {
            Err(error) if error.is_about_content() => {}
            released => return released,
        }
        // One of them holds what the database does not take: each by itself, and that one stays.
        let mut released = Released::default();
        for record in &records {
            match self.release_some(std::slice::from_ref(record)).await {
                Err(error) if error.is_about_content() => {
                    let sql = "UPDATE quarantine SET at_ts = NULL WHERE number = $1";
                    sqlx::query(sql).bind(record.0).execute(&self.write).await?;
                }
                one => {
                    let one = one?;
                    released.records += one.records;
                    released.waiting.extend(one.waiting);
                }
            }
        }
        Ok(released)
    }

    async fn release_some(&self, records: &[Record]) -> Result<Released, StoreError> {
        timeout(PATIENCE, self.release_all(records)).await.unwrap_or(Err(StoreError::Silent))
    }

    async fn release_all(&self, records: &[Record]) -> Result<Released, StoreError> {
        let batches: Vec<&Telemetry> = records.iter().filter_map(|record| telemetry(record.3.as_ref()?)).collect();
        self.series.write(&batches).await?;
        let mut memory = self.memory.lock().await;
        memory.begin();
        let mut writer = self.writer(&mut memory).await?;
        let mut released = Released::default();
        for (number, received_ts, payload, message) in records {
            let Some(message) = message else {
                // This version cannot read it: it stays, and is not looked at again.
                let sql = "UPDATE quarantine SET at_ts = NULL WHERE number = $1";
                sqlx::query(sql).bind(number).execute(&mut *writer.tx).await?;
                continue;
            };
            // What is not there any more another process has released.
            let sql = "DELETE FROM quarantine WHERE number = $1";
            if sqlx::query(sql).bind(number).execute(&mut *writer.tx).await?.rows_affected() == 1 {
                writer.keep(message, payload, *received_ts).await?;
                released.records += 1;
            }
        }
        released.waiting = writer.finish(self.identity()).await?.waiting;
        Ok(released)
    }
}
