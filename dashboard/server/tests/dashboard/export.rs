use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::{Context, Result, ensure};
use bugbrother_dashboard::Config;
use bugbrother_kit::{port, wait};
use bugbrother_wire::{UnixMs, api::VehicleList, message::Row};
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};
use quick_xml::{Reader, events::Event};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::{
    drive::{DAY, HOUR, START, Values, arrival, batch, fold, two_days, values},
    rig::{LIMIT, Rig, counted, expect_refusal, vin},
};

async fn rig(change: impl FnOnce(&mut Config)) -> Result<(Rig, String)> {
    let rig = Rig::start_with(port::free()?, change).await?;
    two_days(&rig.store, vin(1)).await?;
    rig.store.name_vehicle(vin(1), "Golf & Co", Some("VD 1"), 0).await?;
    let token = rig.token().await?;
    Ok((rig, token))
}

fn path(query: &str) -> String {
    format!("/api/frontend/vehicles/{}/export?{query}", vin(1))
}

async fn export(rig: &Rig, token: &str, query: &str) -> Result<Response> {
    Ok(rig.get(&path(query), token).await?.error_for_status()?)
}

/// Rows of the two days by time.
fn rows() -> BTreeMap<UnixMs, BTreeMap<String, f64>> {
    let mut rows: BTreeMap<UnixMs, BTreeMap<String, f64>> = BTreeMap::new();
    for ((ts, key), value) in values(vin(1)) {
        rows.entry(ts).or_default().insert(key, value);
    }
    rows
}

/// Those with a position, with what the engine told up to two seconds before.
fn fixes() -> BTreeMap<UnixMs, BTreeMap<String, f64>> {
    let rows = rows();
    let placed = rows.iter().filter(|(_, values)| values.contains_key("lat"));
    let merged = placed.map(|(ts, values)| {
        let engine = rows.get(&(ts - 1500)).into_iter().flatten();
        (*ts, values.iter().chain(engine).map(|(key, value)| (key.clone(), *value)).collect())
    });
    merged.collect()
}

#[tokio::test]
async fn a_csv_file_reads_back_as_the_rows_that_were_sent() -> Result<()> {
    let (rig, token) = rig(|_| {}).await?;
    let answer = export(&rig, &token, "format=csv").await?;
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8; header=present");
    let name = format!("attachment; filename=\"{}.csv\"", vin(1));
    assert_eq!(answer.headers()["content-disposition"], name.as_str());
    assert_eq!(answer.headers()["cache-control"], "private, no-cache");
    let file = answer.bytes().await?;
    let mut reader = csv::Reader::from_reader(file.as_ref());
    let keys: Vec<String> = reader.headers()?.iter().skip(5).map(|heading| heading.replace(' ', "")).collect();
    assert_eq!(keys, ["lat[degrees]", "lon[degrees]", "gspd[km/h]", "rpm[rpm]", "x.own"]);
    let mut found = Values::new();
    for record in reader.records() {
        let record = record?;
        assert_eq!((&record[0], &record[1], &record[2]), (vin(1).as_str(), "Golf & Co", "VD 1"));
        for (key, cell) in keys.iter().zip(record.iter().skip(5)).filter(|(_, cell)| !cell.is_empty()) {
            let key = key.split('[').next().unwrap_or_default();
            found.insert((record[3].parse()?, key.to_owned()), cell.parse()?);
        }
    }
    assert!(found == values(vin(1)), "another {} values", found.len());
    rig.stop().await
}

