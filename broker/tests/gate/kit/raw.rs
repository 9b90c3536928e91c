//! A client that sends any bytes.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::{Connect, PATIENCE, packet, publish, string};

/// A PUBLISH that came.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub duplicate: bool,
    pub retain: bool,
    pub id: u16,
    pub properties: Vec<u8>,
}

/// Whatever bytes go over.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A client without a mind of its own.
pub struct Raw {
    stream: Box<dyn Wire>,
    /// As in CONNECT.
    pub version: u8,
    last_id: u16,
    /// Messages that came while something else was waited for.
    waiting: Vec<Message>,
    /// Whether deliveries at QoS 1 and 2 are acknowledged as they are read.
    pub acknowledges: bool,
}

impl Raw {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Raw::over(stream)
    }

    /// From another of this machine's own addresses.
    pub async fn open_from(source: Ipv4Addr, address: SocketAddr) -> Self {
        Raw::over(dial_from(source, address).await)
    }

    pub fn over(stream: impl Wire + 'static) -> Self {
        Raw { stream: Box::new(stream), version: 4, last_id: 0, waiting: Vec::new(), acknowledges: true }
    }

    pub async fn connect(address: SocketAddr, connect: Connect) -> Self {
        Self::open(address).await.welcomed(connect).await
    }

    /// Sends CONNECT and is let in.
    pub async fn welcomed(mut self, connect: Connect) -> Self {
        let (first, body) = self.offer(connect).await.expect("a CONNACK");
        assert_eq!((first, body[1]), (0x20, 0), "refused: {body:?}");
        self
    }

    /// Sends CONNECT and is let in; whether an earlier session goes on.
    pub async fn resumes(&mut self, connect: Connect) -> bool {
        let (first, body) = self.offer(connect).await.expect("a CONNACK");
        assert_eq!((first, body[1]), (0x20, 0), "refused: {body:?}");
        body[0] == 1
    }

    /// Sends CONNECT; the code in CONNACK, `None` when there is none.
    pub async fn code(mut self, connect: Connect) -> Option<u8> {
        Some(self.offer(connect).await?.1[1])
    }

    /// Sends CONNECT; what comes back, `None` when the socket is closed.
    pub async fn offer(&mut self, connect: Connect) -> Option<(u8, Vec<u8>)> {
        self.version = connect.version;
        self.send(&connect.bytes()).await;
        self.packet().await
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("the broker reads").unwrap();
    }

    /// Sends to a broker that may have closed the connection already.
    pub async fn try_send(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("the broker reads or closes").ok();
    }

    /// First byte and body of the next packet; `None` when the broker has closed the connection.
    pub async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        timeout(PATIENCE, read_packet(&mut self.stream)).await.expect("a packet, or the end of the connection")
    }

    /// The next packet that is no PUBLISH.
    pub async fn answer(&mut self) -> (u8, Vec<u8>) {
        loop {
            let (first, body) = self.packet().await.expect("an answer before the end");
            match first >> 4 {
                3 => {
                    let message = self.take_message(first, &body).await;
                    self.waiting.push(message);
                }
                6 if self.acknowledges => self.send(&packet(0x70, &body[..2])).await,
                _ => return (first, body),
            }
        }
    }

    /// The next message, acknowledged if need be.
    pub async fn message(&mut self) -> Message {
        if !self.waiting.is_empty() {
            return self.waiting.remove(0);
        }
        loop {
            let (first, body) = self.packet().await.expect("a message before the end");
            if first == 0x62 && self.acknowledges {
                self.send(&packet(0x70, &body[..2])).await;
                continue;
            }
            assert_eq!(first >> 4, 3, "not a PUBLISH: {first:#x} {body:?}");
            return self.take_message(first, &body).await;
        }
    }

    /// Nothing is on its way to this client: of what is published now at QoS 0 to a topic of its own, that comes next.
    pub async fn hears_nothing(&mut self, topic: &str) {
        self.publish(topic, b"nothing came before", 0).await;
        assert_eq!(self.message().await.payload, b"nothing came before");
    }

    async fn take_message(&mut self, first: u8, body: &[u8]) -> Message {
        let qos = (first >> 1) & 3;
        let mut at = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8(body[2..at].to_vec()).unwrap();
        let mut id = 0;
        if qos > 0 {
            id = u16::from_be_bytes([body[at], body[at + 1]]);
            at += 2;
        }
        let mut properties = Vec::new();
        if self.version == 5 {
            let length = usize::from(body[at]);
            properties = body[at + 1..at + 1 + length].to_vec();
            at += 1 + length;
        }
        match qos {
            1 if self.acknowledges => self.acknowledge(id).await,
            2 if self.acknowledges => self.send(&packet(0x50, &id.to_be_bytes())).await,
            _ => {}
        }
        let (duplicate, retain) = (first & 8 != 0, first & 1 != 0);
        Message { topic, payload: body[at..].to_vec(), qos, duplicate, retain, id, properties }
    }

    pub async fn acknowledge(&mut self, id: u16) {
        self.send(&packet(0x40, &id.to_be_bytes())).await;
    }

    /// Reads until the connection ends; the last packet before.
    pub async fn ends(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut last = None;
        while let Some(packet) = self.packet().await {
            last = Some(packet);
        }
        last
    }

    /// Publishes; at QoS 1 and 2 the reason code of the answer, 0 where there is none.
    pub async fn publish(&mut self, topic: &str, payload: &[u8], qos: u8) -> u8 {
        self.publish_with(topic, payload, qos << 1, &[]).await
    }

    pub async fn retain(&mut self, topic: &str, payload: &[u8]) -> u8 {
        self.publish_with(topic, payload, 0b11, &[]).await
    }

    pub async fn publish_with(&mut self, topic: &str, payload: &[u8], flags: u8, properties: &[u8]) -> u8 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let id = self.last_id;
        let bytes = publish(self.version, topic.as_bytes(), payload, flags, id, properties);
        self.send(&bytes).await;
        if flags & 0b110 == 0 {
            return 0;
        }
        let (first, body) = self.answer().await;
        let expected = if flags & 0b100 == 0 { 0x40 } else { 0x50 };
        assert_eq!((first, &body[..2]), (expected, &id.to_be_bytes()[..]));
        let reason = body.get(2).copied().unwrap_or(0);
        if expected == 0x50 && reason < 0x80 {
            self.send(&packet(0x62, &id.to_be_bytes())).await;
            assert_eq!(self.answer().await, (0x70, id.to_be_bytes().to_vec()));
        }
        reason
    }

    /// Subscribes; the code in SUBACK.
    pub async fn subscribe(&mut self, filter: &str, options: u8) -> u8 {
        self.subscribe_with(filter, options, &[]).await
    }

    pub async fn subscribe_with(&mut self, filter: &str, options: u8, properties: &[u8]) -> u8 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let id = self.last_id;
        let mut body = id.to_be_bytes().to_vec();
        if self.version == 5 {
            body.push(properties.len() as u8);
            body.extend(properties);
        }
        string(&mut body, filter.as_bytes());
        body.push(options);
        self.send(&packet(0x82, &body)).await;
        let (first, body) = self.answer().await;
        assert_eq!((first, &body[..2]), (0x90, &id.to_be_bytes()[..]));
        *body.last().unwrap()
    }

    pub async fn unsubscribe(&mut self, filter: &str) -> u8 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let mut body = self.last_id.to_be_bytes().to_vec();
        if self.version == 5 {
            body.push(0);
        }
        string(&mut body, filter.as_bytes());
        self.send(&packet(0xA2, &body)).await;
        let (first, body) = self.answer().await;
        assert_eq!((first, &body[..2]), (0xB0, &self.last_id.to_be_bytes()[..]));
        if self.version == 5 { *body.last().unwrap() } else { 0 }
    }

    /// A round trip: all that was sent before has been worked on.
    pub async fn ping(&mut self) {
        self.send(&packet(0xC0, &[])).await;
        assert_eq!(self.answer().await.0, 0xD0);
    }

    /// Says goodbye.
    pub async fn leave(mut self) {
        self.send(&packet(0xE0, &[])).await;
        self.ends().await;
    }

    /// Ends without DISCONNECT.
    pub async fn vanish(mut self) {
        self.stream.shutdown().await.ok();
    }
}

async fn dial_from(source: Ipv4Addr, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    let stream = socket.connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

async fn read_packet(stream: &mut Box<dyn Wire>) -> Option<(u8, Vec<u8>)> {
    // A connection that is reset has ended too.
    let first = stream.read_u8().await.ok()?;
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = stream.read_u8().await.ok()?;
        length |= usize::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((first, body))
}
