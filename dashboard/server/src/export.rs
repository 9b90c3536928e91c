//! Samples on their way from the database into a file, a page at a time: for a download and for the command line.

use std::collections::{BTreeSet, VecDeque};

use bugbrother_export::{Column, ExportError, Exporter, Format, Merger, Vehicle};
use bugbrother_store::{Question, Samples, Store, StoreError, telemetry::CLOCK};
use bugbrother_wire::{UnixMs, signal::CATALOGUE};
use tokio::task::spawn_blocking;

/// Most values that are read at once, where a row has not too many of them.
const PAGE_VALUES: usize = 500_000;
const MIN_PAGE_ROWS: usize = 1_000;
const MAX_PAGE_ROWS: usize = 10_000;

/// What a track holds, and no other signal.
const OF_A_TRACK: [&str; 8] = ["lat", "lon", "alt", "hdg", "gspd", "spd", "sats", "hdop"];

/// A part of an export: a vehicle over a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The vehicle.
    pub vehicle: Vehicle,
    /// From when, inclusive.
    pub from: UnixMs,
    /// Until when, inclusive.
    pub to: UnixMs,
}

/// Why an export cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum ExportFailure {
    /// The database.
    #[error("the samples to export cannot be read")]
    Read(#[from] StoreError),
    /// The file.
    #[error(transparent)]
    Write(#[from] ExportError),
}

/// An export under way.
///
/// Its pieces, one after the other, are the file. It is read page by page, not in one transaction: what vehicles send while
/// it is under way may be in it.
pub struct SampleExport {
    store: Store,
    /// What is asked for; every signal for `None`.
    signals: Option<Vec<String>>,
    columns: Vec<Column>,
    page_rows: usize,
    parts: VecDeque<Part>,
    /// Where the first of `parts` goes on, once it has begun.
    next: Option<UnixMs>,
    /// `None` once the file is whole, or lost.
    file: Option<File>,
}

struct File {
    exporter: Exporter<Vec<u8>>,
    merger: Option<Merger>,
    /// Whose rows have been written last, and until when.
    last: Option<(Vehicle, UnixMs)>,
}

impl SampleExport {
    /// Begins a file with these signals, or with all that the vehicles have. In a format of places their columns are there
    /// in any case.
    pub async fn begin(
        store: Store,
        parts: Vec<Part>,
        format: Format,
        signals: Option<Vec<String>>,
    ) -> Result<Self, ExportFailure> {
        let signals = match (format, signals) {
            (Format::Gpx, _) => Some(OF_A_TRACK.map(str::to_owned).to_vec()),
            (Format::GeoJson, Some(chosen)) => Some(with_place(chosen)),
            (_, chosen) => chosen,
        };
        let keys = match &signals {
            Some(chosen) => chosen.clone(),
            None => {
                let all = all_signals(&store, &parts).await?;
                if format == Format::GeoJson { with_place(all) } else { all }
            }
        };
        let columns: Vec<_> = keys.iter().map(|key| Column::of(key)).collect();
        let file = File {
            merger: Merger::of(format, &columns),
            exporter: Exporter::new(format, columns.clone(), Vec::new())?,
            last: None,
        };
        let page_rows = (PAGE_VALUES / columns.len().max(1)).clamp(MIN_PAGE_ROWS, MAX_PAGE_ROWS);
        Ok(SampleExport { store, signals, columns, page_rows, parts: parts.into(), next: None, file: Some(file) })
    }

    /// The next piece of the file, which is never empty; `None` once it is whole. After an error the file is lost.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ExportFailure> {
        while let Some(mut file) = self.file.take() {
            let Some(part) = self.parts.front().cloned() else {
                let rest = spawn_blocking(move || file.exporter.finish());
                return Ok(Some(rest.await.expect("writing to memory does not panic")?).filter(|rest| !rest.is_empty()));
            };
            let from = self.next.unwrap_or(part.from);
            let signals: Option<Vec<&str>> =
                self.signals.as_ref().map(|keys| keys.iter().map(String::as_str).collect());
            let question = Question { vin: part.vehicle.vin, from, to: part.to, signals: signals.as_deref() };
            let page = self.store.samples(question, self.page_rows).await?;
            self.next = page.next.filter(|next| *next <= part.to);
            if self.next.is_none() {
                self.parts.pop_front();
            }
            let columns = self.columns.clone();
            let write = spawn_blocking(move || {
                file.take(&part.vehicle, &columns, &page.samples)?;
                Ok::<_, ExportError>(file)
            });
            let file = self.file.insert(write.await.expect("writing to memory does not panic")?);
            let piece = std::mem::take(file.exporter.get_mut());
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

impl File {
    fn take(&mut self, vehicle: &Vehicle, columns: &[Column], samples: &Samples) -> Result<(), ExportError> {
        let places: Vec<_> = columns.iter().map(|column| samples.column(&column.key)).collect();
        let first = samples.rows.first().map_or(UnixMs::MAX, |row| row.ts);
        let end = samples.rows.last().map_or(UnixMs::MIN, |row| row.ts);
        match &mut self.last {
            // A vehicle that comes again with a later span goes on.
            Some((last, until)) if last == vehicle && *until <= first => *until = end.max(*until),
            last => {
                *last = Some((vehicle.clone(), end));
                self.exporter.vehicle(vehicle)?;
                if let Some(merger) = &mut self.merger {
                    merger.restart();
                }
            }
        }
        let mut values = vec![None; columns.len()];
        for row in &samples.rows {
            for (value, place) in values.iter_mut().zip(&places) {
                *value = place.and_then(|place| row.values[place]);
            }
            if values.iter().all(Option::is_none) {
                continue;
            }
            let is_in_file = self.merger.as_mut().is_none_or(|merger| merger.row(row.ts, &mut values));
            if is_in_file {
                self.exporter.row(row.ts, &values)?;
            }
        }
        Ok(())
    }
}

/// Latitude and longitude, and then the others.
fn with_place(mut keys: Vec<String>) -> Vec<String> {
    for key in ["lon", "lat"] {
        if !keys.iter().any(|known| known == key) {
            keys.insert(0, key.to_owned());
        }
    }
    keys
}

/// What the vehicles have in these spans, in the catalogue's order, their own signals behind.
async fn all_signals(store: &Store, parts: &[Part]) -> Result<Vec<String>, StoreError> {
    let mut found = BTreeSet::new();
    for part in parts {
        found.extend(store.signals(part.vehicle.vin, part.from, part.to).await?);
    }
    found.remove(CLOCK);
    let mut keys: Vec<_> = found.into_iter().collect();
    keys.sort_by_key(|key| CATALOGUE.iter().position(|signal| signal.key == key).unwrap_or(usize::MAX));
    Ok(keys)
}
