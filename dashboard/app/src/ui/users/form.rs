//! A user as a form.

use bugbrother_wire::api::{AddedUser, InvitationLink, NewUser, Role, Tongue, UserDetails, UserSummary};
use yew::prelude::*;

use super::{link::Link, role};
use crate::ui::{
    api,
    kit::{Field, Select, Sheet, use_toasts},
    saving::{Saving, Submit, some, typing, use_saving},
    settings::use_phrases,
};

/// Choices of clients: identity and name.
pub type Clients = Vec<(AttrValue, AttrValue)>;

fn word(role: Role) -> &'static str {
    match role {
        Role::Administrator => "administrator",
        Role::Operator => "operator",
        Role::Client => "client",
    }
}

/// Properties of [`Details`].
#[derive(Properties, PartialEq)]
pub struct DetailsProps {
    /// What is typed in.
    pub form: UseStateHandle<UserDetails>,
    /// The clients that there are.
    pub choices: Clients,
    /// The form's sending.
    pub saving: Saving,
}

/// What of a user can be changed.
#[component]
pub fn Details(props: &DetailsProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.people;
    let (form, saving) = (&props.form, &props.saving);
    let mut clients = vec![(AttrValue::from(""), AttrValue::from(words.choose_client))];
    clients.extend(props.choices.iter().cloned());
    let roles = Role::ALL.map(|one| (AttrValue::from(word(one)), AttrValue::from(role(phrases, one)))).to_vec();
    let languages = vec![("en".into(), "English".into()), ("fr".into(), "Français".into())];
    let language = if form.language == Tongue::Fr { "fr" } else { "en" };
    html! {
        <>
            <Field name="display_name" label={words.display_name} autocomplete="off" value={some(&form.display_name)} error={saving.error("display_name")} room="user"
                oninput={typing(form, |form: &mut UserDetails, text| form.display_name = Some(text))} />
            <Field name="email" kind="email" label={words.email} value={some(&form.email)} error={saving.error("email")} room="user"
                oninput={typing(form, |form: &mut UserDetails, text| form.email = Some(text))} />
            <Select name="role" label={words.role} choices={roles} value={word(form.role)}
                onchange={typing(form, |form: &mut UserDetails, text| {
                    form.role = Role::ALL.into_iter().find(|role| word(*role) == text).unwrap_or(Role::Operator);
                })} />
            <p class="muted">{ (words.role_summary)(form.role) }</p>
            if form.role == Role::Client {
                <Select name="client" label={words.client} choices={clients} value={form.client.map(|id| id.to_string()).unwrap_or_default()}
                    error={saving.error("client").map(|_| AttrValue::from(words.client_missing))}
                    onchange={typing(form, |form: &mut UserDetails, text| form.client = text.parse().ok())} />
            }
            <Select name="language" label={words.language} choices={languages} value={language}
                onchange={typing(form, |form: &mut UserDetails, text| form.language = if text == "fr" { Tongue::Fr } else { Tongue::En })} />
        </>
    }
}

/// Properties of [`Add`].
#[derive(Properties, PartialEq)]
pub struct AddProps {
    /// The clients that there are.
    pub choices: Clients,
    /// Leaves the form.
    pub close: Callback<()>,
    /// There is another user.
    pub changed: Callback<()>,
}

/// Adds a user, and shows the link by which the user sets a password.
#[component]
pub fn Add(props: &AddProps) -> Html {
    let words = use_phrases().people;
    let name = use_state(String::new);
    let form = use_state(|| UserDetails {
        role: Role::Operator,
        display_name: None,
        email: None,
        client: None,
        language: Tongue::En,
    });
    let link = use_state(|| None::<InvitationLink>);
    let saving = use_saving();
    let onsubmit = {
        let (name, form, link, saving) = (name.clone(), form.clone(), link.setter(), saving.clone());
        let changed = props.changed.clone();
        move |event: SubmitEvent| {
            event.prevent_default();
            let user = NewUser { name: name.trim().to_owned(), details: (*form).clone() };
            let (link, changed) = (link.clone(), changed.clone());
            saving.run(async move { api::post::<AddedUser>("/users", &user).await }, move |added| {
                link.set(Some(added.invitation));
                changed.emit(());
            });
        }
    };
    let oninput = {
        let name = name.clone();
        Callback::from(move |text| name.set(text))
    };
    html! {
        <Sheet title={if link.is_some() { words.invitation_ready } else { words.add_user }} close={props.close.clone()}>
            if let Some(link) = &*link {
                <Link link={link.clone()} done={props.close.clone()} />
            } else {
                <form class="form" {onsubmit} novalidate=true>
                    <Field name="name" label={words.any_person} hint={words.user_name_hint} value={(*name).clone()} error={saving.error("name")} {oninput} room="user" />
                    <Details form={form.clone()} choices={props.choices.clone()} saving={saving.clone()} />
                    <Submit saving={saving.clone()} label={words.add_user} cancel={Some(props.close.clone())} />
                </form>
            }
        </Sheet>
    }
}

/// Properties of [`Change`].
#[derive(Properties, PartialEq)]
pub struct ChangeProps {
    /// The user.
    pub user: UserSummary,
    /// The clients that there are.
    pub choices: Clients,
    /// The user is another.
    pub changed: Callback<()>,
}

/// Changes a user.
#[component]
pub fn Change(props: &ChangeProps) -> Html {
    let words = use_phrases().people;
    let toasts = use_toasts();
    let before = details(&props.user);
    let form = {
        let before = before.clone();
        use_state(move || before)
    };
    let saving = use_saving();
    let onsubmit = {
        let (form, saving, changed) = (form.clone(), saving.clone(), props.changed.clone());
        let path = format!("/users/{}", props.user.name);
        move |event: SubmitEvent| {
            event.prevent_default();
            let (wanted, path, changed, toasts) = ((*form).clone(), path.clone(), changed.clone(), toasts.clone());
            saving.run(async move { api::put::<UserSummary>(&path, &wanted).await }, move |_| {
                toasts.say(words.saved);
                changed.emit(());
            });
        }
    };
    html! {
        <form class="form" {onsubmit} novalidate=true>
            <Details form={form.clone()} choices={props.choices.clone()} saving={saving.clone()} />
            <Submit saving={saving.clone()} label={words.save} enabled={*form != before} />
        </form>
    }
}

fn details(user: &UserSummary) -> UserDetails {
    UserDetails {
        role: user.role,
        display_name: user.display_name.clone(),
        email: user.email.clone(),
        client: user.client,
        language: user.language,
    }
}
