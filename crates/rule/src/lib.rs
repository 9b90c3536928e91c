//! Rules on what vehicles measure: one evaluator, for what arrives and for what is stored.
//!
//! # Layout
//! - [`Threshold`]: beyond a value for a while, sample by sample; [`Phase`] and [`Change`]: how far it has come
//! - [`Limit`]: the signals and the threshold of a condition; [`Watch`]: one such condition on one vehicle
//! - [`Silence`]: nothing said for too long
//! - [`Trial`]: a condition on a vehicle's past
//!
//! # Invariants
//! - Pure: time is an argument, nothing is read or written.
//! - What a trial finds in samples is what the notifier would have raised, had it heard each when it was measured.

#![warn(missing_docs)]

mod silence;
mod threshold;
mod trial;
mod watch;

pub use silence::Silence;
pub use threshold::{CONTINUITY_MS, Change, Phase, Side, Threshold};
pub use trial::{Firing, Moment, Trial};
pub use watch::{Limit, Watch};
