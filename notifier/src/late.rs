use std::sync::Arc;

use bugbrother_rule::{
    Firing, Trial,
    late::{Known, settle},
};
use bugbrother_store::{MAX_PAGE, Question, Rule, Store, StoreError, history::MAX_ROWS};
use bugbrother_wire::{
    AlertId, SCHEMA_VERSION, UnixMs, Vin,
    message::{Alert, AlertState, Event},
};
use metrics::counter;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use crate::{desk::LateJob, now};

/// The past is judged from so long before what came late, so that what had begun by then is known, until so long after it.
const AROUND_MS: i64 = 60 * 60_000;
/// Most rows of a vehicle's past that are judged at a time.
const MAX_JUDGED: usize = 2_000_000;
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
    if job.rules.is_empty() {
        return Ok(());
    }
    let (from, to) = (job.span.from - AROUND_MS, job.span.to + AROUND_MS);
    let found = try_all(store, job, from, to).await?;
    for ((rule, _), firings) in job.rules().zip(found) {
        let known = store.alerts_during(job.vin, &rule.id, (from, to), MAX_KNOWN).await?;
        let known: Vec<Known> = known
            .iter()
            .map(|alert| Known { id: alert.id, opened: alert.opened, resolved: alert.resolved, late: alert.late })
            .collect();
        let verdict = settle((job.vin, &rule.id), (from, to), firings, &known);
        if verdict.keep.is_empty() && verdict.drop.is_empty() {
            continue;
        }
        let keep: Vec<Alert> = verdict.keep.into_iter().map(|(id, firing)| late(job.vin, rule, id, firing)).collect();
        counter!("bugbrother_notifier_late_alerts_total").increment(keep.len() as u64);
        store.settle_late(&keep, &verdict.drop).await?;
    }
    Ok(())
}

/// What each rule would have raised between two moments.
async fn try_all(store: &Store, job: &LateJob, from: UnixMs, to: UnixMs) -> Result<Vec<Vec<Firing>>, StoreError> {
    let mut trials: Vec<(Trial, Vec<Firing>)> =
        job.rules().map(|(_, plan)| (Trial::new(Arc::clone(plan), job.member.clone()), Vec::new())).collect();
    let events = store.oldest_events(job.vin, (from, to), None, MAX_PAGE).await?;
    let mut events = events.iter().peekable();
    let wanted: Vec<&str> = job.keys.iter().map(String::as_str).collect();
    let mut row = vec![None; wanted.len()];
    let (mut next, mut rows) = (Some(from), 0);
    while let Some(begin) = next.filter(|begin| *begin <= to && rows < MAX_JUDGED) {
        let question = Question { vin: job.vin, from: begin, to, signals: Some(&wanted) };
        let page = store.samples(question, MAX_ROWS).await?;
        rows += page.samples.rows.len();
        let columns: Vec<Option<usize>> = wanted.iter().map(|key| page.samples.column(key)).collect();
        for sample in &page.samples.rows {
            while let Some(event) = events.next_if(|event| event.at <= sample.ts) {
                happen(&mut trials, event);
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
    events.for_each(|event| happen(&mut trials, event));
    Ok(trials
        .into_iter()
        .map(|(trial, mut found)| {
            found.extend(trial.end(to));
            found
        })
        .collect())
}

fn happen(trials: &mut [(Trial, Vec<Firing>)], event: &Event) {
    for (trial, found) in trials {
        found.extend(trial.happen(event));
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
        message::{Clock, Row, Severity, Telemetry},
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
}
