use bugbrother_wire::signal::{self, Signal};

use super::{
    PARAMETERS, formula,
    maxima::{Maxima, Maximum},
};

/// A PID of mode 01: one question, one answer, one value or several.
#[derive(Debug)]
pub struct Parameter {
    /// Its PID.
    pub pid: u8,
    /// Bytes of data in an answer, as the newest standard has it.
    pub length: usize,
    /// Bytes of data in the shortest answer that the standard has allowed.
    pub shortest: usize,
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
    /// How it is made of the bytes of the answer: see [`formula`].
    pub formula: &'static str,
    /// The maximum of which it is a part, where a vehicle may set that.
    pub maximum: Option<Maximum>,
}

impl Parameter {
    /// The parameter with that PID.
    pub fn find(pid: u8) -> Option<&'static Parameter> {
        PARAMETERS.iter().find(|parameter| parameter.pid == pid)
    }

    /// Whether all answers have the same length, as they must where several are in one message.
    pub fn is_fixed(&self) -> bool {
        self.shortest == self.length
    }

    /// What it tells.
    pub fn signals(&self) -> impl Iterator<Item = &'static Signal> + use<> {
        self.values.iter().map(Value::signal)
    }

    /// The values in the data of an answer of a vehicle that does not scale them: see [`Self::read_scaled`].
    pub fn read<'a>(&self, data: &'a [u8]) -> impl Iterator<Item = (&'static Signal, f64)> + use<'a> {
        self.read_scaled(data, &Maxima::default())
    }

    /// The values in the data of an answer. Left out are those that the vehicle says it has not, those whose bytes are
    /// missing, and those that no working sensor tells.
    pub fn read_scaled<'a>(
        &self,
        data: &'a [u8],
        maxima: &Maxima,
    ) -> impl Iterator<Item = (&'static Signal, f64)> + use<'a> {
        let maxima = *maxima;
        self.values.iter().filter_map(move |value| {
            let factor = value.maximum.map_or(1.0, |of| maxima.factor(of));
            let signal = value.signal();
            let value = formula::evaluate(value.formula, data)? * factor;
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
