use bugbrother_wire::{Seq, UnixMs, message::Gap};
use rangemap::RangeInclusiveSet;
use sqlx::{Connection, Row, SqliteConnection};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{
    File, KEPT, Outbox, OutboxError,
    acknowledge::{Marked, mark_stored},
    commands, crc_of,
    draft::Draft,
    failed, from_kind, gap_of, hold,
    open::{is_damage, is_full},
    to_column,
};
use crate::clock::Time;

/// Most records of one commit.
const GROUP: usize = 256;
/// A group of so many is written though it is not time yet: a recording that is replayed fast has them.
const FULL_GROUP: usize = 64;
/// Room is made for so large a part of the whole at once, so that gaps are few.
pub(super) const SHED_PART: u64 = 16;
const SHED_STEP: i64 = 1024;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// When what has come in is written.
#[derive(Debug, Clone, Copy)]
pub struct Grouping {
    /// Samples are written at most so often. What is urgent is written at once, and they with it.
    pub every: Duration,
}

/// Writes what comes in, as many at a time as are waiting, until all senders are gone.
///
/// A disk that refuses is tried again: what comes meanwhile waits in the channel, and then in the devices. Once `stop` is
/// given there is no time to wait for it: everything from there on is lost, which is counted and ends with the error.
pub async fn keep(
    outbox: Outbox,
    mut drafts: mpsc::Receiver<Draft>,
    grouping: Grouping,
    time: Time,
    stop: CancellationToken,
) -> Result<(), OutboxError> {
    let mut group = Vec::with_capacity(GROUP);
    let mut refused = false;
    let mut last_write: Option<Instant> = None;
    while drafts.recv_many(&mut group, GROUP).await > 0 {
        let due = last_write.map_or_else(Instant::now, |last| last + grouping.every);
        while group.len() < FULL_GROUP && !group.iter().any(Draft::is_urgent) {
            match timeout_at(due, drafts.recv_many(&mut group, GROUP)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            }
        }
        last_write = Some(Instant::now());
        while let Err(error) = outbox.append(&group, time.now()).await {
            metrics::counter!("bugbrother_agent_outbox_failures_total").increment(1);
            if stop.is_cancelled() {
                lose(group, drafts).await;
                return Err(error);
            }
            // A disk that is full for hours is one line in the log, not one for every attempt.
            if !refused {
                error!(error = &error as &dyn std::error::Error, "records are not on disk yet");
            }
            refused = true;
            stop.run_until_cancelled(tokio::time::sleep(RETRY_AFTER)).await;
        }
        if refused {
            info!("records are on disk again");
        }
        refused = false;
        group.clear();
    }
    Ok(())
}

/// Takes what comes until all senders are gone, so that none of them waits in vain.
async fn lose(mut group: Vec<Draft>, mut drafts: mpsc::Receiver<Draft>) {
    let mut lost = group.len();
    group.clear();
    while drafts.recv_many(&mut group, GROUP).await > 0 {
        lost += group.len();
        group.clear();
    }
    metrics::counter!("bugbrother_agent_lost_records_total").increment(lost as u64);
    error!(records = lost, "records are lost: the disk refuses them and the agent ends");
}

impl Outbox {
    /// Gives the drafts their numbers and writes them in one transaction, together with what is acknowledged.
    pub async fn append(&self, drafts: &[Draft], now: UnixMs) -> Result<(), OutboxError> {
        let mut file = self.0.file.lock().await;
        match self.append_to(&mut file, drafts, &[], now).await {
            Err(error) if is_damage(&error) => {
                self.salvage(&mut file, &error, now).await?;
                self.append_to(&mut file, drafts, &[], now).await
            }
            Err(error) if is_full(&error) && file.shrink().await => self.append_to(&mut file, drafts, &[], now).await,
            done => done,
        }
    }

