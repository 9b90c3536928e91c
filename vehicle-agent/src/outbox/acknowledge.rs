use bugbrother_wire::{
    Seq,
    message::{Ack, Gap},
};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteRow};
use tracing::warn;

use super::{File, KEPT, Outbox, OutboxError, draft::Draft, failed, gaps, to_column};
use crate::now_ms;

/// What an acknowledgement has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing: it is of another outbox, or older than what is known.
    None,
    /// Every record up to here is in the database.
    Forward(Seq),
    /// The database has only what is up to here any more: the rest is to be sent again.
    Back(Seq),
}

/// What an acknowledgement says, against what is known.
///
/// A retained one may have been said long ago, so it never takes back anything.
fn judge(known: Option<&str>, stored_seq: Seq, ack: &Ack, retained: bool) -> Progress {
    let same_store = known.is_none_or(|known| known == ack.store);
    match (same_store && ack.seq >= stored_seq, retained) {
        (true, _) => Progress::Forward(ack.seq),
        (false, true) => Progress::None,
        (false, false) => Progress::Back(ack.seq),
    }
}

impl Outbox {
    /// Takes note of what the database has; `retained` as the broker flagged the message.
    pub async fn acknowledge(&self, ack: &Ack, retained: bool) -> Result<Progress, OutboxError> {
        let mut file = self.0.file.lock().await;
        let top = self.0.tally.borrow().top;
        let named = ack.ranges.last().map_or(ack.seq, |(_, to)| *to);
        if ack.epoch != self.0.identity.epoch {
            return Ok(Progress::None);
        }
        if named > top {
            warn!(named = named.0, top = top.0, "acknowledgement of records that were never made");
            return Ok(Progress::None);
        }
        let progress = judge(file.store.as_deref(), file.stored_seq, ack, retained);
        match progress {
            Progress::None => return Ok(progress),
            Progress::Forward(_) => {}
            Progress::Back(_) => {
                let (reopened, lost) = file.reopen(ack, top).await?;
                warn!(
                    store = ack.store,
                    seq = ack.seq.0,
                    reopened,
                    holes = lost.len(),
                    "the database has gone back: what is still kept is sent again"
                );
                self.0.tally.send_modify(|tally| tally.unstored += reopened);
                drop(file);
                // Before the acknowledgement is noted: should the agent end here, it comes to this again.
                self.append(&lost, now_ms()).await?;
                file = self.0.file.lock().await;
            }
        }
        let top = self.0.tally.borrow().top;
        let stored = file.mark_stored(ack, top).await?;
        self.0.tally.send_modify(|tally| tally.unstored -= stored);
        Ok(progress)
    }
}

impl File {
    /// Marks all that the database does not have any more as not stored. Tells how many that are, and of the holes
    /// between them, which cannot be sent again.
    async fn reopen(&mut self, ack: &Ack, top: Seq) -> Result<(u64, Vec<Draft>), OutboxError> {
        let reopened = sqlx::query("UPDATE record SET stored = 0 WHERE seq > $1 AND stored = 1")
            .bind(to_column(ack.seq.0))
            .execute(&mut self.db)
            .await
            .map_err(failed("written"))?
            .rows_affected();
        let rows = sqlx::query(
            "SELECT before + 1, seq - 1 FROM (SELECT seq, lag(seq, 1, $1) OVER (ORDER BY seq) AS before FROM \
             (SELECT seq FROM record WHERE seq > $1 UNION ALL SELECT $2)) WHERE seq - before > 1 ORDER BY seq LIMIT 1024",
        )
        .bind(to_column(ack.seq.0))
        .bind(to_column(top.next().0))
        .fetch_all(&mut self.db)
        .await
        .map_err(failed("read"))?;
        let number = |row: &SqliteRow, at| row.get::<i64, _>(at).unsigned_abs();
        let holes: Vec<_> = rows.iter().map(|row| (number(row, 0), number(row, 1))).collect();
        let gap = |(from, to)| {
            Draft::Gap(Gap {
                from: Seq(from),
                to: Seq(to),
                reason: "the database went back further than the outbox reaches".to_owned(),
            })
        };
        let lost = gaps::subtract(&holes, &ack.ranges);
        Ok((reopened, lost.into_iter().map(gap).collect()))
    }

