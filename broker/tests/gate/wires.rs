//! Other ways to a broker than plain TCP.

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest as _,
        handshake::client::Request,
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
    },
};

use crate::{
    authority::{Authority, Issued},
    kit::{Raw, Wire},
};

/// A TLS client that trusts `authority`, and has a certificate or not.
pub fn trusting(authority: &Authority, own: Option<&Issued>) -> Arc<ClientConfig> {
    Arc::new(config(authority, own, &[&TLS13, &TLS12]))
}

pub fn config(
    authority: &Authority,
    own: Option<&Issued>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    match own {
        Some(own) => builder.with_client_auth_cert(own.chain(), own.private_key()).unwrap(),
        None => builder.with_no_client_auth(),
    }
}

pub async fn secure(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    secure_over(stream, config).await
}

pub async fn secure_over<S: Wire>(stream: S, config: &Arc<ClientConfig>) -> io::Result<TlsStream<S>> {
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

/// A request for a WebSocket with these subprotocols.
pub fn request(subprotocols: &'static str) -> Request {
    let mut request = "ws://localhost/mqtt".into_client_request().unwrap();
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocols));
    request
}

pub async fn upgrade<S: Wire>(stream: S) -> Result<WebSocketStream<S>, Error> {
    let (socket, response) = client_async(request("mqtt"), stream).await?;
    assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], "mqtt");
    Ok(socket)
}

/// A client whose bytes go in messages of at most `most` bytes, whatever packets they belong to.
pub async fn websocket(stream: impl Wire + 'static, most: usize) -> Raw {
    let (mut sender, mut receiver) = upgrade(stream).await.unwrap().split();
    let (near, far) = duplex(64 * 1024);
    let (mut from_test, mut to_test) = tokio::io::split(far);
    tokio::spawn(async move {
        let mut bytes = vec![0; most];
        while let Ok(length @ 1..) = from_test.read(&mut bytes).await {
            if sender.send(Message::Binary(Bytes::copy_from_slice(&bytes[..length]))).await.is_err() {
                return;
            }
        }
        sender.close().await.ok();
    });
    tokio::spawn(async move {
        while let Some(Ok(message)) = receiver.next().await {
            match message {
                Message::Binary(bytes) => to_test.write_all(&bytes).await.unwrap(),
                Message::Close(_) => break,
                other => panic!("not a binary message: {other:?}"),
            }
        }
        to_test.shutdown().await.ok();
    });
    Raw::over(near)
}
