//! Samples in an InfluxDB. The tail, in the fleet database, then holds batches without a body: they say which hours of a
//! vehicle have changed since what those amount to was last written down.
//!
//! # Layout
//! - `address`: the parts of `telemetry_url` (pure)
//! - `server`: requests and their failures
//! - `lines`: batches as points (pure); `answer`: JSON as rows (pure)
//! - `spans`: hours that have to be looked at (pure)
//!
//! Asked of the server: that it has a write on its disk before it says so (`wal-fsync-delay = "0s"`, its default).

mod address;
mod answer;
mod lines;
mod server;
mod spans;

use std::fmt;

use async_trait::async_trait;
use bugbrother_wire::{UnixMs, Vin, message::Telemetry};
use futures_util::{StreamExt, stream::FuturesUnordered};
use influxdb::ReadQuery;
use sqlx::AnyPool;
use tokio::sync::OnceCell;
use tracing::warn;

use address::{Address, Version};
use answer::{Line, Table};
use lines::{HOURLY, MAX_POINTS, RAW, TIMES, field, is_key, key_of};
use server::{Server, failed};
use spans::Span;

use super::{
    Bucket, CLOCK, Folded, Page, Question, Sample, Samples, TailBatch, TimeSeries,
    bucket::Filling,
    hour::{HOUR_MS, Summary, hour_of},
};
use crate::{StoreError, tail};

/// Asks for the account and the database.
const ANYTHING: &str = "SHOW MEASUREMENTS LIMIT 1";
/// Requests that are on their way at once.
const IN_FLIGHT: usize = 4;
/// Values that are asked for at once.
const MAX_CELLS: usize = 400_000;
/// Signals whose hours are added up at once: the address of the request must not get too long.
const SIGNALS: usize = 32;
/// Spans that a series is put together from at once.
const SPANS: usize = 8;
/// Batches of the tail that are looked at.
const BATCHES: i64 = 10_000;
/// Hours between those that have changed, so many of which are added up with them rather than in two requests.
const GAP_MS: i64 = 12 * HOUR_MS;
/// Longest span that is added up at once.
const PIECE_MS: i64 = 31 * 24 * HOUR_MS;

/// An InfluxDB as a store of samples, and the tail in the fleet database.
pub(crate) struct Influx {
    server: Server,
    address: Address,
    /// The database is there, and the account may use it.
    ready: OnceCell<()>,
    tail: AnyPool,
}

impl fmt::Debug for Influx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Influx").finish_non_exhaustive()
    }
}

impl Influx {
    /// Whether this is an InfluxDB's address.
    pub fn is_at(url: &str) -> bool {
        Address::is_one(url)
    }

    /// Opens the database at `url`: `influxdb://user:password@host:8086/database`, which is made if an InfluxDB 1 has none of
    /// that name; `?retention_days=400` sets for how long it keeps points, of hours too. `influxdb://token@host:8086/bucket?v=2`
    /// is a bucket of an InfluxDB 2. `influxdbs` is the same over TLS.
    ///
    /// One that is away at the moment is asked for that when the first samples are written. `tail` are connections to the
    /// fleet database.
    pub async fn open(url: &str, tail: AnyPool) -> Result<Self, StoreError> {
        let address = Address::parse(url)?;
        let influx = Influx { server: Server::new(&address)?, address, ready: OnceCell::new(), tail };
        match influx.prepare().await {
            // Who keeps nothing there has work to do all the same, and who writes there says itself that it cannot.
            Err(error) if server::is_away(&error) => {
                warn!(%error, "goes on without the samples' store until it is there");
            }
            prepared => prepared?,
        }
        Ok(influx)
    }

    /// Whether it answers and knows the account. A database that is not there yet will be made.
    pub async fn look(url: &str) -> Result<(), StoreError> {
        match Server::new(&Address::parse(url)?)?.ask_for_json(ReadQuery::new(ANYTHING)).await {
            Err(StoreError::Samples(text)) if text.contains("database not found") => Ok(()),
            asked => asked.map(drop),
        }
    }

