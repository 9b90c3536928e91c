//! TLS of a listener: its certificate, and which certificates of clients it trusts.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bugbrother_mosquitto_compat::conf::{self, TlsVersion};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime,
        pem::{self, PemObject},
    },
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::{Error, files::OfFiles};

/// A client's certificate, and those that stand between it and its authority's.
pub(crate) type Chain = Vec<CertificateDer<'static>>;

/// What the files of a listener with TLS come to.
pub(crate) struct Tls {
    /// For MQTT.
    pub(crate) mqtt: Arc<ServerConfig>,
    /// For WebSocket.
    pub(crate) web: Arc<ServerConfig>,
    /// What the server shows.
    own: Arc<CertifiedKey>,
    clients: Option<Trust>,
}

/// Which clients are trusted.
#[derive(Clone)]
struct Trust {
    verifier: Arc<dyn ClientCertVerifier>,
    /// Tells one state of the authorities and revocations from another.
    digest: [u8; 32],
}

/// Why the files of a listener with TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("`{}` cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// A file that should hold certificates holds none.
    #[error("`{}` has no certificate", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// Certificates are asked for, and nobody is named who signs them.
    #[error("clients' certificates are asked for: the listener needs a `cafile`")]
    NoAuthority,
    /// A certificate of an authority cannot be used.
    #[error("`{}` has a certificate that cannot be used", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// Authorities or revocation lists cannot be used.
    #[error("clients' certificates cannot be checked")]
    Clients(#[source] VerifierBuilderError),
    /// Certificate and key do not belong together, or are of a kind that is not known.
    #[error("certificate `{}` and its key cannot be used", certfile.display())]
    Identity {
        /// The certificate.
        certfile: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

impl Tls {
    fn new(settings: &conf::Tls, own: Arc<CertifiedKey>, clients: Option<Trust>) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let versions = match settings.min_version {
            TlsVersion::V1_2 => &[&TLS13, &TLS12][..],
            TlsVersion::V1_3 => &[&TLS13][..],
        };
        let fault = |source| TlsError::Identity { certfile: settings.certfile.clone(), source };
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).map_err(fault)?;
        let builder = match &clients {
            Some(trust) => builder.with_client_cert_verifier(Arc::clone(&trust.verifier)),
            None => builder.with_no_client_auth(),
        };
        let mut mqtt = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&own))));
        // A vehicle that comes back after a broken network costs neither of us a signature. The key of the tickets is
        // new with each reading of the files, and who comes with a ticket is checked as who comes with a certificate.
        mqtt.ticketer = ring::Ticketer::new().map_err(fault)?;
        mqtt.alpn_protocols = vec![b"mqtt".to_vec()];
        let mut web = mqtt.clone();
        web.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls { mqtt: Arc::new(mqtt), web: Arc::new(web), own, clients })
    }

    /// Whether a client with this certificate would be let in now.
    pub(crate) fn trusts(&self, chain: &[CertificateDer<'_>]) -> bool {
        let (Some(trust), Some((own, others))) = (&self.clients, chain.split_first()) else { return false };
        trust.verifier.verify_client_cert(own, others, UnixTime::now()).is_ok()
    }

    /// Whether both trust the same clients, as far as the files tell.
    pub(crate) fn trusts_as(&self, other: &Tls) -> bool {
        let digest = |tls: &Tls| tls.clients.as_ref().map(|trust| trust.digest);
        digest(self) == digest(other)
    }
}

impl OfFiles for Tls {
    type Settings = conf::Tls;

    fn paths(settings: &conf::Tls) -> Vec<PathBuf> {
        let conf::Tls { certfile, keyfile, cafile, crlfile, .. } = settings;
        [certfile, keyfile].into_iter().chain(cafile).chain(crlfile).cloned().collect()
    }

    fn load(settings: &conf::Tls) -> Result<Self, Error> {
        let load = || Tls::new(settings, identity(settings)?, trust(settings)?);
        load().map_err(Error::Tls)
    }

    /// Who is revoked must go although the server's own pair cannot be used, and the other way round.
    fn reload(&self, settings: &conf::Tls) -> (Option<Self>, Vec<Error>) {
        let mut errors = Vec::new();
        let own = identity(settings).unwrap_or_else(|error| {
            errors.push(error);
            Arc::clone(&self.own)
        });
        let clients = trust(settings).unwrap_or_else(|error| {
            errors.push(error);
            self.clients.clone()
        });
        let mut new = None;
        if errors.len() < 2 {
            new = Tls::new(settings, own, clients).map_err(|error| errors.push(error)).ok();
        }
        (new, errors.into_iter().map(Error::Tls).collect())
    }
}

/// The certificate that the server shows, and its key.
fn identity(settings: &conf::Tls) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain: Chain = all(&settings.certfile)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: settings.certfile.clone() });
    }
    let key = PrivateKeyDer::from_pem_file(&settings.keyfile)
        .map_err(|source| TlsError::File { path: settings.keyfile.clone(), source })?;
    let pair = CertifiedKey::from_der(chain, key, &ring::default_provider());
    pair.map(Arc::new).map_err(|source| TlsError::Identity { certfile: settings.certfile.clone(), source })
}

/// As in Mosquitto a certificate is not even asked for where nothing depends on it.
fn trust(settings: &conf::Tls) -> Result<Option<Trust>, TlsError> {
    if !settings.require_certificate && !settings.use_identity_as_username {
        return Ok(None);
    }
    let cafile = settings.cafile.as_ref().ok_or(TlsError::NoAuthority)?;
    let mut digest = Sha256::new();
    let mut roots = RootCertStore::empty();
    for certificate in all::<CertificateDer<'static>>(cafile)? {
        digest.update(&certificate);
        let added = roots.add(certificate);
        added.map_err(|source| TlsError::Authority { path: cafile.clone(), source })?;
    }
    if roots.is_empty() {
        return Err(TlsError::NoCertificate { path: cafile.clone() });
    }
    let provider = Arc::new(ring::default_provider());
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if let Some(crlfile) = &settings.crlfile {
        // With a list, an authority that has none is not trusted, as in Mosquitto. A list that is out of date still
        // counts: a server that cannot renew it must not lock out the fleet.
        let lists: Vec<CertificateRevocationListDer<'static>> = all(crlfile)?;
        lists.iter().for_each(|list| digest.update(list));
        verifier = verifier.with_crls(lists).only_check_end_entity_revocation();
    }
    if !settings.require_certificate {
        verifier = verifier.allow_unauthenticated();
    }
    let verifier = verifier.build().map_err(TlsError::Clients)?;
    Ok(Some(Trust { verifier, digest: digest.finalize().into() }))
}

/// All objects of one kind in a PEM file.
fn all<T: PemObject>(path: &Path) -> Result<Vec<T>, TlsError> {
    let error = |source| TlsError::File { path: path.to_owned(), source };
    T::pem_file_iter(path).map_err(error)?.collect::<Result<_, _>>().map_err(error)
}

/// The name that a certificate gives its owner.
pub(crate) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?.as_str().ok()?;
    Some(name.to_owned())
}

/// Whether a handshake failed for the client's certificate.
pub(crate) fn is_about_certificate(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented))
}
