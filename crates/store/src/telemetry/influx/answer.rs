//! What InfluxDB answers: JSON, read without a value of its own for each number. Pure.

use std::fmt;

use bugbrother_wire::UnixMs;
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, SeqAccess},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The answers to some statements, in their order.
#[derive(Deserialize)]
struct Answers {
    results: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    series: Vec<Table>,
}

/// The answer to a statement without tags to group by.
#[derive(Debug, Default, PartialEq, Deserialize)]
pub(super) struct Table {
    /// Names of the columns; the first one is the time.
    pub columns: Vec<String>,
    /// The rows in the order of time.
    #[serde(default)]
    pub values: Vec<Line>,
    /// Its operator allows no longer answers (`max-row-limit`), or it came in parts: there may be more.
    #[serde(default)]
    pub partial: bool,
}

/// A row.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub ts: UnixMs,
    /// Those of the columns but the first; `None` for what is not there or is no number.
    pub values: Vec<Option<f64>>,
}

/// Reads the answers to so many statements.
pub(super) fn read(json: &str, statements: usize) -> Result<Vec<Table>, serde_json::Error> {
    let answers: Answers = serde_json::from_str(json)?;
    if answers.results.len() != statements {
        return Err(de::Error::custom("another number of answers than of statements"));
    }
    let single = |mut answer: Answer| match answer.series.len() {
        0 | 1 => Ok(answer.series.pop().unwrap_or_default()),
        _ => Err(de::Error::custom("several series where one was asked for")),
    };
    answers.results.into_iter().map(single).collect()
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Line;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row [time, value…]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Line, A::Error> {
                let time: &str = seq.next_element()?.ok_or_else(|| de::Error::custom("a row has no time"))?;
                let time = OffsetDateTime::parse(time, &Rfc3339).map_err(de::Error::custom)?;
                let ts = time.unix_timestamp_nanos().div_euclid(1_000_000);
                let ts = ts.try_into().map_err(|_| de::Error::custom("a time out of range"))?;
                let mut values = Vec::new();
                while let Some(Cell(value)) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Line { ts, values })
            }
        }
        d.deserialize_seq(Visitor)
    }
}

struct Cell(Option<f64>);

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Cell;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
                Ok(Cell(Some(value)))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
                Ok(Cell(Some(value as f64)))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
                Ok(Cell(Some(value as f64)))
            }

            fn visit_unit<E>(self) -> Result<Cell, E> {
                Ok(Cell(None))
            }

            fn visit_str<E>(self, _: &str) -> Result<Cell, E> {
                Ok(Cell(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Cell, E> {
                Ok(Cell(None))
            }
        }
        d.deserialize_any(Visitor)
    }
}

/// The default retention policy among those of a database: its name, and its duration as `2160h0m0s`, which is `0s` for
/// ever.
pub(super) fn default_policy(json: &str) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct Policies {
        results: Vec<Policy>,
    }
    #[derive(Deserialize)]
    struct Policy {
        series: Vec<Rows>,
    }
    #[derive(Deserialize)]
    struct Rows {
        values: Vec<(String, String, IgnoredAny, IgnoredAny, bool)>,
    }
    let policies: Policies = serde_json::from_str(json).ok()?;
    let mut rows = policies.results.into_iter().flat_map(|policy| policy.series).flat_map(|rows| rows.values);
    let (name, duration, ..) = rows.find(|row| row.4)?;
    Some((name, duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_with_their_time_in_milliseconds_and_exactly_the_numbers_that_were_written() {
        let json = r#"{"results":[{"statement_id":0,"series":[{"name":"telemetry","columns":["time","f0","f1"],"values":[
            ["2026-09-21T14:13:20Z",47.00010000000001,null],["2026-09-21T14:13:20.25Z",3,"text"],
            ["1969-12-31T23:59:59.9995Z",-0,5e-324]]}]},{"statement_id":1}]}"#;
        let tables = read(json, 2).unwrap();
        let line = |ts, values: [Option<f64>; 2]| Line { ts, values: values.to_vec() };
        let expected = [
            line(1_790_000_000_000, [Some(47.000_100_000_000_01), None]),
            line(1_790_000_000_250, [Some(3.0), None]),
            line(-1, [Some(-0.0), Some(5e-324)]),
        ];
        assert_eq!(tables[0].values, expected);
        assert!(tables[0].values[2].values[0].unwrap().is_sign_negative());
        assert_eq!(tables[1], Table::default());
    }

    #[test]
    fn an_answer_to_something_else_is_told() {
        assert!(read(r#"{"results":[]}"#, 1).is_err());
        assert!(read("<html>", 1).is_err());
        assert!(read(r#"{"results":[{"series":[{"columns":["time"],"values":[["yesterday"]]}]}]}"#, 1).is_err());
        let two = r#"{"results":[{"series":[{"columns":["time"]},{"columns":["time"]}]}]}"#;
        assert!(read(two, 1).is_err());
    }

    #[test]
    fn the_default_policy_is_found_among_others() {
        let json = r#"{"results":[{"statement_id":0,"series":[{"columns":["name","duration","shardGroupDuration",
            "replicaN","default"],"values":[["monitor","168h0m0s","24h0m0s",1,false],["autogen","0s","168h0m0s",1,true]]}]}]}"#;
        assert_eq!(default_policy(json), Some(("autogen".into(), "0s".into())));
        assert_eq!(default_policy("{}"), None);
    }
}
