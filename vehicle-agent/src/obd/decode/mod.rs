//! Bytes of the ECUs → values, trouble codes, identity: SAE J1979. Pure.
//!
//! # Layout
//! - [`parameter`](Parameter): what a parameter of mode 01 is; `table`: all of them; `examples`: each with bytes and values;
//!   [`maxima`](Maxima): what scales some of them
//! - `readiness`: mode 01 PID 01; `codes`: modes 03, 07, 0A; `identity`: mode 09
//!
//! # Invariants
//! - No bytes bring a decoder down, and a value that no working sensor tells is none.
//! - A formula is here if the standard is known to have it: a wrong value is worse than none.

mod codes;
#[cfg(test)]
mod examples;
mod identity;
mod maxima;
mod parameter;
mod readiness;
mod table;

pub use self::{
    codes::trouble_codes,
    identity::{calibrations, ecu_name, verifications, vin},
    maxima::Maxima,
    parameter::{Parameter, Value},
    readiness::Readiness,
    table::PARAMETERS,
};

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
    use bugbrother_wire::message::DtcStatus;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_mask_tells_the_pids_after_its_base() {
        let pids: Vec<u8> = supported(0x00, &[0xBE, 0x3F, 0xA8, 0x13]).collect();
        assert_eq!(pids, [1, 3, 4, 5, 6, 7, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x13, 0x15, 0x1C, 0x1F, 0x20]);
        assert_eq!(supported(0xE0, &[0xFF; 9]).last(), Some(0xFF));
    }

    proptest! {
        #[test]
        fn no_bytes_bring_a_decoder_down(data in vec(any::<u8>(), 0..80), scale in any::<[u8; 4]>()) {
            let mut maxima = Maxima::default();
            Maxima::PIDS.into_iter().for_each(|pid| maxima.note(pid, &scale));
            for parameter in PARAMETERS {
                for (signal, value) in parameter.read(&data).chain(parameter.read_scaled(&data, &maxima)) {
                    prop_assert!(value.is_finite() && signal.is_plausible(value), "{} {value}", signal.key);
                }
            }
            trouble_codes(&data, DtcStatus::Pending, None);
            Readiness::default().add(&data);
            vin([(None, &data[..])].into_iter());
            prop_assert!(calibrations(data.chunks(5)).iter().all(|text| text.len() <= 16));
            prop_assert!(verifications(data.chunks(5)).iter().all(|number| number.len() == 8));
            ecu_name([&data[..]].into_iter());
            prop_assert!(supported(0xE0, &data).count() <= 32);
        }
    }
}
