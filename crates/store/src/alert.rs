//! Alerts, as they stand and as they were.

use bugbrother_wire::{
    AlertId, SCHEMA_VERSION, UnixMs, Vin,
    message::{Alert, AlertState},
};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{Store, StoreError, alert_event, alert_event::AlertEventKind, number, number::Real, page, word};

/// A list of alerts, see [`read`].
macro_rules! alert_sql {
    ($rest:literal) => {
        concat!(
            "SELECT id, vin, rule, title, severity, state, opened, updated, resolved, count, value, acknowledged_by, \
             signal, threshold, lat, lon, late, detail FROM alert ",
            $rest
        )
    };
}
pub(crate) use alert_sql;

/// Changes alert $1 at $2 where it still fits, and reads it.
macro_rules! update_sql {
    ($set:literal, $where:literal) => {
        concat!(
            "UPDATE alert SET ",
            $set,
            ", updated = CASE WHEN updated < $2 THEN $2 ELSE updated END WHERE id = $1 AND ",
            $where,
            " RETURNING id, vin, rule, title, severity, state, opened, updated, resolved, count, value, acknowledged_by, \
             signal, threshold, lat, lon, late, detail"
        )
    };
}
pub(crate) use update_sql;

/// How often a save is tried whose alert others open and resolve at the same time.
const TRIES: u32 = 4;

impl Store {
    /// Alerts that are not resolved, oldest first.
    pub async fn active_alerts(&self, limit: u32) -> Result<Vec<Alert>, StoreError> {
        let rows = sqlx::query(alert_sql!("WHERE resolved IS NULL ORDER BY opened, id LIMIT $1"))
            .bind(page(limit))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }

