//! The writer's door: one transaction for many messages.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::atomic::Ordering,
    time::Duration,
};

use bugbrother_wire::{
    Epoch, Message, SCHEMA_VERSION, Seq, UnixMs, Vin,
    message::{Ack, Telemetry},
};
use sqlx::{Any, Row, Transaction, any::AnyRow};
use tokio::time::timeout;

use crate::{
    Arrival, Committed, Lane, Place, Refusal, Store, StoreError,
    bulk::Bulk,
    latest::Latest,
    memory::{Changed, Held, Memory, Outbox},
    progress::{Mark, Progress},
    refused::Refused,
    tail::{self, TailRow},
    vehicle, word,
};

/// Longest time for a transaction. A server that hangs is as good as gone.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// So often others may have changed the same rows.
const CONFLICTS: usize = 10;

impl Store {
    /// Commits what arrived, all of it or nothing. When this returns, it survives a power cut.
    ///
    /// The same arrivals may be given again, in any order and by several processes: a record is stored once.
    pub async fn commit(&self, batch: &[Arrival]) -> Result<Committed, StoreError> {
        let batches: Vec<&Telemetry> =
            batch.iter().filter_map(|arrival| telemetry(arrival.content.as_ref().ok()?)).collect();
        self.series.write(&batches).await?;
        let mut memory = self.memory.lock().await;
        for tries in 0..CONFLICTS {
            memory.begin();
            match timeout(PATIENCE, self.try_commit(&mut memory, batch, tries > 0)).await {
                Err(_) => return Err(StoreError::Silent),
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) => match error.or_conflict() {
                    StoreError::Conflict => {}
                    error => return Err(error),
                },
            }
        }
        Err(StoreError::Conflict)
    }

    async fn try_commit(&self, memory: &mut Memory, batch: &[Arrival], holds: bool) -> Result<Committed, StoreError> {
        let mut writer = self.writer(memory).await?;
        if holds {
            writer.hold(batch).await?;
        }
        for arrival in batch {
            match &arrival.content {
                Ok(message) => writer.take(message, &arrival.payload, arrival.received_ts).await?,
                Err(refusal) => writer.refuse(arrival, refusal).await?,
            }
        }
        writer.finish(self.identity()).await
    }

    /// Whether a record of an outbox is stored, or was given up.
    pub async fn has_record(&self, place: Place) -> Result<bool, StoreError> {
        let row = sqlx::query(OUTBOX)
            .bind(place.vin.as_str())
            .bind(place.epoch.0.cast_signed())
            .fetch_optional(&self.read)
            .await?;
        Ok(read_outbox(row)?.row.done.contains(place.seq))
    }

    /// Begins a transaction that keeps messages.
    pub(crate) async fn writer<'a>(&self, memory: &'a mut Memory) -> Result<Writer<'a>, StoreError> {
        let tx = self.begin().await?;
        memory.meet(self.connections.load(Ordering::SeqCst));
        Ok(Writer {
            tx,
            memory,
            named: BTreeSet::new(),
            changed: Changed::default(),
            tail: Vec::new(),
            refused: Refused::default(),
            keeps_bodies: self.series.is_in_tail(),
            done: Committed::default(),
        })
    }
}

/// The batch of a message that is one.
pub(crate) fn telemetry(message: &Message) -> Option<&Telemetry> {
    match message {
        Message::Telemetry(batch) | Message::Backfill(batch) => Some(batch),
        _ => None,
    }
}

/// A transaction that keeps messages.
pub(crate) struct Writer<'a> {
    pub(crate) tx: Transaction<'static, Any>,
    memory: &'a mut Memory,
    /// Outboxes that were named, whether or not anything was new.
    named: BTreeSet<(Vin, Epoch)>,
    changed: Changed,
    tail: Vec<TailRow<'a>>,
    refused: Refused<'a>,
    keeps_bodies: bool,
    done: Committed,
}

impl<'a> Writer<'a> {
    /// Keeps others from the rows that these arrivals are about, in the order in which all write them: whoever knows them by
    /// heart is quicker and would come first again and again.
    async fn hold(&mut self, batch: &[Arrival]) -> Result<(), StoreError> {
        let mut outboxes = BTreeSet::new();
        let mut vehicles = BTreeSet::new();
        for arrival in batch {
            let place = match &arrival.content {
                Ok(message) => message.as_record().map(Place::of),
                Err(refusal) => refusal.place,
            };
            match (&arrival.content, place) {
                (_, Some(place)) => {
                    outboxes.insert((place.vin, place.epoch));
                    vehicles.insert(place.vin);
                }
                (Ok(Message::Status(status)), None) => {
                    vehicles.insert(status.vin);
                }
                _ => {}
            }
        }
        for (vin, epoch) in outboxes {
            sqlx::query("UPDATE progress SET version = version WHERE vin = $1 AND epoch = $2")
                .bind(vin.as_str())
                .bind(epoch.0.cast_signed())
                .execute(&mut *self.tx)
                .await?;
        }
        for vin in vehicles {
            sqlx::query("UPDATE last_state SET version = version WHERE vin = $1")
                .bind(vin.as_str())
                .execute(&mut *self.tx)
                .await?;
        }
        Ok(())
    }

