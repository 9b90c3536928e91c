//! One vehicle: it signs in, publishes, is cut off, comes back and sends again what is not committed.

use std::{
    collections::VecDeque,
    net::Ipv4Addr,
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use bugbrother_wire::{
    Topic, codec,
    message::{Ack, Row},
    topic::Kind,
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    drive::{self, Messages},
    fleet::{Form, Pace, Plan, Tally},
    packet::{self, Connect},
};

/// What is not committed after so long is lost, unless the weather is rough.
const LOST: Duration = Duration::from_secs(60);
/// How long signing in may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is older than that goes into the second lane.
const OLD: Duration = Duration::from_secs(15);
/// Vehicles with the same address.
const NEIGHBOURS: usize = 1000;
/// Most bytes of messages that are written at once.
const BURST: usize = 64 * 1024;
/// Most messages on their way at once of a vehicle that has to catch up.
const WINDOW: usize = 64;
/// Between two tries to connect.
const RETRY: Duration = Duration::from_secs(1);

/// Connects, and is let in; with what has come besides.
pub(crate) async fn sign_in(plan: &Plan, number: usize) -> Result<(TcpStream, Vec<u8>)> {
    let vin = drive::vin(number);
    let signed_in = timeout(PATIENCE, async {
        let socket = TcpSocket::new_v4()?;
        if plan.mqtt.ip().is_loopback() {
            // The broker takes only so many from one address.
            socket.bind((Ipv4Addr::new(127, 1, (number / NEIGHBOURS) as u8, 1), 0).into())?;
        }
        let mut stream = socket.connect(plan.mqtt).await?;
        stream.set_nodelay(true)?;
        let password = plan.password.as_deref().unwrap_or(vin.as_str());
        let mut out = Vec::new();
        packet::connect(&mut out, &Connect { client_id: vin.as_str(), user: vin.as_str(), password });
        if plan.form == Form::Contract {
            packet::subscribe(&mut out, &Topic::down_filter(vin));
        }
        stream.write_all(&out).await?;
        let (mut inbound, mut besides) = (Vec::new(), Vec::new());
        let mut wanted = if plan.form == Form::Contract { 2 } else { 1 };
        while wanted > 0 {
            ensure!(stream.read_buf(&mut inbound).await? > 0, "{vin} was sent away");
            while let Some((first, body, length)) = packet::take(&inbound) {
                match first >> 4 {
                    2 => ensure!(body[1] == 0, "{vin} was refused with {:#x}", body[1]),
                    9 => ensure!(body.last() == Some(&1), "{vin} may not subscribe: {body:?}"),
                    // What is retained may come before the answer to the subscription.
                    3 => {
                        besides.extend_from_slice(&inbound[..length]);
                        inbound.drain(..length);
                        continue;
                    }
                    other => bail!("a packet of type {other} came too soon"),
                }
                wanted -= 1;
                inbound.drain(..length);
                if wanted == 0 {
                    break;
                }
            }
        }
        besides.append(&mut inbound);
        Ok((stream, besides))
    });
    signed_in.await.with_context(|| format!("{vin} is not answered"))?
}

/// A message that is not committed yet.
struct Sent {
    seq: u64,
    due: Instant,
    /// When it was written last, and as which packet; `None` while it waits to be written.
    written: Option<(Instant, u16)>,
    /// Whether it was written ever.
    was_written: bool,
}

/// A vehicle, connected or not.
pub(crate) struct Vehicle {
    number: usize,
    plan: Arc<Plan>,
    topics: [String; 2],
    messages: Messages,
    began: Instant,
    /// When the next message is to be published.
    next_due: Instant,
    /// What is not committed yet, by number.
    sent: VecDeque<Sent>,
    seq: u64,
    epoch: u64,
    packet_id: u16,
    tally: Arc<Tally>,
    door: Arc<Semaphore>,
    chance: SmallRng,
}

/// Why a connection is over.
enum End {
    /// Everything is committed and nothing more is to come.
    Home,
    /// It is out of reach until then.
    Away(Instant),
}

impl Vehicle {
    pub(crate) fn new(
        number: usize,
        plan: &Arc<Plan>,
        messages: Messages,
        (epoch, began): (u64, Instant),
        tally: &Arc<Tally>,
        door: &Arc<Semaphore>,
    ) -> Self {
        let vin = drive::vin(number);
        let topics = match plan.form {
            Form::Contract => [Kind::Telemetry, Kind::Backfill].map(|kind| Topic::new(vin, kind).to_string()),
            Form::Json => [(); 2].map(|()| format!("fleet/v1/{vin}/up/json")),
        };
        let next_due = match plan.pace {
            Pace::Window(_) => began,
            Pace::Every(period) => began + period.mul_f64(number as f64 / plan.vehicles as f64),
        };
        Vehicle {
            number,
            plan: Arc::clone(plan),
            topics,
            messages,
            began,
            next_due,
            sent: VecDeque::new(),
            seq: 0,
            epoch,
            packet_id: 0,
            tally: Arc::clone(tally),
            door: Arc::clone(door),
            chance: SmallRng::seed_from_u64(number as u64),
        }
    }

    /// Until everything that it had to say is committed.
    pub(crate) async fn live(mut self, came: (TcpStream, Vec<u8>), stop: CancellationToken) -> Result<()> {
        let mut connected = Some(came);
        loop {
            let Some((stream, inbound)) = connected.take() else {
                let again = async {
                    let _place = self.door.acquire().await?;
                    sign_in(&self.plan, self.number).await
                };
                match again.await {
                    Ok(came) => {
                        self.tally.connected.fetch_add(1, Relaxed);
                        self.tally.reconnects.fetch_add(1, Relaxed);
                        connected = Some(came);
                    }
                    Err(_) => sleep_until(Instant::now() + RETRY.mul_f64(self.chance.random_range(0.5..1.5))).await,
                }
                continue;
            };
            let ended = self.drive(stream, inbound, &stop).await;
            self.tally.connected.fetch_sub(1, Relaxed);
            // Whatever was on its way may have got lost with the connection.
            self.sent.iter_mut().for_each(|sent| sent.written = None);
            match ended {
                Ok(End::Home) => return Ok(()),
                Ok(End::Away(until)) => tokio::select! {
                    () = sleep_until(until) => {}
                    // Who has something left comes back to say it.
                    () = stop.cancelled() => if self.sent.is_empty() { return Ok(()) },
                },
                Err(_) if self.plan.weather.rough => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// When it is cut off next, and until when.
    fn next_cut(&mut self) -> Option<(Instant, Instant)> {
        let weather = self.plan.weather;
        let now = Instant::now();
        let alone = weather.cut_after.map(|mean| {
            // Without memory: some soon, some late.
            let at = now + mean.mul_f64(-self.chance.random::<f64>().max(1e-9).ln());
            (at, at + weather.away)
        });
        let together = weather.tunnel.map(|(since, length)| (self.began + since, self.began + since + length));
        let together = together.filter(|(_, until)| *until > now);
        alone.into_iter().chain(together).min_by_key(|(at, _)| *at)
    }

    async fn drive(&mut self, mut stream: TcpStream, mut inbound: Vec<u8>, stop: &CancellationToken) -> Result<End> {
        let mut out = Vec::new();
        self.hear(&mut inbound, &mut out)?;
        let cut = self.next_cut();
        loop {
            let leaving = stop.is_cancelled();
            if let Some((_, until)) = cut.filter(|(at, _)| *at <= Instant::now() && !leaving) {
                return Ok(End::Away(until));
            }
            self.publish(&mut out, leaving);
            if !out.is_empty() {
                stream.write_all(&out).await?;
                out.clear();
                if out.capacity() > 2 * BURST {
                    out = Vec::new();
                }
            }
            if leaving && self.sent.is_empty() {
                return Ok(End::Home);
            }
            let patience = self.sent.front().and_then(|sent| Some(sent.written?.0 + LOST));
            tokio::select! {
                read = stream.read_buf(&mut inbound) => {
                    ensure!(read? > 0, "{}: the broker has closed the connection", self.topics[0]);
                    self.hear(&mut inbound, &mut out)?;
                }
                () = sleep_until(self.next_due), if !leaving && self.is_ahead() => {}
                () = sleep_until(patience.unwrap_or(self.next_due)), if patience.is_some() => {
                    bail!("{}: not committed after {LOST:?}", self.topics[0]);
                }
                () = sleep_until(cut.map_or(self.next_due, |(at, _)| at)), if cut.is_some() && !leaving => {}
                () = stop.cancelled(), if !leaving => {}
            }
        }
    }

    /// Whether there is a moment to wait for: that of the next message, unless it is over and the window is full.
    fn is_ahead(&self) -> bool {
        matches!(self.plan.pace, Pace::Every(_)) && self.next_due > Instant::now()
    }

    /// Notes the messages that are due, and writes what the window takes of all that is not written yet.
    fn publish(&mut self, out: &mut Vec<u8>, leaving: bool) {
        let now = Instant::now();
        let window = match self.plan.pace {
            Pace::Window(window) => window,
            Pace::Every(_) => WINDOW,
        };
        loop {
            let due = match self.plan.pace {
                _ if leaving => break,
                Pace::Window(window) if self.sent.len() < window => now,
                Pace::Every(period) if self.next_due <= now => {
                    let due = self.next_due;
                    self.next_due += period;
                    due
                }
                Pace::Window(_) | Pace::Every(_) => break,
            };
            self.seq += 1;
            self.sent.push_back(Sent { seq: self.seq, due, written: None, was_written: false });
            self.tally.published.fetch_add(1, Relaxed);
        }
        let mut room = window.saturating_sub(self.sent.iter().filter(|sent| sent.written.is_some()).count());
        // What is live goes first, and the rest behind it, each in its order.
        for is_old in [false, true] {
            for place in 0..self.sent.len() {
                let sent = &self.sent[place];
                if sent.written.is_none() && (now > sent.due + OLD) == is_old {
                    if room == 0 || out.len() >= BURST {
                        return;
                    }
                    self.write(place, now, out);
                    room -= 1;
                }
            }
        }
    }

    fn write(&mut self, place: usize, now: Instant, out: &mut Vec<u8>) {
        let (seq, due) = (self.sent[place].seq, self.sent[place].due);
        let payload = match self.plan.form {
            Form::Contract => self.messages.encode(seq),
            Form::Json => json(&mut self.messages, seq),
        };
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        if self.sent[place].was_written {
            self.tally.sent_again.fetch_add(1, Relaxed);
        }
        let lane = usize::from(now > due + OLD);
        packet::publish(out, &self.topics[lane], self.packet_id, &payload);
        self.sent[place].written = Some((now, self.packet_id));
        self.sent[place].was_written = true;
    }

    fn hear(&mut self, inbound: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<()> {
        let mut at = 0;
        while let Some((first, body, length)) = packet::take(&inbound[at..]) {
            match first >> 4 {
                3 => {
                    let (payload, id) = packet::delivery(first, body)?;
                    if let Some(id) = id {
                        packet::puback(out, id);
                    }
                    // Commands and wishes, where somebody has some for it, are none of its business.
                    if let Ok(ack) = codec::decode_value::<Ack>(payload)
                        && ack.epoch.0 == self.epoch
                    {
                        self.settle(&ack);
                    }
                }
                4 => {
                    let code = body.get(2).copied().unwrap_or(0);
                    ensure!(code < 0x80, "{}: refused with {code:#x}", self.topics[0]);
                    self.noted(body);
                }
                other => bail!("{}: a packet of type {other}: {body:?}", self.topics[0]),
            }
            at += length;
        }
        inbound.drain(..at);
        Ok(())
    }

    /// The broker has a message.
    fn noted(&mut self, body: &[u8]) {
        let Some((id, _)) = body.split_first_chunk::<2>() else { return };
        let id = u16::from_be_bytes(*id);
        let now = Instant::now();
        let known = self.sent.iter().position(|sent| sent.written.is_some_and(|(_, written)| written == id));
        if let Some((at, _)) = known.and_then(|place| self.sent[place].written) {
            let mut pubacks = self.tally.pubacks.lock().unwrap_or_else(PoisonError::into_inner);
            pubacks.push((now - at).as_secs_f64() * 1e3);
        }
        if self.plan.form == Form::Json
            && let Some(sent) = self.sent.pop_front()
        {
            self.committed(&sent, now);
        }
    }

    /// Everything up to a number is committed, and some of what is above it.
    fn settle(&mut self, ack: &Ack) {
        let now = Instant::now();
        while let Some(sent) = self.sent.pop_front_if(|oldest| oldest.seq <= ack.seq.0) {
            self.committed(&sent, now);
        }
        for (from, to) in &ack.ranges {
            let is_in = |sent: &Sent| (from.0..=to.0).contains(&sent.seq);
            while let Some(place) = self.sent.iter().position(is_in) {
                if let Some(sent) = self.sent.remove(place) {
                    self.committed(&sent, now);
                }
            }
        }
    }

    fn committed(&self, sent: &Sent, now: Instant) {
        let mut latencies = self.tally.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        latencies.push((now - sent.due).as_secs_f64() * 1e3);
        self.tally.committed.fetch_add(1, Relaxed);
    }
}

fn json(messages: &mut Messages, seq: u64) -> Vec<u8> {
    let batch = messages.batch(seq);
    let row = |row: &Row| [&[Some(f64::from(row.dt_ms))], row.values.as_slice()].concat();
    let rows: Vec<_> = batch.rows.iter().map(row).collect();
    serde_json::json!({ "vin": batch.vin.as_str(), "t0": batch.t0, "keys": batch.keys, "rows": rows })
        .to_string()
        .into_bytes()
}
