//! What happens to alerts after they are raised: their history, and who sees to them.

use bugbrother_wire::{AlertId, UnixMs, message::AlertState};
use serde::{Deserialize, Serialize};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{Store, StoreError, number, page, word};

/// Something that happened to an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertEvent {
    /// Rises by one with each of the same alert; the first is 1.
    pub number: u32,
    /// When.
    pub at: UnixMs,
    /// What.
    pub kind: AlertEventKind,
    /// Who did it, if a person did.
    pub by: Option<String>,
    /// A comment, to whom it was assigned, or whatever else is to be said.
    pub text: Option<String>,
}

/// What happens to alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertEventKind {
    /// It was raised.
    Opened,
    /// Somebody said that they see to it.
    Acknowledged,
    /// It was given to somebody, or to nobody any more.
    Assigned,
    /// Somebody had something to say.
    Commented,
    /// It is to rest for a while, or no longer.
    Snoozed,
    /// Nobody saw to it in time.
    Escalated,
    /// Its cause is gone.
    Resolved,
}

/// Who sees to an alert, and when it is to be heard of again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handling {
    /// User name.
    pub assigned_to: Option<String>,
    /// Until then it rests.
    pub snoozed_until: Option<UnixMs>,
}

impl Store {
    /// Adds to the history of an alert and tells the number of what was added; nothing when there is no such alert.
    ///
    /// Changes of the state are added by [`Store::save_alert`], giving it to somebody and letting it rest by
    /// [`Store::assign_alert`] and [`Store::snooze_alert`].
    pub async fn append_alert_event(
        &self,
        alert: AlertId,
        at: UnixMs,
        kind: AlertEventKind,
        by: Option<&str>,
        text: Option<&str>,
    ) -> Result<Option<u32>, StoreError> {
        let mut tx = self.begin().await?;
        if hold(&mut tx, alert).await?.is_none() {
            return Ok(None);
        }
        let number = append(&mut tx, alert, at, kind, by, text).await?;
        tx.commit().await?;
        Ok(Some(number))
    }

    /// The history of an alert, oldest first, what came after number `after`.
    pub async fn alert_events(&self, alert: AlertId, after: u32, limit: u32) -> Result<Vec<AlertEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT number, at_ts, kind, by_user, text FROM alert_event WHERE alert = $1 AND number > $2 \
             ORDER BY number LIMIT $3",
        )
        .bind(alert.to_string())
        .bind(i64::from(after))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Gives an alert to somebody, or to nobody; `false` when there is no such alert.
    pub async fn assign_alert(
        &self,
        alert: AlertId,
        to: Option<&str>,
        by: &str,
        now: UnixMs,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("UPDATE alert SET assigned_to = $2 WHERE id = $1")
            .bind(alert.to_string())
            .bind(to)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        append(&mut tx, alert, now, AlertEventKind::Assigned, Some(by), to).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Lets an alert rest until a moment, or no longer; `false` when there is no such alert.
    pub async fn snooze_alert(
        &self,
        alert: AlertId,
        until: Option<UnixMs>,
        by: &str,
        now: UnixMs,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("UPDATE alert SET snoozed_until = $2 WHERE id = $1")
            .bind(alert.to_string())
            .bind(until)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let text = until.map(|until| until.to_string());
        append(&mut tx, alert, now, AlertEventKind::Snoozed, Some(by), text.as_deref()).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Who sees to an alert; nothing when there is no such alert.
    pub async fn alert_handling(&self, alert: AlertId) -> Result<Option<Handling>, StoreError> {
        let row = sqlx::query("SELECT assigned_to, snoozed_until FROM alert WHERE id = $1")
            .bind(alert.to_string())
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| Ok(Handling { assigned_to: row.try_get(0)?, snoozed_until: row.try_get(1)? })).transpose()
    }
}

/// The state of an alert. From here on nobody else changes it, or adds to its history, before the transaction ends.
pub(crate) async fn hold(tx: &mut Transaction<'_, Any>, alert: AlertId) -> Result<Option<AlertState>, StoreError> {
    let row = sqlx::query("UPDATE alert SET id = id WHERE id = $1 RETURNING state")
        .bind(alert.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| word::read("alert", row.try_get(0)?)).transpose()
}

/// Adds to the history of an alert whose row this transaction holds.
pub(crate) async fn append(
    tx: &mut Transaction<'_, Any>,
    alert: AlertId,
    at: UnixMs,
    kind: AlertEventKind,
    by: Option<&str>,
    text: Option<&str>,
) -> Result<u32, StoreError> {
    let row = sqlx::query(
        "INSERT INTO alert_event (alert, number, at_ts, kind, by_user, text) \
         SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5 FROM alert_event WHERE alert = $1 RETURNING number",
    )
    .bind(alert.to_string())
    .bind(at)
    .bind(word::of(&kind))
    .bind(by)
    .bind(text)
    .fetch_one(&mut **tx)
    .await?;
    number::count("alert_event", row.try_get(0)?)
}

fn read(row: &AnyRow) -> Result<AlertEvent, StoreError> {
    read_from(row, 0)
}

/// The same, from a column on.
pub(crate) fn read_from(row: &AnyRow, first: usize) -> Result<AlertEvent, StoreError> {
    Ok(AlertEvent {
        number: number::count("alert_event", row.try_get(first)?)?,
        at: row.try_get(first + 1)?,
        kind: word::read("alert_event", row.try_get(first + 2)?)?,
        by: row.try_get(first + 3)?,
        text: row.try_get(first + 4)?,
    })
}
