//! What could not be taken, on its way into its tables: numbered and written together, however much it is.

use bugbrother_wire::{UnixMs, Vin, judge, verdict::newest};
use sqlx::{Any, Transaction};

use crate::{
    Arrival, Committed, Refusal, StoreError,
    arrival::{MAX_DEAD_BYTES, MAX_DEAD_LETTERS, MAX_DEAD_TOPIC, MAX_QUARANTINE},
    bulk::Bulk,
};

/// What a transaction could not take.
#[derive(Default)]
pub(crate) struct Refused<'a> {
    dead: Vec<DeadLetter<'a>>,
    quarantined: Vec<Quarantined<'a>>,
}

struct DeadLetter<'a> {
    number: i64,
    topic: String,
    reason: &'static str,
    size: i64,
    payload: &'a [u8],
    received_ts: UnixMs,
}

struct Quarantined<'a> {
    number: i64,
    vin: Vin,
    reason: &'static str,
    /// The newest time that it tells, where it can be read.
    at_ts: Option<UnixMs>,
    arrival: &'a Arrival,
}

static DEAD_LETTERS: Bulk =
    Bulk::new("INSERT INTO dead_letter (number, topic, reason, size, payload, received_ts) VALUES ", 6, "");
static QUARANTINE: Bulk =
    Bulk::new("INSERT INTO quarantine (number, vin, topic, reason, at_ts, received_ts, payload) VALUES ", 7, "");

type Tx = Transaction<'static, Any>;

impl<'a> Refused<'a> {
    pub fn take(&mut self, arrival: &'a Arrival, refusal: &Refusal) {
        match refusal.place {
            Some(place) if refusal.is_about_time() => self.quarantined.push(Quarantined {
                number: 0,
                vin: place.vin,
                reason: refusal.reason,
                at_ts: judge(&arrival.topic, &arrival.payload).ok().and_then(|(_, message)| newest(&message)),
                arrival,
            }),
            _ => self.dead.push(DeadLetter {
                number: 0,
                topic: arrival.topic.chars().take(MAX_DEAD_TOPIC).collect(),
                reason: refusal.reason,
                size: i64::try_from(arrival.payload.len()).expect("a packet is smaller than 2^63 bytes"),
                payload: &arrival.payload[..arrival.payload.len().min(MAX_DEAD_BYTES)],
                received_ts: arrival.received_ts,
            }),
        }
    }

    /// Writes it all, and lets the oldest ones make room.
    pub async fn write(&mut self, tx: &mut Tx, done: &mut Committed) -> Result<(), StoreError> {
        if let Some(last) = number(tx, "dead_letter", self.dead.iter_mut().map(|row| &mut row.number)).await? {
            DEAD_LETTERS
                .run(tx, &self.dead, |query, row| {
                    let query = query.bind(row.number).bind(row.topic.as_str()).bind(row.reason);
                    query.bind(row.size).bind(row.payload).bind(row.received_ts)
                })
                .await?;
            let dropped = sqlx::query("DELETE FROM dead_letter WHERE number <= $1")
                .bind(last - i64::from(MAX_DEAD_LETTERS))
                .execute(&mut **tx)
                .await?;
            done.dead_letters += self.dead.len() as u64;
            done.dead_letters_dropped += dropped.rows_affected();
        }
        if let Some(last) = number(tx, "quarantine", self.quarantined.iter_mut().map(|row| &mut row.number)).await? {
            QUARANTINE
                .run(tx, &self.quarantined, |query, row| {
                    let query = query.bind(row.number).bind(row.vin.as_str()).bind(row.arrival.topic.as_str());
                    query
                        .bind(row.reason)
                        .bind(row.at_ts)
                        .bind(row.arrival.received_ts)
                        .bind(row.arrival.payload.as_ref())
                })
                .await?;
            let dropped = sqlx::query("DELETE FROM quarantine WHERE number <= $1")
                .bind(last - i64::from(MAX_QUARANTINE))
                .execute(&mut **tx)
                .await?;
            done.quarantined += self.quarantined.len() as u64;
            done.quarantine_dropped += dropped.rows_affected();
        }
        Ok(())
    }
}

/// Gives these the next numbers of a kind, and tells the last one. Writers take turns from here to their end.
async fn number<'n>(
    tx: &mut Tx,
    kind: &'static str,
    places: impl ExactSizeIterator<Item = &'n mut i64>,
) -> Result<Option<i64>, StoreError> {
    let count = places.len() as i64;
    if count == 0 {
        return Ok(None);
    }
    let last: i64 = sqlx::query_scalar("UPDATE counter SET value = value + $2 WHERE name = $1 RETURNING value")
        .bind(kind)
        .bind(count)
        .fetch_one(&mut **tx)
        .await?;
    places.zip(last - count + 1..).for_each(|(place, number)| *place = number);
    Ok(Some(last))
}