    /// As [`Outbox::append`], while the records `gone` go.
    pub(super) async fn append_to(
        &self,
        file: &mut File,
        drafts: &[Draft],
        gone: &[Seq],
        now: UnixMs,
    ) -> Result<(), OutboxError> {
        let File { db, max_bytes, boot, .. } = file;
        let mut tally = *self.0.tally.borrow();
        let kept_from = tally.top.0.saturating_sub(KEPT);
        let mut tx = db.begin().await.map_err(failed("written"))?;
        let mut marked = match file.unwritten {
            true => mark_stored(&mut tx, &file.stored, file.trimmed, kept_from).await?,
            false => Marked::default(),
        };
        for seq in gone {
            marked.delete(&mut tx, seq.0, seq.0, 0).await?;
        }
        tally.unstored -= marked.unstored;
        let mut total = file.bytes.saturating_sub(marked.bytes);
        let mut place = async |tx: &mut SqliteConnection, draft: Draft| {
            let (kind, urgent) = (draft.kind(), draft.is_urgent());
            let (identity, seq) = (self.0.identity, tally.top.next());
            let gap = match &draft {
                Draft::Gap(gap) => Some((to_column(gap.from.0), to_column(gap.to.0))),
                _ => None,
            };
            let provisional = draft.is_provisional(now);
            let mut body = draft.encode(identity.vin, identity.epoch, seq, now);
            let (mut made_at, mut held) = (now, None);
            if provisional {
                match boot.as_ref().map(|boot| (boot.number, boot.started)) {
                    // The time has come to be known while the record was on its way here.
                    Some((_, Some(good))) => {
                        body = hold::moved(kind, &body, good).ok_or(OutboxError::Corrupt("record"))?;
                        made_at = hold::place(made_at, good);
                    }
                    Some((number, None)) => held = Some(number),
                    None => {}
                }
            }
            let (size, crc) = (body.len() as u64, crc_of(&body));
            sqlx::query(
                "INSERT INTO record (seq, kind, urgent, made_at, body, gap_from, gap_to, boot, crc) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(to_column(seq.0))
            .bind(from_kind(kind))
            .bind(i64::from(urgent))
            .bind(made_at)
            .bind(body)
            .bind(gap.map(|(from, _)| from))
            .bind(gap.map(|(_, to)| to))
            .bind(held)
            .bind(crc)
            .execute(tx)
            .await
            .map_err(failed("written"))?;
            tally.top = seq;
            if urgent {
                tally.urgent = seq;
            }
            tally.unstored += 1;
            Ok(size)
        };
        for draft in drafts {
            total += place(&mut tx, draft.clone()).await?;
        }
        for command in drafts.iter().filter_map(Draft::ended_command) {
            commands::end(&mut tx, command).await?;
        }
        let replayed: u64 = drafts.iter().map(Draft::replayed).sum();
        if replayed > 0 {
            sqlx::query("UPDATE identity SET replayed = replayed + $1")
                .bind(to_column(replayed))
                .execute(&mut *tx)
                .await
                .map_err(failed("written"))?;
        }
        let mut lost = 0;
        if total > *max_bytes {
            let shed = shed(&mut tx, total - (*max_bytes - *max_bytes / SHED_PART)).await?;
            total -= shed.bytes;
            lost = shed.unstored;
            for range in shed.lost {
                let reason = "outbox is full".to_owned();
                let (from, to) = (Seq(*range.start()), Seq(*range.end()));
                total += place(&mut tx, Draft::Gap(Gap { from, to, reason })).await?;
            }
        }
        tx.commit().await.map_err(failed("written"))?;
        tally.unstored -= lost;
        if file.unwritten {
            file.settle(&marked, kept_from);
        }
        file.bytes = total;
        if lost > 0 {
            metrics::counter!("bugbrother_agent_lost_records_total").increment(lost);
            warn!(records = lost, "outbox is full: the oldest samples are given up");
        }
        self.0.tally.send_replace(tally);
        Ok(())
    }
}

#[derive(Default)]
struct Shed {
    bytes: u64,
    /// How many that the database does not have.
    unstored: u64,
    /// Their numbers, and those that gap records among them declared.
    lost: RangeInclusiveSet<u64>,
}

/// What may go first; gaps in the place of their holes, so that what is lost together is declared together.
const SHED_ORDER: [&str; 3] = [
    "SELECT * FROM record WHERE stored = 1 ORDER BY seq",
    "SELECT * FROM record WHERE urgent = 0 ORDER BY seq",
    "SELECT *, seq AS place FROM record WHERE gap_to IS NULL \
     UNION ALL SELECT *, gap_to FROM record WHERE gap_to IS NOT NULL ORDER BY place",
];

/// Removes what the database has, then the oldest samples, then the oldest of the rest, until `wanted` bytes are free.
async fn shed(tx: &mut SqliteConnection, wanted: u64) -> Result<Shed, OutboxError> {
    let mut shed = Shed::default();
    for which in SHED_ORDER {
        let select = format!("SELECT seq, length(body), stored, gap_from, gap_to FROM ({which} LIMIT $1)");
        while shed.bytes < wanted {
            let rows = sqlx::query(sqlx::AssertSqlSafe(select.as_str()))
                .bind(SHED_STEP)
                .fetch_all(&mut *tx)
                .await
                .map_err(failed("read"))?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                if shed.bytes >= wanted {
                    break;
                }
                let seq: i64 = row.get(0);
                sqlx::query("DELETE FROM record WHERE seq = $1")
                    .bind(seq)
                    .execute(&mut *tx)
                    .await
                    .map_err(failed("written"))?;
                shed.bytes += row.get::<i64, _>(1).unsigned_abs();
                if row.get::<i64, _>(2) == 0 {
                    let seq = seq.unsigned_abs();
                    shed.unstored += 1;
                    shed.lost.insert(seq..=seq);
                    shed.lost.extend(gap_of(&row, 3));
                }
            }
        }
    }
    Ok(shed)
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::message::VinSource;

