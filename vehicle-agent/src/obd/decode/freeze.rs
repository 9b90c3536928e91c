use bugbrother_wire::signal::Signal;

use super::Parameter;

/// The values in an answer to mode 02, from behind the frame number on. They are coded as in mode 01.
pub fn read(pid: u8, data: &[u8]) -> impl Iterator<Item = (&'static Signal, f64)> + use<'_> {
    Parameter::find(pid).into_iter().flat_map(move |parameter| parameter.read(data))
}
