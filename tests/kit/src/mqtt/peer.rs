//! A connection to a broker without a mind of its own.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{
    Socket,
    packet::{self, Connect, Packet, Publish, packet, string},
    property::Properties,
};

/// How long a broker may think about what it refuses before it is asked whether it goes on.
const CLOSING: Duration = Duration::from_secs(3);

/// PUBACK.
pub const PUBACK: u8 = 4;
/// PUBREC.
pub const PUBREC: u8 = 5;
/// PUBREL.
pub const PUBREL: u8 = 6;
/// PUBCOMP.
pub const PUBCOMP: u8 = 7;
const SUBACK: u8 = 9;
const UNSUBACK: u8 = 11;

/// What CONNACK says.
#[derive(Debug)]
pub struct Welcome {
    /// Whether there was a session.
    pub present: bool,
    /// Return code, or reason code.
    pub code: u8,
    /// Properties.
    pub properties: Properties,
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// Without a word.
    Silent,
    /// With DISCONNECT.
    Said(u8),
}

/// A connection.
pub struct Peer {
    socket: Box<dyn Socket>,
    version: u8,
    buffer: Vec<u8>,
    last_id: u16,
    /// Messages that came while something else was waited for.
    waiting: VecDeque<Publish>,
    patience: Duration,
    /// Whether deliveries are acknowledged as they are read.
    pub acknowledges: bool,
    /// Bytes of the largest packet so far.
    pub largest: usize,
}

impl Peer {
    /// Over `socket`, waiting for so long whatever must come.
    pub fn over(socket: impl Socket + 'static, version: u8, patience: Duration) -> Self {
        let (socket, buffer, waiting) = (Box::new(socket), Vec::new(), VecDeque::new());
        Peer { socket, version, buffer, last_id: 0, waiting, patience, acknowledges: true, largest: 0 }
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        timeout(self.patience, self.socket.write_all(bytes)).await.context("the broker does not read")??;
        Ok(timeout(self.patience, self.socket.flush()).await.context("the broker does not read")??)
    }

    /// The next packet; `None` when the broker has closed the connection.
    pub async fn next(&mut self) -> Result<Option<Packet>> {
        timeout(self.patience, self.read()).await.context("the broker says nothing")?
    }

