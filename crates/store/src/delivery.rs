//! Steps of alerts on their way to people: a queue that several may work at, and what became of each.

use bugbrother_wire::{AlertId, ChannelId, DeliveryId, UnixMs, Vin, api::DeliveryStep, message::Alert};
use sqlx::{Any, Row, Transaction, any::AnyRow};
use uuid::Uuid;

use crate::{Store, StoreError, alert, alert_event, alert_event::AlertEvent, id, number, page, word};

/// Rows that go in one message at most.
pub const MAX_BUNDLE: u32 = 500;
/// Longest reason that is kept, in characters.
const MAX_ERROR_CHARS: usize = 500;

/// Something that happened to an alert and that nobody was told of yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Unposted {
    /// The alert as it stands now.
    pub record: crate::AlertRecord,
    /// What happened.
    pub event: AlertEvent,
}

/// Something that happened to an alert, and who is to be told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// The alert.
    pub alert: AlertId,
    /// Number of the step in the alert's history.
    pub number: u32,
    /// Who is to be told.
    pub deliveries: Vec<NewDelivery>,
}

/// A step of an alert for a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// The channel.
    pub channel: ChannelId,
    /// What is told.
    pub step: DeliveryStep,
    /// The alert's rule.
    pub rule: String,
    /// The alert's vehicle.
    pub vin: Vin,
    /// What has the same one goes in one message.
    pub bundle: Option<String>,
    /// When it is to be sent.
    pub due: UnixMs,
}

/// When a step was decided for a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent {
    /// When.
    pub made: UnixMs,
    /// Until when others may still go in the same message.
    pub gathers_until: Option<UnixMs>,
}

/// A step of an alert that is being sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its identity.
    pub id: DeliveryId,
    /// The alert; none for a test.
    pub alert: Option<AlertId>,
    /// What is told.
    pub step: DeliveryStep,
    /// The alert's rule.
    pub rule: String,
    /// When it was decided.
    pub made: UnixMs,
}

/// What goes in one message, claimed by whoever sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The message's identity, the same at each try.
    pub message: String,
    /// The channel.
    pub channel: ChannelId,
    /// How often it was tried, with this time.
    pub tries: u32,
    /// Why several go in one message.
    pub bundle: Option<String>,
    /// What it tells, oldest first.
    pub deliveries: Vec<Delivery>,
}

