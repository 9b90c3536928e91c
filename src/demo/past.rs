//! The past of the demo's cars: some weeks of drives by the same model that drives them live, as the messages that an agent
//! would have sent from out of reach, through the committer's door.
//!
//! Deterministic but for the day on which it ends.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use bugbrother_simulator::{Car, Profile, Reading};
use bugbrother_store::{Arrival, Store};
use bugbrother_wire::{
    AlertId, CommandId, Epoch, Message, SCHEMA_VERSION, Seq, Topic, UnixMs, Vin, encode,
    message::{
        Alert, AlertState, Clock, Command, Diagnostics, Dtc, DtcStatus, Reply, ReplyState, Row, Severity, Telemetry,
    },
    topic::Kind,
};
use tokio::task::spawn_blocking;
use uuid::Uuid;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// So many days before today.
const DAYS: i64 = 18;
/// So often a row is made of what the car tells.
/// In longer steps nobody could tell harsh braking.
const ROW: Duration = Duration::from_secs(3);
/// A drive ends at the first halt after this, and at the latest so much later.
const DRIVE: i64 = 22 * MINUTE;
const OVER: i64 = 12 * MINUTE;
/// Rows of a batch.
const BATCH: usize = 100;
/// Batches that are committed at once.
const ARRIVALS: usize = 200;
/// Faster than this an alert is raised.
const FAST_KMH: f64 = 130.0;

const KEYS: [&str; 14] =
    ["lat", "lon", "alt", "hdg", "gspd", "spd", "rpm", "ign", "odo", "fuel", "frate", "ect", "load", "vbat"];

/// Drives all cars through the past, and has the store make trips of it.
pub async fn fill(store: &Store, fleet: &[Profile], now: UnixMs) -> Result<()> {
    let drives: Vec<_> =
        fleet.iter().copied().map(|profile| spawn_blocking(move || History::of(&profile, now))).collect();
    for drive in drives {
        let history = drive.await.context("a car broke down in the past")?;
        let vin = history.vin;
        for alert in &history.alerts {
            store
                .save_alert(&Alert {
                    state: AlertState::Open,
                    resolved: None,
                    updated: alert.opened,
                    acknowledged_by: None,
                    ..alert.clone()
                })
                .await?;
            store.save_alert(alert).await?;
        }
        let arrivals: Vec<Arrival> = history.messages.into_iter().map(|message| arrival(vin, message, now)).collect();
        for part in arrivals.chunks(ARRIVALS) {
            store.commit(part).await?;
        }
        while store.keep(&[vin]).await?.first().is_some_and(|kept| kept.more) {}
        store.sweep_all().await?;
    }
    Ok(())
}

/// What somebody has asked of a car, and what it said, a while ago.
pub async fn command(store: &Store, vin: Vin, name: &str, by: &str, at: UnixMs, outcome: ReplyState) -> Result<()> {
    let id = CommandId(Uuid::now_v7());
    let command = Command {
        v: SCHEMA_VERSION,
        vin,
        id,
        name: name.to_owned(),
        arguments: BTreeMap::new(),
        issued: at,
        expires: at + HOUR,
        by: by.to_owned(),
    };
    store.add_command(&command).await?;
    let reply = |seq: u64, state, at| Reply {
        v: SCHEMA_VERSION,
        vin,
        // An outbox of its own: its numbers are nobody else's.
        epoch: Epoch::new(at, 77),
        seq: Seq(seq),
        command: id,
        state,
        at,
        detail: (state == ReplyState::Failed).then(|| "the adapter did not answer".to_owned()),
        result: BTreeMap::new(),
        text: None,
    };
    let replies = [reply(1, ReplyState::Accepted, at + 2_000), reply(2, outcome, at + 9_000)];
    let arrivals: Vec<_> = replies.into_iter().map(|reply| arrival(vin, Message::Reply(reply), at + 10_000)).collect();
    store.commit(&arrivals).await?;
    Ok(())
}

fn arrival(vin: Vin, message: Message, received_ts: UnixMs) -> Arrival {
    let (kind, payload) = match &message {
        Message::Backfill(batch) => (Kind::Backfill, encode(batch)),
        Message::Diagnostics(diagnostics) => (Kind::Diagnostics, encode(diagnostics)),
        Message::Reply(reply) => (Kind::Reply, encode(reply)),
        other => unreachable!("the past holds no {other:?}"),
    };
    Arrival { received_ts, topic: Topic::new(vin, kind).to_string(), payload: payload.into(), content: Ok(message) }
}