    /// Removes what the acknowledgement names; of the newest numbers it is only marked. Tells how many records that
    /// were not stored before are so now.
    async fn mark_stored(&mut self, ack: &Ack, top: Seq) -> Result<u64, OutboxError> {
        let kept_from = top.0.saturating_sub(KEPT);
        let mut tx = self.db.begin().await.map_err(failed("written"))?;
        let mut freed = Freed::default();
        let mut marked = 0;
        let whole = std::iter::once((Seq(1), ack.seq));
        for (from, to) in whole.chain(ack.ranges.iter().copied()) {
            freed.delete(&mut tx, from.0, to.0.min(kept_from), 0).await?;
            marked += sqlx::query("UPDATE record SET stored = 1 WHERE seq BETWEEN $1 AND $2 AND stored = 0")
                .bind(to_column(from.0.max(kept_from + 1)))
                .bind(to_column(to.0))
                .execute(&mut *tx)
                .await
                .map_err(failed("written"))?
                .rows_affected();
        }
        // What was only marked before and is no longer one of the newest.
        freed.delete(&mut tx, self.trimmed + 1, kept_from, 1).await?;
        sqlx::query("UPDATE identity SET store = $1, stored_seq = $2")
            .bind(&ack.store)
            .bind(to_column(ack.seq.0))
            .execute(&mut *tx)
            .await
            .map_err(failed("written"))?;
        tx.commit().await.map_err(failed("written"))?;
        self.trimmed = kept_from;
        self.bytes = self.bytes.saturating_sub(freed.bytes);
        self.store = Some(ack.store.clone());
        self.stored_seq = ack.seq;
        Ok(marked + freed.unstored)
    }
}

#[derive(Default)]
struct Freed {
    bytes: u64,
    unstored: u64,
}

impl Freed {
    /// Deletes what is between the numbers and whose mark is at least `stored`.
    async fn delete(&mut self, tx: &mut SqliteConnection, from: u64, to: u64, stored: i64) -> Result<(), OutboxError> {
        let rows = sqlx::query(
            "DELETE FROM record WHERE seq BETWEEN $1 AND $2 AND stored >= $3 RETURNING length(body), stored",
        )
        .bind(to_column(from))
        .bind(to_column(to))
        .bind(stored)
        .fetch_all(tx)
        .await
        .map_err(failed("written"))?;
        for row in rows {
            self.bytes += row.get::<i64, _>(0).unsigned_abs();
            self.unstored += u64::from(row.get::<i64, _>(1) == 0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::Epoch;

    use super::*;

    fn ack(store: &str, seq: u64) -> Ack {
        Ack {
            v: 1,
            vin: "WVWZZZ1JZ3W386752".parse().unwrap(),
            epoch: Epoch(1),
            seq: Seq(seq),
            ranges: Vec::new(),
            store: store.to_owned(),
        }
    }

    #[test]
    fn a_database_goes_back_by_its_number_or_by_its_identity() {
        let known = Some("a");
        assert_eq!(judge(None, Seq(0), &ack("a", 0), true), Progress::Forward(Seq(0)));
        assert_eq!(judge(known, Seq(7), &ack("a", 7), false), Progress::Forward(Seq(7)));
        assert_eq!(judge(known, Seq(7), &ack("a", 6), false), Progress::Back(Seq(6)));
        assert_eq!(judge(known, Seq(7), &ack("b", 9), false), Progress::Back(Seq(9)));
    }

    #[test]
    fn what_the_broker_had_kept_never_takes_back_anything() {
        assert_eq!(judge(Some("a"), Seq(7), &ack("a", 6), true), Progress::None);
        assert_eq!(judge(Some("a"), Seq(7), &ack("b", 9), true), Progress::None);
        assert_eq!(judge(Some("a"), Seq(7), &ack("a", 8), true), Progress::Forward(Seq(8)));
    }
}
