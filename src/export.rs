//! `export`: what vehicles measured, and tables of them, as files.
//!
//! A file is written as it is read from the database, a page at a time, and gets its name when it is whole.

mod client;
mod table;

use std::{
    io::{self, ErrorKind, IsTerminal, Write, stdout},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use bugbrother_dashboard::export::{Part, SampleExport};
use bugbrother_export::{Format, Vehicle};
use bugbrother_store::Store;
use bugbrother_wire::{UnixMs, Vin};
use tempfile::NamedTempFile;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tracing::info;

use crate::{
    arguments::{ExportCommand, Period, SampleFile},
    data::DataDir,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const PIPE: &str = "cannot write to standard output";

/// Writes what was asked for. A reader of standard output that has had enough is no error.
pub async fn run(data: &DataDir, command: ExportCommand) -> Result<()> {
    let store = data.store().await?;
    let done = match command {
        ExportCommand::Vehicle { vin, file, period, output } => {
            let parts = vec![Part { vehicle: vehicle(&store, vin).await?, from: period.from, to: period.to }];
            let sink = Sink::open(output.output.as_deref(), file.format == Format::Parquet)?;
            samples(store, parts, file, sink).await
        }
        ExportCommand::Client { id, file, period, output } => {
            let parts = client::parts(&store, id, (period.from, period.to)).await?;
            let sink = Sink::open(output.output.as_deref(), file.format == Format::Parquet)?;
            samples(store, parts, file, sink).await
        }
        ExportCommand::Trips { vin, format, period, output } => {
            vehicle(&store, vin).await?;
            table::trips(&store, vin, period, format, Sink::open(output.output.as_deref(), false)?).await
        }
        ExportCommand::Events { vin, format, period, output } => {
            vehicle(&store, vin).await?;
            table::events(&store, vin, period, format, Sink::open(output.output.as_deref(), false)?).await
        }
        ExportCommand::Alerts { vin, format, lang, period, output } => {
            vehicle(&store, vin).await?;
            let sink = Sink::open(output.output.as_deref(), false)?;
            table::alerts(&store, vin, period, (format, lang.into()), sink).await
        }
        ExportCommand::Dtcs { vin, format, lang, output } => {
            vehicle(&store, vin).await?;
            table::dtcs(&store, vin, (format, lang.into()), Sink::open(output.output.as_deref(), false)?).await
        }
    };
    match done {
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe) => Ok(()),
        done => done,
    }
}

async fn vehicle(store: &Store, vin: Vin) -> Result<Vehicle> {
    let Some(state) = store.vehicle(vin).await? else { bail!("there is no vehicle `{vin}`") };
    Ok(Vehicle { vin, name: state.name, plate: state.plate })
}

async fn samples(store: Store, parts: Vec<Part>, file: SampleFile, mut sink: Sink) -> Result<()> {
    let signals = Some(file.signals).filter(|signals| !signals.is_empty());
    let mut export = SampleExport::begin(store, parts, file.format, signals).await?;
    while let Some(piece) = export.next().await? {
        sink.write(&piece)?;
    }
    sink.finish()
}

/// Where a file goes.
enum Sink {
    Pipe,
    /// Made with mode 0600: it tells where somebody was.
    File {
        file: NamedTempFile,
        target: PathBuf,
    },
}

impl Sink {
    /// The file at `target`, which must not be there yet; standard output for `None`.
    fn open(target: Option<&Path>, is_binary: bool) -> Result<Self> {
        let Some(target) = target else {
            if is_binary && stdout().is_terminal() {
                bail!("Parquet is nothing for a terminal: name a file with --output, or pipe it to a program");
            }
            return Ok(Sink::Pipe);
        };
        if target.exists() {
            bail!("`{}` is there already", target.display());
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(folder).with_context(|| format!("cannot write to `{}`", folder.display()))?;
        Ok(Sink::File { file, target: target.to_owned() })
    }

    fn write(&mut self, piece: &[u8]) -> Result<()> {
        match self {
            Sink::Pipe => stdout().write_all(piece).context(PIPE),
            Sink::File { file, target } => {
                file.write_all(piece).with_context(|| format!("cannot write `{}`", target.display()))
            }
        }
    }

    fn finish(self) -> Result<()> {
        match self {
            Sink::Pipe => stdout().flush().context(PIPE),
            Sink::File { file, target } => {
                let name = || format!("cannot write `{}`", target.display());
                file.as_file().sync_all().with_context(name)?;
                let bytes = file.as_file().metadata()?.len();
                file.persist_noclobber(&target).with_context(name)?;
                info!(file = %target.display(), bytes, "exported");
                Ok(())
            }
        }
    }
}

/// When a period begins: a moment as RFC 3339, or a day (UTC).
pub fn beginning(text: &str) -> Result<UnixMs, String> {
    moment(text).or_else(|| day(text)).ok_or_else(|| not_a_moment(text))
}

/// When it ends, inclusive: with a day that day is in it.
pub fn end(text: &str) -> Result<UnixMs, String> {
    moment(text).or_else(|| Some(day(text)? + DAY_MS - 1)).ok_or_else(|| not_a_moment(text))
}

fn day(text: &str) -> Option<UnixMs> {
    moment(&format!("{text}T00:00:00Z"))
}

fn moment(text: &str) -> Option<UnixMs> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    UnixMs::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

fn not_a_moment(text: &str) -> String {
    format!("`{text}` is neither a day such as 2026-01-31 nor a moment such as 2026-01-31T14:30:00Z")
}

impl Period {
    /// As if nothing was given.
    #[cfg(test)]
    fn all() -> Self {
        Period { from: 0, to: bugbrother_wire::codec::LATEST }
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt::Debug, fs, str::FromStr};

    use bugbrother_export::TableFormat;
    use bugbrother_store::{Arrival, Assignment, Client, ClientId, Contract};
    use bugbrother_wire::{
        Epoch, Message, SCHEMA_VERSION, Seq,
        message::{
            Alert, AlertCause, AlertState, Clock, Diagnostics, Dtc, DtcStatus, Event, EventKind, Row, Severity,
            Telemetry,
        },
    };
    use serde_json::Value;

    use super::*;
    use crate::{
        arguments::{Lang, Output},
        data::temporary,
    };

    const START: UnixMs = 1_789_948_800_000;
    const HOUR: i64 = 3_600_000;

    fn golf() -> Vin {
        "WVWZZZ1JZ3W386752".parse().unwrap()
    }

    fn fiesta() -> Vin {
        "WF0DXXGAKDHA12345".parse().unwrap()
    }

    fn id<T: FromStr<Err: Debug>>(n: u128) -> T {
        format!("00000000-0000-0000-0000-{n:012}").parse().unwrap()
    }

    fn arrival(content: Message) -> Arrival {
        Arrival { received_ts: START, topic: String::new(), payload: Default::default(), content: Ok(content) }
    }

    /// A row a second for an hour, in ten batches.
    fn drive(vin: Vin, begin: UnixMs) -> Vec<Arrival> {
        let batch = |n: i64| {
            let row =
                |i: u32| Row { dt_ms: i * 1000, values: [46.5 + f64::from(i) * 1e-4, 6.6, 36.0].map(Some).to_vec() };
            let batch = Telemetry {
                v: SCHEMA_VERSION,
                vin,
                epoch: Epoch(begin.cast_unsigned()),
                seq: Seq(n as u64 + 1),
                t0: begin + n * 360_000,
                clock: Clock::Gnss,
                keys: ["lat", "lon", "gspd"].map(str::to_owned).to_vec(),
                rows: (0..360).map(row).collect(),
                gap: None,
            };
            let payload = bugbrother_wire::encode(&batch).into();
            Arrival { payload, ..arrival(Message::Telemetry(batch)) }
        };
        (0..10).map(batch).collect()
    }

    struct Desk {
        folder: tempfile::TempDir,
        data: DataDir,
        store: Store,
    }

    impl Desk {
        async fn new() -> Self {
            let (folder, data) = temporary();
            let store = data.store().await.unwrap();
            store.commit(&drive(golf(), START)).await.unwrap();
            while store.keep(&[golf()]).await.unwrap()[0].more {}
            store.commit(&drive(golf(), START + 24 * HOUR)).await.unwrap();
            Desk { folder, data, store }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn output(&self, name: &str) -> Output {
            Output { output: Some(self.path(name)) }
        }

        async fn vehicle(&self, format: Format, signals: &[&str], period: Period) -> Result<Vec<u8>> {
            let name = format!("file.{format}");
            let file = SampleFile { format, signals: signals.iter().map(|key| (*key).to_owned()).collect() };
            run(&self.data, ExportCommand::Vehicle { vin: golf(), file, period, output: self.output(&name) }).await?;
            let bytes = fs::read(self.path(&name))?;
            fs::remove_file(self.path(&name))?;
            Ok(bytes)
        }
    }

    #[tokio::test]
    async fn a_vehicle_is_exported_in_every_format_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let desk = Desk::new().await;
        let csv = String::from_utf8(desk.vehicle(Format::Csv, &[], Period::all()).await.unwrap()).unwrap();
        assert_eq!(csv.lines().count(), 7201);
        assert!(
            csv.starts_with("vin,name,plate,ts,time,lat [degrees],lon [degrees],gspd [km/h]\r\nWVWZZZ1JZ3W386752,")
        );
        let gpx = String::from_utf8(desk.vehicle(Format::Gpx, &[], Period::all()).await.unwrap()).unwrap();
        assert_eq!((gpx.matches("<trkpt").count(), gpx.matches("<trkseg>").count()), (7200, 2));
        let geojson: Value =
            serde_json::from_slice(&desk.vehicle(Format::GeoJson, &[], Period::all()).await.unwrap()).unwrap();
        assert_eq!(geojson["features"].as_array().unwrap().len(), 7200);
        let json: Value =
            serde_json::from_slice(&desk.vehicle(Format::Json, &["gspd"], Period::all()).await.unwrap()).unwrap();
        let samples = json["vehicles"][0]["samples"].as_array().unwrap();
        assert!(samples.len() == 7200 && samples.iter().all(|sample| sample["signals"]["gspd"] == 36.0));
        let parquet = desk.vehicle(Format::Parquet, &[], Period::all()).await.unwrap();
        assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));

        let file = SampleFile { format: Format::Csv, signals: Vec::new() };
        let output = desk.output("kept.csv");
        run(&desk.data, ExportCommand::Vehicle { vin: golf(), file, period: Period::all(), output }).await.unwrap();
        assert_eq!(fs::metadata(desk.path("kept.csv")).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_period_of_days_holds_the_last_of_them_and_nothing_is_overwritten() {
        let desk = Desk::new().await;
        let period = |from, to| Period { from: beginning(from).unwrap(), to: end(to).unwrap() };
        for (from, to, rows) in [
            ("2026-09-21", "2026-09-21", 3600),
            ("2026-09-21", "2026-09-22", 7200),
            ("2026-09-21T00:30:00Z", "2026-09-21T02:59:59+02:00", 1800),
            ("2026-09-23", "2026-09-30", 0),
        ] {
            let csv = desk.vehicle(Format::Csv, &["gspd"], period(from, to)).await.unwrap();
            assert_eq!(csv.split(|byte| *byte == b'\n').count() - 2, rows, "{from} {to}");
        }
        fs::write(desk.path("file.csv"), "mine").unwrap();
        let refused = desk.vehicle(Format::Csv, &[], Period::all()).await.unwrap_err();
        assert!(refused.to_string().contains("is there already"), "{refused}");
        assert_eq!(fs::read_to_string(desk.path("file.csv")).unwrap(), "mine");
        let file = SampleFile { format: Format::Csv, signals: Vec::new() };
        let unknown =
            ExportCommand::Vehicle { vin: fiesta(), file, period: Period::all(), output: desk.output("x.csv") };
        let refused = run(&desk.data, unknown).await.unwrap_err().to_string();
        assert_eq!(refused, "there is no vehicle `WF0DXXGAKDHA12345`");
        let left: Vec<_> = fs::read_dir(desk.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }

    #[test]
    fn days_and_moments_are_told_from_anything_else() {
        assert_eq!(beginning("2026-09-21"), Ok(START));
        assert_eq!(end("2026-09-21"), Ok(START + 24 * HOUR - 1));
        assert_eq!(beginning("2026-09-21T02:00:00.5+02:00"), Ok(START + 500));
        for bad in ["", "yesterday", "2026-02-30", "2026-9-21", "1789948800000", "2026-09-21T25:00:00Z"] {
            assert!(end(bad).unwrap_err().contains("2026-01-31"), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_client_gets_its_vehicles_for_as_long_as_they_were_in_its_contracts() {
        let desk = Desk::new().await;
        let store = &desk.store;
        store.commit(&drive(fiesta(), START)).await.unwrap();
        let client = Client {
            id: id(1),
            name: "Taxi".into(),
            contact: None,
            email: None,
            phone: None,
            note: None,
            created: START,
            archived: None,
        };
        assert!(store.add_client(&client).await.unwrap());
        for (n, starts, ends) in [(1, START, Some(START + HOUR / 2)), (2, START + HOUR / 4, None)] {
            let contract = Contract {
                id: id(n),
                client: client.id,
                title: "Fleet".into(),
                starts,
                ends,
                retention_days: None,
                media_retention_days: None,
                video: false,
                options: Default::default(),
                note: None,
            };
            assert!(store.add_contract(&contract).await.unwrap());
        }
        let assign = |n, vin, from, to| Assignment { contract: id(n), vin, from, to };
        for assignment in [
            // Half an hour by the first contract, which ends, and more by the second, which overlaps: 45 minutes in all.
            assign(1, golf(), START - HOUR, None),
            assign(2, golf(), START, Some(START + HOUR * 3 / 4)),
            // A minute of another.
            assign(2, fiesta(), START + HOUR / 2, Some(START + HOUR / 2 + 60_000)),
        ] {
            store.assign_vehicle(&assignment, START).await.unwrap();
        }
        let file = SampleFile { format: Format::Json, signals: vec!["gspd".into()] };
        let command =
            ExportCommand::Client { id: client.id, file, period: Period::all(), output: desk.output("taxi.json") };
        run(&desk.data, command).await.unwrap();
        let json: Value = serde_json::from_slice(&fs::read(desk.path("taxi.json")).unwrap()).unwrap();
        let vehicles = json["vehicles"].as_array().unwrap().iter();
        let found: Vec<_> = vehicles
            .map(|vehicle| {
                let samples = vehicle["samples"].as_array().unwrap();
                let at = |n: usize| samples[n]["ts"].as_i64().unwrap() - START;
                (vehicle["vin"].as_str().unwrap(), at(0), at(samples.len() - 1))
            })
            .collect();
        let half = HOUR / 2;
        assert_eq!(found, [("WF0DXXGAKDHA12345", half, half + 59_000), ("WVWZZZ1JZ3W386752", 0, HOUR * 3 / 4 - 1000)]);

        let nobody: ClientId = id(9);
        let file = SampleFile { format: Format::Csv, signals: Vec::new() };
        let command = ExportCommand::Client { id: nobody, file, period: Period::all(), output: desk.output("x.csv") };
        assert!(run(&desk.data, command).await.unwrap_err().to_string().starts_with("there is no client `"));
    }

    #[tokio::test]
    async fn trips_events_alerts_and_trouble_codes_are_tables() {
        let desk = Desk::new().await;
        while desk.store.keep(&[golf()]).await.unwrap()[0].more {}
        let event = Event {
            v: SCHEMA_VERSION,
            vin: golf(),
            epoch: Epoch(1),
            seq: Seq(1),
            id: id(1),
            at: START + 5,
            kind: EventKind::HarshBraking,
            lat: Some(46.5),
            lon: None,
            values: [("ax".to_owned(), -7.5)].into(),
            text: None,
        };
        let told = Diagnostics {
            v: SCHEMA_VERSION,
            vin: golf(),
            epoch: Epoch(1),
            seq: Seq(2),
            at: START,
            mil: Some(true),
            dtcs: vec![Dtc { code: "P0420".into(), status: DtcStatus::Stored, ecu: None }],
            monitors: Vec::new(),
            freeze_frame: None,
        };
        let told = [Message::Event(event), Message::Diagnostics(told)].map(arrival);
        desk.store.commit(&told).await.unwrap();
        let codes = vec!["P0420".to_owned(), "U1000".to_owned()];
        let alert = Alert {
            v: SCHEMA_VERSION,
            vin: golf(),
            id: id(7),
            rule: "codes".into(),
            title: "Codes".into(),
            severity: Severity::Warning,
            state: AlertState::Open,
            opened: START,
            updated: START,
            resolved: None,
            count: 1,
            value: None,
            signal: None,
            limit: None,
            lat: None,
            lon: None,
            acknowledged_by: None,
            late: false,
            detail: Some(Box::new(AlertCause { codes, ..AlertCause::default() })),
        };
        desk.store.save_alert(&alert).await.unwrap();

        let (vin, format, period, lang) = (golf(), TableFormat::Json, Period::all(), Lang::Fr);
        let commands = [
            ("trips", ExportCommand::Trips { vin, format, period, output: desk.output("trips") }),
            ("events", ExportCommand::Events { vin, format, period, output: desk.output("events") }),
            ("alerts", ExportCommand::Alerts { vin, format, lang, period, output: desk.output("alerts") }),
            ("dtcs", ExportCommand::Dtcs { vin, format, lang, output: desk.output("dtcs") }),
        ];
        let mut tables = Vec::new();
        for (name, command) in commands {
            run(&desk.data, command).await.unwrap();
            tables.push(serde_json::from_slice::<Vec<Value>>(&fs::read(desk.path(name)).unwrap()).unwrap());
        }
        let [trips, events, alerts, dtcs] = tables.try_into().unwrap();
        let stored = desk.store.trips(golf(), 0, UnixMs::MAX, 10).await.unwrap();
        assert_eq!(trips.len(), stored.len());
        assert!(!trips.is_empty());
        for (trip, record) in trips.iter().zip(stored.iter().rev()) {
            assert_eq!(
                (trip["began_ms"].as_i64(), trip["ended_ms"].as_i64()),
                (Some(record.trip.start), Some(record.trip.end))
            );
            assert!((trip["distance_km"].as_f64().unwrap() - record.trip.distance_m / 1000.0).abs() < 1e-9);
        }
        let event = &events[0];
        assert_eq!((&event["kind"], &event["at"]), (&"harsh_braking".into(), &"2026-09-21T00:00:00.005Z".into()));
        assert_eq!(
            (&event["values"], &event["lat"], &event["lon"]),
            (&r#"{"ax":-7.5}"#.into(), &46.5.into(), &Value::Null)
        );
        let title = dtcs[0]["title"].as_str().unwrap();
        assert!(title.to_lowercase().contains("catalyseur"), "in the language that is asked for: {title}");
        assert_eq!(alerts[0]["codes"], "P0420 U1000");
        let in_words = alerts[0]["codes_in_words"].as_str().unwrap();
        assert!(in_words.starts_with(&format!("{title}; ")), "{in_words}");
        assert_eq!(
            (&dtcs[0]["code"], &dtcs[0]["status"], &dtcs[0]["ecu"]),
            (&"P0420".into(), &"stored".into(), &Value::Null)
        );

        let output = desk.output("trips.csv");
        run(&desk.data, ExportCommand::Trips { vin, format: TableFormat::Csv, period, output }).await.unwrap();
        let csv = fs::read_to_string(desk.path("trips.csv")).unwrap();
        assert!(csv.starts_with("vin,began,began_ms,ended,ended_ms,open,"), "{csv}");
        assert_eq!(csv.lines().count(), trips.len() + 1);
    }
}
