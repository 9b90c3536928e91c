use bugbrother_wire::signal::{self, Signal};

use super::PARAMETERS;

/// A PID of mode 01: one question, one answer, one value or several.
#[derive(Debug)]
pub struct Parameter {
    /// Its PID.
    pub pid: u8,
    /// Bytes of data in an answer.
    pub length: usize,
    /// Wanted interval.
    pub period_ms: u32,
    /// What it tells.
    pub values: &'static [Value],
}

/// A value in the answer of a [`Parameter`].
#[derive(Debug)]
pub struct Value {
    /// Key of its signal.
    pub key: &'static str,
    /// How it is made of the bytes A, B, C… of the answer. `A.0` is the lowest bit of A; what follows `if` says whether
    /// the vehicle has the value at all.
    pub formula: &'static str,
    /// The formula; `None` for a value that the vehicle says it has not. The data is as long as the parameter says.
    pub(super) eval: fn(&[u8]) -> Option<f64>,
}

impl Parameter {
    /// The parameter with that PID.
    pub fn find(pid: u8) -> Option<&'static Parameter> {
        PARAMETERS.iter().find(|parameter| parameter.pid == pid)
    }

    /// What it tells.
    pub fn signals(&self) -> impl Iterator<Item = &'static Signal> + use<> {
        self.values.iter().map(Value::signal)
    }

    /// The values in the data of an answer: none if it is too short, and none that no working sensor tells. Bytes behind
    /// those that the standard knows are ignored.
    pub fn read<'a>(&self, data: &'a [u8]) -> impl Iterator<Item = (&'static Signal, f64)> + use<'a> {
        let data = data.get(..self.length);
        self.values.iter().filter_map(move |value| {
            let signal = value.signal();
            let value = (value.eval)(data?)?;
            signal.is_plausible(value).then_some((signal, value))
        })
    }
}

impl Value {
    /// Name, unit and range.
    pub fn signal(&self) -> &'static Signal {
        signal::find(self.key).expect("every value of the table is in the catalogue, which a test makes sure of")
    }
}

/// The PIDs after `base` that a bit mask of PID `base` (00, 20, 40…) says are there.
pub fn supported(base: u8, mask: &[u8]) -> impl Iterator<Item = u8> {
    let bit = move |byte: u8, bit: u8| base.checked_add(byte * 8 + bit + 1);
    mask.iter().take(4).zip(0u8..).flat_map(move |(bits, index)| {
        let bits = *bits;
        (0..8).filter(move |at| bits & (0x80 >> at) != 0).filter_map(move |at| bit(index, at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_tells_the_pids_after_its_base() {
        let pids: Vec<u8> = supported(0x00, &[0xBE, 0x3F, 0xA8, 0x13]).collect();
        assert_eq!(pids, [1, 3, 4, 5, 6, 7, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x13, 0x15, 0x1C, 0x1F, 0x20]);
        assert_eq!(supported(0xE0, &[0xFF; 9]).last(), Some(0xFF));
    }
}
