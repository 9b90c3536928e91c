//! Records that wait until it is known what time it is.
//!
//! Before the first good time after the computer's start a record has only the milliseconds since then
//! ([`clock::provisional`](crate::clock::provisional)). It is on disk with the start that they count from, and is not sent.

use bugbrother_wire::{
    UnixMs,
    codec::{EARLIEST, LATEST, decode_value},
    encode,
    message::{Clock, Diagnostics, Event, Media, Reply, Telemetry},
    topic::Kind,
};
use sqlx::{Connection, Row, SqliteConnection};
use tokio::{
    sync::watch,
    time::{Duration, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Outbox, OutboxError, crc_of, failed, to_column, to_kind};
use crate::clock::{Boot, Good, Time, is_provisional};

/// So many records are moved in one transaction; what is live is written in between.
const STEP: i64 = 256;

/// This start of the computer in the file.
pub(super) struct Booted {
    pub number: i64,
    /// When it was, as soon as that is known.
    pub started: Option<Good>,
}

/// With a connection and no good time for so long, what is held back is sent with a guess.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Lets go what the outbox holds back as soon as it is known what time it is, or nobody will know, until `stop`.
pub async fn release(outbox: Outbox, time: Time, mut online: watch::Receiver<bool>, stop: CancellationToken) {
    let mut good = time.good();
    let mut waits = true;
    while !stop.is_cancelled() {
        let known = *good.borrow_and_update();
        if let Some(known) = known {
            waits = false;
            if let Err(error) = outbox.settle(known).await {
                error!(
                    error = &error as &dyn std::error::Error,
                    "records from before the time was known stay where they are"
                );
                stop.run_until_cancelled(sleep(RETRY_AFTER)).await;
                good.mark_changed();
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            changed = good.changed() => if changed.is_err() { return },
            () = out_of_patience(&mut online), if waits => match outbox.give_up_waiting().await {
                Ok(guess) => {
                    waits = false;
                    warn!("nobody knows what time it is: records are sent with a guess");
                    if let Some(guess) = guess {
                        time.guess(guess.started);
                    }
                }
                Err(error) => {
                    error!(error = &error as &dyn std::error::Error, "records stay held back");
                    sleep(RETRY_AFTER).await;
                }
            },
        }
    }
}

async fn out_of_patience(online: &mut watch::Receiver<bool>) {
    let connected = async |online: &mut watch::Receiver<bool>| online.wait_for(|online| *online).await.is_ok();
    if connected(online).await {
        sleep(PATIENCE).await;
        if connected(online).await {
            return;
        }
    }
    // There is no uplink any more, so the agent is about to end.
    std::future::pending().await
}

impl Outbox {
    /// What is appended from now on is of this start of the computer. Tells when that was, if an agent knew it before.
    ///
    /// What earlier starts have left without ever knowing the time is moved to where it may have been: by the computer's
    /// clock as it was then, and after every record before it. It says of itself that it is a guess.
    pub async fn enter(&self, boot: &Boot) -> Result<Option<Good>, OutboxError> {
        let mut file = self.0.file.lock().await;
        let db = &mut file.db;
        let mut tx = db.begin().await.map_err(failed("written"))?;
        sqlx::query("INSERT INTO boot (id, guess) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(&boot.id)
            .bind(boot.guess)
            .execute(&mut *tx)
            .await
            .map_err(failed("written"))?;
        let row = sqlx::query("SELECT number, started, clock FROM boot WHERE id = $1")
            .bind(&boot.id)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed("read"))?;
        let number = row.get(0);
        let earlier: Vec<i64> = sqlx::query_scalar("SELECT number FROM boot WHERE number <> $1 ORDER BY number")
            .bind(number)
            .fetch_all(&mut *tx)
            .await
            .map_err(failed("read"))?;
        tx.commit().await.map_err(failed("written"))?;
        let started = known(&row);
        file.boot = Some(Booted { number, started });
        drop(file);
        for number in earlier {
            let started = self.best_guess(number).await?;
            self.move_all(number, started).await?;
            let db = &mut self.0.file.lock().await.db;
            sqlx::query("DELETE FROM boot WHERE number = $1")
                .bind(number)
                .execute(db)
                .await
                .map_err(failed("written"))?;
        }
        if let Some(good) = started {
            self.move_all(number, good).await?;
        }
        Ok(started.filter(|good| good.clock != Clock::None))
    }

    /// It is known when this start of the computer was: what was held back can be sent. Tells how many records that are.
    pub async fn settle(&self, good: Good) -> Result<u64, OutboxError> {
        let mut file = self.0.file.lock().await;
        let Some(number) = file.boot.as_ref().map(|boot| boot.number) else { return Ok(0) };
        // First of all, so that an agent that ends here goes on by the same.
        sqlx::query("UPDATE boot SET started = $1, clock = $2 WHERE number = $3")
            .bind(good.started)
            .bind(from_clock(good.clock))
            .bind(number)
            .execute(&mut file.db)
            .await
            .map_err(failed("written"))?;
        file.boot = Some(Booted { number, started: Some(good) });
        drop(file);
        let moved = self.move_all(number, good).await?;
        if moved > 0 {
            info!(records = moved, clock = ?good.clock, "records from before the time was known have theirs now");
        }
        Ok(moved)
    }

    /// Nobody knows when this start of the computer was, and what is held back has waited long enough. Tells the guess.
    pub async fn give_up_waiting(&self) -> Result<Option<Good>, OutboxError> {
        let number = self.0.file.lock().await.boot.as_ref().map(|boot| boot.number);
        let Some(number) = number else { return Ok(None) };
        let guess = self.best_guess(number).await?;
        self.settle(guess).await?;
        Ok(Some(guess))
    }

    /// How many records are held back.
    pub async fn held(&self) -> Result<u64, OutboxError> {
        let db = &mut self.0.file.lock().await.db;
        let held: i64 = sqlx::query_scalar("SELECT count(*) FROM record WHERE boot IS NOT NULL")
            .fetch_one(db)
            .await
            .map_err(failed("read"))?;
        Ok(held.unsigned_abs())
    }

    /// When that start may have been: not before the newest good time that is older than what it left.
    async fn best_guess(&self, number: i64) -> Result<Good, OutboxError> {
        let db = &mut self.0.file.lock().await.db;
        let row = sqlx::query("SELECT started, clock, guess FROM boot WHERE number = $1")
            .bind(number)
            .fetch_one(&mut *db)
            .await
            .map_err(failed("read"))?;
        if let Some(good) = known(&row) {
            return Ok(good);
        }
        let first = sqlx::query("SELECT seq, made_at FROM record WHERE boot = $1 ORDER BY seq LIMIT 1")
            .bind(number)
            .fetch_optional(&mut *db)
            .await
            .map_err(failed("read"))?;
        let (seq, made_at) = first.map_or((i64::MAX, EARLIEST), |row| (row.get(0), row.get(1)));
        let before: Option<UnixMs> = sqlx::query_scalar(
            "SELECT made_at FROM record WHERE boot IS NULL AND gap_to IS NULL AND seq < $1 ORDER BY seq DESC LIMIT 1",
        )
        .bind(seq)
        .fetch_optional(&mut *db)
        .await
        .map_err(failed("read"))?;
        let up = if is_provisional(made_at) { made_at - EARLIEST } else { 0 };
        let earliest = before.map_or(EARLIEST, |before| before + 1 - up);
        let started = row.get::<i64, _>(2).max(earliest).min(LATEST - 1);
        Ok(Good { started, clock: Clock::None })
    }

    /// Moves what is held back for a start of the computer to its place in time.
    async fn move_all(&self, number: i64, started: Good) -> Result<u64, OutboxError> {
        let mut count = 0;
        loop {
            let mut file = self.0.file.lock().await;
            let mut tx = file.db.begin().await.map_err(failed("written"))?;
            let rows = sqlx::query("SELECT seq, kind, body, made_at FROM record WHERE boot = $1 ORDER BY seq LIMIT $2")
                .bind(number)
                .bind(STEP)
                .fetch_all(&mut *tx)
                .await
                .map_err(failed("read"))?;
            let mut grown = 0;
            for row in &rows {
                let (seq, body): (i64, Vec<u8>) = (row.get(0), row.get(2));
                let kind = to_kind(row.get(1)).ok_or(OutboxError::Corrupt("kind"))?;
                let old = to_column(body.len() as u64);
                // What is no message is for ingest to examine.
                let new = moved(kind, &body, started).unwrap_or(body);
                grown += to_column(new.len() as u64) - old;
                write_moved(&mut tx, seq, new, place(row.get(3), started)).await?;
            }
            tx.commit().await.map_err(failed("written"))?;
            file.bytes = file.bytes.saturating_add_signed(grown);
            count += rows.len() as u64;
            if rows.is_empty() {
                if count > 0 {
                    self.0.tally.send_modify(|tally| tally.released += count);
                }
                return Ok(count);
            }
        }
    }
}

async fn write_moved(tx: &mut SqliteConnection, seq: i64, body: Vec<u8>, made_at: UnixMs) -> Result<(), OutboxError> {
    sqlx::query("UPDATE record SET crc = $1, body = $2, made_at = $3, boot = NULL WHERE seq = $4")
        .bind(crc_of(&body))
        .bind(body)
        .bind(made_at)
        .bind(seq)
        .execute(tx)
        .await
        .map(drop)
        .map_err(failed("written"))
}

/// A provisional time in its place; others stay where they are.
pub(super) fn place(ts: UnixMs, good: Good) -> UnixMs {
    if is_provisional(ts) { (good.started + (ts - EARLIEST)).clamp(EARLIEST, LATEST - 1) } else { ts }
}

/// A message whose times are in their place; `None` for what is no message of that kind.
pub(super) fn moved(kind: Kind, body: &[u8], good: Good) -> Option<Vec<u8>> {
    Some(match kind {
        Kind::Telemetry => {
            let mut message: Telemetry = decode_value(body).ok()?;
            message.t0 = place(message.t0, good);
            message.clock = good.clock;
            encode(&message)
        }
        Kind::Diagnostics => {
            let mut message: Diagnostics = decode_value(body).ok()?;
            message.at = place(message.at, good);
            encode(&message)
        }
        Kind::Event => {
            let mut message: Event = decode_value(body).ok()?;
            message.at = place(message.at, good);
            encode(&message)
        }
        Kind::Reply => {
            let mut message: Reply = decode_value(body).ok()?;
            message.at = place(message.at, good);
            encode(&message)
        }
        Kind::Media => {
            let mut message: Media = decode_value(body).ok()?;
            for time in [&mut message.at, &mut message.from, &mut message.to] {
                *time = place(*time, good);
            }
            encode(&message)
        }
        _ => return None,
    })
}

/// From the columns `started` and `clock`.
fn known(row: &sqlx::sqlite::SqliteRow) -> Option<Good> {
    let started: Option<i64> = row.try_get("started").ok()?;
    let clock: Option<i64> = row.try_get("clock").ok()?;
    Some(Good { started: started?, clock: to_clock(clock?) })
}

const CLOCKS: [Clock; 5] = [Clock::None, Clock::Gnss, Clock::Ntp, Clock::Rtc, Clock::System];

fn from_clock(clock: Clock) -> i64 {
    CLOCKS.iter().position(|known| *known == clock).map_or(0, |index| to_column(index as u64))
}

fn to_clock(column: i64) -> Clock {
    usize::try_from(column).ok().and_then(|index| CLOCKS.get(index).copied()).unwrap_or(Clock::None)
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::{
        CommandId, Seq,
        message::{EventKind, ReplyState, Row, VinSource},
    };

    use super::*;
    use crate::{
        clock::provisional,
        outbox::{Answer, Batch, Draft, Happening},
    };

    /// When the computer was really started.
    const STARTED: UnixMs = 1_790_000_000_000;
    const FIX: Good = Good { started: STARTED, clock: Clock::Gnss };

    async fn open(dir: &tempfile::TempDir) -> Outbox {
        let vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        Outbox::open(&dir.path().join("outbox.db"), 1 << 24, vin, VinSource::Configured, STARTED).await.unwrap()
    }

    fn boot(id: &str, guess: UnixMs) -> Boot {
        Boot { id: id.to_owned(), guess }
    }

    fn batch(t0: UnixMs, clock: Clock) -> Draft {
        let rows = vec![Row { dt_ms: 0, values: vec![Some(1.0)] }, Row { dt_ms: 90, values: vec![Some(2.0)] }];
        Draft::Batch(Batch { clock, t0, keys: vec!["spd".to_owned()], rows, replayed: 0 })
    }

    /// One of each kind, of the second after the start.
    fn all(up: i64) -> Vec<Draft> {
        let at = provisional(up);
        let command = CommandId(uuid::Uuid::nil());
        vec![
            batch(at, Clock::None),
            Draft::Event(Happening::new(EventKind::IgnitionOn, at)),
            Draft::Diagnostics { at, mil: None, dtcs: Vec::new(), monitors: Vec::new(), freeze_frame: None },
            Draft::Reply(Answer::new(command, ReplyState::Done, at)),
        ]
    }

    /// Time of each record that can be sent, and the clock where it has one.
    async fn sendable(outbox: &Outbox) -> Vec<(u64, UnixMs, Option<Clock>)> {
        let records = outbox.read(Seq(0)..Seq(u64::MAX), 100_000).await.unwrap();
        let told = records.iter().map(|record| {
            let (at, clock) = match record.kind {
                Kind::Telemetry => {
                    let message: Telemetry = decode_value(&record.body).unwrap();
                    (message.t0, Some(message.clock))
                }
                Kind::Event => (decode_value::<Event>(&record.body).unwrap().at, None),
                Kind::Diagnostics => (decode_value::<Diagnostics>(&record.body).unwrap().at, None),
                _ => (decode_value::<Reply>(&record.body).unwrap().at, None),
            };
            (record.seq.0, at, clock)
        });
        told.collect()
    }

    #[tokio::test]
    async fn what_has_no_time_yet_is_held_back_and_moved_when_there_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = open(&dir).await;
        assert_eq!(outbox.enter(&boot("first", 7)).await.unwrap(), None);
        outbox.append(&all(3_000), provisional(4_000)).await.unwrap();
        assert_eq!(sendable(&outbox).await, []);
        assert_eq!((outbox.held().await.unwrap(), outbox.tally().borrow().unstored), (4, 4));
        // What has its time does not wait behind them.
        outbox.append(&[batch(STARTED + 5_000, Clock::Gnss)], STARTED + 5_000).await.unwrap();
        assert_eq!(sendable(&outbox).await, [(5, STARTED + 5_000, Some(Clock::Gnss))]);
        assert_eq!(outbox.settle(FIX).await.unwrap(), 4);
        let three = STARTED + 3_000;
        let moved = [(1, three, Some(Clock::Gnss)), (2, three, None), (3, three, None), (4, three, None)];
        assert_eq!(sendable(&outbox).await[..4], moved);
        assert_eq!((outbox.held().await.unwrap(), outbox.tally().borrow().released), (0, 4));
        assert_eq!(outbox.first_since(STARTED + 4_000, 64).await.unwrap(), Seq(1));
        // What was on its way to the disk when the time came.
        outbox.append(&[batch(provisional(4_500), Clock::None)], provisional(4_500)).await.unwrap();
        assert_eq!(sendable(&outbox).await[5], (6, STARTED + 4_500, Some(Clock::Gnss)));
    }

    #[tokio::test]
    async fn an_agent_that_is_started_again_since_the_same_start_goes_on_by_the_same_time() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = open(&dir).await;
        outbox.enter(&boot("first", 7)).await.unwrap();
        outbox.append(&all(3_000), provisional(3_000)).await.unwrap();
        outbox.close().await.unwrap();
        // It ends before there is a time.
        let outbox = open(&dir).await;
        assert_eq!(outbox.enter(&boot("first", 7)).await.unwrap(), None);
        assert_eq!(sendable(&outbox).await, []);
        outbox.settle(FIX).await.unwrap();
        outbox.close().await.unwrap();
        let outbox = open(&dir).await;
        assert_eq!(outbox.enter(&boot("first", 7)).await.unwrap(), Some(FIX));
        outbox.append(&all(9_000), provisional(9_000)).await.unwrap();
        let times: Vec<_> = sendable(&outbox).await.iter().map(|(_, at, _)| at - STARTED).collect();
        assert_eq!(times, [3_000, 3_000, 3_000, 3_000, 9_000, 9_000, 9_000, 9_000]);
    }

    #[tokio::test]
    async fn starts_that_never_knew_the_time_are_guessed_in_order_and_after_what_was_known() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = open(&dir).await;
        outbox.enter(&boot("known", 0)).await.unwrap();
        outbox.settle(FIX).await.unwrap();
        outbox.append(&all(60_000), provisional(60_000)).await.unwrap();
        // The computer's clock stood still: it says a time before the last that was known.
        outbox.enter(&boot("second", STARTED - 1_000_000)).await.unwrap();
        outbox.append(&all(20_000), provisional(20_000)).await.unwrap();
        outbox.append(&all(25_000), provisional(25_000)).await.unwrap();
        outbox.enter(&boot("third", STARTED - 1_000_000)).await.unwrap();
        outbox.append(&all(10_000), provisional(10_000)).await.unwrap();
        let told = sendable(&outbox).await;
        let times: Vec<_> = told.iter().step_by(4).map(|(_, at, clock)| (at - STARTED, clock.unwrap())).collect();
        assert_eq!(times, [(60_000, Clock::Gnss), (60_001, Clock::None), (65_001, Clock::None)]);
        // Nor does this start ever get to know it.
        let guess = outbox.give_up_waiting().await.unwrap().unwrap();
        assert_eq!(guess, Good { started: STARTED + 55_002, clock: Clock::None });
        assert_eq!(sendable(&outbox).await[12], (13, STARTED + 65_002, Some(Clock::None)));
        outbox.append(&all(12_000), provisional(12_000)).await.unwrap();
        assert_eq!(sendable(&outbox).await[16].1, STARTED + 67_002);
        assert_eq!(outbox.held().await.unwrap(), 0);
        // A clock that went on is believed where it is later.
        outbox.enter(&boot("fourth", STARTED + 9_000_000)).await.unwrap();
        outbox.append(&all(1_000), provisional(1_000)).await.unwrap();
        assert_eq!(outbox.give_up_waiting().await.unwrap().unwrap().started, STARTED + 9_000_000);
    }

    #[tokio::test]
    async fn many_records_are_moved_in_steps_and_the_outbox_knows_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = open(&dir).await;
        outbox.enter(&boot("first", 7)).await.unwrap();
        for up in 0..300 {
            outbox.append(&all(up * 1_000), provisional(up * 1_000)).await.unwrap();
        }
        assert_eq!(outbox.settle(FIX).await.unwrap(), 1_200);
        let told = sendable(&outbox).await;
        assert!(told.iter().all(|(seq, at, _)| *at == STARTED + i64::try_from((seq - 1) / 4 * 1_000).unwrap()));
        let known = outbox.0.file.lock().await.bytes;
        outbox.close().await.unwrap();
        assert_eq!(open(&dir).await.0.file.lock().await.bytes, known);
    }

    #[tokio::test(start_paused = true)]
    async fn with_a_connection_and_no_time_for_a_quarter_of_an_hour_a_guess_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("system");
        std::fs::create_dir_all(folder.join("proc/device-tree")).unwrap();
        std::fs::write(folder.join("proc/device-tree/model"), "Raspberry Pi 4").unwrap();
        let time = Time::new(crate::clock::ClockSettings::in_folder(&folder));
        let outbox = open(&dir).await;
        outbox.enter(time.boot()).await.unwrap();
        outbox.append(&all(3_000), time.now()).await.unwrap();
        let (online, stop) = (watch::Sender::new(false), CancellationToken::new());
        let releasing = tokio::spawn(release(outbox.clone(), time.clone(), online.subscribe(), stop.clone()));
        sleep(4 * PATIENCE).await;
        assert_eq!(outbox.held().await.unwrap(), 4);
        online.send_replace(true);
        let mut tally = outbox.tally();
        let begun = tokio::time::Instant::now();
        tally.wait_for(|tally| tally.released == 4).await.unwrap();
        assert!(begun.elapsed() >= PATIENCE && begun.elapsed() < 2 * PATIENCE);
        // From now on there is a time, and it says of itself what it is worth.
        while is_provisional(time.now()) {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        releasing.await.unwrap();
    }
}
