//! The way in.

use bugbrother_wire::api::{Session, SignIn};
use web_sys::HtmlInputElement;
use yew::{platform::spawn_local, prelude::*};

use super::{
    api::{self, Refusal},
    icon::{Icon, Mark},
    kit::Field,
    settings::use_settings,
};
use crate::phrases::Phrases;

/// Properties of [`SignInPage`].
#[derive(Properties, PartialEq)]
pub struct SignInProps {
    /// Who has signed in.
    pub enter: Callback<Session>,
    /// Whether a session has just ended.
    pub ended: bool,
}

/// What is wrong, and beside which field it stands.
#[derive(Clone, PartialEq, Default)]
struct Faults {
    name: Option<AttrValue>,
    password: Option<AttrValue>,
}

impl Faults {
    fn of(phrases: &Phrases, refusal: Refusal) -> Self {
        let text = match refusal {
            Refusal::Unauthorised(_) => phrases.wrong_password.to_owned(),
            Refusal::TooMany(seconds) => (phrases.too_many_attempts)(seconds),
            Refusal::Unreachable => phrases.server_unreachable.to_owned(),
            Refusal::Forbidden(detail) | Refusal::NotFound(detail) | Refusal::Other(detail) => detail,
            Refusal::Fields(_) => phrases.failed.to_owned(),
        };
        Faults { name: None, password: Some(text.into()) }
    }
}

/// The page on which one signs in.
#[component]
pub fn SignInPage(props: &SignInProps) -> Html {
    let settings = use_settings();
    let phrases = settings.phrases;
    let name = use_state(String::new);
    let password = use_state(String::new);
    let faults = use_state(Faults::default);
    let busy = use_state(|| false);
    let shown = use_state(|| false);
    let (name_input, password_input) = (use_node_ref(), use_node_ref());
    {
        let input = name_input.clone();
        use_effect_with((), move |()| focus(&input));
    }
    let onsubmit = {
        let (faults, busy, enter) = (faults.clone(), busy.clone(), props.enter.clone());
        let (name_input, password_input) = (name_input.clone(), password_input.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if *busy {
                return;
            }
            // From the inputs themselves: some password managers fill them in without an event.
            let who = SignIn { name: text(&name_input).trim().to_owned(), password: text(&password_input), code: None };
            let missing = Faults {
                name: who.name.is_empty().then_some(phrases.user_name_missing.into()),
                password: who.password.is_empty().then_some(phrases.password_missing.into()),
            };
            if missing != Faults::default() {
                focus(if missing.name.is_some() { &name_input } else { &password_input });
                return faults.set(missing);
            }
            faults.set(Faults::default());
            busy.set(true);
            let (faults, busy, enter, password_input) =
                (faults.clone(), busy.clone(), enter.clone(), password_input.clone());
            spawn_local(async move {
                match api::sign_in(&who).await {
                    Ok(session) => enter.emit(session),
                    Err(refusal) => {
                        busy.set(false);
                        faults.set(Faults::of(phrases, refusal));
                        focus(&password_input);
                    }
                }
            });
        })
    };
    let set = |state: &UseStateHandle<String>, faults: &UseStateHandle<Faults>| {
        let (state, faults) = (state.clone(), faults.clone());
        Callback::from(move |text| {
            state.set(text);
            faults.set(Faults::default());
        })
    };
    let toggle = {
        let shown = shown.clone();
        Callback::from(move |_: MouseEvent| shown.set(!*shown))
    };
    html! {
        <main class="sign-in">
            <form class="panel" {onsubmit} novalidate=true>
                <div class="brand"><Mark /><b>{ "BugBrother" }</b></div>
                <h1>{ phrases.sign_in }</h1>
                <p class="lead">{ phrases.sign_in_lead }</p>
                if props.ended {
                    <p class="notice" role="status" data-testid="session-ended">{ phrases.session_ended }</p>
                }
                <Field room="sign-in" name="username" label={phrases.user_name} autocomplete="username" value={(*name).clone()}
                    error={faults.name.clone()} oninput={set(&name, &faults)} input={name_input} />
                <Field room="sign-in" name="password" label={phrases.password} autocomplete="current-password"
                    kind={if *shown { "text" } else { "password" }} value={(*password).clone()}
                    error={faults.password.clone()} oninput={set(&password, &faults)} input={password_input}>
                    <button type="button" class="quiet" onclick={toggle} aria-pressed={shown.to_string()}
                        aria-label={if *shown { phrases.hide_password } else { phrases.show_password }}>
                        { if *shown { Icon::EyeOff.draw() } else { Icon::Eye.draw() } }
                    </button>
                </Field>
                <button class="primary" type="submit" aria-busy={busy.to_string()} data-testid="sign-in-submit">
                    { if *busy { phrases.signing_in } else { phrases.sign_in } }
                </button>
                <button type="button" class="language" onclick={settings.turn_language.reform(|_| ())}>
                    { phrases.other_language }
                </button>
            </form>
        </main>
    }
}

fn text(input: &NodeRef) -> String {
    input.cast::<HtmlInputElement>().map(|input| input.value()).unwrap_or_default()
}

fn focus(input: &NodeRef) {
    if let Some(Err(error)) = input.cast::<HtmlInputElement>().map(|input| input.focus()) {
        web_sys::console::warn_1(&error);
    }
}
