//! Contracts: on what terms the fleet serves whom.

mod assign;
mod detail;
mod documents;
mod form;

use bugbrother_wire::api::{ContractList, ContractState, ContractSummary};
use yew::prelude::*;
use yew_router::prelude::*;

use super::{
    api,
    books::{Filters, use_filters},
    day,
    fetch::{Fetched, use_fetch},
    kit::{Empty, Refused},
    route::Route,
    saving::use_saving,
    settings::use_phrases,
    table::Skeleton,
};
use crate::phrases::business::Business;

pub use detail::ContractPage;
pub use form::ContractSheet;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Word of each list and what it holds.
const LISTS: [(&str, Option<ContractState>); 5] = [
    ("all", None),
    ("running", Some(ContractState::Running)),
    ("ending", Some(ContractState::Ending)),
    ("ended", Some(ContractState::Ended)),
    ("coming", Some(ContractState::Coming)),
];

/// The page of all contracts.
#[component]
pub fn Contracts() -> Html {
    let words = use_phrases().business;
    let (filters, set) = use_filters(Route::Contracts);
    let adding = use_state(|| false);
    let further = use_state(Vec::<ContractSummary>::new);
    let next = use_state(|| None::<String>);
    let saving = use_saving();
    let wanted = filters.f.clone().unwrap_or_else(|| "running".to_owned());
    let path = match &filters.client {
        Some(client) => format!("/contracts?state={wanted}&client={client}"),
        None => format!("/contracts?state={wanted}"),
    };
    let fetch = use_fetch::<ContractList>(Some(path.clone()));
    {
        let (further, next) = (further.setter(), next.setter());
        use_effect_with(fetch.is.ready().cloned(), move |list| {
            further.set(Vec::new());
            next.set(list.as_ref().and_then(|list| list.next.clone()));
        });
    }
    let more = next.as_ref().map(|after| {
        let (path, saving, further, next) =
            (format!("{path}&after={after}"), saving.clone(), further.clone(), next.setter());
        Callback::from(move |_: MouseEvent| {
            let (path, further, next) = (path.clone(), further.clone(), next.clone());
            saving.run(async move { api::get::<ContractList>(&path).await }, move |list| {
                next.set(list.next);
                further.set(further.iter().cloned().chain(list.contracts).collect());
            });
        })
    });
    let add = {
        let adding = adding.setter();
        Callback::from(move |_: MouseEvent| adding.set(true))
    };
    let close = {
        let adding = adding.setter();
        Callback::from(move |()| adding.set(false))
    };
    let saved = {
        let (close, reload) = (close.clone(), fetch.reload.clone());
        Callback::from(move |_: ContractSummary| {
            close.emit(());
            reload.emit(());
        })
    };
    html! {
        <section class="page books" data-testid="contracts">
            <div class="bar">
                <div class="chips" role="group" aria-label={words.contracts}>
                    for (word, state) in LISTS {
                        <button key={word} class="chip" aria-pressed={(wanted == word).to_string()} data-testid={format!("contracts-{word}")}
                            onclick={let (filters, set) = (filters.clone(), set.clone()); move |_: MouseEvent| set.emit(Filters { f: Some(word.to_owned()), ..filters.clone() })}>
                            { state.map_or(words.all, words.contract_state) }
                        </button>
                    }
                </div>
                <div class="end"><button class="primary" onclick={add.clone()} data-testid="contract-add">{ words.add_contract }</button></div>
            </div>
            {
                match &fetch.is {
                    Fetched::Loading => html! { <div class="panel"><Skeleton rows=6 /></div> },
                    Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
                    Fetched::Ready(list) if list.contracts.is_empty() => html! {
                        <Empty title={words.no_contracts} hint={words.no_contracts_hint}>
                            <button class="secondary" onclick={add}>{ words.add_contract }</button>
                        </Empty>
                    },
                    Fetched::Ready(list) => {
                        let all: Vec<_> = list.contracts.iter().chain(further.iter()).cloned().collect();
                        html! {
                            <div class="panel scroll">
                                { contract_table(words, &all, true) }
                                if let Some(onclick) = more { <button class="more" {onclick} disabled={saving.busy()}>{ words.more }</button> }
                            </div>
                        }
                    },
                }
            }
            if *adding { <ContractSheet {close} {saved} /> }
        </section>
    }
}

/// Contracts as a table, with their clients or without.
pub fn contract_table(words: &'static Business, contracts: &[ContractSummary], with_client: bool) -> Html {
    html! {
        <table class="table" data-testid="contract-table">
            <thead><tr>
                <th scope="col">{ words.title }</th>
                if with_client { <th scope="col">{ words.client }</th> }
                <th scope="col">{ words.state }</th>
                <th scope="col" class="wide-only">{ words.starts }</th><th scope="col">{ words.ends }</th>
                <th scope="col" class="number">{ words.vehicles }</th>
            </tr></thead>
            <tbody>for contract in contracts { <Line key={contract.id.to_string()} contract={contract.clone()} {with_client} /> }</tbody>
        </table>
    }
}

#[derive(Properties, PartialEq)]
struct LineProps {
    contract: ContractSummary,
    with_client: bool,
}

#[component]
fn Line(props: &LineProps) -> Html {
    let words = use_phrases().business;
    let navigator = use_navigator();
    let contract = &props.contract;
    let id = contract.id;
    let open = Callback::from(move |()| {
        if let Some(navigator) = &navigator {
            navigator.push(&Route::Contract { id });
        }
    });
    let onkeydown = {
        let open = open.clone();
        move |event: KeyboardEvent| {
            if event.key() == "Enter" {
                open.emit(());
            }
        }
    };
    html! {
        <tr class="link" tabindex="0" data-row="" onclick={open.reform(|_| ())} {onkeydown} data-testid={format!("contract-{id}")}>
            <td class="strong">{ &contract.form.title }</td>
            if props.with_client { <td>{ &contract.client_name }</td> }
            <td>{ state_badge(words, contract) }</td>
            <td class="wide-only">{ day::day(words.locale, contract.form.starts) }</td>
            <td>{ last_day(words, contract) }</td>
            <td class="number">{ contract.vehicles }</td>
        </tr>
    }
}

/// The last day of a contract.
pub fn last_day(words: &Business, contract: &ContractSummary) -> String {
    contract.form.ends.map_or(words.open_end.to_owned(), |ends| day::day(words.locale, ends - 1))
}

/// What a contract has come to, and in how many days it ends if that is soon.
pub fn state_badge(words: &Business, contract: &ContractSummary) -> Html {
    let class = match contract.state {
        ContractState::Coming | ContractState::Ended => "",
        ContractState::Running => "ok",
        ContractState::Ending => "warn",
    };
    let text = match (contract.state, contract.form.ends) {
        (ContractState::Ending, Some(ends)) => {
            format!(
                "{} · {}",
                (words.contract_state)(contract.state),
                (words.ends_in_days)((ends - day::now()) / DAY_MS)
            )
        }
        _ => (words.contract_state)(contract.state).to_owned(),
    };
    html! { <span class={classes!("badge", class)}>{ text }</span> }
}
