//! TLS of a client, as an agent or a third party speaks it.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A certificate with its chain and its private key, PEM.
pub type Identity<'a> = (&'a str, &'a str);

/// Settings of a client that trusts these signers, PEM.
pub fn client(signers: &str, identity: Option<Identity<'_>>) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(signers.as_bytes()) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(roots);
    Ok(Arc::new(match identity {
        None => config.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>()?;
            config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?
        }
    }))
}

/// Connects to a server on this machine.
pub async fn connect(address: SocketAddr, config: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>> {
    over(TcpStream::connect(address).await?, config).await
}

/// The handshake, over a connection that is there.
pub async fn over(stream: TcpStream, config: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>> {
    stream.set_nodelay(true)?;
    let name = ServerName::from(stream.peer_addr()?.ip());
    Ok(TlsConnector::from(config).connect(name, stream).await?)
}
