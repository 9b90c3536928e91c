//! What a vehicle is given.

use std::time::{Duration, SystemTime};

use bugbrother_wire::{UnixMs, Vin};
use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};

use crate::{Authority, PkiError, Request, moment::milliseconds, request::params};

/// A stolen key is of use no longer than this even if nobody notices.
pub(crate) const LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A vehicle's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The certificate alone; the authority's is everybody's root.
    pub pem: String,
    /// Its serial number, in 32 hexadecimal digits.
    pub serial: String,
    /// From when it is valid.
    pub not_before: UnixMs,
    /// Until when.
    pub not_after: UnixMs,
    /// [`Request::key_sha256`].
    pub key_sha256: String,
}

impl Authority {
    /// Reads a request and signs a certificate for `vin` with its public key; see [`Authority::sign`].
    pub fn sign_vehicle(&self, csr_pem: &str, vin: Vin, now: SystemTime) -> Result<Issued, PkiError> {
        self.sign(&Request::from_pem(csr_pem)?, vin, now)
    }

    /// Signs a certificate for `vin` with the request's public key: 90 days, for a TLS client, and nothing else that
    /// the request wishes.
    pub fn sign(&self, request: &Request, vin: Vin, now: SystemTime) -> Result<Issued, PkiError> {
        let mut params = params(vin.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let leaf = self.issue(params, &request.key, LIFE, now)?;
        Ok(Issued {
            pem: leaf.pem,
            serial: leaf.serial,
            not_before: milliseconds(leaf.validity.from),
            not_after: milliseconds(leaf.validity.until),
            key_sha256: request.key_sha256(),
        })
    }
}