/// What became of a car.
struct History {
    vin: Vin,
    messages: Vec<Message>,
    alerts: Vec<Alert>,
}

impl History {
    fn of(profile: &Profile, now: UnixMs) -> Self {
        let mut car = Car::new(&Profile { parked: false, ..*profile });
        let mut rows: Vec<(UnixMs, Reading)> = Vec::new();
        let first_day = (now - DAYS * DAY).div_euclid(DAY);
        let seed = i64::try_from(profile.seed).unwrap_or_default();
        for day in first_day..=now.div_euclid(DAY) {
            // 1970-01-01 was a Thursday.
            let weekday = (day + 3).rem_euclid(7);
            let rests = weekday > 4 && (day + seed) % 3 != 0;
            if rests {
                continue;
            }
            for (n, hour) in [6, 11, 15].into_iter().enumerate() {
                // Not every car every time.
                if (day * 7 + seed * 3 + n as i64 * 5) % 4 == 0 {
                    continue;
                }
                let begin = day * DAY + hour * HOUR + (seed * 7 + day * 11 + n as i64 * 13).rem_euclid(70) * MINUTE;
                // The last hour is the live car's.
                if begin + DRIVE + OVER < now - HOUR {
                    drive(&mut car, begin, &mut rows);
                }
            }
        }
        // It ends where the live car begins.
        let driven_km = car.reading().odometer_km - profile.odometer_km;
        let alerts = alerts(profile, &rows);
        let epoch = Epoch::new(now - DAYS * DAY, u32::try_from(profile.seed % 4_000_000).unwrap_or_default());
        let mut seq = 0;
        let mut next = || {
            seq += 1;
            Seq(seq)
        };
        let mut messages: Vec<Message> = Vec::new();
        let mut rest = rows.as_slice();
        while let Some((t0, _)) = rest.first() {
            // What lies further apart is another batch.
            let end = rest.iter().take(BATCH).take_while(|(at, _)| at - t0 < HOUR).count();
            let (batch, later) = rest.split_at(end);
            messages.push(Message::Backfill(telemetry(profile.vin, epoch, next(), batch, driven_km)));
            rest = later;
        }
        for diagnostics in diagnostics(profile, epoch, now, &mut next) {
            messages.push(Message::Diagnostics(diagnostics));
        }
        History { vin: profile.vin, messages, alerts }
    }
}

/// From the first movement to the halt.
fn drive(car: &mut Car, begin: UnixMs, rows: &mut Vec<(UnixMs, Reading)>) {
    let mut at = begin;
    loop {
        car.step(ROW);
        at += ROW.as_millis() as i64;
        let reading = car.reading();
        rows.push((at, reading));
        let stands = !reading.ignition;
        if at - begin > DRIVE && stands || at - begin > DRIVE + OVER {
            break;
        }
    }
    // The key is turned, and the agent says a last word.
    let last = car.reading();
    let off =
        Reading { ignition: false, running: false, rpm: 0.0, speed_kmh: 0.0, fuel_lph: 0.0, load_percent: 0.0, ..last };
    rows.extend([5_000, MINUTE, 4 * MINUTE].map(|later| (at + later, Reading { voltage: 12.6, ..off })));
}

fn telemetry(vin: Vin, epoch: Epoch, seq: Seq, rows: &[(UnixMs, Reading)], driven_km: f64) -> Telemetry {
    let t0 = rows.first().map_or(0, |(at, _)| *at);
    let round = |value: f64, digits: i32| Some((value * 10f64.powi(digits)).round() / 10f64.powi(digits));
    let row = |(at, reading): &(UnixMs, Reading)| Row {
        dt_ms: u32::try_from(at - t0).unwrap_or_default(),
        values: vec![
            round(reading.point.lat, 6),
            round(reading.point.lon, 6),
            round(reading.alt_m, 0),
            round(reading.heading_deg, 0),
            round(reading.speed_kmh, 1),
            round(reading.speed_kmh, 0),
            round(reading.rpm, 0),
            Some(f64::from(u8::from(reading.ignition))),
            round(reading.odometer_km - driven_km, 1),
            round(reading.fuel_percent, 1),
            round(reading.fuel_lph, 2),
            round(reading.coolant_c, 0),
            round(reading.load_percent, 0),
            round(reading.voltage, 1),
        ],
    };
    Telemetry {
        v: SCHEMA_VERSION,
        vin,
        epoch,
        seq,
        t0,
        clock: Clock::Gnss,
        keys: KEYS.map(str::to_owned).to_vec(),
        rows: rows.iter().map(row).collect(),
        gap: None,
    }
}

