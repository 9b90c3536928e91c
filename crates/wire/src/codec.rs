//! MessagePack with names, inside limits.
//!
//! `rmp-serde` alone accepts trailing bytes and NaN; here every message is checked as a whole before anybody sees it.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    SCHEMA_VERSION, Seq, Topic, UnixMs, Vin,
    message::{
        Alert, AlertCause, Argument, Birth, Command, Config, Diagnostics, Event, Media, Message, Reply, Shape, State,
        Status, Telemetry,
    },
    topic::Kind,
};

/// Largest telemetry batch, in bytes.
pub const MAX_TELEMETRY_BYTES: usize = 256 * 1024;
/// Largest other message, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Most signals in a batch.
pub const MAX_KEYS: usize = 256;
/// Most rows in a batch.
pub const MAX_ROWS: usize = 4096;
/// Most bytes of a text.
pub const MAX_TEXT: usize = 1024;
/// Most bytes of the one text that may be long, that of a reply.
pub const MAX_LONG_TEXT: usize = 32 * 1024;
/// Most entries of any list or map but the rows.
pub const MAX_ENTRIES: usize = 1024;
/// Most ranges in an acknowledgement.
pub const MAX_RANGES: usize = 64;
/// Latest row of a batch after its `t0`.
pub const MAX_SPAN_MS: u32 = 24 * 60 * 60 * 1000;
/// 2000-01-01T00:00:00Z: no car with OBD-II sent anything before.
pub const EARLIEST: UnixMs = 946_684_800_000;
/// 2100-01-01T00:00:00Z.
pub const LATEST: UnixMs = 4_102_444_800_000;

/// Why a payload is refused.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than the topic's limit.
    #[error("payload has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes received.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not the MessagePack of this message.
    #[error("not a message of this topic")]
    Malformed(#[source] rmp_serde::decode::Error),
    /// Not the JSON of this message.
    #[error("not a message of this topic")]
    MalformedJson,
    /// Bytes after the message.
    #[error("{0} bytes after the end of the message")]
    TrailingBytes(usize),
    /// Another major version.
    #[error("schema version {0}, this side speaks {SCHEMA_VERSION}")]
    Version(u8),
    /// The payload's vehicle is not the topic's.
    #[error("payload is of {payload}, topic of {topic}")]
    OtherVin {
        /// In the topic.
        topic: Vin,
        /// In the payload.
        payload: Vin,
    },
    /// A time that no vehicle lived in.
    #[error("`{0}` is outside 2000 to 2099")]
    Time(&'static str),
    /// A field outside its range.
    #[error("`{field}` {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl DecodeError {
    /// A word for counters, one of few.
    pub fn reason(&self) -> &'static str {
        match self {
            DecodeError::TooLarge { .. } => "too_large",
            DecodeError::Malformed(_) | DecodeError::MalformedJson => "malformed",
            DecodeError::TrailingBytes(_) => "trailing_bytes",
            DecodeError::Version(_) => "version",
            DecodeError::OtherVin { .. } => "other_vin",
            DecodeError::Time(_) => "time",
            DecodeError::Field { .. } => "field",
        }
    }
}

/// MessagePack of a message, as a map with names.
pub fn encode<M: Serialize>(message: &M) -> Vec<u8> {
    rmp_serde::to_vec_named(message).expect("messages hold nothing that MessagePack has no form for")
}

