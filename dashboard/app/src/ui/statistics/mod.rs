//! What trips amount to: a table, a chart, and files to take away.

mod chart;
mod period;
mod table;

use bugbrother_wire::api::{By, ClientList, Right, Statistics};
use web_sys::HtmlSelectElement;
use yew::{platform::spawn_local, prelude::*};

use super::{
    account::use_account,
    books::{Filters, escaped, said, take_away, use_filters},
    day,
    feed::use_live,
    fetch::{Fetched, use_fetch},
    kit::{Empty, Refused, use_toasts},
    route::Route,
    saving::trouble,
    settings::{units, use_phrases},
    table::Skeleton,
};
use crate::{fleet::Filter, phrases::Language};

pub use chart::Bars;
use period::{PERIODS, Period};
use table::StatisticsTable;

/// More bars are too thin.
const MOST_BARS: usize = 62;

/// The page.
#[component]
pub fn StatisticsPage() -> Html {
    let phrases = use_phrases();
    let words = phrases.business;
    let account = use_account();
    let live = use_live();
    let toasts = use_toasts();
    let (filters, set) = use_filters(Route::Statistics);
    let busy = use_state_eq(|| false);
    let sees_clients = account.may(Right::Clients);
    let clients = use_fetch::<ClientList>(sees_clients.then(|| "/clients?archived=true&limit=200".to_owned()));
    let (first, last) = match (&filters.from, &filters.to) {
        (Some(from), Some(to)) => (from.clone(), to.clone()),
        _ => Period::Days(30).days(day::now()),
    };
    let by = filters.by.as_deref().and_then(By::from_word).unwrap_or_default();
    let mut query = format!("from={first}&to={last}&by={}&zone={}", by.word(), escaped(&day::zone()));
    for (name, value) in [("client", &filters.client), ("vin", &filters.vin)] {
        if let Some(value) = value {
            query += &format!("&{name}={}", escaped(value));
        }
    }
    let fetch = use_fetch::<Statistics>(Some(format!("/statistics?{query}")));
    let change = {
        let (filters, set) = (filters.clone(), set);
        move |change: &dyn Fn(Filters) -> Filters| set.emit(change(filters.clone()))
    };
    let typed = |is_first: bool| {
        let (change, first, last) = (change.clone(), first.clone(), last.clone());
        move |event: Event| {
            let value = event.target_unchecked_into::<web_sys::HtmlInputElement>().value();
            if value.is_empty() {
                return;
            }
            // The other end follows where it would be on the wrong side.
            let (from, to) = if is_first {
                (value.clone(), last.clone().max(value))
            } else {
                (first.clone().min(value.clone()), value)
            };
            change(&|filters| Filters { from: Some(from.clone()), to: Some(to.clone()), ..filters });
        }
    };
    let chosen = |name: &'static str| {
        let change = change.clone();
        move |event: Event| {
            let value = said(event.target_unchecked_into::<HtmlSelectElement>().value());
            change(&|filters| match name {
                "client" => Filters { client: value.clone(), ..filters },
                _ => Filters { vin: value.clone(), ..filters },
            });
        }
    };
    let take = |format: &'static str| {
        let language = match phrases.language {
            Language::English => "en",
            Language::French => "fr",
        };
        let path = format!("/statistics/report?{query}&format={format}&language={language}");
        let name = format!("bugbrother-{}-{first}-{last}.{format}", by.word());
        let (busy, toasts) = (busy.clone(), toasts.clone());
        move |_: MouseEvent| {
            let (path, name, busy, toasts) = (path.clone(), name.clone(), busy.setter(), toasts.clone());
            busy.set(true);
            spawn_local(async move {
                if let Err(refusal) = take_away(path, name).await {
                    toasts.say(trouble(phrases, &refusal).unwrap_or_default());
                }
                busy.set(false);
            });
        }
    };
    let fleet = live.fleet.borrow();
    html! {
        <section class="page books scroll statistics" data-testid="statistics">
            <div class="bar">
                <div class="chips" role="group" aria-label={words.period}>
                    for (period, name) in PERIODS {
                        { period_chip(period, name(words), (&first, &last), change.clone()) }
                    }
                </div>
                <label class="day"><span>{ words.from }</span><input type="date" value={first.clone()} onchange={typed(true)} data-testid="statistics-from" /></label>
                <label class="day"><span>{ words.to }</span><input type="date" value={last.clone()} onchange={typed(false)} data-testid="statistics-to" /></label>
                if account.may(Right::Export) {
                    <div class="end">
                        <button class="secondary" onclick={take("csv")} disabled={*busy} data-testid="statistics-csv">{ words.download_csv }</button>
                        <button class="secondary" onclick={take("pdf")} disabled={*busy} data-testid="statistics-pdf">{ words.download_pdf }</button>
                    </div>
                }
            </div>
            <div class="bar">
                <div class="chips" role="group" aria-label={words.group_by}>
                    for one in By::ALL.into_iter().filter(|one| sees_clients || *one != By::Client) {
                        <button key={one.word()} class="chip" aria-pressed={(one == by).to_string()} data-testid={format!("by-{}", one.word())}
                            onclick={let change = change.clone(); move |_: MouseEvent| change(&|filters| Filters { by: Some(one.word().to_owned()), ..filters })}>{ (words.by)(one) }</button>
                    }
                </div>
                if sees_clients {
                    <select class="chip" aria-label={words.client} onchange={chosen("client")} data-testid="statistics-client">
                        <option value="" selected={filters.client.is_none()}>{ words.any_client }</option>
                        for client in clients.is.ready().iter().flat_map(|list| list.clients.iter()) {
                            <option key={client.id.to_string()} value={client.id.to_string()} selected={filters.client.as_deref() == Some(&client.id.to_string())}>{ &client.form.name }</option>
                        }
                    </select>
                }
                <select class="chip" aria-label={words.vehicles} onchange={chosen("vin")} data-testid="statistics-vehicle">
                    <option value="" selected={filters.vin.is_none()}>{ words.any_vehicle }</option>
                    for vehicle in fleet.select(Filter::All, "") {
                        <option key={vehicle.vin.as_str()} value={vehicle.vin.to_string()} selected={filters.vin.as_deref() == Some(vehicle.vin.as_str())}>{ &vehicle.name }</option>
                    }
                </select>
            </div>
            {
                match &fetch.is {
                    Fetched::Loading => html! { <div class="panel"><Skeleton rows=8 /></div> },
                    Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
                    Fetched::Ready(found) if found.total.trips == 0 => html! { <Empty title={words.nothing_driven} hint={words.nothing_driven_hint} /> },
                    Fetched::Ready(found) => html! {
                        <>
                            if (2..=MOST_BARS).contains(&found.lines.len()) {
                                <section class="panel pad">
                                    <h2>{ (words.distance_by)((words.by)(by)) }</h2>
                                    <Bars label={(words.distance_by)((words.by)(by))} unit={units().distance_unit()} wide=true
                                        bars={found.lines.iter().map(|line| (table::name(words, by, line), units().convert(line.totals.distance_m / 1000.0, "km").0)).collect::<Vec<_>>()} />
                                </section>
                            }
                            <StatisticsTable statistics={found.clone()} />
                        </>
                    },
                }
            }
        </section>
    }
}

fn period_chip(
    period: Period,
    name: &'static str,
    (first, last): (&str, &str),
    change: impl Fn(&dyn Fn(Filters) -> Filters) + 'static,
) -> Html {
    let (from, to) = period.days(day::now());
    let here = from == first && to == last;
    let onclick = move |_: MouseEvent| {
        change(&|filters| Filters { from: Some(from.clone()), to: Some(to.clone()), ..filters });
    };
    html! { <button key={name} class="chip" aria-pressed={here.to_string()} {onclick}>{ name }</button> }
}
