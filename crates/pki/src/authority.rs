use std::{
    fmt, fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use data_encoding::HEXLOWER;
use pki_types::{CertificateDer, pem::PemObject};
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::{
    PkiError, file,
    moment::{Validity, moment},
    request::params,
    serial,
};

const CERTIFICATE: &str = "ca.crt";
const KEY: &str = "ca.key";
const LIFE: Duration = Duration::from_secs(20 * 365 * 24 * 60 * 60 + 5 * 24 * 60 * 60);

/// The fleet's certificate authority: a key on P-256 and its self-signed certificate of 20 years.
///
/// Whoever has the key can be any vehicle.
pub struct Authority {
    folder: PathBuf,
    pem: String,
    der: CertificateDer<'static>,
    pub(crate) issuer: Issuer<'static, KeyPair>,
    validity: Validity,
}

/// What the authority has signed.
pub(crate) struct Leaf {
    pub pem: String,
    pub serial: String,
    pub validity: Validity,
}

impl Authority {
    /// Opens the authority in `folder` (`ca.crt`, `ca.key`). When there is none it is made, one even if several
    /// processes start at once. A lost `ca.crt` is made again from the key, with the same name: what was signed stays
    /// good.
    pub fn open_or_create(folder: &Path, now: SystemTime) -> Result<Authority, PkiError> {
        file::make_folder(folder)?;
        let _lock = file::lock(folder)?;
        let (key_path, certificate_path) = (folder.join(KEY), folder.join(CERTIFICATE));
        let known = file::read(&certificate_path)?;
        let key = match file::read_secret(&key_path)? {
            Some(pem) => KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_ECDSA_P256_SHA256)
                .map_err(|error| PkiError::Damaged { path: key_path, problem: error.to_string() })?,
            None if known.is_some() => return Err(PkiError::KeyMissing { path: key_path }),
            None => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(PkiError::Key)?;
                file::replace(&key_path, &key.serialize_pem(), file::SECRET)?;
                key
            }
        };
        let pem = match known {
            Some(pem) => pem,
            None => {
                let pem = self_signed(&key, now)?;
                file::replace(&certificate_path, &pem, file::PUBLIC)?;
                pem
            }
        };
        let damaged = |problem: &str| PkiError::Damaged { path: certificate_path.clone(), problem: problem.to_owned() };
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| damaged("it is no PEM certificate"))?;
        let validity = validity(&der, &key).map_err(damaged)?;
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|error| damaged(&error.to_string()))?;
        Ok(Authority { folder: folder.to_owned(), pem, der, issuer, validity })
    }

    /// The authority's certificate, which everybody trusts who trusts this fleet.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` shows it.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(&self.der);
        digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// Keeps other processes from changing what belongs to this authority.
    pub(crate) fn lock(&self) -> Result<fs::File, PkiError> {
        file::lock(&self.folder)
    }

    /// Signs for `life`, or until the authority's own end.
    pub(crate) fn issue(
        &self,
        mut params: CertificateParams,
        key: &impl PublicKeyData,
        life: Duration,
        now: SystemTime,
    ) -> Result<Leaf, PkiError> {
        let at = moment(now)?;
        if at < self.validity.from || at >= self.validity.until {
            return Err(PkiError::Ended);
        }
        let wanted = Validity::starting(now, life)?;
        let validity =
            Validity { from: wanted.from.max(self.validity.from), until: wanted.until.min(self.validity.until) };
        let number = serial::random();
        params.not_before = validity.from;
        params.not_after = validity.until;
        params.serial_number = Some(number.clone());
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.issuer).map_err(PkiError::Make)?;
        Ok(Leaf { pem: certificate.pem(), serial: serial::hex(number.as_ref()), validity })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("fingerprint", &self.fingerprint()).finish_non_exhaustive()
    }
}

fn self_signed(key: &KeyPair, now: SystemTime) -> Result<String, PkiError> {
    let validity = Validity::starting(now, LIFE)?;
    // Out of the key, so that a certificate that is made again has the name that is in everything it signed.
    let id = HEXLOWER.encode(&Sha256::digest(key.subject_public_key_info())[..4]);
    let mut params = params(&format!("BugBrother fleet CA {id}"));
    params.not_before = validity.from;
    params.not_after = validity.until;
    params.serial_number = Some(serial::random());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params.self_signed(key).map_err(PkiError::Make)?.pem())
}

/// That the certificate is an authority's, of that key; and its validity.
fn validity(der: &CertificateDer<'_>, key: &KeyPair) -> Result<Validity, &'static str> {
    let (rest, certificate) =
        x509_parser::parse_x509_certificate(der).map_err(|_| "it is no certificate that can be read")?;
    if !rest.is_empty() || !certificate.is_ca() {
        return Err("it is no authority's certificate");
    }
    if certificate.public_key().raw != key.subject_public_key_info() {
        return Err("it is not the certificate of ca.key");
    }
    let seconds = |time: x509_parser::time::ASN1Time| OffsetDateTime::from_unix_timestamp(time.timestamp());
    let validity = certificate.validity();
    match (seconds(validity.not_before), seconds(validity.not_after)) {
        (Ok(from), Ok(until)) => Ok(Validity { from, until }),
        _ => Err("its validity cannot be read"),
    }
}
