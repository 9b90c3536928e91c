use std::sync::Arc;

use bugbrother_rule::{
    Case, Firing, Trial,
    late::{Known, settle},
};
use bugbrother_store::{MAX_PAGE, Question, Rule, Store, StoreError, history::MAX_ROWS};
use bugbrother_wire::{
    AlertId, SCHEMA_VERSION, UnixMs, Vin,
    message::{Alert, AlertState, Diagnostics, Event},
};
use metrics::counter;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use crate::{
    desk::{InForce, LateJob},
    now,
};

/// The past is judged from so long before what came late, so that what had begun by then is known, until so long after it.
const AROUND_MS: i64 = 60 * 60_000;
/// What the car says is wrong with it may last for so long, before and after.
const LASTS_MS: i64 = 31 * 24 * 60 * 60_000;
/// Most rows of a vehicle's past that are judged at a time.
const MAX_JUDGED: usize = 2_000_000;
/// Most of what a car said was wrong with it that is judged at a time.
const MAX_PICTURES: usize = 100_000;
/// Most alerts of a rule in that time that are compared.
const MAX_KNOWN: u32 = 1_000;

/// Where late data is judged: one vehicle at a time, beside everything else.
pub struct Bench {
    jobs: mpsc::Sender<LateJob>,
    /// What could not be judged.
    pub failed: mpsc::Receiver<(Vin, (UnixMs, UnixMs))>,
}

impl Bench {
    /// Judges until `stop`.
    pub fn new(store: Store, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let (jobs, mut given) = mpsc::channel::<LateJob>(1);
        let (fail, failed) = mpsc::channel(1);
        tasks.spawn(async move {
            loop {
                let job = tokio::select! {
                    job = given.recv() => job,
                    () = stop.cancelled() => return,
                };
                let Some(job) = job else { return };
                let judged = tokio::select! {
                    judged = judge(&store, &job) => judged,
                    // It is marked in what is kept of the vehicle until somebody has judged it.
                    () = stop.cancelled() => return,
                };
                if let Err(error) = judged {
                    tell(job.vin, &error);
                    if fail.send((job.vin, (job.span.from, job.span.to))).await.is_err() {
                        return;
                    }
                }
            }
        });
        Bench { jobs, failed }
    }

    /// Takes the next part on, if there is room for it.
    pub fn give(&self, next: impl FnOnce() -> Option<LateJob>) {
        if let Ok(place) = self.jobs.try_reserve()
            && let Some(job) = next()
        {
            place.send(job);
        }
    }
}

