//! Late data: the order in which it comes does not change the final history.

mod table;

use std::{collections::BTreeMap, sync::Arc};

use bugbrother_rule::{
    Fences, Firing, Hearing, Member, Moment, News, Plan, Slots, Transition, Trial,
    late::{Known, settle},
};
use bugbrother_wire::{AlertId, UnixMs, rule::Condition};
use proptest::{collection::vec, prelude::*};
use table::{T0, golf};
use uuid::Uuid;

const FROM: UnixMs = T0 - 3_600_000;
const TO: UnixMs = T0 + 24 * 3_600_000;

/// A drive, whatever of it has arrived, and the alerts that are known by then.
struct History {
    plan: Arc<Plan>,
    slots: Slots,
    stored: BTreeMap<UnixMs, f64>,
    alerts: BTreeMap<AlertId, (Known, u32)>,
}

impl History {
    fn new() -> Self {
        let condition = Condition::Above { signals: vec!["spd".into()], on: 130.0, off: 120.0, for_ms: 3_000 };
        let mut slots = Slots::default();
        let plan = Arc::new(Plan::new(&condition, &Fences::default(), &mut slots));
        History { plan, slots, stored: BTreeMap::new(), alerts: BTreeMap::new() }
    }

    fn row(&self, kmh: f64) -> Vec<Option<f64>> {
        let mut row = vec![None; self.slots.keys().len()];
        row[self.slots.find("spd").expect("it has a place")] = Some(kmh);
        row
    }

    /// What arrives in its time, and what is told of it.
    fn live(&mut self, samples: &[(UnixMs, f64)]) {
        let mut case = self.plan.fresh();
        let mut open: Option<AlertId> = None;
        for (ts, kmh) in samples {
            self.stored.insert(*ts, *kmh);
            let (row, member) = (self.row(*kmh), Member::default());
            let moment =
                Moment { ts: *ts, news: News::Sample(&row), place: None, member: &member, hearing: Hearing::default() };
            match case.step(&self.plan, &moment, *ts) {
                Some(Transition::Opened(opened)) => {
                    let id = AlertId(Uuid::from_u128(u128::from(ts.unsigned_abs())));
                    self.alerts.insert(id, (Known { id, opened, resolved: None, late: false }, 1));
                    open = Some(id);
                }
                Some(Transition::Resolved(at)) => {
                    let alert = open.take().and_then(|id| self.alerts.get_mut(&id)).expect("it was opened");
                    alert.0.resolved = Some(at);
                }
                _ => {}
            }
        }
    }

    /// What arrives late is stored, and the whole is judged anew.
    fn late(&mut self, samples: &[(UnixMs, f64)]) {
        self.stored.extend(samples.iter().copied());
        let mut trial = Trial::new(Arc::clone(&self.plan), Member::default());
        let mut found: Vec<Firing> = Vec::new();
        for (ts, kmh) in &self.stored {
            found.extend(trial.step(*ts, &self.row(*kmh)));
        }
        found.extend(trial.end(TO));
        let known: Vec<Known> = self.alerts.values().map(|(known, _)| *known).collect();
        let verdict = settle((golf(), "fast"), (FROM, TO), found, &known);
        for id in verdict.drop {
            self.alerts.remove(&id);
        }
        for (id, firing) in verdict.keep {
            let known = Known { id, opened: firing.opened, resolved: firing.resolved, late: true };
            self.alerts.insert(id, (known, firing.count));
        }
    }
}

/// Seconds of speed about the limit, in pieces; each piece comes in its time or late.
fn drives() -> impl Strategy<Value = Vec<(Vec<(UnixMs, f64)>, bool)>> {
    let piece = (vec((1_000..4_000i64, 110.0..145.0f64), 1..25), any::<bool>());
    vec(piece, 1..8).prop_map(|pieces| {
        let mut ts = T0;
        let mut dated = Vec::new();
        for (piece, is_late) in pieces {
            let piece = piece.into_iter().map(|(dt, kmh)| {
                ts += dt;
                (ts, kmh)
            });
            dated.push((piece.collect(), is_late));
        }
        dated
    })
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_change_the_final_history(
        drive in drives(), order in Just((0..8usize).collect::<Vec<_>>()).prop_shuffle(), again in 0..8usize
    ) {
        let live: Vec<_> = drive.iter().filter(|(_, late)| !late).flat_map(|(piece, _)| piece.clone()).collect();
        let late: Vec<_> = drive.iter().filter(|(_, late)| *late).map(|(piece, _)| piece.clone()).collect();
        let (mut sorted, mut shuffled) = (History::new(), History::new());
        sorted.live(&live);
        shuffled.live(&live);
        late.iter().for_each(|piece| sorted.late(piece));
        for piece in order.iter().filter_map(|n| late.get(*n)) {
            shuffled.late(piece);
        }
        // And what comes twice changes nothing.
        if let Some(piece) = late.get(again) {
            shuffled.late(piece);
        }
        prop_assert_eq!(&shuffled.alerts, &sorted.alerts);
        // Nothing that somebody was told of is told again, and nothing overlaps.
        let all: Vec<Known> = sorted.alerts.values().map(|(known, _)| *known).collect();
        for one in all.iter().filter(|one| one.late) {
            for other in all.iter().filter(|other| other.id != one.id) {
                let apart = one.resolved.is_some_and(|end| end < other.opened) || other.resolved.is_some_and(|end| end < one.opened);
                prop_assert!(apart, "{:?} and {:?}", one, other);
            }
        }
    }
}

#[test]
fn a_drive_that_came_late_is_in_the_history_as_if_it_had_been_heard() {
    let fast: Vec<_> = (0..60).map(|n| (T0 + n * 1000, if (10..30).contains(&n) { 140.0 } else { 100.0 })).collect();
    let (mut heard, mut found) = (History::new(), History::new());
    heard.live(&fast);
    found.late(&fast);
    let spans =
        |history: &History| history.alerts.values().map(|(one, _)| (one.opened, one.resolved)).collect::<Vec<_>>();
    assert_eq!(spans(&heard), [(T0 + 10_000, Some(T0 + 30_000))]);
    assert_eq!(spans(&found), spans(&heard));
    assert!(found.alerts.values().all(|(one, _)| one.late), "and nobody was told");
    heard.late(&fast);
    assert_eq!(heard.alerts.len(), 1, "what was told is not found again");
}

#[test]
fn what_was_found_with_less_falls_away_when_more_is_known() {
    let mut history = History::new();
    history.late(&[(T0, 140.0), (T0 + 2_000, 140.0), (T0 + 4_000, 140.0), (T0 + 9_000, 100.0)]);
    assert_eq!(history.alerts.len(), 1);
    history.late(&[(T0 + 1_000, 100.0), (T0 + 3_000, 100.0)]);
    assert!(history.alerts.is_empty(), "in between it was slower: {:?}", history.alerts);
}
