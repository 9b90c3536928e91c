//! Several parameters in one question, which a CAN carries: one round trip for up to six values (SAE J1979, 6.3).

use std::{collections::BTreeSet, time::Instant};

use bugbrother_wire::signal::Signal;

use super::{
    answer::{Fault, Reply},
    decode::{Maxima, Parameter},
    elm::Car,
    protocol::Protocol,
    schedule::Schedule,
    supports::Supports,
};

/// Most parameters of a question.
const MOST: usize = 6;
/// After so many questions that brought nothing whole, parameters are asked for one by one.
const MOST_FAILURES: u32 = 2;

/// Whether and how parameters are asked for together.
pub(super) struct Batches {
    failures: u32,
    is_can: bool,
    /// Parameters whose answers are as long as the table says, so that an answer can be split behind them.
    proven: BTreeSet<u8>,
}

type Values = Vec<(&'static Signal, f64)>;

impl Batches {
    pub fn new(protocol: Option<Protocol>) -> Self {
        Batches { failures: 0, is_can: protocol.is_some_and(Protocol::is_can), proven: BTreeSet::new() }
    }

    /// Notes what was answered when a parameter was asked for alone.
    pub fn prove(&mut self, parameter: &Parameter, replies: &[Reply]) {
        if replies.iter().all(|reply| reply.data.len() == parameter.length) {
            self.proven.insert(parameter.pid);
        } else {
            self.proven.remove(&parameter.pid);
        }
    }

    /// `first` and what may be asked for with it: what the same ECUs have.
    pub fn gather(
        &self,
        first: &'static Parameter,
        schedule: &Schedule,
        supports: &Supports,
        now: Instant,
    ) -> Vec<&'static Parameter> {
        let mut batch = vec![first];
        let answers_as_known = |parameter: &Parameter| parameter.is_fixed() && self.proven.contains(&parameter.pid);
        if self.is_can && self.failures < MOST_FAILURES && answers_as_known(first) {
            let fits = |other: &Parameter| answers_as_known(other) && supports.have_both(first.pid, other.pid);
            batch.extend(schedule.companions(first, MOST - 1, now, fits));
        }
        batch
    }

    /// Asks for them; what several ECUs tell is taken of the first.
    pub fn ask(&mut self, car: &mut Car, batch: &[&'static Parameter], supports: &Supports) -> Result<Values, Fault> {
        let pids: Vec<u8> = batch.iter().map(|parameter| parameter.pid).collect();
        let asked = car.ask_several(&pids).and_then(|replies| {
            let split = |reply: &Reply| split(batch, reply, &supports.maxima(reply.ecu));
            replies.iter().map(split).collect::<Option<Vec<Values>>>().ok_or(Fault::Garbled)
        });
        match &asked {
            Ok(_) => self.failures = 0,
            Err(fault) if fault.ends_talk() => {}
            Err(_) => self.failures += 1,
        }
        let mut values: Values = Vec::new();
        for (signal, value) in asked?.into_iter().flatten() {
            if values.iter().all(|(known, _)| known.key != signal.key) {
                values.push((signal, value));
            }
        }
        Ok(values)
    }
}

/// The values in an answer, which begins behind the first PID. All of them, whole and in their order, or none.
fn split(batch: &[&'static Parameter], reply: &Reply, maxima: &Maxima) -> Option<Values> {
    let (mut rest, mut values) = (&reply.data[..], Vec::new());
    for (index, parameter) in batch.iter().enumerate() {
        if index > 0 {
            let (pid, after) = rest.split_first()?;
            if *pid != parameter.pid {
                return None;
            }
            rest = after;
        }
        let (data, after) = rest.split_at_checked(parameter.length)?;
        values.extend(parameter.read_scaled(data, maxima));
        rest = after;
    }
    rest.is_empty().then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::obd::decode::PARAMETERS;

    #[test]
    fn an_answer_is_split_only_if_it_is_whole() {
        let find = |pid| PARAMETERS.iter().find(|parameter| parameter.pid == pid).unwrap();
        let batch = [find(0x0C), find(0x0D), find(0x05)];
        let values = |data: &[u8]| {
            let split = split(&batch, &Reply { ecu: None, data: data.to_vec() }, &Maxima::default())?;
            Some(split.into_iter().map(|(signal, value)| (signal.key, value)).collect::<Vec<_>>())
        };
        let whole = [0x14, 0x5F, 0x0D, 0x0A, 0x05, 0x78];
        assert_eq!(values(&whole).unwrap(), [("rpm", 1303.75), ("spd", 10.0), ("ect", 80.0)]);
        for end in 0..whole.len() {
            assert_eq!(values(&whole[..end]), None, "{end}");
        }
        assert_eq!(values(&[0x14, 0x5F, 0x05, 0x78, 0x0D, 0x0A]), None, "in another order");
        assert_eq!(values(&[0x14, 0x5F, 0x0D, 0x0A, 0x05, 0x78, 0x00]), None, "too long");
    }
}
