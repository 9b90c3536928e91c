//! Alerts, as they stand and as they were.

use bugbrother_wire::{AlertId, SCHEMA_VERSION, UnixMs, Vin, message::Alert};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{Store, StoreError, page, word};

impl Store {
    /// Alerts that are not resolved, oldest first.
    pub async fn active_alerts(&self, limit: u32) -> Result<Vec<Alert>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, vin, rule, title, severity, state, opened, updated, resolved, count, value, acknowledged_by \
             FROM alert WHERE resolved IS NULL ORDER BY opened, id LIMIT $1",
        )
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// All alerts that were opened before `before`, newest first.
    pub async fn alerts(&self, before: Option<UnixMs>, limit: u32) -> Result<Vec<Alert>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, vin, rule, title, severity, state, opened, updated, resolved, count, value, acknowledged_by \
             FROM alert WHERE opened < $1 ORDER BY opened DESC, id DESC LIMIT $2",
        )
        .bind(before.unwrap_or(UnixMs::MAX))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Stores an alert as it stands now, see [`Store::save_alerts`].
    pub async fn save_alert(&self, alert: &Alert) -> Result<Alert, StoreError> {
        let mut tx = self.begin().await?;
        let stored = upsert(&mut tx, alert).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Stores alerts as they stand now, all of them or none, and returns each as it is stored: whoever saves an alert
    /// need not have heard that a person acknowledged it, so until it is resolved it stays acknowledged, and who did so
    /// stays known.
    pub async fn save_alerts(&self, alerts: &[Alert]) -> Result<Vec<Alert>, StoreError> {
        let mut tx = self.begin().await?;
        let mut stored = Vec::new();
        for alert in alerts {
            stored.push(upsert(&mut tx, alert).await?);
        }
        tx.commit().await?;
        Ok(stored)
    }
}

async fn upsert(tx: &mut Transaction<'_, Any>, alert: &Alert) -> Result<Alert, StoreError> {
    let row = sqlx::query(
        "INSERT INTO alert (id, vin, rule, title, severity, state, opened, updated, resolved, count, value, \
         acknowledged_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, updated = excluded.updated, \
         resolved = excluded.resolved, count = excluded.count, value = excluded.value, \
         state = CASE WHEN alert.state = 'acknowledged' AND excluded.state = 'open' THEN alert.state \
         ELSE excluded.state END, \
         acknowledged_by = COALESCE(alert.acknowledged_by, excluded.acknowledged_by) \
         RETURNING state, acknowledged_by",
    )
    .bind(alert.id.to_string())
    .bind(alert.vin.as_str())
    .bind(&alert.rule)
    .bind(&alert.title)
    .bind(word::of(&alert.severity))
    .bind(word::of(&alert.state))
    .bind(alert.opened)
    .bind(alert.updated)
    .bind(alert.resolved)
    .bind(i64::from(alert.count))
    .bind(alert.value)
    .bind(alert.acknowledged_by.as_deref())
    .fetch_one(&mut **tx)
    .await?;
    let state = word::read("alert", row.try_get(0)?)?;
    Ok(Alert { state, acknowledged_by: row.try_get(1)?, ..alert.clone() })
}

pub(crate) fn read(row: &AnyRow) -> Result<Alert, StoreError> {
    let id: AlertId = row.try_get::<&str, _>(0)?.parse().map_err(|error| StoreError::corrupt("alert", error))?;
    let vin: Vin = row.try_get::<&str, _>(1)?.parse().map_err(|error| StoreError::corrupt("alert", error))?;
    Ok(Alert {
        v: SCHEMA_VERSION,
        vin,
        id,
        rule: row.try_get(2)?,
        title: row.try_get(3)?,
        severity: word::read("alert", row.try_get(4)?)?,
        state: word::read("alert", row.try_get(5)?)?,
        opened: row.try_get(6)?,
        updated: row.try_get(7)?,
        resolved: row.try_get(8)?,
        count: u32::try_from(row.try_get::<i64, _>(9)?).map_err(|error| StoreError::corrupt("alert", error))?,
        value: row.try_get(10)?,
        acknowledged_by: row.try_get(11)?,
    })
}
