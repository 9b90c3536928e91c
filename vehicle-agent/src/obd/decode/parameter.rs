//! What a parameter is, and how its bytes are read.

use bugbrother_wire::signal::{self, Signal};

use super::{
    maxima::{Maxima, Maximum},
    table::PARAMETERS,
};

/// A parameter of mode 01: one PID, one answer.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its PID.
    pub pid: u8,
    /// Wanted interval.
    pub period_ms: u32,
    /// Bytes of data.
    pub length: usize,
    /// What it tells.
    pub values: &'static [Value],
}

/// A value in the data of a parameter.
#[derive(Debug, Clone, Copy)]
pub struct Value {
    /// Key of its signal.
    pub key: &'static str,
    /// How it is computed, with A, B, C… for the bytes and A0…A7 for the bits of A, such as `(256A+B)/4`.
    pub formula: &'static str,
    /// The same for the computer; `None` if its support bit says that it is not there, or a byte is missing.
    pub eval: fn(&[u8]) -> Option<f64>,
    /// The maximum of which it is a part, where a control unit may set that.
    pub maximum: Option<Maximum>,
}

impl Value {
    /// Name, unit and range.
    pub fn signal(&self) -> &'static Signal {
        signal::find(self.key).expect("every value of the table is in the catalogue")
    }
}

impl Parameter {
    /// The parameter with that PID, if it is in the table.
    pub fn find(pid: u8) -> Option<&'static Parameter> {
        PARAMETERS.binary_search_by_key(&pid, |parameter| parameter.pid).ok().map(|at| &PARAMETERS[at])
    }

    /// Whether every car answers with as many bytes. Trims have a second byte in engines with more than two banks, and NOx
    /// sensors had fewer in older editions of the standard: an answer that has others behind it could not be split.
    pub fn is_fixed(&self) -> bool {
        !matches!(self.pid, 0x06..=0x09 | 0x55..=0x58 | 0x83)
    }

    /// What it tells.
    pub fn signals(&self) -> impl Iterator<Item = &'static Signal> + use<> {
        self.values.iter().map(Value::signal)
    }

    /// The values in the data of an answer, as far as their bytes are there and a working sensor could have told them, of a
    /// control unit that does not scale them.
    pub fn read<'a>(&self, data: &'a [u8]) -> impl Iterator<Item = (&'static Signal, f64)> + use<'a> {
        self.read_scaled(data, &Maxima::default())
    }

    /// The same of a control unit that has set these maxima.
    pub fn read_scaled<'a>(
        &self,
        data: &'a [u8],
        maxima: &Maxima,
    ) -> impl Iterator<Item = (&'static Signal, f64)> + use<'a> {
        let data = &data[..data.len().min(self.length)];
        let maxima = *maxima;
        self.values.iter().filter_map(move |value| {
            let factor = value.maximum.map_or(1.0, |of| maxima.factor(of));
            let (signal, value) = (value.signal(), (value.eval)(data)? * factor);
            signal.is_plausible(value).then_some((signal, value))
        })
    }
}
