//! What a certificate says of itself, for who looks after it.

use std::time::{Duration, SystemTime};

use pki_types::{CertificateDer, pem::PemObject};

use crate::{MAX_PEM_BYTES, PkiError, server::names_of};

/// The first certificate of a file, without any judgement whether it is to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// DNS names and addresses that it is for, in order.
    pub names: Vec<String>,
    /// It begins to be valid.
    pub from: SystemTime,
    /// It ends.
    pub until: SystemTime,
    /// Whether it names itself as its issuer, as an authority's does.
    pub signed_by_itself: bool,
}

impl Certificate {
    /// Reads the first certificate of a PEM.
    pub fn read(pem: &str) -> Result<Self, PkiError> {
        let bad = || PkiError::Certificate("the file holds none in PEM");
        if pem.len() > 8 * MAX_PEM_BYTES {
            return Err(bad());
        }
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| bad())?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).map_err(|_| bad())?;
        let time =
            |seconds: i64| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        let mut names = names_of(&certificate);
        names.sort();
        Ok(Certificate {
            names,
            from: time(certificate.validity().not_before.timestamp()),
            until: time(certificate.validity().not_after.timestamp()),
            signed_by_itself: certificate.issuer().as_raw() == certificate.subject().as_raw(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Authority;

    #[test]
    fn a_certificate_tells_its_names_and_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let authority = Authority::open_or_create(&dir.path().join("ca"), now).unwrap();
        let names = ["fleet.example.org".to_owned(), "192.0.2.1".to_owned()];
        authority.ensure_server(dir.path(), &names, now).unwrap();
        let server = Certificate::read(&std::fs::read_to_string(dir.path().join("server.crt")).unwrap()).unwrap();
        assert_eq!(server.names, ["192.0.2.1", "fleet.example.org"]);
        assert!(server.from <= now && server.until > now + Duration::from_secs(300 * 86_400));
        assert!(!server.signed_by_itself && Certificate::read(authority.certificate_pem()).unwrap().signed_by_itself);
        assert!(Certificate::read("no certificate").is_err());
    }
}