    async fn take(&mut self, message: &'a Message, body: &'a [u8], now: UnixMs) -> Result<(), StoreError> {
        if let Some(record) = message.as_record() {
            let gap = telemetry(message).and_then(|batch| batch.gap.as_ref());
            let place = Place::of(record);
            match self.mark(place, gap.map(|gap| (gap.from, gap.to))).await? {
                Mark::New => self.done.stored += 1,
                Mark::Duplicate => {
                    self.done.duplicates += 1;
                    return Ok(());
                }
                Mark::Scattered => {
                    self.done.scattered += 1;
                    return Ok(());
                }
            }
        }
        self.keep(message, body, now).await
    }

    /// Keeps a message that is new.
    pub(crate) async fn keep(&mut self, message: &'a Message, body: &'a [u8], now: UnixMs) -> Result<(), StoreError> {
        match message {
            Message::Telemetry(batch) => self.append(batch, Lane::Live, body, now).await,
            Message::Backfill(batch) => self.append(batch, Lane::Backfill, body, now).await,
            Message::Status(status) => {
                if self.vehicle(status.vin, now).await?.hear(status) {
                    self.changed.vehicles.insert(status.vin);
                }
                Ok(())
            }
            Message::Birth(birth) => self.birth(birth, now).await,
            Message::Diagnostics(diagnostics) => self.diagnose(diagnostics, now).await,
            Message::Event(event) => self.event(event, now).await,
            Message::Media(media) => self.media(media, now).await,
            Message::Reply(reply) => self.reply(reply, now).await,
            Message::Ack(_)
            | Message::Command(_)
            | Message::Config(_)
            | Message::Alert(_)
            | Message::AlertCleared
            | Message::State(_) => Ok(()),
        }
    }

    async fn mark(&mut self, place: Place, gap: Option<(Seq, Seq)>) -> Result<Mark, StoreError> {
        let key = (place.vin, place.epoch);
        let mark = self.outbox(key).await?.done.take(place.seq, gap);
        self.named.insert(key);
        // Of a record that is refused the gap may have been noted.
        if mark != Mark::Duplicate {
            self.changed.outboxes.insert(key);
        }
        Ok(mark)
    }

    async fn outbox(&mut self, key: (Vin, Epoch)) -> Result<&mut Outbox, StoreError> {
        Ok(match self.memory.outboxes.entry(key) {
            Entry::Occupied(held) => &mut held.into_mut().row,
            Entry::Vacant(free) => &mut free.insert(outbox(&mut self.tx, key).await?).row,
        })
    }

    /// The vehicle's last state; one that is heard of for the first time is made.
    pub(crate) async fn vehicle(&mut self, vin: Vin, now: UnixMs) -> Result<&mut Latest, StoreError> {
        Ok(match self.memory.vehicles.entry(vin) {
            Entry::Occupied(held) => &mut held.into_mut().row,
            Entry::Vacant(free) => {
                let held = match vehicle::latest(&mut self.tx, vin).await? {
                    Some(held) => held,
                    None => {
                        vehicle::make(&mut self.tx, vin, now).await?;
                        vehicle::latest(&mut self.tx, vin).await?.unwrap_or(Held { row: Latest::default(), version: 0 })
                    }
                };
                &mut free.insert(held).row
            }
        })
    }

    async fn append(
        &mut self,
        batch: &'a Telemetry,
        lane: Lane,
        body: &'a [u8],
        now: UnixMs,
    ) -> Result<(), StoreError> {
        if !self.vehicle(batch.vin, now).await?.merge(batch, now).keys.is_empty() {
            self.changed.vehicles.insert(batch.vin);
        }
        if let Some(gap) = &batch.gap {
            sqlx::query(
                "INSERT INTO gap (vin, epoch, from_seq, to_seq, reason, received_ts) VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (vin, epoch, from_seq, to_seq) DO NOTHING",
            )
            .bind(batch.vin.as_str())
            .bind(batch.epoch.0.cast_signed())
            .bind(gap.from.0.cast_signed())
            .bind(gap.to.0.cast_signed())
            .bind(&gap.reason)
            .bind(now)
            .execute(&mut *self.tx)
            .await?;
        }
        // A record may hold nothing but its gap.
        if !batch.rows.is_empty() {
            let body = if self.keeps_bodies { body } else { &[] };
            let key = (batch.vin, batch.epoch);
            let behind = self.outbox(key).await?.newest;
            let place = self.memory.numbers.after(&mut self.tx, behind).await?;
            self.outbox(key).await?.newest = place.number;
            self.changed.outboxes.insert(key);
            self.tail.push(TailRow { place, batch, lane, received_ts: now, body });
        }
        Ok(())
    }

