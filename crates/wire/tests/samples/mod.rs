//! One message of every kind, with every field filled in.

use bugbrother_wire::{
    AlertId, CameraId, CommandId, Epoch, EventId, MediaId, SCHEMA_VERSION as V, Seq, Topic, Vin, message::*,
    topic::Kind,
};
use uuid::Uuid;

const T: i64 = 1_790_000_000_123;
const E: Epoch = Epoch(7_507_804_160_515_972_961);

pub fn vin() -> Vin {
    "WVWZZZ1JZ3W386752".parse().expect("a VIN")
}

pub fn telemetry() -> Telemetry {
    let row = |dt_ms, values: [Option<f64>; 4]| Row { dt_ms, values: values.to_vec() };
    Telemetry {
        v: V,
        vin: vin(),
        epoch: E,
        seq: Seq(42),
        t0: T,
        clock: Clock::Gnss,
        keys: ["lat", "lon", "spd", "vbat"].map(str::to_owned).to_vec(),
        rows: vec![
            row(0, [Some(46.519_653), Some(6.632_273), Some(87.0), None]),
            row(1000, [Some(46.519_9), Some(6.632_5), Some(87.5), Some(14.1)]),
        ],
        gap: Some(Gap { from: Seq(3), to: Seq(9), reason: "outbox full".to_owned() }),
    }
}

