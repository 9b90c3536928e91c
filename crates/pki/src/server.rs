//! The broker's own certificate.

use std::{
    net::IpAddr,
    path::Path,
    time::{Duration, SystemTime},
};

use bugbrother_wire::unix_ms;
use pki_types::{CertificateDer, ServerName, pem::PemObject};
use rcgen::{ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName};

use crate::{Authority, PkiError, file, request::params};

const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";
const MAX_NAMES: usize = 64;
/// Apple's and others' clients believe no server for longer than 398 days.
const LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Authority {
    /// Sees to `server.crt` (with the authority's certificate below it) and `server.key` in `folder`: made when they
    /// are not there, made again when the names are others, when a third of its life is left, or when it is another
    /// authority's. Tells whether it wrote anything.
    ///
    /// A name is a DNS name or an IP address.
    pub fn ensure_server(&self, folder: &Path, names: &[String], now: SystemTime) -> Result<bool, PkiError> {
        let names = normalize(names)?;
        let _lock = self.lock()?;
        file::make_folder(folder)?;
        let (key, is_new) = key(&folder.join(KEY))?;
        let path = folder.join(CERTIFICATE);
        // What cannot be read is made again.
        let known = file::read(&path).ok().flatten();
        if !is_new && known.is_some_and(|pem| self.is_good(&pem, &key, &names, now)) {
            return Ok(false);
        }
        let mut params = params("BugBrother server");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names = names.iter().map(|name| san(name)).collect::<Result<_, _>>()?;
        let leaf = self.issue(params, &key, LIFE, now)?;
        file::replace(&path, &format!("{}{}", leaf.pem, self.certificate_pem()), file::PUBLIC)?;
        Ok(true)
    }

    fn is_good(&self, pem: &str, key: &KeyPair, names: &[String], now: SystemTime) -> bool {
        let Ok(chain) = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>() else {
            return false;
        };
        let [leaf, authority] = chain.as_slice() else { return false };
        let Ok((_, certificate)) = x509_parser::parse_x509_certificate(leaf) else { return false };
        let (from, until) =
            (certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp());
        let now = unix_ms(now) / 1000;
        let mut found = names_of(&certificate);
        found.sort();
        let has_names = !names.is_empty() && found == names;
        has_names
            && authority == self.der()
            && certificate.public_key().raw == key.subject_public_key_info()
            && from <= now
            && until - now > (until - from) / 3
    }
}

/// The key in `path`, or a new one. It stays when the certificate is renewed: two files cannot change at once.
fn key(path: &Path) -> Result<(KeyPair, bool), PkiError> {
    if let Some(pem) = file::read_secret(path)? {
        let key = KeyPair::from_pem(&pem)
            .map_err(|error| PkiError::Damaged { path: path.to_owned(), problem: error.to_string() })?;
        return Ok((key, false));
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(PkiError::Key)?;
    file::replace(path, &key.serialize_pem(), file::SECRET)?;
    Ok((key, true))
}

/// In one spelling, in order, each once.
fn normalize(names: &[String]) -> Result<Vec<String>, PkiError> {
    let mut names = names
        .iter()
        .map(|name| match ServerName::try_from(name.as_str()) {
            Ok(ServerName::IpAddress(address)) => Ok(IpAddr::from(address).to_string()),
            Ok(ServerName::DnsName(dns)) => Ok(dns.as_ref().trim_end_matches('.').to_ascii_lowercase()),
            _ => Err(PkiError::Name(name.chars().take(253).collect())),
        })
        .collect::<Result<Vec<_>, _>>()?;
    names.sort();
    names.dedup();
    if (1..=MAX_NAMES).contains(&names.len()) { Ok(names) } else { Err(PkiError::Names) }
}

fn san(name: &str) -> Result<SanType, PkiError> {
    match name.parse() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => name.try_into().map(SanType::DnsName).map_err(PkiError::Make),
    }
}

/// The names and addresses that a certificate is for.
pub(crate) fn names_of(certificate: &X509Certificate<'_>) -> Vec<String> {
    match certificate.subject_alternative_name() {
        Ok(Some(found)) => found.value.general_names.iter().filter_map(text).collect(),
        _ => Vec::new(),
    }
}

fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(IpAddr::from([*a, *b, *c, *d]).to_string()),
            bytes => <[u8; 16]>::try_from(bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    }
}
