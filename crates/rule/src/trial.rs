//! A condition on a vehicle's past: what it would have raised.

use std::sync::Arc;

use bugbrother_wire::{
    UnixMs,
    message::{AlertCause, Diagnostics, Event},
};

use crate::{
    Case, Hearing, Member, Moment, News, Place, Plan, Transition,
    kinds::silence::Silence,
    moment::{IGN, RPM, position},
};

/// Once that a rule would have raised an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Firing {
    /// When its cause began.
    pub opened: UnixMs,
    /// When that was known: once it had lasted for long enough.
    pub raised: UnixMs,
    /// When its cause ended; `None` where that is not known.
    pub resolved: Option<UnixMs>,
    /// The signal that the value is of.
    pub signal: Option<String>,
    /// The worst value; a silence has none.
    pub worst: Option<f64>,
    /// What it is measured against.
    pub limit: Option<f64>,
    /// What else is to be said.
    pub cause: Option<AlertCause>,
    /// How often its cause came back, at least 1.
    pub count: u32,
    /// Where the vehicle was when it was raised: latitude and longitude in degrees.
    pub place: Option<Place>,
}

/// Tries a condition on what a vehicle measured and told, in the order of time.
#[derive(Debug, Clone)]
pub struct Trial {
    plan: Arc<Plan>,
    member: Member,
    case: Case,
    open: Option<Firing>,
    last_ts: Option<UnixMs>,
    engine_on: bool,
    place: Option<Place>,
}

impl Trial {
    /// Begins with nothing known of the vehicle but what people know.
    pub fn new(plan: Arc<Plan>, member: Member) -> Self {
        let case = plan.fresh();
        Trial::from(plan, member, case)
    }

    /// Goes on with what is known, such as what is usual in the vehicle.
    pub fn from(plan: Arc<Plan>, member: Member, case: Case) -> Self {
        Trial { plan, member, case, open: None, last_ts: None, engine_on: true, place: None }
    }

    /// Takes in what was measured next, by [slot](crate::Slots); what ended with it.
    pub fn step(&mut self, ts: UnixMs, values: &[Option<f64>]) -> Option<Firing> {
        let ended = self.end_silence(ts).or_else(|| self.judge(ts, News::Time));
        self.place = position(values).or(self.place);
        let engine = values[IGN].or(values[RPM]);
        self.engine_on = engine.map_or(self.engine_on, |value| value > 0.0);
        self.last_ts = Some(ts);
        let begun = self.judge(ts, News::Sample(values));
        ended.or(begun)
    }

    /// Takes in what happened next; what ended with it.
    pub fn happen(&mut self, event: &Event) -> Option<Firing> {
        self.place = event.lat.zip(event.lon).or(self.place);
        self.judge(event.at, News::Event(event))
    }

    /// Takes in what the car said next; what ended with it.
    pub fn diagnose(&mut self, picture: &Diagnostics) -> Option<Firing> {
        self.judge(picture.at, News::Diagnostics(picture))
    }

    /// What ends by `to`, and what is still under way then.
    pub fn end(mut self, to: UnixMs) -> Option<Firing> {
        let silent = self.end_silence(to).map(|firing| Firing { resolved: None, ..firing });
        silent.or_else(|| self.judge(to, News::Time)).or(self.open)
    }

    /// The silence before `ts`, if it was one.
    fn end_silence(&mut self, ts: UnixMs) -> Option<Firing> {
        let silence = Silence { after_ms: self.plan.silence_ms()? };
        let heard = self.last_ts.filter(|heard| self.engine_on && silence.is_too_long(*heard, ts))?;
        let (raised, place) = (heard + silence.after_ms, self.place);
        Some(Firing {
            opened: heard,
            raised,
            resolved: Some(ts),
            signal: None,
            worst: None,
            limit: None,
            cause: None,
            count: 1,
            place,
        })
    }

    fn judge(&mut self, ts: UnixMs, news: News<'_>) -> Option<Firing> {
        if !self.plan.is_of_the_past() || !self.plan.hears(&news) {
            return None;
        }
        let hearing = Hearing { heard: ts, counted_from: ts, ..Hearing::default() };
        let moment = Moment { ts, news, place: self.place, member: &self.member, hearing };
        let transition = self.case.step(&self.plan, &moment, ts)?;
        let evidence = self.case.evidence(&self.plan);
        let (signal, limit, cause) = (evidence.signal.map(str::to_owned), evidence.limit, evidence.cause.cloned());
        match transition {
            Transition::Opened(opened) => {
                let (worst, place) = (evidence.value, self.place);
                self.open =
                    Some(Firing { opened, raised: ts, resolved: None, signal, worst, limit, cause, count: 1, place });
                None
            }
            Transition::Recurred | Transition::Worsened => {
                let value = evidence.value;
                let open = self.open.as_mut()?;
                open.worst = value.or(open.worst);
                open.limit = limit.or(open.limit);
                open.cause = cause.or(open.cause.take());
                if transition == Transition::Recurred {
                    open.count = open.count.saturating_add(1);
                }
                None
            }
            Transition::Resolved(at) => {
                let open = self.open.as_mut()?;
                open.resolved = Some(at.max(open.opened));
                self.open.take()
            }
        }
    }
}
