//! Commands to a vehicle, and what it is wanted to send.

use std::{collections::BTreeMap, rc::Rc};

use bugbrother_wire::{
    CommandId, Vin,
    api::{CommandEntry, CommandList, CommandProgress, NewCommand},
    live::News,
    message::Argument,
};
use yew::{platform::spawn_local, prelude::*};

use super::wishes::WishesForm;
use crate::{
    phrases::Phrases,
    ui::{
        api::{self, Refusal},
        fetch::Fetched,
        kit::{Empty, Refused, use_toasts},
        moment::moment,
        news::use_fresh,
        settings::use_phrases,
        table::Skeleton,
    },
};

/// Properties of [`Commands`].
#[derive(Properties, PartialEq)]
pub struct CommandsProps {
    /// The vehicle.
    pub vin: Vin,
}

/// Commands that are given with a button.
const OFFERED: [&str; 6] = ["read_dtcs", "resync", "send_log", "privacy_on", "privacy_off", "restart"];

fn order(offered: &str) -> (&str, BTreeMap<String, Argument>) {
    match offered {
        "privacy_on" => ("privacy", [("on".to_owned(), Argument::Bool(true))].into()),
        "privacy_off" => ("privacy", [("on".to_owned(), Argument::Bool(false))].into()),
        "send_log" => ("send_log", [("lines".to_owned(), Argument::Integer(200))].into()),
        name => (name, BTreeMap::new()),
    }
}

/// The tab.
#[component]
pub fn Commands(props: &CommandsProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.vehicle_page;
    let toasts = use_toasts();
    let vin = props.vin;
    let list =
        use_fresh::<CommandList>(Some(format!("/vehicles/{vin}/commands?limit=50")), Some(vin), &[News::Command]);
    let give = {
        let (toasts, reload) = (toasts.clone(), list.reload.clone());
        Callback::from(move |offered: &'static str| {
            let (toasts, reload) = (toasts.clone(), reload.clone());
            spawn_local(async move {
                let (name, arguments) = order(offered);
                let id = CommandId(uuid::Uuid::new_v4());
                let command = NewCommand { id, name: name.to_owned(), arguments, expires_in_s: None };
                match api::post::<CommandEntry>(&format!("/vehicles/{vin}/commands"), &command).await {
                    Ok(_) => reload.emit(()),
                    Err(refusal) => toasts.say(refusal_text(phrases, &refusal)),
                }
            });
        })
    };
    html! {
        <div class="commands">
            <section class="panel give">
                <h2>{ words.give_command }</h2>
                <div class="buttons">
                    for offered in OFFERED {
                        <button key={offered} class="secondary" onclick={give.reform(move |_| offered)} data-testid={format!("give-{offered}")}>{ (words.command)(offered) }</button>
                    }
                </div>
                <p class="muted">{ words.give_command_hint }</p>
            </section>
            <WishesForm {vin} />
            <section class="panel given">
                <h2>{ words.commands }</h2>
                {
                    match &list.is {
                        Fetched::Loading => html! { <Skeleton rows=3 /> },
                        Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={list.reload.clone()} /> },
                        Fetched::Ready(list) if list.commands.is_empty() => html! { <Empty title={words.no_commands} hint={words.no_commands_hint} /> },
                        Fetched::Ready(list) => given(phrases, list),
                    }
                }
            </section>
        </div>
    }
}

fn given(phrases: &Phrases, list: &Rc<CommandList>) -> Html {
    let words = &phrases.vehicle_page;
    html! {
        <ul class="given" data-testid="given">
            for entry in &list.commands {
                <li key={entry.id.to_string()} data-testid={format!("command-{}", entry.name)} data-state={format!("{:?}", entry.state)}>
                    <div class="head">
                        <b>{ (words.command)(&entry.name) }</b>
                        <span class={classes!("badge", progress_class(entry.state))}>{ (words.progress)(entry.state) }</span>
                        <small>{ format!("{} · {}", entry.by, moment(phrases, entry.issued)) }</small>
                    </div>
                    if let Some(detail) = entry.detail.as_deref() { <p>{ (words.vehicle_says)(detail).unwrap_or(detail) }</p> }
                    if let Some(text) = &entry.text {
                        <details><summary>{ words.log }</summary><pre>{ text }</pre></details>
                    }
                </li>
            }
        </ul>
    }
}

/// Style class of how far a command has come.
pub fn progress_class(progress: CommandProgress) -> &'static str {
    match progress {
        CommandProgress::Done => "ok",
        CommandProgress::Failed | CommandProgress::Denied => "bad",
        CommandProgress::Expired => "warn",
        CommandProgress::Issued | CommandProgress::Accepted | CommandProgress::Running => "",
    }
}

/// What went wrong, in a line.
pub fn refusal_text(phrases: &Phrases, refusal: &Refusal) -> String {
    match refusal {
        Refusal::Unauthorised(_) => phrases.session_ended.to_owned(),
        Refusal::Forbidden(detail) | Refusal::NotFound(detail) | Refusal::Other(detail) => detail.clone(),
        Refusal::Fields(fields) => {
            fields.iter().map(|(field, problem)| format!("{field}: {problem}")).collect::<Vec<_>>().join(" · ")
        }
        Refusal::TooMany(wait) => (phrases.too_many_attempts)(*wait),
        Refusal::Unreachable => phrases.server_unreachable.to_owned(),
    }
}
