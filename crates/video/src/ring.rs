//! The last seconds of a stream, kept as whole GOPs so that every part of it can be decoded.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::access_unit::{AccessUnit, Parameters, SoundFrame, SoundParameters};

/// How much a ring may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time from the oldest unit to the newest. A GOP is dropped as a whole, so what is left may be a GOP shorter.
    pub duration: Duration,
    /// Bytes of all coded pictures and sound together. An H.265 camera may send one key frame in many seconds.
    pub bytes: usize,
}

/// A key frame and what follows until the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gop {
    parameters: Arc<Parameters>,
    units: Vec<AccessUnit>,
    sound: Option<Sound>,
    bytes: usize,
}

/// What was heard during a GOP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// What a decoder must know.
    pub parameters: Arc<SoundParameters>,
    /// The frames in order.
    pub frames: Vec<SoundFrame>,
}

impl Gop {
    /// What a decoder must know.
    pub fn parameters(&self) -> &Arc<Parameters> {
        &self.parameters
    }

    /// The pictures in decoding order; the first is a key frame.
    pub fn units(&self) -> &[AccessUnit] {
        &self.units
    }

    /// What was heard meanwhile.
    pub fn sound(&self) -> Option<&Sound> {
        self.sound.as_ref()
    }

    /// Bytes of its coded pictures and sound.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// When its key frame came.
    pub fn start(&self) -> Instant {
        self.units[0].received
    }
}

/// What became of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It is kept.
    Kept,
    /// It is not: the key frame that it builds on is not there.
    Undecodable,
    /// It is not, nor is anything else: its GOP alone is above the limits. The next key frame starts again.
    TooLarge,
}

/// The last GOPs of one stream, within [`Limits`].
#[derive(Debug)]
pub struct Ring {
    limits: Limits,
    gops: VecDeque<Gop>,
    bytes: usize,
    /// Whether the last GOP may still grow; not after one of its units was lost.
    open: bool,
}

impl Ring {
    /// An empty ring.
    pub fn new(limits: Limits) -> Self {
        Ring { limits, gops: VecDeque::new(), bytes: 0, open: false }
    }

    /// Takes the next unit of the stream, and drops the oldest GOPs where it goes above the limits.
    ///
    /// `parameters` are those that hold for the unit. Units come in the order in which they were received.
    pub fn push(&mut self, parameters: &Arc<Parameters>, unit: AccessUnit) -> Pushed {
        let (now, size) = (unit.received, unit.data.len());
        match self.gops.back_mut().filter(|_| self.open && !unit.is_key) {
            Some(gop) => {
                gop.units.push(unit);
                gop.bytes += size;
            }
            None if unit.is_key => {
                self.gops.push_back(Gop {
                    parameters: parameters.clone(),
                    units: vec![unit],
                    sound: None,
                    bytes: size,
                });
                self.open = true;
            }
            None => return Pushed::Undecodable,
        }
        self.bytes += size;
        while self.is_above_limits(now) {
            self.drop_oldest();
        }
        if self.gops.is_empty() {
            self.open = false;
            return Pushed::TooLarge;
        }
        Pushed::Kept
    }

    /// Takes a frame of sound, which belongs to the GOP that is being received; it is left aside where there is none.
    pub fn hear(&mut self, parameters: &Arc<SoundParameters>, frame: SoundFrame) {
        let Some(gop) = self.gops.back_mut().filter(|_| self.open) else { return };
        let (now, size) = (frame.received, frame.data.len());
        let sound = gop.sound.get_or_insert_with(|| Sound { parameters: parameters.clone(), frames: Vec::new() });
        if sound.parameters != *parameters {
            return;
        }
        sound.frames.push(frame);
        gop.bytes += size;
        self.bytes += size;
        while self.is_above_limits(now) {
            self.drop_oldest();
        }
        self.open &= !self.gops.is_empty();
    }

    /// The stream broke off: what comes next does not continue the last GOP.
    pub fn interrupt(&mut self) {
        self.open = false;
    }

    /// The GOPs from the key frame at or before `t` on; all of them when `t` is before the oldest.
    pub fn since(&self, t: Instant) -> impl Iterator<Item = &Gop> {
        let after = self.gops.partition_point(|gop| gop.start() <= t);
        self.gops.range(after.saturating_sub(1)..)
    }

    /// Everything that is there, oldest first.
    pub fn gops(&self) -> impl Iterator<Item = &Gop> {
        self.gops.iter()
    }

    /// Bytes of all coded pictures and sound.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Time from the oldest unit to the newest.
    pub fn duration(&self) -> Duration {
        let newest = self.gops.back().and_then(|gop| gop.units.last());
        match (self.gops.front(), newest) {
            (Some(oldest), Some(newest)) => newest.received.saturating_duration_since(oldest.start()),
            _ => Duration::ZERO,
        }
    }

    fn is_above_limits(&self, now: Instant) -> bool {
        self.gops.front().is_some_and(|oldest| {
            self.bytes > self.limits.bytes || now.saturating_duration_since(oldest.start()) > self.limits.duration
        })
    }

    fn drop_oldest(&mut self) {
        if let Some(gop) = self.gops.pop_front() {
            self.bytes -= gop.bytes;
        }
    }
}
