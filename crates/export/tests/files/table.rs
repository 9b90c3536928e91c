//! Tables of typed cells.

use crate::drives::{double, kept, text};
use bugbrother_export::{Cell, ExportError, Field, Kind, Table, TableFormat};
use proptest::{collection::vec, option, prelude::*};
use serde_json::Value;

type Line = (Option<String>, Option<i64>, Option<f64>, Option<bool>, Option<i64>);

fn fields() -> Vec<Field> {
    vec![
        Field::new("code", Kind::Text),
        Field::new("count", Kind::Integer),
        Field::new("distance_km", Kind::Float),
        Field::new("stored", Kind::Bool),
        Field::new("seen", Kind::Time),
    ]
}

fn export(format: TableFormat, lines: &[Line]) -> String {
    let mut table = Table::new(format, fields(), Vec::new()).unwrap();
    for (text, integer, float, yes, time) in lines {
        let time = time.map_or(Cell::Null, Cell::Time);
        table.row(&[text.as_deref().into(), (*integer).into(), (*float).into(), (*yes).into(), time]).unwrap();
    }
    String::from_utf8(table.finish().unwrap()).unwrap()
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let time = option::of(0i64..253_402_300_799_999);
    vec((option::of(text()), any::<Option<i64>>(), option::of(double()), any::<Option<bool>>(), time), 0..8)
}

fn is_same(object: &Value, (text, integer, float, yes, time): &Line) -> bool {
    let number = match (object["distance_km"].as_f64(), kept(*float)) {
        (Some(read), Some(value)) => (read - value).abs() <= value.abs() * 1e-15 + f64::MIN_POSITIVE,
        (read, value) => read.is_none() && value.is_none(),
    };
    number
        && object.as_object().unwrap().len() == 6
        && object["code"].as_str() == text.as_deref()
        && object["count"].as_i64() == *integer
        && object["stored"].as_bool() == *yes
        && object["seen_ms"].as_i64() == *time
        && object["seen"].is_string() == time.is_some()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_as_csv_reads_back_as_the_same_rows(lines in lines()) {
        let file = export(TableFormat::Csv, &lines);
        let mut reader = csv::Reader::from_reader(file.as_bytes());
        prop_assert_eq!(reader.headers().unwrap(), vec!["code", "count", "distance_km", "stored", "seen", "seen_ms"]);
        let records: Vec<csv::StringRecord> = reader.into_records().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(records.len(), lines.len());
        for (record, (text, integer, float, yes, time)) in records.iter().zip(&lines) {
            let text = text.as_deref().unwrap_or_default();
            let harmless = format!("'{text}");
            prop_assert!(record[0] == *text || record[0] == harmless);
            prop_assert!(!record[0].starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
            prop_assert_eq!(record[1].parse().ok(), *integer);
            prop_assert_eq!(record[2].parse().ok(), kept(*float));
            prop_assert_eq!(record[3].parse().ok(), *yes);
            prop_assert_eq!(record[4].is_empty(), time.is_none());
            prop_assert_eq!(record[5].parse().ok(), *time);
        }
    }

    #[test]
    fn a_table_as_json_reads_back_as_the_same_rows(lines in lines()) {
        let array: Vec<Value> = serde_json::from_str(&export(TableFormat::Json, &lines)).unwrap();
        prop_assert_eq!(array.len(), lines.len());
        prop_assert!(array.iter().zip(&lines).all(|(object, line)| is_same(object, line)));
    }

    #[test]
    fn a_table_as_json_lines_has_an_object_on_each_line(lines in lines()) {
        let file = export(TableFormat::JsonLines, &lines);
        prop_assert_eq!(file.lines().count(), lines.len());
        let objects = file.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        prop_assert!(objects.zip(&lines).all(|(object, line)| is_same(&object, line)));
    }
}

#[test]
fn a_row_of_one_empty_cell_is_no_empty_line() {
    let mut table = Table::new(TableFormat::Csv, vec![Field::new("note", Kind::Text)], Vec::new()).unwrap();
    table.row(&[Cell::Null]).unwrap();
    table.row(&["".into()]).unwrap();
    assert_eq!(table.finish().unwrap(), b"note\r\n\"\"\r\n\"\"\r\n");
}

#[test]
fn a_row_that_does_not_fit_is_refused_and_leaves_the_table_whole() {
    let mut table = Table::new(TableFormat::Json, fields(), Vec::new()).unwrap();
    let whole = [Cell::Null; 5];
    table.row(&whole).unwrap();
    assert!(matches!(table.row(&whole[1..]), Err(ExportError::Width { got: 4, expected: 5 })));
    let refused = table.row(&["P0420".into(), Cell::Float(1.5), Cell::Null, Cell::Null, Cell::Null]).unwrap_err();
    assert_eq!(refused.to_string(), "column `count` takes Integer and was given another kind of cell");
    let late = table.row(&[Cell::Null, Cell::Null, Cell::Null, Cell::Null, Cell::Time(i64::MAX)]);
    assert!(matches!(late, Err(ExportError::Time(i64::MAX))));
    table.row(&whole).unwrap();
    let array: Vec<Value> = serde_json::from_slice(&table.finish().unwrap()).unwrap();
    assert_eq!(array.len(), 2);
}

#[test]
fn a_name_that_the_milliseconds_of_a_time_need_is_refused() {
    let fields = vec![Field::new("seen_ms", Kind::Integer), Field::new("seen", Kind::Time)];
    assert!(
        matches!(Table::new(TableFormat::Csv, fields, Vec::new()), Err(ExportError::Twice(name)) if name == "seen_ms")
    );
}
