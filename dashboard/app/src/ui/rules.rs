//! Rules by which alerts are raised.

mod conditions;
mod editor;
mod scope;
mod trial;

use std::rc::Rc;

use bugbrother_wire::{
    api::{GeofenceList, Right, RuleEdit, RuleEntry, RuleList},
    rule::Scope,
};
use yew::{platform::spawn_local, prelude::*};

use self::editor::Editor;
use super::{
    account::use_account,
    alerts::SeverityTag,
    api,
    fetch::{Fetched, use_fetch},
    kit::{Empty, Refused, Sheet, use_toasts},
    settings::use_phrases,
    table::Skeleton,
    vehicle::{label, refusal_text},
};
use crate::{phrases::Phrases, rule::words::in_words};

/// What is being edited: a rule that is there, or a new one.
#[derive(Clone, PartialEq)]
enum Edited {
    New,
    Old(RuleEntry),
}

/// The page.
#[component]
pub fn Rules() -> Html {
    let phrases = use_phrases();
    let words = &phrases.rule_page;
    let toasts = use_toasts();
    let may = use_account().may(Right::Rules);
    let list = use_fetch::<RuleList>(Some("/rules".to_owned()));
    let geofences = use_fetch::<GeofenceList>(Some("/geofences".to_owned()));
    let areas = geofences.is.ready().map(|list| list.geofences.as_slice()).unwrap_or_default();
    let fences: Rc<Vec<(String, String)>> =
        Rc::new(areas.iter().map(|one| (one.id.clone(), one.geofence.name.clone())).collect());
    let edited = use_state(|| None::<Edited>);
    let save = {
        let (toasts, reload) = (toasts.clone(), list.reload.clone());
        Callback::from(move |(id, rule): (String, RuleEdit)| {
            let (toasts, reload) = (toasts.clone(), reload.clone());
            spawn_local(async move {
                match api::put::<RuleEntry>(&format!("/rules/{id}"), &rule).await {
                    Ok(_) => reload.emit(()),
                    Err(refusal) => toasts.say(refusal_text(phrases, &refusal)),
                }
            });
        })
    };
    let delete = {
        let (toasts, reload, save, edited) = (toasts.clone(), list.reload.clone(), save.clone(), edited.setter());
        Callback::from(move |entry: RuleEntry| {
            let (toasts, reload, save, edited) = (toasts.clone(), reload.clone(), save.clone(), edited.clone());
            spawn_local(async move {
                match api::delete(&format!("/rules/{}", entry.id)).await {
                    Ok(()) => {
                        edited.set(None);
                        reload.emit(());
                        let undo = save.reform(move |()| (entry.id.clone(), entry.rule.clone()));
                        toasts.undo(words.deleted, undo);
                    }
                    Err(refusal) => toasts.say(refusal_text(phrases, &refusal)),
                }
            });
        })
    };
    let new = {
        let edited = edited.setter();
        Callback::from(move |_: MouseEvent| edited.set(Some(Edited::New)))
    };
    let rules = match &list.is {
        Fetched::Loading => html! { <Skeleton rows=4 /> },
        Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={list.reload.clone()} /> },
        Fetched::Ready(list) if list.rules.is_empty() => html! {
            <Empty title={words.none} hint={words.none_hint}>
                if may { <button class="primary" onclick={new.clone()}>{ words.new }</button> }
            </Empty>
        },
        Fetched::Ready(list) => html! {
            <ul class="rules" data-testid="rules">
                for entry in &list.rules {
                    { one(phrases, entry, &fences, may, &save, {
                        let (edited, entry) = (edited.setter(), entry.clone());
                        Callback::from(move |()| edited.set(Some(Edited::Old(entry.clone()))))
                    }) }
                }
            </ul>
        },
    };
    let close = {
        let edited = edited.setter();
        Callback::from(move |()| edited.set(None))
    };
    let saved = {
        let (edited, reload) = (edited.setter(), list.reload.clone());
        Callback::from(move |()| {
            edited.set(None);
            reload.emit(());
        })
    };
    let known: Vec<String> =
        list.is.ready().map(|list| list.rules.iter().map(|rule| rule.id.clone()).collect()).unwrap_or_default();
    html! {
        <section class="page rule-page">
            <div class="bar">
                <p class="muted">{ words.lead }</p>
                if may { <span class="end"><button class="primary" onclick={new} data-testid="new-rule">{ words.new }</button></span> }
            </div>
            <div class="scroll">{ rules }</div>
            if let Some(which) = &*edited {
                <Sheet title={match which { Edited::New => words.new, Edited::Old(_) => words.edit }} {close}>
                    <Editor entry={match which { Edited::New => None, Edited::Old(entry) => Some(Rc::new(entry.clone())) }} {known} {fences} {saved} {delete} />
                </Sheet>
            }
        </section>
    }
}

fn one(
    phrases: &Phrases,
    entry: &RuleEntry,
    fences: &[(String, String)],
    may: bool,
    save: &Callback<(String, RuleEdit)>,
    open: Callback<()>,
) -> Html {
    let words = &phrases.rule_page;
    let rule = &entry.rule;
    let switch = {
        let entry = entry.clone();
        save.reform(move |_: MouseEvent| {
            (entry.id.clone(), RuleEdit { enabled: !entry.rule.enabled, ..entry.rule.clone() })
        })
    };
    html! {
        <li key={entry.id.clone()} class={classes!("panel", "rule", (!rule.enabled).then_some("off"))} data-testid={format!("rule-{}", entry.id)}>
            <SeverityTag severity={rule.severity} />
            <div>
                if may {
                    <button class="plain strong" data-row="" onclick={open.reform(|_| ())} data-testid={format!("edit-{}", entry.id)}>{ &rule.title }</button>
                } else {
                    <b>{ &rule.title }</b>
                }
                <p class="muted">{ in_words(phrases, &rule.condition, fences, label) }{ about(phrases, &rule.scope) }</p>
            </div>
            <button class="switch" role="switch" aria-checked={rule.enabled.to_string()} aria-label={format!("{}: {}", rule.title, words.enabled)}
                disabled={!may} onclick={switch} data-testid={format!("switch-{}", entry.id)}><i aria-hidden="true" /></button>
        </li>
    }
}

/// Which vehicles it is about, unless it is about all.
fn about(phrases: &Phrases, scope: &Scope) -> String {
    let words = &phrases.rule_page;
    match scope {
        Scope::All => String::new(),
        Scope::Vehicles(vins) => format!(" · {} ({})", (words.scope)("vehicles"), vins.len()),
        Scope::Class(class) => format!(" · {}: {class}", words.class),
        Scope::Client(_) => format!(" · {}", (words.scope)("client")),
    }
}
