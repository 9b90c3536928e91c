use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio_rustls::rustls::{
    self, ClientConfig, RootCertStore,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};

/// How a session is secured. The files are read again at each connection, so that renewed ones are used from then on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates of those who may sign the broker's, PEM; those that this system trusts when there is none.
    pub ca: Option<PathBuf>,
    /// Our certificate with its chain, and its private key, PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Why no TLS connection can be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("`{path}` cannot be read")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("`{path}` holds no {what} in PEM")]
    Pem {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong; `None` when it holds nothing of the kind.
        #[source]
        source: Option<pem::Error>,
    },
    /// A certificate of the authority is of no use.
    #[error("`{path}` holds a certificate that nothing can be checked with")]
    Authority {
        /// In which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// Certificate and key do not belong together, or are of an unknown kind.
    #[error("`{certificate}` and `{key}` are no identity")]
    Identity {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// No CA is named and the system has none.
    #[error("this system trusts no certificate authority; name one")]
    NoSystemRoots,
}

/// Makes the configuration of each connection, and keeps it while the files stay as they are, so that TLS sessions resume.
pub(crate) struct Connector {
    tls: Tls,
    last: Option<(Files, Arc<ClientConfig>)>,
}

#[derive(PartialEq, Eq)]
struct Files {
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Connector {
    pub fn new(tls: Tls) -> Self {
        Connector { tls, last: None }
    }

    pub async fn config(&mut self) -> Result<Arc<ClientConfig>, TlsError> {
        let files = Files {
            ca: match &self.tls.ca {
                Some(path) => Some(read(path).await?),
                None => None,
            },
            identity: match &self.tls.identity {
                Some((certificate, key)) => Some((read(certificate).await?, read(key).await?)),
                None => None,
            },
        };
        if let Some((same, config)) = &self.last
            && *same == files
        {
            return Ok(config.clone());
        }
        let config = Arc::new(self.build(&files)?);
        self.last = Some((files, config.clone()));
        Ok(config)
    }

    fn build(&self, files: &Files) -> Result<ClientConfig, TlsError> {
        let roots = match (&self.tls.ca, &files.ca) {
            (Some(path), Some(pem)) => authorities(path, pem)?,
            _ => system_roots()?,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows the cipher suites of TLS 1.2 and 1.3")
            .with_root_certificates(roots);
        let (Some((certificate, key)), Some((chain_pem, key_pem))) = (&self.tls.identity, &files.identity) else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates(certificate, chain_pem)?;
        let private = PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| TlsError::Pem {
            path: key.clone(),
            what: "private key",
            source: Some(error),
        })?;
        builder.with_client_auth_cert(chain, private).map_err(|source| TlsError::Identity {
            certificate: certificate.clone(),
            key: key.clone(),
            source,
        })
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    tokio::fs::read(path).await.map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

fn authorities(path: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, pem)? {
        roots.add(certificate).map_err(|source| TlsError::Authority { path: path.to_owned(), source })?;
    }
    Ok(roots)
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let broken = |source| TlsError::Pem { path: path.to_owned(), what: "certificate", source };
    let found =
        CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|error| broken(Some(error)))?;
    if found.is_empty() { Err(broken(None)) } else { Ok(found) }
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    // Some systems keep a few that nothing can read; the others do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TlsError::NoSystemRoots) } else { Ok(roots) }
}
