//! Users: who may sign in, and as what.

mod detail;
mod form;
mod link;
mod roles;

use bugbrother_wire::{
    UnixMs,
    api::{ClientList, Role, UserList, UserSummary},
};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::{
    account::use_account,
    api, day,
    fetch::{Fetched, use_fetch},
    icon::Icon,
    kit::{Empty, Refused},
    saving::use_saving,
    settings::use_phrases,
    table::Skeleton,
};
use crate::{format::Span, phrases::Phrases};

/// What is open at the side.
#[derive(Clone, PartialEq)]
enum Open {
    Adding,
    User(String),
    Roles,
}

/// The page of all users.
#[component]
pub fn Users() -> Html {
    let phrases = use_phrases();
    let words = phrases.people;
    let me = use_account().session.name;
    let fetch = use_fetch::<UserList>(Some("/users?limit=200".to_owned()));
    let clients = use_fetch::<ClientList>(Some("/clients?q=&archived=false&limit=500".to_owned()));
    let further = use_state(Vec::<UserSummary>::new);
    let next = use_state(|| None::<String>);
    let search = use_state(String::new);
    let open = use_state(|| None::<Open>);
    let saving = use_saving();
    {
        let (further, next) = (further.setter(), next.setter());
        use_effect_with(fetch.is.ready().cloned(), move |list| {
            further.set(Vec::new());
            next.set(list.as_ref().and_then(|list| list.next.clone()));
        });
    }
    let show = |what: Open| {
        let open = open.setter();
        Callback::from(move |()| open.set(Some(what.clone())))
    };
    let close = {
        let open = open.setter();
        Callback::from(move |()| open.set(None))
    };
    let oninput = {
        let search = search.clone();
        move |event: InputEvent| search.set(event.target_unchecked_into::<HtmlInputElement>().value())
    };
    let more = next.as_ref().map(|after| {
        let (path, saving) = (format!("/users?limit=200&after={after}"), saving.clone());
        let (further, next) = (further.clone(), next.setter());
        Callback::from(move |_: MouseEvent| {
            let (path, further, next) = (path.clone(), further.clone(), next.clone());
            saving.run(async move { api::get::<UserList>(&path).await }, move |list| {
                next.set(list.next);
                further.set(further.iter().cloned().chain(list.users).collect());
            });
        })
    });
    let client_list = clients.is.ready().cloned();
    let client_of = |user: &UserSummary| {
        let list = client_list.as_ref()?;
        list.clients.iter().find(|client| Some(client.id) == user.client).map(|client| client.form.name.clone())
    };
    let users: Vec<UserSummary> =
        fetch.is.ready().map(|list| list.users.iter().chain(further.iter()).cloned().collect()).unwrap_or_default();
    let wanted = search.trim().to_lowercase();
    let fits = |user: &&UserSummary| {
        let texts = [Some(&user.name), user.display_name.as_ref(), user.email.as_ref()];
        texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&wanted))
    };
    let table = match &fetch.is {
        Fetched::Loading => html! { <div class="panel"><Skeleton rows=6 /></div> },
        Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
        Fetched::Ready(_) if !users.iter().any(|user| fits(&user)) => html! { <Empty title={words.no_deeds} /> },
        Fetched::Ready(_) => html! {
            <div class="panel scroll">
                <table class="table" data-testid="users">
                    <thead><tr>
                        <th scope="col">{ words.users }</th><th scope="col">{ words.role }</th>
                        <th scope="col">{ words.state }</th><th scope="col" class="number wide">{ words.signed_in }</th>
                    </tr></thead>
                    <tbody>
                        for user in users.iter().filter(fits) {
                            { row(phrases, user, client_of(user), user.name == me, show(Open::User(user.name.clone()))) }
                        }
                    </tbody>
                </table>
                if let Some(onclick) = more { <button class="more" {onclick} disabled={saving.busy()}>{ words.more }</button> }
            </div>
        },
    };
    let choices: Vec<_> = client_list
        .iter()
        .flat_map(|list| &list.clients)
        .map(|client| (AttrValue::from(client.id.to_string()), AttrValue::from(client.form.name.clone())))
        .collect();
    let side = match (*open).clone() {
        None => Html::default(),
        Some(Open::Roles) => html! { <roles::Roles {close} /> },
        Some(Open::Adding) => html! { <form::Add {choices} {close} changed={fetch.reload.clone()} /> },
        Some(Open::User(name)) => match users.into_iter().find(|user| user.name == name) {
            Some(user) => {
                html! { <detail::Detail key={name} is_me={user.name == me} {user} {choices} {close} changed={fetch.reload.clone()} /> }
            }
            None => Html::default(),
        },
    };
    html! {
        <section class="page people">
            <div class="bar">
                <label class="search">
                    { Icon::Search.draw() }
                    <input type="search" data-search="" value={(*search).clone()} {oninput} placeholder={words.search} aria-label={words.search} data-testid="user-search" />
                    <kbd aria-hidden="true">{ "/" }</kbd>
                </label>
                <div class="end">
                    <button class="secondary" onclick={show(Open::Roles).reform(|_| ())} data-testid="roles">{ words.roles_explained }</button>
                    <button class="primary" onclick={show(Open::Adding).reform(|_| ())} data-testid="user-add">{ words.add_user }</button>
                </div>
            </div>
            { table }
            { side }
        </section>
    }
}

fn row(phrases: &Phrases, user: &UserSummary, client: Option<String>, is_me: bool, open: Callback<()>) -> Html {
    let words = phrases.people;
    let onkeydown = {
        let open = open.clone();
        move |event: KeyboardEvent| {
            if event.key() == "Enter" {
                open.emit(());
            }
        }
    };
    let now = day::now();
    html! {
        <tr key={user.name.clone()} class="link" tabindex="0" data-row="" onclick={open.reform(|_| ())} {onkeydown} data-testid={format!("user-{}", user.name)}>
            <td class="strong">
                { user.display_name.as_ref().unwrap_or(&user.name) }
                if is_me { { " " }<span class="badge">{ words.you }</span> }
                if user.display_name.is_some() { <small class="muted">{ &user.name }</small> }
            </td>
            <td>{ role(phrases, user.role) }if let Some(client) = client { <small class="muted">{ client }</small> }</td>
            <td><span class="chips">{ badges(phrases, user, now) }</span></td>
            <td class="number wide">{ user.signed_in.map_or(words.never.to_owned(), |at| (phrases.ago)(Span::of(now - at))) }</td>
        </tr>
    }
}

/// A role's name.
pub fn role(phrases: &Phrases, role: Role) -> &'static str {
    match role {
        Role::Administrator => phrases.role_administrator,
        Role::Operator => phrases.role_operator,
        Role::Client => phrases.role_client,
    }
}

/// What there is to know of a user at a glance.
fn badges(phrases: &Phrases, user: &UserSummary, now: UnixMs) -> Html {
    let words = phrases.people;
    html! {
        <>
            if user.asks.is_some() { <span class="badge warn" data-testid="asks">{ words.asks }</span> }
            if user.disabled.is_some() { <span class="badge bad" data-testid="disabled">{ words.disabled }</span> }
            else if user.invited.is_some_and(|until| until > now) { <span class="badge" data-testid="invited">{ words.invited }</span> }
            else if !user.has_password { <span class="badge warn">{ words.not_invited }</span> }
            if user.second_factor.is_some() { <span class="badge ok" data-testid="has-factor">{ words.second_factor_short }</span> }
        </>
    }
}
