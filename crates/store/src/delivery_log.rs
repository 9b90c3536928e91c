//! What became of deliveries, for people.

use bugbrother_wire::{
    ChannelId, DeliveryId, UnixMs, Vin,
    api::{ChannelKind, DeliveryState},
};
use sqlx::{Row, any::AnyRow};

use crate::{Delivery, Store, StoreError, delivery::read, id, number, page, word};

/// A delivery as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// What it is.
    pub delivery: Delivery,
    /// The channel.
    pub channel: ChannelId,
    /// The channel's kind.
    pub kind: ChannelKind,
    /// What people call the channel.
    pub label: String,
    /// Whose channel it is.
    pub account: Option<String>,
    /// The alert's vehicle.
    pub vin: Option<Vin>,
    /// How far it has come.
    pub state: DeliveryState,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next.
    pub next: UnixMs,
    /// When it was taken.
    pub sent: Option<UnixMs>,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// Which deliveries are wanted. Nothing said, all are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Of that channel.
    pub channel: Option<ChannelId>,
    /// In that state.
    pub state: Option<DeliveryState>,
}

macro_rules! record_sql {
    ($rest:literal) => {
        concat!(
            "SELECT delivery.id, alert, step, rule, made_ts, channel, channel.kind, channel.label, channel.account, vin, \
             state, tries, next_ts, sent_ts, error FROM delivery JOIN channel ON channel.id = delivery.channel ",
            $rest
        )
    };
}

impl Store {
    /// One delivery.
    pub async fn delivery(&self, delivery: DeliveryId) -> Result<Option<DeliveryRecord>, StoreError> {
        let row = sqlx::query(record_sql!("WHERE delivery.id = $1"))
            .bind(delivery.to_string())
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read_record).transpose()
    }

    /// Deliveries that fit, newest first, those before `before`: time and identity of the last one of the page before.
    pub async fn deliveries(
        &self,
        filter: DeliveryFilter,
        before: Option<(UnixMs, DeliveryId)>,
        limit: u32,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let (made, last) = before.map_or((UnixMs::MAX, String::new()), |(made, id)| (made, id.to_string()));
        let state = filter.state.map(|state| word::of(&state)).unwrap_or_default();
        let query = match filter.channel {
            None => sqlx::query(record_sql!(
                "WHERE (made_ts, delivery.id) < ($1, $2) AND ($4 = '' OR state = $4) \
                 ORDER BY made_ts DESC, delivery.id DESC LIMIT $3"
            )),
            Some(_) => sqlx::query(record_sql!(
                "WHERE channel = $5 AND (made_ts, delivery.id) < ($1, $2) AND ($4 = '' OR state = $4) \
                 ORDER BY made_ts DESC, delivery.id DESC LIMIT $3"
            )),
        };
        let mut query = query.bind(made).bind(last).bind(page(limit)).bind(state);
        if let Some(channel) = filter.channel {
            query = query.bind(channel.to_string());
        }
        query.fetch_all(&self.read).await?.iter().map(read_record).collect()
    }
}

fn read_record(row: &AnyRow) -> Result<DeliveryRecord, StoreError> {
    Ok(DeliveryRecord {
        delivery: read(row)?,
        channel: id::parse("delivery", row.try_get(5)?)?,
        kind: word::read("channel", row.try_get(6)?)?,
        label: row.try_get(7)?,
        account: row.try_get(8)?,
        vin: id::parse_some("delivery", row.try_get(9)?)?,
        state: word::read("delivery", row.try_get(10)?)?,
        tries: number::count("delivery", row.try_get(11)?)?,
        next: row.try_get(12)?,
        sent: row.try_get(13)?,
        error: row.try_get(14)?,
    })
}
