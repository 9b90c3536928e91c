//! Those who publish.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{PAYLOAD, clock, plant};
use crate::packet;

/// Messages of one publisher that are not acknowledged: what a 5.0 client may assume of neither broker to be less.
const WINDOW: usize = 20;
/// At QoS 0, flat out, messages between two PINGREQ: the answer says that the broker has taken them. Without that the kernel's
/// buffers would be filled, and nothing be told of the broker.
const BURST: usize = 10;

/// What all of them have done.
#[derive(Default)]
pub struct Counts {
    pub sent: AtomicU64,
    pub acknowledged: AtomicU64,
    /// Nothing more is to be begun.
    pub enough: AtomicBool,
}

/// One of them.
pub struct Publisher {
    pub number: usize,
    pub qos: u8,
    /// Between two messages, and until the first; `None` for as fast as it goes.
    pub pace: Option<(Duration, Duration)>,
    pub counts: Arc<Counts>,
}

impl Publisher {
    /// Publishes until it is enough and all of it is acknowledged.
    pub async fn run(self, stream: TcpStream) -> Result<()> {
        let (read, write) = stream.into_split();
        let open = Arc::new(Open::default());
        let reader = tokio::spawn(read_acknowledgements(read, Arc::clone(&open), Arc::clone(&self.counts)));
        let mut sender = Sender { message: Message::new(&self), write, out: Vec::new(), open: Arc::clone(&open) };
        match self.pace {
            Some(pace) => self.keep_pace(&mut sender, pace).await?,
            None => self.go_flat_out(&mut sender).await?,
        }
        while self.is_answered() && open.count.load(Relaxed) > 0 && !reader.is_finished() {
            open.fewer.notified().await;
        }
        ensure!(!reader.is_finished(), "the broker has closed the connection of a publisher");
        reader.abort();
        Ok(())
    }

    /// Whether the broker tells what it has taken.
    fn is_answered(&self) -> bool {
        self.qos > 0 || self.pace.is_none()
    }

    async fn keep_pace(&self, sender: &mut Sender, (period, first): (Duration, Duration)) -> Result<()> {
        let mut ticks = interval_at(Instant::now() + first, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        // Since when those wait that the window has no room for.
        let mut due = VecDeque::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    if self.counts.enough.load(Relaxed) {
                        return Ok(());
                    }
                    due.push_back(clock::now_us());
                }
                () = sender.open.fewer.notified(), if !due.is_empty() => {}
            }
            while !due.is_empty() && (self.qos == 0 || sender.open.count.load(Relaxed) < WINDOW) {
                sender.add(due.pop_front().unwrap_or_default(), &self.counts);
            }
            sender.flush().await?;
        }
    }

    async fn go_flat_out(&self, sender: &mut Sender) -> Result<()> {
        while !self.counts.enough.load(Relaxed) {
            let room = WINDOW - sender.open.count.load(Relaxed).min(WINDOW);
            let room = if self.qos > 0 { room } else { room / BURST * BURST };
            if room == 0 {
                sender.open.fewer.notified().await;
                continue;
            }
            let now = clock::now_us();
            for n in 1..=room {
                sender.add(now, &self.counts);
                if self.qos == 0 && n.is_multiple_of(BURST) {
                    sender.ask();
                }
            }
            sender.flush().await?;
            // Who never has to wait for its socket lets the others have their turn.
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// Messages that are not acknowledged.
#[derive(Default)]
struct Open {
    count: std::sync::atomic::AtomicUsize,
    fewer: Notify,
}

struct Sender {
    message: Message,
    write: OwnedWriteHalf,
    out: Vec<u8>,
    open: Arc<Open>,
}

impl Sender {
    fn add(&mut self, stamp_us: u64, counts: &Counts) {
        self.out.extend_from_slice(self.message.next(stamp_us));
        counts.sent.fetch_add(1, Relaxed);
        if self.message.id_at.is_some() {
            self.open.count.fetch_add(1, Relaxed);
        }
    }

    /// Whether all of a burst has been taken.
    fn ask(&mut self) {
        self.out.extend([0xC0, 0]);
        self.open.count.fetch_add(BURST, Relaxed);
    }

    async fn flush(&mut self) -> Result<()> {
        self.write.write_all(&self.out).await.context("the broker has closed the connection of a publisher")?;
        self.out.clear();
        Ok(())
    }
}

/// A packet that is the same but for its identifier, its stamp and its number.
struct Message {
    bytes: Vec<u8>,
    id_at: Option<usize>,
    id: u16,
    count: u32,
}

impl Message {
    fn new(publisher: &Publisher) -> Self {
        let topic = format!("fleet/v1/{}/up/telemetry", plant::vehicle(publisher.number));
        let mut body = Vec::new();
        bugbrother_kit::mqtt::packet::string(&mut body, topic.as_bytes());
        let id_in_body = (publisher.qos > 0).then_some(body.len());
        if id_in_body.is_some() {
            body.extend([0, 0]);
        }
        body.push(0);
        let mut payload = vec![b'x'; PAYLOAD];
        payload[8..12].copy_from_slice(&(publisher.number as u32).to_be_bytes());
        body.extend(payload);
        let bytes = bugbrother_kit::mqtt::packet::packet(0x30 | publisher.qos << 1, &body);
        let id_at = id_in_body.map(|at| at + bytes.len() - body.len());
        Message { bytes, id_at, id: 0, count: 0 }
    }

    fn next(&mut self, stamp_us: u64) -> &[u8] {
        let payload_at = self.bytes.len() - PAYLOAD;
        self.bytes[payload_at..payload_at + 8].copy_from_slice(&stamp_us.to_be_bytes());
        self.bytes[payload_at + 12..payload_at + 16].copy_from_slice(&self.count.to_be_bytes());
        self.count += 1;
        if let Some(at) = self.id_at {
            self.id = self.id.checked_add(1).unwrap_or(1);
            self.bytes[at..at + 2].copy_from_slice(&self.id.to_be_bytes());
        }
        &self.bytes
    }
}

async fn read_acknowledgements(mut read: OwnedReadHalf, open: Arc<Open>, counts: Arc<Counts>) {
    let mut buffer = Vec::with_capacity(4096);
    // It has ended when this does.
    while read.read_buf(&mut buffer).await.is_ok_and(|count| count > 0) {
        let (mut at, mut acknowledged) = (0, 0);
        while let Some((first, _, length)) = packet::take(&buffer[at..]) {
            acknowledged += match first {
                0x40 => 1,
                0xD0 => BURST,
                _ => 0,
            };
            at += length;
        }
        buffer.drain(..at);
        if acknowledged > 0 {
            counts.acknowledged.fetch_add(acknowledged as u64, Relaxed);
            open.count.fetch_sub(acknowledged, Relaxed);
            open.fewer.notify_one();
        }
    }
    open.fewer.notify_one();
}
