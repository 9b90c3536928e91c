use bugbrother_wire::{Seq, UnixMs, message::Gap};
use rangemap::RangeInclusiveSet;
use sqlx::{Connection, Row, SqliteConnection};
use tokio::{sync::mpsc, time::Duration};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{File, Outbox, OutboxError, draft::Draft, failed, from_kind, gap_of, hold, to_column};
use crate::clock::Time;

/// Most records of one commit.
const GROUP: usize = 256;
/// Room is made for so large a part of the whole at once, so that gaps are few.
const SHED_PART: u64 = 16;
const SHED_STEP: i64 = 1024;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Writes what comes in, as many at a time as are waiting, until all senders are gone.
///
/// A disk that refuses is tried again: what comes meanwhile waits in the channel, and then in the devices. Once `stop` is
/// given there is no time to wait for it: everything from there on is lost, which is counted and ends with the error.
pub async fn keep(
    outbox: Outbox,
    mut drafts: mpsc::Receiver<Draft>,
    time: Time,
    stop: CancellationToken,
) -> Result<(), OutboxError> {
    let mut group = Vec::with_capacity(GROUP);
    let mut refused = false;
    while drafts.recv_many(&mut group, GROUP).await > 0 {
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
    /// Gives the drafts their numbers and writes them in one transaction.
    pub async fn append(&self, drafts: &[Draft], now: UnixMs) -> Result<(), OutboxError> {
        let mut file = self.0.file.lock().await;
        let File { db, max_bytes, bytes, boot, .. } = &mut *file;
        let mut tally = *self.0.tally.borrow();
        let mut total = *bytes;
        let mut tx = db.begin().await.map_err(failed("written"))?;
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
            let size = body.len() as u64;
            sqlx::query(
                "INSERT INTO record (seq, kind, urgent, made_at, body, gap_from, gap_to, boot) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(to_column(seq.0))
            .bind(from_kind(kind))
            .bind(i64::from(urgent))
            .bind(made_at)
            .bind(body)
            .bind(gap.map(|(from, _)| from))
            .bind(gap.map(|(_, to)| to))
            .bind(held)
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
        *bytes = total;
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
        let keeping = tokio::spawn(keep(outbox, drafts, time(), stop.clone()));
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
        let keeping = tokio::spawn(keep(outbox.clone(), drafts, time(), CancellationToken::new()));
        for _ in 0..2 {
            sender.send(draft()).await.unwrap();
        }
        outbox.refuse_writes(false).await;
        drop(sender);
        keeping.await.unwrap().unwrap();
        assert_eq!(outbox.tally().borrow().unstored, 2);
    }
}
