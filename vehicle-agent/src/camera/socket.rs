//! The WebSocket of a live stream, through TLS but on this machine.

use std::{io, sync::Arc};

use bugbrother_wire::CameraId;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream, lookup_host},
    task::spawn_blocking,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error,
        client::IntoClientRequest,
        http::{Uri, header::AUTHORIZATION},
        protocol::WebSocketConfig,
    },
};

use super::office::Office;

/// What the kernel holds back for a slow network. More would be seconds of old pictures.
const SEND_BUFFER: u32 = 64 << 10;
/// The server says nothing but goodbye.
const MAX_HEARD: usize = 4 << 10;
/// What is written to the socket at once.
const WRITE_BUFFER: usize = 32 << 10;

/// A connection, in the clear or not.
pub(super) trait Way: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Way for T {}

pub(super) type Socket = WebSocketStream<Box<dyn Way>>;

/// Opens one for a camera; in words why it cannot be.
pub(super) async fn open(office: &Office, camera: &CameraId, ticket: Option<&str>) -> Result<Socket, String> {
    let asked = office.clone();
    let token = spawn_blocking(move || asked.token()).await.map_err(|error| error.to_string())?;
    let token = token.map_err(|error| error.to_string())?;
    // http becomes ws, and https wss.
    let address = office.address().replacen("http", "ws", 1);
    let ticket = ticket.map(|ticket| format!("?ticket={ticket}")).unwrap_or_default();
    let uri: Uri =
        format!("{address}/api/embedded/live/{camera}{ticket}").parse().map_err(|_| "the ticket is none".to_owned())?;
    let unreachable = |error: io::Error| format!("the fleet's server cannot be reached: {error}");
    let way = connect(office, &uri).await.map_err(unreachable)?;
    let mut request = uri.into_client_request().map_err(|error| error.to_string())?;
    let bearer = format!("Bearer {token}").parse().map_err(|_| "the session's token is none".to_owned())?;
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_HEARD))
        .max_frame_size(Some(MAX_HEARD))
        .write_buffer_size(0)
        .max_write_buffer_size(bugbrother_wire::video::MAX_MESSAGE_BYTES + WRITE_BUFFER);
    match client_async_with_config(request, way, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => {
            if answer.status().as_u16() == 401 {
                office.forget_session();
            }
            Err(format!("the fleet's server wants no live pictures ({})", answer.status()))
        }
        Err(error) => Err(format!("the fleet's server speaks no WebSocket: {error}")),
    }
}

async fn connect(office: &Office, uri: &Uri) -> io::Result<Box<dyn Way>> {
    let is_secure = uri.scheme_str() == Some("wss");
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let tcp = reach(&host, port).await?;
    if !is_secure {
        return Ok(Box::new(tcp));
    }
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let tls = TlsConnector::from(config(office.roots())?);
    Ok(Box::new(tls.connect(name, tcp).await?))
}

async fn reach(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in lookup_host((host, port)).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_send_buffer_size(SEND_BUFFER)?;
        match socket.connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn config(roots: RootCertStore) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(io::Error::other)?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
