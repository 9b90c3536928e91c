//! What trips amount to, by vehicle, client and day.
//!
//! A trip belongs to the day on which it began, where the person who asks is; and to a client if its vehicle was in one of the
//! client's running contracts then.

use std::ops::AddAssign;

use bugbrother_wire::{UnixMs, Vin};
use sqlx::{Any, Row, any::AnyArguments, any::AnyRow, query::Query};

use crate::{Store, StoreError, id, id::ClientId, number, page};

/// Most changes of the clock in one question.
pub const MAX_CHANGES: usize = 10;
/// Most days in one question.
pub const MAX_DAYS: u32 = 800;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How far local time is ahead of UTC: at first, and from certain moments on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    offsets: [i64; MAX_CHANGES + 1],
    changes: [UnixMs; MAX_CHANGES],
}

impl Zone {
    /// UTC.
    pub const UTC: Zone = Zone { offsets: [0; MAX_CHANGES + 1], changes: [UnixMs::MAX; MAX_CHANGES] };

    /// An offset, and others from these moments on; nothing when they are more than [`MAX_CHANGES`].
    pub fn new(first: i64, changes: impl IntoIterator<Item = (UnixMs, i64)>) -> Option<Self> {
        let mut zone = Zone { offsets: [first; MAX_CHANGES + 1], ..Zone::UTC };
        for (n, (at, offset)) in changes.into_iter().enumerate() {
            *zone.changes.get_mut(n)? = at;
            zone.offsets[n + 1..].fill(offset);
        }
        Some(zone)
    }

    /// The local day of a moment, counted from 1970-01-01.
    pub fn day(&self, at: UnixMs) -> i64 {
        let n = self.changes.iter().take_while(|change| at >= **change).count();
        (at + self.offsets[n]).div_euclid(DAY_MS)
    }
}

/// Of which trips statistics are wanted. Nothing said, of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scope {
    /// Of this vehicle.
    pub vin: Option<Vin>,
    /// Of the time that vehicles were in this client's contracts.
    pub client: Option<ClientId>,
    /// And only of vehicles that the client sees at this moment: what it may ask for itself.
    pub seen_at: Option<UnixMs>,
}

/// What trips amount to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// How many.
    pub trips: i64,
    /// Different vehicles on different days.
    pub vehicle_days: i64,
    /// Metres.
    pub distance_m: f64,
    /// Time with the vehicle moving.
    pub moving_ms: i64,
    /// Time with the engine running and the vehicle standing.
    pub idle_ms: i64,
    /// Fuel in litres, of the trips of which it is known.
    pub fuel_l: f64,
    /// How far those went, in metres.
    pub fuel_m: f64,
    /// Energy in kWh, of the trips of which it is known.
    pub energy_kwh: f64,
    /// How far those went, in metres.
    pub energy_m: f64,
    /// Cost, of the trips of which it is known.
    pub cost: f64,
    /// How far those went, in metres.
    pub cost_m: f64,
    /// CO₂ in kilograms, of the trips of which it is known.
    pub co2_kg: f64,
    /// Sum of the scores.
    pub scores: i64,
    /// Harsh events, of the trips of which they are known.
    pub harsh: i64,
    /// How far those went, in metres.
    pub harsh_m: f64,
}

impl Sums {
    /// Mean of the scores.
    pub fn score(&self) -> Option<f64> {
        (self.trips > 0).then(|| self.scores as f64 / self.trips as f64)
    }

    /// Litres for 100 km, where fuel is known.
    pub fn fuel_per_100km(&self) -> Option<f64> {
        (self.fuel_m > 0.0).then(|| self.fuel_l / self.fuel_m * 100_000.0)
    }

    /// Harsh events on 100 km, where they are known.
    pub fn harsh_per_100km(&self) -> Option<f64> {
        (self.harsh_m > 0.0).then(|| self.harsh as f64 / self.harsh_m * 100_000.0)
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Sums) {
        self.trips += other.trips;
        self.vehicle_days += other.vehicle_days;
        self.distance_m += other.distance_m;
        self.moving_ms += other.moving_ms;
        self.idle_ms += other.idle_ms;
        self.fuel_l += other.fuel_l;
        self.fuel_m += other.fuel_m;
        self.energy_kwh += other.energy_kwh;
        self.energy_m += other.energy_m;
        self.cost += other.cost;
        self.cost_m += other.cost_m;
        self.co2_kg += other.co2_kg;
        self.scores += other.scores;
        self.harsh += other.harsh;
        self.harsh_m += other.harsh_m;
    }
}