/// The message that `payload` is on `topic`.
pub fn decode(topic: &Topic, payload: &[u8]) -> Result<Message, DecodeError> {
    let limit = match topic.kind {
        Kind::Telemetry | Kind::Backfill => MAX_TELEMETRY_BYTES,
        _ => MAX_MESSAGE_BYTES,
    };
    if payload.len() > limit {
        return Err(DecodeError::TooLarge { size: payload.len(), limit });
    }
    Ok(match topic.kind {
        Kind::Birth => Message::Birth(read(topic, payload)?),
        Kind::Status => Message::Status(read(topic, payload)?),
        Kind::Telemetry => Message::Telemetry(read(topic, payload)?),
        Kind::Backfill => Message::Backfill(read(topic, payload)?),
        Kind::Diagnostics => Message::Diagnostics(read(topic, payload)?),
        Kind::Event => Message::Event(read(topic, payload)?),
        Kind::Media => Message::Media(read(topic, payload)?),
        Kind::Reply => Message::Reply(read(topic, payload)?),
        Kind::Ack => Message::Ack(read(topic, payload)?),
        Kind::Command => Message::Command(read(topic, payload)?),
        Kind::Config => Message::Config(read(topic, payload)?),
        Kind::Alert(_) if payload.is_empty() => Message::AlertCleared,
        Kind::Alert(id) => {
            let alert: Alert = read(topic, payload)?;
            if alert.id != id {
                return Err(wrong("id", "is not the topic's"));
            }
            Message::Alert(alert)
        }
        Kind::State => {
            let state: State = serde_json::from_slice(payload).map_err(|_| DecodeError::MalformedJson)?;
            vet(topic, &state)?;
            Message::State(state)
        }
    })
}

/// Decodes one MessagePack value and nothing after it, without the checks of a message: for what comes from our own side.
pub fn decode_value<T: DeserializeOwned>(payload: &[u8]) -> Result<T, DecodeError> {
    let mut rest = payload;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    let value = T::deserialize(&mut deserializer).map_err(DecodeError::Malformed)?;
    match rest.len() {
        0 => Ok(value),
        trailing => Err(DecodeError::TrailingBytes(trailing)),
    }
}

fn read<M: DeserializeOwned + Checked>(topic: &Topic, payload: &[u8]) -> Result<M, DecodeError> {
    let message: M = decode_value(payload)?;
    vet(topic, &message)?;
    Ok(message)
}

fn vet<M: Checked>(topic: &Topic, message: &M) -> Result<(), DecodeError> {
    let (version, vin) = message.head();
    if version != SCHEMA_VERSION {
        return Err(DecodeError::Version(version));
    }
    if vin != topic.vin {
        return Err(DecodeError::OtherVin { topic: topic.vin, payload: vin });
    }
    message.check()
}

fn wrong(field: &'static str, problem: &'static str) -> DecodeError {
    DecodeError::Field { field, problem }
}

fn require(holds: bool, field: &'static str, problem: &'static str) -> Result<(), DecodeError> {
    if holds { Ok(()) } else { Err(wrong(field, problem)) }
}

fn time(field: &'static str, ts: UnixMs) -> Result<(), DecodeError> {
    if (EARLIEST..LATEST).contains(&ts) { Ok(()) } else { Err(DecodeError::Time(field)) }
}

fn text<'a>(field: &'static str, text: impl Into<Option<&'a str>>) -> Result<(), DecodeError> {
    require(text.into().is_none_or(|t| t.len() <= MAX_TEXT), field, "is longer than 1024 bytes")
}

fn entries(field: &'static str, count: usize) -> Result<(), DecodeError> {
    require(count <= MAX_ENTRIES, field, "has more than 1024 entries")
}

fn outbox(epoch: crate::Epoch, seq: Seq) -> Result<(), DecodeError> {
    const TOP: u64 = i64::MAX as u64;
    require((1..TOP).contains(&epoch.0), "epoch", "is outside 1 to 2^63")?;
    require((1..TOP).contains(&seq.0), "seq", "is outside 1 to 2^63")
}

fn arguments(field: &'static str, arguments: &BTreeMap<String, Argument>) -> Result<(), DecodeError> {
    entries(field, arguments.len())?;
    arguments.iter().try_for_each(|(name, argument)| {
        text(field, name.as_str())?;
        match argument {
            Argument::Number(number) => require(number.is_finite(), field, "holds a number that is not finite"),
            Argument::Text(long) => text(field, long.as_str()),
            Argument::Bool(_) | Argument::Integer(_) => Ok(()),
        }
    })
}

