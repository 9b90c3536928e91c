//! Apache Parquet: `vin`, `ts` and a column for each signal, in row groups that are written as they fill.

use std::{io::Write, sync::Arc};

use ::parquet::{
    basic::{Compression, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical},
    column::writer::ColumnWriterImpl,
    data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
    schema::types::{ColumnPath, Type},
};
use bugbrother_wire::UnixMs;

use crate::{Column, ExportError, Vehicle, column, json, row::Row};

/// What a file may hold in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Rows of a row group.
    pub group_rows: usize,
    /// Where a row group ends, counted as it waits: 8 bytes for a time or a value, 2 for whether there is one.
    pub group_bytes: usize,
    /// Column chunks that the footer names.
    pub chunks: usize,
}

/// Values beyond this many different bytes in a row group are written plainly.
const MAX_DICTIONARY_BYTES: usize = 256 * 1024;
/// VINs that are handed over at once.
const VINS: usize = 1024;

/// A file and the row group that is being filled.
pub(crate) struct Parquet<W: Write + Send> {
    file: SerializedFileWriter<W>,
    bounds: Bounds,
    /// VINs of the row group's rows: each with the number of rows that it is for.
    vins: Vec<(ByteArray, usize)>,
    ts: Vec<UnixMs>,
    signals: Vec<Signal>,
    held_bytes: usize,
    groups: usize,
    rows: u64,
}

/// A column's part of the row group.
#[derive(Default)]
struct Signal {
    /// For each row whether there is a value: 1 or 0.
    levels: Vec<i16>,
    values: Vec<f64>,
}

impl<W: Write + Send> Parquet<W> {
    pub fn new(columns: &[Column], bounds: Bounds, out: W) -> Result<Self, ExportError> {
        let names = column::names(columns);
        let schema = schema(&names).map_err(wrong)?;
        let catalogue = json::catalogue(columns, names.iter().map(String::as_str))?;
        let file = SerializedFileWriter::new(out, schema, Arc::new(properties(&catalogue))).map_err(wrong)?;
        Ok(Parquet {
            file,
            bounds,
            vins: Vec::new(),
            ts: Vec::new(),
            signals: columns.iter().map(|_| Signal::default()).collect(),
            held_bytes: 0,
            groups: 0,
            rows: 0,
        })
    }

    pub fn vehicle(&mut self, vehicle: &Vehicle) {
        // One without rows leaves no trace, so that vehicles without end cannot fill a row group that has no rows.
        self.vins.retain(|(_, rows)| *rows > 0);
        self.vins.push((vehicle.vin.as_str().into(), 0));
    }

    pub fn row(&mut self, row: &Row<'_>) -> Result<(), ExportError> {
        if (self.groups + 1) * (self.signals.len() + 2) > self.bounds.chunks {
            return Err(ExportError::Full { rows: self.rows });
        }
        let (_, rows) = self.vins.last_mut().ok_or(ExportError::NoVehicle)?;
        *rows += 1;
        self.rows += 1;
        self.ts.push(row.ts);
        self.held_bytes += size_of::<UnixMs>();
        for (signal, value) in self.signals.iter_mut().zip(row.values()) {
            signal.levels.push(i16::from(value.is_some()));
            signal.values.extend(value);
            self.held_bytes += size_of::<i16>() + value.map_or(0, |_| size_of::<f64>());
        }
        if self.ts.len() >= self.bounds.group_rows || self.held_bytes >= self.bounds.group_bytes {
            self.end_group()?;
        }
        Ok(())
    }

    /// Writes the row group and begins an empty one for the same vehicle.
    fn end_group(&mut self) -> Result<(), ExportError> {
        self.write_group().map_err(wrong)?;
        self.groups += 1;
        self.held_bytes = 0;
        self.ts.clear();
        for signal in &mut self.signals {
            signal.levels.clear();
            signal.values.clear();
        }
        let current = self.vins.pop();
        self.vins.clear();
        self.vins.extend(current.map(|(vin, _)| (vin, 0)));
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let missing = || ParquetError::General("the schema has fewer columns than the rows".to_owned());
        let mut group = self.file.next_row_group()?;

        let mut column = group.next_column()?.ok_or_else(missing)?;
        let writer = column.typed::<ByteArrayType>();
        for (vin, rows) in &self.vins {
            repeat(writer, vin, *rows)?;
        }
        column.close()?;

        let mut column = group.next_column()?.ok_or_else(missing)?;
        column.typed::<Int64Type>().write_batch(&self.ts, None, None)?;
        column.close()?;

        for signal in &self.signals {
            let mut column = group.next_column()?.ok_or_else(missing)?;
            column.typed::<DoubleType>().write_batch(&signal.values, Some(&signal.levels), None)?;
            column.close()?;
        }
        group.close()?;
        Ok(())
    }

    pub fn get_mut(&mut self) -> &mut W {
        self.file.inner_mut()
    }

    pub fn finish(mut self) -> Result<W, ExportError> {
        if !self.ts.is_empty() {
            self.end_group()?;
        }
        self.file.into_inner().map_err(wrong)
    }
}

fn repeat(
    writer: &mut ColumnWriterImpl<'_, ByteArrayType>,
    vin: &ByteArray,
    mut rows: usize,
) -> Result<(), ParquetError> {
    let same = vec![vin.clone(); rows.min(VINS)];
    while rows > 0 {
        let now = rows.min(VINS);
        writer.write_batch(&same[..now], None, None)?;
        rows -= now;
    }
    Ok(())
}

