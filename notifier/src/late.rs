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
