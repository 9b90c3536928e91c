use bugbrother_wire::message::EventKind;

use super::{
    Limits,
    situation::{STANDING_KMH, Situation},
};
use crate::outbox::Happening;

/// Wheels that tell so little stand.
const WHEELS_KMH: f64 = 1.0;

/// Standing with the engine running. An electric car that is ready to drive does not idle.
#[derive(Debug, Default)]
pub(super) struct Idling {
    since: Option<u64>,
    told: bool,
}

impl Idling {
    pub fn tick(&mut self, now: &Situation, limits: &Limits, out: &mut Vec<Happening>) {
        let Some(limit_s) = limits.idling else { return };
        let turns = match now.turns() {
            Some(turns) => turns,
            // Of a car that tells nothing but its voltage.
            None => !now.answered && now.runs() == Some(true) && now.ignition == Some(true),
        };
        let stands = match (now.wheels(), now.receiver()) {
            (Some(wheels), _) => wheels <= WHEELS_KMH,
            (None, Some(gspd)) => gspd < STANDING_KMH,
            (None, None) => false,
        };
        if !(turns && stands) {
            *self = Idling::default();
            return;
        }
        let since = *self.since.get_or_insert(now.now);
        let stood_s = now.now.saturating_sub(since) as f64 / 1000.0;
        if stood_s >= limit_s && !self.told {
            self.told = true;
            let mut event = now.event(EventKind::Idling, since);
            event.values.insert("duration_s".to_owned(), limit_s);
            out.push(event);
        }
    }
}
