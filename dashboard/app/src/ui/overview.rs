//! The fleet at a glance: every number leads to its list.

use std::rc::Rc;

use bugbrother_wire::{
    api::{Overview, Pressing, Right},
    message::Severity,
};
use yew::prelude::*;
use yew_router::prelude::*;

use super::{
    account::use_account,
    books::{Filters, VehicleLink},
    contracts::state_badge,
    day,
    feed::use_live,
    fetch::{Fetched, use_fetch},
    glyph::Glyph,
    kit::Refused,
    maintenance::due_text,
    route::Route,
    settings::{told, units, use_phrases},
    statistics::Bars,
    table::Skeleton,
};
use crate::{
    fleet::{Filter, Look},
    format::number,
    phrases::business::Business,
};

/// What is not live is asked for again after this time.
const AGAIN_MS: u32 = 60_000;

/// The page.
#[component]
pub fn OverviewPage() -> Html {
    let phrases = use_phrases();
    let words = phrases.business;
    let account = use_account();
    let fetch = use_fetch::<Overview>(Some(format!("/overview?zone={}", super::books::escaped(&day::zone()))));
    {
        let reload = fetch.reload.clone();
        use_effect_with(fetch.is.ready().map(Rc::as_ptr), move |_| {
            let timer = gloo_timers::callback::Timeout::new(AGAIN_MS, move || reload.emit(()));
            move || drop(timer)
        });
    }
    let body = match &fetch.is {
        Fetched::Loading => html! { <div class="panel"><Skeleton rows=6 /></div> },
        Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
        Fetched::Ready(overview) => figures(words, overview, account.may(Right::Clients)),
    };
    html! {
        <section class="page books scroll overview" data-testid="overview">
            <Now />
            { body }
        </section>
    }
}

/// What the feed tells, each with its list.
#[component]
fn Now() -> Html {
    let phrases = use_phrases();
    let words = phrases.business;
    let live = use_live();
    let fleet = live.fleet.borrow();
    let counts = fleet.counts();
    let states = [
        (Filter::Moving, Look::Moving),
        (Filter::Idle, Look::Idle),
        (Filter::Parked, Look::Parked),
        (Filter::Silent, Look::Silent),
    ];
    let severities = [Severity::Critical, Severity::Warning, Severity::Info];
    let alerts = fleet.alerts();
    let count = |severity| alerts.iter().filter(|alert| alert.severity == severity).count();
    html! {
        <div class="cards now" aria-label={words.fleet_now}>
            for (filter, look) in states {
                <Link<Route, Filters> key={filter.word()} to={Route::Vehicles} query={Some(Filters { f: Some(filter.word().to_owned()), ..Filters::default() })} classes="panel card">
                    <span class="what"><Glyph {look} />{ phrases.filter(filter) }</span>
                    <b data-testid={format!("now-{}", filter.word())}>{ if fleet.is_loaded() { counts.get(filter).to_string() } else { words.none.to_owned() } }</b>
                </Link<Route, Filters>>
            }
            <Link<Route> to={Route::Alerts} classes="panel card alerts-card">
                <span class="what">{ words.open_alerts }</span>
                <span class="severities">
                    for severity in severities {
                        <span class={classes!("tag", severity_class(severity))}><b>{ count(severity) }</b><small>{ phrases.severity(severity) }</small></span>
                    }
                </span>
            </Link<Route>>
        </div>
    }
}

