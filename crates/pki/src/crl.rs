//! The list of what is revoked.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use bugbrother_wire::unix_ms;
use pki_types::{CertificateRevocationListDer, pem::PemObject};
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber};
use x509_parser::{extensions::ParsedExtension, prelude::FromDer, revocation_list::CertificateRevocationList};

use crate::{
    Authority, PkiError, file,
    moment::{Validity, moment},
    serial,
};

/// OpenSSL, and with it Mosquitto, refuses everybody once the list's next update is past. The list is written anew when
/// something is revoked, and a fleet where nothing is must go on; so it is as good as never past.
const LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A certificate that is no longer good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// Since when.
    pub at: SystemTime,
}

impl Authority {
    /// Writes the list of what is revoked (RFC 5280, version 2, PEM) in the place of the one at `path`, with a higher
    /// number than it. An empty list is one, too.
    ///
    /// The list is all that there is: `revoked` names whatever is revoked and has not expired.
    pub fn write_crl(&self, path: &Path, revoked: &[Revoked], now: SystemTime) -> Result<(), PkiError> {
        let _lock = self.lock()?;
        // A list that cannot be read is one that must be replaced.
        let last = file::read(path).ok().flatten().and_then(|pem| number(&pem)).unwrap_or(0);
        let validity = Validity::starting(now, LIFE)?;
        let params = CertificateRevocationListParams {
            this_update: validity.from,
            next_update: validity.until,
            crl_number: SerialNumber::from(unix_ms(now).unsigned_abs().max(last.saturating_add(1))),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect::<Result<_, _>>()?,
            key_identifier_method: self.key_identifier(),
        };
        let list = params.signed_by(&self.issuer).and_then(|list| list.pem()).map_err(PkiError::Make)?;
        file::replace(path, &list, file::PUBLIC)
    }
}

impl Authority {
    /// The identifier in the authority's certificate: OpenSSL finds a list's issuer by it.
    fn key_identifier(&self) -> KeyIdMethod {
        let certificate = x509_parser::parse_x509_certificate(self.der());
        let (_, certificate) = certificate.expect("it was read when the authority was opened");
        let found = certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        });
        found.map_or(KeyIdMethod::Sha256, KeyIdMethod::PreSpecified)
    }
}

fn entry(revoked: &Revoked) -> Result<RevokedCertParams, PkiError> {
    Ok(RevokedCertParams {
        serial_number: serial::parse(&revoked.serial)?,
        revocation_time: moment(revoked.at)?,
        reason_code: Some(RevocationReason::PrivilegeWithdrawn),
        invalidity_date: None,
    })
}

/// The number of a list; of what is none, none.
fn number(pem: &str) -> Option<u64> {
    let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (_, list) = CertificateRevocationList::from_der(&der).ok()?;
    list.crl_number()?.to_string().parse().ok()
}
