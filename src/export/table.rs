//! Tables of a vehicle: trips, events, alerts, trouble codes.

use anyhow::Result;
use bugbrother_dtc::catalogue;
use bugbrother_export::{Cell, Field, Kind, Table, TableFormat};
use bugbrother_store::{DtcRecord, MAX_PAGE, Store, TripRecord};
use bugbrother_trip::Trip;
use bugbrother_wire::{
    UnixMs, Vin,
    api::Tongue,
    message::{Alert, Event},
};
use serde::Serialize;
use serde_json::Value;

use super::Sink;
use crate::arguments::Period;

const PAGE: u32 = 1000;
const _: () = assert!(PAGE <= MAX_PAGE);

/// A table on its way into a file.
struct Writing {
    table: Table<Vec<u8>>,
    sink: Sink,
}

impl Writing {
    fn new(format: TableFormat, fields: &[(&str, Kind)], sink: Sink) -> Result<Self> {
        let fields = fields.iter().map(|(name, kind)| Field::new(name, *kind)).collect();
        Ok(Writing { table: Table::new(format, fields, Vec::new())?, sink })
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        Ok(self.table.row(cells)?)
    }

    fn page(&mut self) -> Result<()> {
        self.sink.write(&std::mem::take(self.table.get_mut()))
    }

    fn finish(mut self) -> Result<()> {
        self.sink.write(&self.table.finish()?)?;
        self.sink.finish()
    }
}

const TRIPS: [(&str, Kind); 27] = [
    ("vin", Kind::Text),
    ("began", Kind::Time),
    ("ended", Kind::Time),
    ("open", Kind::Bool),
    ("start_place", Kind::Text),
    ("end_place", Kind::Text),
    ("start_lat", Kind::Float),
    ("start_lon", Kind::Float),
    ("end_lat", Kind::Float),
    ("end_lon", Kind::Float),
    ("distance_km", Kind::Float),
    ("distance_from", Kind::Text),
    ("moving_min", Kind::Float),
    ("idle_min", Kind::Float),
    ("over_limit_min", Kind::Float),
    ("max_kmh", Kind::Float),
    ("mean_kmh", Kind::Float),
    ("fuel_l", Kind::Float),
    ("fuel_from", Kind::Text),
    ("energy_kwh", Kind::Float),
    ("cost", Kind::Float),
    ("co2_kg", Kind::Float),
    ("harsh_accelerations", Kind::Integer),
    ("harsh_brakings", Kind::Integer),
    ("harsh_cornerings", Kind::Integer),
    ("score", Kind::Integer),
    ("track", Kind::Text),
];

pub async fn trips(store: &Store, vin: Vin, period: Period, format: TableFormat, sink: Sink) -> Result<()> {
    let mut file = Writing::new(format, &TRIPS, sink)?;
    let mut next = Some(period.from);
    while let Some(from) = next.filter(|from| *from <= period.to) {
        let page = store.oldest_trips(vin, from, period.to, PAGE).await?;
        for record in &page {
            trip(&mut file, record)?;
        }
        file.page()?;
        next = page.last().map(|last| last.trip.start + 1);
    }
    file.finish()
}

fn trip(file: &mut Writing, TripRecord { vin, trip, start_place, end_place }: &TripRecord) -> Result<()> {
    let Trip { from, to, .. } = trip;
    let minutes = |ms: i64| Cell::Float(ms as f64 / 60_000.0);
    let (distance_from, fuel_from) = (word(&trip.distance_from), trip.fuel_from.as_ref().and_then(word));
    file.row(&[
        vin.as_str().into(),
        Cell::Time(trip.start),
        Cell::Time(trip.end),
        trip.open.into(),
        start_place.as_deref().into(),
        end_place.as_deref().into(),
        from.map(|at| at.lat).into(),
        from.map(|at| at.lon).into(),
        to.map(|at| at.lat).into(),
        to.map(|at| at.lon).into(),
        (trip.distance_m / 1000.0).into(),
        distance_from.as_deref().into(),
        minutes(trip.moving_ms),
        minutes(trip.idle_ms),
        minutes(trip.over_ms),
        trip.max_kmh.into(),
        trip.mean_kmh.into(),
        trip.fuel_l.into(),
        fuel_from.as_deref().into(),
        trip.energy_kwh.into(),
        trip.cost.into(),
        trip.co2_kg.into(),
        i64::from(trip.harsh_accelerations).into(),
        i64::from(trip.harsh_brakings).into(),
        i64::from(trip.harsh_cornerings).into(),
        i64::from(trip.score).into(),
        trip.track.as_str().into(),
    ])
}

const EVENTS: [(&str, Kind); 8] = [
    ("vin", Kind::Text),
    ("at", Kind::Time),
    ("kind", Kind::Text),
    ("lat", Kind::Float),
    ("lon", Kind::Float),
    ("values", Kind::Text),
    ("text", Kind::Text),
    ("id", Kind::Text),
];

