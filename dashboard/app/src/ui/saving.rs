//! What becomes of a form that is sent.

use std::future::Future;

use yew::{platform::spawn_local, prelude::*};

use super::{account::use_account, api::Refusal, settings::use_phrases};
use crate::phrases::Phrases;

#[derive(Clone, PartialEq, Default)]
struct Sent {
    busy: bool,
    refusal: Option<Refusal>,
}

/// A form that is sent.
#[derive(Clone, PartialEq)]
pub struct Saving {
    sent: UseStateHandle<Sent>,
    ended: Callback<()>,
    phrases: &'static Phrases,
}

/// Follows what becomes of a form.
#[hook]
pub fn use_saving() -> Saving {
    Saving { sent: use_state(Sent::default), ended: use_account().ended, phrases: use_phrases() }
}

impl Saving {
    /// Whether it is under way.
    pub fn busy(&self) -> bool {
        self.sent.busy
    }

    /// What is wrong with a field.
    pub fn error(&self, field: &str) -> Option<AttrValue> {
        self.sent.refusal.as_ref()?.field(field).map(AttrValue::from)
    }

    /// What is wrong with all of it.
    pub fn trouble(&self) -> Option<String> {
        self.sent.refusal.as_ref().and_then(|refusal| trouble(self.phrases, refusal))
    }

    /// Sends it, once at a time; `then` hears of what came of it if that is good.
    pub fn run<T: 'static>(
        &self,
        sends: impl Future<Output = Result<T, Refusal>> + 'static,
        then: impl FnOnce(T) + 'static,
    ) {
        if self.sent.busy {
            return;
        }
        let (sent, ended) = (self.sent.setter(), self.ended.clone());
        sent.set(Sent { busy: true, refusal: None });
        spawn_local(async move {
            match sends.await {
                Ok(value) => {
                    sent.set(Sent::default());
                    then(value);
                }
                Err(Refusal::Unauthorised(_)) => ended.emit(()),
                Err(refusal) => sent.set(Sent { busy: false, refusal: Some(refusal) }),
            }
        });
    }
}

/// A refusal in words, if it does not stand beside a field.
pub fn trouble(phrases: &Phrases, refusal: &Refusal) -> Option<String> {
    match refusal {
        Refusal::Fields(_) => None,
        Refusal::Unreachable => Some(phrases.server_unreachable.to_owned()),
        Refusal::TooMany(wait) => Some((phrases.too_many_attempts)(*wait)),
        Refusal::Forbidden(_) => Some(phrases.forbidden.to_owned()),
        Refusal::NotFound(detail) | Refusal::Other(detail) | Refusal::Unauthorised(detail) => Some(detail.clone()),
    }
}

/// Properties of [`Submit`].
#[derive(Properties, PartialEq)]
pub struct SubmitProps {
    /// The form.
    pub saving: Saving,
    /// What the button says.
    pub label: AttrValue,
    /// Leaves the form.
    #[prop_or_default]
    pub cancel: Option<Callback<()>>,
    /// Whether it can be sent.
    #[prop_or(true)]
    pub enabled: bool,
}

/// The end of a form: what is wrong with all of it, and its buttons.
#[component]
pub fn Submit(props: &SubmitProps) -> Html {
    let words = use_phrases().business;
    let busy = props.saving.busy();
    html! {
        <>
            if let Some(trouble) = props.saving.trouble() {
                <p class="error" role="alert" data-testid="form-error">{ trouble }</p>
            }
            <div class="actions">
                <button type="submit" class="primary" disabled={busy || !props.enabled} aria-busy={busy.to_string()} data-testid="submit">
                    { if busy { words.saving.into() } else { props.label.clone() } }
                </button>
                if let Some(cancel) = &props.cancel {
                    <button type="button" class="secondary" onclick={cancel.reform(|_| ())}>{ words.cancel }</button>
                }
            </div>
        </>
    }
}

/// Changes a value that is being typed.
pub fn typing<T: Clone + 'static>(
    form: &UseStateHandle<T>,
    change: impl Fn(&mut T, String) + 'static,
) -> Callback<String> {
    let form = form.clone();
    Callback::from(move |text| {
        let mut next = (*form).clone();
        change(&mut next, text);
        form.set(next);
    })
}

/// A text that may be empty.
pub fn some(text: &Option<String>) -> AttrValue {
    text.clone().unwrap_or_default().into()
}

/// A number that may be absent, as it stands in a field.
pub fn some_number<N: ToString>(number: Option<N>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// A number as a person types it.
pub fn parse<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.trim().replace([' ', '\u{202f}', '\u{a0}', '\''], "").replace(',', ".").parse().ok()
}
