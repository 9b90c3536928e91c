//! How the fleet is run: what is kept how long, and what driving costs.

use std::collections::BTreeMap;

use bugbrother_wire::api::{Escalation, Prices, Settings};
use yew::{platform::spawn_local, prelude::*};

use super::{
    api::{self, Refusal},
    fetch::{Fetched, use_fetch},
    kit::{Field, Refused, use_toasts},
    settings::use_phrases,
    table::Skeleton,
};

/// The page of the fleet's settings.
#[component]
pub fn SettingsPage() -> Html {
    let fetch = use_fetch::<Settings>(Some("/settings".to_owned()));
    match &fetch.is {
        Fetched::Loading => html! { <section class="page"><Skeleton rows=8 /></section> },
        Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={fetch.reload} /> },
        Fetched::Ready(settings) => html! { <Form settings={(**settings).clone()} reload={fetch.reload} /> },
    }
}

#[derive(Properties, PartialEq)]
struct FormProps {
    settings: Settings,
    reload: Callback<()>,
}

/// What is typed in, by field.
type Typed = BTreeMap<&'static str, String>;

#[component]
fn Form(props: &FormProps) -> Html {
    let words = use_phrases().running;
    let toasts = use_toasts();
    let typed = use_state(Typed::new);
    let refusal = use_state(|| None::<Refusal>);
    let field = |name: &'static str, label: &'static str, stored: Option<String>| {
        let oninput = {
            let typed = typed.clone();
            Callback::from(move |text: String| {
                let mut all = (*typed).clone();
                all.insert(name, text);
                typed.set(all);
            })
        };
        let value = typed.get(name).cloned().or(stored).unwrap_or_default();
        let error = (*refusal).as_ref().and_then(|refusal| refusal.field(name)).map(AttrValue::from);
        html! { <Field key={name} {name} {label} {value} {error} {oninput} room="settings" /> }
    };
    let onsubmit = {
        let (typed, refusal, reload) = (typed.clone(), refusal.setter(), props.reload.clone());
        let before = props.settings.clone();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let wanted =
                match merged(&before, &typed, words.kinds.map(|(kind, _)| kind), words.fuels.map(|(fuel, _)| fuel)) {
                    Ok(wanted) => wanted,
                    Err(fields) => return refusal.set(Some(Refusal::Fields(fields))),
                };
            let (refusal, reload, toasts, before) = (refusal.clone(), reload.clone(), toasts.clone(), before.clone());
            let undone = words.saved;
            let text = words.saved_undo;
            spawn_local(async move {
                match api::put::<Settings>("/settings", &wanted).await {
                    Ok(_) => {
                        refusal.set(None);
                        reload.emit(());
                        let again = toasts.clone();
                        let undo = Callback::from(move |()| {
                            let (before, reload, again) = (before.clone(), reload.clone(), again.clone());
                            spawn_local(async move {
                                if api::put::<Settings>("/settings", &before).await.is_ok() {
                                    reload.emit(());
                                    again.say(undone);
                                }
                            });
                        });
                        toasts.undo(text, undo);
                    }
                    Err(refused) => refusal.set(Some(refused)),
                }
            });
        })
    };
    let days = |kind: &str| props.settings.retention.get(kind).copied().flatten().map(|days| days.to_string());
    let prices = &props.settings.prices;
    let again = props.settings.escalation.unwrap_or_default();
    let minutes = |minutes: Option<u32>| minutes.map(|minutes| minutes.to_string());
    html! {
        <form class="page running form" {onsubmit} novalidate=true data-testid="settings">
            <section class="panel block">
                <h2>{ words.retention }</h2>
                <p class="muted">{ words.retention_hint }</p>
                <div class="grid">for (kind, label) in words.kinds { { field(kind, label, days(kind)) } }</div>
            </section>
            <section class="panel block">
                <h2>{ words.prices }</h2>
                <p class="muted">{ words.prices_hint }</p>
                <div class="grid">
                    { field("currency", words.currency, Some(prices.currency.clone())) }
                    for (fuel, label) in words.fuels { { field(fuel, label, prices.fuel_per_l.get(fuel).map(f64::to_string)) } }
                    { field("electricity_per_kwh", words.electricity, prices.electricity_per_kwh.map(|price| price.to_string())) }
                </div>
            </section>
            <section class="panel block">
                <h2>{ words.escalation }</h2>
                <p class="muted">{ words.escalation_hint }</p>
                <div class="grid">
                    { field("critical_minutes", words.critical_minutes, minutes(again.critical_minutes)) }
                    { field("warning_minutes", words.warning_minutes, minutes(again.warning_minutes)) }
                </div>
            </section>
            if let Some(Refusal::Other(detail) | Refusal::Forbidden(detail)) = &*refusal { <p class="error" role="alert">{ detail }</p> }
            <div class="actions"><button class="primary" data-testid="settings-save">{ words.save }</button></div>
        </form>
    }
}

/// The settings with what was typed in, or what of it is no number.
fn merged<const K: usize, const F: usize>(
    before: &Settings,
    typed: &Typed,
    kinds: [&'static str; K],
    fuels: [&'static str; F],
) -> Result<Settings, BTreeMap<String, String>> {
    let mut wrong = BTreeMap::new();
    let mut read = |name: &str, text: &str| {
        let text = text.trim().replace(',', ".");
        if text.is_empty() {
            return None;
        }
        let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
        if value.is_none() {
            wrong.insert(name.to_owned(), "123.4".to_owned());
        }
        value
    };
    let mut settings = before.clone();
    for (name, text) in typed {
        if kinds.contains(name) {
            let days = read(name, text).map(|days| days.clamp(0.0, f64::from(u32::MAX)) as u32);
            settings.retention.insert((*name).to_owned(), days);
        } else if fuels.contains(name) {
            match read(name, text) {
                Some(price) => settings.prices.fuel_per_l.insert((*name).to_owned(), price),
                None => settings.prices.fuel_per_l.remove(*name),
            };
        } else if let "critical_minutes" | "warning_minutes" = *name {
            let minutes = read(name, text).map(|minutes| minutes.clamp(0.0, f64::from(u32::MAX)) as u32);
            let before = settings.escalation.unwrap_or_default();
            settings.escalation = Some(match *name {
                "critical_minutes" => Escalation { critical_minutes: minutes, ..before },
                _ => Escalation { warning_minutes: minutes, ..before },
            });
        } else if *name == "currency" {
            let currency = text.trim().to_owned();
            settings.prices = Prices { currency, ..settings.prices };
        } else {
            settings.prices.electricity_per_kwh = read(name, text);
        }
    }
    if wrong.is_empty() { Ok(settings) } else { Err(wrong) }
}
