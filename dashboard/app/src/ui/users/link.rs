//! A link by which somebody sets a password, to be sent.

use bugbrother_wire::api::InvitationLink;
use yew::prelude::*;

use crate::ui::{browser, moment, security::Once, settings::use_phrases};

/// Properties of [`Link`].
#[derive(Properties, PartialEq)]
pub struct LinkProps {
    /// The link.
    pub link: InvitationLink,
    /// It is sent.
    pub done: Callback<()>,
}

/// Shows a link once.
#[component]
pub fn Link(props: &LinkProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.people;
    let origin = browser::window().location().origin().unwrap_or_default();
    html! {
        <div class="form">
            <p>{ (words.invitation_hint)(&moment::moment(phrases, props.link.expires)) }</p>
            <Once text={format!("{origin}{}", props.link.path)} />
            <div class="actions"><button class="primary" onclick={props.done.reform(|_| ())} data-testid="link-done">{ words.done }</button></div>
        </div>
    }
}
