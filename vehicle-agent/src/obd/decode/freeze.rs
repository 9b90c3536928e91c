use bugbrother_wire::signal::Signal;

use super::{Maxima, Parameter};

/// The values in an answer to mode 02, from behind the frame number on. They are coded as in mode 01.
pub fn read<'a>(pid: u8, data: &'a [u8], maxima: &Maxima) -> impl Iterator<Item = (&'static Signal, f64)> + use<'a> {
    let maxima = *maxima;
    Parameter::find(pid).into_iter().flat_map(move |parameter| parameter.read_scaled(data, &maxima))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_value_is_read_as_a_live_one() {
        let read = |pid, data| read(pid, data, &Maxima::default()).map(|(s, v)| (s.key, v)).collect::<Vec<_>>();
        assert_eq!(read(0x0C, &[0x14, 0x5F]), [("rpm", 1303.75)]);
        assert_eq!(read(0x14, &[0x5A, 0xFF]), [("o2.1.v", 0.45)]);
        assert_eq!(read(0x02, &[0x01, 0x43]), [], "a code is no value");
        assert_eq!(read(0x0C, &[]), []);
    }
}
