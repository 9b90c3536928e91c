//! Pages and lists without content, and why.

use yew::prelude::*;

use crate::ui::{api::Refusal, settings::use_phrases};

/// Properties of [`Empty`].
#[derive(Properties, PartialEq)]
pub struct EmptyProps {
    /// What there is not.
    pub title: AttrValue,
    /// What to do.
    #[prop_or_default]
    pub hint: AttrValue,
    /// The button that does it.
    #[prop_or_default]
    pub children: Html,
}

/// Nothing is there, and what to do.
#[component]
pub fn Empty(props: &EmptyProps) -> Html {
    html! {
        <div class="empty" data-testid="empty">
            <h2>{ &props.title }</h2>
            if !props.hint.is_empty() { <p>{ &props.hint }</p> }
            { props.children.clone() }
        </div>
    }
}

/// Properties of [`Refused`].
#[derive(Properties, PartialEq)]
pub struct RefusedProps {
    /// Why.
    pub refusal: Refusal,
    /// Asks again.
    pub retry: Callback<()>,
}

/// What was asked for could not be had, and what to do.
#[component]
pub fn Refused(props: &RefusedProps) -> Html {
    let phrases = use_phrases();
    let (code, title, hint) = match &props.refusal {
        Refusal::Forbidden(_) => ("403", phrases.forbidden, phrases.forbidden_hint.to_owned()),
        Refusal::NotFound(_) => ("404", phrases.not_found, phrases.not_found_hint.to_owned()),
        Refusal::Unreachable => ("", phrases.server_unreachable, phrases.unreachable_hint.to_owned()),
        Refusal::TooMany(wait) => ("429", phrases.failed, (phrases.too_many_attempts)(*wait)),
        Refusal::Other(detail) => ("500", phrases.failed, detail.clone()),
        Refusal::Unauthorised(_) | Refusal::Fields(_) => ("", phrases.failed, String::new()),
    };
    html! {
        <div class="empty tall" role="alert" data-testid={format!("refused-{code}")}>
            if !code.is_empty() { <p class="code" aria-hidden="true">{ code }</p> }
            <h2>{ title }</h2>
            if !hint.is_empty() { <p>{ hint }</p> }
            <button class="secondary" onclick={props.retry.reform(|_| ())}>{ phrases.try_again }</button>
        </div>
    }
}