    /// Makes sure that the database is there, once.
    async fn prepare(&self) -> Result<(), StoreError> {
        let prepare = async || {
            if self.address.version == Version::One {
                self.make_database(&self.address).await?;
            }
            self.ping().await
        };
        self.ready.get_or_try_init(prepare).await.copied()
    }

    async fn make_database(&self, address: &Address) -> Result<(), StoreError> {
        let database = &address.database;
        let policies =
            || self.server.ask_for_json(ReadQuery::new(format!(r#"SHOW RETENTION POLICIES ON "{database}""#)));
        let known = match policies().await {
            Err(StoreError::Samples(text)) if text.contains("database not found") => {
                self.server.tell(&format!(r#"CREATE DATABASE "{database}""#)).await?;
                policies().await?
            }
            known => known?,
        };
        let Some(days) = address.retention_days else { return Ok(()) };
        let (name, duration) =
            answer::default_policy(&known).ok_or_else(|| failed("the database has no default retention policy"))?;
        if duration != format!("{}h0m0s", days * 24) && is_plain(&name) {
            let alter = format!(r#"ALTER RETENTION POLICY "{name}" ON "{database}" DURATION {days}d"#);
            self.server.tell(&alter).await?;
        }
        Ok(())
    }

    /// The fields that a vehicle has in a span.
    async fn fields(&self, vin: Vin, span: Span) -> Result<Vec<String>, StoreError> {
        // The first value of each field is read and no other.
        let statement = format!(r#"SELECT first(*) FROM "{RAW}" WHERE {} LIMIT 1"#, within(vin, span));
        let table = self.one(statement).await?;
        let Some(line) = table.values.first() else { return Ok(Vec::new()) };
        let names = table.columns.iter().skip(1).zip(&line.values).filter(|(_, value)| value.is_some());
        let mut keys: Vec<String> = names.filter_map(|(name, _)| key_of(name.strip_prefix("first_")?)).collect();
        keys.sort_unstable();
        Ok(keys)
    }

    async fn one(&self, statement: String) -> Result<Table, StoreError> {
        Ok(self.server.ask(vec![statement]).await?.pop().unwrap_or_default())
    }

    /// The spans between `from` and `to` (exclusive) whose hours are not written down as they are now.
    async fn changed(&self, vin: Vin, (from, to): Span) -> Result<Vec<Span>, StoreError> {
        let mut touched = tail::spans(&self.tail, vin, (from, to), BATCHES).await?;
        // What was not looked at may be anywhere after it.
        if touched.len() == BATCHES as usize
            && let Some(last) = touched.last_mut()
        {
            last.1 = to - 1;
        }
        Ok(spans::at_most(spans::hours(touched, 0), SPANS))
    }

    /// Writes down what these hours amount to.
    async fn roll_up(&self, vin: Vin, span: Span) -> Result<(), StoreError> {
        let mut keys = self.fields(vin, span).await?;
        keys.retain(|key| key != CLOCK);
        for keys in keys.chunks(SIGNALS) {
            let columns: Vec<String> = keys.iter().enumerate().map(|(n, key)| summary_of_values(key, n)).collect();
            let statement = format!(
                r#"SELECT {} FROM "{RAW}" WHERE {} GROUP BY time(1h) fill(none)"#,
                columns.join(", "),
                within(vin, span)
            );
            let table = self.whole(vec![statement]).await?.pop().unwrap_or_default();
            let mut points = Vec::new();
            for line in &table.values {
                let summaries = line.values.chunks_exact(4).map(summary);
                let some = keys.iter().zip(summaries).filter_map(|(key, summary)| Some((key, summary?)));
                points.extend(some.map(|(key, summary)| lines::hourly(vin, key, line.ts, &summary)));
            }
            while !points.is_empty() {
                let rest = points.split_off(points.len().min(MAX_POINTS));
                self.server.write(points).await?;
                points = rest;
            }
        }
        Ok(())
    }

    /// The first rows of a span, so many.
    async fn lines(&self, select: &str, vin: Vin, span: Span, limit: usize) -> Result<Vec<Line>, StoreError> {
        let (mut lines, mut from) = (Vec::new(), span.0);
        loop {
            let rest = limit - lines.len();
            let condition = within(vin, (from, span.1));
            let mut table = self.one(format!("{select} {condition} ORDER BY time LIMIT {rest}")).await?;
            // Also said of more than 10,000 rows, though they are all there.
            let there_may_be_more = table.partial && table.values.len() < rest;
            lines.append(&mut table.values);
            match lines.last() {
                Some(last) if there_may_be_more => from = last.ts + 1,
                _ => return Ok(lines),
            }
        }
    }

    /// Answers of which nothing may be missing.
    async fn whole(&self, statements: Vec<String>) -> Result<Vec<Table>, StoreError> {
        let tables = self.server.ask(statements).await?;
        if tables.iter().any(|table| table.partial) {
            return Err(failed("its max-row-limit is too low; 0 sets none"));
        }
        Ok(tables)
    }
}

#[async_trait]
impl TimeSeries for Influx {
    async fn write(&self, batches: &[&Telemetry]) -> Result<(), StoreError> {
        if batches.is_empty() {
            return Ok(());
        }
        self.prepare().await?;
        let mut under_way = FuturesUnordered::new();
        for request in lines::requests(batches) {
            if under_way.len() == IN_FLIGHT {
                under_way.next().await.transpose()?;
            }
            under_way.push(self.server.write(request));
        }
        while let Some(done) = under_way.next().await {
            done?;
        }
        Ok(())
    }

    fn is_in_tail(&self) -> bool {
        false
    }

    async fn fold(&self, vin: Vin, tail: Vec<TailBatch>) -> Result<Folded, StoreError> {
        let touched = spans::hours(tail.iter().map(|batch| (batch.t0, batch.t1)), GAP_MS);
        for span in spans::pieces(touched, PIECE_MS) {
            self.roll_up(vin, span).await?;
        }
        Ok(Folded::default())
    }

    async fn samples(&self, question: Question<'_>, limit: usize) -> Result<Page, StoreError> {
        let Question { vin, from, to, signals } = question;
        let Some(span) = cut(from, to.saturating_add(1)) else { return Ok(Page::default()) };
        let mut keys = match signals {
            Some(signals) => {
                signals.iter().filter(|signal| is_key(signal)).map(|signal| (*signal).to_owned()).collect()
            }
            None => self.fields(vin, span).await?,
        };
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(Page::default());
        }
        let limit = limit.min(MAX_CELLS / keys.len()).max(1);
        let columns: Vec<String> =
            keys.iter().enumerate().map(|(n, key)| format!(r#""{}" AS "f{n}""#, field(key))).collect();
        let select = format!(r#"SELECT {} FROM "{RAW}" WHERE"#, columns.join(", "));
        let mut lines = self.lines(&select, vin, span, limit + 1).await?;
        let is_cut = lines.len() > limit;
        lines.truncate(limit);
        let next = lines.last().filter(|_| is_cut).map(|line| line.ts + 1);
        let is_told = |n: &usize| lines.iter().any(|line| line.values.get(*n).is_some_and(Option::is_some));
        let told: Vec<usize> = (0..keys.len()).filter(is_told).collect();
        let rows = lines.iter().map(|line| Sample {
            ts: line.ts,
            values: told.iter().map(|n| line.values.get(*n).copied().flatten()).collect(),
        });
        let samples = Samples { rows: rows.collect(), keys: told.iter().map(|n| keys[*n].clone()).collect() };
        Ok(Page { samples, next })
    }

    async fn series(
        &self,
        vin: Vin,
        signal: &str,
        from: UnixMs,
        to: UnixMs,
        bucket_ms: i64,
    ) -> Result<Vec<Bucket>, StoreError> {
        let mut filling = Filling::new(from, to, bucket_ms);
        let Some(span) = cut(from, to).filter(|_| is_key(signal)) else { return Ok(Vec::new()) };
        // The tail is asked first: what is folded after that is written down by then.
        let (values, hours) = match bucket_ms % HOUR_MS {
            0 => spans::divide(span, &self.changed(vin, span).await?),
            _ => (vec![span], Vec::new()),
        };
        let of_values = values.into_iter().map(|span| {
            let columns = summary_of_values(signal, 0);
            format!(r#"SELECT {columns} FROM "{RAW}" WHERE {}"#, within(vin, span))
        });
        let of_hours = hours.into_iter().map(|span| {
            let columns = r#"sum("n") AS n, min("low") AS l, max("high") AS h, sum("total") AS t"#;
            format!(r#"SELECT {columns} FROM "{HOURLY}" WHERE "signal" = '{signal}' AND {}"#, within(vin, span))
        });
        let most = (to - from) / bucket_ms + 1;
        let grouped = |select: String| format!("{select} GROUP BY time({bucket_ms}ms) fill(none) LIMIT {most}");
        for table in self.whole(of_values.chain(of_hours).map(grouped).collect()).await? {
            for line in &table.values {
                if let Some(part) = summary(&line.values) {
                    filling.merge(line.ts, &part);
                }
            }
        }
        Ok(filling.done())
    }

    async fn signals(&self, vin: Vin, from: UnixMs, to: UnixMs) -> Result<Vec<String>, StoreError> {
        let Some(span) = cut(from, to.saturating_add(1)) else { return Ok(Vec::new()) };
        let mut keys = self.fields(vin, span).await?;
        keys.retain(|key| key != CLOCK);
        Ok(keys)
    }

    async fn forget(&self, vin: Vin, before: UnixMs, limit: u32) -> Result<u64, StoreError> {
        let Some(span) = cut(TIMES.0, hour_of(before.min(TIMES.1))) else { return Ok(0) };
        let statement = format!(
            r#"SELECT sum("n") AS n FROM "{HOURLY}" WHERE {} GROUP BY time(1h) fill(none) LIMIT {}"#,
            within(vin, span),
            limit.clamp(1, crate::MAX_PAGE)
        );
        let hours = self.one(statement).await?.values;
        let Some(last) = hours.last() else { return Ok(0) };
        // What is told of the hours goes last: should this be cut short, it is done again.
        for measurement in [RAW, HOURLY] {
            let gone = within(vin, (TIMES.0, last.ts + HOUR_MS));
            self.server.tell(&format!(r#"DELETE FROM "{measurement}" WHERE {gone}"#)).await?;
        }
        Ok(hours.len() as u64)
    }

    async fn erase(&self, vin: Vin) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            match self.forget(vin, UnixMs::MAX, crate::MAX_PAGE).await? {
                0 => break,
                hours => all += hours,
            }
        }
        // What is not rolled up yet is told of nowhere.
        for measurement in [RAW, HOURLY] {
            let gone = within(vin, TIMES);
            self.server.tell(&format!(r#"DELETE FROM "{measurement}" WHERE {gone}"#)).await?;
        }
        Ok(all)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // The client's own `ping` asks neither for the account nor for the database, and panics where something else answers.
        self.server.ask_for_json(ReadQuery::new(ANYTHING)).await.map(drop)
    }
}

/// What InfluxDB can tell of a span, if anything.
fn cut(from: UnixMs, to: UnixMs) -> Option<Span> {
    let span = (from.max(TIMES.0), to.min(TIMES.1));
    (span.0 < span.1).then_some(span)
}

/// The condition of a vehicle and a span. Neither letters nor digits of a VIN have to be escaped.
fn within(vin: Vin, (from, to): Span) -> String {
    format!(r#""vin" = '{vin}' AND time >= {from}ms AND time < {to}ms"#)
}

/// What the values of a signal amount to, in four columns.
fn summary_of_values(key: &str, n: usize) -> String {
    let field = field(key);
    format!(r#"count("{field}") AS n{n}, min("{field}") AS l{n}, max("{field}") AS h{n}, sum("{field}") AS t{n}"#)
}

/// The same, read.
fn summary(columns: &[Option<f64>]) -> Option<Summary> {
    let [Some(n), Some(low), Some(high), Some(total)] = *columns else { return None };
    (n > 0.0).then_some(Summary { n: n as i64, low, high, total })
}

fn is_plain(name: &str) -> bool {
    !name.contains(['"', '\\'])
}
