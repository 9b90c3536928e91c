//! The way in: name and password, then the code of a second factor; and what to do when the password is forgotten.

mod forgotten;
mod invitation;

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

pub use invitation::{InvitationPage, invited};

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
    code: Option<AttrValue>,
}

/// A refusal to let somebody in, in words.
fn told(phrases: &Phrases, refusal: Refusal) -> String {
    match refusal {
        Refusal::Unauthorised(word) if word == "wrong_code" => phrases.people.code_wrong.to_owned(),
        Refusal::Unauthorised(_) => phrases.wrong_password.to_owned(),
        Refusal::TooMany(seconds) => (phrases.too_many_attempts)(seconds),
        Refusal::Unreachable => phrases.server_unreachable.to_owned(),
        Refusal::Forbidden(detail) | Refusal::NotFound(detail) | Refusal::Other(detail) => detail,
        Refusal::Fields(_) => phrases.failed.to_owned(),
    }
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    Password,
    Code,
    Forgotten,
}

/// The page on which one signs in.
#[component]
pub fn SignInPage(props: &SignInProps) -> Html {
    let settings = use_settings();
    let phrases = settings.phrases;
    let words = phrases.people;
    let name = use_state(String::new);
    let password = use_state(String::new);
    let code = use_state(String::new);
    let faults = use_state(Faults::default);
    let busy = use_state(|| false);
    let shown = use_state(|| false);
    let step = use_state_eq(|| Step::Password);
    let (name_input, password_input, code_input) = (use_node_ref(), use_node_ref(), use_node_ref());
    {
        let (name, code) = (name_input.clone(), code_input.clone());
        use_effect_with(*step, move |step| focus(if *step == Step::Code { &code } else { &name }));
    }
    let onsubmit = {
        let (faults, busy, enter, step) = (faults.clone(), busy.clone(), props.enter.clone(), step.clone());
        let (name, password) = (name.clone(), password.clone());
        let (name_input, password_input, code_input) = (name_input.clone(), password_input.clone(), code_input.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if *busy {
                return;
            }
            let asks_code = *step == Step::Code;
            // From the inputs themselves: some password managers fill them in without an event.
            let who = match asks_code {
                true => SignIn {
                    name: name.trim().to_owned(),
                    password: (*password).clone(),
                    code: Some(text(&code_input)),
                },
                false => {
                    SignIn { name: text(&name_input).trim().to_owned(), password: text(&password_input), code: None }
                }
            };
            let is_code_missing = who.code.as_deref().is_some_and(|code| code.trim().is_empty());
            let missing = Faults {
                name: who.name.is_empty().then_some(phrases.user_name_missing.into()),
                password: who.password.is_empty().then_some(phrases.password_missing.into()),
                code: is_code_missing.then_some(words.code_missing.into()),
            };
            if missing != Faults::default() {
                let wrong = [(missing.name.is_some(), &name_input), (missing.code.is_some(), &code_input)];
                focus(wrong.into_iter().find(|(is, _)| *is).map_or(&password_input, |(_, input)| input));
                return faults.set(missing);
            }
            name.set(who.name.clone());
            password.set(who.password.clone());
            faults.set(Faults::default());
            busy.set(true);
            let (faults, busy, enter, step) = (faults.clone(), busy.clone(), enter.clone(), step.clone());
            let (password_input, code_input) = (password_input.clone(), code_input.clone());
            spawn_local(async move {
                match api::sign_in(&who).await {
                    Ok(session) => enter.emit(session),
                    Err(Refusal::Unauthorised(word)) if word == "second_factor" => {
                        busy.set(false);
                        step.set(Step::Code);
                    }
                    Err(refusal) => {
                        busy.set(false);
                        let is_password = matches!(&refusal, Refusal::Unauthorised(word) if word != "wrong_code");
                        let text = Some(AttrValue::from(told(phrases, refusal)));
                        if asks_code && !is_password {
                            faults.set(Faults { code: text, ..Faults::default() });
                            focus(&code_input);
                        } else {
                            step.set(Step::Password);
                            faults.set(Faults { password: text, ..Faults::default() });
                            focus(&password_input);
                        }
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
    let go = |to: Step| {
        let (step, faults) = (step.clone(), faults.clone());
        Callback::from(move |_: MouseEvent| {
            faults.set(Faults::default());
            step.set(to);
        })
    };
    if *step == Step::Forgotten {
        return html! { <forgotten::Forgotten name={(*name).clone()} back={go(Step::Password)} /> };
    }
    let (label, lead) = match *step {
        Step::Code => (words.second_factor, words.code_lead),
        _ => (phrases.sign_in, phrases.sign_in_lead),
    };
    html! {
        <main class="sign-in">
            <form class="panel" {onsubmit} novalidate=true>
                <div class="brand"><Mark /><b>{ "BugBrother" }</b></div>
                <h1>{ label }</h1>
                <p class="lead">{ lead }</p>
                if props.ended {
                    <p class="notice" role="status" data-testid="session-ended">{ phrases.session_ended }</p>
                }
                if *step == Step::Code {
                    <Field key="code" name="code" label={words.code} autocomplete="one-time-code" value={(*code).clone()} hint={words.recovery_instead}
                        error={faults.code.clone()} oninput={set(&code, &faults)} input={code_input} room="sign-in" />
                } else {
                    <Field key="username" name="username" label={phrases.user_name} autocomplete="username" value={(*name).clone()}
                        error={faults.name.clone()} oninput={set(&name, &faults)} input={name_input} room="sign-in" />
                    <Field key="password" name="password" label={phrases.password} autocomplete="current-password"
                        kind={if *shown { "text" } else { "password" }} value={(*password).clone()}
                        error={faults.password.clone()} oninput={set(&password, &faults)} input={password_input} room="sign-in">
                        <button type="button" class="quiet" onclick={toggle} aria-pressed={shown.to_string()}
                            aria-label={if *shown { phrases.hide_password } else { phrases.show_password }}>
                            { if *shown { Icon::EyeOff.draw() } else { Icon::Eye.draw() } }
                        </button>
                    </Field>
                }
                <button class="primary" type="submit" aria-busy={busy.to_string()} data-testid="sign-in-submit">
                    { if *busy { phrases.signing_in } else { phrases.sign_in } }
                </button>
                <div class="ways">
                    if *step == Step::Code {
                        <button type="button" class="language" onclick={go(Step::Password)}>{ words.back }</button>
                    } else {
                        <button type="button" class="language" onclick={go(Step::Forgotten)} data-testid="forgotten">{ words.forgotten }</button>
                    }
                    <button type="button" class="language" onclick={settings.turn_language.reform(|_| ())}>{ phrases.other_language }</button>
                </div>
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