fn key(key: &str) -> Result<(), DecodeError> {
    let rest_fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.');
    let fits = (1..=24).contains(&key.len()) && key.as_bytes()[0].is_ascii_lowercase() && key.bytes().all(rest_fits);
    require(fits, "keys", "holds a key that is not 1 to 24 of a-z, 0-9, `_` and `.`")
}

fn value(of: &str, value: f64) -> Result<(), DecodeError> {
    match of {
        "lat" => latitude(value),
        "lon" => longitude(value),
        _ => require(value.is_finite(), "values", "holds a number that is not finite"),
    }
}

// A NaN is in no range.
fn latitude(value: f64) -> Result<(), DecodeError> {
    require((-90.0..=90.0).contains(&value), "lat", "is outside -90 to 90")
}

fn longitude(value: f64) -> Result<(), DecodeError> {
    require((-180.0..=180.0).contains(&value), "lon", "is outside -180 to 180")
}

fn values<'a>(map: impl ExactSizeIterator<Item = (&'a String, &'a f64)>) -> Result<(), DecodeError> {
    entries("values", map.len())?;
    for (name, number) in map {
        key(name)?;
        value(name, *number)?;
    }
    Ok(())
}

/// What is checked of a message once its form is right.
trait Checked {
    fn head(&self) -> (u8, Vin);
    fn check(&self) -> Result<(), DecodeError>;
}

impl Checked for Birth {
    fn head(&self) -> (u8, Vin) {
        (self.v, self.vin)
    }
    fn check(&self) -> Result<(), DecodeError> {
        outbox(self.epoch, Seq(1))?;
        time("started", self.started)?;
        text("agent", self.agent.as_str())?;
        entries("signals", self.signals.len())?;
        entries("cameras", self.cameras.len())?;
        for signal in &self.signals {
            key(&signal.key)?;
            text("vss", signal.vss.as_deref())?;
            text("unit", signal.unit.as_str())?;
        }
        self.cameras.iter().try_for_each(|camera| text("label", camera.label.as_str()))?;
        let Some(car) = &self.car else { return Ok(()) };
        text("protocol", car.protocol.as_str())?;
        text("adapter", car.adapter.as_str())?;
        entries("ecus", car.ecus.len())?;
        car.ecus.iter().try_for_each(|ecu| {
            text("ecu", ecu.ecu.as_str())?;
            text("name", ecu.name.as_deref())?;
            entries("calibrations", ecu.calibrations.len())?;
            entries("verifications", ecu.verifications.len())?;
            let texts = ecu.calibrations.iter().chain(&ecu.verifications);
            texts.map(String::as_str).try_for_each(|each| text("calibrations", each))
        })
    }
}

impl Checked for Status {
    fn head(&self) -> (u8, Vin) {
        (self.v, self.vin)
    }
    fn check(&self) -> Result<(), DecodeError> {
        outbox(self.epoch, Seq(1))?;
        time("since", self.since)?;
        text("reason", self.reason.as_deref())
    }
}

impl Checked for Telemetry {
    fn head(&self) -> (u8, Vin) {
        (self.v, self.vin)
    }
    fn check(&self) -> Result<(), DecodeError> {
        outbox(self.epoch, self.seq)?;
        time("t0", self.t0)?;
        require(self.keys.len() <= MAX_KEYS, "keys", "has more than 256 entries")?;
        require(self.rows.len() <= MAX_ROWS, "rows", "has more than 4096 entries")?;
        require(!self.rows.is_empty() || self.gap.is_some(), "rows", "is empty")?;
        self.keys.iter().try_for_each(|k| key(k))?;
        let mut seen: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        seen.sort_unstable();
        require(seen.windows(2).all(|pair| pair[0] != pair[1]), "keys", "holds a key twice")?;
        let mut last = 0;
        for row in &self.rows {
            require(row.values.len() == self.keys.len(), "rows", "holds a row of another length than the keys")?;
            require(row.dt_ms >= last && row.dt_ms <= MAX_SPAN_MS, "rows", "is not in rising order within a day")?;
            last = row.dt_ms;
            for (name, number) in self.keys.iter().zip(&row.values) {
                number.map_or(Ok(()), |number| value(name, number))?;
            }
        }
        if let Some(gap) = &self.gap {
            text("gap.reason", gap.reason.as_str())?;
            let in_order = gap.from.0 >= 1 && gap.from <= gap.to && gap.to < self.seq;
            require(in_order, "gap", "is not a range before this record")?;
        }
        Ok(())
    }
}