    async fn read(&mut self) -> Result<Option<Packet>> {
        loop {
            if let Some((first, body)) = packet::frame(&self.buffer)? {
                let end = body.end;
                self.largest = self.largest.max(end);
                let packet = Packet::read(self.version, first, &self.buffer[body]);
                self.buffer.drain(..end);
                return packet.map(Some);
            }
            // A connection that is reset has ended too.
            if self.socket.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                return Ok(None);
            }
        }
    }

    /// Sends CONNECT; `None` when the connection is closed without an answer.
    pub async fn offer(&mut self, connect: &Connect) -> Result<Option<Welcome>> {
        self.send(&connect.bytes()).await?;
        match self.next().await? {
            None => Ok(None),
            Some(Packet::ConnAck { present, code, properties }) => Ok(Some(Welcome { present, code, properties })),
            Some(other) => bail!("{other:?} came instead of CONNACK"),
        }
    }

    /// Publishes with the whole handshake; the reason code, 0 where there is none.
    pub async fn publish(&mut self, publish: Publish) -> Result<u8> {
        let id = if publish.qos > 0 { self.next_id() } else { 0 };
        let (qos, bytes) = (publish.qos, publish.id(id).bytes(self.version));
        self.send(&bytes).await?;
        match qos {
            0 => Ok(0),
            1 => self.ack(PUBACK, id).await,
            _ => {
                let code = self.ack(PUBREC, id).await?;
                if code < 0x80 {
                    self.say(PUBREL, id).await?;
                    self.ack(PUBCOMP, id).await?;
                }
                Ok(code)
            }
        }
    }

    /// Sends an acknowledgement of kind 4 to 7.
    pub async fn say(&mut self, kind: u8, id: u16) -> Result<()> {
        let flags = if kind == PUBREL { 2 } else { 0 };
        self.send(&packet(kind << 4 | flags, &id.to_be_bytes())).await
    }

    /// Waits for an acknowledgement of that kind and identifier; its reason code.
    pub async fn ack(&mut self, wanted: u8, wanted_id: u16) -> Result<u8> {
        match self.answer().await? {
            Packet::Ack { kind, id, code, .. } if (kind, id) == (wanted, wanted_id) => Ok(code),
            other => bail!("{other:?} came instead of kind {wanted} for {wanted_id}"),
        }
    }

    /// Subscribes to one filter; the code.
    pub async fn subscribe(&mut self, filter: &str, options: u8) -> Result<u8> {
        Ok(self.subscribe_to(&[(filter, options)], Properties::new()).await?[0])
    }

    /// Subscribes; a code for each filter.
    pub async fn subscribe_to(&mut self, filters: &[(&str, u8)], properties: Properties) -> Result<Vec<u8>> {
        let id = self.next_id();
        let bytes = subscribe(self.version, id, filters, &properties);
        self.send(&bytes).await?;
        let codes = self.codes(SUBACK, id).await?;
        ensure!(codes.len() == filters.len(), "{} codes for {} filters", codes.len(), filters.len());
        Ok(codes)
    }

    /// Ends subscriptions; a code for each filter at 5.0.
    pub async fn unsubscribe(&mut self, filters: &[&str]) -> Result<Vec<u8>> {
        let id = self.next_id();
        let mut body = id.to_be_bytes().to_vec();
        if self.version == 5 {
            body.push(0);
        }
        for filter in filters {
            string(&mut body, filter.as_bytes());
        }
        self.send(&packet(0xA2, &body)).await?;
        let codes = self.codes(UNSUBACK, id).await?;
        let wanted = if self.version == 5 { filters.len() } else { 0 };
        ensure!(codes.len() == wanted, "{} codes for {} filters", codes.len(), filters.len());
        Ok(codes)
    }

    /// The codes of a SUBACK or UNSUBACK for that packet.
    async fn codes(&mut self, wanted: u8, wanted_id: u16) -> Result<Vec<u8>> {
        match self.answer().await? {
            Packet::Answer { kind, id, codes, .. } if (kind, id) == (wanted, wanted_id) => Ok(codes),
            other => bail!("{other:?} came instead of kind {wanted} for {wanted_id}"),
        }
    }

    /// A round trip.
    pub async fn ping(&mut self) -> Result<()> {
        self.send(&packet(0xC0, &[])).await?;
        match self.answer().await? {
            Packet::PingResp => Ok(()),
            other => bail!("{other:?} came instead of PINGRESP"),
        }
    }

    /// The next message.
    pub async fn message(&mut self) -> Result<Publish> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(message);
            }
            match self.next().await?.context("the connection has ended")? {
                Packet::Publish(publish) => self.deliver(publish).await?,
                Packet::Ack { kind: PUBREL, id, .. } if self.acknowledges => self.say(PUBCOMP, id).await?,
                other => bail!("{other:?} came instead of PUBLISH"),
            }
        }
    }

    /// The payloads of the messages up to the one that is `last`, which is not among them.
    pub async fn texts_until(&mut self, last: &str) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        loop {
            let message = self.message().await.with_context(|| format!("after {texts:?}"))?;
            if message.payload == last.as_bytes() {
                return Ok(texts);
            }
            texts.push(message.text());
        }
    }

    /// The messages that have come up to now.
    pub async fn so_far(&mut self) -> Result<Vec<Publish>> {
        self.ping().await?;
        Ok(self.waiting.drain(..).collect())
    }

    /// The next packet that is no message.
    pub async fn answer(&mut self) -> Result<Packet> {
        loop {
            match self.next().await?.context("the connection has ended")? {
                Packet::Publish(publish) => self.deliver(publish).await?,
                Packet::Ack { kind: PUBREL, id, .. } if self.acknowledges => self.say(PUBCOMP, id).await?,
                other => return Ok(other),
            }
        }
    }

    async fn deliver(&mut self, publish: Publish) -> Result<()> {
        if self.acknowledges && publish.qos > 0 {
            self.say(if publish.qos == 1 { PUBACK } else { PUBREC }, publish.id).await?;
        }
        self.waiting.push_back(publish);
        Ok(())
    }

    /// Sends what must end the connection, and waits until it has.
    pub async fn refused(&mut self, bytes: &[u8]) -> Result<End> {
        self.send(bytes).await?;
        self.ended().await
    }

    /// Waits until the broker has ended the connection; an error as soon as it is clear that it does not.
    pub async fn ended(&mut self) -> Result<End> {
        // A PINGREQ that is not read any more would take the farewell away: so it is late.
        if let Ok(end) = timeout(CLOSING, self.end()).await {
            return end;
        }
        // Closed meanwhile, it takes nothing.
        drop(self.socket.write_all(&packet(0xC0, &[])).await);
        timeout(self.patience, self.end()).await.context("the broker neither answers nor closes the connection")?
    }

    /// The same of a client that says nothing, not even PINGREQ.
    pub async fn timed_out(&mut self) -> Result<End> {
        timeout(self.patience, self.end()).await.context("the broker keeps the connection")?
    }

    async fn end(&mut self) -> Result<End> {
        let mut end = End::Silent;
        while let Some(packet) = self.read().await? {
            ensure!(end == End::Silent, "{packet:?} after DISCONNECT");
            match packet {
                Packet::Disconnect { code, .. } => end = End::Said(code),
                Packet::PingResp => bail!("the broker goes on"),
                Packet::ConnAck { code: 0, .. } => bail!("the broker lets it in"),
                _ => {}
            }
        }
        Ok(end)
    }

    /// Goes with DISCONNECT, and waits until the broker has closed the connection too.
    pub async fn leave(mut self) -> Result<()> {
        self.send(&packet(0xE0, &[])).await?;
        timeout(self.patience, async {
            while self.read().await?.is_some() {}
            Ok(())
        })
        .await
        .context("still open")?
    }

    /// Goes without DISCONNECT.
    pub async fn vanish(mut self) {
        drop(self.socket.shutdown().await);
    }

    /// A packet identifier that has not been used.
    pub fn next_id(&mut self) -> u16 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }
}

/// SUBSCRIBE.
pub fn subscribe(version: u8, id: u16, filters: &[(&str, u8)], properties: &Properties) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == 5 {
        properties.write(&mut body);
    }
    for (filter, options) in filters {
        string(&mut body, filter.as_bytes());
        body.push(*options);
    }
    packet(0x82, &body)
}
