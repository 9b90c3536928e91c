//! What people know of a client, as a form.

use bugbrother_wire::api::{ClientForm, ClientSummary};
use yew::prelude::*;

use crate::ui::{
    api,
    kit::{Field, Sheet, TextArea},
    saving::{Submit, some, typing, use_saving},
    settings::use_phrases,
};

/// Properties of [`ClientSheet`].
#[derive(Properties, PartialEq)]
pub struct ClientSheetProps {
    /// The client to change; without one a new one is added.
    #[prop_or_default]
    pub client: Option<ClientSummary>,
    /// Leaves the form.
    pub close: Callback<()>,
    /// It is saved.
    pub saved: Callback<ClientSummary>,
}

/// A client as a form.
#[component]
pub fn ClientSheet(props: &ClientSheetProps) -> Html {
    let words = use_phrases().business;
    let form = use_state(|| props.client.as_ref().map(|client| client.form.clone()).unwrap_or_default());
    let saving = use_saving();
    let onsubmit = {
        let (form, saving, saved) = (form.clone(), saving.clone(), props.saved.clone());
        let id = props.client.as_ref().map(|client| client.id);
        move |event: SubmitEvent| {
            event.prevent_default();
            let (form, saved) = ((*form).clone(), saved.clone());
            let sends = async move {
                match id {
                    Some(id) => api::put::<ClientSummary>(&format!("/clients/{id}"), &form).await,
                    None => api::post("/clients", &form).await,
                }
            };
            saving.run(sends, move |client| saved.emit(client));
        }
    };
    let title = if props.client.is_some() { words.edit } else { words.add_client };
    html! {
        <Sheet {title} close={props.close.clone()}>
            <form class="form" {onsubmit} novalidate=true>
                <Field name="name" label={words.name} value={form.name.clone()} required=true error={saving.error("name")}
                    oninput={typing(&form, |form: &mut ClientForm, text| form.name = text)} />
                <Field name="contact" label={words.contact} value={some(&form.contact)} error={saving.error("contact")}
                    oninput={typing(&form, |form: &mut ClientForm, text| form.contact = Some(text))} />
                <Field name="email" kind="email" label={words.email} value={some(&form.email)} error={saving.error("email")}
                    oninput={typing(&form, |form: &mut ClientForm, text| form.email = Some(text))} />
                <Field name="phone" kind="tel" label={words.phone} value={some(&form.phone)} error={saving.error("phone")}
                    oninput={typing(&form, |form: &mut ClientForm, text| form.phone = Some(text))} />
                <TextArea name="note" label={words.note} value={some(&form.note)} error={saving.error("note")}
                    oninput={typing(&form, |form: &mut ClientForm, text| form.note = Some(text))} />
                <Submit saving={saving.clone()} label={words.save} cancel={Some(props.close.clone())} />
            </form>
        </Sheet>
    }
}
