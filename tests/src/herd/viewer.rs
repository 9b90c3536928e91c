use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use bugbrother_wire::{
    UnixMs, Vin,
    codec::decode_value,
    encode,
    live::{Delta, Frame, Snapshot, Want, Which},
    unix_ms,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::TcpStream,
    time::{MissedTickBehavior, interval},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use super::Roads;

/// Between two frames.
const TICK: Duration = Duration::from_millis(100);

/// Says hello, waits for a wish, and then shows what is wished for.
pub(super) async fn show(mut socket: WebSocketStream<TcpStream>, roads: &Roads) -> Result<()> {
    let hello = Frame::Hello { server: env!("CARGO_PKG_VERSION").to_owned(), now: now(), feed: "herd".to_owned() };
    say(&mut socket, &hello).await?;
    let mut wish: Option<Wish> = None;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tick = 0;
    loop {
        tokio::select! {
            message = socket.next() => match message.context("the viewer has gone")?? {
                Message::Binary(bytes) => {
                    let wished = Wish::of(decode_value(&bytes)?);
                    say(&mut socket, &Frame::Snapshot(wished.snapshot(roads, tick))).await?;
                    wish = Some(wished);
                }
                Message::Close(_) => return Ok(()),
                _ => {}
            },
            _ = ticks.tick() => {
                tick += 1;
                if let Some(wish) = &wish {
                    say(&mut socket, &Frame::Delta(wish.delta(roads, tick))).await?;
                }
            }
        }
    }
}

async fn say(socket: &mut WebSocketStream<TcpStream>, frame: &Frame) -> Result<()> {
    Ok(socket.send(Message::Binary(encode(frame).into())).await?)
}

fn now() -> UnixMs {
    unix_ms(SystemTime::now())
}

/// What a viewer wants.
struct Wish {
    which: Which,
    signals: Option<HashSet<String>>,
    whole: HashSet<Vin>,
}

impl Wish {
    fn of(want: Want) -> Self {
        let signals = want.signals.map(|keys| keys.into_iter().collect());
        Wish { which: want.which, signals, whole: want.whole.into_iter().collect() }
    }

    fn snapshot(&self, roads: &Roads, tick: u64) -> Snapshot {
        let now = now();
        let wanted = roads.all(now).filter(|live| self.wants(live.vin, &live.values)).map(|mut live| {
            live.values.retain(|key, _| self.wants_signal(live.vin, key));
            live
        });
        Snapshot { now, tick, vehicles: wanted.collect(), alerts: Vec::new() }
    }

    fn delta(&self, roads: &Roads, tick: u64) -> Delta {
        let now = now();
        let wanted = roads.turn(tick as usize, now).filter_map(|(vin, mut change)| {
            let values: BTreeMap<String, f64> = change.4.iter().cloned().collect();
            change.4.retain(|(key, _)| self.wants_signal(vin, key));
            self.wants(vin, &values).then_some(change)
        });
        let changed = wanted.collect();
        Delta { now, tick, named: Vec::new(), left: Vec::new(), changed, alerts: Vec::new(), notices: Vec::new() }
    }

    fn wants(&self, vin: Vin, values: &BTreeMap<String, f64>) -> bool {
        let place = || values.get("lat").copied().zip(values.get("lon").copied());
        self.whole.contains(&vin)
            || match &self.which {
                Which::Fleet => true,
                Which::Only(vins) => vins.contains(&vin),
                area @ Which::Area { .. } => area.holds(place()),
            }
    }

    fn wants_signal(&self, vin: Vin, key: &str) -> bool {
        self.whole.contains(&vin) || self.signals.as_ref().is_none_or(|keys| keys.contains(key))
    }
}
