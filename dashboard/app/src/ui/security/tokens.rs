//! API tokens: whom one lets in, and to what.

use bugbrother_wire::{
    ApiTokenId,
    api::{ApiToken, ApiTokenList, MadeApiToken, NewApiToken, Right},
};
use yew::prelude::*;

use super::codes::Once;
use crate::{
    format::Span,
    phrases::Phrases,
    ui::{
        account::use_account,
        api, day,
        fetch::{Fetched, use_fetch},
        kit::{Check, Field, Refused, Select, Sheet, use_toasts},
        moment,
        saving::{Submit, typing, use_saving},
        settings::use_phrases,
        table::Skeleton,
    },
};

const PATH: &str = "/tokens";

#[component]
pub fn TokensBlock() -> Html {
    let phrases = use_phrases();
    let words = phrases.people;
    let toasts = use_toasts();
    let saving = use_saving();
    let making = use_state_eq(|| false);
    let fetch = use_fetch::<ApiTokenList>(Some(PATH.to_owned()));
    let revoke = {
        let (reload, saving, toasts) = (fetch.reload.clone(), saving.clone(), toasts.clone());
        Callback::from(move |id: ApiTokenId| {
            let (reload, toasts) = (reload.clone(), toasts.clone());
            saving.run(async move { api::delete(&format!("{PATH}/{id}")).await }, move |()| {
                toasts.say(words.revoked);
                reload.emit(());
            });
        })
    };
    let open = {
        let making = making.setter();
        Callback::from(move |_: MouseEvent| making.set(true))
    };
    let close = {
        let (making, reload) = (making.setter(), fetch.reload.clone());
        Callback::from(move |()| {
            making.set(false);
            reload.emit(());
        })
    };
    let body = match &fetch.is {
        Fetched::Loading => html! { <Skeleton rows=1 /> },
        Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
        Fetched::Ready(list) if list.tokens.is_empty() => {
            html! { <p class="muted" data-testid="no-tokens">{ words.no_tokens }</p> }
        }
        Fetched::Ready(list) => html! {
            <ul class="cards" data-testid="tokens">for token in &list.tokens { { card(phrases, token, &revoke) } }</ul>
        },
    };
    html! {
        <section class="panel block">
            <h2>{ words.tokens }</h2>
            <p class="muted">{ words.tokens_hint }</p>
            { body }
            <div class="actions"><button class="secondary" onclick={open} data-testid="token-make">{ words.make_token }</button></div>
            if *making { <Make {close} /> }
        </section>
    }
}

fn card(phrases: &Phrases, token: &ApiToken, revoke: &Callback<ApiTokenId>) -> Html {
    let words = phrases.people;
    let rights: Vec<_> = token.rights.iter().map(|right| (words.right)(*right)).collect();
    let expires = token.expires.map_or(words.until_revoked.to_owned(), |at| moment::day(phrases, at));
    let used = token.used.map_or(words.never.to_owned(), |at| (phrases.ago)(Span::of(day::now() - at)));
    let id = token.id;
    html! {
        <li key={id.to_string()} data-testid="token">
            <div>
                <b>{ &token.label }</b>
                if token.expires.is_some_and(|at| at <= day::now()) { <span class="badge bad">{ words.expires }</span> }
                <p class="muted">{ rights.join(" · ") }</p>
                <p class="muted">{ words.expires }{ " " }{ expires }{ " · " }{ words.used }{ " " }{ used }</p>
            </div>
            <button class="secondary" onclick={revoke.reform(move |_| id)} data-testid="token-revoke">{ words.revoke }</button>
        </li>
    }
}

#[derive(Properties, PartialEq)]
struct MakeProps {
    close: Callback<()>,
}

/// Makes a token, and shows it once.
#[component]
fn Make(props: &MakeProps) -> Html {
    let words = use_phrases().people;
    let account = use_account();
    let form = use_state(|| NewApiToken { label: String::new(), rights: vec![Right::Watch], days: Some(90) });
    let tried = use_state_eq(|| false);
    let made = use_state(|| None::<String>);
    let saving = use_saving();
    let onsubmit = {
        let (form, saving, made, tried) = (form.clone(), saving.clone(), made.setter(), tried.setter());
        move |event: SubmitEvent| {
            event.prevent_default();
            tried.set(true);
            if form.label.trim().is_empty() || form.rights.is_empty() {
                return;
            }
            let (body, made) = ((*form).clone(), made.clone());
            saving.run(async move { api::post::<MadeApiToken>(PATH, &body).await }, move |token| {
                made.set(Some(token.secret));
            });
        }
    };
    let choose = |right: Right| {
        let form = form.clone();
        Callback::from(move |on: bool| {
            let mut next = (*form).clone();
            next.rights.retain(|one| *one != right);
            if on {
                next.rights.push(right);
            }
            form.set(next);
        })
    };
    let label_missing = (*tried && form.label.trim().is_empty()).then_some(AttrValue::from(words.label_missing));
    let days = form.days.map(|days| days.to_string()).unwrap_or_default();
    html! {
        <Sheet title={if made.is_some() { words.token_ready } else { words.make_token }} close={props.close.clone()}>
            if let Some(secret) = &*made {
                <div class="form">
                    <p>{ words.token_hint }</p>
                    <Once text={secret.clone()} />
                    <div class="actions"><button class="primary" onclick={props.close.reform(|_| ())} data-testid="token-done">{ words.done }</button></div>
                </div>
            } else {
                <form class="form" {onsubmit} novalidate=true>
                    <Field name="label" label={words.label} hint={words.label_hint} value={form.label.clone()} room="token"
                        error={label_missing.or_else(|| saving.error("label"))}
                        oninput={typing(&form, |form: &mut NewApiToken, text| form.label = text)} />
                    <fieldset class="field">
                        <legend>{ words.rights }</legend>
                        for right in account.session.rights.iter().copied() {
                            <Check key={format!("{right:?}")} name={format!("right-{right:?}").to_lowercase()} label={(words.right)(right)}
                                checked={form.rights.contains(&right)} onchange={choose(right)} />
                        }
                        if *tried && form.rights.is_empty() { <p class="error" role="alert">{ words.rights_missing }</p> }
                    </fieldset>
                    <Select name="days" label={words.good_for} value={days}
                        choices={words.good_for_days.map(|(days, text)| (AttrValue::from(days), AttrValue::from(text))).to_vec()}
                        onchange={typing(&form, |form: &mut NewApiToken, text| form.days = text.parse().ok())} />
                    <Submit saving={saving.clone()} label={words.make_token} cancel={Some(props.close.clone())} />
                </form>
            }
        </Sheet>
    }
}
