//! Trips and stops: made of a vehicle's samples while its tail is folded, and read.
//!
//! The machine of `crates/trip` is stored with what it has made, in the transaction that takes the batches off the tail: a
//! restart goes on where it was, and what comes late makes it begin again before that.

use bugbrother_trip::{Car, Fuel, Leg, Limits, Machine, Point, Sample, Stop, Trip, gazetteer};
use bugbrother_wire::{UnixMs, Vin};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{
    FuelKind, Prices, Question, Store, StoreError,
    bulk::Bulk,
    history::MAX_ROWS,
    id,
    number::Real,
    page,
    telemetry::{Collector, Samples, TailBatch},
    word,
};

/// A trip and where it began and ended.
#[derive(Debug, Clone, PartialEq)]
pub struct TripRecord {
    /// Who drove.
    pub vin: Vin,
    /// The trip.
    pub trip: Trip,
    /// Name of the place where it began.
    pub start_place: Option<String>,
    /// Name of the place where it ended.
    pub end_place: Option<String>,
}

/// A stop and where it was.
#[derive(Debug, Clone, PartialEq)]
pub struct StopRecord {
    /// Who stood.
    pub vin: Vin,
    /// The stop.
    pub stop: Stop,
    /// Name of the place.
    pub place: Option<String>,
}

/// What trips amount to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TripTotals {
    /// How many.
    pub trips: i64,
    /// Metres.
    pub distance_m: f64,
    /// Time with the vehicle moving.
    pub moving_ms: i64,
    /// Time with the engine running and the vehicle standing.
    pub idle_ms: i64,
    /// Fuel, in litres, of the trips of which it is known.
    pub fuel_l: f64,
    /// Energy, in kWh, of the trips of which it is known.
    pub energy_kwh: f64,
    /// Cost, of the trips of which it is known.
    pub cost: f64,
    /// CO₂ in kilograms, of the trips of which it is known.
    pub co2_kg: f64,
    /// Mean of the scores.
    pub score: Option<f64>,
}

