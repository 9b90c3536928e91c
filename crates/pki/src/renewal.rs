//! How a vehicle asks for its next certificate: with the key of the one that it has.

use std::time::{Duration, SystemTime};

use base64::{Engine, prelude::BASE64_STANDARD};
use bugbrother_wire::{Vin, unix_ms};
use pki_types::{CertificateDer, UnixTime, pem::PemObject};
use rcgen::{KeyPair, SigningKey};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::certificate::X509Certificate;

use crate::{Authority, MAX_PEM_BYTES, PkiError, Request, serial};

/// What is signed begins with this, so that a signature made for anything else, a TLS handshake say, is none of these.
const DOMAIN: &[u8] = b"bugbrother renew v1\n";
/// Longest signature: of RSA with 8192 bits.
const MAX_SIGNATURE_BYTES: usize = 1024;

/// A vehicle that may have its next certificate, unless the one that it showed is revoked.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// Whose it is.
    pub vin: Vin,
    /// Serial number of the certificate that it showed.
    pub serial: String,
    /// What it asks to be signed.
    pub request: Request,
}

/// A vehicle that has shown that it has the key of its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Whose it is.
    pub vin: Vin,
    /// Serial number of the certificate.
    pub serial: String,
}

/// The signature over a request with the key of the certificate that is to be renewed: base64 of an ECDSA (ASN.1),
/// Ed25519 or RSA signature over `bugbrother renew v1`, a line feed, and the request in DER.
pub fn renewal_signature(key_pem: &str, csr_pem: &str) -> Result<String, PkiError> {
    let key = KeyPair::from_pem(key_pem).map_err(PkiError::Key)?;
    let signature = key.sign(&message(&Request::from_pem(csr_pem)?)).map_err(PkiError::Key)?;
    Ok(BASE64_STANDARD.encode(signature))
}

impl Authority {
    /// Checks that the certificate is a vehicle's of this fleet and valid at `now`, that the request is signed with the
    /// key in it, and `signature` (see [`renewal_signature`]) with the certificate's key.
    ///
    /// What is revoked the caller knows.
    pub fn verify_renewal(
        &self,
        certificate_pem: &str,
        csr_pem: &str,
        signature: &str,
        now: SystemTime,
    ) -> Result<Renewal, PkiError> {
        let request = Request::from_pem(csr_pem);
        // What is said of a certificate goes before what is said of a request.
        let signed = request.as_ref().map(message).unwrap_or_default();
        let holder = self.verify_holder(certificate_pem, &signed, signature, now);
        match (holder, request) {
            (Err(PkiError::Signature), Err(error)) => Err(error),
            (holder, request) => {
                let Holder { vin, serial } = holder?;
                Ok(Renewal { vin, serial, request: request? })
            }
        }
    }

    /// Checks that the certificate is a vehicle's of this fleet and valid at `now`, and that `signature` is base64 of one made
    /// with its key over `message`.
    ///
    /// What is revoked the caller knows.
    pub fn verify_holder(
        &self,
        certificate_pem: &str,
        message: &[u8],
        signature: &str,
        now: SystemTime,
    ) -> Result<Holder, PkiError> {
        if certificate_pem.len() > MAX_PEM_BYTES {
            return Err(PkiError::Certificate("it is too long"));
        }
        let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|_| PkiError::Certificate("it is not PEM of a `CERTIFICATE`"))?;
        let certificate = EndEntityCert::try_from(&der).map_err(|_| UNREADABLE)?;
        self.verify(&certificate, now)?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(|_| UNREADABLE)?;
        let vin = vin(&parsed).ok_or(PkiError::Certificate("its common name is no VIN"))?;
        let signature = decode(signature).ok_or(PkiError::Signature)?;
        let mut algorithms = ALL_VERIFICATION_ALGS.iter();
        if !algorithms.any(|algorithm| certificate.verify_signature(*algorithm, message, &signature).is_ok()) {
            return Err(PkiError::Signature);
        }
        Ok(Holder { vin, serial: serial::hex(parsed.raw_serial()) })
    }

    fn verify(&self, certificate: &EndEntityCert<'_>, now: SystemTime) -> Result<(), PkiError> {
        let anchor = anchor_from_trusted_cert(self.der()).map_err(|_| PkiError::Foreign)?;
        let seconds = unix_ms(now).unsigned_abs() / 1000;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let usage = KeyUsage::client_auth();
        let anchors = &[anchor];
        let verified = certificate.verify_for_usage(ALL_VERIFICATION_ALGS, anchors, &[], time, usage, None, None);
        match verified {
            Ok(_) => Ok(()),
            Err(webpki::Error::CertExpired { .. }) => Err(PkiError::Expired),
            Err(webpki::Error::CertNotValidYet { .. }) => Err(PkiError::NotYetValid),
            Err(_) => Err(PkiError::Foreign),
        }
    }
}

const UNREADABLE: PkiError = PkiError::Certificate("it cannot be read");

fn message(request: &Request) -> Vec<u8> {
    [DOMAIN, &request.der].concat()
}

fn decode(signature: &str) -> Option<Vec<u8>> {
    // Base64 is a third longer; what wraps it in lines is longer still.
    if signature.len() > 2 * MAX_SIGNATURE_BYTES {
        return None;
    }
    let digits: String = signature.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(digits).ok()
}

/// The one common name, if it is a VIN.
fn vin(certificate: &X509Certificate<'_>) -> Option<Vin> {
    let mut names = certificate.subject().iter_common_name();
    let (name, None) = (names.next()?, names.next()) else { return None };
    name.as_str().ok()?.parse().ok()
}
