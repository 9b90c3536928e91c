//! An MQTT client that hides nothing: every code that the broker answers is there to be looked at.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::packet::{packet, string};

/// Longer than anything takes, so that a test that hangs says where.
const LIMIT: Duration = Duration::from_secs(60);

/// The two versions of MQTT, by their number in CONNECT.
pub const VERSIONS: [u8; 2] = [4, 5];

/// What a client speaks over.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// What to connect with; the client identifier is the user name.
#[derive(Debug, Clone)]
pub struct Connect {
    version: u8,
    client_id: String,
    account: Option<(String, String)>,
    will: Option<(Message, u8)>,
}

impl Connect {
    /// With a name and a password.
    pub fn new(version: u8, user: &str, password: &str) -> Self {
        let account = Some((user.to_owned(), password.to_owned()));
        Connect { version, client_id: user.to_owned(), account, will: None }
    }

    /// With nothing but what the connection says, such as a certificate.
    pub fn nameless(version: u8, client_id: &str) -> Self {
        Connect { version, client_id: client_id.to_owned(), account: None, will: None }
    }

    /// With another client identifier.
    pub fn called(mut self, client_id: &str) -> Self {
        client_id.clone_into(&mut self.client_id);
        self
    }

    /// With a will.
    pub fn will(mut self, topic: &str, payload: &str, qos: u8, retain: bool) -> Self {
        let message = Message { topic: topic.to_owned(), payload: payload.into(), retain };
        self.will = Some((message, qos));
        self
    }

    fn packet(&self) -> Vec<u8> {
        let mut flags = 2;
        let mut end = Vec::new();
        string(&mut end, self.client_id.as_bytes());
        if let Some((will, qos)) = &self.will {
            flags |= 4 | qos << 3 | u8::from(will.retain) << 5;
            no_properties(&mut end, self.version);
            string(&mut end, will.topic.as_bytes());
            string(&mut end, &will.payload);
        }
        if let Some((user, password)) = &self.account {
            flags |= 0xC0;
            string(&mut end, user.as_bytes());
            string(&mut end, password.as_bytes());
        }
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', self.version, flags, 0, 0];
        no_properties(&mut body, self.version);
        body.extend(end);
        packet(0x10, &body)
    }
}

/// A message that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Topic name.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
    /// Whether it was there before the subscription.
    pub retain: bool,
}

impl Message {
    /// The payload as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// A client that is connected. Dropped, it vanishes without DISCONNECT.
pub struct Client {
    socket: Box<dyn Socket>,
    version: u8,
    last_id: u16,
    /// Messages that came while something else was waited for.
    waiting: VecDeque<Message>,
}

impl Client {
    /// Connects over TCP and must be let in.
    pub async fn connect(address: SocketAddr, connect: &Connect) -> Result<Self> {
        match Self::offer(TcpStream::connect(address).await?, connect).await? {
            Ok(client) => Ok(client),
            Err(code) => bail!("refused with {code:#x}: {connect:?}"),
        }
    }

    /// Connects over `socket`; the code of CONNACK when that is a refusal.
    pub async fn offer(socket: impl Socket + 'static, connect: &Connect) -> Result<Result<Self, u8>> {
        let (socket, version) = (Box::new(socket), connect.version);
        let mut client = Client { socket, version, last_id: 0, waiting: VecDeque::new() };
        client.send(&connect.packet()).await?;
        let body = client.answer(0x20).await?;
        Ok(if body[1] == 0 { Ok(client) } else { Err(body[1]) })
    }

    /// Publishes; the code of PUBACK, 0 where there is none.
    pub async fn publish(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool) -> Result<u8> {
        let mut body = Vec::with_capacity(topic.len() + payload.len() + 5);
        string(&mut body, topic.as_bytes());
        if qos > 0 {
            let id = self.next_id();
            body.extend(id);
        }
        no_properties(&mut body, self.version);
        body.extend(payload);
        self.send(&packet(0x30 | qos << 1 | u8::from(retain), &body)).await?;
        if qos == 0 {
            return Ok(0);
        }
        let body = self.answer(0x40).await?;
        ensure!(body[..2] == self.last_id.to_be_bytes(), "PUBACK of another PUBLISH");
        Ok(body.get(2).copied().unwrap_or(0))
    }

