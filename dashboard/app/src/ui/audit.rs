//! The audit log: who did what, to what.

use bugbrother_wire::api::{AuditList, Deed};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use web_sys::HtmlInputElement;
use yew::prelude::*;
use yew_router::prelude::*;

use super::{
    books::escaped,
    fetch::{Fetched, use_fetch},
    icon::Icon,
    kit::{Empty, Refused},
    moment,
    route::Route,
    settings::use_phrases,
    table::Skeleton,
};
use crate::phrases::Phrases;

/// What of the log is wanted; it lives in the address.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Wanted {
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    who: Option<String>,
    /// To what: its kind and identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Before which entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

/// The page of the audit log.
#[component]
pub fn Audit() -> Html {
    let phrases = use_phrases();
    let words = phrases.people;
    let navigator = use_navigator();
    let wanted = use_location().and_then(|location| location.query::<Wanted>().ok()).unwrap_or_default();
    let go = Callback::from(move |wanted: Wanted| {
        if let Some(navigator) = &navigator {
            // An address of our own words is always one.
            drop(navigator.push_with_query(&Route::Audit, &wanted));
        }
    });
    let mut path = "/audit?limit=100".to_owned();
    for (name, value) in [("who", &wanted.who), ("kind", &wanted.kind), ("id", &wanted.id), ("before", &wanted.before)]
    {
        if let Some(value) = value {
            path += &format!("&{name}={}", escaped(value));
        }
    }
    let fetch = use_fetch::<AuditList>(Some(path));
    let onchange = {
        let (go, wanted) = (go.clone(), wanted.clone());
        move |event: Event| {
            let text = event.target_unchecked_into::<HtmlInputElement>().value();
            let who = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
            go.emit(Wanted { who, before: None, ..wanted.clone() });
        }
    };
    let anything = {
        let (go, wanted) = (go.clone(), wanted.clone());
        move |_: MouseEvent| go.emit(Wanted { kind: None, id: None, before: None, ..wanted.clone() })
    };
    let turn = |before: Option<String>| {
        let (go, wanted) = (go.clone(), wanted.clone());
        Callback::from(move |_: MouseEvent| go.emit(Wanted { before: before.clone(), ..wanted.clone() }))
    };
    let list = match &fetch.is {
        Fetched::Loading => html! { <div class="panel"><Skeleton rows=10 /></div> },
        Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
        Fetched::Ready(list) if list.entries.is_empty() => {
            html! { <Empty title={words.no_deeds} hint={words.no_deeds_hint} /> }
        }
        Fetched::Ready(list) => html! {
            <>
                <div class="panel scroll">
                    <table class="table" data-testid="audit">
                        <thead><tr>
                            <th scope="col">{ words.when }</th><th scope="col">{ words.who }</th><th scope="col">{ words.what }</th>
                            <th scope="col">{ words.object }</th><th scope="col" class="wide">{ words.from_where }</th>
                        </tr></thead>
                        <tbody>for deed in &list.entries { { row(phrases, deed, &wanted, &go) } }</tbody>
                    </table>
                </div>
                <div class="bar">
                    if wanted.before.is_some() { <button class="secondary" onclick={turn(None)} data-testid="audit-newest">{ words.newest }</button> }
                    if let Some(next) = &list.next { <button class="secondary" onclick={turn(Some(next.clone()))} data-testid="audit-older">{ words.older }</button> }
                </div>
            </>
        },
    };
    let object = wanted.kind.as_ref().zip(wanted.id.as_ref());
    html! {
        <section class="page people">
            <div class="bar">
                <label class="search">
                    { Icon::Search.draw() }
                    <input key={wanted.who.clone().unwrap_or_default()} type="search" data-search="" value={wanted.who.clone().unwrap_or_default()} {onchange}
                        placeholder={words.any_person} aria-label={words.any_person} data-testid="audit-who" />
                    <kbd aria-hidden="true">{ "/" }</kbd>
                </label>
                if let Some((kind, id)) = object {
                    <button class="chip" aria-pressed="true" onclick={anything} data-testid="audit-object">
                        { (words.only)(&format!("{kind} {}", shortened(id))) }{ Icon::Close.draw() }
                    </button>
                }
            </div>
            { list }
        </section>
    }
}

fn row(phrases: &Phrases, deed: &Deed, wanted: &Wanted, go: &Callback<Wanted>) -> Html {
    let words = phrases.people;
    let what = (words.deed)(&deed.what).map_or_else(|| deed.what.replace('_', " "), str::to_owned);
    let only = |wanted: Wanted| {
        let go = go.clone();
        Callback::from(move |_: MouseEvent| go.emit(wanted.clone()))
    };
    let person = only(Wanted { who: Some(deed.who.clone()), before: None, ..wanted.clone() });
    let object = deed.kind.as_ref().zip(deed.id.as_ref()).map(|(kind, id)| {
        let wanted = Wanted { kind: Some(kind.clone()), id: Some(id.clone()), before: None, ..wanted.clone() };
        html! { <button class="word" onclick={only(wanted)}><small class="muted">{ kind }</small>{ " " }<span title={id.clone()}>{ shortened(id) }</span></button> }
    });
    let detail = serde_json::to_string(&deed.detail).unwrap_or_default();
    html! {
        <tr key={format!("{}{}{}", deed.at, deed.what, detail)} data-testid="deed">
            <td>{ moment::moment(phrases, deed.at) }</td>
            <td><button class="word strong" onclick={person} data-testid="deed-who">{ &deed.who }</button></td>
            <td class="deed">{ what }if !deed.detail.is_empty() { <small class="muted" title={detail.clone()}>{ told(phrases, deed) }</small> }</td>
            <td class="object">{ object }</td>
            <td class="wide muted">{ deed.address.as_deref().unwrap_or_default() }</td>
        </tr>
    }
}

/// The details of a deed, without those that say nothing.
fn told(phrases: &Phrases, deed: &Deed) -> String {
    let parts = deed.detail.iter().filter_map(|(name, value)| {
        let value = match value {
            Value::Null | Value::Bool(false) => return None,
            Value::Bool(true) => return Some(name.replace('_', " ")),
            Value::String(text) => text.clone(),
            // So large is only a moment.
            Value::Number(number) => match number.as_i64().filter(|at| *at > 1_000_000_000_000) {
                Some(at) => moment::moment(phrases, at),
                None => number.to_string(),
            },
            other => other.to_string(),
        };
        Some(format!("{}: {value}", name.replace('_', " ")))
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// As much of an identity as tells it from its neighbours.
fn shortened(id: &str) -> &str {
    let is_uuid = id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    // Their beginning is the time.
    if is_uuid { &id[24..] } else { id }
}
