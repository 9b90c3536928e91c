//! What is wrong with a vehicle, in words, and having it looked at again.

use std::rc::Rc;

use bugbrother_wire::{
    CommandId, Vin,
    api::{CommandEntry, CommandProgress, DiagnosticsReport, DtcInWords, FreezeFrameInWords, NewCommand, Right},
    live::News,
    message::{Argument, DtcStatus},
};
use yew::{platform::spawn_local, prelude::*};

use super::commands::{progress_class, refusal_text};
use crate::{
    phrases::Phrases,
    ui::{
        account::use_account,
        alerts::SeverityTag,
        api,
        fetch::Fetched,
        kit::{Empty, Refused, use_toasts},
        moment::moment,
        news::use_fresh,
        settings::{units, use_phrases},
        table::Skeleton,
    },
};

/// Properties of [`Diagnostics`].
#[derive(Properties, PartialEq)]
pub struct DiagnosticsProps {
    /// The vehicle.
    pub vin: Vin,
}

/// The tab.
#[component]
pub fn Diagnostics(props: &DiagnosticsProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.vehicle_page;
    let account = use_account();
    let vin = props.vin;
    let path = format!("/vehicles/{vin}/diagnostics?lang={}", phrases.language.tag());
    let report = use_fresh::<DiagnosticsReport>(Some(path), Some(vin), &[News::Diagnostics]);
    let told = match &report.is {
        Fetched::Loading => return html! { <Skeleton rows=6 /> },
        Fetched::Failed(refusal) => {
            return html! { <Refused refusal={refusal.clone()} retry={report.reload.clone()} /> };
        }
        Fetched::Ready(told) => Rc::clone(told),
    };
    let here = told.codes.iter().filter(|code| code.gone.is_none()).count();
    let lamp = match told.mil {
        Some(true) => ("badge bad", words.mil_on),
        Some(false) => ("badge ok", words.mil_off),
        None => ("badge", words.mil_unknown),
    };
    html! {
        <div class="diagnostics">
            <div class="bar">
                <span class={lamp.0} data-testid="mil">{ lamp.1 }</span>
                <span class="muted">{ told.at.map_or_else(|| words.never_read.to_owned(), |at| (words.read_at)(&moment(phrases, at))) }</span>
                if account.may(Right::Command) { <AskCar {vin} has_codes={here > 0} /> }
            </div>
            if told.codes.is_empty() {
                <Empty title={words.no_codes} hint={if told.at.is_some() { words.no_codes_hint } else { words.never_read_hint }} />
            } else {
                <ul class="codes" data-testid="codes">
                    for code in &told.codes { { one(phrases, code) } }
                </ul>
            }
            if let Some(frame) = &told.freeze_frame { { freeze_frame(phrases, frame) } }
            if !told.monitors.is_empty() {
                <section class="panel monitors">
                    <h2>{ words.monitors }</h2>
                    <ul>
                        for monitor in &told.monitors {
                            <li key={monitor.name.clone()}>
                                <span>{ &monitor.label }</span>
                                <span class={if monitor.complete { "badge ok" } else { "badge warn" }}>{ if monitor.complete { words.complete } else { words.incomplete } }</span>
                            </li>
                        }
                    </ul>
                </section>
            }
        </div>
    }
}

fn one(phrases: &Phrases, code: &DtcInWords) -> Html {
    let words = &phrases.vehicle_page;
    let status = match code.status {
        DtcStatus::Pending => words.pending,
        DtcStatus::Stored => words.stored,
        DtcStatus::Permanent => words.permanent,
    };
    html! {
        <li key={format!("{}-{:?}-{}", code.code, code.status, code.ecu)} class={classes!("panel", "code", code.gone.map(|_| "gone"))} data-testid={format!("code-{}", code.code)}>
            <div class="head">
                <b class="mono">{ &code.code }</b>
                <SeverityTag severity={code.severity} />
                <span class={if code.gone.is_some() { "badge" } else { "badge warn" }}>{ if code.gone.is_some() { words.gone } else { status } }</span>
            </div>
            <p class="title">{ &code.title }</p>
            <p class="muted">
                { &code.system }
                if !code.ecu.is_empty() { { format!(" · {} {}", words.ecu, code.ecu) } }
                if !code.generic { { format!(" · {}", words.makers_own) } }
                if code.times > 1 { { format!(" · {}", (phrases.times)(code.times)) } }
            </p>
            if !code.advice.is_empty() && code.gone.is_none() { <p class="advice">{ &code.advice }</p> }
            <dl>
                <div><dt>{ words.first_seen }</dt><dd>{ moment(phrases, code.first_seen) }</dd></div>
                <div><dt>{ words.last_seen }</dt><dd>{ moment(phrases, code.last_seen) }</dd></div>
                if let Some(gone) = code.gone { <div><dt>{ words.gone_since }</dt><dd>{ moment(phrases, gone) }</dd></div> }
            </dl>
        </li>
    }
}

