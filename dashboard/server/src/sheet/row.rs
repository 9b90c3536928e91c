//! A line of a list.

use bugbrother_wire::{
    FuelKind, Vin,
    api::{FaultKind, ImportFault},
    vin::{CheckDigit, VinError},
};
use csv::StringRecord;

use super::{
    Row,
    header::{Column, word},
};
use crate::http::limits::{MAX_BATTERY_KWH, MAX_CLASS, MAX_NAME, MAX_NOTE, MAX_PLATE, MAX_TANK_L};

impl Row {
    /// Reads a line by the columns of the header.
    pub(super) fn read(line: u32, record: &StringRecord, columns: &[Option<Column>]) -> Self {
        let mut row = Row { line, ..Row::default() };
        for (field, column) in record.iter().zip(columns) {
            if let Some(column) = column {
                row.take(*column, field);
            }
        }
        if record.len() > columns.len() && record.iter().skip(columns.len()).any(|field| !field.is_empty()) {
            row.fault("line", FaultKind::Fields, record.get(columns.len()).unwrap_or_default());
        }
        row
    }

    fn take(&mut self, column: Column, field: &str) {
        let is_empty = field.is_empty();
        match column {
            Column::Vin => self.take_vin(field),
            _ if is_empty => {}
            Column::Name => self.name = self.text(column, field, MAX_NAME),
            Column::Plate => self.plate = self.text(column, field, MAX_PLATE),
            Column::Class => self.class = self.text(column, field, MAX_CLASS),
            Column::Note => self.note = self.text(column, field, MAX_NOTE),
            Column::Fuel => {
                self.fuel = fuel(field);
                if self.fuel.is_none() {
                    self.fault(column.word(), FaultKind::Fuel, field);
                }
            }
            Column::Tank => self.tank_l = self.size(column, field, MAX_TANK_L),
            Column::Battery => self.battery_kwh = self.size(column, field, MAX_BATTERY_KWH),
        }
    }

    fn take_vin(&mut self, field: &str) {
        // Spreadsheets and people put blanks and dashes between the groups.
        let text: String = field.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        self.vin_text = text.to_uppercase().chars().take(40).collect();
        if text.is_empty() {
            return self.fault("vin", FaultKind::Missing, "");
        }
        match Vin::parse_lenient(&text) {
            Ok(vin) => {
                if matches!(vin.check_digit(), CheckDigit::Wrong { obligatory: true, .. }) {
                    self.fault("vin", FaultKind::CheckDigit, field);
                }
                self.vin = Some(vin);
            }
            Err(VinError::Length(_)) => self.fault("vin", FaultKind::VinLength, field),
            Err(VinError::Character(_)) => self.fault("vin", FaultKind::VinCharacter, field),
        }
    }

    fn text(&mut self, column: Column, field: &str, max: usize) -> Option<String> {
        let is_note = column == Column::Note;
        let is_bad = |c: char| c.is_control() && !(is_note && matches!(c, '\n' | '\r' | '\t'));
        if field.chars().count() > max || field.chars().any(is_bad) {
            self.fault(column.word(), FaultKind::Text, field);
            return None;
        }
        Some(field.to_owned())
    }

    fn size(&mut self, column: Column, field: &str, max: f64) -> Option<f64> {
        let number: String = field.chars().filter(|c| !c.is_whitespace()).collect();
        let number = number.replace(',', ".").parse::<f64>().ok().filter(|n| *n > 0.0 && *n <= max);
        if number.is_none() {
            self.fault(column.word(), FaultKind::Number, field);
        }
        number
    }

    pub(super) fn fault(&mut self, column: &str, fault: FaultKind, value: &str) {
        let value = value.chars().take(60).collect();
        self.faults.push(ImportFault { column: column.to_owned(), fault, value });
    }
}

/// In English or French.
fn fuel(text: &str) -> Option<FuelKind> {
    Some(match word(text).as_str() {
        "petrol" | "gasoline" | "gas" | "essence" | "sp95" | "sp98" | "e10" => FuelKind::Petrol,
        "diesel" | "gazole" | "gasoil" => FuelKind::Diesel,
        "lpg" | "gpl" => FuelKind::Lpg,
        "cng" | "gnv" | "gaznaturel" => FuelKind::Cng,
        "electric" | "electrique" | "ev" | "bev" => FuelKind::Electric,
        "hybrid" | "hybride" | "phev" | "hev" => FuelKind::Hybrid,
        "unknown" | "inconnu" => FuelKind::Unknown,
        _ => return None,
    })
}