/// File name → topic and message.
pub fn all() -> Vec<(&'static str, Topic, Message)> {
    let uuid = |n: u128| Uuid::from_u128(0x0199_7c2e_0000_7000_8000_0000_0000_0000 + n);
    let alert_id = AlertId(uuid(1));
    let camera = || CameraId::try_from("dash-1".to_owned()).expect("a name");
    let text = |text: &str| Some(text.to_owned());
    let vin = vin();
    let messages = [
        (
            "birth",
            Kind::Birth,
            Message::Birth(Birth {
                v: V,
                vin,
                vin_source: VinSource::Obd,
                epoch: E,
                agent: "0.1.0".to_owned(),
                started: T,
                signals: vec![SignalDeclaration {
                    key: "spd".to_owned(),
                    vss: text("Vehicle.Speed"),
                    unit: "km/h".to_owned(),
                    period_ms: 1000,
                }],
                cameras: vec![CameraDeclaration { id: camera(), label: "Windscreen".to_owned() }],
                car: Some(CarDeclaration {
                    protocol: "ISO 15765-4 (CAN 11/500)".to_owned(),
                    adapter: "ELM327 v1.5".to_owned(),
                    ecus: vec![EcuDeclaration {
                        ecu: "7E8".to_owned(),
                        name: text("ECM-EngineControl"),
                        calibrations: vec!["03C906016DL".to_owned()],
                        verifications: vec!["1791BC82".to_owned()],
                    }],
                }),
            }),
        ),
        (
            "status",
            Kind::Status,
            Message::Status(Status {
                v: V,
                vin,
                epoch: E,
                status: Presence::Asleep,
                since: T,
                reason: text("battery at 11.9 V"),
            }),
        ),
        ("telemetry", Kind::Telemetry, Message::Telemetry(telemetry())),
        ("backfill", Kind::Backfill, Message::Backfill(telemetry())),
        (
            "diagnostics",
            Kind::Diagnostics,
            Message::Diagnostics(Diagnostics {
                v: V,
                vin,
                epoch: E,
                seq: Seq(43),
                at: T,
                mil: Some(true),
                dtcs: vec![Dtc { code: "P0301".to_owned(), status: DtcStatus::Stored, ecu: text("7E8") }],
                monitors: vec![Monitor { name: "catalyst".to_owned(), complete: false }],
                freeze_frame: Some(FreezeFrame {
                    code: "P0301".to_owned(),
                    values: [("rpm".to_owned(), 2350.0)].into(),
                    ecu: text("7E8"),
                }),
            }),
        ),
        (
            "event",
            Kind::Event,
            Message::Event(Event {
                v: V,
                vin,
                epoch: E,
                seq: Seq(44),
                id: EventId(uuid(2)),
                at: T,
                kind: EventKind::HarshBraking,
                lat: Some(46.5),
                lon: Some(6.6),
                values: [("ax".to_owned(), -6.25)].into(),
                text: text("from 87 km/h"),
            }),
        ),
        (
            "media",
            Kind::Media,
            Message::Media(Media {
                v: V,
                vin,
                epoch: E,
                seq: Seq(45),
                id: MediaId(uuid(3)),
                camera: camera(),
                kind: MediaKind::Clip,
                state: MediaState::Ready,
                at: T,
                from: T - 30_000,
                to: T,
                cause: text("01997c2e-0000-7000-8000-000000000002"),
                bytes: Some(1_234_567),
                sha256: Some("ab".repeat(32)),
                codec: text("avc1.42C01E"),
                reason: None,
            }),
        ),
        (
            "reply",
            Kind::Reply,
            Message::Reply(Reply {
                v: V,
                vin,
                epoch: E,
                seq: Seq(46),
                command: CommandId(uuid(4)),
                state: ReplyState::Done,
                at: T,
                detail: text("2 codes cleared"),
                result: [("cleared".to_owned(), Argument::Integer(2))].into(),
                text: text("P0301 misfire, cylinder 1"),
            }),
        ),
        (
            "ack",
            Kind::Ack,
            Message::Ack(Ack {
                v: V,
                vin,
                epoch: E,
                seq: Seq(42),
                ranges: vec![(Seq(50), Seq(61)), (Seq(70), Seq(70))],
                store: "01997c2e-0000-7000-8000-000000000005".to_owned(),
            }),
        ),
        (
            "command-clip",
            Kind::Command,
            Message::Command(Command {
                v: V,
                vin,
                id: CommandId(uuid(4)),
                name: "clip".to_owned(),
                arguments: [
                    ("after_s".to_owned(), Argument::Integer(5)),
                    ("at".to_owned(), Argument::Integer(T - 1_500)),
                    ("before_s".to_owned(), Argument::Integer(30)),
                    ("camera".to_owned(), Argument::Text("dash-1".to_owned())),
                ]
                .into(),
                issued: T,
                expires: T + 60_000,
                by: "ada".to_owned(),
            }),
        ),
        (
            "command",
            Kind::Command,
            Message::Command(Command {
                v: V,
                vin,
                id: CommandId(uuid(4)),
                name: "clear_dtcs".to_owned(),
                arguments: [
                    ("confirmed".to_owned(), Argument::Bool(true)),
                    ("ecu".to_owned(), Argument::Text("7E8".to_owned())),
                    ("ratio".to_owned(), Argument::Number(0.5)),
                    ("tries".to_owned(), Argument::Integer(2)),
                ]
                .into(),
                issued: T,
                expires: T + 60_000,
                by: "admin".to_owned(),
            }),
        ),
        (
            "config",
            Kind::Config,
            Message::Config(Config {
                v: V,
                vin,
                revision: 3,
                periods_ms: [("spd".to_owned(), 500)].into(),
                thresholds: [("harsh_braking".to_owned(), 3.5)].into(),
                geofences: vec![
                    Geofence {
                        id: "g1".to_owned(),
                        name: "Depot".to_owned(),
                        shape: Shape::Circle { centre: (46.5, 6.6), radius_m: 250.0 },
                    },
                    Geofence {
                        id: "g2".to_owned(),
                        name: "Town".to_owned(),
                        shape: Shape::Polygon(vec![(46.5, 6.6), (46.6, 6.6), (46.6, 6.7)]),
                    },
                    Geofence {
                        id: "g3".to_owned(),
                        name: "Way".to_owned(),
                        shape: Shape::Corridor { line: vec![(46.5, 6.6), (46.6, 6.7)], width_m: 50.0 },
                    },
                ],
                privacy: false,
                driver_privacy: true,
                daily_bytes: Some(20_000_000),
            }),
        ),
        (
            "alert",
            Kind::Alert(alert_id),
            Message::Alert(Alert {
                v: V,
                vin,
                id: alert_id,
                rule: "speeding".to_owned(),
                title: "Faster than 130 km/h".to_owned(),
                severity: Severity::Warning,
                state: AlertState::Acknowledged,
                opened: T,
                updated: T + 5000,
                resolved: None,
                count: 2,
                value: Some(141.5),
                signal: None,
                limit: None,
                lat: None,
                lon: None,
                acknowledged_by: text("ada"),
                late: false,
                detail: None,
            }),
        ),
        (
            "alert-place",
            Kind::Alert(alert_id),
            Message::Alert(Alert {
                v: V,
                vin,
                id: alert_id,
                rule: "flat".to_owned(),
                title: "Battery below 11.8 V".to_owned(),
                severity: Severity::Critical,
                state: AlertState::Open,
                opened: T,
                updated: T + 5000,
                resolved: None,
                count: 1,
                value: Some(11.25),
                signal: text("vbat"),
                limit: Some(11.8),
                lat: Some(46.5196),
                late: false,
                detail: None,
                lon: Some(6.6323),
                acknowledged_by: None,
            }),
        ),
        (
            "alert-cause",
            Kind::Alert(alert_id),
            Message::Alert(Alert {
                v: V,
                vin,
                id: alert_id,
                rule: "flat".to_owned(),
                title: "Battery below 11.8 V".to_owned(),
                severity: Severity::Critical,
                state: AlertState::Open,
                opened: T,
                updated: T + 5000,
                resolved: None,
                count: 1,
                value: Some(11.25),
                signal: text("vbat"),
                limit: Some(11.8),
                lat: Some(46.5196),
                late: true,
                detail: Some(Box::new(AlertCause {
                    codes: vec!["P0301".to_owned()],
                    monitors: vec!["catalyst".to_owned()],
                    event: Some(EventKind::Crash),
                    geofence: text("Depot"),
                    usual: Some(88.5),
                    against: text("load"),
                    against_value: Some(42.0),
                    items: vec!["Oil".to_owned()],
                    due: Some(T + 9000),
                    unit: text("l"),
                })),
                lon: Some(6.6323),
                acknowledged_by: None,
            }),
        ),
        (
            "state",
            Kind::State,
            Message::State(State {
                v: V,
                vin,
                source_ts: T,
                presence: Presence::Online,
                values: [("lat".to_owned(), 46.5), ("spd".to_owned(), 87.0)].into(),
                name: None,
                plate: None,
                latitude: None,
                longitude: None,
                engine_on: None,
                trouble_codes: None,
            }),
        ),
        (
            "state-whole",
            Kind::State,
            Message::State(State {
                v: V,
                vin,
                source_ts: T,
                presence: Presence::Online,
                values: [("lat".to_owned(), 46.5), ("lon".to_owned(), 6.6), ("rpm".to_owned(), 2100.0)].into(),
                name: text("Van 12"),
                plate: text("VD 123 456"),
                latitude: Some(46.5),
                longitude: Some(6.6),
                engine_on: Some(true),
                trouble_codes: Some(2),
            }),
        ),
    ];
    messages.into_iter().map(|(name, kind, message)| (name, Topic::new(vin, kind), message)).collect()
}

/// What its publisher sends.
pub fn payload(message: &Message) -> Vec<u8> {
    use bugbrother_wire::encode;
    match message {
        Message::Birth(m) => encode(m),
        Message::Status(m) => encode(m),
        Message::Telemetry(m) | Message::Backfill(m) => encode(m),
        Message::Diagnostics(m) => encode(m),
        Message::Event(m) => encode(m),
        Message::Media(m) => encode(m),
        Message::Reply(m) => encode(m),
        Message::Ack(m) => encode(m),
        Message::Command(m) => encode(m),
        Message::Config(m) => encode(m),
        Message::Alert(m) => encode(m),
        Message::AlertCleared => Vec::new(),
        Message::State(m) => serde_json::to_vec(m).expect("plain numbers and texts"),
    }
}
