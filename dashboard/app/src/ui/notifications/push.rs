//! This browser as a channel: web push. What only the browser can do stands in `start.js`.

use bugbrother_wire::{
    api::{ChannelEntry, ChannelForm, ChannelKind, Tongue},
    message::Severity,
};
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use yew::{platform::spawn_local, prelude::*};

use super::OWN;
use crate::ui::{api, browser, kit::use_toasts, saving::trouble, settings::use_phrases};

/// Properties of [`ThisBrowser`].
#[derive(Properties, PartialEq)]
pub struct ThisBrowserProps {
    /// By which the browser knows who may push.
    pub public: String,
    /// All channels of the person.
    pub channels: Vec<ChannelEntry>,
    /// They have changed.
    pub reload: Callback<()>,
}

/// Whether this browser is pushed to.
#[derive(Clone, PartialEq)]
enum State {
    Asking,
    Never,
    Off,
    On(String),
}

/// Has this browser be pushed to, or no longer.
#[component]
pub fn ThisBrowser(props: &ThisBrowserProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.notification;
    let toasts = use_toasts();
    let state = use_state_eq(|| State::Asking);
    {
        let state = state.setter();
        use_effect_with(props.channels.len(), move |_| {
            spawn_local(async move {
                state.set(match call("now", None).await {
                    Ok(Some(endpoint)) => State::On(endpoint),
                    Ok(None) => State::Off,
                    Err(_) => State::Never,
                });
            });
        });
    }
    let is_ours = |endpoint: &str| {
        let end = endpoint.get(endpoint.len().saturating_sub(8)..).unwrap_or_default();
        let mut own = props.channels.iter().filter(|entry| entry.form.kind == ChannelKind::Push);
        own.find(|entry| entry.form.target.ends_with(end)).cloned()
    };
    let ours = if let State::On(endpoint) = &*state { is_ours(endpoint) } else { None };
    let onclick = {
        let (public, reload, ours) = (props.public.clone(), props.reload.clone(), ours.clone());
        let state = state.setter();
        Callback::from(move |_: MouseEvent| {
            let (public, reload, ours, toasts, state) =
                (public.clone(), reload.clone(), ours.clone(), toasts.clone(), state.clone());
            spawn_local(async move {
                let done = match ours {
                    Some(entry) => {
                        // Whether the browser still knows of it does not matter: nobody pushes any more.
                        drop(call("end", None).await);
                        api::delete(&format!("{OWN}/channels/{}", entry.id)).await
                    }
                    None => match call("begin", Some(&public)).await {
                        Ok(Some(subscription)) => {
                            let form = form(words.this_browser, subscription);
                            api::post::<ChannelEntry>(&format!("{OWN}/channels"), &form).await.map(drop)
                        }
                        _ => return toasts.say(words.push_refused),
                    },
                };
                match done {
                    Ok(()) => {
                        state.set(State::Asking);
                        reload.emit(());
                    }
                    Err(refusal) => toasts.say(trouble(phrases, &refusal).unwrap_or_default()),
                }
            });
        })
    };
    match (&*state, ours) {
        (State::Never, _) => html! { <p class="muted" data-testid="push-never">{ words.push_never }</p> },
        (_, Some(_)) => {
            html! { <button class="secondary" {onclick} data-testid="push-off">{ words.push_off }</button> }
        }
        (state, None) => {
            html! { <button class="secondary" {onclick} disabled={*state == State::Asking} data-testid="push-on">{ words.push_on }</button> }
        }
    }
}

fn form(label: &str, subscription: String) -> ChannelForm {
    ChannelForm {
        kind: ChannelKind::Push,
        label: label.to_owned(),
        target: String::new(),
        secret: Some(subscription),
        severities: vec![Severity::Warning, Severity::Critical],
        language: Tongue::default(),
        enabled: true,
    }
}

/// Has the browser do something: `now`, `begin` or `end`.
async fn call(name: &str, argument: Option<&str>) -> Result<Option<String>, JsValue> {
    let push = Reflect::get(&browser::window(), &"webPush".into())?;
    let function: Function = Reflect::get(&push, &name.into())?.dyn_into()?;
    let promise: Promise = function.call1(&push, &argument.map_or(JsValue::NULL, JsValue::from_str))?.dyn_into()?;
    Ok(JsFuture::from(promise).await?.as_string())
}
