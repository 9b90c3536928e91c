//! The fleet's own certificate authority: who is a vehicle of this fleet, and until when.
//!
//! # Layout
//! - [`Authority`]: the authority's key and certificate in their folder
//! - `request`: certificate signing requests, [`Request`] and [`new_key_and_request`]; `vehicle`: what a vehicle is given,
//!   [`Issued`]; `renewal`: how it asks for the next one, [`Renewal`] and [`renewal_signature`]
//! - `server`: the broker's own certificate; `crl`: the list of what is revoked, [`Revoked`]
//! - [`Code`]: one-time enrolment codes
//! - [`Certificate`]: what a certificate says of itself
//! - `moment`: validity; `serial`: serial numbers; `file`: files that are whole or not there
//!
//! # Invariants
//! - Of a request nothing but its public key gets into a certificate, and only after the request's own signature was right.
//! - No certificate outlives the authority's, and none but the authority's own may sign another.
//! - A key file is its owner's alone from its first byte on; one that others can read is refused.
//! - A file is replaced in one step: a reader finds the old or the new, never half of one. A renewed server certificate
//!   keeps its key, so that the two files always belong together.
//! - Time is an argument. No text from outside makes anything here panic, and none is read past [`MAX_PEM_BYTES`].

#![warn(missing_docs)]

mod authority;
mod code;
mod crl;
mod error;
mod file;
mod inspect;
mod moment;
mod renewal;
mod request;
mod serial;
mod server;
mod vehicle;

pub use authority::Authority;
pub use code::{Code, CodeError};
pub use crl::Revoked;
pub use error::PkiError;
pub use inspect::Certificate;
pub use renewal::{Holder, Renewal, renewal_signature};
pub use request::{Request, new_key_and_request};
pub use vehicle::Issued;

/// Longest certificate or request, as PEM, that is looked at. One with an RSA key of 8192 bits has 4 KiB.
pub const MAX_PEM_BYTES: usize = 16 * 1024;
