//! MQTT over WebSocket (3.1.1 and 5.0, chapter 6): binary messages, which need not begin or end where packets do.

use std::{
    future::poll_fn,
    io::{self, Cursor, Read, Write},
    mem,
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
        protocol::{
            CloseFrame, Role, WebSocketConfig, WebSocketContext,
            frame::{FrameHeader, coding::CloseCode},
        },
    },
};

use crate::stream::{Moved, Socket};

/// The only subprotocol: `mqttv3.1` is a version that is not spoken here.
const SUBPROTOCOL: &str = "mqtt";
/// A message of somebody who is not known yet.
const MAX_FIRST_BYTES: usize = 64 * 1024;
/// Frames of somebody who is not known yet, and so cannot be made to pay for them.
const MAX_FIRST_FRAMES: u32 = 1_000;
const READ_BYTES: usize = 4 * 1024;
/// A message of ours.
const MESSAGE_BYTES: usize = 16 * 1024;
/// One of them, and a pong.
const MAX_UNSENT_BYTES: usize = 2 * MESSAGE_BYTES;

pub(crate) struct WebSocket {
    wire: Wire,
    context: WebSocketContext,
    /// The last message has not left as a whole.
    blocked: bool,
    /// How many frames may still come from somebody who is not known yet.
    first_frames: Option<u32>,
}

/// The socket, and how many frames came from it: the codec hands over whole messages, and a message may be of very many
/// fragments without a byte in them.
struct Wire {
    socket: Socket,
    counter: FrameCounter,
    /// Frames that have begun since somebody asked.
    frames: u32,
    /// The codec reads for as long as it gets anything, so it gets one portion at a time.
    may_read: bool,
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
        let wire = Wire { socket, counter: FrameCounter::default(), frames: 0, may_read: false };
        let context = WebSocketContext::new(Role::Server, Some(config));
        Ok(WebSocket { wire, context, blocked: false, first_frames: Some(MAX_FIRST_FRAMES) })
    }

    /// The client is known: a message may hold a packet of this size now, and a few small ones.
    pub(crate) fn expect_packets(&mut self, packet_bytes: usize) {
        self.first_frames = None;
        let most = Some(packet_bytes.saturating_add(MAX_FIRST_BYTES));
        self.context.set_config(|config| (config.max_frame_size, config.max_message_size) = (most, most));
    }

    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, outbound: &mut BytesMut) -> Poll<io::Result<usize>> {
        ready!(self.poll_unblock(cx))?;
        let part = outbound.split_to(outbound.len().min(MESSAGE_BYTES)).freeze();
        let bytes = part.len();
        let mut polled = Polled { wire: &mut self.wire, cx };
        match self.context.write(&mut polled, Message::Binary(part)) {
            Ok(()) => {}
            // It waits in the context's buffer.
            Err(error) if would_block(&error) => self.blocked = true,
            Err(error) => return Poll::Ready(Err(into_io(error))),
        }
        Poll::Ready(Ok(bytes))
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut polled = Polled { wire: &mut self.wire, cx };
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

    /// Receives one message, or reads one portion. Pings and the client's goodbye are answered on the way.
    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>, inbound: &mut BytesMut) -> Poll<io::Result<Moved>> {
        self.wire.may_read = true;
        let received = self.poll_message(cx, inbound)?;
        let frames = mem::take(&mut self.wire.frames);
        if let Some(left) = &mut self.first_frames {
            *left = left.checked_sub(frames).ok_or(io::ErrorKind::InvalidData)?;
        }
        match received {
            Poll::Ready(moved) => Poll::Ready(Ok(Moved { frames, ..moved })),
            Poll::Pending if self.wire.may_read => Poll::Pending,
            // A portion was read, and there may be more: nobody was asked to wake us.
            Poll::Pending => Poll::Ready(Ok(Moved { frames, ..Moved::default() })),
        }
    }

    fn poll_message(&mut self, cx: &mut Context<'_>, inbound: &mut BytesMut) -> Poll<io::Result<Moved>> {
        let mut polled = Polled { wire: &mut self.wire, cx };
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
                // The answer to Close goes at the next look, which then finds the end.
                Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Close(_)) => {}
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
            let mut polled = Polled { wire: &mut self.wire, cx };
            match self.context.close(&mut polled, None) {
                Err(error) if would_block(&error) => Poll::Pending,
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => Poll::Ready(Ok(())),
                result => Poll::Ready(result.map_err(into_io)),
            }
        });
        closed.await?;
        self.wire.socket.shutdown().await
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
    wire: &'a mut Wire,
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
        if !self.wire.may_read {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut buffer = ReadBuf::new(bytes);
        now(Pin::new(&mut self.wire.socket).poll_read(self.cx, &mut buffer))?;
        self.wire.may_read = false;
        self.wire.frames += self.wire.counter.count(buffer.filled());
        Ok(buffer.filled().len())
    }
}

impl Write for Polled<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        now(Pin::new(&mut self.wire.socket).poll_write(self.cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        now(Pin::new(&mut self.wire.socket).poll_flush(self.cx))
    }
}

/// Counts the frames in a stream of bytes.
#[derive(Default)]
struct FrameCounter {
    /// What has come of a frame's header.
    header: Vec<u8>,
    /// What has not come yet of the payload before it.
    payload_bytes: u64,
}

impl FrameCounter {
    /// How many headers end in these bytes.
    fn count(&mut self, mut bytes: &[u8]) -> u32 {
        let mut frames = 0;
        loop {
            let skipped = usize::try_from(self.payload_bytes).unwrap_or(usize::MAX).min(bytes.len());
            self.payload_bytes -= skipped as u64;
            let Some((next, rest)) = bytes[skipped..].split_first() else { return frames };
            bytes = rest;
            self.header.push(*next);
            match FrameHeader::parse(&mut Cursor::new(&self.header)) {
                Ok(None) => {}
                Ok(Some((_, payload_bytes))) => {
                    frames += 1;
                    self.header.clear();
                    self.payload_bytes = payload_bytes;
                }
                // The codec finds the same and ends the connection.
                Err(_) => return frames,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    };

    use super::*;

    #[test]
    fn frames_are_counted_wherever_the_bytes_are_cut() {
        let mut stream = Vec::new();
        for length in [0, 1, 125, 126, 70_000, 0, 0, 3] {
            let mut frame = Frame::message(vec![0x81; length], OpCode::Data(Data::Binary), length % 2 == 0);
            frame.header_mut().mask = Some([1, 2, 3, 4]);
            frame.format(&mut stream).unwrap();
        }
        for portion in [1, 2, 3, 7, 100, 4096, 100_000] {
            let mut counter = FrameCounter::default();
            assert_eq!(stream.chunks(portion).map(|bytes| counter.count(bytes)).sum::<u32>(), 8, "{portion}");
        }
    }
}