impl Checked for Diagnostics {
    fn head(&self) -> (u8, Vin) {
        (self.v, self.vin)
    }
    fn check(&self) -> Result<(), DecodeError> {
        outbox(self.epoch, self.seq)?;
        time("at", self.at)?;
        entries("dtcs", self.dtcs.len())?;
        entries("monitors", self.monitors.len())?;
        for dtc in &self.dtcs {
            code(&dtc.code)?;
            text("ecu", dtc.ecu.as_deref())?;
        }
        self.monitors.iter().try_for_each(|monitor| text("monitors", monitor.name.as_str()))?;
        let Some(frame) = &self.freeze_frame else {
            return Ok(());
        };
        code(&frame.code)?;
        text("ecu", frame.ecu.as_deref())?;
        values(frame.values.iter())
    }
}

/// SAE J2012: one of P, C, B, U, then four hexadecimal digits, the first below 4.
fn code(code: &str) -> Result<(), DecodeError> {
    let fits = match code.as_bytes() {
        [b'P' | b'C' | b'B' | b'U', b'0'..=b'3', rest @ ..] => {
            rest.len() == 3 && rest.iter().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'))
        }
        _ => false,
    };
    require(fits, "code", "is no trouble code such as P0420")
}

impl Checked for Event {
    fn head(&self) -> (u8, Vin) {
        (self.v, self.vin)
    }
    fn check(&self) -> Result<(), DecodeError> {
        outbox(self.epoch, self.seq)?;
        time("at", self.at)?;
        text("text", self.text.as_deref())?;
        self.lat.map_or(Ok(()), latitude)?;
        self.lon.map_or(Ok(()), longitude)?;
        values(self.values.iter())
    }
}

impl Checked for Media {
    fn head(&self) -> (u8, Vin) {
        (self.v, self.vin)
    }
    fn check(&self) -> Result<(), DecodeError> {
        outbox(self.epoch, self.seq)?;
        time("at", self.at)?;
        time("from", self.from)?;
        time("to", self.to)?;
        require(self.from <= self.to, "to", "is before `from`")?;
        text("cause", self.cause.as_deref())?;
        text("codec", self.codec.as_deref())?;
        text("reason", self.reason.as_deref())?;
        let digest = |hash: &String| hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        require(self.sha256.as_ref().is_none_or(digest), "sha256", "is not 64 lower-case hexadecimal digits")
    }
}

impl Checked for Reply {
    fn head(&self) -> (u8, Vin) {
        (self.v, self.vin)
    }
    fn check(&self) -> Result<(), DecodeError> {
        outbox(self.epoch, self.seq)?;
        time("at", self.at)?;
        text("detail", self.detail.as_deref())?;
        let short = self.text.as_ref().is_none_or(|long| long.len() <= MAX_LONG_TEXT);
        require(short, "text", "is longer than 32 KiB")?;
        arguments("result", &self.result)
    }
}

