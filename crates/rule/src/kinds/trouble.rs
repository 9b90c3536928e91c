//! What the car says is wrong with it.

use bugbrother_wire::{
    UnixMs,
    message::{DtcStatus, Severity},
    rule::Codes as Spec,
};
use serde::{Deserialize, Serialize};

use crate::{
    Moment, News, Note, hold,
    hold::{Held, Hold},
};

/// Most codes and self tests that are told.
const MOST: usize = 16;

/// Trouble codes.
#[derive(Debug, Clone)]
pub struct Codes {
    begin_with: Vec<String>,
    at_least: Severity,
    pending: bool,
}

/// When the car told last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    last_ts: Option<UnixMs>,
}

/// What is remembered of a vehicle's self tests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SelfTests {
    told: Told,
    /// Those that had run to their end.
    complete: Vec<String>,
}

impl Told {
    /// Whether it is newer than all before.
    fn advance(&mut self, at: UnixMs) -> bool {
        let is_new = self.last_ts.is_none_or(|last| at > last);
        if is_new {
            self.last_ts = Some(at);
        }
        is_new
    }
}

impl Codes {
    pub fn new(spec: &Spec) -> Self {
        Codes { begin_with: spec.codes.clone(), at_least: spec.at_least, pending: spec.pending }
    }

    pub fn step(&self, told: &mut Told, held: &mut Held, moment: &Moment<'_>) -> Option<Note> {
        let News::Diagnostics(picture) = moment.news else { return None };
        if !told.advance(picture.at) {
            return None;
        }
        let mut codes: Vec<&str> = Vec::new();
        for dtc in &picture.dtcs {
            let counts = (self.pending || dtc.status != DtcStatus::Pending) && self.wants(&dtc.code);
            if counts && codes.len() < MOST && !codes.contains(&dtc.code.as_str()) {
                codes.push(&dtc.code);
            }
        }
        if codes.is_empty() {
            return hold::end(held, picture.at);
        }
        let codes = || codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
        match held {
            None => hold::begin(held, || {
                let mut hold = Hold::since(picture.at);
                hold.cause.codes = codes();
                hold
            }),
            Some(hold) => {
                let before = std::mem::replace(&mut hold.cause.codes, codes());
                let is_more = hold.cause.codes.iter().any(|code| !before.contains(code));
                is_more.then_some(Note::Recurred)
            }
        }
    }

    fn wants(&self, code: &str) -> bool {
        let named = self.begin_with.is_empty() || self.begin_with.iter().any(|begin| code.starts_with(begin));
        named && bugbrother_dtc::catalogue().severity(code) >= self.at_least
    }
}

/// The lamp is on.
pub(crate) fn lamp(told: &mut Told, held: &mut Held, moment: &Moment<'_>) -> Option<Note> {
    let News::Diagnostics(picture) = moment.news else { return None };
    let is_on = picture.mil?;
    if !told.advance(picture.at) {
        return None;
    }
    if is_on { hold::begin(held, || Hold::since(picture.at)) } else { hold::end(held, picture.at) }
}

/// Self tests that had run to their end no longer have: somebody cleared the codes, or the battery was off.
pub(crate) fn readiness(tests: &mut SelfTests, held: &mut Held, moment: &Moment<'_>) -> Option<Note> {
    let News::Diagnostics(picture) = moment.news else { return None };
    if picture.monitors.is_empty() || !tests.told.advance(picture.at) {
        return None;
    }
    let is_complete = |name: &str| picture.monitors.iter().any(|monitor| monitor.name == name && monitor.complete);
    let lost_before = held.as_ref().map(|hold| hold.cause.monitors.as_slice()).unwrap_or_default();
    let is_incomplete = |name: &str| picture.monitors.iter().any(|monitor| monitor.name == name && !monitor.complete);
    let mut lost: Vec<String> =
        lost_before.iter().chain(&tests.complete).filter(|name| is_incomplete(name)).take(MOST).cloned().collect();
    lost.sort_unstable();
    lost.dedup();
    tests.complete = picture
        .monitors
        .iter()
        .filter(|monitor| is_complete(&monitor.name))
        .take(MOST)
        .map(|one| one.name.clone())
        .collect();
    if lost.is_empty() {
        return hold::end(held, picture.at);
    }
    match held {
        None => hold::begin(held, || {
            let mut hold = Hold::since(picture.at);
            hold.cause.monitors = lost;
            hold
        }),
        Some(hold) => {
            let is_more = lost.iter().any(|name| !hold.cause.monitors.contains(name));
            hold.cause.monitors = lost;
            is_more.then_some(Note::Recurred)
        }
    }
}