/// The local day on which a trip began. $6: the first offset; $7, $8 and so on: a change and the offset from then on.
macro_rules! day {
    () => {
        "((trip.start_ts + CASE WHEN trip.start_ts < $7 THEN $6 WHEN trip.start_ts < $9 THEN $8 \
         WHEN trip.start_ts < $11 THEN $10 WHEN trip.start_ts < $13 THEN $12 WHEN trip.start_ts < $15 THEN $14 \
         WHEN trip.start_ts < $17 THEN $16 WHEN trip.start_ts < $19 THEN $18 WHEN trip.start_ts < $21 THEN $20 \
         WHEN trip.start_ts < $23 THEN $22 WHEN trip.start_ts < $25 THEN $24 ELSE $26 END) / 86400000)"
    };
}

macro_rules! sums {
    () => {
        concat!(
            "COUNT(trip.vin), COUNT(DISTINCT trip.vin || '/' || ",
            day!(),
            "), COALESCE(SUM(distance_m), 0.0), CAST(COALESCE(SUM(moving_ms), 0) AS BIGINT), \
             CAST(COALESCE(SUM(idle_ms), 0) AS BIGINT), COALESCE(SUM(fuel_l), 0.0), \
             COALESCE(SUM(CASE WHEN fuel_l IS NOT NULL THEN distance_m END), 0.0), COALESCE(SUM(energy_kwh), 0.0), \
             COALESCE(SUM(CASE WHEN energy_kwh IS NOT NULL THEN distance_m END), 0.0), COALESCE(SUM(cost), 0.0), \
             COALESCE(SUM(CASE WHEN cost IS NOT NULL THEN distance_m END), 0.0), COALESCE(SUM(co2_kg), 0.0), \
             CAST(COALESCE(SUM(score), 0) AS BIGINT), CAST(COALESCE(SUM(harsh), 0) AS BIGINT), \
             COALESCE(SUM(CASE WHEN harsh IS NOT NULL THEN distance_m END), 0.0)"
        )
    };
}

/// While the trip's vehicle was in a contract that ran.
macro_rules! within {
    ($stay:literal, $terms:literal) => {
        concat!(
            $stay,
            ".vin = trip.vin AND ",
            $stay,
            ".from_ts <= trip.start_ts AND (",
            $stay,
            ".to_ts IS NULL OR ",
            $stay,
            ".to_ts > trip.start_ts) AND ",
            $terms,
            ".starts_ts <= trip.start_ts AND (",
            $terms,
            ".ends_ts IS NULL OR ",
            $terms,
            ".ends_ts > trip.start_ts)"
        )
    };
}

/// $1, $2: begun from when until before when; $3: by which vehicle; $4: for which client; $5: seen by it when, or 0.
macro_rules! of_all {
    () => {
        "$3 = '' AND $4 = '' AND $5 = 0 AND trip.start_ts >= $1 AND trip.start_ts < $2"
    };
}
macro_rules! of_vehicle {
    () => {
        "trip.vin = $3 AND $4 = '' AND $5 = 0 AND trip.start_ts >= $1 AND trip.start_ts < $2"
    };
}
macro_rules! for_client {
    () => {
        concat!(
            "EXISTS (SELECT 1 FROM contract_vehicle AS stay JOIN contract AS terms ON terms.id = stay.contract \
             WHERE terms.client = $4 AND ",
            within!("stay", "terms"),
            ") AND ($5 = 0 OR EXISTS (SELECT 1 FROM contract_vehicle AS seen JOIN contract AS its ON its.id = seen.contract \
             JOIN client AS whose ON whose.id = its.client WHERE seen.vin = trip.vin AND its.client = $4 \
             AND whose.archived_ts IS NULL AND seen.from_ts <= $5 AND (seen.to_ts IS NULL OR seen.to_ts > $5) \
             AND its.starts_ts <= $5 AND (its.ends_ts IS NULL OR its.ends_ts > $5))) \
             AND trip.start_ts >= $1 AND trip.start_ts < $2"
        )
    };
}
macro_rules! of_client {
    () => {
        concat!("$3 = '' AND ", for_client!())
    };
}
macro_rules! of_both {
    () => {
        concat!("trip.vin = $3 AND ", for_client!())
    };
}

