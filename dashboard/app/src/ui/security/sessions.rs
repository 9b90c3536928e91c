//! Where one is signed in.

use bugbrother_wire::{
    SessionId,
    api::{OpenSession, SessionList},
};
use yew::prelude::*;

use crate::{
    format::Span,
    phrases::Phrases,
    ui::{
        api, day,
        fetch::{Fetched, use_fetch},
        kit::{Refused, use_toasts},
        moment,
        saving::use_saving,
        settings::use_phrases,
        table::Skeleton,
    },
};

const PATH: &str = "/sessions";

#[component]
pub fn SessionsBlock() -> Html {
    let phrases = use_phrases();
    let words = phrases.people;
    let toasts = use_toasts();
    let saving = use_saving();
    let fetch = use_fetch::<SessionList>(Some(PATH.to_owned()));
    let end = {
        let (reload, saving, toasts) = (fetch.reload.clone(), saving.clone(), toasts.clone());
        Callback::from(move |id: Option<SessionId>| {
            let (reload, toasts) = (reload.clone(), toasts.clone());
            let path = id.map_or(PATH.to_owned(), |id| format!("{PATH}/{id}"));
            saving.run(async move { api::delete(&path).await }, move |()| {
                toasts.say(if id.is_some() { words.session_ended } else { words.others_ended });
                reload.emit(());
            });
        })
    };
    let body = match &fetch.is {
        Fetched::Loading => html! { <Skeleton rows=2 /> },
        Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
        Fetched::Ready(list) => html! {
            <>
                <ul class="cards" data-testid="sessions">for session in &list.sessions { { card(phrases, session, &end) } }</ul>
                if list.sessions.len() > 1 {
                    <div class="actions"><button class="secondary" onclick={end.reform(|_| None)} disabled={saving.busy()} data-testid="end-others">{ words.end_others }</button></div>
                }
            </>
        },
    };
    html! {
        <section class="panel block">
            <h2>{ words.sessions }</h2>
            <p class="muted">{ words.sessions_hint }</p>
            { body }
        </section>
    }
}

fn card(phrases: &Phrases, session: &OpenSession, end: &Callback<Option<SessionId>>) -> Html {
    let words = phrases.people;
    let unknown = if session.program { words.program } else { words.unknown_browser };
    let browser = session.browser.as_deref().unwrap_or(unknown);
    let what = match &session.system {
        Some(system) => (words.on_system)(browser, system),
        None => browser.to_owned(),
    };
    let id = session.id;
    html! {
        <li key={id.to_string()} data-testid={if session.current { "session-current" } else { "session" }}>
            <div>
                <b>{ what }</b>
                if session.current { <span class="badge ok">{ words.this_one }</span> }
                if session.program { <span class="badge">{ words.program }</span> }
                <p class="muted">
                    { session.address.as_deref().unwrap_or("–") }{ " · " }{ words.since }{ " " }{ moment::moment(phrases, session.created) }
                    { " · " }{ words.used }{ " " }{ (phrases.ago)(Span::of(day::now() - session.used)) }
                </p>
            </div>
            if !session.current {
                <button class="secondary" onclick={end.reform(move |_| Some(id))} data-testid="session-end">{ words.end_session }</button>
            }
        </li>
    }
}
