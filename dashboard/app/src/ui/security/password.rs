//! Changing one's own password.

use bugbrother_wire::api::ChangePassword;
use gloo_net::http::Method;
use yew::prelude::*;

use crate::{
    password::fault,
    ui::{
        account::use_account,
        api,
        kit::{Field, use_toasts},
        saving::{Submit, typing, use_saving},
        settings::use_phrases,
    },
};

#[component]
pub fn PasswordBlock() -> Html {
    let words = use_phrases().people;
    let name = use_account().session.name;
    let toasts = use_toasts();
    let form = use_state(|| ChangePassword { old: String::new(), new: String::new() });
    let tried = use_state_eq(|| false);
    let saving = use_saving();
    let weak = fault(&form.new, &name).map(|fault| fault.told(words));
    let onsubmit = {
        let (form, saving, tried, toasts, weak) =
            (form.clone(), saving.clone(), tried.clone(), toasts.clone(), weak.is_some());
        move |event: SubmitEvent| {
            event.prevent_default();
            tried.set(true);
            if weak {
                return;
            }
            let (body, toasts, form, tried) = ((*form).clone(), toasts.clone(), form.setter(), tried.setter());
            let sends = async move { api::act(Method::POST, "/password", &body).await };
            saving.run(sends, move |()| {
                form.set(ChangePassword { old: String::new(), new: String::new() });
                tried.set(false);
                toasts.say(words.password_changed);
            });
        }
    };
    let old_error = saving.error("old").map(|_| AttrValue::from(words.password_wrong));
    let new_error = weak.filter(|_| *tried).map(AttrValue::from).or_else(|| saving.error("new"));
    html! {
        <section class="panel block" data-testid="password-block">
            <h2>{ words.password }</h2>
            <form class="form columns" {onsubmit} novalidate=true>
                // So that a password manager knows whose it is.
                <input class="away" type="text" autocomplete="username" value={name} readonly=true tabindex="-1" aria-hidden="true" />
                <Field name="old" kind="password" autocomplete="current-password" label={words.old_password} value={form.old.clone()}
                    error={old_error} oninput={typing(&form, |form: &mut ChangePassword, text| form.old = text)} />
                <Field name="new" kind="password" autocomplete="new-password" label={words.new_password} value={form.new.clone()}
                    error={new_error} hint={words.password_hint} oninput={typing(&form, |form: &mut ChangePassword, text| form.new = text)} />
                <Submit saving={saving.clone()} label={words.change_password} />
            </form>
        </section>
    }
}
