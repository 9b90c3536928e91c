//! Alerts: those that are active, those that were, and who sees to them.

mod cause;
mod detail;
mod films;

use bugbrother_wire::{
    AlertId,
    api::{AlertList, AlertSummary},
    live::News,
    message::{Alert, AlertState, Severity},
};
use serde::{Deserialize, Serialize};
use yew::{platform::spawn_local, prelude::*};
use yew_router::prelude::*;

pub use self::cause::in_short;
use self::detail::Detail;
use super::{
    api,
    feed::use_live,
    fetch::Fetched,
    glyph::Glyph,
    kit::{Empty, Refused, Select, Sheet},
    news::{clock, use_fresh, use_kept},
    route::Route,
    settings::use_phrases,
    table::Skeleton,
};
use crate::{
    fleet::{Fleet, Look},
    format::{Span, number, unit, value},
    phrases::Phrases,
};

const PAGE: u32 = 100;
const DAY_MS: i64 = 86_400_000;

/// Style class of a severity.
pub fn severity_class(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// The value that matters, with as many digits as it needs.
pub fn worst(alert: &Alert) -> String {
    if let (Some(value), Some(of_unit)) = (alert.value, alert.detail.as_ref().and_then(|cause| cause.unit.as_deref())) {
        return format!("{} {}", number(value, 0), unit(of_unit));
    }
    match (&alert.signal, alert.value) {
        (_, None) => "–".to_owned(),
        (Some(signal), Some(worst)) => {
            let (worst, unit) = value(signal, worst);
            format!("{worst} {unit}")
        }
        (None, Some(value)) => number(value, usize::from(value.abs() < 10.0 && value.fract() != 0.0)),
    }
}

/// What is looked for, in the address.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Wanted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    /// VIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vin: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// Days back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    days: Option<u32>,
    /// The one that is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alert: Option<String>,
}

const STATES: [&str; 5] = ["active", "open", "acknowledged", "resolved", "all"];

impl Wanted {
    fn state(&self) -> &'static str {
        let wanted = self.state.as_deref().unwrap_or_default();
        STATES.into_iter().find(|state| *state == wanted).unwrap_or("active")
    }

    fn path(&self, now: i64) -> String {
        let mut path = format!("/alerts?limit={PAGE}");
        let state = self.state();
        if state != "all" {
            path += &format!("&state={state}");
        }
        for (name, value) in [("severity", &self.severity), ("vin", &self.vin), ("rule", &self.rule)] {
            // What somebody wrote into the address stays a value.
            let value = value.as_deref().filter(|value| value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
            if let Some(value) = value {
                path += &format!("&{name}={value}");
            }
        }
        if let Some(days) = self.days {
            let from = (now - i64::from(days) * DAY_MS) / DAY_MS * DAY_MS;
            path += &format!("&from={from}");
        }
        path
    }
}

