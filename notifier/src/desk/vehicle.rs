//! What a desk knows of a vehicle, and what of it is kept for a desk that comes after.

use std::collections::BTreeMap;

use bugbrother_rule::{Case, Hearing, Hold, Place, Transition};
use bugbrother_store::Latest;
use bugbrother_wire::{
    SCHEMA_VERSION, UnixMs, Vin,
    message::{Alert, AlertCause, AlertState},
};
use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

use super::book::{InForce, Shelf};

/// While an alert is active, a value that merely gets worse is said again only this often.
const WORSENED_EVERY_MS: i64 = 5_000;
/// What is longer is not read: nothing that a desk keeps is.
const MAX_MEMORY: usize = 1 << 20;

/// Where a vehicle was, and when that was measured.
pub(super) type Seen = (UnixMs, Place);

#[derive(Debug, Default)]
pub(super) struct Vehicle {
    /// When it last said something, by our clock.
    pub heard: UnixMs,
    /// It said that it goes to sleep: it is silent on purpose.
    pub asleep: bool,
    /// Since when the broker says that it is offline, by our clock.
    pub offline_since: Option<UnixMs>,
    /// When the last connection began of which it spoke, by its clock: a will that comes late is of one before.
    pub online_since: UnixMs,
    /// Samples up to here were judged by a desk before this one.
    pub before: UnixMs,
    /// The newest sample that was judged.
    pub head: UnixMs,
    /// Where it was last.
    pub place: Option<Seen>,
    /// What came late and is still to be judged.
    pub late: Option<LateSpan>,
    /// The rules about it, in the order of the shelf.
    pub tracked: Vec<Tracked>,
    /// Something is not written down yet.
    pub dirty: bool,
    /// When it was written down last.
    pub kept: UnixMs,
}

/// A rule on a vehicle.
#[derive(Debug)]
pub(super) struct Tracked {
    /// Its place on the shelf.
    pub rule: usize,
    pub case: Case,
    pub alert: Option<Alert>,
}

/// A part of a vehicle's past that came late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateSpan {
    /// Its oldest moment, by the vehicle's clock.
    pub from: UnixMs,
    /// Its newest.
    pub to: UnixMs,
    /// When the last of it was received.
    pub received: UnixMs,
    /// When the first of it was.
    pub since: UnixMs,
}

/// What is kept of a vehicle.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    head: UnixMs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    late: Option<LateSpan>,
    cases: BTreeMap<String, Remembered>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    subject: String,
    case: Case,
}

impl Vehicle {
    /// A vehicle of which nothing is known but by its last state.
    pub fn new(vin: Vin, latest: Option<&Latest>, shelf: &Shelf, now: UnixMs) -> Self {
        // Nothing of it is written down: that is due at once.
        let mut vehicle = Vehicle::default();
        if let Some(latest) = latest.filter(|latest| latest.received_ts > 0) {
            vehicle.heard = latest.received_ts;
            vehicle.asleep = latest.presence == bugbrother_wire::message::Presence::Asleep;
            let is_offline = latest.presence == bugbrother_wire::message::Presence::Offline;
            vehicle.offline_since = is_offline.then_some(now);
            vehicle.online_since = latest.presence_since;
            (vehicle.before, vehicle.head) = (latest.source_ts, latest.source_ts);
            vehicle.place = position(latest);
        }
        vehicle.track(vin, shelf, Vec::new());
        vehicle
    }

    /// Follows the rules that are about it. What it had of rules that go on is given by their identities; what of it is
    /// not used is returned.
    pub fn track(
        &mut self,
        vin: Vin,
        shelf: &Shelf,
        mut known: Vec<(String, String, Case, Option<Alert>)>,
    ) -> Vec<Alert> {
        self.tracked.clear();
        for (place, InForce { rule, plan }) in shelf.about(vin) {
            let of_rule = known.iter().position(|(id, ..)| *id == rule.id).map(|at| known.swap_remove(at));
            let (case, alert) = match of_rule {
                Some((_, subject, case, alert)) if subject == plan.subject() && plan.fits(&case) => (case, alert),
                other => {
                    // It looks at something else: its alert ends.
                    known.extend(other);
                    (plan.fresh(), None)
                }
            };
            self.tracked.push(Tracked { rule: place, case, alert });
        }
        known.into_iter().filter_map(|(_, _, _, alert)| alert).collect()
    }

    /// What it has of each rule, taken out.
    pub fn untrack(&mut self, shelf: &Shelf) -> Vec<(String, String, Case, Option<Alert>)> {
        let taken = self.tracked.drain(..).map(|one| {
            let InForce { rule, plan } = &shelf.rules[one.rule];
            (rule.id.clone(), plan.subject().to_owned(), one.case, one.alert)
        });
        taken.collect()
    }