    /// All alerts that were opened before `before`, newest first.
    pub async fn alerts(&self, before: Option<UnixMs>, limit: u32) -> Result<Vec<Alert>, StoreError> {
        let rows = sqlx::query(alert_sql!("WHERE opened < $1 ORDER BY opened DESC, id DESC LIMIT $2"))
            .bind(before.unwrap_or(UnixMs::MAX))
            .bind(page(limit))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Alerts of a vehicle, newest first, those before `before`: opening and identity of the last one of the page before.
    pub async fn vehicle_alerts(
        &self,
        vin: Vin,
        before: Option<(UnixMs, AlertId)>,
        limit: u32,
    ) -> Result<Vec<Alert>, StoreError> {
        let rows = sqlx::query(alert_sql!(
            "WHERE vin = $1 AND (opened, id) < ($2, $3) ORDER BY opened DESC, id DESC LIMIT $4"
        ))
        .bind(vin.as_str())
        .bind(before.map_or(UnixMs::MAX, |(opened, _)| opened))
        .bind(before.map_or(String::new(), |(_, id)| id.to_string()))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Stores an alert as it stands now, see [`Store::save_alerts`].
    pub async fn save_alert(&self, alert: &Alert) -> Result<Alert, StoreError> {
        let mut tx = self.begin().await?;
        let stored = save(&mut tx, alert).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Stores alerts as they stand now, all of them or none, and returns each as it is stored: whoever saves an alert
    /// need not have heard that a person acknowledged it, so until it is resolved it stays acknowledged, and who did so
    /// stays known. Each change of an alert's state is written into its [history](Store::alert_events).
    ///
    /// A rule has one active alert of a vehicle. Where there is one already that the saver does not know, what is saved is
    /// said of that one: it keeps its identity, which is returned.
    pub async fn save_alerts(&self, alerts: &[Alert]) -> Result<Vec<Alert>, StoreError> {
        let mut tx = self.begin().await?;
        let mut stored = Vec::new();
        for alert in alerts {
            stored.push(save(&mut tx, alert).await?);
        }
        tx.commit().await?;
        Ok(stored)
    }
}

/// Stores an alert, and what has happened to it since it was stored last.
pub(crate) async fn save(tx: &mut Transaction<'_, Any>, alert: &Alert) -> Result<Alert, StoreError> {
    // What came late is of the past, and says nothing of what is active.
    let is_over = alert.resolved.is_some() && !alert.late;
    for _ in 0..TRIES {
        if let Some(before) = alert_event::hold(tx, alert.id).await? {
            let stored = update(tx, alert).await?;
            return told(tx, before, stored).await;
        }
        if is_over && let Some((before, known)) = hold_active(tx, alert).await? {
            let stored = update(tx, &Alert { id: known, ..alert.clone() }).await?;
            return told(tx, before, stored).await;
        }
        if insert(tx, alert).await? {
            alert_event::append(tx, alert.id, alert.updated, AlertEventKind::Opened, None, None).await?;
            return told(tx, AlertState::Open, alert.clone()).await;
        }
        if let Some((before, known)) = hold_active(tx, alert).await? {
            let again = count(tx, known).await?.saturating_add(alert.count);
            let stored = update(tx, &Alert { id: known, count: again, ..alert.clone() }).await?;
            return told(tx, before, stored).await;
        }
        // Somebody has resolved it in this moment.
    }
    Err(StoreError::refused("alert", "others open and resolve alerts of this rule and vehicle all the time"))
}

/// The active alert of the same rule and vehicle, and its state. From here on nobody else changes it.
async fn hold_active(
    tx: &mut Transaction<'_, Any>,
    alert: &Alert,
) -> Result<Option<(AlertState, AlertId)>, StoreError> {
    let row =
        sqlx::query("UPDATE alert SET id = id WHERE rule = $1 AND vin = $2 AND resolved IS NULL RETURNING state, id")
            .bind(&alert.rule)
            .bind(alert.vin.as_str())
            .fetch_optional(&mut **tx)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let id = row.try_get::<&str, _>(1)?.parse().map_err(|error| StoreError::corrupt("alert", error))?;
    Ok(Some((word::read("alert", row.try_get(0)?)?, id)))
}

async fn count(tx: &mut Transaction<'_, Any>, id: AlertId) -> Result<u32, StoreError> {
    let row = sqlx::query("SELECT count FROM alert WHERE id = $1").bind(id.to_string()).fetch_one(&mut **tx).await?;
    number::count("alert", row.try_get(0)?)
}

/// Adds a row, unless there is one of that identity or another active one of the same rule and vehicle.
async fn insert(tx: &mut Transaction<'_, Any>, alert: &Alert) -> Result<bool, StoreError> {
    let made = sqlx::query(
        "INSERT INTO alert (id, vin, rule, title, severity, state, opened, updated, resolved, count, value, \
         acknowledged_by, signal, threshold, lat, lon, late, detail) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ON CONFLICT DO NOTHING",
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
    .bind(Real(alert.value))
    .bind(alert.acknowledged_by.as_deref())
    .bind(alert.signal.as_deref())
    .bind(Real(alert.limit))
    .bind(Real(alert.lat))
    .bind(Real(alert.lon))
    .bind(i64::from(alert.late))
    .bind(alert.detail.as_ref().map(word::json))
    .execute(&mut **tx)
    .await?;
    Ok(made.rows_affected() == 1)
}

/// Writes a change of an alert's state into its history.
async fn told(tx: &mut Transaction<'_, Any>, before: AlertState, stored: Alert) -> Result<Alert, StoreError> {
    if stored.state != before {
        let kind = match stored.state {
            AlertState::Open => AlertEventKind::Opened,
            AlertState::Acknowledged => AlertEventKind::Acknowledged,
            AlertState::Resolved => AlertEventKind::Resolved,
        };
        let by = stored.acknowledged_by.as_deref().filter(|_| kind == AlertEventKind::Acknowledged);
        alert_event::append(tx, stored.id, stored.updated, kind, by, None).await?;
    }
    Ok(stored)
}

async fn update(tx: &mut Transaction<'_, Any>, alert: &Alert) -> Result<Alert, StoreError> {
    let row = sqlx::query(
        "UPDATE alert SET severity = $2, updated = $3, resolved = $4, value = $6, threshold = $9, detail = $10, \
         count = CASE WHEN count < $5 THEN $5 ELSE count END, \
         state = CASE WHEN state = 'acknowledged' AND $7 = 'open' THEN state ELSE $7 END, \
         acknowledged_by = COALESCE(acknowledged_by, $8) WHERE id = $1 \
         RETURNING state, acknowledged_by, count",
    )
    .bind(alert.id.to_string())
    .bind(word::of(&alert.severity))
    .bind(alert.updated)
    .bind(alert.resolved)
    .bind(i64::from(alert.count))
    .bind(Real(alert.value))
    .bind(word::of(&alert.state))
    .bind(alert.acknowledged_by.as_deref())
    .bind(Real(alert.limit))
    .bind(alert.detail.as_ref().map(word::json))
    .fetch_one(&mut **tx)
    .await?;
    let state = word::read("alert", row.try_get(0)?)?;
    let count = number::count("alert", row.try_get(2)?)?;
    Ok(Alert { state, acknowledged_by: row.try_get(1)?, count, ..alert.clone() })
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
        count: number::count("alert", row.try_get(9)?)?,
        value: row.try_get(10)?,
        acknowledged_by: row.try_get(11)?,
        signal: row.try_get(12)?,
        limit: row.try_get(13)?,
        lat: row.try_get(14)?,
        lon: row.try_get(15)?,
        late: row.try_get::<i64, _>(16)? != 0,
        detail: row.try_get::<Option<&str>, _>(17)?.map(|detail| word::from_json("alert", detail)).transpose()?,
    })
}
