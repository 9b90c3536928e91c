//! A client with its contracts, vehicles and users.

use bugbrother_wire::{
    ClientId,
    api::{ClientDetail, ClientSummary, Right},
};
use yew::{platform::spawn_local, prelude::*};
use yew_router::prelude::*;

use super::ClientSheet;
use crate::ui::{
    account::use_account,
    api,
    books::VehicleLink,
    contracts::{ContractSheet, contract_table},
    fetch::{Fetched, use_fetch},
    kit::{Refused, use_toasts},
    route::Route,
    saving::use_saving,
    settings::use_phrases,
    table::Skeleton,
};

#[derive(Clone, Copy, PartialEq)]
enum Open {
    Nothing,
    Form,
    Contract,
}

/// Properties of [`ClientPage`].
#[derive(Properties, PartialEq)]
pub struct ClientPageProps {
    /// Which client.
    pub id: ClientId,
}

/// The page of a client.
#[component]
pub fn ClientPage(props: &ClientPageProps) -> Html {
    let words = use_phrases().business;
    let account = use_account();
    let toasts = use_toasts();
    let id = props.id;
    let fetch = use_fetch::<ClientDetail>(Some(format!("/clients/{id}")));
    let open = use_state(|| Open::Nothing);
    let saving = use_saving();
    let close = {
        let open = open.setter();
        Callback::from(move |()| open.set(Open::Nothing))
    };
    let show = |what| {
        let open = open.setter();
        Callback::from(move |_: MouseEvent| open.set(what))
    };
    let detail = match &fetch.is {
        Fetched::Loading => {
            return html! { <section class="page books"><div class="panel"><Skeleton rows=6 /></div></section> };
        }
        Fetched::Failed(refusal) => return html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
        Fetched::Ready(detail) => detail.clone(),
    };
    let reload = fetch.reload.clone();
    let client = detail.client.clone();
    let archive = {
        let (saving, reload, name) = (saving.clone(), reload.clone(), client.form.name.clone());
        Callback::from(move |_: MouseEvent| {
            let (toasts, reload, name) = (toasts.clone(), reload.clone(), name.clone());
            let path = format!("/clients/{id}/archive");
            let sends = {
                let path = path.clone();
                async move { api::post::<ClientSummary>(&path, &()).await }
            };
            saving.run(sends, move |_| {
                reload.emit(());
                let undo = Callback::from(move |()| {
                    let (path, reload) = (path.clone(), reload.clone());
                    spawn_local(async move {
                        if api::delete(&path).await.is_ok() {
                            reload.emit(());
                        }
                    });
                });
                toasts.undo((words.archived_text)(&name), undo);
            });
        })
    };
    let bring_back = {
        let (saving, reload) = (saving.clone(), reload.clone());
        Callback::from(move |_: MouseEvent| {
            let reload = reload.clone();
            saving.run(async move { api::delete(&format!("/clients/{id}/archive")).await }, move |()| reload.emit(()));
        })
    };
    let saved = {
        let (close, reload) = (close.clone(), reload);
        Callback::from(move |()| {
            close.emit(());
            reload.emit(());
        })
    };
    let form = &client.form;
    html! {
        <section class="page books scroll" data-testid="client">
            <div class="bar head">
                <Link<Route> to={Route::Clients} classes="back">{ words.clients }</Link<Route>>
                <h1 data-testid="client-name">{ &form.name }</h1>
                if client.archived.is_some() { <span class="badge">{ words.archived }</span> }
                if account.may(Right::Clients) {
                    <div class="end">
                        <button class="secondary" onclick={show(Open::Form)} data-testid="client-edit">{ words.edit }</button>
                        if client.archived.is_some() {
                            <button class="secondary" onclick={bring_back} data-testid="client-bring-back">{ words.bring_back }</button>
                        } else {
                            <button class="secondary" onclick={archive} data-testid="client-archive">{ words.archive }</button>
                        }
                    </div>
                }
            </div>
            <dl class="facts panel pad">
                <div><dt>{ words.contact }</dt><dd>{ form.contact.as_deref().unwrap_or(words.none) }</dd></div>
                <div><dt>{ words.email }</dt><dd>
                    if let Some(email) = &form.email { <a href={format!("mailto:{email}")}>{ email }</a> } else { { words.none } }
                </dd></div>
                <div><dt>{ words.phone }</dt><dd>
                    if let Some(phone) = &form.phone { <a href={format!("tel:{}", phone.replace(' ', ""))}>{ phone }</a> } else { { words.none } }
                </dd></div>
                if let Some(note) = &form.note { <div class="whole"><dt>{ words.note }</dt><dd class="lines">{ note }</dd></div> }
            </dl>
            <div class="bar"><h2>{ words.contracts }</h2>
                <div class="end"><button class="secondary" onclick={show(Open::Contract)} data-testid="client-add-contract">{ words.add_contract }</button></div>
            </div>
            if detail.contracts.is_empty() { <p class="muted">{ words.no_contracts_hint }</p> } else {
                <div class="panel wide">{ contract_table(words, &detail.contracts, false) }</div>
            }
            <h2>{ words.vehicles }</h2>
            if detail.vehicles.is_empty() { <p class="muted">{ words.no_vehicles_in }</p> } else {
                <ul class="panel tiles" data-testid="client-vehicles">
                    for vehicle in &detail.vehicles {
                        <li key={vehicle.vin.as_str()}>
                            <VehicleLink vin={vehicle.vin} name={vehicle.name.clone()} />
                            <small>{ vehicle.plate.clone().unwrap_or_else(|| vehicle.vin.to_string()) }</small>
                        </li>
                    }
                </ul>
            }
            <h2>{ words.users }</h2>
            if detail.users.is_empty() { <p class="muted">{ words.no_users }</p> } else {
                <ul class="panel tiles">
                    for user in &detail.users {
                        <li key={user.name.clone()}>
                            <b>{ user.display_name.as_ref().unwrap_or(&user.name) }</b>
                            <small>{ &user.name }{ if user.disabled { format!(" · {}", words.disabled) } else { String::new() } }</small>
                        </li>
                    }
                </ul>
            }
            {
                match *open {
                    Open::Nothing => Html::default(),
                    Open::Form => html! { <ClientSheet client={Some(client.clone())} close={close.clone()} saved={saved.reform(|_| ())} /> },
                    Open::Contract => html! { <ContractSheet client={Some(id)} close={close.clone()} saved={saved.reform(|_| ())} /> },
                }
            }
        </section>
    }
}