fn severity_class(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

fn figures(words: &'static Business, overview: &Overview, sees_contracts: bool) -> Html {
    let today = overview.days.last().map(|day| day.day.clone()).unwrap_or_default();
    let first = overview.days.first().map(|day| day.day.clone()).unwrap_or_default();
    let of_today = Filters { from: Some(today.clone()), to: Some(today.clone()), ..Filters::default() };
    let km = |metres: f64| told(units().distance(metres, 0));
    let some = |value: Option<f64>, unit: &str| {
        value.map_or(words.none.to_owned(), |value| format!("{} {unit}", number(value, 0)))
    };
    let cards = [
        (words.kilometres_today, km(overview.today.distance_m), km(overview.week.distance_m), "distance"),
        (words.fuel, some(overview.today.fuel_l, "l"), some(overview.week.fuel_l, "l"), "fuel"),
        (
            words.cost,
            some(overview.today.cost, &overview.currency),
            some(overview.week.cost, &overview.currency),
            "cost",
        ),
        (words.co2, some(overview.today.co2_kg, "kg"), some(overview.week.co2_kg, "kg"), "co2"),
    ];
    let bars = overview.days.iter().map(|one| (label(words, &one.day), one.trips as f64)).collect::<Vec<_>>();
    let by_day = Filters {
        from: Some(first.clone()),
        to: Some(today.clone()),
        by: Some("day".to_owned()),
        ..Filters::default()
    };
    html! {
        <>
            <div class="cards">
                for (name, value, week, word) in cards {
                    <Link<Route, Filters> key={word} to={Route::Statistics} query={Some(of_today.clone())} classes="panel card">
                        <span class="what">{ name }</span>
                        <b data-testid={format!("today-{word}")}>{ value }</b>
                        <small>{ (words.this_week)(&week) }</small>
                    </Link<Route, Filters>>
                }
            </div>
            <div class="columns">
                <section class="panel pad two">
                    <div class="bar"><h2>{ words.trips_per_day }</h2>
                        <div class="end"><Link<Route, Filters> to={Route::Statistics} query={Some(by_day)}>{ words.statistics }</Link<Route, Filters>></div>
                    </div>
                    <Bars label={words.trips_per_day} {bars} unit="" />
                </section>
                <section class="panel pad" data-testid="worst">
                    <h2>{ words.worst_driven }</h2>
                    <p class="muted"><small>{ words.worst_hint }</small></p>
                    if overview.worst.is_empty() { <p class="muted">{ words.nobody_judged }</p> }
                    <ul class="rows">
                        for one in &overview.worst {
                            <li key={one.vin.as_str()}>
                                <Link<Route, Filters> to={Route::Statistics} classes="name"
                                    query={Some(Filters { vin: Some(one.vin.to_string()), from: Some(first.clone()), to: Some(today.clone()), by: Some("day".to_owned()), ..Filters::default() })}>{ &one.name }</Link<Route, Filters>>
                                <small>{ one.harsh_per_100km.filter(|harsh| *harsh > 0.0).map(|harsh| format!("{} {} {}", number(harsh, 1), words.harsh.to_lowercase(), words.harsh_unit)).unwrap_or_default() }</small>
                                <b class={score_class(one.score)}>{ number(one.score, 0) }</b>
                            </li>
                        }
                    </ul>
                </section>
                if sees_contracts {
                    <section class="panel pad" data-testid="ending">
                        <div class="bar"><h2>{ words.ending_contracts }</h2>
                            <div class="end"><Link<Route, Filters> to={Route::Contracts} query={Some(Filters { f: Some("ending".to_owned()), ..Filters::default() })}>{ words.contracts }</Link<Route, Filters>></div>
                        </div>
                        if overview.ending.is_empty() { <p class="muted">{ words.no_ending_contracts }</p> }
                        <ul class="rows">
                            for contract in &overview.ending {
                                <li key={contract.id.to_string()}>
                                    <Link<Route> to={Route::Contract { id: contract.id }} classes="name">{ &contract.form.title }</Link<Route>>
                                    <small>{ &contract.client_name }</small>
                                    { state_badge(words, contract) }
                                </li>
                            }
                        </ul>
                    </section>
                }
                <section class="panel pad two" data-testid="due">
                    <h2>{ words.maintenance_due }{ " " }<span class="badge">{ overview.due_count }</span></h2>
                    if overview.due.is_empty() { <p class="muted">{ words.no_maintenance_due }</p> }
                    <ul class="rows">
                        for line in &overview.due {
                            <li key={line.id.to_string()}>
                                <span class="name"><VehicleLink vin={line.vin} name={line.vehicle.clone()} />{ " · " }{ &line.form.title }</span>
                                <small>{ due_text(words, line) }</small>
                                <span class={classes!("badge", if line.state == Pressing::Overdue { "bad" } else { "warn" })}>{ (words.pressing)(line.state) }</span>
                            </li>
                        }
                    </ul>
                </section>
            </div>
        </>
    }
}

/// Such as `Sun 29 Mar`.
fn label(words: &Business, date: &str) -> String {
    day::from_input(date, 0).map_or_else(|| date.to_owned(), |at| day::weekday(words.locale, at))
}

/// A style class for a score.
pub fn score_class(score: f64) -> &'static str {
    match score {
        80.0.. => "good",
        60.0.. => "fair",
        _ => "poor",
    }
}