/// The page.
#[component]
pub fn Alerts() -> Html {
    let phrases = use_phrases();
    let words = &phrases.alert_page;
    let live = use_live();
    let wanted = use_location().and_then(|location| location.query::<Wanted>().ok()).unwrap_or_default();
    let navigator = use_navigator();
    let set = {
        let navigator = navigator.clone();
        Callback::from(move |wanted: Wanted| {
            if let Some(Err(error)) =
                navigator.as_ref().map(|navigator| navigator.push_with_query(&Route::Alerts, &wanted))
            {
                web_sys::console::warn_1(&error.to_string().into());
            }
        })
    };
    let now = clock(&live);
    let newest = use_fresh::<AlertList>(Some(wanted.path(now)), None, &[News::Handling]);
    {
        // Alerts come and go by the live feed.
        let stamp = live.fleet.borrow().alerts().iter().map(|alert| (alert.id, alert.state)).collect::<Vec<_>>();
        let (reload, first) = (newest.reload.clone(), use_mut_ref(|| true));
        use_effect_with(stamp, move |_| {
            if !std::mem::replace(&mut *first.borrow_mut(), false) {
                reload.emit(());
            }
        });
    }
    let older = use_state(|| (String::new(), Vec::<AlertSummary>::new(), None::<Option<String>>));
    let kept = use_kept(&newest.is);
    let open = wanted.alert.as_deref().and_then(|id| id.parse::<AlertId>().ok());
    let close = {
        let (set, wanted) = (set.clone(), wanted.clone());
        Callback::from(move |()| set.emit(Wanted { alert: None, ..wanted.clone() }))
    };
    let rows = match (&newest.is, &kept) {
        (Fetched::Failed(refusal), None) => {
            html! { <Refused refusal={refusal.clone()} retry={newest.reload.clone()} /> }
        }
        (_, None) => html! { <Skeleton rows=6 /> },
        (is, Some(kept)) => {
            let list = is.ready().unwrap_or(kept);
            let path = wanted.path(now);
            let (later, next) = match &*older {
                (of, alerts, next) if *of == path => (alerts.clone(), next.clone().unwrap_or_default()),
                _ => (Vec::new(), list.next.clone()),
            };
            let more = next.map(|before| {
                let (older, path, later) = (older.clone(), path.clone(), later.clone());
                Callback::from(move |_: MouseEvent| {
                    let (older, path, mut later) = (older.clone(), path.clone(), later.clone());
                    let page = format!("{path}&before={before}");
                    spawn_local(async move {
                        if let Ok(page) = api::get::<AlertList>(&page).await {
                            later.extend(page.alerts);
                            older.set((path, later, Some(page.next)));
                        }
                    });
                })
            });
            let select = {
                let (set, wanted) = (set.clone(), wanted.clone());
                Callback::from(move |id: String| set.emit(Wanted { alert: Some(id), ..wanted.clone() }))
            };
            let all: Vec<&AlertSummary> = list.alerts.iter().chain(&later).collect();
            if all.is_empty() && wanted == (Wanted { alert: wanted.alert.clone(), ..Wanted::default() }) {
                all_quiet(phrases)
            } else if all.is_empty() {
                html! { <Empty title={words.none_fits} hint={words.none_fits_hint}><button class="secondary" onclick={let set = set.clone(); move |_| set.emit(Wanted::default())}>{ phrases.clear_filters }</button></Empty> }
            } else {
                html! {
                    <>
                        { table(phrases, &live.fleet.borrow(), &all, now, &select) }
                        if let Some(onclick) = more { <button class="secondary more" {onclick} data-testid="more-alerts">{ phrases.vehicle_page.more }</button> }
                    </>
                }
            }
        }
    };
    html! {
        <section class="page alert-page">
            <Filters wanted={wanted.clone()} {set} />
            <div class="scroll">{ rows }</div>
            if let Some(id) = open {
                <Sheet title={words.alert} {close}><Detail {id} changed={newest.reload.clone()} /></Sheet>
            }
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct FiltersProps {
    wanted: Wanted,
    set: Callback<Wanted>,
}

#[component]
fn Filters(props: &FiltersProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.alert_page;
    let with = |change: fn(&mut Wanted, String)| {
        let wanted = props.wanted.clone();
        props.set.reform(move |chosen: String| {
            let mut wanted = Wanted { alert: None, ..wanted.clone() };
            change(&mut wanted, chosen);
            wanted
        })
    };
    let some = |text: String| (!text.is_empty()).then_some(text);
    let choice = |value: &'static str, text: &'static str| (AttrValue::from(value), AttrValue::from(text));
    let fleet = use_live().fleet;
    let fleet = fleet.borrow();
    let mut vehicles = vec![choice("", words.any_vehicle)];
    // A menu of thousands helps nobody: then the vehicle's own page leads here.
    if fleet.vehicles().len() <= 500 {
        let names = fleet.select(crate::fleet::Filter::All, "");
        vehicles.extend(names.map(|vehicle| (vehicle.vin.to_string().into(), vehicle.name.clone().into())));
    } else if let Some(vin) = &props.wanted.vin {
        vehicles.push((vin.clone().into(), vin.clone().into()));
    }
    let state = props.wanted.state();
    html! {
        <div class="bar filters">
            <div class="chips" role="group" aria-label={phrases.state}>
                for one in STATES {
                    <button key={one} class="chip" aria-pressed={(one == state).to_string()} data-testid={format!("state-{one}")}
                        onclick={with(|wanted, state| wanted.state = (state != "active").then_some(state)).reform(move |_| one.to_owned())}>{ (words.state)(one) }</button>
                }
            </div>
            <Select name="severity" label={phrases.severity} value={props.wanted.severity.clone().unwrap_or_default()}
                choices={vec![choice("", words.any_severity), choice("critical", phrases.severity_critical), choice("warning", phrases.severity_warning), choice("info", phrases.severity_info)]}
                onchange={with(|wanted, text| wanted.severity = (!text.is_empty()).then_some(text))} />
            <Select name="vehicle" label={phrases.vehicle} value={props.wanted.vin.clone().unwrap_or_default()} choices={vehicles}
                onchange={with(|wanted, text| wanted.vin = (!text.is_empty()).then_some(text))} />
            <Select name="days" label={words.period} value={props.wanted.days.map(|days| days.to_string()).unwrap_or_default()}
                choices={vec![choice("", words.any_time), choice("1", words.a_day), choice("7", words.a_week), choice("30", words.a_month)]}
                onchange={with(|wanted, text| wanted.days = text.parse().ok())} />
            if let Some(rule) = some(props.wanted.rule.clone().unwrap_or_default()) {
                <button class="chip" aria-pressed="true" onclick={with(|wanted, _| wanted.rule = None).reform(|_| String::new())}>{ rule }{ " ×" }</button>
            }
        </div>
    }
}

fn all_quiet(phrases: &Phrases) -> Html {
    html! {
        <section class="empty tall" data-testid="all-quiet">
            <svg class="quiet-road" viewBox="0 0 120 60" aria-hidden="true" focusable="false">
                <path d="M4 44h112" /><path class="dash" d="M10 52h100" />
                <circle cx="60" cy="26" r="15" /><path class="tick" d="m53 26 5 5 9-10" />
            </svg>
            <h1>{ phrases.all_quiet }</h1>
            <p>{ phrases.all_quiet_hint }</p>
        </section>
    }
}

fn table(phrases: &Phrases, fleet: &Fleet, alerts: &[&AlertSummary], now: i64, select: &Callback<String>) -> Html {
    let words = &phrases.alert_page;
    html! {
        <table class="panel table" data-testid="alerts">
            <thead><tr>
                <th scope="col">{ phrases.severity }</th>
                <th scope="col">{ phrases.what }</th>
                <th scope="col">{ phrases.vehicle }</th>
                <th scope="col" class="number worst">{ phrases.value }</th>
                <th scope="col" class="who">{ words.who }</th>
                <th scope="col" class="number">{ phrases.since }</th>
            </tr></thead>
            <tbody>
            for one in alerts {
                { row(phrases, fleet, one, now, select) }
            }
            </tbody>
        </table>
    }
}

fn row(phrases: &Phrases, fleet: &Fleet, one: &AlertSummary, now: i64, select: &Callback<String>) -> Html {
    let words = &phrases.alert_page;
    let alert = &one.alert;
    let id = alert.id.to_string();
    let onclick = {
        let id = id.clone();
        select.reform(move |_: MouseEvent| id.clone())
    };
    let rests = one.snoozed_until.is_some_and(|until| until > now);
    let name = fleet.find(alert.vin).map_or_else(|| alert.vin.to_string(), |vehicle| vehicle.name.clone());
    let who = one.assigned_to.as_deref().or(alert.acknowledged_by.as_deref());
    let state = match alert.state {
        AlertState::Resolved => Some(("badge ok", words.resolved)),
        AlertState::Acknowledged => Some(("badge", words.acknowledged)),
        AlertState::Open if rests => Some(("badge", words.rests)),
        AlertState::Open => None,
    };
    let over = alert.state == AlertState::Resolved || rests;
    html! {
        <tr key={id.clone()} class={classes!("link", severity_class(alert.severity), over.then_some("over"))} onclick={onclick.clone()}>
            <td><SeverityTag severity={alert.severity} /></td>
            <td class="strong">
                <button class="plain" data-row="" {onclick} data-testid={format!("alert-{id}")}>{ &alert.title }</button>
                if alert.count > 1 { <small>{ (phrases.times)(alert.count) }</small> }
                if let Some((class, text)) = state { <span {class}>{ text }</span> }
            </td>
            <td>{ name }</td>
            <td class="number worst">{ worst(alert) }</td>
            <td class="who">{ who.unwrap_or("–") }</td>
            <td class="number">{ (phrases.ago)(Span::of(now - alert.opened)) }</td>
        </tr>
    }
}

/// Properties of [`SeverityTag`].
#[derive(Properties, PartialEq)]
pub struct SeverityTagProps {
    /// How bad it is.
    pub severity: Severity,
}

/// How bad an alert is, as shape and word.
#[component]
pub fn SeverityTag(props: &SeverityTagProps) -> Html {
    let phrases = use_phrases();
    let look = if props.severity == Severity::Info { Look::Idle } else { Look::Alert };
    html! {
        <span class={classes!("tag", severity_class(props.severity))}>
            <Glyph {look} />{ phrases.severity(props.severity) }
        </span>
    }
}
