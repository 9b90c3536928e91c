//! Whoever has forgotten the password asks the administrators for a link.

use bugbrother_wire::api::ForgottenPassword;
use gloo_net::http::Method;
use yew::{platform::spawn_local, prelude::*};

use super::told;
use crate::ui::{api, icon::Mark, kit::Field, settings::use_phrases};

/// Properties of [`Forgotten`].
#[derive(Properties, PartialEq)]
pub struct ForgottenProps {
    /// What was typed in as user name.
    pub name: String,
    /// Leads back to signing in.
    pub back: Callback<MouseEvent>,
}

/// Asks for a new password.
#[component]
pub fn Forgotten(props: &ForgottenProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.people;
    let name = {
        let name = props.name.clone();
        use_state(move || name)
    };
    let asked = use_state_eq(|| false);
    let fault = use_state(|| None::<AttrValue>);
    let busy = use_state_eq(|| false);
    let onsubmit = {
        let (name, asked, fault, busy) = (name.clone(), asked.setter(), fault.setter(), busy.clone());
        move |event: SubmitEvent| {
            event.prevent_default();
            if name.trim().is_empty() {
                return fault.set(Some(phrases.user_name_missing.into()));
            }
            if *busy {
                return;
            }
            let body = ForgottenPassword { name: name.trim().to_owned() };
            let (asked, fault, busy) = (asked.clone(), fault.clone(), busy.setter());
            busy.set(true);
            spawn_local(async move {
                busy.set(false);
                match api::act(Method::POST, "/password/forgotten", &body).await {
                    Ok(()) => asked.set(true),
                    Err(refusal) => fault.set(Some(told(phrases, refusal).into())),
                }
            });
        }
    };
    let oninput = {
        let (name, fault) = (name.clone(), fault.setter());
        Callback::from(move |text| {
            name.set(text);
            fault.set(None);
        })
    };
    html! {
        <main class="sign-in">
            <form class="panel" {onsubmit} novalidate=true>
                <div class="brand"><Mark /><b>{ "BugBrother" }</b></div>
                if *asked {
                    <h1>{ words.asked }</h1>
                    <p role="status" data-testid="asked">{ words.asked_hint }</p>
                } else {
                    <h1>{ words.forgotten }</h1>
                    <p class="lead">{ words.forgotten_lead }</p>
                    <Field name="username" label={phrases.user_name} autocomplete="username" value={(*name).clone()} error={(*fault).clone()} {oninput} room="forgotten" />
                    <button class="primary" type="submit" data-testid="forgotten-ask">{ words.ask }</button>
                }
                <div class="ways"><button type="button" class="language" onclick={props.back.clone()} data-testid="forgotten-back">{ words.back }</button></div>
            </form>
        </main>
    }
}
