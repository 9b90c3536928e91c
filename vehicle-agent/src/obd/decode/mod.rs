//! Bytes of the ECUs → values, trouble codes, readiness, identity: SAE J1979. Pure.
//!
//! # Layout
//! - [`parameter`]: what a PID tells, and reading it; [`table`]: all PIDs with their formulas; [`formula`]: their
//!   evaluation; [`maxima`]: what scales some of them
//! - [`readiness`]: lamp and monitors (mode 01 PID 01); [`trouble`]: codes (modes 03, 07, 0A)
//! - [`freeze`]: values at the moment of a code (mode 02); [`identity`]: VIN, software, name (mode 09)
//!
//! # Invariants
//! - Any bytes may come: what is too short, or what no working sensor tells, is left out.

pub mod formula;
pub mod freeze;
pub mod identity;
pub mod maxima;
pub mod parameter;
pub mod readiness;
pub mod table;
pub mod trouble;

pub use self::{
    identity::{calibrations, ecu_name, verifications, vin},
    maxima::Maxima,
    parameter::{Parameter, Value, supported},
    readiness::Readiness,
    table::PARAMETERS,
    trouble::trouble_codes,
};

#[cfg(test)]
mod tests {
    use bugbrother_wire::message::DtcStatus;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_bring_a_decoder_down(answers in vec(vec(any::<u8>(), 0..60), 0..6)) {
            let data = || answers.iter().map(|answer| &answer[..]);
            let mut readiness = Readiness::default();
            for answer in data() {
                prop_assert!(trouble_codes(answer, DtcStatus::Pending, None).len() <= answer.len() / 2);
                readiness.add(answer);
                prop_assert!(supported(0xE0, answer).count() <= 32);
            }
            prop_assert!(readiness.to_monitors().len() <= 19);
            let _vin = vin(data().map(|answer| (None, answer)));
            prop_assert!(calibrations(data()).iter().all(|text| text.len() <= 16));
            prop_assert!(verifications(data()).iter().all(|number| number.len() == 8));
            prop_assert!(ecu_name(data()).is_none_or(|name| (1..=20).contains(&name.len())));
        }
    }
}
