//! Tables of a vehicle from the oldest row on, in pages that follow one another without a hole or an overlap: for exports.

use bugbrother_wire::{
    AlertId, EventId, UnixMs, Vin,
    message::{Alert, DtcStatus, Event},
};
use sqlx::{Row, any::AnyRow};

use crate::{Store, StoreError, TripRecord, alert, number, page, trip, word};

/// A trouble code that a vehicle has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DtcRecord {
    /// Such as `P0420`.
    pub code: String,
    /// How sure the control unit was.
    pub status: DtcStatus,
    /// The control unit; empty where it did not say.
    pub ecu: String,
    /// When it was told first, by the vehicle's clock.
    pub first_seen: UnixMs,
    /// When it was told last.
    pub last_seen: UnixMs,
    /// When the vehicle told its codes and this one was no longer among them.
    pub gone: Option<UnixMs>,
    /// How often it came, at least 1.
    pub times: u32,
}

impl Store {
    /// Trips of a vehicle that began between `from` and `to` (inclusive), oldest first. No two begin at the same moment.
    pub async fn oldest_trips(
        &self,
        vin: Vin,
        from: UnixMs,
        to: UnixMs,
        limit: u32,
    ) -> Result<Vec<TripRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT vin, start_place, end_place, body FROM trip WHERE vin = $1 AND start_ts >= $2 AND start_ts <= $3 \
             ORDER BY start_ts LIMIT $4",
        )
        .bind(vin.as_str())
        .bind(from)
        .bind(to)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(trip::read_trip).collect()
    }

    /// Events of a vehicle between `from` and `to` (inclusive), oldest first, those after `after`.
    pub async fn oldest_events(
        &self,
        vin: Vin,
        (from, to): (UnixMs, UnixMs),
        after: Option<(UnixMs, EventId)>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let (at, id) = after.map_or((from, String::new()), |(at, id)| (at, id.to_string()));
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT body FROM event WHERE vin = $1 AND at_ts >= $2 AND at_ts <= $3 AND (at_ts, id) > ($2, $4) \
             ORDER BY at_ts, id LIMIT $5",
        )
        .bind(vin.as_str())
        .bind(at)
        .bind(to)
        .bind(id)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|body| word::from_json("event", body)).collect()
    }

    /// Alerts of a vehicle that were opened between `from` and `to` (inclusive), oldest first, those after `after`.
    pub async fn oldest_alerts(
        &self,
        vin: Vin,
        (from, to): (UnixMs, UnixMs),
        after: Option<(UnixMs, AlertId)>,
        limit: u32,
    ) -> Result<Vec<Alert>, StoreError> {
        let (opened, id) = after.map_or((from, String::new()), |(opened, id)| (opened, id.to_string()));
        let rows = sqlx::query(alert::alert_sql!(
            "WHERE vin = $1 AND opened >= $2 AND opened <= $3 AND (opened, id) > ($2, $4) \
             ORDER BY opened, id LIMIT $5"
        ))
        .bind(vin.as_str())
        .bind(opened)
        .bind(to)
        .bind(id)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(alert::read).collect()
    }

    /// Trouble codes of a vehicle in the order of code, status and control unit, those after `after`.
    pub async fn dtcs(&self, vin: Vin, after: Option<&DtcRecord>, limit: u32) -> Result<Vec<DtcRecord>, StoreError> {
        let status = after.map(|after| word::of(&after.status)).unwrap_or_default();
        let (code, ecu) = after.map_or(("", ""), |after| (&after.code, &after.ecu));
        let rows = sqlx::query(
            "SELECT code, status, ecu, first_seen, last_seen, gone_ts, times FROM dtc \
             WHERE vin = $1 AND code >= $2 AND (code, status, ecu) > ($2, $3, $4) \
             ORDER BY code, status, ecu LIMIT $5",
        )
        .bind(vin.as_str())
        .bind(code)
        .bind(status)
        .bind(ecu)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read_dtc).collect()
    }
}

fn read_dtc(row: &AnyRow) -> Result<DtcRecord, StoreError> {
    Ok(DtcRecord {
        code: row.try_get(0)?,
        status: word::read("dtc", row.try_get(1)?)?,
        ecu: row.try_get(2)?,
        first_seen: row.try_get(3)?,
        last_seen: row.try_get(4)?,
        gone: row.try_get(5)?,
        times: number::count("dtc", row.try_get(6)?)?,
    })
}