fn schema(names: &[String]) -> Result<Arc<Type>, ParquetError> {
    let vin = Type::primitive_type_builder("vin", Physical::BYTE_ARRAY)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::String));
    let ts = Type::primitive_type_builder("ts", Physical::INT64)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MILLIS)));
    let mut fields = vec![Arc::new(vin.build()?), Arc::new(ts.build()?)];
    for name in names {
        let signal = Type::primitive_type_builder(name, Physical::DOUBLE).with_repetition(Repetition::OPTIONAL);
        fields.push(Arc::new(signal.build()?));
    }
    Ok(Arc::new(Type::group_type_builder("samples").with_fields(fields).build()?))
}

fn properties(catalogue: &[u8]) -> WriterProperties {
    let ts = ColumnPath::from("ts");
    let columns = String::from_utf8_lossy(catalogue).into_owned();
    WriterProperties::builder()
        .set_created_by(concat!("BugBrother ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new("bugbrother.columns".to_owned(), columns)]))
        .set_compression(Compression::SNAPPY)
        .set_dictionary_page_size_limit(MAX_DICTIONARY_BYTES)
        .set_column_dictionary_enabled(ts.clone(), false)
        .set_column_encoding(ts, Encoding::DELTA_BINARY_PACKED)
        // Indexes of pages would be kept until the end of the file.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .build()
}

/// Tells a sink that failed from a writer that did.
fn wrong(error: ParquetError) -> ExportError {
    match error {
        ParquetError::External(cause) => match cause.downcast() {
            Ok(io) => ExportError::Write(*io),
            Err(other) => ExportError::Parquet(other),
        },
        other => ExportError::Parquet(Box::new(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Moment;
    use ::parquet::file::reader::{FileReader, SerializedFileReader};

    const GOLF: &str = "WVWZZZ1JZ3W386752";
    const VAN: &str = "WDB9066331S123456";

    fn file(bounds: Bounds) -> Parquet<Vec<u8>> {
        Parquet::new(&["lat", "spd"].map(Column::of), bounds, Vec::new()).unwrap()
    }

    fn vehicle(vin: &str) -> Vehicle {
        Vehicle { vin: vin.parse().unwrap(), name: String::new(), plate: None }
    }

    fn add(file: &mut Parquet<Vec<u8>>, ts: UnixMs, values: [Option<f64>; 2]) -> Result<(), ExportError> {
        file.row(&Row::new(ts, Moment::of(ts).unwrap(), &values))
    }

    /// Rows of each row group, and the VIN of each row.
    fn read(bytes: Vec<u8>) -> (Vec<i64>, Vec<String>) {
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let groups = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
        let vin = |row: ::parquet::record::Row| row.get_column_iter().next().map(|(_, vin)| vin.to_string());
        (groups, reader.get_row_iter(None).unwrap().map(|row| vin(row.unwrap()).unwrap()).collect())
    }

    #[test]
    fn a_row_group_is_written_when_it_is_full_and_the_next_goes_on_with_the_vehicle() {
        let mut file = file(Bounds { group_rows: 4, group_bytes: usize::MAX, chunks: 100 });
        file.vehicle(&vehicle(GOLF));
        for ts in 0..3 {
            add(&mut file, ts, [Some(1.0), None]).unwrap();
        }
        assert_eq!(file.groups, 0);
        file.vehicle(&vehicle(VAN));
        for ts in 0..3 {
            add(&mut file, ts, [None, Some(2.0)]).unwrap();
        }
        assert_eq!((file.groups, file.ts.len(), file.held_bytes), (1, 2, 2 * 20));
        let (groups, vins) = read(file.finish().unwrap());
        assert_eq!(groups, [4, 2]);
        assert_eq!(vins, [GOLF, GOLF, GOLF, VAN, VAN, VAN].map(|vin| format!("\"{vin}\"")));
    }

    #[test]
    fn a_row_group_ends_by_its_bytes_which_count_what_was_measured() {
        let mut file = file(Bounds { group_rows: 1000, group_bytes: 3 * 28, chunks: 100 });
        file.vehicle(&vehicle(GOLF));
        // 12 bytes without a value, 28 with two.
        for ts in 0..6 {
            add(&mut file, ts, [None, None]).unwrap();
        }
        assert_eq!(file.groups, 0);
        add(&mut file, 7, [Some(1.0), Some(1.0)]).unwrap();
        assert_eq!(file.groups, 1);
    }

    #[test]
    fn a_full_file_refuses_the_next_row_and_can_be_finished() {
        let mut file = file(Bounds { group_rows: 2, group_bytes: usize::MAX, chunks: 3 * 4 + 1 });
        file.vehicle(&vehicle(GOLF));
        for ts in 0..6 {
            add(&mut file, ts, [Some(1.0), None]).unwrap();
        }
        assert!(matches!(add(&mut file, 7, [None, None]), Err(ExportError::Full { rows: 6 })));
        assert_eq!(read(file.finish().unwrap()).0, [2, 2, 2]);
    }

    #[test]
    fn vehicles_without_rows_take_no_room() {
        let mut file = file(Bounds { group_rows: 2, group_bytes: usize::MAX, chunks: 100 });
        for _ in 0..1000 {
            file.vehicle(&vehicle(VAN));
        }
        assert_eq!(file.vins.len(), 1);
        assert_eq!(read(file.finish().unwrap()), (vec![], vec![]));
    }
}
