//! One vehicle: it signs in, publishes, is cut off, comes back and sends again what is not committed.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use bugbrother_client::Backoff;
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
    fleet::{Form, Plan, Tally},
    greeting::Greeting,
    outbox::{Outbox, Sent},
    packet::{self, Connect},
};

/// What is not committed after so long is lost, unless the weather is rough.
const LOST: Duration = Duration::from_secs(60);
/// How long signing in may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most bytes of messages that are written at once.
const BURST: usize = 64 * 1024;

/// The address of a vehicle on this machine: the broker takes only so many from one.
fn address(number: usize, neighbours: usize) -> SocketAddr {
    let [_, high, middle, low] = ((number / neighbours.max(1)) as u32 + 1).to_be_bytes();
    (Ipv4Addr::new(127, high.saturating_add(1), middle, low), 0).into()
}

/// Connects, and is let in; with what has come besides. Who greets leaves a will.
pub(crate) async fn sign_in(plan: &Plan, number: usize, greeting: Option<Greeting>) -> Result<(TcpStream, Vec<u8>)> {
    let vin = drive::vin(number);
    let signed_in = timeout(PATIENCE, async {
        let socket = TcpSocket::new_v4()?;
        if plan.mqtt.ip().is_loopback() {
            socket.bind(address(number, plan.neighbours))?;
        }
        let mut stream = socket.connect(plan.mqtt).await?;
        stream.set_nodelay(true)?;
        let password = plan.password.as_deref().unwrap_or(vin.as_str());
        let mut out = Vec::new();
        let will = greeting.map(Greeting::will);
        let will = will.as_ref().map(|(topic, payload)| (topic.as_str(), payload.as_slice()));
        packet::connect(&mut out, &Connect { client_id: vin.as_str(), user: vin.as_str(), password, will });
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

/// Whether nobody listens there, rather than that somebody refuses.
fn is_nobody_there(error: &anyhow::Error) -> bool {
    let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(refused))
}

/// A vehicle, connected or not.
pub(crate) struct Vehicle {
    number: usize,
    plan: Arc<Plan>,
    topics: [String; 2],
    messages: Messages,
    began: Instant,
    outbox: Outbox,
    /// What it says of itself on each connection, if it does.
    greeting: Option<Greeting>,
    /// Something that it wrote on this connection is committed.
    is_served: bool,
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
        greeting: Greeting,
        began: Instant,
        tally: &Arc<Tally>,
        door: &Arc<Semaphore>,
    ) -> Self {
        let vin = drive::vin(number);
        let topics = match plan.form {
            Form::Contract => [Kind::Telemetry, Kind::Backfill].map(|kind| Topic::new(vin, kind).to_string()),
            Form::Json => [(); 2].map(|()| format!("fleet/v1/{vin}/up/json")),
        };
        tally.published.fetch_add(plan.backlog, Relaxed);
        Vehicle {
            number,
            plan: Arc::clone(plan),
            topics,
            messages,
            began,
            outbox: Outbox::new(plan.pace, plan.backlog, began + plan.turn_of(number)),
            greeting: plan.greets.then_some(greeting),
            is_served: false,
            epoch: greeting.epoch,
            packet_id: 0,
            tally: Arc::clone(tally),
            door: Arc::clone(door),
            chance: SmallRng::seed_from_u64(number as u64),
        }
    }

    /// Until everything that it had to say is committed.
    pub(crate) async fn live(mut self, came: (TcpStream, Vec<u8>), stop: CancellationToken) -> Result<()> {
        let mut connected = Some(came);
        let mut backoff = Backoff::default();
        loop {
            let Some((stream, inbound)) = connected.take() else {
                let again = async {
                    let _place = self.door.acquire().await?;
                    sign_in(&self.plan, self.number, self.greeting).await
                };
                match again.await {
                    Ok(came) => {
                        self.tally.connected.fetch_add(1, Relaxed);
                        self.tally.reconnects.fetch_add(1, Relaxed);
                        connected = Some(came);
                    }
                    Err(error) => {
                        let tally = if is_nobody_there(&error) { &self.tally.unreachable } else { &self.tally.refused };
                        tally.fetch_add(1, Relaxed);
                        sleep_until(Instant::now() + backoff.next(None, &mut self.chance)).await;
                    }
                }
                continue;
            };
            let since = Instant::now();
            let ended = self.drive(stream, inbound, &stop).await;
            self.tally.connected.fetch_sub(1, Relaxed);
            if std::mem::take(&mut self.is_served) {
                self.tally.served.fetch_sub(1, Relaxed);
            }
            self.outbox.lose_connection();
            match ended {
                Ok(End::Home) => return Ok(()),
                Ok(End::Away(until)) => tokio::select! {
                    () = sleep_until(until) => {}
                    // Who has something left comes back to say it.
                    () = stop.cancelled() => if self.outbox.is_empty() { return Ok(()) },
                },
                Err(_) if self.plan.weather.rough => {
                    sleep_until(Instant::now() + backoff.next(Some(since.elapsed()), &mut self.chance)).await;
                }
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
        for (topic, payload) in self.greeting.map(Greeting::hello).into_iter().flatten() {
            packet::retain(&mut out, &topic, self.next_packet_id(), &payload);
        }
        self.hear(&mut inbound, &mut out)?;
        let cut = self.next_cut();
        loop {
            let leaving = stop.is_cancelled();
            if let Some((_, until)) = cut.filter(|(at, _)| *at <= Instant::now() && !leaving) {
                return Ok(End::Away(until));
            }
            self.publish(&mut out, leaving);
            if leaving && self.outbox.is_empty() {
                if let Some((topic, payload)) = self.greeting.map(Greeting::farewell) {
                    packet::retain(&mut out, &topic, self.next_packet_id(), &payload);
                }
                packet::disconnect(&mut out);
                // It leaves whether the broker is still there to hear that or not.
                if stream.write_all(&out).await.is_ok() {
                    stream.shutdown().await.ok();
                }
                return Ok(End::Home);
            }
            if !out.is_empty() {
                stream.write_all(&out).await?;
                out.clear();
                if out.capacity() > 2 * BURST {
                    out = Vec::new();
                }
            }
            let patience = self.outbox.waiting_since().map(|since| since + LOST);
            let again = self.outbox.again_at();
            let due = self.outbox.next_due().filter(|_| !leaving);
            let ready = self.outbox.ready_at();
            tokio::select! {
                read = stream.read_buf(&mut inbound) => {
                    ensure!(read? > 0, "{}: the broker has closed the connection", self.topics[0]);
                    self.hear(&mut inbound, &mut out)?;
                }
                () = until(due) => {}
                () = until(ready) => {}
                () = until(again) => self.outbox.lose_patience(),
                () = until(patience) => bail!("{}: not committed after {LOST:?}", self.topics[0]),
                () = until(cut.map(|(at, _)| at).filter(|_| !leaving)) => {}
                () = stop.cancelled(), if !leaving => {}
            }
        }
    }

    /// Notes the messages that are due, and writes what may be written now.
    fn publish(&mut self, out: &mut Vec<u8>, leaving: bool) {
        let now = Instant::now();
        if !leaving {
            self.tally.published.fetch_add(self.outbox.fall_due(now), Relaxed);
        }
        while out.len() < BURST
            && let Some(next) = self.outbox.next(now)
        {
            let payload = match self.plan.form {
                Form::Contract => self.messages.encode(next.seq),
                Form::Json => json(&mut self.messages, next.seq),
            };
            let packet_id = self.next_packet_id();
            packet::publish(out, &self.topics[usize::from(next.is_late)], packet_id, &payload);
            self.tally.sent_again.fetch_add(u64::from(next.is_again), Relaxed);
            self.outbox.wrote(next, now, packet_id, payload.len());
        }
    }

    fn next_packet_id(&mut self) -> u16 {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        self.packet_id
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
        let now = Instant::now();
        if let Some(written) = self.outbox.note(u16::from_be_bytes(*id)) {
            let mut pubacks = self.tally.pubacks.lock().unwrap_or_else(PoisonError::into_inner);
            pubacks.push((now - written).as_secs_f64() * 1e3);
        }
        if self.plan.form == Form::Json
            && let Some(sent) = self.outbox.settle_oldest()
        {
            self.committed(&sent, now);
        }
    }

    /// Everything up to a number is committed, and some of what is above it.
    fn settle(&mut self, ack: &Ack) {
        let now = Instant::now();
        for sent in self.outbox.settle(ack, now) {
            self.committed(&sent, now);
        }
    }

    fn committed(&mut self, sent: &Sent, now: Instant) {
        self.tally.committed.fetch_add(1, Relaxed);
        if sent.written.is_some() && !std::mem::replace(&mut self.is_served, true) {
            self.tally.served.fetch_add(1, Relaxed);
        }
        if self.outbox.is_backlog(sent.seq) {
            self.tally.made_up.fetch_add(1, Relaxed);
            return;
        }
        let mut latencies = self.tally.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        latencies.push((now - sent.due).as_secs_f64() * 1e3);
    }
}

/// That moment; never without one.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_vehicles_share_an_address_and_all_are_of_this_machine() {
        let of = |number, neighbours| address(number, neighbours).ip().to_string();
        assert_eq!([of(0, 1_000), of(999, 1_000), of(1_000, 1_000)], ["127.1.0.1", "127.1.0.1", "127.1.0.2"]);
        assert_eq!([of(0, 1), of(255, 1), of(199_999, 1)], ["127.1.0.1", "127.1.1.0", "127.4.13.64"]);
        assert_eq!(of(7, 0), of(7, 1));
    }

    #[test]
    fn nobody_there_is_another_thing_than_a_refusal() {
        let with = |kind| Err::<(), _>(io::Error::from(kind)).context("signing in").unwrap_err();
        assert!(is_nobody_there(&with(io::ErrorKind::ConnectionRefused)));
        assert!(!is_nobody_there(&with(io::ErrorKind::ConnectionReset)));
        assert!(!is_nobody_there(&anyhow::anyhow!("sent away")));
    }
}