#[tokio::test]
async fn a_span_and_signals_are_all_that_is_in_the_file() -> Result<()> {
    let (rig, token) = rig(|_| {}).await?;
    // Over the end of the first drive of the second day, which is in the tail.
    let (from, to) = (START + 33 * HOUR - 4000, START + 40 * HOUR);
    let answer = export(&rig, &token, &format!("format=csv&signals=rpm,spd&from={from}&to={to}")).await?;
    let name = format!("attachment; filename=\"{}-2026-09-22T085956Z-2026-09-22T160000Z.csv\"", vin(1));
    assert_eq!(answer.headers()["content-disposition"], name.as_str());
    let text = answer.text().await?;
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "vin,name,plate,ts,time,rpm [rpm],spd [km/h]");
    let expected = [3_596_000, 3_598_000].map(|ms| {
        let ts = START + 32 * HOUR + ms + 500;
        format!("{},Golf & Co,VD 1,{ts},2026-09-22T08:59:5{}.500Z,{},", vin(1), ms / 1000 % 10, 1500 + ms / 1000 % 100)
    });
    assert_eq!(lines[1..], expected);
    let empty = export(&rig, &token, "format=csv&signals=rpm&from=5&to=6").await?.text().await?;
    assert_eq!(empty, "vin,name,plate,ts,time,rpm [rpm]\r\n");
    rig.stop().await
}

#[tokio::test]
async fn json_and_parquet_hold_every_row() -> Result<()> {
    let (rig, token) = rig(|_| {}).await?;
    let document: Value = export(&rig, &token, "format=json").await?.json().await?;
    let samples = document["vehicles"][0]["samples"].as_array().context("an array")?;
    let read = samples.iter().map(|sample| {
        let signals = sample["signals"].as_object().into_iter().flatten();
        let signals = signals.filter_map(|(key, value)| Some((key.clone(), value.as_f64()?)));
        (sample["ts"].as_i64().unwrap_or_default(), signals.collect())
    });
    assert!(read.collect::<BTreeMap<_, _>>() == rows());

    let answer = export(&rig, &token, "format=parquet").await?;
    assert_eq!(answer.headers()["content-type"], "application/vnd.apache.parquet");
    let reader = SerializedFileReader::new(answer.bytes().await?)?;
    let mut read = BTreeMap::new();
    for row in reader.get_row_iter(None)? {
        let row = row?;
        let (mut ts, mut signals) = (0, BTreeMap::new());
        for (name, field) in row.get_column_iter() {
            match field {
                Field::TimestampMillis(ms) => ts = *ms,
                Field::Double(value) => drop(signals.insert(name.clone(), *value)),
                Field::Str(text) => assert_eq!(text, vin(1).as_str()),
                other => assert_eq!(other, &Field::Null),
            }
        }
        read.insert(ts, signals);
    }
    assert!(read == rows());
    rig.stop().await
}

#[tokio::test]
async fn geojson_has_a_point_for_each_fix_with_what_the_engine_told_just_before() -> Result<()> {
    let (rig, token) = rig(|_| {}).await?;
    let document: Value = export(&rig, &token, "format=geojson").await?.json().await?;
    let features = document["features"].as_array().context("an array")?;
    let read = features.iter().map(|feature| {
        let at = |place: usize| feature["geometry"]["coordinates"][place].as_f64().unwrap_or_default();
        let properties = &feature["properties"];
        let told = ["gspd", "rpm", "x.own"].into_iter();
        let told = told.filter_map(|key| Some((key.to_owned(), properties.get(key)?.as_f64()?)));
        let place = [("lat".to_owned(), at(1)), ("lon".to_owned(), at(0))];
        (properties["ts"].as_i64().unwrap_or_default(), told.chain(place).collect())
    });
    let (read, expected): (BTreeMap<_, BTreeMap<_, _>>, _) = (read.collect(), fixes());
    assert!(read == expected);
    let with_engine = read.values().filter(|values| values.contains_key("rpm")).count();
    assert_eq!((read.len(), with_engine), (7200, 7196), "the first of each drive has nothing before it");
    // Asked for the engine alone, places are there all the same.
    let engine: Value = export(&rig, &token, "format=geojson&signal=rpm").await?.json().await?;
    assert_eq!(engine["features"].as_array().map(Vec::len), Some(7200));
    assert!(engine["features"][1]["properties"]["rpm"].is_number());
    rig.stop().await
}

