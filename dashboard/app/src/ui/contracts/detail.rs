//! A contract with its vehicles and documents.

use std::collections::BTreeSet;

use bugbrother_wire::{
    ContractId,
    api::{ContractDetail, ContractSummary, ContractVehicle, Release},
};
use yew::{platform::spawn_local, prelude::*};
use yew_router::prelude::*;

use super::{assign::AssignSheet, documents::Documents, form::ContractSheet, last_day, state_badge};
use crate::ui::{
    api,
    books::VehicleLink,
    day,
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
    Assign,
}

/// Properties of [`ContractPage`].
#[derive(Properties, PartialEq)]
pub struct ContractPageProps {
    /// Which contract.
    pub id: ContractId,
}

/// The page of a contract.
#[component]
pub fn ContractPage(props: &ContractPageProps) -> Html {
    let words = use_phrases().business;
    let id = props.id;
    let fetch = use_fetch::<ContractDetail>(Some(format!("/contracts/{id}")));
    let open = use_state(|| Open::Nothing);
    let toasts = use_toasts();
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
    let saved = {
        let (close, reload) = (close.clone(), reload.clone());
        Callback::from(move |()| {
            close.emit(());
            reload.emit(());
        })
    };
    let now = day::now();
    let is_in = |vehicle: &&ContractVehicle| vehicle.from <= now && vehicle.to.is_none_or(|to| to > now);
    let inside: BTreeSet<_> = detail.vehicles.iter().filter(is_in).map(|vehicle| vehicle.vin).collect();
    let release = |vehicle: &ContractVehicle| {
        let (saving, reload, toasts, vehicle) = (saving.clone(), reload.clone(), toasts.clone(), vehicle.clone());
        Callback::from(move |_: MouseEvent| {
            let (reload, toasts, vehicle) = (reload.clone(), toasts.clone(), vehicle.clone());
            let path = format!("/contracts/{id}/vehicles/{}", vehicle.vin);
            let sends = {
                let path = format!("{path}/release");
                async move { api::post::<ContractDetail>(&path, &Release::default()).await }
            };
            saving.run(sends, move |_| {
                reload.emit(());
                let name = vehicle.name.clone();
                let undo = Callback::from(move |()| {
                    let (path, vehicle, reload) = (format!("{path}/stay"), vehicle.clone(), reload.clone());
                    spawn_local(async move {
                        if api::post::<ContractDetail>(&path, &vehicle).await.is_ok() {
                            reload.emit(());
                        }
                    });
                });
                toasts.undo((words.released)(&name), undo);
            });
        })
    };
    let contract: &ContractSummary = &detail.contract;
    let form = &contract.form;
    let days = |days: Option<u32>| days.map_or(words.retention_default.to_owned(), |days| days.to_string());
    html! {
        <section class="page books scroll" data-testid="contract">
            <div class="bar head">
                <Link<Route> to={Route::Contracts} classes="back">{ words.contracts }</Link<Route>>
                <h1 data-testid="contract-title">{ &form.title }</h1>
                { state_badge(words, contract) }
                <div class="end"><button class="secondary" onclick={show(Open::Form)} data-testid="contract-edit">{ words.edit }</button></div>
            </div>
            <dl class="facts panel pad">
                <div><dt>{ words.client }</dt><dd><Link<Route> to={Route::Client { id: form.client }}>{ &contract.client_name }</Link<Route>></dd></div>
                <div><dt>{ words.starts }</dt><dd>{ day::day(words.locale, form.starts) }</dd></div>
                <div><dt>{ words.ends }</dt><dd>{ last_day(words, contract) }</dd></div>
                <div><dt>{ words.video }</dt><dd>{ if form.video { words.yes } else { words.no } }</dd></div>
                <div><dt>{ words.retention_days }</dt><dd>{ days(form.retention_days) }</dd></div>
                <div><dt>{ words.media_retention_days }</dt><dd>{ days(form.media_retention_days) }</dd></div>
                for (name, value) in &form.options { <div><dt>{ name }</dt><dd>{ value }</dd></div> }
                if let Some(note) = &form.note { <div class="whole"><dt>{ words.note }</dt><dd class="lines">{ note }</dd></div> }
            </dl>
            <div class="bar"><h2>{ words.vehicles }</h2>
                <div class="end"><button class="secondary" onclick={show(Open::Assign)} data-testid="contract-assign">{ words.assign }</button></div>
            </div>
            if let Some(trouble) = saving.trouble() { <p class="error" role="alert">{ trouble }</p> }
            if detail.vehicles.is_empty() { <p class="muted">{ words.no_vehicles_in }</p> } else {
                <div class="panel wide"><table class="table" data-testid="contract-vehicles">
                    <thead><tr><th scope="col">{ words.name }</th><th scope="col" class="plate">{ words.plate }</th><th scope="col">{ words.from }</th>
                        <th scope="col">{ words.to }</th><th scope="col"><span class="unseen">{ words.actions }</span></th></tr></thead>
                    <tbody>for vehicle in &detail.vehicles {
                        <tr key={format!("{} {}", vehicle.vin, vehicle.from)} class={(!is_in(&vehicle)).then_some("gone")}>
                            <td class="strong"><VehicleLink vin={vehicle.vin} name={vehicle.name.clone()} /></td>
                            <td class="plate">{ vehicle.plate.as_deref().unwrap_or(words.none) }</td>
                            <td>{ day::day(words.locale, vehicle.from) }</td>
                            <td>{ vehicle.to.map_or(words.none.to_owned(), |to| day::day(words.locale, to)) }</td>
                            <td class="number">if is_in(&vehicle) {
                                <button class="quiet" onclick={release(vehicle)} data-testid={format!("release-{}", vehicle.vin)}>{ words.release }</button>
                            }</td>
                        </tr>
                    }</tbody>
                </table></div>
            }
            <Documents contract={id} documents={detail.documents.clone()} changed={reload.clone()} />
            {
                match *open {
                    Open::Nothing => Html::default(),
                    Open::Form => html! { <ContractSheet contract={Some(contract.clone())} close={close.clone()} saved={saved.reform(|_| ())} /> },
                    Open::Assign => html! { <AssignSheet contract={id} {inside} close={close.clone()} {saved} /> },
                }
            }
        </section>
    }
}
