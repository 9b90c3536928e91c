//! What a client's packets come and go by: TCP, TLS, or WebSocket over either.
//!
//! Both directions are polled in one task, so there is no half of a stream and no lock between halves.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::websocket::WebSocket;

const READ_BYTES: usize = 8 * 1024;

/// TCP, with or without TLS.
pub(crate) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// For the fuzz target.
    #[cfg(feature = "fuzzing")]
    Memory(tokio::io::DuplexStream),
}

pub(crate) struct Stream {
    wire: Wire,
    /// What was sent may still be in a buffer of TLS or WebSocket.
    unflushed: bool,
}

enum Wire {
    Socket(Socket),
    WebSocket(Box<WebSocket>),
}

/// What came of an exchange.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) received: usize,
    pub(crate) sent: usize,
    /// Frames of WebSocket, with or without a byte of MQTT in them. Each costs us as much as a packet.
    pub(crate) frames: u32,
    /// The client has closed its direction.
    pub(crate) ended: bool,
}

impl From<Socket> for Stream {
    fn from(socket: Socket) -> Self {
        Stream { wire: Wire::Socket(socket), unflushed: false }
    }
}

impl From<WebSocket> for Stream {
    fn from(socket: WebSocket) -> Self {
        Stream { wire: Wire::WebSocket(Box::new(socket)), unflushed: false }
    }
}

impl Stream {
    /// A client may send packets of this size from now on.
    pub(crate) fn expect_packets(&mut self, packet_bytes: usize) {
        if let Wire::WebSocket(socket) = &mut self.wire {
            socket.expect_packets(packet_bytes);
        }
    }

    /// Whether all that was sent has left.
    pub(crate) fn is_flushed(&self) -> bool {
        !self.unflushed
    }

    /// Sends what is in `outbound`, and receives into `inbound` if `receiving`: waits until there is progress in either
    /// direction. Nothing is lost when it is dropped.
    ///
    /// An error of the kind `InvalidData` means that the client broke the protocol below MQTT.
    pub(crate) async fn exchange(
        &mut self,
        inbound: &mut BytesMut,
        outbound: &mut BytesMut,
        receiving: bool,
    ) -> io::Result<Moved> {
        poll_fn(|cx| {
            let sent = self.poll_send(cx, outbound)?;
            let received = if receiving { self.poll_receive(cx, inbound)? } else { Poll::Pending };
            match (sent, received) {
                (Poll::Pending, Poll::Pending) => Poll::Pending,
                (Poll::Ready(sent), Poll::Pending) => Poll::Ready(Ok(Moved { sent, ..Moved::default() })),
                (Poll::Pending, Poll::Ready(moved)) => Poll::Ready(Ok(moved)),
                (Poll::Ready(sent), Poll::Ready(moved)) => Poll::Ready(Ok(Moved { sent, ..moved })),
            }
        })
        .await
    }

    /// Sends what is left, and that it was all.
    pub(crate) async fn finish(&mut self, outbound: &mut BytesMut) -> io::Result<()> {
        poll_fn(|cx| {
            while !outbound.is_empty() || self.unflushed {
                ready!(self.poll_send(cx, outbound)?);
            }
            Poll::Ready(io::Result::Ok(()))
        })
        .await?;
        match &mut self.wire {
            Wire::Socket(socket) => socket.shutdown().await,
            Wire::WebSocket(socket) => socket.finish().await,
        }
    }

    /// Ready when something was sent, or flushed.
    fn poll_send(&mut self, cx: &mut Context<'_>, outbound: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut sent = 0;
        while !outbound.is_empty() {
            let written = match &mut self.wire {
                Wire::Socket(socket) => match Pin::new(socket).poll_write(cx, outbound)? {
                    Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(bytes) => {
                        outbound.advance(bytes);
                        Poll::Ready(bytes)
                    }
                    Poll::Pending => Poll::Pending,
                },
                Wire::WebSocket(socket) => socket.poll_send(cx, outbound)?,
            };
            let Poll::Ready(bytes) = written else {
                return if sent > 0 { Poll::Ready(Ok(sent)) } else { Poll::Pending };
            };
            sent += bytes;
            self.unflushed = true;
        }
        if !self.unflushed {
            return Poll::Pending;
        }
        let flushed = match &mut self.wire {
            Wire::Socket(socket) => Pin::new(socket).poll_flush(cx)?,
            Wire::WebSocket(socket) => socket.poll_flush(cx)?,
        };
        self.unflushed = flushed.is_pending();
        if sent > 0 || flushed.is_ready() { Poll::Ready(Ok(sent)) } else { Poll::Pending }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, inbound: &mut BytesMut) -> Poll<io::Result<Moved>> {
        match &mut self.wire {
            Wire::Socket(socket) => {
                // Not straight into `inbound`: who says nothing needs no memory for what it might say.
                let mut place = [MaybeUninit::uninit(); READ_BYTES];
                let mut read = ReadBuf::uninit(&mut place);
                ready!(Pin::new(socket).poll_read(cx, &mut read))?;
                let received = read.filled().len();
                inbound.extend_from_slice(read.filled());
                Poll::Ready(Ok(Moved { received, ended: received == 0, ..Moved::default() }))
            }
            Wire::WebSocket(socket) => socket.poll_receive(cx, inbound),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Socket::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(feature = "fuzzing")]
            Socket::Memory(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(feature = "fuzzing")]
            Socket::Memory(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "fuzzing")]
            Socket::Memory(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(feature = "fuzzing")]
            Socket::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
