//! The table for spreadsheets: separators and decimals as a spreadsheet of that language expects them.

use bugbrother_wire::api::{By, Totals};

use super::{Language, Report};

/// The lines, and all together as the last one.
pub fn csv(report: &Report) -> Result<Vec<u8>, csv::Error> {
    let Report { statistics, language, .. } = report;
    let words = language.words();
    let delimiter = match language {
        Language::English => b',',
        Language::French => b';',
    };
    // The mark tells a spreadsheet that this is UTF-8.
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(b"\xef\xbb\xbf".to_vec());
    let has_vin = statistics.by == By::Vehicle;
    let mut header = vec![(words.by)(statistics.by).to_owned()];
    if has_vin {
        header.extend(["VIN".to_owned(), words.plate.to_owned()]);
    }
    header.extend([
        words.trips.to_owned(),
        format!("{} (km)", words.distance),
        format!("{} (h)", words.driving),
        format!("{} (h)", words.idle),
        format!("{} (%)", words.utilisation),
        format!("{} (l)", words.fuel),
        format!("{} (l)", words.consumption),
        format!("{} (kWh)", words.energy),
        "CO2 (kg)".to_owned(),
        format!("{} ({})", words.cost, statistics.currency),
        words.score.to_owned(),
        words.harsh.to_owned(),
    ]);
    writer.write_record(&header)?;
    for line in &statistics.lines {
        // A day is said so that a spreadsheet knows it for one.
        let name = if statistics.by.is_time() { line.key.clone() } else { language.name(statistics.by, line) };
        let mut cells = vec![harmless(&name)];
        if has_vin {
            cells.extend([line.key.clone(), harmless(line.plate.as_deref().unwrap_or_default())]);
        }
        cells.extend(numbers(*language, &line.totals));
        writer.write_record(&cells)?;
    }
    let mut cells = vec![words.total.to_owned()];
    if has_vin {
        cells.extend([String::new(), String::new()]);
    }
    cells.extend(numbers(*language, &statistics.total));
    writer.write_record(&cells)?;
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

fn numbers(language: Language, totals: &Totals) -> [String; 12] {
    let plain =
        |value: f64, decimals: usize| format!("{value:.decimals$}").replace('.', &language.decimal().to_string());
    let some = |value: Option<f64>, decimals: usize| value.map(|value| plain(value, decimals)).unwrap_or_default();
    let hours = |ms: i64| plain(ms as f64 / 3_600_000.0, 2);
    [
        totals.trips.to_string(),
        plain(totals.distance_m / 1000.0, 1),
        hours(totals.moving_ms),
        hours(totals.idle_ms),
        some(totals.utilisation.map(|share| share * 100.0), 1),
        some(totals.fuel_l, 2),
        some(totals.fuel_per_100km, 2),
        some(totals.energy_kwh, 2),
        some(totals.co2_kg, 1),
        some(totals.cost, 2),
        some(totals.score, 1),
        some(totals.harsh_per_100km, 2),
    ]
}

/// A spreadsheet would run a text that begins like a formula (OWASP, "CSV injection").
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text.to_owned() }
}