fn freeze_frame(phrases: &Phrases, frame: &FreezeFrameInWords) -> Html {
    let words = &phrases.vehicle_page;
    html! {
        <section class="panel freeze" data-testid="freeze-frame">
            <h2>{ words.freeze_frame }<small class="mono">{ &frame.code }</small></h2>
            <dl>
                for one in &frame.values {
                    <div key={one.key.clone()}>
                        <dt>{ (phrases.signal)(&one.key).unwrap_or(&one.label) }</dt>
                        <dd>{ units().value(&one.key, one.value).0 }<small>{ units().value(&one.key, one.value).1 }</small></dd>
                    </div>
                }
            </dl>
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct AskCarProps {
    vin: Vin,
    has_codes: bool,
}

/// "Read now" and, in two steps, "clear".
#[component]
fn AskCar(props: &AskCarProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.vehicle_page;
    let toasts = use_toasts();
    let vin = props.vin;
    let asked = use_state(|| None::<CommandId>);
    let state = use_fresh::<CommandEntry>(
        asked.map(|id| format!("/vehicles/{vin}/commands/{id}")),
        Some(vin),
        &[News::Command],
    );
    let give = {
        let (asked, toasts) = (asked.setter(), toasts.clone());
        Callback::from(move |(name, word): (&'static str, Option<String>)| {
            let (asked, toasts) = (asked.clone(), toasts.clone());
            spawn_local(async move {
                let id = CommandId(uuid::Uuid::new_v4());
                let arguments = word.map(|word| ("confirm".to_owned(), Argument::Text(word))).into_iter().collect();
                let command = NewCommand { id, name: name.to_owned(), arguments, expires_in_s: Some(300) };
                match api::post::<CommandEntry>(&format!("/vehicles/{vin}/commands"), &command).await {
                    Ok(_) => asked.set(Some(id)),
                    Err(refusal) => toasts.say(refusal_text(phrases, &refusal)),
                }
            });
        })
    };
    let entry = state.is.ready();
    let busy = asked.is_some() && entry.is_none_or(|entry| !entry.state.is_end());
    let word =
        entry.filter(|entry| entry.state == CommandProgress::Done && entry.name == "clear_dtcs").and_then(|entry| {
            match entry.result.get("confirm") {
                Some(Argument::Text(word)) => Some(word.clone()),
                _ => None,
            }
        });
    html! {
        <>
            <div class="end">
                <button class="secondary" disabled={busy} onclick={give.reform(|_| ("read_dtcs", None))} data-testid="read-codes">{ words.read_now }</button>
                if props.has_codes || word.is_some() {
                    <button class="secondary" disabled={busy} onclick={give.reform(|_| ("clear_dtcs", None))} data-testid="clear-codes">{ words.clear }</button>
                }
            </div>
            if let Some(entry) = entry {
                <div class="panel outcome" role="status" data-testid="outcome" data-state={format!("{:?}", entry.state)}>
                    // What the vehicle says to the first step is how programs take the second one.
                    if word.is_none() {
                        <span class={classes!("badge", progress_class(entry.state))}>{ (words.progress)(entry.state) }</span>
                        <span>{ entry.detail.as_deref().map_or(words.waits_for_vehicle, |detail| (words.vehicle_says)(detail).unwrap_or(detail)) }</span>
                    }
                    if let Some(word) = word {
                        <p>
                            { words.clear_hint }{ " " }<b class="mono">{ &word }</b>{ " " }
                            <button class="primary danger" onclick={let word = word.clone(); give.reform(move |_| ("clear_dtcs", Some(word.clone())))} data-testid="clear-for-good">{ words.clear_for_good }</button>
                        </p>
                    }
                </div>
            }
        </>
    }
}
