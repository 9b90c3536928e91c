//! What the notifier remembers of vehicles: how far each rule has come, stored with the alerts that it has raised.

use bugbrother_wire::{AlertId, UnixMs, Vin, message::Alert};
use sqlx::{Any, Row, Transaction};

use crate::{Held, Store, StoreError, alert, alert::alert_sql, id, lease::shard_of, page};

impl Store {
    /// Stores alerts as [`Store::save_alerts`] does, and with them, all or nothing, what is remembered of vehicles: of those
    /// that the notifier still holds when the transaction ends. `None` stands for each alert that was not stored, because
    /// somebody else looks after its vehicle now.
    pub async fn save_judgement(
        &self,
        held: &Held,
        alerts: &[Alert],
        memories: &[(Vin, String)],
        now: UnixMs,
    ) -> Result<Vec<Option<Alert>>, StoreError> {
        let mut tx = self.begin().await?;
        let vins = alerts.iter().map(|alert| alert.vin).chain(memories.iter().map(|(vin, _)| *vin));
        let stands = held.stand(&mut tx, vins).await?;
        let is_held = |vin: Vin| stands.get(&shard_of(vin)).is_some_and(|stands| *stands);
        let mut stored = Vec::with_capacity(alerts.len());
        for one in alerts {
            stored.push(if is_held(one.vin) { Some(alert::save(&mut tx, one).await?) } else { None });
        }
        for (vin, body) in memories.iter().filter(|(vin, _)| is_held(*vin)) {
            remember(&mut tx, *vin, body, now).await?;
        }
        tx.commit().await?;
        Ok(stored)
    }

    /// What is remembered of vehicles, in the order of their VINs, those after `after`.
    pub async fn memories(&self, after: Option<Vin>, limit: u32) -> Result<Vec<(Vin, String)>, StoreError> {
        let rows = sqlx::query("SELECT vin, body FROM rule_state WHERE vin > $1 ORDER BY vin LIMIT $2")
            .bind(after.as_ref().map_or("", Vin::as_str))
            .bind(page(limit))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| Ok((id::parse("rule_state", row.try_get(0)?)?, row.try_get(1)?))).collect()
    }

    /// Alerts of a rule and a vehicle whose causes lasted at some time between `from` and `to`, oldest first.
    pub async fn alerts_during(
        &self,
        vin: Vin,
        rule: &str,
        (from, to): (UnixMs, UnixMs),
        limit: u32,
    ) -> Result<Vec<Alert>, StoreError> {
        let rows = sqlx::query(alert_sql!(
            "WHERE vin = $1 AND rule = $2 AND opened <= $3 AND (resolved IS NULL OR resolved >= $4) \
             ORDER BY opened, id LIMIT $5"
        ))
        .bind(vin.as_str())
        .bind(rule)
        .bind(to)
        .bind(from)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(alert::read).collect()
    }

    /// Puts what was found in late data into the history and takes out what is no longer found, all or nothing. What
    /// somebody was told of stays.
    pub async fn settle_late(&self, keep: &[Alert], drop: &[AlertId]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for one in keep.iter().filter(|one| one.late) {
            alert::save(&mut tx, one).await?;
        }
        for id in drop {
            sqlx::query("DELETE FROM alert WHERE id = $1 AND late = 1").bind(id.to_string()).execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }
}

async fn remember(tx: &mut Transaction<'_, Any>, vin: Vin, body: &str, now: UnixMs) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO rule_state (vin, body, updated_ts) VALUES ($1, $2, $3) \
         ON CONFLICT (vin) DO UPDATE SET body = excluded.body, updated_ts = excluded.updated_ts",
    )
    .bind(vin.as_str())
    .bind(body)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