#[tokio::test]
async fn a_gpx_file_has_a_segment_for_each_drive() -> Result<()> {
    let (rig, token) = rig(|_| {}).await?;
    let answer = export(&rig, &token, "format=gpx").await?;
    assert_eq!(answer.headers()["content-type"], "application/gpx+xml");
    let text = answer.text().await?;
    let mut reader = Reader::from_str(&text);
    let (mut segments, mut points, mut speeds, mut names) = (0, Vec::new(), 0, Vec::new());
    let mut last = String::new();
    loop {
        match reader.read_event()? {
            Event::Start(tag) => {
                last.clear();
                match tag.name().as_ref() {
                    "trkseg" => segments += 1,
                    "trkpt" => {
                        let value = |name: &str| -> Result<f64> {
                            Ok(tag.try_get_attribute(name)?.context("an attribute")?.value.parse()?)
                        };
                        points.push((value("lat")?, value("lon")?));
                    }
                    _ => {}
                }
            }
            Event::Text(part) => last.push_str(&part.xml10_content()),
            Event::End(tag) => match tag.name().as_ref() {
                "gpxtpx:speed" => speeds += usize::from(last == "20.000"),
                "name" => names.push(last.clone()),
                _ => {}
            },
            Event::Eof => break,
            _ => {}
        }
    }
    let expected: Vec<_> = fixes().values().map(|fix| (fix["lat"], fix["lon"])).collect();
    assert!(points == expected, "{} points", points.len());
    assert_eq!((segments, speeds, names.len()), (4, 7200, 1));
    rig.stop().await
}

/// A reader who has asked and takes next to nothing.
struct Stalled(TcpStream);

