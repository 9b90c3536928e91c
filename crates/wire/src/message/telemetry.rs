use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess},
    ser::SerializeSeq,
};

use crate::{Epoch, Seq, UnixMs, Vin};

/// `up/telemetry` and `up/backfill`: a batch of samples in columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Telemetry {
    /// Schema version.
    pub v: u8,
    /// The vehicle.
    pub vin: Vin,
    /// The outbox.
    pub epoch: Epoch,
    /// Place in the outbox.
    pub seq: Seq,
    /// Time from which the rows count.
    pub t0: UnixMs,
    /// What the vehicle's clock was set by.
    pub clock: Clock,
    /// Signal keys: the columns.
    pub keys: Vec<String>,
    /// The samples, in rising order of time.
    pub rows: Vec<Row>,
    /// Records that the agent had to give up, so that loss is counted and never silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
}

/// What a vehicle's clock was set by when the batch was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Time of the GNSS receiver.
    Gnss,
    /// The computer's clock, set by the network.
    Ntp,
    /// The computer's clock, set by a battery-backed one when it started.
    Rtc,
    /// The computer's clock; what set it is not known.
    System,
    /// No good time was known, and none came in time: the moment is a guess. Also any word that this version does not know.
    #[serde(other)]
    None,
}

impl Clock {
    /// A number for histories: 0 receiver, 1 computer by an unknown source, 2 network, 3 battery-backed clock, 4 a guess.
    pub fn doubt(self) -> f64 {
        match self {
            Clock::Gnss => 0.0,
            Clock::System => 1.0,
            Clock::Ntp => 2.0,
            Clock::Rtc => 3.0,
            Clock::None => 4.0,
        }
    }
}

/// An inclusive range of records that are lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gap {
    /// The first.
    pub from: Seq,
    /// The last.
    pub to: Seq,
    /// Why, in words.
    pub reason: String,
}

/// One moment: `[dt_ms, value…]` on the wire, a value that was not measured being nil.
///
/// A value that is a whole number is written as an integer and one that is exact in 32 bits as such, which saves about
/// half; readers take any number.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Milliseconds after the batch's `t0`.
    pub dt_ms: u32,
    /// One for each key.
    pub values: Vec<Option<f64>>,
}

impl Telemetry {
    /// Time of the newest row.
    pub fn last_ts(&self) -> Option<UnixMs> {
        self.rows.last().map(|row| self.t0 + i64::from(row.dt_ms))
    }

    /// The column of `key`.
    pub fn column(&self, key: &str) -> Option<usize> {
        self.keys.iter().position(|k| k == key)
    }

    /// All values that were measured, with the time of each, in the order of the rows.
    pub fn samples(&self) -> impl Iterator<Item = (UnixMs, &str, f64)> {
        self.rows.iter().flat_map(move |row| {
            let ts = self.t0 + i64::from(row.dt_ms);
            self.keys.iter().zip(&row.values).filter_map(move |(key, value)| Some((ts, key.as_str(), (*value)?)))
        })
    }
}

struct Compact(f64);

impl Serialize for Compact {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
        let value = self.0;
        if value.fract() == 0.0 && value.abs() < EXACT {
            s.serialize_i64(value as i64)
        } else if f64::from(value as f32) == value {
            s.serialize_f32(value as f32)
        } else {
            s.serialize_f64(value)
        }
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut seq = s.serialize_seq(Some(self.values.len() + 1))?;
        seq.serialize_element(&self.dt_ms)?;
        for value in &self.values {
            seq.serialize_element(&value.map(Compact))?;
        }
        seq.end()
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row [dt_ms, value…]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Row, A::Error> {
                let dt_ms = seq.next_element()?.ok_or_else(|| de::Error::custom("a row has no time"))?;
                // The length comes from outside: it is a hint, never an allocation.
                let mut values = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(crate::codec::MAX_KEYS));
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Row { dt_ms, values })
            }
        }
        d.deserialize_seq(Visitor)
    }
}