impl Store {
    /// Trips of a vehicle that began between `from` and `to` (inclusive), newest first.
    pub async fn trips(&self, vin: Vin, from: UnixMs, to: UnixMs, limit: u32) -> Result<Vec<TripRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT vin, start_place, end_place, body FROM trip WHERE vin = $1 AND start_ts >= $2 AND start_ts <= $3 \
             ORDER BY start_ts DESC LIMIT $4",
        )
        .bind(vin.as_str())
        .bind(from)
        .bind(to)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read_trip).collect()
    }

    /// Stops of a vehicle that began between `from` and `to` (inclusive), newest first.
    pub async fn stops(&self, vin: Vin, from: UnixMs, to: UnixMs, limit: u32) -> Result<Vec<StopRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT place, body FROM stop WHERE vin = $1 AND start_ts >= $2 AND start_ts <= $3 \
             ORDER BY start_ts DESC LIMIT $4",
        )
        .bind(vin.as_str())
        .bind(from)
        .bind(to)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        let read = |row: &AnyRow| {
            Ok(StopRecord { vin, place: row.try_get(0)?, stop: word::from_json("stop", row.try_get(1)?)? })
        };
        rows.iter().map(read).collect()
    }

    /// What the trips of a vehicle amount to that began between `from` and `to` (inclusive).
    pub async fn trip_totals(&self, vin: Vin, from: UnixMs, to: UnixMs) -> Result<TripTotals, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*), COALESCE(SUM(distance_m), 0.0), CAST(COALESCE(SUM(moving_ms), 0) AS BIGINT), \
             CAST(COALESCE(SUM(idle_ms), 0) AS BIGINT), COALESCE(SUM(fuel_l), 0.0), COALESCE(SUM(energy_kwh), 0.0), \
             COALESCE(SUM(cost), 0.0), COALESCE(SUM(co2_kg), 0.0), CAST(AVG(score) AS DOUBLE PRECISION) \
             FROM trip WHERE vin = $1 AND start_ts >= $2 AND start_ts <= $3",
        )
        .bind(vin.as_str())
        .bind(from)
        .bind(to)
        .fetch_one(&self.read)
        .await?;
        Ok(TripTotals {
            trips: row.try_get(0)?,
            distance_m: row.try_get(1)?,
            moving_ms: row.try_get(2)?,
            idle_ms: row.try_get(3)?,
            fuel_l: row.try_get(4)?,
            energy_kwh: row.try_get(5)?,
            cost: row.try_get(6)?,
            co2_kg: row.try_get(7)?,
            score: row.try_get(8)?,
        })
    }

    /// Vehicles whose trips were made anew after `after`: moment and vehicle of the last one of the page before. Oldest first.
    pub async fn changed_trips(
        &self,
        after: (UnixMs, Option<Vin>),
        limit: u32,
    ) -> Result<Vec<(UnixMs, Vin)>, StoreError> {
        let rows = sqlx::query(
            "SELECT changed_ts, vin FROM trip_state WHERE changed_ts IS NOT NULL AND (changed_ts, vin) > ($1, $2) \
             ORDER BY changed_ts, vin LIMIT $3",
        )
        .bind(after.0)
        .bind(after.1.as_ref().map_or("", Vin::as_str))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, id::parse("trip_state", row.try_get(1)?)?))).collect()
    }

    /// The trip of a vehicle that began at that moment.
    pub async fn trip(&self, vin: Vin, start: UnixMs) -> Result<Option<TripRecord>, StoreError> {
        Ok(self.trips(vin, start, start, 1).await?.pop())
    }

    /// Vehicles with an open trip of which nothing newer than `before` is known.
    pub async fn silent_trips(&self, before: UnixMs, limit: u32) -> Result<Vec<Vin>, StoreError> {
        let vins: Vec<String> =
            sqlx::query_scalar("SELECT vin FROM trip WHERE open = 1 AND end_ts < $1 ORDER BY end_ts LIMIT $2")
                .bind(before)
                .bind(page(limit))
                .fetch_all(&self.read)
                .await?;
        vins.iter().map(|vin| vin.parse().map_err(|error| StoreError::corrupt("trip", error))).collect()
    }

    /// Ends the trip of a vehicle that has not been heard of any more by `now`, if that is how it is.
    pub async fn end_silent_trip(&self, vin: Vin, now: UnixMs) -> Result<(), StoreError> {
        let Some(stored) = self.trip_state(vin).await? else { return Ok(()) };
        let car = self.car(vin).await?;
        let legs = stored.machine.open(Some(now), &car);
        let journey =
            Journey { vin, version: stored.version, from: None, late: stored.late, machine: stored.machine, legs };
        let mut tx = self.begin().await?;
        if !journey.save(&mut tx).await? {
            return Err(StoreError::Conflict);
        }
        Ok(tx.commit().await?)
    }

    /// Goes on with a vehicle's trips: `tail` is being folded, and `is_all` that there is.
    pub(crate) async fn journey(&self, vin: Vin, tail: &[TailBatch], is_all: bool) -> Result<Journey, StoreError> {
        let first = tail.iter().map(|batch| batch.t0).min().unwrap_or(UnixMs::MAX);
        let last = tail.iter().map(|batch| batch.t1).max().unwrap_or(UnixMs::MIN);
        let stored = self.trip_state(vin).await?.unwrap_or_default();
        let late = stored.late.unwrap_or(UnixMs::MAX).min(first);
        let mut journey = Journey {
            vin,
            version: stored.version,
            from: None,
            late: Some(late),
            machine: stored.machine,
            legs: Vec::new(),
        };
        if !is_all {
            // More of the tail is folded right after this; then all of it is taken into account at once.
            return Ok(journey);
        }
        let car = self.car(vin).await?;
        if stored.late.is_none()
            && self.is_known_before(vin, first, stored.upto).await?
            && let Some(samples) = samples_of(vin, tail)
        {
            // What comes next is at hand.
            journey.feed(&samples, &car)?;
            journey.legs.extend(journey.machine.open(None, &car));
            journey.late = None;
            return Ok(journey);
        }
        let until = last.max(stored.upto.unwrap_or(UnixMs::MIN));
        let begin = match stored.upto {
            Some(upto) if late >= upto => upto,
            upto => self.rewind(&mut journey, late, upto, stored.floor).await?,
        };
        let mut next = Some(begin);
        while let Some(from) = next.filter(|from| *from <= until) {
            let question = Question { vin, from, to: until, signals: Some(&Sample::KEYS) };
            let page = self.samples(question, MAX_ROWS).await?;
            journey.feed(&page.samples, &car)?;
            next = page.next;
        }
        journey.legs.extend(journey.machine.open(None, &car));
        journey.late = None;
        Ok(journey)
    }

    /// Begins again early enough to take samples from `late` on into account. Tells from when on they are to be fed.
    /// Where that is before `floor`, from which on there still are samples, what comes late is left out: of the rest less would
    /// be made than what is there.
    async fn rewind(
        &self,
        journey: &mut Journey,
        late: UnixMs,
        upto: Option<UnixMs>,
        floor: Option<UnixMs>,
    ) -> Result<UnixMs, StoreError> {
        let rows = sqlx::query(
            "SELECT vin, start_place, end_place, body FROM trip WHERE vin = $1 AND start_ts < $2 \
             ORDER BY start_ts DESC LIMIT 2",
        )
        .bind(journey.vin.as_str())
        .bind(late)
        .fetch_all(&self.read)
        .await?;
        let trips: Vec<TripRecord> = rows.iter().rev().map(read_trip).collect::<Result<_, _>>()?;
        let legs: Vec<Leg> = trips.into_iter().map(|record| Leg::Trip(record.trip)).collect();
        let boundary = Machine::boundary(&legs, late);
        if let (Some(upto), Some(floor)) = (upto, floor)
            && boundary.is_none_or(|trip| trip.end < floor)
        {
            return Ok(upto);
        }
        Ok(match boundary {
            Some(trip) => {
                journey.machine = Machine::parked_at(trip.to);
                journey.from = Some(trip.end);
                trip.end
            }
            None => {
                journey.machine = Machine::default();
                journey.from = Some(UnixMs::MIN);
                0
            }
        })
    }

    /// Whether all that a vehicle measured before `first` has been taken into account, and nothing after it.
    async fn is_known_before(&self, vin: Vin, first: UnixMs, upto: Option<UnixMs>) -> Result<bool, StoreError> {
        let Some(upto) = upto else {
            let before = Question { vin, from: 0, to: first - 1, signals: None };
            let page = self.samples(before, 1).await?;
            return Ok(page.samples.rows.is_empty() && page.next.is_none());
        };
        Ok(upto < first)
    }

    async fn trip_state(&self, vin: Vin) -> Result<Option<Stored>, StoreError> {
        let row = sqlx::query("SELECT version, upto_ts, late_ts, state, floor_ts FROM trip_state WHERE vin = $1")
            .bind(vin.as_str())
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| {
            Ok(Stored {
                version: row.try_get(0)?,
                upto: row.try_get(1)?,
                late: row.try_get(2)?,
                machine: word::from_json("trip_state", row.try_get(3)?)?,
                floor: row.try_get(4)?,
            })
        })
        .transpose()
    }

    /// What trips are made by: what people know of the vehicle, and prices.
    async fn car(&self, vin: Vin) -> Result<Car, StoreError> {
        let facts = self.vehicle_facts(vin).await?.unwrap_or_default();
        let prices: Prices = self.setting().await?;
        Ok(Car {
            fuel: match facts.fuel {
                FuelKind::Petrol => Fuel::Petrol,
                FuelKind::Diesel => Fuel::Diesel,
                FuelKind::Lpg => Fuel::Lpg,
                FuelKind::Cng => Fuel::Cng,
                FuelKind::Electric => Fuel::Electric,
                FuelKind::Hybrid => Fuel::Hybrid,
                FuelKind::Unknown => Fuel::Unknown,
            },
            tank_l: facts.tank_l,
            battery_kwh: facts.battery_kwh,
            price_per_l: prices.fuel_per_l.get(&facts.fuel).copied(),
            price_per_kwh: prices.electricity_per_kwh,
            limits: Limits::default(),
        })
    }
}

