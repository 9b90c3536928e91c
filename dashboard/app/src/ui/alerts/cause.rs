//! What is to be said of an alert's cause beside its value.

use bugbrother_wire::message::{Alert, AlertCause};
use yew::prelude::*;

use crate::{format::value, phrases::Phrases, rule::words::event, ui::moment::moment};

/// In a few words; nothing where there is nothing to be said.
pub fn in_short(phrases: &Phrases, cause: &AlertCause) -> Option<String> {
    let event = cause.event.map(|kind| event(phrases.rule_page.words, kind).to_owned());
    let lists = [&cause.codes, &cause.monitors, &cause.items].into_iter().find(|list| !list.is_empty());
    event.or_else(|| cause.geofence.clone()).or_else(|| lists.map(|list| list.join(", ")))
}

/// As rows of a list of facts.
pub fn facts(phrases: &Phrases, alert: &Alert) -> Html {
    let words = &phrases.alert_page;
    let Some(cause) = &alert.detail else { return html! {} };
    let row = |name: &str, text: String| html! { <div><dt>{ name }</dt><dd>{ text }</dd></div> };
    html! {
        <>
            if !cause.codes.is_empty() { { row(words.codes, cause.codes.join(", ")) } }
            if !cause.monitors.is_empty() { { row(words.monitors, cause.monitors.join(", ")) } }
            if let Some(kind) = cause.event { { row(words.event, event(phrases.rule_page.words, kind).to_owned()) } }
            if let Some(geofence) = &cause.geofence { { row(words.geofence, geofence.clone()) } }
            if let Some(text) = usual(phrases, alert, cause) { { row(words.usual, text) } }
            if !cause.items.is_empty() { { row(words.items, cause.items.join(", ")) } }
            if let Some(due) = cause.due { { row(words.due, moment(phrases, due)) } }
        </>
    }
}

/// How far a value is off what is usual: "14 °C above this vehicle's usual at this load".
fn usual(phrases: &Phrases, alert: &Alert, cause: &AlertCause) -> Option<String> {
    let (signal, found, usual) = (alert.signal.as_deref()?, alert.value?, cause.usual?);
    let (by, unit) = value(signal, (found - usual).abs());
    let (usual_text, _) = value(signal, usual);
    let off = (phrases.alert_page.off_usual)(
        &format!("{by} {unit}"),
        found > usual,
        cause.against.as_deref().unwrap_or_default(),
    );
    Some(format!("{usual_text} {unit}: {off}"))
}
