//! Clients: whom the fleet serves.

mod detail;
mod form;

use bugbrother_wire::api::{ClientList, ClientSummary};
use web_sys::HtmlInputElement;
use yew::prelude::*;
use yew_router::prelude::*;

use super::{
    api,
    books::{Filters, escaped, said, use_filters},
    fetch::{Fetched, use_fetch},
    icon::Icon,
    kit::{Empty, Refused, use_toasts},
    route::Route,
    saving::use_saving,
    settings::use_phrases,
    table::Skeleton,
};
use crate::phrases::business::Business;

pub use detail::ClientPage;
pub use form::ClientSheet;

/// The page of all clients.
#[component]
pub fn Clients() -> Html {
    let words = use_phrases().business;
    let (filters, set) = use_filters(Route::Clients);
    let adding = use_state(|| false);
    let further = use_state(Vec::<ClientSummary>::new);
    let next = use_state(|| None::<String>);
    let navigator = use_navigator();
    let saving = use_saving();
    let toasts = use_toasts();

    let archived = filters.archived.is_some();
    let text = filters.q.clone().unwrap_or_default();
    let path = format!("/clients?q={}&archived={archived}", escaped(&text));
    let fetch = use_fetch::<ClientList>(Some(path.clone()));
    {
        // Another list begins at its first page.
        let (further, next) = (further.setter(), next.setter());
        let list = fetch.is.ready().cloned();
        use_effect_with(list, move |list| {
            further.set(Vec::new());
            next.set(list.as_ref().and_then(|list| list.next).map(|id| id.to_string()));
        });
    }
    let oninput = {
        let (filters, set) = (filters.clone(), set.clone());
        move |event: InputEvent| {
            let q = said(event.target_unchecked_into::<HtmlInputElement>().value());
            set.emit(Filters { q, ..filters.clone() });
        }
    };
    let toggle = {
        let (filters, set) = (filters.clone(), set);
        move |_: MouseEvent| set.emit(Filters { archived: (!archived).then(|| "1".to_owned()), ..filters.clone() })
    };
    let more = next.as_ref().map(|after| {
        let (path, saving, further, next) =
            (format!("{path}&after={after}"), saving.clone(), further.clone(), next.setter());
        Callback::from(move |_: MouseEvent| {
            let (path, further, next) = (path.clone(), further.clone(), next.clone());
            saving.run(async move { api::get::<ClientList>(&path).await }, move |list| {
                next.set(list.next.map(|id| id.to_string()));
                further.set(further.iter().cloned().chain(list.clients).collect());
            });
        })
    });
    let open = |id| {
        let navigator = navigator.clone();
        Callback::from(move |()| {
            if let Some(navigator) = &navigator {
                navigator.push(&Route::Client { id });
            }
        })
    };
    let added = {
        let (adding, navigator) = (adding.setter(), navigator.clone());
        Callback::from(move |client: ClientSummary| {
            adding.set(false);
            toasts.say((words.done_text)(&client.form.name));
            if let Some(navigator) = &navigator {
                navigator.push(&Route::Client { id: client.id });
            }
        })
    };
    let add = {
        let adding = adding.setter();
        Callback::from(move |_: MouseEvent| adding.set(true))
    };
    html! {
        <section class="page books" data-testid="clients">
            <div class="bar">
                <label class="search">
                    { Icon::Search.draw() }
                    <input type="search" data-search="" value={text.clone()} {oninput} placeholder={words.find_client} aria-label={words.find_client} data-testid="client-search" />
                    <kbd aria-hidden="true">{ "/" }</kbd>
                </label>
                <button class="chip" aria-pressed={archived.to_string()} onclick={toggle} data-testid="client-archived">{ words.show_archived }</button>
                <div class="end"><button class="primary" onclick={add.clone()} data-testid="client-add">{ words.add_client }</button></div>
            </div>
            {
                match &fetch.is {
                    Fetched::Loading => html! { <div class="panel"><Skeleton rows=6 /></div> },
                    Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
                    Fetched::Ready(list) if list.clients.is_empty() && text.is_empty() => html! {
                        <Empty title={words.no_clients} hint={words.no_clients_hint}>
                            <button class="primary" onclick={add}>{ words.add_client }</button>
                        </Empty>
                    },
                    Fetched::Ready(list) if list.clients.is_empty() => html! { <Empty title={words.none} hint={words.find_client} /> },
                    Fetched::Ready(list) => html! {
                        <div class="panel scroll">
                            <table class="table" data-testid="client-table">
                                <thead><tr>
                                    <th scope="col">{ words.name }</th><th scope="col" class="wide-only">{ words.contact }</th>
                                    <th scope="col" class="number">{ words.running_contracts }</th><th scope="col" class="number">{ words.vehicles }</th>
                                </tr></thead>
                                <tbody>for client in list.clients.iter().chain(further.iter()) { { row(words, client, open(client.id)) } }</tbody>
                            </table>
                            if let Some(onclick) = more { <button class="more" {onclick} disabled={saving.busy()}>{ words.more }</button> }
                        </div>
                    },
                }
            }
            if *adding { <ClientSheet close={let adding = adding.setter(); Callback::from(move |()| adding.set(false))} saved={added} /> }
        </section>
    }
}

fn row(words: &Business, client: &ClientSummary, open: Callback<()>) -> Html {
    let onkeydown = {
        let open = open.clone();
        move |event: KeyboardEvent| {
            if event.key() == "Enter" {
                open.emit(());
            }
        }
    };
    html! {
        <tr key={client.id.to_string()} class="link" tabindex="0" data-row="" onclick={open.reform(|_| ())} {onkeydown} data-testid={format!("client-{}", client.id)}>
            <td class="strong">
                { &client.form.name }
                if client.archived.is_some() { { " " }<span class="badge">{ words.archived }</span> }
            </td>
            <td class="wide-only muted">{ client.form.contact.clone().or_else(|| client.form.email.clone()).unwrap_or_default() }</td>
            <td class="number">{ client.contracts }</td>
            <td class="number">{ client.vehicles }</td>
        </tr>
    }
}