impl Stalled {
    async fn ask(rig: &Rig, token: &str) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        let mut stream = socket.connect(rig.address).await?;
        let path = path("format=json");
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = [0; 15];
        timeout(LIMIT, stream.read_exact(&mut head)).await??;
        ensure!(&head == b"HTTP/1.1 200 OK", "{}", String::from_utf8_lossy(&head));
        // And a little of the file.
        timeout(LIMIT, stream.read_exact(&mut [0; 2000])).await??;
        Ok(Stalled(stream))
    }

    /// Reads what is left. Whether the file was whole, which its last chunk says.
    async fn read(mut self) -> Result<bool> {
        let (mut read, mut buffer) = (Vec::new(), vec![0; 65_536]);
        // A reset is an end, too.
        while let Ok(n @ 1..) = timeout(LIMIT, self.0.read(&mut buffer)).await? {
            read.extend_from_slice(&buffer[..n]);
            if read.ends_with(b"\r\n0\r\n\r\n") {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

async fn until_ended(end: &str) -> Result<()> {
    let counter = format!("bugbrother_dashboard_exports_total{{end=\"{end}\"}}");
    wait::until(&counter, LIMIT, || async { (counted(&counter) > 0).then_some(()) }).await
}

#[tokio::test]
async fn a_slow_reader_gets_all_of_it() -> Result<()> {
    let (rig, token) = rig(|config| config.limits.request_time = Duration::from_millis(500)).await?;
    let stalled = Stalled::ask(&rig, &token).await?;
    // The time that other requests have is over before the reader goes on: they are waited for with it.
    let mut others = TcpStream::connect(rig.address).await?;
    let head = "POST /api/frontend/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    others.write_all(head.as_bytes()).await?;
    let mut answer = [0; 12];
    timeout(LIMIT, others.read_exact(&mut answer)).await??;
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert!(stalled.read().await?);
    rig.stop().await
}

#[tokio::test]
async fn a_reader_that_stalls_holds_nobody_up_and_is_cut_off() -> Result<()> {
    let (rig, token) = rig(|config| {
        config.limits.exports = 1;
        config.limits.export_time = Duration::from_millis(300);
    })
    .await?;
    let stalled = Stalled::ask(&rig, &token).await?;
    let list: VehicleList = rig.get("/api/frontend/vehicles", &token).await?.json().await?;
    assert_eq!(list.vehicles.len(), 1);
    until_ended("stalled").await?;
    let next = export(&rig, &token, "format=json").await?.bytes().await?;
    assert!(next.ends_with(b"]}\n]}\n") || serde_json::from_slice::<Value>(&next).is_ok());
    assert!(!stalled.read().await?, "what was cut short looked whole");
    rig.stop().await
}

#[tokio::test]
async fn only_so_many_exports_are_under_way_and_one_that_hangs_up_makes_room() -> Result<()> {
    let (rig, token) = rig(|config| config.limits.exports_per_user = 2).await?;
    let (first, second) = (Stalled::ask(&rig, &token).await?, Stalled::ask(&rig, &token).await?);
    let refused = rig.get(&path("format=csv"), &token).await?;
    assert!(refused.headers().contains_key("retry-after"));
    expect_refusal(refused, StatusCode::TOO_MANY_REQUESTS, "too_many_exports").await?;
    drop(first);
    wait::until("there is room again", LIMIT, || async {
        let answer = rig.get(&path("format=csv&signal=rpm"), &token).await.ok()?;
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await?;
    until_ended("gone").await?;
    // The end of the server waits for no reader.
    rig.stop().await?;
    assert!(!second.read().await?);
    Ok(())
}

#[tokio::test]
async fn an_error_in_the_middle_is_seen_by_the_reader() -> Result<()> {
    let (rig, token) = rig(|_| {}).await?;
    let reader = Stalled::ask(&rig, &token).await?;
    rig.store.close().await;
    assert!(!reader.read().await?, "half a file looked whole");
    until_ended("failed").await
}

#[tokio::test]
async fn whoever_signs_out_gets_no_more_of_it() -> Result<()> {
    let (rig, token) = rig(|_| {}).await?;
    let reader = Stalled::ask(&rig, &token).await?;
    let out = rig.request(Method::DELETE, "/api/frontend/session").bearer_auth(&token);
    out.header("x-bugbrother-client", "program").send().await?.error_for_status()?;
    until_ended("session_over").await?;
    assert!(!reader.read().await?);
    rig.stop().await
}

/// Memory that the process has at its peak, in bytes.
fn peak() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("VmHWM")?;
    let kib: u64 = line.split_whitespace().nth(1).context("a number")?.parse()?;
    Ok(kib * 1024)
}

#[tokio::test]
async fn a_million_rows_are_exported_in_bounded_memory() -> Result<()> {
    const ROWS: i64 = 1_000_000;
    const BATCH: i64 = 4000;
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    // With what filling the store takes.
    let before = peak()?;
    for n in 0..ROWS / BATCH {
        let row = |i: i64| {
            let at = (n * BATCH + i) as f64;
            let values = [46.0 + at * 1e-6, 6.0 + at * 1e-6, at % 97.0, at % 4001.0].map(Some);
            Row { dt_ms: i as u32 * 1000, values: values.to_vec() }
        };
        let t0 = START - 30 * DAY + n * BATCH * 1000;
        let rows = (0..BATCH).map(row).collect();
        rig.store.commit(&[arrival(batch(vin(1), n as u64 + 1, t0, &["lat", "lon", "gspd", "rpm"], rows))]).await?;
        if n % 8 == 7 {
            fold(&rig.store, vin(1)).await?;
        }
    }
    let mut answer = export(&rig, &token, "format=geojson").await?;
    let (mut size, mut features) = (0, 0);
    while let Some(chunk) = answer.chunk().await? {
        size += chunk.len();
        features += chunk.iter().filter(|byte| **byte == b'\n').count() as i64;
    }
    let grown = peak()? - before;
    println!("{size} bytes with {grown} bytes more memory");
    // The last two end lines are the collection's.
    assert_eq!(features - 2, ROWS);
    assert!(size > 128 << 20 && grown < 64 << 20, "{size} bytes with {grown} bytes more memory");
    rig.stop().await
}