pub async fn events(store: &Store, vin: Vin, period: Period, format: TableFormat, sink: Sink) -> Result<()> {
    let mut file = Writing::new(format, &EVENTS, sink)?;
    let mut after = None;
    loop {
        let page = store.oldest_events(vin, (period.from, period.to), after, PAGE).await?;
        let Some(last) = page.last() else { return file.finish() };
        after = Some((last.at, last.id));
        for event in &page {
            let Event { vin, at, lat, lon, values, text, .. } = event;
            let (kind, id) = (word(&event.kind), event.id.to_string());
            let values = Some(serde_json::to_string(values)?).filter(|_| !values.is_empty());
            file.row(&[
                vin.as_str().into(),
                Cell::Time(*at),
                kind.as_deref().into(),
                (*lat).into(),
                (*lon).into(),
                values.as_deref().into(),
                text.as_deref().into(),
                id.as_str().into(),
            ])?;
        }
        file.page()?;
    }
}

const ALERTS: [(&str, Kind); 14] = [
    ("vin", Kind::Text),
    ("opened", Kind::Time),
    ("updated", Kind::Time),
    ("resolved", Kind::Time),
    ("title", Kind::Text),
    ("severity", Kind::Text),
    ("state", Kind::Text),
    ("count", Kind::Integer),
    ("value", Kind::Float),
    ("acknowledged_by", Kind::Text),
    ("rule", Kind::Text),
    ("id", Kind::Text),
    ("codes", Kind::Text),
    ("codes_in_words", Kind::Text),
];

pub async fn alerts(
    store: &Store,
    vin: Vin,
    period: Period,
    (format, tongue): (TableFormat, Tongue),
    sink: Sink,
) -> Result<()> {
    let mut file = Writing::new(format, &ALERTS, sink)?;
    let mut after = None;
    loop {
        let page = store.oldest_alerts(vin, (period.from, period.to), after, PAGE).await?;
        let Some(last) = page.last() else { return file.finish() };
        after = Some((last.opened, last.id));
        for alert in &page {
            let Alert { vin, rule, title, value, acknowledged_by, .. } = alert;
            let (severity, state, id) = (word(&alert.severity), word(&alert.state), alert.id.to_string());
            let codes = alert.detail.as_ref().map(|cause| cause.codes.as_slice()).filter(|codes| !codes.is_empty());
            let in_words =
                codes.map(|codes| codes.iter().map(|code| title_of(code, tongue)).collect::<Vec<_>>().join("; "));
            let codes = codes.map(|codes| codes.join(" "));
            file.row(&[
                vin.as_str().into(),
                Cell::Time(alert.opened),
                Cell::Time(alert.updated),
                time(alert.resolved),
                title.as_str().into(),
                severity.as_deref().into(),
                state.as_deref().into(),
                i64::from(alert.count).into(),
                (*value).into(),
                acknowledged_by.as_deref().into(),
                rule.as_str().into(),
                id.as_str().into(),
                codes.as_deref().into(),
                in_words.as_deref().into(),
            ])?;
        }
        file.page()?;
    }
}

const DTCS: [(&str, Kind); 7] = [
    ("vin", Kind::Text),
    ("code", Kind::Text),
    ("status", Kind::Text),
    ("ecu", Kind::Text),
    ("first_seen", Kind::Time),
    ("last_seen", Kind::Time),
    ("title", Kind::Text),
];

pub async fn dtcs(store: &Store, vin: Vin, (format, tongue): (TableFormat, Tongue), sink: Sink) -> Result<()> {
    let mut file = Writing::new(format, &DTCS, sink)?;
    let mut after: Option<DtcRecord> = None;
    loop {
        let page = store.dtcs(vin, after.as_ref(), PAGE).await?;
        for DtcRecord { code, status, ecu, first_seen, last_seen, .. } in &page {
            let (status, ecu) = (word(status), Some(ecu.as_str()).filter(|ecu| !ecu.is_empty()));
            file.row(&[
                vin.as_str().into(),
                code.as_str().into(),
                status.as_deref().into(),
                ecu.into(),
                Cell::Time(*first_seen),
                Cell::Time(*last_seen),
                title_of(code, tongue).as_str().into(),
            ])?;
        }
        file.page()?;
        match page.into_iter().next_back() {
            Some(last) => after = Some(last),
            None => return file.finish(),
        }
    }
}

/// What a trouble code is called in a language.
fn title_of(code: &str, tongue: Tongue) -> String {
    catalogue().explain(code, tongue).title
}

fn time(ts: Option<UnixMs>) -> Cell<'static> {
    ts.map_or(Cell::Null, Cell::Time)
}

/// The word that a variant is on the wire.
fn word(variant: &impl Serialize) -> Option<String> {
    match serde_json::to_value(variant) {
        Ok(Value::String(word)) => Some(word),
        _ => None,
    }
}