impl Checked for crate::message::Ack {
    fn head(&self) -> (u8, Vin) {
        (self.v, self.vin)
    }
    fn check(&self) -> Result<(), DecodeError> {
        outbox(self.epoch, self.seq.max(Seq(1)))?;
        text("store", self.store.as_str())?;
        require(self.ranges.len() <= MAX_RANGES, "ranges", "has more than 64 entries")?;
        let mut top = self.seq;
        for (from, to) in &self.ranges {
            require(
                *from > top && to >= from && to.0 < i64::MAX as u64,
                "ranges",
                "is not in rising order above `seq`",
            )?;
            top = *to;
        }
        Ok(())
    }
}

impl Checked for Command {
    fn head(&self) -> (u8, Vin) {
        (self.v, self.vin)
    }
    fn check(&self) -> Result<(), DecodeError> {
        time("issued", self.issued)?;
        time("expires", self.expires)?;
        text("name", self.name.as_str())?;
        text("by", self.by.as_str())?;
        arguments("arguments", &self.arguments)
    }
}

impl Checked for Config {
    fn head(&self) -> (u8, Vin) {
        (self.v, self.vin)
    }
    fn check(&self) -> Result<(), DecodeError> {
        entries("periods_ms", self.periods_ms.len())?;
        entries("geofences", self.geofences.len())?;
        self.periods_ms.keys().try_for_each(|k| key(k))?;
        values(self.thresholds.iter())?;
        self.geofences.iter().try_for_each(|fence| {
            text("geofences", fence.id.as_str())?;
            text("geofences", fence.name.as_str())?;
            let (points, reach) = match &fence.shape {
                Shape::Circle { centre, radius_m } => (std::slice::from_ref(centre), *radius_m),
                Shape::Polygon(ring) => (ring.as_slice(), 1.0),
                Shape::Corridor { line, width_m } => (line.as_slice(), *width_m),
            };
            entries("geofences", points.len())?;
            require(reach.is_finite() && reach > 0.0, "geofences", "holds a radius or width that is not above 0")?;
            points.iter().try_for_each(|(lat, lon)| latitude(*lat).and(longitude(*lon)))
        })
    }
}

impl Checked for Alert {
    fn head(&self) -> (u8, Vin) {
        (self.v, self.vin)
    }
    fn check(&self) -> Result<(), DecodeError> {
        time("opened", self.opened)?;
        time("updated", self.updated)?;
        self.resolved.map_or(Ok(()), |ts| time("resolved", ts))?;
        text("rule", self.rule.as_str())?;
        text("title", self.title.as_str())?;
        text("acknowledged_by", self.acknowledged_by.as_deref())?;
        text("signal", self.signal.as_deref())?;
        self.lat.map_or(Ok(()), latitude)?;
        self.lon.map_or(Ok(()), longitude)?;
        require(self.limit.is_none_or(f64::is_finite), "limit", "is not finite")?;
        require(self.value.is_none_or(f64::is_finite), "value", "is not finite")?;
        self.detail.as_deref().map_or(Ok(()), cause)
    }
}

fn cause(cause: &AlertCause) -> Result<(), DecodeError> {
    for list in [&cause.codes, &cause.monitors, &cause.items] {
        entries("detail", list.len())?;
        list.iter().try_for_each(|one| text("detail", one.as_str()))?;
    }
    for one in [&cause.geofence, &cause.against, &cause.unit] {
        text("detail", one.as_deref())?;
    }
    let are_finite = [cause.usual, cause.against_value].into_iter().flatten().all(f64::is_finite);
    require(are_finite, "detail", "holds a number that is not finite")?;
    cause.due.map_or(Ok(()), |ts| time("detail", ts))
}

impl Checked for State {
    fn head(&self) -> (u8, Vin) {
        (self.v, self.vin)
    }
    fn check(&self) -> Result<(), DecodeError> {
        time("source_ts", self.source_ts)?;
        text("name", self.name.as_deref())?;
        text("plate", self.plate.as_deref())?;
        let are_finite = [self.latitude, self.longitude].into_iter().flatten().all(f64::is_finite);
        require(are_finite, "latitude", "is a number that is not finite")?;
        values(self.values.iter())
    }
}
