//! What is shown once: recovery codes, links and tokens.

use wasm_bindgen_futures::JsFuture;
use yew::{platform::spawn_local, prelude::*};

use crate::ui::{browser, icon::Icon, kit::use_toasts, settings::use_phrases};

/// Properties of [`Codes`].
#[derive(Properties, PartialEq)]
pub struct CodesProps {
    /// The codes.
    pub codes: Vec<String>,
    /// They are kept.
    pub done: Callback<()>,
}

/// Recovery codes, to be kept.
#[component]
pub fn Codes(props: &CodesProps) -> Html {
    let words = use_phrases().people;
    html! {
        <div class="form">
            <p>{ words.recovery_codes_hint }</p>
            <ol class="codes" data-testid="recovery-codes">for code in &props.codes { <li key={code.clone()}><code>{ code }</code></li> }</ol>
            <div class="actions">
                <Copy text={props.codes.join("\n")} />
                <button class="primary" onclick={props.done.reform(|_| ())} data-testid="codes-done">{ words.done }</button>
            </div>
        </div>
    }
}

/// Properties of [`Copy`] and [`Once`].
#[derive(Properties, PartialEq)]
pub struct TextProps {
    /// The text.
    pub text: String,
}

/// A text that is shown once, and the button that copies it.
#[component]
pub fn Once(props: &TextProps) -> Html {
    html! { <div class="once"><code data-testid="once">{ &props.text }</code><Copy text={props.text.clone()} /></div> }
}

/// Copies a text.
#[component]
pub fn Copy(props: &TextProps) -> Html {
    let words = use_phrases().people;
    let toasts = use_toasts();
    let onclick = {
        let text = props.text.clone();
        move |_: MouseEvent| {
            let (copied, toasts) = (browser::window().navigator().clipboard().write_text(&text), toasts.clone());
            spawn_local(async move {
                // Where the browser forbids it, the text stands there to be marked.
                if JsFuture::from(copied).await.is_ok() {
                    toasts.say(words.copied);
                }
            });
        }
    };
    html! { <button type="button" class="secondary" {onclick} data-testid="copy">{ Icon::Copy.draw() }{ words.copy }</button> }
}
