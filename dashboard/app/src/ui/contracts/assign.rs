//! Vehicles to be put into a contract.

use std::collections::BTreeSet;

use bugbrother_wire::{
    ContractId, Vin,
    api::{Assign, ContractDetail},
};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::{
    fleet::Filter,
    ui::{
        api,
        feed::use_live,
        icon::Icon,
        kit::{Check, Sheet},
        saving::{Submit, use_saving},
        settings::use_phrases,
    },
};

/// So many are shown; the search finds the others.
const SHOWN: usize = 100;

/// Properties of [`AssignSheet`].
#[derive(Properties, PartialEq)]
pub struct AssignSheetProps {
    /// Into which contract.
    pub contract: ContractId,
    /// Vehicles that are in it.
    pub inside: BTreeSet<Vin>,
    /// Leaves the form.
    pub close: Callback<()>,
    /// It is done.
    pub saved: Callback<()>,
}

/// Vehicles to choose from.
#[component]
pub fn AssignSheet(props: &AssignSheetProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.business;
    let live = use_live();
    let search = use_state(String::new);
    let chosen = use_state(BTreeSet::<Vin>::new);
    let saving = use_saving();
    let oninput = {
        let search = search.clone();
        move |event: InputEvent| search.set(event.target_unchecked_into::<HtmlInputElement>().value())
    };
    let onsubmit = {
        let (saving, chosen, saved) = (saving.clone(), chosen.clone(), props.saved.clone());
        let path = format!("/contracts/{}/vehicles", props.contract);
        move |event: SubmitEvent| {
            event.prevent_default();
            let (path, saved) = (path.clone(), saved.clone());
            let body = Assign { vins: chosen.iter().copied().collect(), from: None };
            saving.run(async move { api::post::<ContractDetail>(&path, &body).await }, move |_| saved.emit(()));
        }
    };
    let fleet = live.fleet.borrow();
    let found = fleet.select(Filter::All, &search).filter(|vehicle| !props.inside.contains(&vehicle.vin)).take(SHOWN);
    html! {
        <Sheet title={words.assign} close={props.close.clone()}>
            <form class="form" {onsubmit}>
                <p class="muted">{ words.assign_hint }</p>
                <label class="search">
                    { Icon::Search.draw() }
                    <input type="search" value={(*search).clone()} {oninput} placeholder={phrases.search_placeholder} aria-label={phrases.search_label} data-testid="assign-search" />
                </label>
                <div class="picks" data-testid="assign-list">
                    for vehicle in found {
                        <Check key={vehicle.vin.as_str()} name={format!("vin-{}", vehicle.vin)} checked={chosen.contains(&vehicle.vin)}
                            label={format!("{} · {}", vehicle.name, vehicle.plate.as_deref().unwrap_or(vehicle.vin.as_str()))}
                            onchange={choose(&chosen, vehicle.vin)} />
                    }
                </div>
                if let Some(error) = saving.error("vins") { <p class="error" role="alert">{ error }</p> }
                <Submit saving={saving.clone()} label={(words.assign_count)(chosen.len())} cancel={Some(props.close.clone())} enabled={!chosen.is_empty()} />
            </form>
        </Sheet>
    }
}

fn choose(chosen: &UseStateHandle<BTreeSet<Vin>>, vin: Vin) -> Callback<bool> {
    let chosen = chosen.clone();
    Callback::from(move |on| {
        let mut next = (*chosen).clone();
        if on {
            next.insert(vin);
        } else {
            next.remove(&vin);
        }
        chosen.set(next);
    })
}
