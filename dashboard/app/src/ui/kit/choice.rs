//! Choices in a form.

use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use super::field::{Framed, describes};

/// Properties of [`Select`].
#[derive(Properties, PartialEq)]
pub struct SelectProps {
    /// Name in the form.
    pub name: &'static str,
    /// Label.
    pub label: AttrValue,
    /// Value and text of each choice.
    pub choices: Vec<(AttrValue, AttrValue)>,
    /// What is chosen.
    pub value: AttrValue,
    /// What is wrong with it.
    #[prop_or_default]
    pub error: Option<AttrValue>,
    /// What is chosen now.
    pub onchange: Callback<String>,
}

/// One of several.
#[component]
pub fn Select(props: &SelectProps) -> Html {
    let onchange = props.onchange.reform(|event: Event| event.target_unchecked_into::<HtmlSelectElement>().value());
    html! {
        <Framed name={props.name} label={props.label.clone()} error={props.error.clone()}>
            <div class="input">
                <select id={props.name} name={props.name} {onchange} data-testid={format!("field-{}", props.name)}
                    aria-invalid={props.error.is_some().to_string()} aria-describedby={describes(props.name, props.error.is_some(), false)}>
                    for (value, text) in &props.choices {
                        <option key={value.to_string()} value={value.clone()} selected={*value == props.value}>{ text }</option>
                    }
                </select>
            </div>
        </Framed>
    }
}

/// Properties of [`Check`].
#[derive(Properties, PartialEq)]
pub struct CheckProps {
    /// Name in the form.
    pub name: AttrValue,
    /// Label.
    pub label: AttrValue,
    /// Whether it is chosen.
    pub checked: bool,
    /// Whether it is chosen now.
    pub onchange: Callback<bool>,
}

/// Yes or no.
#[component]
pub fn Check(props: &CheckProps) -> Html {
    let onchange = props.onchange.reform(|event: Event| event.target_unchecked_into::<HtmlInputElement>().checked());
    html! {
        <label class="check">
            <input type="checkbox" name={props.name.clone()} checked={props.checked} {onchange} data-testid={format!("field-{}", props.name)} />
            <span>{ &props.label }</span>
        </label>
    }
}