impl Store {
    /// What has happened to alerts and nobody was told of, oldest first.
    pub async fn unposted(&self, limit: u32) -> Result<Vec<Unposted>, StoreError> {
        let rows = sqlx::query(
            "SELECT alert, number, at_ts, kind, by_user, text FROM alert_event WHERE posted_ts IS NULL \
             ORDER BY at_ts, alert, number LIMIT $1",
        )
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let alert: AlertId = id::parse("alert_event", row.try_get(0)?)?;
            // One that has been deleted meanwhile took its history along.
            let Some(record) = self.alert(alert).await? else { continue };
            found.push(Unposted { record, event: alert_event::read_from(row, 1)? });
        }
        Ok(found)
    }

    /// Notes that what happened to alerts is told, and to whom it is to be told, all or nothing. What another has posted before
    /// is left out; tells how many were not.
    pub async fn post(&self, postings: &[Posting], now: UnixMs) -> Result<usize, StoreError> {
        let mut tx = self.begin().await?;
        let mut posted = 0;
        for Posting { alert, number, deliveries } in postings {
            let done = sqlx::query(
                "UPDATE alert_event SET posted_ts = $3 WHERE alert = $1 AND number = $2 AND posted_ts IS NULL",
            )
            .bind(alert.to_string())
            .bind(i64::from(*number))
            .bind(now)
            .execute(&mut *tx)
            .await?;
            if done.rows_affected() == 0 {
                continue;
            }
            posted += 1;
            for delivery in deliveries {
                // A channel that was deleted meanwhile hears nothing.
                sqlx::query(
                    "INSERT INTO delivery (id, channel, alert, number, step, rule, vin, bundle, state, tries, made_ts, \
                     next_ts, claimed_until) SELECT $1, id, $3, $4, $5, $6, $7, $8, 'waiting', 0, $9, $10, 0 FROM channel \
                     WHERE id = $2 ON CONFLICT (alert, number, channel) DO NOTHING",
                )
                .bind(Uuid::now_v7().to_string())
                .bind(delivery.channel.to_string())
                .bind(alert.to_string())
                .bind(i64::from(*number))
                .bind(word::of(&delivery.step))
                .bind(&delivery.rule)
                .bind(delivery.vin.as_str())
                .bind(delivery.bundle.as_deref())
                .bind(now)
                .bind(delivery.due)
                .execute(&mut *tx)
                .await?;
            }
        }
        tx.commit().await?;
        Ok(posted)
    }

    /// Puts a test of a channel into the queue.
    pub async fn test_channel(&self, channel: ChannelId, now: UnixMs) -> Result<DeliveryId, StoreError> {
        let test = DeliveryId(Uuid::now_v7());
        sqlx::query(
            "INSERT INTO delivery (id, channel, alert, number, step, rule, state, tries, made_ts, next_ts, claimed_until) \
             VALUES ($1, $2, $1, 0, 'test', '', 'waiting', 0, $3, $3, 0)",
        )
        .bind(test.to_string())
        .bind(channel.to_string())
        .bind(now)
        .execute(&self.write)
        .await?;
        Ok(test)
    }

    /// The channels that were told of an alert, and that heard it.
    pub async fn told(&self, alert: AlertId) -> Result<Vec<ChannelId>, StoreError> {
        let rows = sqlx::query("SELECT channel FROM delivery WHERE alert = $1 AND state = 'sent' LIMIT $2")
            .bind(alert.to_string())
            .bind(page(u32::MAX))
            .fetch_all(&self.read)
            .await?;
        let mut told = rows
            .iter()
            .map(|row| id::parse("delivery", row.try_get(0)?))
            .collect::<Result<Vec<ChannelId>, StoreError>>()?;
        told.sort_unstable();
        told.dedup();
        Ok(told)
    }

    /// The last steps of that kind of a rule's alerts that were decided for a channel after `since`, newest first.
    pub async fn recent(
        &self,
        channel: ChannelId,
        rule: &str,
        step: DeliveryStep,
        since: UnixMs,
        limit: u32,
    ) -> Result<Vec<Recent>, StoreError> {
        let rows = sqlx::query(
            "SELECT made_ts, CASE WHEN state = 'waiting' AND message IS NULL AND bundle IS NOT NULL THEN next_ts END \
             FROM delivery WHERE channel = $1 AND rule = $2 AND step = $3 AND made_ts > $4 \
             ORDER BY made_ts DESC LIMIT $5",
        )
        .bind(channel.to_string())
        .bind(rule)
        .bind(word::of(&step))
        .bind(since)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|row| Ok(Recent { made: row.try_get(0)?, gathers_until: row.try_get(1)? })).collect()
    }

    /// Channels for which something is to be sent at `now`.
    pub async fn due_channels(&self, now: UnixMs, limit: u32) -> Result<Vec<ChannelId>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM channel WHERE id > '' AND EXISTS (SELECT 1 FROM delivery WHERE delivery.channel = channel.id \
             AND state = 'waiting' AND next_ts <= $1 AND claimed_until <= $1) ORDER BY id LIMIT $2",
        )
        .bind(now)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|row| id::parse("channel", row.try_get(0)?)).collect()
    }

    /// Claims the next message of a channel for `by` until `until`: nobody else sends it before. Nothing when there is none,
    /// or when another was faster.
    pub async fn claim(
        &self,
        channel: ChannelId,
        by: &str,
        now: UnixMs,
        until: UnixMs,
    ) -> Result<Option<Claim>, StoreError> {
        let mut tx = self.begin().await?;
        let head = sqlx::query(
            "SELECT id, message, bundle FROM delivery WHERE channel = $1 AND state = 'waiting' AND next_ts <= $2 \
             AND claimed_until <= $2 ORDER BY next_ts, id LIMIT 1",
        )
        .bind(channel.to_string())
        .bind(now)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(head) = head else { return Ok(None) };
        let first: String = head.try_get(0)?;
        let known: Option<String> = head.try_get(1)?;
        let bundle: Option<String> = head.try_get(2)?;
        let message = known.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
        // What was in a message once stays in it, and nothing is added: whoever got it knows it by its identity.
        let rows = match (&known, &bundle) {
            (Some(_), _) => sqlx::query(
                "UPDATE delivery SET claimed_by = $3, claimed_until = $4, tries = tries + 1 WHERE message = $1 \
                 AND state = 'waiting' AND claimed_until <= $2 RETURNING id, alert, step, rule, made_ts, tries",
            )
            .bind(&message)
            .bind(now)
            .bind(by)
            .bind(until)
            .fetch_all(&mut *tx)
            .await?,
            (None, Some(bundle)) => sqlx::query(
                "UPDATE delivery SET claimed_by = $3, claimed_until = $4, tries = tries + 1, message = $1 \
                 WHERE id IN (SELECT id FROM delivery WHERE channel = $5 AND state = 'waiting' AND next_ts <= $2 \
                 AND claimed_until <= $2 AND message IS NULL AND bundle = $6 ORDER BY next_ts, id LIMIT $7) \
                 AND state = 'waiting' AND claimed_until <= $2 AND message IS NULL \
                 RETURNING id, alert, step, rule, made_ts, tries",
            )
            .bind(&message)
            .bind(now)
            .bind(by)
            .bind(until)
            .bind(channel.to_string())
            .bind(bundle)
            .bind(i64::from(MAX_BUNDLE))
            .fetch_all(&mut *tx)
            .await?,
            (None, None) => sqlx::query(
                "UPDATE delivery SET claimed_by = $3, claimed_until = $4, tries = tries + 1, message = $1 WHERE id = $5 \
                 AND state = 'waiting' AND claimed_until <= $2 AND message IS NULL \
                 RETURNING id, alert, step, rule, made_ts, tries",
            )
            .bind(&message)
            .bind(now)
            .bind(by)
            .bind(until)
            .bind(&first)
            .fetch_all(&mut *tx)
            .await?,
        };
        tx.commit().await?;
        let Some(one) = rows.first() else { return Ok(None) };
        let tries = number::count("delivery", one.try_get(5)?)?;
        let mut deliveries = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        deliveries.sort_by_key(|delivery| (delivery.made, delivery.id));
        Ok(Some(Claim { message, channel, tries, bundle, deliveries }))
    }

    /// Notes that a message was taken. `false` when it was no longer ours to say. The channel's alert that it does not work
    /// ends with it.
    pub async fn delivered(&self, claim: &Claim, by: &str, now: UnixMs) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE delivery SET state = 'sent', sent_ts = $3, error = NULL, claimed_until = 0 \
             WHERE message = $1 AND claimed_by = $2 AND state = 'waiting'",
        )
        .bind(&claim.message)
        .bind(by)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes why a message was not taken, and when it is to be tried again.
    pub async fn put_off(&self, claim: &Claim, by: &str, error: &str, next: UnixMs) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE delivery SET error = $3, next_ts = $4, claimed_until = 0 \
             WHERE message = $1 AND claimed_by = $2 AND state = 'waiting'",
        )
        .bind(&claim.message)
        .bind(by)
        .bind(bounded(error))
        .bind(next)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Gives a message up. The alert, where there is one, says that its channel does not work: it is raised unless another one
    /// says so already, and returned as it is stored. Channels that fail a vehicle's alerts share one.
    pub async fn give_up(
        &self,
        claim: &Claim,
        by: &str,
        error: &str,
        raise: Option<&Alert>,
    ) -> Result<Option<Alert>, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE delivery SET state = 'dead', error = $3, claimed_until = 0 \
             WHERE message = $1 AND claimed_by = $2 AND state = 'waiting'",
        )
        .bind(&claim.message)
        .bind(by)
        .bind(bounded(error))
        .execute(&mut *tx)
        .await?;
        let mut raised = None;
        if done.rows_affected() > 0
            && let Some(alert) = raise
            && fail(&mut tx, claim.channel, alert.id).await?
        {
            let stored = alert::save(&mut tx, alert).await?;
            sqlx::query("UPDATE channel SET failing = $2 WHERE id = $1")
                .bind(claim.channel.to_string())
                .bind(stored.id.to_string())
                .execute(&mut *tx)
                .await?;
            raised = Some(stored);
        }
        tx.commit().await?;
        Ok(raised)
    }

    /// A channel that did not work does again: the alert that said so is resolved. Nothing when another has noted it before.
    pub async fn recover(&self, channel: ChannelId, alert: &Alert) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("UPDATE channel SET failing = NULL WHERE id = $1 AND failing = $2")
            .bind(channel.to_string())
            .bind(alert.id.to_string())
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        alert::save(&mut tx, alert).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Notes that a channel does not work; `false` when an alert that is not over says so already.
async fn fail(tx: &mut Transaction<'_, Any>, channel: ChannelId, alert: AlertId) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE channel SET failing = $2 WHERE id = $1 AND (failing IS NULL OR EXISTS \
         (SELECT 1 FROM alert WHERE alert.id = channel.failing AND resolved IS NOT NULL))",
    )
    .bind(channel.to_string())
    .bind(alert.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn bounded(error: &str) -> String {
    error.chars().filter(|c| !c.is_control()).take(MAX_ERROR_CHARS).collect()
}

pub(crate) fn read(row: &AnyRow) -> Result<Delivery, StoreError> {
    let step = word::read("delivery", row.try_get(2)?)?;
    let alert = match step {
        DeliveryStep::Test => None,
        _ => Some(id::parse("delivery", row.try_get(1)?)?),
    };
    Ok(Delivery {
        id: id::parse("delivery", row.try_get(0)?)?,
        alert,
        step,
        rule: row.try_get(3)?,
        made: row.try_get(4)?,
    })
}
