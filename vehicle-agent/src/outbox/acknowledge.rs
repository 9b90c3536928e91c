use std::ops::RangeInclusive;

use bugbrother_wire::{
    Seq,
    codec::decode_value,
    encode,
    message::{Ack, Gap},
};
use futures_util::TryStreamExt;
use rangemap::RangeInclusiveSet;
use sqlx::{Connection, Row, SqliteConnection};
use tracing::warn;

use super::{File, KEPT, Outbox, OutboxError, draft::Draft, failed, gap_of, to_column};
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
/// A copy that lagged behind may have the same number and less above it. A retained one may have been said long ago, so
/// it never takes back anything.
fn judge(known: &Stored, ack: &Ack, retained: bool) -> Progress {
    let same_store = known.store.as_ref().is_none_or(|known| *known == ack.store);
    let named = named(ack);
    let all_named = || known.numbers.iter().all(|range| named.gaps(range).next().is_none());
    match (same_store && ack.seq >= known.seq(), retained) {
        (true, true) => Progress::Forward(ack.seq),
        (true, false) if all_named() => Progress::Forward(ack.seq),
        (false, true) => Progress::None,
        (_, false) => Progress::Back(ack.seq),
    }
}

/// All numbers that an acknowledgement names, and 0, which is none.
fn named(ack: &Ack) -> RangeInclusiveSet<u64> {
    std::iter::once(0..=ack.seq.0).chain(ack.ranges.iter().map(|(from, to)| from.0..=to.0)).collect()
}

impl Outbox {
    /// Takes note of what the database has; `retained` as the broker flagged the message.
    pub async fn acknowledge(&self, ack: &Ack, retained: bool) -> Result<Progress, OutboxError> {
        let progress = self.acknowledge_later(ack, retained).await?;
        self.write_acknowledged().await?;
        Ok(progress)
    }

    /// As [`Outbox::acknowledge`], but what only goes forward is written with the next records, which spares the disk a
    /// transaction. [`Outbox::write_acknowledged`] writes it at once. Forgotten by a power cut, it does no harm: the
    /// records are sent again, and the database knows them.
    pub async fn acknowledge_later(&self, ack: &Ack, retained: bool) -> Result<Progress, OutboxError> {
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
        let progress = judge(&file.stored, ack, retained);
        match progress {
            Progress::None => return Ok(progress),
            Progress::Forward(_) => {
                file.stored = file.stored.after(ack, progress);
                file.unwritten = true;
                return Ok(progress);
            }
            Progress::Back(_) => {}
        }
        let (reopened, lost) = file.reopen(ack, top).await?;
        warn!(
            store = ack.store,
            seq = ack.seq.0,
            reopened,
            holes = lost.len(),
            "the database has gone back: what is still kept is sent again"
        );
        self.0.tally.send_modify(|tally| tally.unstored += reopened);
        // Before the acknowledgement is noted: should the agent end here, it comes to this again.
        file.unwritten = false;
        self.append_to(&mut file, &lost, &[], now_ms()).await?;
        file.stored = file.stored.after(ack, progress);
        file.unwritten = true;
        self.write_acknowledged_in(&mut file).await?;
        Ok(progress)
    }

    /// Writes what [`Outbox::acknowledge_later`] has only taken note of.
    pub async fn write_acknowledged(&self) -> Result<(), OutboxError> {
        let mut file = self.0.file.lock().await;
        self.write_acknowledged_in(&mut file).await
    }

    pub(super) async fn write_acknowledged_in(&self, file: &mut File) -> Result<(), OutboxError> {
        if !file.unwritten {
            return Ok(());
        }
        let kept_from = self.0.tally.borrow().top.0.saturating_sub(KEPT);
        let mut tx = file.db.begin().await.map_err(failed("written"))?;
        let marked = mark_stored(&mut tx, &file.stored, file.trimmed, kept_from).await?;
        tx.commit().await.map_err(failed("written"))?;
        file.settle(&marked, kept_from);
        self.0.tally.send_modify(|tally| tally.unstored -= marked.unstored);
        Ok(())
    }
}

