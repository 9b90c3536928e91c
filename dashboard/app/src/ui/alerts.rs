//! Open alerts.

use bugbrother_wire::message::{Alert, Severity};
use yew::prelude::*;
use yew_router::prelude::*;

use super::{browser::frame_ms, feed::use_live, glyph::Glyph, route::Route, settings::use_phrases, table::Skeleton};
use crate::{
    address::Query,
    fleet::Look,
    format::{Span, number},
    phrases::Phrases,
};

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
    alert
        .value
        .map_or_else(|| "–".to_owned(), |value| number(value, usize::from(value.abs() < 10.0 && value.fract() != 0.0)))
}

/// The page of open alerts.
#[component]
pub fn Alerts() -> Html {
    let phrases = use_phrases();
    let live = use_live();
    let fleet = live.fleet.borrow();
    if !fleet.is_loaded() {
        return html! { <section class="page"><Skeleton rows=4 /></section> };
    }
    let alerts = fleet.alerts();
    if alerts.is_empty() {
        return html! {
            <section class="empty tall" data-testid="all-quiet">
                <svg class="quiet-road" viewBox="0 0 120 60" aria-hidden="true" focusable="false">
                    <path d="M4 44h112" /><path class="dash" d="M10 52h100" />
                    <circle cx="60" cy="26" r="15" /><path class="tick" d="m53 26 5 5 9-10" />
                </svg>
                <h1>{ phrases.all_quiet }</h1>
                <p>{ phrases.all_quiet_hint }</p>
            </section>
        };
    }
    let now = fleet.now(frame_ms());
    html! {
        <section class="page">
            <table class="panel table" data-testid="alerts">
                <thead><tr>
                    <th scope="col">{ phrases.severity }</th>
                    <th scope="col">{ phrases.what }</th>
                    <th scope="col">{ phrases.vehicle }</th>
                    <th scope="col" class="number">{ phrases.value }</th>
                    <th scope="col" class="number">{ phrases.since }</th>
                </tr></thead>
                <tbody>
                for alert in alerts {
                    <tr key={alert.id.to_string()} class={severity_class(alert.severity)}>
                        <td><SeverityTag severity={alert.severity} /></td>
                        <td class="strong">{ &alert.title }{ times(phrases, alert) }</td>
                        <td>{ vehicle(&fleet, alert) }</td>
                        <td class="number">{ worst(alert) }</td>
                        <td class="number">{ (phrases.ago)(Span::of(now - alert.opened)) }</td>
                    </tr>
                }
                </tbody>
            </table>
        </section>
    }
}

fn times(phrases: &Phrases, alert: &Alert) -> Html {
    if alert.count < 2 {
        return Html::default();
    }
    html! { <small>{ (phrases.times)(alert.count) }</small> }
}

fn vehicle(fleet: &crate::fleet::Fleet, alert: &Alert) -> Html {
    let name = fleet.find(alert.vin).map_or_else(|| alert.vin.to_string(), |vehicle| vehicle.name.clone());
    html! {
        <Link<Route, Query> to={Route::Map} query={Some(Query::of(alert.vin))}>{ name }</Link<Route, Query>>
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
