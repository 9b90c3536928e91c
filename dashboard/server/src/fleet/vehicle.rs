//! One vehicle's latest values.

use std::collections::BTreeMap;

use bugbrother_store::VehicleState;
use bugbrother_wire::{
    Epoch, UnixMs, Vin,
    codec::MAX_KEYS,
    live::{Change, LiveVehicle},
    message::{Presence, Status, Telemetry},
};

/// A vehicle's clock may be ahead of ours by so much. What is said to be later counts as of then: one sample of the
/// year 2099 must not hide all that come after it.
const MAX_AHEAD_MS: i64 = 60_000;

/// What viewers have to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    None,
    Values,
    Whole,
}

/// What viewers are told.
pub(super) enum Told {
    Whole(LiveVehicle),
    Change(Change),
}

pub(super) struct Vehicle {
    vin: Vin,
    name: String,
    plate: Option<String>,
    presence: Presence,
    /// Outbox and beginning of the connection that told the presence.
    told_by: Option<(Epoch, UnixMs)>,
    source_ts: UnixMs,
    received_ts: UnixMs,
    readings: BTreeMap<String, Reading>,
    news: News,
}

struct Reading {
    ts: UnixMs,
    value: f64,
    untold: bool,
}

impl Vehicle {
    /// One that nothing is known of yet but that it exists.
    pub fn new(vin: Vin) -> Self {
        Vehicle {
            vin,
            name: vin.to_string(),
            plate: None,
            presence: Presence::Offline,
            told_by: None,
            source_ts: 0,
            received_ts: 0,
            readings: BTreeMap::new(),
            news: News::Whole,
        }
    }

    pub fn take_batch(&mut self, batch: &Telemetry, now: UnixMs) -> News {
        let newest = batch.keys.iter().enumerate().filter_map(|(column, key)| {
            batch.rows.iter().rev().find_map(|row| {
                let value = (*row.values.get(column)?)?;
                Some((key, batch.t0 + i64::from(row.dt_ms), value))
            })
        });
        let mut news = News::None;
        for (key, ts, value) in newest {
            if self.take_reading(key, ts.min(now + MAX_AHEAD_MS), value) {
                news = News::Values;
            }
        }
        if news != News::None {
            self.received_ts = now;
        }
        self.remember(news)
    }

    pub fn take_status(&mut self, status: &Status) -> News {
        let by = (status.epoch, status.since);
        if self.told_by.is_some_and(|known| by < known) {
            return News::None;
        }
        self.told_by = Some(by);
        let changed = std::mem::replace(&mut self.presence, status.status) != status.status;
        self.remember(if changed { News::Values } else { News::None })
    }

    pub fn restore(&mut self, state: VehicleState, now: UnixMs) -> News {
        let mut news = self.rename(&state.name, state.plate.as_deref());
        if self.told_by.is_none() && self.presence != state.presence {
            self.presence = state.presence;
            news = news.max(News::Values);
        }
        let ts = state.source_ts.min(now + MAX_AHEAD_MS);
        if ts > self.source_ts {
            for (key, value) in &state.values {
                self.take_reading(key, ts, *value);
            }
            self.received_ts = self.received_ts.max(state.received_ts);
            news = news.max(News::Values);
        }
        self.remember(news)
    }

    pub fn rename(&mut self, name: &str, plate: Option<&str>) -> News {
        if self.name == name && self.plate.as_deref() == plate {
            return News::None;
        }
        name.clone_into(&mut self.name);
        self.plate = plate.map(str::to_owned);
        self.remember(News::Whole)
    }

    /// The vehicle with all that is known of it.
    pub fn whole(&self, n: u32) -> LiveVehicle {
        LiveVehicle {
            n,
            vin: self.vin,
            name: self.name.clone(),
            plate: self.plate.clone(),
            presence: self.presence,
            source_ts: self.source_ts,
            received_ts: self.received_ts,
            values: self.readings.iter().map(|(key, reading)| (key.clone(), reading.value)).collect(),
        }
    }

    /// What viewers have not been told; from now on they have.
    pub fn take_news(&mut self, n: u32) -> Told {
        let news = std::mem::replace(&mut self.news, News::None);
        let mut values = Vec::new();
        for (key, reading) in &mut self.readings {
            if std::mem::take(&mut reading.untold) && news != News::Whole {
                values.push((key.clone(), reading.value));
            }
        }
        if news == News::Whole {
            return Told::Whole(self.whole(n));
        }
        Told::Change(Change(n, self.presence, self.source_ts, self.received_ts, values))
    }

    /// Whether the reading is newer than what was known; then it is known.
    fn take_reading(&mut self, key: &str, ts: UnixMs, value: f64) -> bool {
        let is_full = self.readings.len() >= MAX_KEYS;
        match self.readings.get_mut(key) {
            Some(known) if ts <= known.ts => return false,
            Some(known) => {
                known.untold |= known.value != value;
                (known.ts, known.value) = (ts, value);
            }
            None if is_full => {
                metrics::counter!("bugbrother_dashboard_readings_dropped_total").increment(1);
                return false;
            }
            None => {
                let reading = Reading { ts, value, untold: true };
                self.readings.insert(key.to_owned(), reading);
            }
        }
        self.source_ts = self.source_ts.max(ts);
        true
    }

    fn remember(&mut self, news: News) -> News {
        self.news = self.news.max(news);
        news
    }
}