fn tell(vin: Vin, error: &(dyn std::error::Error + 'static)) {
    warn!(%vin, error, "what came late could not be judged; trying again later");
}

/// Judges a part of a vehicle's past by all that is stored of it, and puts what is found into the history.
pub async fn judge(store: &Store, job: &LateJob) -> Result<(), StoreError> {
    let (of_pictures, of_samples): (Vec<_>, Vec<_>) = job.rules.iter().partition(|(one, _)| one.plan.is_of_pictures());
    let span = (job.span.from - AROUND_MS, job.span.to + AROUND_MS);
    if !of_samples.is_empty() {
        let found = try_all(store, job, &of_samples, span).await?;
        put(store, job, &of_samples, found, span, span).await?;
    }
    // Most of what comes late says nothing of the car's troubles.
    let has_some = || store.pictures(job.vin, job.span.from, job.span.to, 1);
    if !of_pictures.is_empty() && !has_some().await?.is_empty() {
        let wide = (job.span.from - LASTS_MS, job.span.to + LASTS_MS);
        let found = on_pictures(store, job, &of_pictures, wide).await?;
        put(store, job, &of_pictures, found, wide, span).await?;
    }
    Ok(())
}

/// Puts into the history what each rule would have raised: what was found `within` this time, as far as it is `near` what came
/// late.
async fn put(
    store: &Store,
    job: &LateJob,
    rules: &[&(InForce, Case)],
    found: Vec<Vec<Firing>>,
    within: (UnixMs, UnixMs),
    near: (UnixMs, UnixMs),
) -> Result<(), StoreError> {
    for ((InForce { rule, .. }, _), firings) in rules.iter().zip(found) {
        let known = store.alerts_during(job.vin, &rule.id, within, MAX_KNOWN).await?;
        let known: Vec<Known> = known
            .iter()
            .map(|alert| Known { id: alert.id, opened: alert.opened, resolved: alert.resolved, late: alert.late })
            .collect();
        let verdict = settle((job.vin, &rule.id), within, firings, &known).near(near, &known);
        if verdict.keep.is_empty() && verdict.drop.is_empty() {
            continue;
        }
        let keep: Vec<Alert> = verdict.keep.into_iter().map(|(id, firing)| late(job.vin, rule, id, firing)).collect();
        counter!("bugbrother_notifier_late_alerts_total").increment(keep.len() as u64);
        store.settle_late(&keep, &verdict.drop).await?;
    }
    Ok(())
}

/// What each rule would have raised by what the car said was wrong with it. What it said last is the last that is known.
async fn on_pictures(
    store: &Store,
    job: &LateJob,
    rules: &[&(InForce, Case)],
    (from, to): (UnixMs, UnixMs),
) -> Result<Vec<Vec<Firing>>, StoreError> {
    let mut trials = begin(job, rules);
    let (mut last, mut looked) = (None, 0);
    while looked < MAX_PICTURES {
        let page = store.pictures(job.vin, last.map_or(from, |last| last + 1), to, MAX_PAGE).await?;
        looked += page.len();
        let Some(newest) = page.last() else { break };
        last = Some(newest.at);
        page.into_iter().for_each(|picture| Told::Picture(picture).tell(&mut trials));
    }
    let end = |(trial, mut found): (Trial, Vec<Firing>)| {
        let open = last.and_then(|last| trial.end(last));
        found.extend(open.map(|firing| Firing { resolved: firing.resolved.or(last), ..firing }));
        found
    };
    Ok(trials.into_iter().map(end).collect())
}

/// Each rule as it begins.
fn begin(job: &LateJob, rules: &[&(InForce, Case)]) -> Vec<(Trial, Vec<Firing>)> {
    let begin = |(one, case): &&(InForce, Case)| {
        (Trial::from(Arc::clone(&one.plan), job.member.clone(), case.clone()), Vec::new())
    };
    rules.iter().map(begin).collect()
}

/// What each rule would have raised between two moments.
async fn try_all(
    store: &Store,
    job: &LateJob,
    rules: &[&(InForce, Case)],
    (from, to): (UnixMs, UnixMs),
) -> Result<Vec<Vec<Firing>>, StoreError> {
    let mut trials = begin(job, rules);
    let mut told: Vec<Told> = Vec::new();
    told.extend(store.oldest_events(job.vin, (from, to), None, MAX_PAGE).await?.into_iter().map(Told::Event));
    told.extend(store.pictures(job.vin, from, to, MAX_PAGE).await?.into_iter().map(Told::Picture));
    told.sort_by_key(Told::at);
    let mut told = told.iter().peekable();
    let wanted: Vec<&str> = job.keys.iter().map(String::as_str).collect();
    let mut row = vec![None; wanted.len()];
    let (mut next, mut rows) = (Some(from), 0);
    while let Some(begin) = next.filter(|begin| *begin <= to && rows < MAX_JUDGED) {
        let question = Question { vin: job.vin, from: begin, to, signals: Some(&wanted) };
        let page = store.samples(question, MAX_ROWS).await?;
        rows += page.samples.rows.len();
        let columns: Vec<Option<usize>> = wanted.iter().map(|key| page.samples.column(key)).collect();
        for sample in &page.samples.rows {
            while let Some(one) = told.next_if(|one| one.at() <= sample.ts) {
                one.tell(&mut trials);
            }
            for (value, column) in row.iter_mut().zip(&columns) {
                *value = column.and_then(|column| sample.values[column]);
            }
            for (trial, found) in &mut trials {
                found.extend(trial.step(sample.ts, &row));
            }
        }
        next = page.next;
    }
    told.for_each(|one| one.tell(&mut trials));
    Ok(trials
        .into_iter()
        .map(|(trial, mut found)| {
            found.extend(trial.end(to));
            found
        })
        .collect())
}

/// What a vehicle told beside its samples.
enum Told {
    Event(Event),
    Picture(Diagnostics),
}

impl Told {
    fn at(&self) -> UnixMs {
        match self {
            Told::Event(event) => event.at,
            Told::Picture(picture) => picture.at,
        }
    }

    fn tell(&self, trials: &mut [(Trial, Vec<Firing>)]) {
        for (trial, found) in trials {
            found.extend(match self {
                Told::Event(event) => trial.happen(event),
                Told::Picture(picture) => trial.diagnose(picture),
            });
        }
    }
}

/// What was found, as an alert that nobody is told of.
fn late(vin: Vin, rule: &Rule, id: AlertId, firing: Firing) -> Alert {
    Alert {
        v: SCHEMA_VERSION,
        vin,
        id,
        rule: rule.id.clone(),
        title: rule.title.clone(),
        severity: rule.severity,
        state: AlertState::Resolved,
        opened: firing.opened,
        updated: now(),
        resolved: firing.resolved,
        count: firing.count,
        value: firing.worst,
        signal: firing.signal,
        limit: firing.limit,
        lat: firing.place.map(|(lat, _)| lat),
        lon: firing.place.map(|(_, lon)| lon),
        acknowledged_by: None,
        late: true,
        detail: firing.cause.map(Box::new),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Result;
    use bugbrother_store::{Arrival, Condition, RuleScope};
    use bugbrother_wire::{
        Epoch, Message, Seq, Topic, encode,
        message::{Clock, Dtc, DtcStatus, Monitor, Row, Severity, Telemetry},
        rule::{Against, Codes, Unusual, UnusualSide},
        topic::Kind,
    };
    use tempfile::TempDir;

    use super::*;
    use crate::desk::Desk;

    const T0: UnixMs = 1_789_000_000_000;

    fn golf() -> Vin {
        "WVWZZZ1JZ3W386752".parse().expect("it is a VIN")
    }

    fn fast() -> Rule {
        let signals = vec!["spd".to_owned()];
        Rule {
            id: "fast".into(),
            title: "Too fast".into(),
            severity: Severity::Warning,
            enabled: true,
            scope: RuleScope::All,
            condition: Condition::Above { signals, on: 130.0, off: 120.0, for_ms: 3_000 },
            film: false,
        }
    }

    /// Minutes of a drive; every third one is too fast from its second to its twentieth second, and goes on into the next.
    fn minute(n: i64) -> Telemetry {
        let fast = |second: i64| n % 3 == 0 && (2..20).contains(&second) || n == 4 || n == 5 && second < 30;
        let row = |second: i64| {
            let values = vec![Some(if fast(second) { 140.0 } else { 90.0 }), Some(46.5), Some(6.6)];
            Row { dt_ms: second as u32 * 1000, values }
        };
        Telemetry {
            v: SCHEMA_VERSION,
            vin: golf(),
            epoch: Epoch(1),
            seq: Seq(n.unsigned_abs() + 1),
            t0: T0 + n * 60_000,
            clock: Clock::Gnss,
            keys: ["spd", "lat", "lon"].map(str::to_owned).to_vec(),
            rows: (0..60).map(row).collect(),
            gap: None,
        }
    }

    /// Stores minutes one by one, and has the desk's job judged after each.
    async fn arrive(order: &[i64]) -> Result<(Store, TempDir)> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(&format!("sqlite://{}/fleet.db", folder.path().display())).await?;
        for n in order {
            let batch = minute(*n);
            let (from, to) = (batch.t0, batch.last_ts().unwrap_or(batch.t0));
            let message = Message::Backfill(batch.clone());
            let topic = Topic::new(golf(), Kind::Backfill).to_string();
            let arrival =
                Arrival { received_ts: T0 + 3_600_000, topic, payload: encode(&batch).into(), content: Ok(message) };
            store.commit(&[arrival]).await?;
            let mut desk = Desk::new(vec![fast()], Vec::new(), Vec::new(), T0 + 3_600_000).0;
            desk.hear(golf(), &Message::Backfill(batch), false, T0 + 3_600_000);
            let job = desk.take_late(T0 + 3_700_000).expect("something came late");
            assert_eq!((job.span.from, job.span.to), (from, to));
            judge(&store, &job).await?;
        }
        Ok((store, folder))
    }

    async fn history(store: &Store) -> Result<Vec<Alert>> {
        let alerts = store.alerts_during(golf(), "fast", (0, i64::MAX), 100).await?;
        Ok(alerts.into_iter().map(|alert| Alert { updated: 0, ..alert }).collect())
    }

    #[tokio::test]
    async fn a_drive_that_comes_late_in_any_order_leaves_one_history_and_pages_nobody() -> Result<()> {
        let (sorted, _a) = arrive(&[0, 1, 2, 3, 4, 5, 6, 7]).await?;
        let expected = history(&sorted).await?;
        let spans: Vec<_> =
            expected.iter().map(|alert| (alert.opened - T0, alert.resolved.map(|end| end - T0))).collect();
        assert_eq!(
            spans,
            [(2_000, Some(20_000)), (182_000, Some(200_000)), (240_000, Some(330_000)), (362_000, Some(380_000)),]
        );
        assert!(
            expected.iter().all(|alert| alert.late && alert.state == AlertState::Resolved && alert.lat == Some(46.5))
        );
        assert_eq!(sorted.active_alerts(10).await?, []);
        for order in [[7, 6, 5, 4, 3, 2, 1, 0], [4, 0, 7, 2, 5, 1, 6, 3]] {
            let (store, _b) = arrive(&order).await?;
            assert_eq!(history(&store).await?, expected, "{order:?}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn what_was_told_when_it_happened_is_not_found_again() -> Result<()> {
        let (store, _folder) = arrive(&[0]).await?;
        let [found] = history(&store).await?.try_into().expect("one");
        store.settle_late(&[], &[found.id]).await?;
        let told = Alert { late: false, id: AlertId(uuid::Uuid::from_u128(1)), opened: found.opened + 5_000, ..found };
        store.save_alert(&told).await?;
        let mut desk = Desk::new(vec![fast()], Vec::new(), Vec::new(), T0).0;
        desk.hear(golf(), &Message::Backfill(minute(0)), false, T0);
        judge(&store, &desk.take_late(T0 + 100_000).expect("it came late")).await?;
        assert_eq!(history(&store).await?.iter().map(|alert| alert.id).collect::<Vec<_>>(), [told.id]);
        Ok(())
    }

    fn rule(id: &str, condition: Condition) -> Rule {
        Rule { id: id.to_owned(), condition, ..fast() }
    }

    fn troubles() -> Vec<Rule> {
        let codes = Codes { codes: Vec::new(), at_least: Severity::Info, pending: false };
        [("codes", Condition::Codes(codes)), ("lamp", Condition::Lamp), ("tests", Condition::ReadinessLost)]
            .map(|(id, condition)| rule(id, condition))
            .to_vec()
    }

    /// What the car says at an hour: the code, the lamp and the self test of its catalyst.
    fn picture(hour: i64) -> Diagnostics {
        let is_wrong = (3..60).contains(&hour);
        let dtc = |code: &str| Dtc { code: code.to_owned(), status: DtcStatus::Stored, ecu: None };
        Diagnostics {
            v: SCHEMA_VERSION,
            vin: golf(),
            epoch: Epoch(1),
            seq: Seq(hour.unsigned_abs() + 1),
            at: T0 + hour * 3_600_000,
            mil: Some(is_wrong),
            dtcs: if is_wrong { vec![dtc("P0420")] } else { Vec::new() },
            monitors: vec![Monitor { name: "catalyst".into(), complete: !(62..70).contains(&hour) }],
            freeze_frame: None,
        }
    }

    async fn commit(store: &Store, message: Message, kind: Kind, payload: Vec<u8>) -> Result<()> {
        let topic = Topic::new(golf(), kind).to_string();
        let arrival = Arrival { received_ts: T0 + 3_600_000, topic, payload: payload.into(), content: Ok(message) };
        store.commit(&[arrival]).await?;
        Ok(())
    }

    #[tokio::test]
    async fn codes_the_lamp_and_self_tests_that_come_late_in_any_order_leave_one_history() -> Result<()> {
        let hours = [0, 2, 3, 20, 40, 59, 60, 61, 62, 69, 70, 71];
        let mut reversed = hours;
        reversed.reverse();
        let mixed = [40, 62, 0, 71, 3, 69, 60, 2, 70, 20, 61, 59];
        let now = T0 + 2_000 * 3_600_000;
        for order in [hours, reversed, mixed] {
            let folder = tempfile::tempdir()?;
            let store = Store::open(&format!("sqlite://{}/fleet.db", folder.path().display())).await?;
            for hour in order {
                let said = picture(hour);
                commit(&store, Message::Diagnostics(said.clone()), Kind::Diagnostics, encode(&said)).await?;
                let mut desk = Desk::new(troubles(), Vec::new(), Vec::new(), now).0;
                assert_eq!(desk.hear(golf(), &Message::Diagnostics(said), false, now), [], "it wakes nobody up");
                judge(&store, &desk.take_late(now + 100_000).expect("it came late")).await?;
            }
            let mut spans = Vec::new();
            for id in ["codes", "lamp", "tests"] {
                for alert in store.alerts_during(golf(), id, (0, i64::MAX), 100).await? {
                    assert!(alert.late && alert.state == AlertState::Resolved, "{alert:?}");
                    let codes = alert.detail.map(|cause| cause.codes).unwrap_or_default();
                    let hour = |at: UnixMs| (at - T0) / 3_600_000;
                    spans.push((id, hour(alert.opened), alert.resolved.map(hour), codes.len()));
                }
            }
            let expected = [("codes", 3, Some(60), 1), ("lamp", 3, Some(60), 0), ("tests", 62, Some(70), 0)];
            assert_eq!(spans, expected, "{order:?}");
            assert_eq!(store.active_alerts(10).await?, []);
        }
        Ok(())
    }

    #[tokio::test]
    async fn what_is_unusual_is_found_in_late_data_by_what_is_usual_by_now() -> Result<()> {
        let unusual = Unusual {
            signal: "ect".into(),
            against: Against::Nothing,
            side: UnusualSide::Above,
            deviations: 5.0,
            least: 8.0,
            for_ms: 60_000,
        };
        let rules = || vec![rule("odd", Condition::Unusual(unusual.clone()))];
        let batch = |seq: u64, t0: UnixMs, celsius: f64| Telemetry {
            keys: vec!["ect".to_owned()],
            rows: (0..360).map(|n| Row { dt_ms: n * 10_000, values: vec![Some(celsius)] }).collect(),
            t0,
            seq: Seq(seq),
            ..minute(0)
        };
        let folder = tempfile::tempdir()?;
        let store = Store::open(&format!("sqlite://{}/fleet.db", folder.path().display())).await?;
        let mut desk = Desk::new(rules(), Vec::new(), Vec::new(), T0).0;
        let hour = |n: i64| T0 + n * 3_600_000;
        let hot = batch(1, hour(-48), 105.0);
        let backfill = Message::Backfill(hot.clone());
        commit(&store, backfill.clone(), Kind::Backfill, encode(&hot)).await?;
        // Nothing is usual before three hours of driving are known.
        desk.hear(golf(), &backfill, false, hour(0));
        judge(&store, &desk.take_late(hour(1)).expect("it came late")).await?;
        assert_eq!(store.alerts_during(golf(), "odd", (0, i64::MAX), 100).await?, []);
        for n in 1..6i64 {
            let live = Message::Telemetry(batch(n.unsigned_abs() + 1, hour(n), 90.0));
            assert_eq!(desk.hear(golf(), &live, false, hour(n)), []);
        }
        let before = desk.memory(golf(), hour(7));
        for _ in 0..2 {
            desk.mark_late(golf(), (hour(-48), hour(-47)), hour(7));
            judge(&store, &desk.take_late(hour(8)).expect("it came late")).await?;
            let [alert] = store.alerts_during(golf(), "odd", (0, i64::MAX), 100).await?.try_into().expect("one");
            assert!(alert.late && alert.opened == hour(-48), "{alert:?}");
            assert_eq!(alert.detail.and_then(|cause| cause.usual.map(f64::round)), Some(90.0));
        }
        assert_eq!(desk.memory(golf(), hour(8)), before, "what came late teaches nothing");
        Ok(())
    }
}
