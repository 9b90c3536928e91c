//! What is older than it is to be kept goes, in steps so small that nobody waits for them.

use bugbrother_wire::{UnixMs, Vin};

use crate::{Engine, Retention, Store, StoreError};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Rows that one step removes.
const STEP: i64 = 500;
/// Hours of a vehicle that one step removes: each has a row for each signal.
const HOURS: u32 = 12;
/// Pages of a file that one step gives back to the disk, of 4 KiB each.
const PAGES: u32 = 1_000;

/// Rows of a kind, by their age.
struct Kind {
    days: fn(&Retention) -> Option<u32>,
    /// Removes up to $2 rows that are older than $1.
    sql: &'static str,
}

const KINDS: [Kind; 13] = [
    Kind {
        days: |retention| retention.events_days,
        sql: "DELETE FROM event WHERE (vin, id) IN (SELECT vin, id FROM event WHERE received_ts < $1 \
              ORDER BY received_ts LIMIT $2)",
    },
    Kind {
        days: |retention| retention.events_days,
        sql: "DELETE FROM picture WHERE (vin, at_ts) IN (SELECT vin, at_ts FROM picture WHERE received_ts < $1 \
              ORDER BY received_ts LIMIT $2)",
    },
    Kind {
        days: |retention| retention.events_days,
        sql: "DELETE FROM reply WHERE (vin, epoch, seq) IN (SELECT vin, epoch, seq FROM reply WHERE received_ts < $1 \
              ORDER BY received_ts LIMIT $2)",
    },
    Kind {
        days: |retention| retention.trips_days,
        sql: "DELETE FROM trip WHERE (vin, start_ts) IN (SELECT vin, start_ts FROM trip WHERE start_ts < $1 \
              ORDER BY start_ts LIMIT $2)",
    },
    Kind {
        days: |retention| retention.trips_days,
        sql: "DELETE FROM stop WHERE (vin, start_ts) IN (SELECT vin, start_ts FROM stop WHERE start_ts < $1 \
              AND end_ts IS NOT NULL ORDER BY start_ts LIMIT $2)",
    },
    Kind {
        // Their history goes with them.
        days: |retention| retention.alerts_days,
        sql: "DELETE FROM alert WHERE id IN (SELECT id FROM alert WHERE resolved < $1 ORDER BY resolved LIMIT $2)",
    },
    Kind {
        days: |retention| retention.commands_days,
        sql: "DELETE FROM command WHERE id IN (SELECT id FROM command WHERE issued < $1 ORDER BY issued LIMIT $2)",
    },
    Kind {
        days: |retention| retention.deliveries_days,
        sql: "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE made_ts < $1 \
              ORDER BY made_ts, id LIMIT $2)",
    },
    Kind {
        days: |retention| retention.audit_days,
        sql: "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at_ts < $1 ORDER BY at_ts, id LIMIT $2)",
    },
    Kind {
        days: |retention| retention.dead_letters_days,
        sql: "DELETE FROM dead_letter WHERE number IN (SELECT number FROM dead_letter WHERE received_ts < $1 \
              ORDER BY received_ts LIMIT $2)",
    },
    Kind {
        // What is known of photos and clips, as long as no file of them is kept.
        days: |retention| retention.events_days,
        sql: "DELETE FROM media WHERE (vin, id) IN (SELECT vin, id FROM media WHERE received_ts < $1 AND NOT EXISTS \
              (SELECT 1 FROM media_file WHERE media_file.vin = media.vin AND media_file.id = media.id \
              AND gone_ts IS NULL) ORDER BY received_ts LIMIT $2)",
    },
    Kind {
        days: |retention| retention.events_days,
        sql: "DELETE FROM media_file WHERE (vin, id) IN (SELECT vin, id FROM media_file WHERE gone_ts < $1 \
              ORDER BY gone_ts LIMIT $2)",
    },
    Kind {
        days: |retention| retention.quarantine_days,
        sql: "DELETE FROM quarantine WHERE number IN (SELECT number FROM quarantine WHERE received_ts < $1 \
              ORDER BY received_ts LIMIT $2)",
    },
];

impl Store {
    /// Removes rows that are too old at `now`, a step of each kind but samples and files of pictures. Tells how many; 0 when there are
    /// none left.
    pub async fn expire(&self, now: UnixMs) -> Result<u64, StoreError> {
        let retention: Retention = self.setting().await?;
        let mut gone = 0;
        for kind in &KINDS {
            let Some(days) = (kind.days)(&retention) else { continue };
            let done = sqlx::query(kind.sql).bind(before(now, days)).bind(STEP).execute(&self.write).await?;
            gone += done.rows_affected();
        }
        Ok(gone + self.forget_sessions(now).await?)
    }

    /// Removes a step of a vehicle's samples that are too old at `now`, by the fleet's setting and the vehicle's contracts,
    /// whichever keeps them longer. Tells how many hours; 0 when there are none left.
    pub async fn expire_samples(&self, vin: Vin, now: UnixMs) -> Result<u64, StoreError> {
        let retention: Retention = self.setting().await?;
        let Some(mut days) = retention.telemetry_days else { return Ok(0) };
        if let Some(contract) = self.contract_retention(vin, now).await?.days {
            days = days.max(contract);
        }
        let before = before(now, days);
        let gone = self.series.forget(vin, before, HOURS).await?;
        if gone > 0 {
            sqlx::query("UPDATE trip_state SET floor_ts = $2 WHERE vin = $1 AND (floor_ts IS NULL OR floor_ts < $2)")
                .bind(vin.as_str())
                .bind(before)
                .execute(&self.write)
                .await?;
        }
        Ok(gone)
    }

    /// Gives a step of the room that is free inside of the database's file back to the disk. Tells whether there is more.
    /// PostgreSQL does so by itself.
    pub async fn give_back(&self) -> Result<bool, StoreError> {
        if self.engine == Engine::Postgres {
            return Ok(false);
        }
        let free: i64 = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&self.read).await?;
        // What is left is used again soon.
        if free < i64::from(PAGES) {
            return Ok(false);
        }
        let mode: i64 = sqlx::query_scalar("PRAGMA auto_vacuum").fetch_one(&self.read).await?;
        if mode == 0 {
            // A file of the first version: it learns to do so by being written anew, once.
            sqlx::raw_sql("PRAGMA auto_vacuum = INCREMENTAL; VACUUM").execute(&self.write).await?;
            return Ok(false);
        }
        sqlx::raw_sql("PRAGMA incremental_vacuum(1000)").execute(&self.write).await?;
        Ok(free >= 2 * i64::from(PAGES))
    }
}

fn before(now: UnixMs, days: u32) -> UnixMs {
    now.saturating_sub(i64::from(days) * DAY_MS)
}
