//! A certificate authority of the test's own, and what it signs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    /// Its certificate is `{name}.crt` in that folder.
    pub fn new(folder: &Path, name: &str) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        fs::write(folder.join(format!("{name}.crt")), issuer.pem())?;
        Ok(Authority { issuer, folder: folder.to_owned() })
    }

    /// `{name}.crt` and `{name}.key` with that common name, for 127.0.0.1 and ::1.
    pub fn sign(&self, name: &str) -> Result<(PathBuf, PathBuf)> {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "::1".to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let paths = (self.folder.join(format!("{name}.crt")), self.folder.join(format!("{name}.key")));
        fs::write(&paths.0, certificate.pem())?;
        fs::write(&paths.1, key.serialize_pem())?;
        Ok(paths)
    }
}
