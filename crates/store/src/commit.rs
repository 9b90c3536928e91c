use std::collections::{BTreeMap, btree_map::Entry};

use bugbrother_wire::{
    Epoch, Message, SCHEMA_VERSION, Seq, UnixMs, Vin,
    message::{Ack, Telemetry},
};
use sqlx::{Any, Row, Transaction};

use crate::{
    Arrival, Committed, Lane, Place, Refusal, Store, StoreError,
    arrival::{MAX_DEAD_BYTES, MAX_DEAD_LETTERS, MAX_DEAD_TOPIC},
    latest::Latest,
    progress::{Mark, Progress},
    tail::{self, TailRow},
    vehicle, word,
};

impl Store {
    /// Commits what arrived, all of it or nothing. When this returns, it survives a power cut.
    ///
    /// The same arrivals may be given again, in any order and by several processes: a record is stored once.
    pub async fn commit(&self, batch: &[Arrival]) -> Result<Committed, StoreError> {
        let mut writer = Writer {
            tx: self.begin().await?,
            outboxes: BTreeMap::new(),
            vehicles: BTreeMap::new(),
            tail: Vec::new(),
            done: Committed::default(),
        };
        for arrival in batch {
            match &arrival.content {
                Ok(message) => writer.take(message, &arrival.payload, arrival.received_ts).await?,
                Err(refusal) => writer.bury(arrival, refusal).await?,
            }
        }
        writer.finish(self.identity()).await
    }
}

/// A row that is read once in a transaction and written back once if it changed.
pub(crate) struct Held<T> {
    row: T,
    changed: bool,
}

pub(crate) struct Writer<'a> {
    pub(crate) tx: Transaction<'static, Any>,
    outboxes: BTreeMap<(Vin, Epoch), Held<Progress>>,
    vehicles: BTreeMap<Vin, Held<Latest>>,
    tail: Vec<TailRow<'a>>,
    done: Committed,
}

impl<'a> Writer<'a> {
    async fn take(&mut self, message: &'a Message, body: &'a [u8], now: UnixMs) -> Result<(), StoreError> {
        if let Some(record) = message.as_record() {
            let gap = match message {
                Message::Telemetry(batch) | Message::Backfill(batch) => batch.gap.as_ref(),
                _ => None,
            };
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
        match message {
            Message::Telemetry(batch) => self.append(batch, Lane::Live, body, now).await,
            Message::Backfill(batch) => self.append(batch, Lane::Backfill, body, now).await,
            Message::Status(status) => {
                let vehicle = self.vehicle(status.vin, now).await?;
                vehicle.changed |= vehicle.row.hear(status);
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
        let outbox = match self.outboxes.entry((place.vin, place.epoch)) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(free) => {
                let row = progress(&mut self.tx, place.vin, place.epoch).await?;
                free.insert(Held { row, changed: false })
            }
        };
        let mark = outbox.row.take(place.seq, gap);
        // Of a record that is refused the gap may have been noted.
        outbox.changed |= mark != Mark::Duplicate;
        Ok(mark)
    }

    /// The vehicle's last state; one that is heard of for the first time is made.
    pub(crate) async fn vehicle(&mut self, vin: Vin, now: UnixMs) -> Result<&mut Held<Latest>, StoreError> {
        Ok(match self.vehicles.entry(vin) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(free) => {
                let row = match vehicle::latest(&mut self.tx, vin).await? {
                    Some(row) => row,
                    None => {
                        vehicle::make(&mut self.tx, vin, now).await?;
                        Latest::default()
                    }
                };
                free.insert(Held { row, changed: false })
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
        let vehicle = self.vehicle(batch.vin, now).await?;
        vehicle.changed |= !vehicle.row.merge(batch, now).keys.is_empty();
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
            self.tail.push(TailRow { batch, lane, received_ts: now, body });
        }
        Ok(())
    }

    async fn bury(&mut self, arrival: &Arrival, refusal: &Refusal) -> Result<(), StoreError> {
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
        sqlx::query(
            "INSERT INTO dead_letter (number, topic, reason, size, payload, received_ts) \
             SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5 FROM dead_letter",
        )
        .bind(arrival.topic.chars().take(MAX_DEAD_TOPIC).collect::<String>())
        .bind(refusal.reason)
        .bind(i64::try_from(arrival.payload.len()).expect("a packet is smaller than 2^63 bytes"))
        .bind(&arrival.payload[..arrival.payload.len().min(MAX_DEAD_BYTES)])
        .bind(arrival.received_ts)
        .execute(&mut *self.tx)
        .await?;
        self.done.dead_letters += 1;
        Ok(())
    }

    async fn finish(mut self, identity: &str) -> Result<Committed, StoreError> {
        tail::append(&mut self.tx, &self.tail).await?;
        for ((vin, epoch), outbox) in &self.outboxes {
            if outbox.changed {
                save_progress(&mut self.tx, *vin, *epoch, &outbox.row).await?;
            }
            self.done.acks.push(Ack {
                v: SCHEMA_VERSION,
                vin: *vin,
                epoch: *epoch,
                seq: outbox.row.high_water(),
                ranges: outbox.row.ranges().collect(),
                store: identity.to_owned(),
            });
        }
        for (vin, vehicle) in &self.vehicles {
            if vehicle.changed {
                vehicle::save_latest(&mut self.tx, *vin, &vehicle.row).await?;
            }
        }
        if self.done.dead_letters > 0 {
            let gone =
                sqlx::query("DELETE FROM dead_letter WHERE number <= (SELECT MAX(number) FROM dead_letter) - $1")
                    .bind(i64::from(MAX_DEAD_LETTERS))
                    .execute(&mut *self.tx)
                    .await?;
            self.done.dead_letters_dropped = gone.rows_affected();
        }
        self.tx.commit().await?;
        Ok(self.done)
    }
}

async fn progress(tx: &mut Transaction<'_, Any>, vin: Vin, epoch: Epoch) -> Result<Progress, StoreError> {
    let row = sqlx::query("SELECT seq, ranges FROM progress WHERE vin = $1 AND epoch = $2")
        .bind(vin.as_str())
        .bind(epoch.0.cast_signed())
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else { return Ok(Progress::default()) };
    let ranges: Vec<(Seq, Seq)> = word::from_json("progress", row.try_get(1)?)?;
    Ok(Progress::new(Seq(row.try_get::<i64, _>(0)?.cast_unsigned()), ranges))
}

async fn save_progress(
    tx: &mut Transaction<'_, Any>,
    vin: Vin,
    epoch: Epoch,
    progress: &Progress,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO progress (vin, epoch, seq, ranges) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (vin, epoch) DO UPDATE SET seq = excluded.seq, ranges = excluded.ranges",
    )
    .bind(vin.as_str())
    .bind(epoch.0.cast_signed())
    .bind(progress.high_water().0.cast_signed())
    .bind(word::json(&progress.ranges().collect::<Vec<_>>()))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