impl File {
    /// Marks all that the database does not have any more as not stored. Tells how many that are, and of the holes
    /// between them, which cannot be sent again and are not declared yet.
    async fn reopen(&mut self, ack: &Ack, top: Seq) -> Result<(u64, Vec<Draft>), OutboxError> {
        let named = named(ack);
        let mut tx = self.db.begin().await.map_err(failed("written"))?;
        let mut reopened = 0;
        for range in named.gaps(&(0..=top.0)) {
            reopened += sqlx::query("UPDATE record SET stored = 0 WHERE seq BETWEEN $1 AND $2 AND stored = 1")
                .bind(to_column(*range.start()))
                .bind(to_column(*range.end()))
                .execute(&mut *tx)
                .await
                .map_err(failed("written"))?
                .rows_affected();
        }
        tx.commit().await.map_err(failed("written"))?;
        let mut lost = self.holes(ack.seq, top).await?;
        for range in named {
            lost.remove(range);
        }
        let gap = |range: RangeInclusive<u64>| {
            Draft::Gap(Gap {
                from: Seq(*range.start()),
                to: Seq(*range.end()),
                reason: "the database went back further than the outbox reaches".to_owned(),
            })
        };
        Ok((reopened, lost.into_iter().map(gap).collect()))
    }

    /// Numbers above `from` that are neither kept nor declared by a gap record that is.
    pub(super) async fn holes(&mut self, from: Seq, top: Seq) -> Result<RangeInclusiveSet<u64>, OutboxError> {
        let mut rows = sqlx::query(
            "SELECT before + 1, seq - 1 FROM (SELECT seq, lag(seq, 1, $1) OVER (ORDER BY seq) AS before FROM \
             (SELECT seq FROM record WHERE seq > $1 UNION ALL SELECT $2)) WHERE seq - before > 1",
        )
        .bind(to_column(from.0))
        .bind(to_column(top.next().0))
        .fetch(&mut self.db);
        let mut holes = RangeInclusiveSet::new();
        while let Some(row) = rows.try_next().await.map_err(failed("read"))? {
            holes.extend(gap_of(&row, 0));
        }
        drop(rows);
        let mut rows = sqlx::query("SELECT gap_from, gap_to FROM record WHERE gap_to > $1")
            .bind(to_column(from.0))
            .fetch(&mut self.db);
        while let Some(row) = rows.try_next().await.map_err(failed("read"))? {
            if let Some(declared) = gap_of(&row, 0) {
                holes.remove(declared);
            }
        }
        Ok(holes)
    }

    /// What [`mark_stored`] did is on disk.
    pub(super) fn settle(&mut self, marked: &Marked, kept_from: u64) {
        self.trimmed = kept_from;
        self.bytes = self.bytes.saturating_sub(marked.bytes);
        self.unwritten = false;
    }
}

/// Removes what the database has up to `kept_from`; above that it is only marked.
pub(super) async fn mark_stored(
    tx: &mut SqliteConnection,
    stored: &Stored,
    trimmed: u64,
    kept_from: u64,
) -> Result<Marked, OutboxError> {
    let mut marked = Marked::default();
    for range in stored.numbers.iter() {
        let (from, to) = (*range.start(), *range.end());
        marked.delete(tx, from, to.min(kept_from), 0).await?;
        marked.unstored += sqlx::query("UPDATE record SET stored = 1 WHERE seq BETWEEN $1 AND $2 AND stored = 0")
            .bind(to_column(from.max(kept_from + 1)))
            .bind(to_column(to))
            .execute(&mut *tx)
            .await
            .map_err(failed("written"))?
            .rows_affected();
    }
    // What was only marked before and is no longer one of the newest.
    marked.delete(tx, trimmed + 1, kept_from, 1).await?;
    sqlx::query("UPDATE identity SET store = $1, stored_seq = $2, stored_ranges = $3")
        .bind(&stored.store)
        .bind(to_column(stored.seq().0))
        .bind(stored.encode())
        .execute(&mut *tx)
        .await
        .map_err(failed("written"))?;
    Ok(marked)
}

/// What the database has, as far as it said.
pub(super) struct Stored {
    store: Option<String>,
    /// With 0, which is none.
    pub numbers: RangeInclusiveSet<u64>,
}

impl Stored {
    /// From the columns of the same names.
    pub fn new(store: Option<String>, stored_seq: u64, stored_ranges: Option<&[u8]>) -> Result<Self, OutboxError> {
        let ranges: Vec<(u64, u64)> = match stored_ranges {
            Some(ranges) => decode_value(ranges).map_err(|_| OutboxError::Corrupt("list of stored ranges"))?,
            None => Vec::new(),
        };
        let above = ranges.into_iter().filter(|(from, to)| from <= to).map(|(from, to)| from..=to);
        Ok(Stored { store, numbers: std::iter::once(0..=stored_seq).chain(above).collect() })
    }

