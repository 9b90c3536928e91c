//! An alert: its value against the limit, where it was, what happened to it, and what one may do.

use std::rc::Rc;

use bugbrother_wire::{
    AlertId,
    api::{AlertAssignment, AlertComment, AlertDetail, AlertRest, AlertStep, AlertStepKind, PeopleList, Right},
    live::News,
    message::AlertState,
};
use gloo_net::http::Method;
use yew::{platform::spawn_local, prelude::*};
use yew_router::prelude::*;

use super::{SeverityTag, cause, films::Films, worst};
use crate::{
    address::VehicleQuery,
    format::{Span, value},
    geo::Point,
    phrases::Phrases,
    ui::{
        account::use_account,
        api,
        edits::{self, Made},
        feed::use_live,
        fetch::{Fetched, use_fetch},
        kit::{Refused, Select, TextArea, use_toasts},
        map::{Drawing, Sketch},
        moment::moment,
        news::{clock, use_fresh},
        route::Route,
        settings::use_phrases,
        table::Skeleton,
        vehicle::refusal_text,
    },
};

const HOUR_MS: i64 = 3_600_000;

/// Properties of [`Detail`].
#[derive(Properties, PartialEq)]
pub struct DetailProps {
    /// The alert.
    pub id: AlertId,
    /// Something about it was changed here.
    pub changed: Callback<()>,
}

/// What one does with an alert.
#[derive(Clone, PartialEq)]
enum Deed {
    Acknowledge,
    TakeBack,
    Comment(String),
    Assign(Option<String>),
    Rest(Option<i64>),
}

/// What is right whenever it comes waits where there is no network.
async fn carry_out(id: AlertId, deed: &Deed) -> Result<Made, api::Refusal> {
    let path = |rest: &str| format!("/alerts/{id}/{rest}");
    match deed {
        Deed::Acknowledge => edits::make(Method::POST, &path("acknowledgement"), &()).await,
        Deed::TakeBack => api::delete(&path("acknowledgement")).await.map(|()| Made::Now),
        Deed::Comment(text) => edits::make(Method::POST, &path("comments"), &AlertComment { text: text.clone() }).await,
        Deed::Assign(to) => edits::make(Method::PUT, &path("assignment"), &AlertAssignment { to: to.clone() }).await,
        Deed::Rest(until) => {
            api::act(Method::PUT, &path("rest"), &AlertRest { until: *until }).await.map(|()| Made::Now)
        }
    }
}