/// The machine as it is stored.
#[derive(Default)]
struct Stored {
    version: i64,
    upto: Option<UnixMs>,
    late: Option<UnixMs>,
    machine: Machine,
    floor: Option<UnixMs>,
}

/// How a vehicle's trips go on.
#[derive(Debug)]
pub(crate) struct Journey {
    vin: Vin,
    version: i64,
    /// Legs that begin then or later are made anew.
    from: Option<UnixMs>,
    late: Option<UnixMs>,
    machine: Machine,
    legs: Vec<Leg>,
}

static TRIPS: Bulk = Bulk::new(
    "INSERT INTO trip (vin, start_ts, end_ts, open, distance_m, moving_ms, idle_ms, fuel_l, energy_kwh, cost, co2_kg, \
     score, start_place, end_place, body, harsh) VALUES ",
    16,
    "",
);
static STOPS: Bulk = Bulk::new("INSERT INTO stop (vin, start_ts, end_ts, idle_ms, place, body) VALUES ", 6, "");

impl Journey {
    fn feed(&mut self, samples: &Samples, car: &Car) -> Result<(), StoreError> {
        for row in &samples.rows {
            let mut sample = Sample::at(row.ts);
            for (key, value) in samples.keys.iter().zip(&row.values) {
                if let Some(value) = value {
                    sample.set(key, *value);
                }
            }
            let legs = self.machine.feed(&sample, car).map_err(|error| StoreError::corrupt("trip_state", error))?;
            self.legs.extend(legs);
        }
        Ok(())
    }

