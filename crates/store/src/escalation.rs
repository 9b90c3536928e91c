//! Alerts that are told again: because nobody has seen to them in time, or because their rest is over.

use bugbrother_wire::{
    AlertId, UnixMs, Vin,
    message::{Alert, AlertState, Severity},
};
use serde::{Deserialize, Serialize};
use sqlx::Row;

use crate::{Held, Store, StoreError, alert, alert_event, alert_event::AlertEventKind, lease::shard_of, word};

/// Alerts that are looked at in one go.
const AT_ONCE: i64 = 500;
/// Longest time until an alert is told again: a day.
const MOST_MINUTES: u32 = 24 * 60;

/// After how many minutes an alert that nobody has seen to is told again, once; `None` for never.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Escalation {
    /// A critical one; 5.
    pub critical_minutes: Option<u32>,
    /// A warning; never.
    pub warning_minutes: Option<u32>,
}

impl Default for Escalation {
    fn default() -> Self {
        Escalation { critical_minutes: Some(5), warning_minutes: None }
    }
}

impl crate::Setting for Escalation {
    const KEY: &'static str = "escalation";

    fn check(&self) -> Result<(), &'static str> {
        let wrong = |minutes: Option<u32>| minutes.is_some_and(|minutes| !(1..=MOST_MINUTES).contains(&minutes));
        if wrong(self.critical_minutes) || wrong(self.warning_minutes) {
            return Err("an alert is told again after 1 to 1440 minutes, or never");
        }
        Ok(())
    }
}

impl Escalation {
    /// Alerts of each severity that were told so long ago that they are to be told again.
    fn told_before(&self, now: UnixMs) -> [(Severity, UnixMs); 2] {
        let before = |minutes: Option<u32>| minutes.map_or(UnixMs::MIN, |minutes| now - i64::from(minutes) * 60_000);
        [(Severity::Critical, before(self.critical_minutes)), (Severity::Warning, before(self.warning_minutes))]
    }
}

impl Store {
    /// Tells alerts again whose vehicle the notifier holds and that nobody has seen to in time: each once, with an
    /// `escalated` in its history. One that rests is left alone. Returns them as they stand then.
    ///
    /// The time counts from when the alert was told last: raised, taken back, or back from its rest.
    pub async fn escalate_alerts(
        &self,
        held: &Held,
        escalation: &Escalation,
        now: UnixMs,
    ) -> Result<Vec<Alert>, StoreError> {
        let mut due = Vec::new();
        for (severity, told_before) in escalation.told_before(now).into_iter().filter(|(_, at)| *at > UnixMs::MIN) {
            let rows = sqlx::query(
                "SELECT id, vin FROM alert WHERE resolved IS NULL AND state = 'open' AND severity = $1 \
                 AND escalated_ts IS NULL AND snoozed_until IS NULL AND (SELECT MAX(at_ts) FROM alert_event \
                 WHERE alert_event.alert = alert.id AND kind = 'opened') <= $2 ORDER BY opened, id LIMIT $3",
            )
            .bind(word::of(&severity))
            .bind(told_before)
            .bind(AT_ONCE)
            .fetch_all(&self.read)
            .await?;
            for row in rows {
                due.push(place(&row)?);
            }
        }
        self.turn(held, due, now, Turn::Escalate).await
    }

    /// Wakes alerts whose rest is over and whose vehicle the notifier holds. What nobody sees to is raised anew in its history
    /// (`opened`); what somebody sees to rests no longer (`snoozed`, without a time). Returns them as they stand then.
    pub async fn wake_alerts(&self, held: &Held, now: UnixMs) -> Result<Vec<Alert>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, vin FROM alert WHERE resolved IS NULL AND snoozed_until <= $1 ORDER BY opened, id LIMIT $2",
        )
        .bind(now)
        .bind(AT_ONCE)
        .fetch_all(&self.read)
        .await?;
        let due = rows.iter().map(place).collect::<Result<_, _>>()?;
        self.turn(held, due, now, Turn::Wake).await
    }

    async fn turn(
        &self,
        held: &Held,
        mut due: Vec<(AlertId, Vin)>,
        now: UnixMs,
        turn: Turn,
    ) -> Result<Vec<Alert>, StoreError> {
        due.retain(|(_, vin)| held.has(*vin));
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.begin().await?;
        let stands = held.stand(&mut tx, due.iter().map(|(_, vin)| *vin)).await?;
        let mut turned = Vec::new();
        for (id, vin) in due {
            if !stands.get(&shard_of(vin)).is_some_and(|stands| *stands) {
                continue;
            }
            // What people or the notifier have done meanwhile counts.
            let sql = match turn {
                Turn::Escalate => ESCALATE,
                Turn::Wake => WAKE,
            };
            let row = sqlx::query(sql).bind(id.to_string()).bind(now).fetch_optional(&mut *tx).await?;
            let Some(row) = row else { continue };
            let alert = alert::read(&row)?;
            let kind = match (turn, alert.state) {
                (Turn::Escalate, _) => AlertEventKind::Escalated,
                (Turn::Wake, AlertState::Open) => AlertEventKind::Opened,
                (Turn::Wake, _) => AlertEventKind::Snoozed,
            };
            alert_event::append(&mut tx, id, now, kind, None, None).await?;
            turned.push(alert);
        }
        tx.commit().await?;
        Ok(turned)
    }
}

/// Why an alert is told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Escalate,
    Wake,
}

const ESCALATE: &str = alert::update_sql!(
    "escalated_ts = $2",
    "state = 'open' AND resolved IS NULL AND escalated_ts IS NULL AND snoozed_until IS NULL"
);
const WAKE: &str = alert::update_sql!("snoozed_until = NULL", "resolved IS NULL AND snoozed_until <= $2");

fn place(row: &sqlx::any::AnyRow) -> Result<(AlertId, Vin), StoreError> {
    let id = row.try_get::<&str, _>(0)?.parse().map_err(|error| StoreError::corrupt("alert", error))?;
    let vin = row.try_get::<&str, _>(1)?.parse().map_err(|error| StoreError::corrupt("alert", error))?;
    Ok((id, vin))
}
