//! Statistics, their files, and the overview, over HTTP: against drives whose length is known beforehand.

use anyhow::Result;
use bugbrother_store::{Arrival, Store};
use bugbrother_wire::{
    Epoch, Message, SCHEMA_VERSION, Seq, Topic, UnixMs, Vin,
    api::{By, Overview, Statistics},
    encode,
    message::{Clock, Row, Telemetry},
    topic::Kind,
};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    office::{DAY, Desk},
    rig::{Rig, now, vin},
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// 2026-03-29 0:00 in Zürich, a day of 23 hours.
const SPRING: UnixMs = 1_774_738_800_000;

/// So many minutes at 54 km/h, 900 m a minute.
async fn drive(store: &Store, vin: Vin, epoch: u64, begin: UnixMs, minutes: i64) -> Result<()> {
    let mut lat = 46.52;
    let mut arrivals = Vec::new();
    for minute in 0..minutes + 12 {
        let moving = minute < minutes;
        let rows = (0..if moving { 30 } else { 1 })
            .map(|n| {
                lat += if moving { 30.0 / 111_195.0 } else { 0.0 };
                let on = f64::from(u8::from(moving));
                let values = [lat, 6.63, 54.0 * on, 54.0 * on, 1800.0 * on, on, 6.0 * on];
                Row { dt_ms: n * 2000, values: values.map(Some).to_vec() }
            })
            .collect();
        let batch = Telemetry {
            v: SCHEMA_VERSION,
            vin,
            epoch: Epoch(epoch),
            seq: Seq(minute as u64 + 1),
            t0: begin + minute * MINUTE,
            clock: Clock::Gnss,
            keys: ["lat", "lon", "gspd", "spd", "rpm", "ign", "frate"].map(str::to_owned).to_vec(),
            rows,
            gap: None,
        };
        arrivals.push(Arrival {
            received_ts: now(),
            topic: Topic::new(vin, Kind::Backfill).to_string(),
            payload: encode(&batch).into(),
            content: Ok(Message::Backfill(batch)),
        });
    }
    store.commit(&arrivals).await?;
    while store.keep(&[vin]).await?.first().is_some_and(|kept| kept.more) {}
    Ok(())
}

fn near(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() <= wanted * 0.05
}

#[tokio::test]
async fn days_begin_where_the_person_is_also_when_the_clock_changes() -> Result<()> {
    let rig = Rig::start().await?;
    let desk = Desk::of_administrator(&rig).await?;
    let begins = [
        SPRING - 30 * MINUTE,
        SPRING + 30 * MINUTE,
        SPRING + 22 * HOUR + 15 * MINUTE,
        SPRING + 23 * HOUR + 15 * MINUTE,
    ];
    for (epoch, begin) in begins.into_iter().enumerate() {
        drive(&rig.store, vin(1), epoch as u64 + 1, begin, 10).await?;
    }
    let ask = |zone: &str, by: &str| format!("/statistics?from=2026-03-28&to=2026-03-30&zone={zone}&by={by}");
    let trips =
        |found: &Statistics| found.lines.iter().map(|line| (line.key.clone(), line.totals.trips)).collect::<Vec<_>>();
    let here: Statistics = desk.get(&ask("Europe/Zurich", "day")).await?;
    let wanted = [("2026-03-28", 1), ("2026-03-29", 2), ("2026-03-30", 1)].map(|(day, n)| (day.to_owned(), n));
    assert_eq!(trips(&here), wanted);
    assert_eq!(here.to - here.from, 71 * HOUR);
    assert!(near(here.total.distance_m, 4.0 * 9_000.0), "{:?}", here.total);
    assert!(near(here.total.fuel_l.unwrap_or(0.0), 4.0), "{:?}", here.total);
    assert!(here.lines.iter().all(|line| line.totals.utilisation == Some(1.0)));
    let there: Statistics = desk.get(&ask("UTC", "day")).await?;
    assert_eq!(trips(&there).iter().map(|(_, n)| *n).collect::<Vec<_>>(), [2, 2, 0]);
    // Monday the 30th begins a week.
    let weeks: Statistics = desk.get(&ask("Europe/Zurich", "week")).await?;
    assert_eq!(trips(&weeks), [("2026-03-28".to_owned(), 3), ("2026-03-30".to_owned(), 1)]);
    let months: Statistics = desk.get("/statistics?from=2026-02-01&to=2026-04-02&zone=Europe/Zurich&by=month").await?;
    assert_eq!(trips(&months).iter().map(|(_, n)| *n).collect::<Vec<_>>(), [0, 4, 0]);

    for (query, field) in [
        ("from=2026-02-30", "from"),
        ("to=yesterday", "to"),
        ("from=2026-03-02&to=2026-03-01", "to"),
        ("from=2020-01-01&to=2026-03-01", "to"),
        ("zone=Mars/Olympus", "zone"),
    ] {
        desk.refused(Method::GET, &format!("/statistics?{query}"), Value::Null, field).await?;
    }
    assert_eq!(desk.status(Method::GET, "/statistics?by=driver").await?, StatusCode::BAD_REQUEST);
    rig.stop().await
}

