//! Fields of a form with their errors beside them.

use web_sys::{HtmlInputElement, HtmlTextAreaElement};
use yew::prelude::*;

/// Properties of [`Field`].
#[derive(Properties, PartialEq)]
pub struct FieldProps {
    /// Name in the form, for password managers too; also the end of its `data-testid`s.
    pub name: &'static str,
    /// Label.
    pub label: AttrValue,
    /// Kind of the input.
    #[prop_or("text")]
    pub kind: &'static str,
    /// What a password manager fills in.
    #[prop_or("off")]
    pub autocomplete: &'static str,
    /// What is typed in.
    pub value: AttrValue,
    /// What is wrong with it.
    #[prop_or_default]
    pub error: Option<AttrValue>,
    /// What helps to fill it in.
    #[prop_or_default]
    pub hint: Option<AttrValue>,
    /// What could stand there.
    #[prop_or_default]
    pub placeholder: Option<AttrValue>,
    /// Whether it must be filled in.
    #[prop_or_default]
    pub required: bool,
    /// For numbers: what the input's `step` is.
    #[prop_or_default]
    pub step: Option<AttrValue>,
    /// What is typed in now.
    pub oninput: Callback<String>,
    /// The input, for the focus.
    #[prop_or_default]
    pub input: NodeRef,
    /// What comes before `-name` in the `data-testid`.
    #[prop_or("field")]
    pub room: &'static str,
    /// What stands at the end of the input.
    #[prop_or_default]
    pub children: Html,
}

/// A field of a form.
#[component]
pub fn Field(props: &FieldProps) -> Html {
    let oninput = props.oninput.reform(|event: InputEvent| event.target_unchecked_into::<HtmlInputElement>().value());
    html! {
        <Framed name={props.name} label={props.label.clone()} error={props.error.clone()} hint={props.hint.clone()}>
            <div class="input">
                <input
                    ref={props.input.clone()} id={props.name} name={props.name} type={props.kind}
                    autocomplete={props.autocomplete} autocapitalize="none" spellcheck="false"
                    placeholder={props.placeholder.clone()} required={props.required} step={props.step.clone()}
                    value={props.value.clone()} {oninput} data-testid={format!("{}-{}", props.room, props.name)}
                    aria-invalid={props.error.is_some().to_string()} aria-describedby={describes(props.name, props.error.is_some(), props.hint.is_some())}
                />
                { props.children.clone() }
            </div>
        </Framed>
    }
}

/// Properties of [`TextArea`].
#[derive(Properties, PartialEq)]
pub struct TextAreaProps {
    /// Name in the form.
    pub name: &'static str,
    /// Label.
    pub label: AttrValue,
    /// What is typed in.
    pub value: AttrValue,
    /// What is wrong with it.
    #[prop_or_default]
    pub error: Option<AttrValue>,
    /// Lines that are seen.
    #[prop_or(3)]
    pub rows: u32,
    /// What is typed in now.
    pub oninput: Callback<String>,
}

/// A field of several lines.
#[component]
pub fn TextArea(props: &TextAreaProps) -> Html {
    let oninput =
        props.oninput.reform(|event: InputEvent| event.target_unchecked_into::<HtmlTextAreaElement>().value());
    html! {
        <Framed name={props.name} label={props.label.clone()} error={props.error.clone()}>
            <div class="input">
                <textarea id={props.name} name={props.name} rows={props.rows.to_string()} value={props.value.clone()} {oninput}
                    data-testid={format!("field-{}", props.name)} aria-invalid={props.error.is_some().to_string()}
                    aria-describedby={describes(props.name, props.error.is_some(), false)} />
            </div>
        </Framed>
    }
}

/// Properties of [`Framed`].
#[derive(Properties, PartialEq)]
pub struct FramedProps {
    /// Name of the control inside, which is its id.
    pub name: &'static str,
    /// Label.
    pub label: AttrValue,
    /// What is wrong with it.
    #[prop_or_default]
    pub error: Option<AttrValue>,
    /// What helps to fill it in.
    #[prop_or_default]
    pub hint: Option<AttrValue>,
    /// The control.
    pub children: Html,
}

/// A control with its label, hint and error.
#[component]
pub fn Framed(props: &FramedProps) -> Html {
    html! {
        <div class="field">
            <label for={props.name}>{ &props.label }</label>
            { props.children.clone() }
            if let Some(hint) = &props.hint {
                <p id={format!("{}-hint", props.name)} class="hint">{ hint }</p>
            }
            if let Some(error) = &props.error {
                <p id={format!("{}-error", props.name)} class="error" role="alert" data-testid={format!("{}-error", props.name)}>{ error }</p>
            }
        </div>
    }
}

pub(super) fn describes(name: &str, error: bool, hint: bool) -> Option<AttrValue> {
    match (error, hint) {
        (true, true) => Some(format!("{name}-error {name}-hint").into()),
        (true, false) => Some(format!("{name}-error").into()),
        (false, true) => Some(format!("{name}-hint").into()),
        (false, false) => None,
    }
}
