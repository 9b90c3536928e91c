//! Which vehicles a rule is about.

use bugbrother_wire::{
    ClientId, Vin,
    api::{ClientList, Right},
    rule::{MAX_SCOPE_VEHICLES, Scope},
};
use yew::prelude::*;

use crate::{
    fleet::Filter,
    ui::{
        account::use_account,
        feed::use_live,
        fetch::use_fetch,
        kit::{Field, Select},
        settings::use_phrases,
    },
};

/// Vehicles that are offered by name.
const MOST: usize = 500;

/// Properties of [`Whose`].
#[derive(Properties, PartialEq)]
pub struct WhoseProps {
    /// Which.
    pub scope: Scope,
    /// What is wrong with it.
    pub error: Option<AttrValue>,
    /// They are others now.
    pub changed: Callback<Scope>,
}

/// The choice.
#[component]
pub fn Whose(props: &WhoseProps) -> Html {
    let words = &use_phrases().rule_page;
    let live = use_live();
    let sees_clients = use_account().may(Right::Clients);
    let clients = use_fetch::<ClientList>(sees_clients.then(|| "/clients?archived=false&limit=200".to_owned()));
    let kind = match &props.scope {
        Scope::All => "all",
        Scope::Vehicles(_) => "vehicles",
        Scope::Class(_) => "class",
        Scope::Client(_) => "client",
    };
    let mut kinds = vec!["all", "vehicles", "class"];
    let known = clients.is.ready().map(|list| list.clients.as_slice()).unwrap_or_default();
    if kind == "client" || !known.is_empty() {
        kinds.push("client");
    }
    let first = known.first().map(|client| client.id);
    let turn = props.changed.reform(move |kind: String| match (kind.as_str(), first) {
        ("vehicles", _) => Scope::Vehicles(Vec::new()),
        ("class", _) => Scope::Class("Van".to_owned()),
        ("client", Some(client)) => Scope::Client(client),
        _ => Scope::All,
    });
    let rest = match &props.scope {
        Scope::All => html! {},
        Scope::Class(class) => html! {
            <Field name="class" label={words.class} hint={words.class_hint} value={class.clone()} error={props.error.clone()} oninput={props.changed.reform(Scope::Class)} />
        },
        Scope::Client(client) => {
            let mut choices: Vec<(AttrValue, AttrValue)> =
                known.iter().map(|one| (one.id.to_string().into(), one.form.name.clone().into())).collect();
            if !known.iter().any(|one| one.id == *client) {
                choices.push((client.to_string().into(), client.to_string().into()));
            }
            let turn = props.changed.reform(|id: String| id.parse::<ClientId>().map_or(Scope::All, Scope::Client));
            html! { <Select name="client" label={(words.scope)("client")} value={client.to_string()} {choices} onchange={turn} /> }
        }
        Scope::Vehicles(vins) => {
            let fleet = live.fleet.borrow();
            let named = fleet.select(Filter::All, "").take(MOST).map(|one| (one.vin, one.name.clone()));
            let named: Vec<(Vin, String)> = named.collect();
            let name = |vin: Vin| {
                named.iter().find(|(of, _)| *of == vin).map_or_else(|| vin.to_string(), |(_, name)| name.clone())
            };
            let mut choices = vec![(AttrValue::from(""), AttrValue::from(""))];
            if vins.len() < MAX_SCOPE_VEHICLES {
                let others = named.iter().filter(|(vin, _)| !vins.contains(vin));
                choices.extend(others.map(|(vin, name)| (vin.to_string().into(), name.clone().into())));
            }
            let add = {
                let vins = vins.clone();
                props.changed.reform(move |vin: String| {
                    Scope::Vehicles(vins.iter().copied().chain(vin.parse::<Vin>().ok()).collect())
                })
            };
            html! {
                <>
                    <Select name="vehicles" label={words.add_vehicle} value="" {choices} error={props.error.clone()} onchange={add} />
                    <div class="chips">
                        for vin in vins.clone() {
                            <button key={vin.to_string()} type="button" class="chip" aria-label={format!("{}: {}", words.remove, name(vin))}
                                onclick={let vins = vins.clone(); props.changed.reform(move |_| Scope::Vehicles(vins.iter().copied().filter(|one| *one != vin).collect()))}>
                                { name(vin) }{ " ×" }
                            </button>
                        }
                    </div>
                </>
            }
        }
    };
    html! {
        <>
            <Select name="scope" label={words.about} value={kind} onchange={turn}
                choices={kinds.into_iter().map(|kind| (kind.into(), (words.scope)(kind).into())).collect::<Vec<_>>()} />
            { rest }
        </>
    }
}
