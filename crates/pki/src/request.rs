//! Certificate signing requests.

use data_encoding::HEXLOWER;
use pki_types::{CertificateSigningRequestDer, pem::PemObject};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData, SubjectPublicKeyInfo,
};
use sha2::{Digest, Sha256};
use x509_parser::{
    certification_request::X509CertificationRequest,
    oid_registry::{OID_PKCS1_SHA1WITHRSA, OID_SHA1_WITH_RSA},
    prelude::FromDer,
    public_key::PublicKey,
};

use crate::{MAX_PEM_BYTES, PkiError};

const MIN_RSA_BITS: usize = 2048;
const MAX_RSA_BITS: usize = 8192;

/// A certificate signing request whose signature was right: who sent it has the private key of its public one.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) key: SubjectPublicKeyInfo,
    pub(crate) der: Vec<u8>,
}

impl Request {
    /// Reads a request (PEM) with a key on P-256 or P-384, of Ed25519, or of RSA with 2048 to 8192 bits.
    pub fn from_pem(pem: &str) -> Result<Self, PkiError> {
        if pem.len() > MAX_PEM_BYTES {
            return Err(PkiError::Request("it is too long"));
        }
        let der = CertificateSigningRequestDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| PkiError::Request("it is not PEM of a `CERTIFICATE REQUEST`"))?;
        let (rest, request) =
            X509CertificationRequest::from_der(&der).map_err(|_| PkiError::Request("it cannot be read"))?;
        if !rest.is_empty() {
            return Err(PkiError::Request("something follows it"));
        }
        let info = &request.certification_request_info.subject_pki;
        let key = SubjectPublicKeyInfo::from_der(info.raw).map_err(|_| KIND)?;
        match key.algorithm() {
            known if known == &PKCS_ECDSA_P256_SHA256 || known == &PKCS_ECDSA_P384_SHA384 || known == &PKCS_ED25519 => {
            }
            known if known == &PKCS_RSA_SHA256 => {
                let Ok(PublicKey::RSA(rsa)) = info.parsed() else { return Err(KIND) };
                if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&rsa.key_size()) {
                    return Err(KIND);
                }
            }
            _ => return Err(KIND),
        }
        let hash = &request.signature_algorithm.algorithm;
        if *hash == OID_PKCS1_SHA1WITHRSA || *hash == OID_SHA1_WITH_RSA {
            return Err(PkiError::Request("it is signed with SHA-1"));
        }
        request.verify_signature().map_err(|_| PkiError::Request("its signature is wrong"))?;
        Ok(Request { key, der: der.to_vec() })
    }

    /// SHA-256 of the public key (its `SubjectPublicKeyInfo`), in hexadecimal digits.
    pub fn key_sha256(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.key.subject_public_key_info()))
    }
}

const KIND: PkiError = PkiError::Request("its key must be on P-256 or P-384, of Ed25519, or of RSA with 2048 bits");

/// A new private key on P-256 and a request that is signed with it, both as PEM.
pub fn new_key_and_request(common_name: &str) -> Result<(String, String), PkiError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(PkiError::Key)?;
    let request = params(common_name).serialize_request(&key).and_then(|request| request.pem());
    Ok((key.serialize_pem(), request.map_err(PkiError::Make)?))
}

/// Of somebody with that name and nothing else.
pub(crate) fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_our_own_is_taken_and_one_that_was_changed_is_not() {
        let (_, pem) = new_key_and_request("WVWZZZ1JZ3W386752").unwrap();
        let request = Request::from_pem(&pem).unwrap();
        assert_eq!(request.key_sha256().len(), 64);
        let mut der = request.der.clone();
        let end = der.len() - 1;
        der[end] ^= 1;
        let changed = pem::wrap("CERTIFICATE REQUEST", &der);
        assert!(matches!(Request::from_pem(&changed), Err(PkiError::Request("its signature is wrong"))));
        der = request.der;
        der.push(0);
        assert!(Request::from_pem(&pem::wrap("CERTIFICATE REQUEST", &der)).is_err());
        assert!(Request::from_pem(&pem.repeat(100)).is_err());
    }

    mod pem {
        use data_encoding::BASE64;

        pub fn wrap(label: &str, der: &[u8]) -> String {
            format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(der))
        }
    }
}
