//! Bytes of the ECUs → values, trouble codes, readiness, identity: SAE J1979. Pure.
//!
//! # Layout
//! - [`parameter`]: what a PID tells, and reading it; [`table`]: all PIDs with their formulas
//! - [`readiness`]: lamp and monitors (mode 01 PID 01); [`trouble`]: codes (modes 03, 07, 0A)
//! - [`freeze`]: values at the moment of a code (mode 02); [`identity`]: VIN, software, name (mode 09)
//!
//! # Invariants
//! - Any bytes may come: what is too short, or what no working sensor tells, is left out.

pub mod freeze;
pub mod identity;
pub mod parameter;
pub mod readiness;
pub mod table;
pub mod trouble;

pub use self::{
    identity::{calibrations, ecu_name, verifications, vin},
    parameter::{Parameter, Value, supported},
    readiness::Readiness,
    table::PARAMETERS,
    trouble::trouble_codes,
};
