use bugbrother_wire::{CommandId, UnixMs};
use sqlx::{Row, SqliteConnection};

use super::{Outbox, OutboxError, failed, to_column};

/// So many of the last commands are known again when they come twice.
const REMEMBERED: u64 = 256;

/// A command that was begun before the agent ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its identity.
    pub id: CommandId,
    /// Its name.
    pub name: String,
}

impl Outbox {
    /// Notes that a command is taken on, before it is carried out; `false` when it was before: it is never done twice.
    pub async fn take_command(&self, id: CommandId, name: &str, now: UnixMs) -> Result<bool, OutboxError> {
        let db = &mut self.0.file.lock().await.db;
        let done = sqlx::query("INSERT OR IGNORE INTO command (id, name, taken_at) VALUES ($1, $2, $3)")
            .bind(id.0.as_bytes().as_slice())
            .bind(name)
            .bind(now)
            .execute(&mut *db)
            .await
            .map_err(failed("written"))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("DELETE FROM command WHERE ended = 1 AND number <= (SELECT max(number) FROM command) - $1")
            .bind(to_column(REMEMBERED))
            .execute(db)
            .await
            .map_err(failed("written"))?;
        Ok(true)
    }

    /// Commands that were taken on and have not come to their end, in the order in which they came.
    pub async fn unfinished_commands(&self) -> Result<Vec<Unfinished>, OutboxError> {
        let db = &mut self.0.file.lock().await.db;
        let rows = sqlx::query("SELECT id, name FROM command WHERE ended = 0 ORDER BY number")
            .fetch_all(db)
            .await
            .map_err(failed("read"))?;
        rows.iter()
            .map(|row| {
                let id = uuid::Uuid::from_slice(row.get(0)).map_err(|_| OutboxError::Corrupt("command"))?;
                Ok(Unfinished { id: CommandId(id), name: row.get(1) })
            })
            .collect()
    }
}

/// Notes that a command has come to its end, in the transaction that holds its last reply: where that is cut off, neither is
/// there.
pub(super) async fn end(tx: &mut SqliteConnection, id: CommandId) -> Result<(), OutboxError> {
    sqlx::query("UPDATE command SET ended = 1 WHERE id = $1")
        .bind(id.0.as_bytes().as_slice())
        .execute(tx)
        .await
        .map_err(failed("written"))?;
    Ok(())
}
