//! MQTT over WebSocket.

use anyhow::{Context, Result, bail, ensure};
use bugbrother_kit::mqtt::packet::{self, Packet, packet};
use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{cases, lab::Lab};

cases! {
    the_subprotocol_is_chosen: "6.0.0-4", "6.0.0-4";
    packets_come_in_parts_and_together: "6.0.0-2", "6.0.0-2";
    a_frame_of_text_ends_the_connection: "6.0.0-1", "6.0.0-1";
}

const LIMIT: std::time::Duration = std::time::Duration::from_secs(18);

struct Socket {
    stream: WebSocketStream<TcpStream>,
    version: u8,
    buffer: Vec<u8>,
}

impl Socket {
    async fn open(lab: &Lab) -> Result<(Self, Option<String>)> {
        let address = lab.broker.websocket;
        let mut request = format!("ws://{address}/mqtt").into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", "mqtt".parse()?);
        let stream = TcpStream::connect(address).await?;
        let (stream, answer) = timeout(LIMIT, client_async(request, stream)).await??;
        let chosen = answer.headers().get("sec-websocket-protocol").map(|name| name.to_str().map(str::to_owned));
        Ok((Socket { stream, version: lab.version, buffer: Vec::new() }, chosen.transpose()?))
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.send(Message::binary(bytes.to_vec())).await?)
    }

    /// The next packet; `None` when it has ended.
    async fn next(&mut self) -> Result<Option<Packet>> {
        loop {
            if let Some((first, body)) = packet::frame(&self.buffer)? {
                let end = body.end;
                let packet = Packet::read(self.version, first, &self.buffer[body]);
                self.buffer.drain(..end);
                return packet.map(Some);
            }
            match timeout(LIMIT, self.stream.next()).await.context("the broker says nothing")? {
                Some(Ok(Message::Binary(bytes))) => self.buffer.extend(bytes),
                Some(Ok(Message::Text(text))) => bail!("a text: {text}"),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(None),
                Some(Ok(_)) => {}
            }
        }
    }

    async fn join(lab: &Lab) -> Result<Self> {
        let (mut socket, _) = Self::open(lab).await?;
        socket.send(&lab.connect("a").bytes()).await?;
        let welcome = socket.next().await?;
        ensure!(matches!(welcome, Some(Packet::ConnAck { code: 0, .. })), "{welcome:?}");
        Ok(socket)
    }
}

async fn the_subprotocol_is_chosen(lab: Lab) -> Result<()> {
    let (_, chosen) = Socket::open(&lab).await?;
    ensure!(chosen.as_deref() == Some("mqtt"), "{chosen:?}");
    Ok(())
}

async fn packets_come_in_parts_and_together(lab: Lab) -> Result<()> {
    let (mut socket, _) = Socket::open(&lab).await?;
    for byte in lab.connect("a").bytes() {
        socket.send(&[byte]).await?;
    }
    let welcome = socket.next().await?;
    ensure!(matches!(welcome, Some(Packet::ConnAck { code: 0, .. })), "{welcome:?}");
    let ping = packet(0xC0, &[]);
    socket.send(&[&ping[..], &ping, &ping[..1]].concat()).await?;
    socket.send(&ping[1..]).await?;
    for _ in 0..3 {
        let answer = socket.next().await?;
        ensure!(answer == Some(Packet::PingResp), "{answer:?}");
    }
    Ok(())
}

async fn a_frame_of_text_ends_the_connection(lab: Lab) -> Result<()> {
    let mut socket = Socket::join(&lab).await?;
    // Bytes that would be a packet in a frame of the right kind.
    let text = if lab.version == 5 { "0\u{4}\0\u{1}a\0" } else { "0\u{3}\0\u{1}a" };
    socket.stream.send(Message::text(text)).await?;
    loop {
        match socket.next().await? {
            None => return Ok(()),
            Some(Packet::Disconnect { .. }) => {}
            Some(other) => bail!("{other:?} came for a text"),
        }
    }
}