    async fn refuse(&mut self, arrival: &'a Arrival, refusal: &Refusal) -> Result<(), StoreError> {
        if let Some(place) = refusal.place {
            match self.mark(place, None).await? {
                Mark::New => {}
                Mark::Duplicate => {
                    self.done.duplicates += 1;
                    return Ok(());
                }
                Mark::Scattered => {
                    self.done.scattered += 1;
                    return Ok(());
                }
            }
        }
        self.refused.take(arrival, refusal);
        Ok(())
    }

    pub(crate) async fn finish(mut self, identity: &str) -> Result<Committed, StoreError> {
        // First of all: if another process has changed one of these rows, everything else would be in vain.
        self.save().await?;
        tail::append(&mut self.tx, &self.tail).await?;
        self.refused.write(&mut self.tx, &mut self.done).await?;
        let mut waiting: BTreeMap<Vin, u64> = BTreeMap::new();
        for row in &self.tail {
            *waiting.entry(row.batch.vin).or_default() += row.batch.rows.len() as u64;
        }
        self.done.waiting = waiting.into_iter().collect();
        for (vin, epoch) in &self.named {
            let key = (*vin, *epoch);
            if !self.changed.outboxes.contains(&key) {
                // Another process may have got on with it, and an acknowledgement must not go back.
                self.memory.outboxes.insert(key, outbox(&mut self.tx, key).await?);
            }
            let Outbox { done: row, .. } = &self.memory.outboxes[&key].row;
            self.done.acks.push(Ack {
                v: SCHEMA_VERSION,
                vin: *vin,
                epoch: *epoch,
                seq: row.high_water(),
                ranges: row.ranges().collect(),
                store: identity.to_owned(),
            });
        }
        self.tx.commit().await?;
        self.memory.committed(&self.changed);
        Ok(self.done)
    }

    async fn save(&mut self) -> Result<(), StoreError> {
        let outboxes: Vec<_> = self.changed.outboxes.iter().map(|key| (key, &self.memory.outboxes[key])).collect();
        let saved = PROGRESS
            .run(&mut self.tx, &outboxes, |query, ((vin, epoch), held)| {
                query
                    .bind(vin.as_str())
                    .bind(epoch.0.cast_signed())
                    .bind(held.row.done.high_water().0.cast_signed())
                    .bind(word::json(&held.row.done.ranges().collect::<Vec<_>>()))
                    .bind(held.version + 1)
                    .bind(held.row.newest)
            })
            .await?;
        let vehicles: Vec<_> = self.changed.vehicles.iter().map(|vin| (*vin, &self.memory.vehicles[vin])).collect();
        let moved = vehicle::save_latest(&mut self.tx, &vehicles).await?;
        let as_expected = saved == outboxes.len() as u64 && moved == vehicles.len() as u64;
        if as_expected { Ok(()) } else { Err(StoreError::Conflict) }
    }
}

static PROGRESS: Bulk = Bulk::new(
    "INSERT INTO progress (vin, epoch, seq, ranges, version, newest) VALUES ",
    6,
    " ON CONFLICT (vin, epoch) DO UPDATE SET seq = excluded.seq, ranges = excluded.ranges, version = excluded.version, \
     newest = excluded.newest WHERE progress.version = excluded.version - 1",
);
const OUTBOX: &str = "SELECT seq, ranges, version, newest FROM progress WHERE vin = $1 AND epoch = $2";

async fn outbox(tx: &mut Transaction<'_, Any>, (vin, epoch): (Vin, Epoch)) -> Result<Held<Outbox>, StoreError> {
    let query = sqlx::query(OUTBOX).bind(vin.as_str()).bind(epoch.0.cast_signed());
    read_outbox(query.fetch_optional(&mut **tx).await?)
}

fn read_outbox(row: Option<AnyRow>) -> Result<Held<Outbox>, StoreError> {
    let Some(row) = row else { return Ok(Held { row: Outbox::default(), version: 0 }) };
    let ranges: Vec<(Seq, Seq)> = word::from_json("progress", row.try_get(1)?)?;
    let done = Progress::new(Seq(row.try_get::<i64, _>(0)?.cast_unsigned()), ranges);
    Ok(Held { row: Outbox { done, newest: row.try_get(3)? }, version: row.try_get(2)? })
}
