//! MQTT over WebSocket (3.1.1 and 5.0, chapter 6): binary messages, which need not begin or end where packets do.

use std::{
    future::poll_fn,
    io::{self, Read, Write},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::io::{AsyncRead as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Error, Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, StatusCode, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext, frame::coding::CloseCode},
    },
};

use crate::stream::{Moved, Socket};

/// The only subprotocol: `mqttv3.1` is a version that is not spoken here.
const SUBPROTOCOL: &str = "mqtt";
/// A message of somebody who is not known yet.
const MAX_FIRST_BYTES: usize = 64 * 1024;
const READ_BYTES: usize = 4 * 1024;
/// A message of ours.
const MESSAGE_BYTES: usize = 16 * 1024;
/// One of them, and a pong.
const MAX_UNSENT_BYTES: usize = 2 * MESSAGE_BYTES;

pub(crate) struct WebSocket {
    socket: Socket,
    context: WebSocketContext,
    /// The last message has not left as a whole.
    blocked: bool,
}

/// The request is none for this broker, or no request.
#[derive(Debug)]
pub(crate) struct NoUpgrade;

impl WebSocket {
    /// Answers the client's request, at any path.
    pub(crate) async fn accept(socket: Socket) -> Result<Self, NoUpgrade> {
        let upgraded = accept_hdr_async(socket, answer).await.map_err(|_| NoUpgrade)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(MAX_UNSENT_BYTES)
            .max_frame_size(Some(MAX_FIRST_BYTES))
            .max_message_size(Some(MAX_FIRST_BYTES));
        // Nothing is left behind: a request with something after it is refused.
        let socket = upgraded.into_inner();
        Ok(WebSocket { socket, context: WebSocketContext::new(Role::Server, Some(config)), blocked: false })
    }

    /// A message may hold a packet of this size now, and a few small ones.
    pub(crate) fn expect_packets(&mut self, packet_bytes: usize) {
        let most = Some(packet_bytes.saturating_add(MAX_FIRST_BYTES));
        self.context.set_config(|config| (config.max_frame_size, config.max_message_size) = (most, most));
    }

    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, outbound: &mut BytesMut) -> Poll<io::Result<usize>> {
        ready!(self.poll_unblock(cx))?;
        let part = outbound.split_to(outbound.len().min(MESSAGE_BYTES)).freeze();
        let bytes = part.len();
        let mut polled = Polled { socket: &mut self.socket, cx };
        match self.context.write(&mut polled, Message::Binary(part)) {
            Ok(()) => {}
            // It waits in the context's buffer.
            Err(error) if would_block(&error) => self.blocked = true,
            Err(error) => return Poll::Ready(Err(into_io(error))),
        }
        Poll::Ready(Ok(bytes))
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut polled = Polled { socket: &mut self.socket, cx };
        match self.context.flush(&mut polled) {
            Ok(()) => {
                self.blocked = false;
                Poll::Ready(Ok(()))
            }
            Err(error) if would_block(&error) => Poll::Pending,
            Err(error) => Poll::Ready(Err(into_io(error))),
        }
    }

    fn poll_unblock(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.blocked { self.poll_flush(cx) } else { Poll::Ready(Ok(())) }
    }

    /// Receives one message. Pings and the client's goodbye are answered on the way.
    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>, inbound: &mut BytesMut) -> Poll<io::Result<Moved>> {
        let mut polled = Polled { socket: &mut self.socket, cx };
        let fault = loop {
            match self.context.read(&mut polled) {
                Ok(Message::Binary(bytes)) if !bytes.is_empty() => {
                    let received = bytes.len();
                    if inbound.is_empty() {
                        *inbound = bytes.into();
                    } else {
                        inbound.extend_from_slice(&bytes);
                    }
                    return Poll::Ready(Ok(Moved { received, ..Moved::default() }));
                }
                Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_)) => {
                    return Poll::Ready(Ok(Moved { empty_frames: 1, ..Moved::default() }));
                }
                // The answer goes at the next look, which then finds the end.
                Ok(Message::Close(_)) => {}
                Ok(Message::Text(_) | Message::Frame(_)) => break CloseCode::Unsupported,
                Err(error) if would_block(&error) => return Poll::Pending,
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => {
                    return Poll::Ready(Ok(Moved { ended: true, ..Moved::default() }));
                }
                Err(Error::Capacity(_)) => break CloseCode::Size,
                Err(Error::Protocol(_) | Error::Utf8(_)) => break CloseCode::Protocol,
                Err(error) => return Poll::Ready(Err(into_io(error))),
            }
        };
        // A courtesy: if it does not leave at once it does not leave.
        self.context.close(&mut polled, Some(CloseFrame { code: fault, reason: "".into() })).ok();
        Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
    }

    /// Says goodbye.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        let closed = poll_fn(|cx| {
            let mut polled = Polled { socket: &mut self.socket, cx };
            match self.context.close(&mut polled, None) {
                Err(error) if would_block(&error) => Poll::Pending,
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => Poll::Ready(Ok(())),
                result => Poll::Ready(result.map_err(into_io)),
            }
        });
        closed.await?;
        self.socket.shutdown().await
    }
}

#[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
fn answer(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    if offered.flat_map(|value| value.split(',')).any(|name| name.trim() == SUBPROTOCOL) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        return Ok(response);
    }
    let mut refused = ErrorResponse::new(Some("the WebSocket subprotocol here is `mqtt`\n".to_owned()));
    *refused.status_mut() = StatusCode::BAD_REQUEST;
    Err(refused)
}

fn would_block(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn into_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        error => io::Error::other(error),
    }
}

/// A socket for a codec that knows nothing of tasks: what would wait fails, and wakes this task when it would not.
struct Polled<'a, 'b> {
    socket: &'a mut Socket,
    cx: &'a mut Context<'b>,
}

fn now<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl Read for Polled<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(bytes);
        now(Pin::new(&mut *self.socket).poll_read(self.cx, &mut buffer))?;
        Ok(buffer.filled().len())
    }
}

impl Write for Polled<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        now(Pin::new(&mut *self.socket).poll_write(self.cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        now(Pin::new(&mut *self.socket).poll_flush(self.cx))
    }
}
