//! A field of a form with its error beside it.

use web_sys::HtmlInputElement;
use yew::prelude::*;

/// Properties of [`Field`].
#[derive(Properties, PartialEq)]
pub struct FieldProps {
    /// Name in the form, for password managers too.
    pub name: &'static str,
    /// Label.
    pub label: AttrValue,
    /// Kind of the input.
    #[prop_or("text")]
    pub kind: &'static str,
    /// What a password manager fills in.
    pub autocomplete: &'static str,
    /// What is typed in.
    pub value: AttrValue,
    /// What is wrong with it.
    pub error: Option<AttrValue>,
    /// What is typed in now.
    pub oninput: Callback<String>,
    /// The input, for the focus.
    pub input: NodeRef,
    /// What stands at the end of the input.
    #[prop_or_default]
    pub children: Html,
}

/// A field of a form.
#[component]
pub fn Field(props: &FieldProps) -> Html {
    let oninput = props.oninput.reform(|event: InputEvent| event.target_unchecked_into::<HtmlInputElement>().value());
    let error_id = format!("{}-error", props.name);
    html! {
        <div class="field">
            <label for={props.name}>{ props.label.clone() }</label>
            <div class="input">
                <input
                    ref={props.input.clone()} id={props.name} name={props.name} type={props.kind}
                    autocomplete={props.autocomplete} autocapitalize="none" spellcheck="false"
                    value={props.value.clone()} {oninput} data-testid={format!("sign-in-{}", props.name)}
                    aria-invalid={props.error.is_some().to_string()}
                    aria-describedby={props.error.is_some().then(|| error_id.clone())}
                />
                { props.children.clone() }
            </div>
            if let Some(error) = &props.error {
                <p id={error_id} class="error" role="alert" data-testid={format!("{}-error", props.name)}>{ error }</p>
            }
        </div>
    }
}
