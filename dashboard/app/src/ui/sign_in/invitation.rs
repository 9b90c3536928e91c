//! Where a link leads to: whoever has it sets a password, once.

use bugbrother_wire::api::{AcceptInvitation, OpenInvitation, Session, SignIn};
use gloo_net::http::Method;
use yew::{platform::spawn_local, prelude::*};

use super::told;
use crate::{
    password,
    ui::{
        api::{self, Refusal},
        browser,
        icon::Mark,
        kit::Field,
        settings::use_phrases,
    },
};

const PAGE: &str = "/invitation/";

/// The token of the link by which somebody has come, if it is one.
pub fn invited() -> Option<String> {
    let path = browser::window().location().pathname().ok()?;
    let token = path.strip_prefix(PAGE)?.trim_end_matches('/').to_owned();
    (!token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))).then_some(token)
}

/// Properties of [`InvitationPage`].
#[derive(Properties, PartialEq)]
pub struct InvitationProps {
    /// The link's token.
    pub token: String,
    /// Who has signed in; nobody, if that has to be done by hand.
    pub done: Callback<Option<Session>>,
}

/// How far it has come.
#[derive(Clone, PartialEq)]
enum State {
    Asking,
    Open(OpenInvitation),
    /// It is good no more, or the server said something else.
    Void(Option<String>),
}

/// Sets a password and signs in.
#[component]
pub fn InvitationPage(props: &InvitationProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.people;
    let state = use_state(|| State::Asking);
    let typed = use_state(String::new);
    let fault = use_state(|| None::<AttrValue>);
    let busy = use_state_eq(|| false);
    let path = format!("/invitations/{}", props.token);
    {
        let (path, state) = (path.clone(), state.setter());
        use_effect_with((), move |()| {
            spawn_local(async move {
                state.set(match api::get::<OpenInvitation>(&path).await {
                    Ok(open) => State::Open(open),
                    Err(Refusal::NotFound(_)) => State::Void(None),
                    Err(refusal) => State::Void(Some(told(phrases, refusal))),
                });
            });
        });
    }
    let leave = {
        let done = props.done.clone();
        Callback::from(move |session: Option<Session>| {
            // The link has done its work and need not stand in the browser's history.
            if let Ok(history) = browser::window().history() {
                drop(history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some("/")));
            }
            done.emit(session);
        })
    };
    let onsubmit = {
        let (state, typed, fault, busy, leave) =
            (state.clone(), typed.clone(), fault.setter(), busy.clone(), leave.clone());
        move |event: SubmitEvent| {
            event.prevent_default();
            let State::Open(open) = &*state else { return };
            if let Some(weak) = password::fault(&typed, &open.name) {
                return fault.set(Some(weak.told(words).into()));
            }
            if *busy {
                return;
            }
            busy.set(true);
            let who = SignIn { name: open.name.clone(), password: (*typed).clone(), code: None };
            let (path, state, fault, busy, leave) =
                (path.clone(), state.setter(), fault.clone(), busy.setter(), leave.clone());
            spawn_local(async move {
                let body = AcceptInvitation { password: who.password.clone() };
                match api::act(Method::POST, &path, &body).await {
                    // Whoever has a second factor goes on by hand.
                    Ok(()) => return leave.emit(api::sign_in(&who).await.ok()),
                    Err(Refusal::NotFound(_)) => state.set(State::Void(None)),
                    Err(Refusal::Fields(fields)) => fault.set(fields.get("password").cloned().map(AttrValue::from)),
                    Err(refusal) => fault.set(Some(told(phrases, refusal).into())),
                }
                busy.set(false);
            });
        }
    };
    let oninput = {
        let (typed, fault) = (typed.clone(), fault.setter());
        Callback::from(move |text| {
            typed.set(text);
            fault.set(None);
        })
    };
    let body = match &*state {
        State::Asking => html! { <p class="lead" aria-busy="true">{ "…" }</p> },
        State::Void(why) => html! {
            <>
                <h1>{ words.invitation_void }</h1>
                <p role="alert" data-testid="invitation-void">{ why.clone().unwrap_or(words.invitation_void_hint.to_owned()) }</p>
                <button type="button" class="primary" onclick={leave.reform(|_| None)}>{ phrases.sign_in }</button>
            </>
        },
        State::Open(open) => {
            let called = open.display_name.as_ref().unwrap_or(&open.name);
            let lead = if open.has_password { words.invitation_again } else { words.invitation_lead };
            html! {
                <>
                    <h1>{ words.invitation }</h1>
                    <p class="lead">{ lead(called) }</p>
                    <input class="away" type="text" autocomplete="username" value={open.name.clone()} readonly=true tabindex="-1" aria-hidden="true" />
                    <Field name="password" kind="password" autocomplete="new-password" label={words.new_password} hint={words.password_hint}
                        value={(*typed).clone()} error={(*fault).clone()} {oninput} room="invitation" />
                    <button class="primary" type="submit" aria-busy={busy.to_string()} data-testid="invitation-submit">{ words.set_password }</button>
                </>
            }
        }
    };
    html! {
        <main class="sign-in">
            <form class="panel" {onsubmit} novalidate=true data-testid="invitation">
                <div class="brand"><Mark /><b>{ "BugBrother" }</b></div>
                { body }
            </form>
        </main>
    }
}