    /// Publishes at QoS 1, which must be accepted.
    pub async fn say(&mut self, topic: &str, payload: &str, retain: bool) -> Result<()> {
        let code = self.publish(topic, payload.as_bytes(), 1, retain).await?;
        ensure!(code < 0x80, "PUBLISH to `{topic}` refused with {code:#x}");
        Ok(())
    }

    /// Subscribes at QoS 1; the code of SUBACK.
    pub async fn subscribe(&mut self, filter: &str) -> Result<u8> {
        let mut body = self.next_id().to_vec();
        no_properties(&mut body, self.version);
        string(&mut body, filter.as_bytes());
        body.push(1);
        self.send(&packet(0x82, &body)).await?;
        let body = self.answer(0x90).await?;
        body.last().copied().context("an empty SUBACK")
    }

    /// A round trip; the messages that have come up to then and nobody has looked at.
    pub async fn ping(&mut self) -> Result<Vec<Message>> {
        self.send(&packet(0xC0, &[])).await?;
        self.answer(0xD0).await?;
        Ok(self.waiting.drain(..).collect())
    }

    /// The next message, acknowledged.
    pub async fn message(&mut self) -> Result<Message> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(message);
            }
            let (first, body) = self.read().await?;
            ensure!(first >> 4 == 3, "not a PUBLISH: {first:#x} {body:?}");
            self.deliver(first, &body).await?;
        }
    }

    /// Messages up to the first that `is_last`, which is among them.
    pub async fn messages_until(&mut self, mut is_last: impl FnMut(&Message) -> bool) -> Result<Vec<Message>> {
        let mut messages = Vec::new();
        loop {
            let message = self.message().await.with_context(|| format!("after {} messages", messages.len()))?;
            let last = is_last(&message);
            messages.push(message);
            if last {
                return Ok(messages);
            }
        }
    }

    /// Goes with DISCONNECT, which takes the will back.
    pub async fn leave(mut self) -> Result<()> {
        self.send(&packet(0xE0, &[])).await?;
        while self.read().await.is_ok() {}
        Ok(())
    }

    /// Waits until the broker has closed the connection.
    pub async fn ends(&mut self) -> Result<()> {
        let all = async { while self.read_packet().await.is_ok() {} };
        timeout(LIMIT, all).await.context("the broker keeps the connection")
    }

    fn next_id(&mut self) -> [u8; 2] {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id.to_be_bytes()
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        timeout(LIMIT, self.socket.write_all(bytes)).await.context("the broker does not read")??;
        Ok(timeout(LIMIT, self.socket.flush()).await.context("the broker does not read")??)
    }

    /// The body of the next packet that is no PUBLISH.
    async fn answer(&mut self, wanted: u8) -> Result<Vec<u8>> {
        loop {
            let (first, body) = self.read().await?;
            match first {
                _ if first == wanted => return Ok(body),
                _ if first >> 4 == 3 => self.deliver(first, &body).await?,
                _ => bail!("{first:#x} {body:?} came instead of {wanted:#x}"),
            }
        }
    }

    async fn deliver(&mut self, first: u8, body: &[u8]) -> Result<()> {
        let mut at = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8(body[2..at].to_vec())?;
        if first & 0b110 != 0 {
            self.send(&packet(0x40, &body[at..at + 2])).await?;
            at += 2;
        }
        if self.version == 5 {
            ensure!(body[at] < 0x80, "more properties than are looked for here");
            at += 1 + usize::from(body[at]);
        }
        self.waiting.push_back(Message { topic, payload: body[at..].to_vec(), retain: first & 1 != 0 });
        Ok(())
    }

    async fn read(&mut self) -> Result<(u8, Vec<u8>)> {
        timeout(LIMIT, self.read_packet()).await.context("the broker says nothing")?
    }

    async fn read_packet(&mut self) -> Result<(u8, Vec<u8>)> {
        let first = self.socket.read_u8().await.context("the connection has ended")?;
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.socket.read_u8().await?;
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).await?;
        Ok((first, body))
    }
}

fn no_properties(body: &mut Vec<u8>, version: u8) {
    if version == 5 {
        body.push(0);
    }
}