#[tokio::test]
async fn vehicles_that_stood_are_lines_too_and_a_client_counts_what_was_driven_for_it() -> Result<()> {
    let rig = Rig::start().await?;
    let desk = Desk::of_administrator(&rig).await?;
    let begin = now() - 3 * DAY;
    for n in 1..=3 {
        rig.store.name_vehicle(vin(n), &format!("Car {n}"), None, now()).await?;
    }
    drive(&rig.store, vin(1), 1, begin, 20).await?;
    drive(&rig.store, vin(2), 1, begin, 10).await?;
    let client = desk.client("Taxi").await?;
    let contract = desk.contract(client.id, None).await?;
    let body = json!({ "vins": [vin(1)], "from": begin - DAY });
    desk.post::<Value>(&format!("/contracts/{}/vehicles", contract.id), body).await?;

    let all: Statistics = desk.get("/statistics").await?;
    let lines: Vec<_> = all.lines.iter().map(|line| (line.name.as_str(), line.totals.trips)).collect();
    assert_eq!((all.by, lines), (By::Vehicle, vec![("Car 1", 1), ("Car 2", 1), ("Car 3", 0)]));
    assert_eq!(all.lines[2].totals.fuel_l, None, "of nothing nothing is known");
    let by_client: Statistics = desk.get("/statistics?by=client").await?;
    let lines: Vec<_> = by_client.lines.iter().map(|line| (line.name.as_str(), line.totals.trips)).collect();
    assert_eq!(lines, [("Taxi", 1), ("", 1)], "the other car is nobody's");
    let own: Statistics = desk.get(&format!("/statistics?client={}", client.id)).await?;
    assert_eq!((own.total.trips, own.lines.len()), (1, 1));
    assert!(near(own.total.distance_m, 18_000.0));

    let eva = Desk::of_client(&rig, "eva", client.id).await?;
    let seen: Statistics = eva.get("/statistics").await?;
    assert_eq!((seen.total.trips, seen.lines.len()), (1, 1));
    let other = desk.client("Bus").await?;
    for path in [format!("/statistics?client={}", other.id), format!("/statistics?vin={}", vin(2))] {
        assert_eq!(eva.status(Method::GET, &path).await?, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(eva.status(Method::GET, "/statistics/report?format=csv").await?, StatusCode::FORBIDDEN);
    rig.stop().await
}

#[tokio::test]
async fn statistics_are_taken_away_as_a_table_and_as_a_report() -> Result<()> {
    let rig = Rig::start().await?;
    let desk = Desk::of_administrator(&rig).await?;
    rig.store.name_vehicle(vin(1), "Véhicule", None, now()).await?;
    drive(&rig.store, vin(1), 1, now() - 2 * DAY, 20).await?;
    let csv = desk.ask(Method::GET, "/statistics/report?format=csv&language=fr", None).await?.error_for_status()?;
    assert_eq!(csv.headers()[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    let text = csv.text().await?;
    assert!(text.contains(&format!("Véhicule;{};;1;", vin(1))), "{text}");
    let pdf = desk.ask(Method::GET, "/statistics/report?format=pdf&by=day", None).await?.error_for_status()?;
    assert_eq!(pdf.headers()[header::CONTENT_TYPE], "application/pdf");
    let name = pdf.headers()[header::CONTENT_DISPOSITION].to_str()?.to_owned();
    assert!(name.contains("bugbrother-day-") && name.contains(".pdf"), "{name}");
    assert!(pdf.bytes().await?.starts_with(b"%PDF-"));
    desk.refused(Method::GET, "/statistics/report?format=doc", Value::Null, "format").await?;
    rig.stop().await
}

#[tokio::test]
async fn the_overview_adds_up_today_and_the_last_days_and_names_what_presses() -> Result<()> {
    let rig = Rig::start().await?;
    let desk = Desk::of_administrator(&rig).await?;
    for n in 1..=2 {
        rig.store.name_vehicle(vin(n), &format!("Car {n}"), None, now()).await?;
    }
    drive(&rig.store, vin(1), 1, now() - 3 * DAY, 40).await?;
    let client = desk.client("Taxi").await?;
    desk.contract(client.id, Some(now() + 20 * DAY)).await?;
    let late = json!({ "title": "Oil", "every_months": 1, "since": now() - 90 * DAY });
    desk.post::<Value>(&format!("/vehicles/{}/maintenance", vin(2)), late).await?;

    let overview: Overview = desk.get("/overview?zone=Europe/Zurich").await?;
    assert_eq!((overview.vehicles, overview.days.len(), overview.today.trips), (2, 14, 0));
    assert_eq!(overview.days.iter().map(|day| day.trips).sum::<u64>(), 1);
    assert!(near(overview.days.iter().map(|day| day.distance_m).sum(), 36_000.0));
    assert_eq!(overview.worst.iter().map(|one| one.vin).collect::<Vec<_>>(), [vin(1)]);
    assert_eq!((overview.ending.len(), overview.due_count, overview.due[0].vin), (1, 1, vin(2)));
    // For some seconds it stays as it is.
    desk.contract(client.id, Some(now() + 10 * DAY)).await?;
    assert_eq!(desk.get::<Overview>("/overview?zone=Europe/Zurich").await?, overview);
    assert_eq!(desk.get::<Overview>("/overview").await?.ending.len(), 2, "elsewhere it is another one");

    let eva = Desk::of_client(&rig, "eva", client.id).await?;
    let nothing: Overview = eva.get("/overview?zone=Europe/Zurich").await?;
    assert_eq!((nothing.vehicles, nothing.ending.len(), nothing.due_count), (0, 0, 0));
    assert!(nothing.worst.is_empty() && nothing.days.iter().all(|day| day.trips == 0));
    desk.refused(Method::GET, "/overview?zone=nowhere", Value::Null, "zone").await?;
    rig.stop().await
}