    /// Writes it. `false` when somebody else has gone on with the same vehicle.
    pub async fn save(&self, tx: &mut Transaction<'static, Any>) -> Result<bool, StoreError> {
        let saved = sqlx::query(
            "INSERT INTO trip_state (vin, version, upto_ts, late_ts, state, changed_ts) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (vin) DO UPDATE SET version = excluded.version, upto_ts = excluded.upto_ts, \
             late_ts = excluded.late_ts, state = excluded.state, changed_ts = excluded.changed_ts WHERE trip_state.version = excluded.version - 1",
        )
        .bind(self.vin.as_str())
        .bind(self.version + 1)
        .bind(self.machine.upto())
        .bind(self.late)
        .bind(word::json(&self.machine))
        .bind(bugbrother_wire::unix_ms(std::time::SystemTime::now()))
        .execute(&mut **tx)
        .await?;
        if saved.rows_affected() != 1 {
            return Ok(false);
        }
        let from = self.legs.first().map(Leg::start).into_iter().chain(self.from).min();
        if let Some(from) = from {
            for sql in [
                "DELETE FROM trip WHERE vin = $1 AND start_ts >= $2",
                "DELETE FROM stop WHERE vin = $1 AND start_ts >= $2",
            ] {
                sqlx::query(sql).bind(self.vin.as_str()).bind(from).execute(&mut **tx).await?;
            }
        }
        let trips: Vec<(&Trip, [Option<String>; 2])> =
            self.legs.iter().filter_map(Leg::trip).map(|trip| (trip, [trip.from, trip.to].map(name))).collect();
        TRIPS
            .run(tx, &trips, |query, (trip, [start_place, end_place])| {
                query
                    .bind(self.vin.as_str())
                    .bind(trip.start)
                    .bind(trip.end)
                    .bind(i64::from(trip.open))
                    .bind(trip.distance_m)
                    .bind(trip.moving_ms)
                    .bind(trip.idle_ms)
                    .bind(Real(trip.fuel_l))
                    .bind(Real(trip.energy_kwh))
                    .bind(Real(trip.cost))
                    .bind(Real(trip.co2_kg))
                    .bind(i64::from(trip.score))
                    .bind(start_place.as_deref())
                    .bind(end_place.as_deref())
                    .bind(word::json(trip))
                    .bind(i64::from(trip.harsh_accelerations + trip.harsh_brakings + trip.harsh_cornerings))
            })
            .await?;
        let stops: Vec<(&Stop, Option<String>)> =
            self.legs.iter().filter_map(Leg::stop).map(|stop| (stop, name(stop.position))).collect();
        STOPS
            .run(tx, &stops, |query, (stop, place)| {
                query
                    .bind(self.vin.as_str())
                    .bind(stop.start)
                    .bind(stop.end)
                    .bind(stop.idle_ms)
                    .bind(place.as_deref())
                    .bind(word::json(stop))
            })
            .await?;
        Ok(true)
    }
}

/// What trips are made of in these batches, in the order of time; `None` where samples are elsewhere.
fn samples_of(vin: Vin, tail: &[TailBatch]) -> Option<Samples> {
    let question = Question { vin, from: UnixMs::MIN, to: UnixMs::MAX, signals: Some(&Sample::KEYS) };
    let mut parts = Vec::new();
    for batch in tail {
        Samples::append(&mut parts, batch.telemetry.as_ref()?, question.from, question.to);
    }
    let mut found = Collector::default();
    parts.into_iter().for_each(|part| found.take(part, &question, question.to));
    Some(found.page(usize::MAX, question.to, question.to).samples)
}

/// What people call a place.
fn name(point: Option<Point>) -> Option<String> {
    let Point { lat, lon } = point?;
    gazetteer::place(lat, lon).map(|place| format!("{}, {}", place.name, place.country))
}

pub(crate) fn read_trip(row: &AnyRow) -> Result<TripRecord, StoreError> {
    Ok(TripRecord {
        vin: row.try_get::<&str, _>(0)?.parse().map_err(|error| StoreError::corrupt("trip", error))?,
        start_place: row.try_get(1)?,
        end_place: row.try_get(2)?,
        trip: word::from_json("trip", row.try_get(3)?)?,
    })
}