/// The alert.
#[component]
pub fn Detail(props: &DetailProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.alert_page;
    let account = use_account();
    let toasts = use_toasts();
    let live = use_live();
    let now = clock(&live);
    let id = props.id;
    let detail = use_fresh::<AlertDetail>(
        Some(format!("/alerts/{id}?lang={}", phrases.language.tag())),
        None,
        &[News::Handling],
    );
    let may = account.may(Right::HandleAlerts);
    let people = use_fetch::<PeopleList>(may.then(|| "/alerts/people".to_owned()));
    let comment = use_state(String::new);
    let deed = {
        let (reload, changed, toasts) = (detail.reload.clone(), props.changed.clone(), toasts.clone());
        Callback::from(move |deed: Deed| {
            let (reload, changed, toasts) = (reload.clone(), changed.clone(), toasts.clone());
            spawn_local(async move {
                let done = carry_out(id, &deed).await;
                reload.emit(());
                changed.emit(());
                match (done, deed) {
                    (Err(refusal), _) => toasts.say(refusal_text(phrases, &refusal)),
                    (Ok(Made::Later), _) => toasts.say(phrases.kept_for_later),
                    (Ok(Made::Now), Deed::Acknowledge) => {
                        let undo = Callback::from(move |()| {
                            let (reload, changed) = (reload.clone(), changed.clone());
                            spawn_local(async move {
                                // If that fails, the alert is still acknowledged, and is shown so.
                                drop(carry_out(id, &Deed::TakeBack).await);
                                reload.emit(());
                                changed.emit(());
                            });
                        });
                        toasts.undo(words.you_see_to_it, undo);
                    }
                    (Ok(Made::Now), _) => {}
                }
            });
        })
    };
    let told = match &detail.is {
        Fetched::Loading => return html! { <Skeleton rows=5 /> },
        Fetched::Failed(refusal) => {
            return html! { <Refused refusal={refusal.clone()} retry={detail.reload.clone()} /> };
        }
        Fetched::Ready(told) => Rc::clone(told),
    };
    let alert = &told.alert.alert;
    let over = alert.state == AlertState::Resolved;
    let rests = told.alert.snoozed_until.filter(|until| *until > now);
    let say = {
        let (deed, comment) = (deed.clone(), comment.clone());
        move |event: SubmitEvent| {
            event.prevent_default();
            deed.emit(Deed::Comment((*comment).clone()));
            comment.set(String::new());
        }
    };
    html! {
        <div class="alert-detail" data-testid="alert-detail" data-state={format!("{:?}", alert.state)}>
            <h2>{ &alert.title }</h2>
            <p class="bar"><SeverityTag severity={alert.severity} />
                <Link<Route, VehicleQuery> to={Route::Vehicle { vin: alert.vin }}>{ &told.vehicle }</Link<Route, VehicleQuery>>
            </p>
            <dl class="facts">
                <div><dt>{ phrases.value }</dt><dd>{ worst(alert) }</dd></div>
                if let (Some(limit), Some(signal)) = (alert.limit, &alert.signal) {
                    <div><dt>{ words.limit }</dt><dd>{ value(signal, limit).0 }{ " " }{ value(signal, limit).1 }</dd></div>
                }
                { cause::facts(phrases, alert) }
                <div><dt>{ words.opened }</dt><dd>{ moment(phrases, alert.opened) }</dd></div>
                if let Some(resolved) = alert.resolved {
                    <div><dt>{ words.resolved }</dt><dd>{ moment(phrases, resolved) }</dd></div>
                    <div><dt>{ words.lasted }</dt><dd>{ (phrases.lasting)(Span::of(resolved - alert.opened)) }</dd></div>
                }
                if let Some(place) = &told.place { <div><dt>{ words.place }</dt><dd>{ place }</dd></div> }
            </dl>
            if alert.late { <p class="muted">{ words.late }</p> }
            for trouble in &told.troubles {
                <p key={trouble.code.clone()} class="trouble" data-testid={format!("trouble-{}", trouble.code)}>
                    <b class="mono">{ &trouble.code }</b>{ " " }<b>{ &trouble.title }</b>{ " " }{ &trouble.advice }
                </p>
            }
            <Films {id} vin={alert.vin} />
            if let Some((lat, lon)) = alert.lat.zip(alert.lon) { <Where {lat} {lon} /> }
            if may && !over {
                <div class="deeds">
                    if alert.state == AlertState::Acknowledged {
                        <button class="secondary" onclick={deed.reform(|_| Deed::TakeBack)} data-testid="take-back">{ words.take_back }</button>
                    } else {
                        <button class="primary" onclick={deed.reform(|_| Deed::Acknowledge)} data-testid="acknowledge">{ words.acknowledge }</button>
                    }
                    if rests.is_some() {
                        <button class="secondary" onclick={deed.reform(|_| Deed::Rest(None))} data-testid="wake">{ words.wake }</button>
                    } else {
                        <button class="secondary" onclick={deed.reform(move |_| Deed::Rest(Some(now + HOUR_MS)))} data-testid="snooze">{ words.rest_an_hour }</button>
                        <button class="secondary" onclick={deed.reform(move |_| Deed::Rest(Some(now + 24 * HOUR_MS)))}>{ words.rest_a_day }</button>
                    }
                </div>
                if let Some(list) = people.is.ready() {
                    <Select name="assigned" label={words.assigned_to} value={told.alert.assigned_to.clone().unwrap_or_default()}
                        choices={std::iter::once((AttrValue::from(""), AttrValue::from(words.nobody))).chain(list.people.iter().map(|name| (name.clone().into(), name.clone().into()))).collect::<Vec<_>>()}
                        onchange={deed.reform(|name: String| Deed::Assign((!name.is_empty()).then_some(name)))} />
                }
            }
            <h3>{ words.history }</h3>
            <ol class="steps" data-testid="alert-history">
                for step in &told.history { { one(phrases, step) } }
            </ol>
            if may {
                <form class="form" onsubmit={say}>
                    <TextArea name="comment" label={words.comment} value={(*comment).clone()} rows={2} oninput={let comment = comment.setter(); Callback::from(move |text| comment.set(text))} />
                    <div class="actions"><button class="secondary" disabled={comment.trim().is_empty()} data-testid="say-comment">{ words.say }</button></div>
                </form>
            }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct WhereProps {
    lat: f64,
    lon: f64,
}

#[component]
fn Where(props: &WhereProps) -> Html {
    let words = &use_phrases().alert_page;
    let (lat, lon) = (props.lat, props.lon);
    let drawing = use_memo((lat.to_bits(), lon.to_bits()), move |_| Drawing {
        marks: vec![Point::from_degrees(lat, lon)],
        ..Drawing::default()
    });
    html! { <Sketch {drawing} subject={format!("{lat} {lon}")} label={words.place} testid="alert-map" /> }
}

fn one(phrases: &Phrases, step: &AlertStep) -> Html {
    let words = &phrases.alert_page;
    let what = match (step.kind, &step.text) {
        (AlertStepKind::Opened, _) if step.by.is_some() => words.step_taken_back.to_owned(),
        (AlertStepKind::Opened, _) => words.step_opened.to_owned(),
        (AlertStepKind::Acknowledged, _) => words.step_acknowledged.to_owned(),
        (AlertStepKind::Assigned, Some(to)) => (words.step_assigned)(to),
        (AlertStepKind::Assigned, None) => words.step_unassigned.to_owned(),
        (AlertStepKind::Commented, Some(text)) => text.clone(),
        (AlertStepKind::Commented, None) => String::new(),
        (AlertStepKind::Snoozed, Some(until)) => {
            let until = until.parse().map_or_else(|_| until.clone(), |until| moment(phrases, until));
            (words.step_rests)(&until)
        }
        (AlertStepKind::Snoozed, None) => words.step_woken.to_owned(),
        (AlertStepKind::Escalated, _) => words.step_escalated.to_owned(),
        (AlertStepKind::Resolved, _) => words.step_resolved.to_owned(),
    };
    html! {
        <li key={step.number} class={classes!((step.kind == AlertStepKind::Commented).then_some("said"))}>
            <span>{ what }</span>
            <small>{ step.by.as_ref().map(|by| format!("{by} · ")).unwrap_or_default() }{ moment(phrases, step.at) }</small>
        </li>
    }
}
