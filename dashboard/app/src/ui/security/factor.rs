//! The second factor: set up with a QR code, confirmed, and taken off.

use bugbrother_wire::api::{ConfirmSecondFactor, RecoveryCodes, SecondFactorOffer, SecondFactorState, WithPassword};
use gloo_net::http::Method;
use yew::prelude::*;

use super::codes::Codes;
use crate::ui::{
    api,
    fetch::{Fetched, use_fetch},
    kit::{Field, Refused, Sheet, use_toasts},
    moment,
    saving::{Submit, use_saving},
    settings::use_phrases,
    table::Skeleton,
};

const PATH: &str = "/second-factor";

/// What is asked for in the sheet.
#[derive(Clone, PartialEq)]
enum Step {
    /// The password, to begin with.
    SetUp,
    /// The code that the telephone shows.
    Confirm(SecondFactorOffer),
    /// To keep them.
    Keep(Vec<String>),
    /// The password, for other codes.
    NewCodes,
    /// The password, to take it off.
    TurnOff,
}

#[component]
pub fn FactorBlock() -> Html {
    let phrases = use_phrases();
    let words = phrases.people;
    let toasts = use_toasts();
    let fetch = use_fetch::<SecondFactorState>(Some(PATH.to_owned()));
    let step = use_state(|| None::<Step>);
    let open = |next: Step| {
        let step = step.setter();
        Callback::from(move |_: MouseEvent| step.set(Some(next.clone())))
    };
    let close = {
        let (step, reload) = (step.setter(), fetch.reload.clone());
        Callback::from(move |()| {
            step.set(None);
            reload.emit(());
        })
    };
    let go = {
        let (step, close, toasts) = (step.setter(), close.clone(), toasts.clone());
        Callback::from(move |next: Option<Step>| match next {
            Some(next) => step.set(Some(next)),
            None => {
                toasts.say(words.second_factor_removed);
                close.emit(());
            }
        })
    };
    let body = match &fetch.is {
        Fetched::Loading => html! { <Skeleton rows=1 /> },
        Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
        Fetched::Ready(state) => match state.since {
            Some(since) => html! {
                <>
                    <p data-testid="factor-on">{ (words.second_factor_on)(&moment::day(phrases, since), state.recovery_codes) }</p>
                    <div class="actions">
                        <button class="secondary" onclick={open(Step::NewCodes)} data-testid="factor-codes">{ words.new_recovery_codes }</button>
                        <button class="secondary" onclick={open(Step::TurnOff)} data-testid="factor-off">{ words.turn_off }</button>
                    </div>
                </>
            },
            None => html! {
                <>
                    <p class="muted">{ words.second_factor_off }</p>
                    <div class="actions"><button class="secondary" onclick={open(Step::SetUp)} data-testid="factor-set-up">{ words.set_up }</button></div>
                </>
            },
        },
    };
    html! {
        <section class="panel block" data-testid="factor-block">
            <h2>{ words.second_factor }</h2>
            { body }
            if let Some(step) = &*step {
                <Sheet title={if matches!(step, Step::Keep(_)) { words.recovery_codes } else { words.second_factor }} close={close.clone()}>
                    {
                        match step {
                            Step::SetUp | Step::NewCodes | Step::TurnOff => html! { <Ask step={step.clone()} go={go.clone()} /> },
                            Step::Confirm(offer) => html! { <Confirm offer={offer.clone()} go={go.clone()} /> },
                            Step::Keep(codes) => html! { <Codes codes={codes.clone()} done={close.clone()} /> },
                        }
                    }
                </Sheet>
            }
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct AskProps {
    step: Step,
    go: Callback<Option<Step>>,
}

/// Asks for the password, and does what it was asked for.
#[component]
fn Ask(props: &AskProps) -> Html {
    let words = use_phrases().people;
    let password = use_state(String::new);
    let saving = use_saving();
    let onsubmit = {
        let (password, saving, go, step) = (password.clone(), saving.clone(), props.go.clone(), props.step.clone());
        move |event: SubmitEvent| {
            event.prevent_default();
            let (body, go, step) = (WithPassword { password: (*password).clone() }, go.clone(), step.clone());
            let sends = async move {
                Ok(match step {
                    Step::SetUp => Some(Step::Confirm(api::post::<SecondFactorOffer>(PATH, &body).await?)),
                    Step::NewCodes => {
                        let path = format!("{PATH}/recovery-codes");
                        Some(Step::Keep(api::post::<RecoveryCodes>(&path, &body).await?.codes))
                    }
                    _ => {
                        api::act(Method::POST, &format!("{PATH}/removal"), &body).await?;
                        None
                    }
                })
            };
            saving.run(sends, move |next| go.emit(next));
        }
    };
    let oninput = {
        let password = password.clone();
        Callback::from(move |text| password.set(text))
    };
    let error = saving.error("password").map(|_| AttrValue::from(words.password_wrong));
    let label = match props.step {
        Step::TurnOff => words.turn_off,
        Step::NewCodes => words.new_recovery_codes,
        _ => words.next,
    };
    html! {
        <form class="form" {onsubmit} novalidate=true>
            <Field name="password" kind="password" autocomplete="current-password" label={words.confirm_password}
                value={(*password).clone()} {error} {oninput} room="factor" />
            <Submit saving={saving.clone()} {label} />
        </form>
    }
}

#[derive(Properties, PartialEq)]
struct ConfirmProps {
    offer: SecondFactorOffer,
    go: Callback<Option<Step>>,
}

/// Shows the secret and asks for the code that the telephone makes of it.
#[component]
fn Confirm(props: &ConfirmProps) -> Html {
    let words = use_phrases().people;
    let code = use_state(String::new);
    let saving = use_saving();
    let onsubmit = {
        let (code, saving, go) = (code.clone(), saving.clone(), props.go.clone());
        move |event: SubmitEvent| {
            event.prevent_default();
            let (body, go) = (ConfirmSecondFactor { code: (*code).clone() }, go.clone());
            let sends = async move { api::post::<RecoveryCodes>(&format!("{PATH}/confirmation"), &body).await };
            saving.run(sends, move |codes| go.emit(Some(Step::Keep(codes.codes))));
        }
    };
    let oninput = {
        let code = code.clone();
        Callback::from(move |text| code.set(text))
    };
    let error = saving.error("code").map(|_| AttrValue::from(words.code_wrong));
    let size = props.offer.qr.size;
    let groups: Vec<String> =
        props.offer.secret.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    html! {
        <form class="form" {onsubmit} novalidate=true>
            <p>{ words.scan }</p>
            <svg class="qr" viewBox={format!("0 0 {size} {size}")} role="img" aria-label={words.scan} data-testid="factor-qr">
                <rect width={size.to_string()} height={size.to_string()} /><path d={props.offer.qr.path.clone()} />
            </svg>
            <p class="muted">{ words.type_secret }<br /><code data-testid="factor-secret">{ groups.join(" ") }</code></p>
            <Field name="code" autocomplete="one-time-code" label={words.code} hint={words.code_hint} value={(*code).clone()}
                {error} {oninput} room="factor" />
            <Submit saving={saving.clone()} label={words.turn_on} />
        </form>
    }
}
