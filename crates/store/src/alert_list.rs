//! Alerts as people look for them and see to them.

use bugbrother_wire::{
    AlertId, UnixMs, Vin,
    message::{Alert, AlertState, Severity},
};
use sqlx::{Row, any::AnyRow};

use crate::{ClientId, Handling, Store, StoreError, alert, alert_event, alert_event::AlertEventKind, page, word};

/// An alert, and who sees to it.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRecord {
    /// As it stands.
    pub alert: Alert,
    /// Who sees to it.
    pub handling: Handling,
}

/// Which alerts are wanted. Nothing said, all are.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AlertFilter<'a> {
    /// Of that vehicle.
    pub vin: Option<Vin>,
    /// Of that rule.
    pub rule: Option<&'a str>,
    /// Of that severity.
    pub severity: Option<Severity>,
    /// In that state.
    pub state: Option<AlertState>,
    /// Not resolved.
    pub active: bool,
    /// Opened then or later.
    pub from: Option<UnixMs>,
    /// Opened then or before.
    pub to: Option<UnixMs>,
    /// Of vehicles that a client sees at a moment, see [`Store::client_vehicles`].
    pub seen_by: Option<(ClientId, UnixMs)>,
}

/// $1, $2: opening and identity of the last one of the page before; $3: how many. Empty texts stand for "any".
macro_rules! page_sql {
    ($where:literal) => {
        concat!(
            "SELECT id, vin, rule, title, severity, state, opened, updated, resolved, count, value, acknowledged_by, \
             signal, threshold, lat, lon, late, detail, assigned_to, snoozed_until FROM alert WHERE ",
            $where,
            "(opened, id) < ($1, $2) AND opened >= $4 AND ($5 = '' OR rule = $5) AND ($6 = '' OR severity = $6) \
             AND ($7 = '' OR state = $7) AND ($8 = '' OR vin IN (SELECT contract_vehicle.vin FROM client \
             JOIN contract ON contract.client = client.id \
             JOIN contract_vehicle ON contract_vehicle.contract = contract.id \
             WHERE client.id = $8 AND archived_ts IS NULL AND starts_ts <= $9 AND (ends_ts IS NULL OR ends_ts > $9) \
             AND from_ts <= $9 AND (to_ts IS NULL OR to_ts > $9))) ORDER BY opened DESC, id DESC LIMIT $3"
        )
    };
}

impl Store {
    /// Alerts that fit, newest first, those before `before`: opening and identity of the last one of the page before.
    pub async fn find_alerts(
        &self,
        filter: AlertFilter<'_>,
        before: Option<(UnixMs, AlertId)>,
        limit: u32,
    ) -> Result<Vec<AlertRecord>, StoreError> {
        let sql = match (filter.vin.is_some(), filter.active) {
            (false, false) => page_sql!(""),
            (false, true) => page_sql!("resolved IS NULL AND "),
            (true, false) => page_sql!("vin = $10 AND "),
            (true, true) => page_sql!("vin = $10 AND resolved IS NULL AND "),
        };
        // The last one that may be on the page, or all of the moment `to`.
        let end = filter.to.map(|to| (to.saturating_add(1), String::new()));
        let place = before.map(|(opened, id)| (opened, id.to_string()));
        let (opened, id) = place.into_iter().chain(end).min().unwrap_or((UnixMs::MAX, String::new()));
        let mut query = sqlx::query(sql)
            .bind(opened)
            .bind(id)
            .bind(page(limit))
            .bind(filter.from.unwrap_or(UnixMs::MIN))
            .bind(filter.rule.unwrap_or_default())
            .bind(filter.severity.map(|severity| word::of(&severity)).unwrap_or_default())
            .bind(filter.state.map(|state| word::of(&state)).unwrap_or_default())
            .bind(filter.seen_by.map(|(client, _)| client.to_string()).unwrap_or_default())
            .bind(filter.seen_by.map_or(0, |(_, at)| at));
        if let Some(vin) = &filter.vin {
            query = query.bind(vin.as_str());
        }
        query.fetch_all(&self.read).await?.iter().map(read).collect()
    }

    /// One alert.
    pub async fn alert(&self, id: AlertId) -> Result<Option<AlertRecord>, StoreError> {
        let row = sqlx::query(
            "SELECT id, vin, rule, title, severity, state, opened, updated, resolved, count, value, acknowledged_by, \
             signal, threshold, lat, lon, late, detail, assigned_to, snoozed_until FROM alert WHERE id = $1",
        )
        .bind(id.to_string())
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// Somebody says that they see to an alert. The alert as it stands then; nothing when it is not open.
    pub async fn acknowledge_alert(&self, id: AlertId, by: &str, now: UnixMs) -> Result<Option<Alert>, StoreError> {
        self.turn_alert(id, AlertState::Open, AlertState::Acknowledged, by, now).await
    }

    /// Somebody takes that back. The alert as it stands then; nothing when it is not acknowledged.
    pub async fn unacknowledge_alert(&self, id: AlertId, by: &str, now: UnixMs) -> Result<Option<Alert>, StoreError> {
        self.turn_alert(id, AlertState::Acknowledged, AlertState::Open, by, now).await
    }

    async fn turn_alert(
        &self,
        id: AlertId,
        from: AlertState,
        to: AlertState,
        by: &str,
        now: UnixMs,
    ) -> Result<Option<Alert>, StoreError> {
        let (seen_to, kind) = match to {
            AlertState::Acknowledged => (Some(by), AlertEventKind::Acknowledged),
            _ => (None, AlertEventKind::Opened),
        };
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "UPDATE alert SET state = $3, acknowledged_by = $4, updated = CASE WHEN updated < $5 THEN $5 ELSE updated END \
             WHERE id = $1 AND state = $2 RETURNING id, vin, rule, title, severity, state, opened, updated, resolved, \
             count, value, acknowledged_by, signal, threshold, lat, lon, late, detail",
        )
        .bind(id.to_string())
        .bind(word::of(&from))
        .bind(word::of(&to))
        .bind(seen_to)
        .bind(now)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let turned = alert::read(&row)?;
        alert_event::append(&mut tx, id, now, kind, Some(by), None).await?;
        tx.commit().await?;
        Ok(Some(turned))
    }
}

fn read(row: &AnyRow) -> Result<AlertRecord, StoreError> {
    let handling = Handling { assigned_to: row.try_get(18)?, snoozed_until: row.try_get(19)? };
    Ok(AlertRecord { alert: alert::read(row)?, handling })
}