/// A few of the times at which it was driven too fast, as the rule `fast` would have told.
fn alerts(profile: &Profile, rows: &[(UnixMs, Reading)]) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    let mut over: Option<(UnixMs, f64)> = None;
    for (at, reading) in rows {
        match (&mut over, reading.speed_kmh > FAST_KMH) {
            (None, true) => over = Some((*at, reading.speed_kmh)),
            (Some((_, worst)), true) => *worst = worst.max(reading.speed_kmh),
            (Some((since, worst)), false) => {
                let is_far = alerts.last().is_none_or(|last| since.abs_diff(last.opened) > DAY.unsigned_abs());
                if is_far && at - *since >= 8_000 {
                    alerts.push(Alert {
                        v: SCHEMA_VERSION,
                        vin: profile.vin,
                        id: AlertId(Uuid::now_v7()),
                        rule: "fast".to_owned(),
                        title: "Faster than 130 km/h".to_owned(),
                        severity: Severity::Warning,
                        state: AlertState::Resolved,
                        opened: *since,
                        updated: *at,
                        resolved: Some(*at),
                        count: 1,
                        value: Some((*worst * 10.0).round() / 10.0),
                        signal: Some("spd".to_owned()),
                        limit: Some(FAST_KMH),
                        lat: Some(reading.point.lat),
                        lon: Some(reading.point.lon),
                        acknowledged_by: None,
                        late: false,
                        detail: None,
                    });
                }
                over = None;
            }
            (None, false) => {}
        }
    }
    alerts
}

/// Codes as they came: pending at first.
fn diagnostics(profile: &Profile, epoch: Epoch, now: UnixMs, next: &mut impl FnMut() -> Seq) -> Vec<Diagnostics> {
    let stored = profile.trouble.stored;
    if stored.is_empty() {
        return Vec::new();
    }
    let code = |code: &u16, status| Dtc { code: format!("P{code:04X}"), status, ecu: Some("7E8".to_owned()) };
    let told = [(9, DtcStatus::Pending), (6, DtcStatus::Stored)];
    told.into_iter()
        .map(|(days, status)| Diagnostics {
            v: SCHEMA_VERSION,
            vin: profile.vin,
            epoch,
            seq: next(),
            at: now - days * DAY,
            mil: Some(status == DtcStatus::Stored),
            dtcs: stored.iter().map(|one| code(one, status)).collect(),
            monitors: Vec::new(),
            freeze_frame: None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bugbrother_simulator::demo_fleet;

    /// 2026-09-21, a Monday.
    const NOW: UnixMs = 1_790_000_000_000;

    #[test]
    fn a_cars_past_is_the_same_each_time_ends_before_today_and_at_its_odometer() {
        let profile = demo_fleet()[0];
        let (one, other) = (History::of(&profile, NOW), History::of(&profile, NOW));
        let batches = |history: &History| -> Vec<Telemetry> {
            let batch = |message: &Message| match message {
                Message::Backfill(batch) => Some(batch.clone()),
                _ => None,
            };
            history.messages.iter().filter_map(batch).collect()
        };
        let (one, other) = (batches(&one), batches(&other));
        assert_eq!(one, other);
        assert!(one.len() > 50, "{}", one.len());
        for pair in one.windows(2) {
            assert!(pair[0].t0 < pair[1].t0 && pair[1].seq.0 == pair[0].seq.0 + 1);
        }
        let last = one.last().unwrap();
        let end = last.t0 + i64::from(last.rows.last().unwrap().dt_ms);
        assert!(end < NOW - HOUR / 2, "the last hour is the live car's");
        let odometer = last.rows.last().unwrap().values[8].unwrap();
        assert!((odometer - profile.odometer_km).abs() < 0.2, "{odometer}");
    }
}