    /// Goes on with what a desk before has kept, and with the alerts that are active. Returns those of rules that are no
    /// longer about it.
    pub fn recall(&mut self, vin: Vin, memory: Option<&str>, alerts: Vec<Alert>, shelf: &Shelf) -> Vec<Alert> {
        let kept =
            memory.filter(|body| body.len() <= MAX_MEMORY).and_then(|body| serde_json::from_str::<Memory>(body).ok());
        if let Some(Memory { head, late, .. }) = &kept {
            (self.before, self.head, self.late) = (*head, *head, *late);
        }
        let mut cases = kept.map(|memory| memory.cases).unwrap_or_default();
        let mut alerts: Vec<Option<Alert>> = alerts.into_iter().map(Some).collect();
        for (place, InForce { rule, plan }) in shelf.about(vin) {
            let Some(tracked) = self.tracked.iter_mut().find(|one| one.rule == place) else { continue };
            let alert = alerts.iter_mut().find(|alert| alert.as_ref().is_some_and(|alert| alert.rule == rule.id));
            tracked.alert = alert.and_then(Option::take).map(|alert| {
                // Who sees to it is the database's to know: a person may take it back.
                Alert { state: AlertState::Open, acknowledged_by: None, ..alert }
            });
            let case = cases.remove(&rule.id).filter(|one| one.subject == plan.subject() && plan.fits(&one.case));
            tracked.case = match (case, &tracked.alert) {
                (Some(one), Some(_)) if one.case.is_open() => one.case,
                (_, Some(alert)) => plan.resumed(&hold(alert)),
                // It was raised and could not be stored: it is raised again.
                (Some(one), None) => one.case.closed(),
                (None, None) => plan.fresh(),
            };
        }
        alerts.into_iter().flatten().collect()
    }

    /// What is to be kept of it.
    pub fn memory(&self, shelf: &Shelf) -> String {
        let mut cases = BTreeMap::new();
        for one in &self.tracked {
            let InForce { rule, plan } = &shelf.rules[one.rule];
            if one.case != plan.fresh() {
                let subject = plan.subject().to_owned();
                cases.insert(rule.id.clone(), Remembered { subject, case: one.case.clone() });
            }
        }
        let memory = Memory { head: self.head, late: self.late, cases };
        serde_json::to_string(&memory).unwrap_or_default()
    }

    /// Notes that some of its past came late.
    pub fn mark_late(&mut self, from: UnixMs, to: UnixMs, now: UnixMs) {
        let span = self.late.get_or_insert(LateSpan { from, to, received: now, since: now });
        (span.from, span.to, span.received) = (span.from.min(from), span.to.max(to), now);
        self.dirty = true;
    }

    /// When it was heard. Silence is counted since `listening_since` at the earliest.
    pub fn hearing(&self, listening_since: UnixMs) -> Hearing {
        Hearing {
            heard: self.heard,
            counted_from: self.heard.max(listening_since),
            asleep: self.asleep,
            offline_since: self.offline_since.map(|since| since.max(listening_since)),
        }
    }
}

impl Tracked {
    /// The alert after a transition, if it is to be told.
    pub fn apply(
        &mut self,
        vin: Vin,
        InForce { rule, plan }: &InForce,
        transition: Transition,
        place: Option<Place>,
        now: UnixMs,
    ) -> Option<Alert> {
        let evidence = self.case.evidence(plan);
        let detail = || evidence.cause.map(|cause| Box::new(cause.clone()));
        if let Transition::Opened(opened) = transition {
            let alert = Alert {
                v: SCHEMA_VERSION,
                vin,
                id: bugbrother_wire::AlertId(Uuid::new_v7(moment(now))),
                rule: rule.id.clone(),
                title: rule.title.clone(),
                severity: rule.severity,
                state: AlertState::Open,
                opened,
                updated: now,
                resolved: None,
                count: 1,
                value: evidence.value,
                signal: evidence.signal.map(str::to_owned),
                limit: evidence.limit,
                lat: place.map(|(lat, _)| lat),
                lon: place.map(|(_, lon)| lon),
                acknowledged_by: None,
                late: false,
                detail: detail(),
            };
            self.alert = Some(alert.clone());
            return Some(alert);
        }
        if let Transition::Resolved(at) = transition {
            return self.alert.take().map(|alert| resolved(alert, at, now));
        }
        let alert = self.alert.as_mut()?;
        alert.value = evidence.value.or(alert.value);
        alert.limit = evidence.limit.or(alert.limit);
        if evidence.cause != alert.detail.as_deref() {
            alert.detail = detail().or(alert.detail.take());
        }
        if transition == Transition::Recurred {
            alert.count = alert.count.saturating_add(1);
        } else if now - alert.updated < WORSENED_EVERY_MS {
            return None;
        }
        alert.updated = now;
        Some(alert.clone())
    }
}

/// An alert that is over.
pub(super) fn resolved(alert: Alert, at: UnixMs, now: UnixMs) -> Alert {
    Alert { state: AlertState::Resolved, resolved: Some(at.max(alert.opened)), updated: now, ..alert }
}

/// What an alert says of its cause.
fn hold(alert: &Alert) -> Hold {
    Hold {
        since: alert.opened,
        value: alert.value,
        limit: alert.limit,
        cause: alert.detail.as_deref().cloned().unwrap_or_else(AlertCause::default),
    }
}

/// Where a vehicle was by its last state.
fn position(latest: &Latest) -> Option<Seen> {
    let (ts, lat) = latest.signals.get("lat")?;
    let (_, lon) = latest.signals.get("lon")?;
    Some((*ts, (*lat, *lon)))
}

fn moment(now: UnixMs) -> Timestamp {
    let now_ms = u64::try_from(now).unwrap_or_default();
    Timestamp::from_unix(NoContext, now_ms / 1000, (now_ms % 1000) as u32 * 1_000_000)
}