    use super::*;
    use crate::{clock::ClockSettings, now_ms};

    fn draft() -> Draft {
        Draft::Diagnostics {
            at: 1_790_000_000_000,
            mil: None,
            dtcs: Vec::new(),
            monitors: Vec::new(),
            freeze_frame: None,
        }
    }

    fn time() -> Time {
        Time::new(ClockSettings::of_this_system())
    }

    const EVERY_SECOND: Grouping = Grouping { every: Duration::from_secs(1) };

    async fn open(dir: &tempfile::TempDir) -> Outbox {
        let vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        Outbox::open(&dir.path().join("outbox.db"), 1 << 20, vin, VinSource::Configured, now_ms()).await.unwrap()
    }

    #[tokio::test]
    async fn a_disk_that_refuses_holds_nobody_up_once_the_agent_is_to_end() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = open(&dir).await;
        outbox.refuse_writes(true).await;
        let (sender, drafts) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let keeping = tokio::spawn(keep(outbox, drafts, EVERY_SECOND, time(), stop.clone()));
        // The first two are taken and waiting, so the third is waited for.
        for _ in 0..2 {
            sender.send(draft()).await.unwrap();
        }
        stop.cancel();
        sender.send(draft()).await.unwrap();
        drop(sender);
        assert!(matches!(keeping.await.unwrap(), Err(OutboxError::Sql { doing: "written", .. })));
    }

    #[tokio::test]
    async fn a_disk_that_is_well_again_gets_what_waited() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = open(&dir).await;
        outbox.refuse_writes(true).await;
        let (sender, drafts) = mpsc::channel(1);
        let keeping = tokio::spawn(keep(outbox.clone(), drafts, EVERY_SECOND, time(), CancellationToken::new()));
        for _ in 0..2 {
            sender.send(draft()).await.unwrap();
        }
        outbox.refuse_writes(false).await;
        drop(sender);
        keeping.await.unwrap().unwrap();
        assert_eq!(outbox.tally().borrow().unstored, 2);
    }

    fn samples() -> Draft {
        let rows = vec![bugbrother_wire::message::Row { dt_ms: 0, values: vec![Some(1.0)] }];
        let keys = vec!["spd".to_owned()];
        let clock = bugbrother_wire::message::Clock::Gnss;
        Draft::Batch(super::super::Batch { clock, t0: 1_790_000_000_000, keys, rows, replayed: 0 })
    }

    #[tokio::test(start_paused = true)]
    async fn samples_are_written_once_a_second_and_what_is_urgent_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = open(&dir).await;
        let (sender, drafts) = mpsc::channel(256);
        let keeping = tokio::spawn(keep(outbox.clone(), drafts, EVERY_SECOND, time(), CancellationToken::new()));
        let mut tally = outbox.tally();
        let mut top = async |at_least: u64| {
            tally.wait_for(|tally| tally.top.0 >= at_least).await.unwrap();
            (tally.borrow().top.0, Instant::now())
        };
        sender.send(samples()).await.unwrap();
        let (_, begun) = top(1).await;
        for _ in 0..3 {
            sender.send(samples()).await.unwrap();
        }
        let (written, at) = top(2).await;
        assert_eq!(written, 4, "what came meanwhile is written together");
        assert!((at - begun).as_millis() >= 990, "{:?}", at - begun);
        sender.send(samples()).await.unwrap();
        sender.send(draft()).await.unwrap();
        let (written, urgent) = top(5).await;
        assert!(written == 6 && (urgent - at).as_millis() < 990, "{written} {:?}", urgent - at);
        // A recording that is replayed as fast as can be does not wait.
        for _ in 0..FULL_GROUP {
            sender.send(samples()).await.unwrap();
        }
        let (_, full) = top(6 + FULL_GROUP as u64).await;
        assert!((full - urgent).as_millis() < 990);
        drop(sender);
        keeping.await.unwrap().unwrap();
    }
}
