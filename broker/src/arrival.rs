//! From a connection to a stream of MQTT: the proxy's header, TLS and WebSocket, as the listener wants them.

use std::{net::SocketAddr, sync::Arc};

use bugbrother_mosquitto_compat::conf::{self, Protocol};
use rustls::HandshakeKind;
use tokio::{
    net::TcpStream,
    sync::{Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Error,
    access::Access,
    doorstep::Waiting,
    files::Files,
    handshake::Cause,
    proxy::{self, NoHeader},
    stream::{Socket, Stream},
    tls::{self, Chain, Tls},
    websocket::{NoUpgrade, WebSocket},
};

/// What TLS may hold back of what was sent: a record. So that it shows soon when a socket takes nothing any more.
const UNSENT_BYTES: usize = 16 * 1024;

/// What a listener wants of those who come, and whom it lets in.
pub(crate) struct Entrance {
    pub(crate) access: watch::Receiver<Arc<Access>>,
    /// Clients of this listener.
    pub(crate) places: Option<Arc<Semaphore>>,
    /// The certificate says who it is.
    pub(crate) named_by_certificate: bool,
    pub(crate) behind_proxy: bool,
    /// The rules know a client by its user name only.
    pub(crate) username_as_client_id: bool,
    tls: Option<watch::Receiver<Arc<Tls>>>,
    web: bool,
}

/// Somebody who can be understood, and is not known yet.
pub(crate) struct Arrival {
    pub(crate) stream: Stream,
    pub(crate) certificate: Option<Certificate>,
}

/// A client's certificate that was trusted when it came.
pub(crate) struct Certificate {
    chain: Chain,
    /// What the listener trusts, as it was then.
    trusted: Arc<Tls>,
    tls: watch::Receiver<Arc<Tls>>,
}

impl Entrance {
    pub(crate) fn new(settings: &conf::Listener, files: &mut Files) -> Result<Self, Error> {
        Ok(Entrance {
            access: files.access(&settings.access)?,
            places: settings.max_connections.map(|places| Arc::new(Semaphore::new(places as usize))),
            named_by_certificate: settings.tls.as_ref().is_some_and(|tls| tls.use_identity_as_username),
            behind_proxy: settings.proxy_protocol,
            username_as_client_id: settings.username_as_client_id,
            tls: settings.tls.as_ref().map(|tls| files.tls(tls)).transpose()?,
            web: settings.protocol == Protocol::WebSockets,
        })
    }

    /// Goes through all that comes before the first packet. `peer` becomes the client's address where a proxy tells it.
    pub(crate) async fn open(
        &self,
        mut stream: TcpStream,
        peer: &mut SocketAddr,
        doorstep: &mut Waiting,
    ) -> Result<Arrival, Cause> {
        stream.set_nodelay(true).map_err(|_| Cause::Closed)?;
        if self.behind_proxy {
            let told = proxy::read_header(&mut stream).await.map_err(|error| match error {
                NoHeader::Closed => Cause::Closed,
                NoHeader::Malformed => Cause::ProxyHeader,
            })?;
            *peer = told.unwrap_or(*peer);
            doorstep.is_of(peer.ip()).map_err(Cause::Doorstep)?;
        }
        let (socket, certificate) = match &self.tls {
            Some(tls) => self.secure(stream, tls.clone()).await?,
            None => (Socket::Plain(stream), None),
        };
        let stream = if self.web {
            WebSocket::accept(socket).await.map_err(|NoUpgrade| Cause::WebSocket)?.into()
        } else {
            socket.into()
        };
        Ok(Arrival { stream, certificate })
    }

    async fn secure(
        &self,
        stream: TcpStream,
        mut tls: watch::Receiver<Arc<Tls>>,
    ) -> Result<(Socket, Option<Certificate>), Cause> {
        let trusted = Arc::clone(&tls.borrow_and_update());
        let config = if self.web { &trusted.web } else { &trusted.mqtt };
        let mut stream = TlsAcceptor::from(Arc::clone(config))
            .accept(stream)
            .await
            .map_err(|error| if tls::is_about_certificate(&error) { Cause::Certificate } else { Cause::Tls })?;
        let connection = stream.get_mut().1;
        connection.set_buffer_limit(Some(UNSENT_BYTES));
        let chain =
            connection.peer_certificates().map(|chain| chain.iter().map(|one| one.clone().into_owned()).collect());
        let certificate = chain.map(|chain| Certificate { chain, trusted, tls });
        // A ticket says only that the certificate was good when the ticket was given.
        let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        if resumed && certificate.as_ref().is_some_and(|certificate| !certificate.trusted.trusts(&certificate.chain)) {
            return Err(Cause::Certificate);
        }
        Ok((Socket::Tls(Box::new(stream)), certificate))
    }
}

impl Certificate {
    /// The name that it gives its owner.
    pub(crate) fn common_name(&self) -> Option<String> {
        tls::common_name(self.chain.first()?)
    }

    /// Waits until files of the listener's TLS have changed; whether the certificate would be trusted now.
    pub(crate) async fn is_still_trusted(&mut self) -> bool {
        loop {
            if self.tls.changed().await.is_err() {
                // The sender ends with the gate, which ends the session in another way.
                std::future::pending::<()>().await;
            }
            let now = Arc::clone(&self.tls.borrow_and_update());
            // Another certificate of the server's own is no reason to look at all clients.
            if !now.trusts_as(&self.trusted) {
                self.trusted = now;
                return self.trusted.trusts(&self.chain);
            }
        }
    }
}