    fn after(&self, ack: &Ack, progress: Progress) -> Self {
        let mut numbers = named(ack);
        if let Progress::Forward(_) = progress {
            numbers.extend(self.numbers.iter().cloned());
        }
        Stored { store: Some(ack.store.clone()), numbers }
    }

    /// Every record up to here is in the database.
    pub fn seq(&self) -> Seq {
        Seq(self.numbers.first().map_or(0, |range| *range.end()))
    }

    fn encode(&self) -> Vec<u8> {
        encode(&self.numbers.iter().skip(1).map(|range| (*range.start(), *range.end())).collect::<Vec<_>>())
    }
}

/// What marking has changed.
#[derive(Default)]
pub(super) struct Marked {
    /// Of the records that are gone.
    pub bytes: u64,
    /// Records that were not stored before.
    pub unstored: u64,
}

impl Marked {
    /// Deletes what is between the numbers and whose mark is at least `stored`.
    pub async fn delete(
        &mut self,
        tx: &mut SqliteConnection,
        from: u64,
        to: u64,
        stored: i64,
    ) -> Result<(), OutboxError> {
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

    fn ack(store: &str, seq: u64, ranges: &[(u64, u64)]) -> Ack {
        Ack {
            v: 1,
            vin: "WVWZZZ1JZ3W386752".parse().unwrap(),
            epoch: Epoch(1),
            seq: Seq(seq),
            ranges: ranges.iter().map(|(from, to)| (Seq(*from), Seq(*to))).collect(),
            store: store.to_owned(),
        }
    }

    fn known(seq: u64, ranges: &[(u64, u64)]) -> Stored {
        let unknown = Stored::new(None, 0, None).unwrap();
        unknown.after(&ack("a", seq, ranges), Progress::Forward(Seq(seq)))
    }

    #[test]
    fn a_database_goes_back_by_its_number_or_by_its_identity() {
        let unknown = Stored::new(None, 0, None).unwrap();
        assert_eq!(judge(&unknown, &ack("a", 0, &[]), true), Progress::Forward(Seq(0)));
        assert_eq!(judge(&known(7, &[]), &ack("a", 7, &[]), false), Progress::Forward(Seq(7)));
        assert_eq!(judge(&known(7, &[]), &ack("a", 6, &[]), false), Progress::Back(Seq(6)));
        assert_eq!(judge(&known(7, &[]), &ack("b", 9, &[]), false), Progress::Back(Seq(9)));
    }

    #[test]
    fn a_database_goes_back_by_what_it_has_above_its_number() {
        let known = known(7, &[(10, 12), (15, 15)]);
        let forward = [(7, [(10, 12), (15, 15)]), (7, [(9, 12), (14, 20)]), (11, [(12, 12), (15, 15)])];
        for (seq, ranges) in forward {
            assert_eq!(judge(&known, &ack("a", seq, &ranges), false), Progress::Forward(Seq(seq)));
        }
        for ranges in [&[(10, 12)][..], &[(10, 11), (15, 15)], &[]] {
            assert_eq!(judge(&known, &ack("a", 7, ranges), false), Progress::Back(Seq(7)));
            assert_eq!(judge(&known, &ack("a", 7, ranges), true), Progress::Forward(Seq(7)));
        }
    }

    #[test]
    fn what_the_broker_had_kept_never_takes_back_anything() {
        let known = known(7, &[(10, 12)]);
        assert_eq!(judge(&known, &ack("a", 6, &[]), true), Progress::None);
        assert_eq!(judge(&known, &ack("b", 9, &[]), true), Progress::None);
        assert_eq!(judge(&known, &ack("a", 8, &[]), true), Progress::Forward(Seq(8)));
        let after = known.after(&ack("a", 8, &[]), Progress::Forward(Seq(8)));
        assert_eq!(judge(&after, &ack("a", 8, &[]), false), Progress::Back(Seq(8)));
    }

    #[test]
    fn what_is_known_survives_the_file() {
        let stored = known(7, &[(10, 12), (15, 15)]);
        let again = Stored::new(stored.store.clone(), stored.seq().0, Some(&stored.encode())).unwrap();
        assert_eq!((again.store, again.numbers), (stored.store, stored.numbers));
    }
}
