//! Bodies of the HTTP API for vehicles (`/api/embedded/…`), as JSON. Refusals are [`crate::api::Problem`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{UnixMs, Vin};

/// `POST /api/embedded/enroll`: a vehicle's first certificate, for the code that a person gave it.
///
/// Asked again with the same code and the same key, within the code's time, it is the same certificate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Enroll {
    /// The enrolment code, in capitals or not, with or without dashes.
    pub code: String,
    /// Certificate signing request, PEM. Only its public key counts.
    pub csr: String,
}

/// `POST /api/embedded/renew`: the next certificate, with the key of the one that the vehicle has.
///
/// Asked again with the same key within a day, it is the same certificate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Renew {
    /// The certificate that the vehicle has, PEM. It stays good until its end.
    pub certificate: String,
    /// Certificate signing request with the new key, PEM.
    pub csr: String,
    /// Base64 of the signature with the old key (ECDSA in ASN.1, Ed25519, or RSA) over `bugbrother renew v1`, a line
    /// feed, and the request in DER.
    pub signature: String,
}

/// Answer to both: what a vehicle needs to connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Enrolled {
    /// The vehicle, which is its user name on the broker, too.
    pub vin: Vin,
    /// Its certificate, PEM.
    pub certificate: String,
    /// The certificate of the fleet's authority, PEM: whom to trust as a broker.
    pub ca: String,
    /// From when on the certificate is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixMs>,
    /// When the certificate ends. After two thirds of its life it should be renewed.
    pub not_after: UnixMs,
    /// The broker, such as `mqtts://fleet.example.org:8883`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
}

/// Without the code.
impl fmt::Debug for Enroll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enroll").finish_non_exhaustive()
    }
}

/// Without the signature.
impl fmt::Debug for Renew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renew").finish_non_exhaustive()
    }
}