/// One statement for each scope, so that each finds its index.
macro_rules! each_scope {
    ($head:expr, $tail:expr) => {
        [
            concat!($head, of_all!(), $tail),
            concat!($head, of_vehicle!(), $tail),
            concat!($head, of_client!(), $tail),
            concat!($head, of_both!(), $tail),
        ]
    };
}

const TOTAL: [&str; 4] = each_scope!(concat!("SELECT ", sums!(), " FROM trip WHERE "), " LIMIT 1");
const BY_DAY: [&str; 4] =
    each_scope!(concat!("SELECT ", day!(), ", ", sums!(), " FROM trip WHERE "), " GROUP BY 1 ORDER BY 1 LIMIT 1000");
const BY_VEHICLE: [&str; 4] = each_scope!(
    concat!("SELECT trip.vin, ", sums!(), " FROM trip WHERE "),
    " GROUP BY trip.vin ORDER BY trip.vin LIMIT $27"
);
const BY_CLIENT: [&str; 4] = each_scope!(
    concat!(
        "SELECT contract.client, ",
        sums!(),
        " FROM trip JOIN contract_vehicle AS inside ON inside.vin = trip.vin JOIN contract ON contract.id = inside.contract \
         WHERE ",
        within!("inside", "contract"),
        // Of several stays with the same client at the same time one counts.
        " AND NOT EXISTS (SELECT 1 FROM contract_vehicle AS other JOIN contract AS same ON same.id = other.contract \
         WHERE same.client = contract.client AND (other.contract, other.from_ts) < (inside.contract, inside.from_ts) AND ",
        within!("other", "same"),
        ") AND "
    ),
    " GROUP BY contract.client ORDER BY contract.client LIMIT $27"
);
/// Of nobody's contract.
const OF_NOBODY: &str = concat!(
    "SELECT ",
    sums!(),
    " FROM trip WHERE NOT EXISTS (SELECT 1 FROM contract_vehicle AS stay JOIN contract AS terms ON terms.id = stay.contract \
     WHERE ",
    within!("stay", "terms"),
    ") AND ",
    of_all!(),
    " LIMIT 1"
);

impl Scope {
    fn of(&self, statements: &'static [&'static str; 4]) -> &'static str {
        match (self.vin, self.client) {
            (None, None) => statements[0],
            (Some(_), None) => statements[1],
            (None, Some(_)) => statements[2],
            (Some(_), Some(_)) => statements[3],
        }
    }
}

impl Store {
    /// What the trips amount to that began from `from` until before `to`.
    pub async fn statistics(&self, span: (UnixMs, UnixMs), zone: &Zone, scope: &Scope) -> Result<Sums, StoreError> {
        let row = ask(scope.of(&TOTAL), span, zone, scope).fetch_one(&self.read).await?;
        read(&row, 0)
    }

