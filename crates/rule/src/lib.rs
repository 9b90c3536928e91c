//! Rules on what vehicles measure and tell: one evaluator, for what arrives and for what is stored.
//!
//! # Layout
//! - [`Plan`]: a condition, ready to be evaluated; [`Case`]: how far it has come on a vehicle, which can be stored
//! - [`Moment`]: what is heard of a vehicle; [`Slots`]: where a signal's value lies in a sample
//! - `kinds`: a file for each kind of leaf; `leaf` puts them under one name, and [`Hold`] is what they say
//! - [`Threshold`]: beyond a value for a while, sample by sample; [`Watch`]: on the best of several signals
//! - [`Trial`]: a condition on a vehicle's past; [`late`]: what of it is to be added to the history
//!
//! # Invariants
//! - Pure: time is an argument, nothing is read or written.
//! - What a trial finds in samples is what the notifier would have raised, had it heard each when it was measured.
//! - What is remembered of a vehicle is bounded, whatever it says.

#![warn(missing_docs)]

mod case;
mod hold;
mod kinds;
pub mod late;
mod leaf;
mod moment;
mod plan;
mod threshold;
mod trial;
mod watch;

pub use case::{Case, Evidence, Transition};
pub use hold::{Hold, Note};
pub use kinds::area::{Fence, Fences};
pub use moment::{Books, Hearing, Item, Member, Moment, News, Place, Slots, position};
pub use plan::{Plan, check};
pub use threshold::{CONTINUITY_MS, Change, Phase, Side, Threshold};
pub use trial::{Firing, Trial};
pub use watch::Watch;
