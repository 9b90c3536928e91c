//! Frames of the live feed in pieces: a viewer's socket keeps the memory of the largest frame that it ever sent, and a browser
//! stands still for as long as it reads one.

use std::sync::Arc;

use bugbrother_wire::{
    encode,
    live::{Delta, Frame, Snapshot},
};
use bytes::Bytes;

/// Most vehicles of a piece: some 30 kB of changes, and 100 kB of whole vehicles with many signals.
const MAX_VEHICLES: usize = 250;

/// Encoded frames that are told one after the other. Only the last one has the tick: who has missed one of them has not come
/// so far.
pub(crate) type Pieces = Arc<[Bytes]>;

/// A snapshot, which begins with some of the vehicles and goes on as deltas.
pub(crate) fn of_snapshot(mut snapshot: Snapshot) -> Pieces {
    let rest = snapshot.vehicles.split_off(snapshot.vehicles.len().min(MAX_VEHICLES));
    let (now, tick) = (snapshot.now, snapshot.tick);
    if !rest.is_empty() {
        snapshot.tick = 0;
    }
    let mut frames = vec![Frame::Snapshot(snapshot)];
    if !rest.is_empty() {
        let empty = empty(now, tick);
        frames.extend(split(Delta { named: rest, ..empty }, 0).map(Frame::Delta));
    }
    frames.iter().map(|frame| Bytes::from(encode(frame))).collect()
}

/// A delta for those who know everything up to the tick `before`.
pub(crate) fn of_delta(delta: Delta, before: u64) -> Pieces {
    split(delta, before).map(|piece| Bytes::from(encode(&Frame::Delta(piece)))).collect()
}

/// What is left is told first, and alerts last, when their vehicles are known.
fn split(mut delta: Delta, before: u64) -> impl Iterator<Item = Delta> {
    let pieces = (delta.named.len().div_ceil(MAX_VEHICLES) + delta.changed.len().div_ceil(MAX_VEHICLES)).max(1);
    let small = delta.named.len() + delta.changed.len() <= MAX_VEHICLES;
    let pieces = if small { 1 } else { pieces };
    (1..=pieces).map(move |piece| {
        if piece == pieces {
            return std::mem::replace(&mut delta, empty(0, 0));
        }
        let mut one = Delta { left: std::mem::take(&mut delta.left), ..empty(delta.now, before) };
        if delta.named.is_empty() {
            one.changed.extend(delta.changed.drain(..MAX_VEHICLES.min(delta.changed.len())));
        } else {
            one.named.extend(delta.named.drain(..MAX_VEHICLES.min(delta.named.len())));
        }
        one
    })
}

fn empty(now: i64, tick: u64) -> Delta {
    let (named, left, changed) = (Vec::new(), Vec::new(), Vec::new());
    Delta { now, tick, named, left, changed, alerts: Vec::new(), notices: Vec::new() }
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::{
        codec::decode_value,
        live::{Change, LiveVehicle},
        message::Presence,
    };

    use super::*;

    fn live(n: u32) -> LiveVehicle {
        let vin = format!("WVWZZZ1JZ3W{n:06}").parse().unwrap();
        let (presence, values) = (Presence::Online, Default::default());
        LiveVehicle {
            n,
            vin,
            name: "Van".to_owned(),
            plate: None,
            client: None,
            presence,
            source_ts: 0,
            received_ts: 0,
            values,
        }
    }

    fn change(n: u32) -> Change {
        Change(n, Presence::Online, 1, 1, Vec::new())
    }

    /// Vehicles and ticks of the frames.
    fn told(pieces: &Pieces) -> Vec<(usize, u64)> {
        let read = |bytes: &Bytes| match decode_value(bytes).unwrap() {
            Frame::Snapshot(snapshot) => (snapshot.vehicles.len(), snapshot.tick),
            Frame::Delta(delta) => (delta.named.len() + delta.changed.len(), delta.tick),
            Frame::Hello { .. } => panic!("hello is no piece"),
        };
        pieces.iter().map(read).collect()
    }

    #[test]
    fn a_large_fleet_comes_in_pieces_and_the_last_one_has_the_tick() {
        let snapshot = |vehicles| Snapshot { now: 5, tick: 7, vehicles, alerts: Vec::new() };
        assert_eq!(told(&of_snapshot(snapshot(Vec::new()))), [(0, 7)]);
        assert_eq!(told(&of_snapshot(snapshot((0..250).map(live).collect()))), [(250, 7)]);
        assert_eq!(told(&of_snapshot(snapshot((0..600).map(live).collect()))), [(250, 0), (250, 0), (100, 7)]);
    }

    #[test]
    fn a_large_delta_comes_in_pieces_for_those_who_know_what_was_before() {
        let delta = |named: u32, changed: u32| Delta {
            named: (0..named).map(live).collect(),
            changed: (0..changed).map(change).collect(),
            left: vec![3],
            ..empty(5, 9)
        };
        assert_eq!(told(&of_delta(delta(0, 0), 8)), [(0, 9)]);
        assert_eq!(told(&of_delta(delta(100, 150), 8)), [(250, 9)]);
        assert_eq!(told(&of_delta(delta(300, 260), 4)), [(250, 4), (50, 4), (250, 4), (10, 9)]);
        let Frame::Delta(first) = decode_value(&of_delta(delta(300, 0), 8)[0]).unwrap() else { panic!("no delta") };
        assert_eq!(first.left, [3], "what is gone goes first");
    }
}