    /// The same by local day, counted from 1970-01-01; days without a trip are left out.
    pub async fn statistics_by_day(
        &self,
        span: (UnixMs, UnixMs),
        zone: &Zone,
        scope: &Scope,
    ) -> Result<Vec<(i64, Sums)>, StoreError> {
        let rows = ask(scope.of(&BY_DAY), span, zone, scope).fetch_all(&self.read).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, read(row, 1)?))).collect()
    }

    /// The same by vehicle, in the order of the VINs; vehicles without a trip are left out.
    pub async fn statistics_by_vehicle(
        &self,
        span: (UnixMs, UnixMs),
        zone: &Zone,
        scope: &Scope,
        limit: u32,
    ) -> Result<Vec<(Vin, Sums)>, StoreError> {
        let rows = ask(scope.of(&BY_VEHICLE), span, zone, scope).bind(page(limit)).fetch_all(&self.read).await?;
        rows.iter().map(|row| Ok((id::parse("trip", row.try_get(0)?)?, read(row, 1)?))).collect()
    }

    /// The same by client, in the order of the identities; clients without a trip are left out, and so are trips of nobody's
    /// contract. A vehicle that is in contracts of two clients counts for both.
    pub async fn statistics_by_client(
        &self,
        span: (UnixMs, UnixMs),
        zone: &Zone,
        scope: &Scope,
        limit: u32,
    ) -> Result<Vec<(ClientId, Sums)>, StoreError> {
        let rows = ask(scope.of(&BY_CLIENT), span, zone, scope).bind(page(limit)).fetch_all(&self.read).await?;
        rows.iter().map(|row| Ok((id::parse("contract", row.try_get(0)?)?, read(row, 1)?))).collect()
    }

    /// What the trips amount to that belong to nobody's contract.
    pub async fn statistics_of_nobody(&self, span: (UnixMs, UnixMs), zone: &Zone) -> Result<Sums, StoreError> {
        let row = ask(OF_NOBODY, span, zone, &Scope::default()).fetch_one(&self.read).await?;
        read(&row, 0)
    }

    /// How many vehicles are in the fleet, archived ones not among them, or in a client's contracts at some time between
    /// `from` and `to`.
    pub async fn vehicle_count(
        &self,
        client: Option<ClientId>,
        (from, to): (UnixMs, UnixMs),
    ) -> Result<i64, StoreError> {
        let Some(client) = client else {
            let all = sqlx::query_scalar("SELECT COUNT(*) FROM vehicle WHERE archived_ts IS NULL");
            return Ok(all.fetch_one(&self.read).await?);
        };
        let of_client = sqlx::query_scalar(
            "SELECT COUNT(DISTINCT contract_vehicle.vin) FROM contract \
             JOIN contract_vehicle ON contract_vehicle.contract = contract.id \
             WHERE client = $1 AND starts_ts < $3 AND (ends_ts IS NULL OR ends_ts > $2) \
             AND from_ts < $3 AND (to_ts IS NULL OR to_ts > $2) LIMIT 1",
        );
        Ok(of_client.bind(client.to_string()).bind(from).bind(to).fetch_one(&self.read).await?)
    }
}

fn ask(
    sql: &'static str,
    (from, to): (UnixMs, UnixMs),
    zone: &Zone,
    scope: &Scope,
) -> Query<'static, Any, AnyArguments> {
    let mut query = sqlx::query(sql)
        .bind(from)
        .bind(to)
        .bind(scope.vin.map(|vin| vin.to_string()).unwrap_or_default())
        .bind(scope.client.map(|client| client.to_string()).unwrap_or_default())
        .bind(scope.seen_at.filter(|_| scope.client.is_some()).unwrap_or(0))
        .bind(zone.offsets[0]);
    for (change, offset) in zone.changes.iter().zip(&zone.offsets[1..]) {
        query = query.bind(*change).bind(*offset);
    }
    query
}

fn read(row: &AnyRow, first: usize) -> Result<Sums, StoreError> {
    let whole = |n: usize| row.try_get::<i64, _>(first + n);
    let real = |n: usize| row.try_get::<f64, _>(first + n);
    let sums = Sums {
        trips: whole(0)?,
        vehicle_days: whole(1)?,
        distance_m: real(2)?,
        moving_ms: whole(3)?,
        idle_ms: whole(4)?,
        fuel_l: real(5)?,
        fuel_m: real(6)?,
        energy_kwh: real(7)?,
        energy_m: real(8)?,
        cost: real(9)?,
        cost_m: real(10)?,
        co2_kg: real(11)?,
        scores: whole(12)?,
        harsh: whole(13)?,
        harsh_m: real(14)?,
    };
    number::count("trip", sums.trips)?;
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_day_is_as_long_as_the_clock_makes_it() {
        // Zürich, 2026-03-29: the clock goes from 2:00 to 3:00 at 1:00 UTC; the day has 23 hours.
        let midnight = 1_774_738_800_000;
        let zone = Zone::new(HOUR, [(midnight + 2 * HOUR, 2 * HOUR)]).unwrap();
        let day = zone.day(midnight);
        assert_eq!(zone.day(midnight - 1), day - 1);
        assert_eq!(zone.day(midnight + 23 * HOUR - 1), day);
        assert_eq!(zone.day(midnight + 23 * HOUR), day + 1);
        assert_eq!(Zone::UTC.day(midnight), day - 1);
    }

    #[test]
    fn a_zone_has_no_more_changes_than_a_question_has_places() {
        assert!(Zone::new(0, (0..MAX_CHANGES as i64).map(|n| (n, n))).is_some());
        assert_eq!(Zone::new(0, (0..=MAX_CHANGES as i64).map(|n| (n, n))), None);
    }
}
