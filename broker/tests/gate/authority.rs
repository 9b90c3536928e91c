//! Certificates for tests.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bugbrother_mosquitto_compat::conf::{Tls, TlsVersion};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Signs certificates of servers and of vehicles.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

/// A certificate and its key.
pub struct Issued {
    pub pem: String,
    pub key: String,
    serial: u8,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// A server's, for `localhost` and 127.0.0.1.
    pub fn server(&self, name: &str) -> Issued {
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params, 1)
    }

    pub fn vehicle(&self, name: &str, serial: u8) -> Issued {
        self.sign(vehicle(name), serial)
    }

    /// One that was good until yesterday.
    pub fn expired(&self, name: &str) -> Issued {
        let mut params = vehicle(name);
        let now = SystemTime::now();
        (params.not_before, params.not_after) = ((now - 2 * DAY).into(), (now - DAY).into());
        self.sign(params, 99)
    }

    fn sign(&self, mut params: CertificateParams, serial: u8) -> Issued {
        params.serial_number = Some(SerialNumber::from(vec![serial]));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued { pem: certificate.pem(), key: key.serialize_pem(), serial }
    }

    /// The list of those that are revoked. It is out of date, which does not matter.
    pub fn revoke(&self, revoked: &[&Issued]) -> String {
        let now = SystemTime::now();
        let revoked_certs = revoked.iter().map(|issued| RevokedCertParams {
            serial_number: SerialNumber::from(vec![issued.serial]),
            revocation_time: now.into(),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: (now - 2 * DAY).into(),
            next_update: (now - DAY).into(),
            crl_number: SerialNumber::from(vec![1]),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

impl Issued {
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.pem.as_bytes()).map(Result::unwrap).collect()
    }

    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }

    /// Puts both into files.
    pub fn save(&self, certfile: &Path, keyfile: &Path) {
        replace(certfile, &self.pem);
        replace(keyfile, &self.key);
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn vehicle(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// As a careful program does it: no reader sees half of it.
pub fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// The files of a listener that asks for no certificate.
pub fn tls(folder: &Path, server: &Issued) -> Tls {
    let (certfile, keyfile) = (folder.join("server.crt"), folder.join("server.key"));
    server.save(&certfile, &keyfile);
    Tls {
        certfile,
        keyfile,
        cafile: None,
        crlfile: None,
        require_certificate: false,
        use_identity_as_username: false,
        min_version: TlsVersion::V1_2,
    }
}

/// The files of a listener that knows a vehicle by its certificate.
pub fn mutual(folder: &Path, authority: &Authority, server: &Issued) -> Tls {
    let (cafile, crlfile): (PathBuf, PathBuf) = (folder.join("ca.crt"), folder.join("crl.pem"));
    replace(&cafile, &authority.pem);
    replace(&crlfile, &authority.revoke(&[]));
    Tls {
        cafile: Some(cafile),
        crlfile: Some(crlfile),
        require_certificate: true,
        use_identity_as_username: true,
        ..tls(folder, server)
    }
}
