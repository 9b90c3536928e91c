//! The fleet as a table.

mod form;
mod import;
mod roster;
mod sheet;
mod views;

use std::cmp::Ordering;

use bugbrother_wire::{Vin, api::Right};
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;
use yew_router::prelude::*;

use super::{
    account::use_account,
    books::{Filters, said, use_filters},
    browser::frame_ms,
    feed::use_live,
    glyph::Glyph,
    icon::Icon,
    route::Route,
    settings::{units, use_phrases},
    table::{Skeleton, style, use_window},
};
use crate::{
    fleet::{Filter, Vehicle, filter::FILTERS},
    format::{Freshness, Span, number},
    phrases::{Phrases, business::Business},
};
use import::ImportSheet;
use roster::{Whole, use_roster};
pub use sheet::VehicleSheet;
use views::Views;

const ROW_PX: usize = 48;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    Plate,
    Maker,
    Class,
    Client,
    State,
    Speed,
    Fuel,
    Seen,
}

/// What stands over the list.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    Nothing,
    Add,
    Import,
    Books(Vin),
}

impl Column {
    fn name(self, phrases: &Phrases) -> &'static str {
        match self {
            Column::Name => phrases.name,
            Column::Plate => phrases.plate,
            Column::Maker => phrases.maker,
            Column::Class => phrases.business.class,
            Column::Client => phrases.business.client,
            Column::State => phrases.state,
            Column::Speed => phrases.speed,
            Column::Fuel => phrases.fuel,
            Column::Seen => phrases.last_seen,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Column::Name => "",
            Column::Plate => "plate",
            Column::Maker => "maker",
            Column::Class => "class-column",
            Column::Client => "client-column",
            Column::State => "state",
            Column::Speed => "number",
            Column::Seen => "number wide-only",
            Column::Fuel => "number fuel",
        }
    }

    fn compare(self, a: &Vehicle, b: &Vehicle, roster: &Whole) -> Ordering {
        let class = |vehicle: &Vehicle| roster.line(vehicle.vin).and_then(|line| line.class.clone());
        let value = |x: Option<f64>, y: Option<f64>| y.unwrap_or(-1.0).total_cmp(&x.unwrap_or(-1.0));
        match self {
            // They come in the order of their names.
            Column::Name => Ordering::Equal,
            Column::Plate => a.plate.cmp(&b.plate),
            Column::Maker => a.maker.cmp(&b.maker),
            Column::Class => class(a).cmp(&class(b)),
            Column::Client => roster.client(a.vin).cmp(&roster.client(b.vin)),
            Column::State => b.look().cmp(&a.look()),
            Column::Speed => value(a.speed_kmh(), b.speed_kmh()),
            Column::Fuel => value(a.value("fuel"), b.value("fuel")),
            Column::Seen => b.received_ts.cmp(&a.received_ts),
        }
    }
}

const COLUMNS: [Column; 9] = [
    Column::Name,
    Column::Plate,
    Column::Maker,
    Column::Class,
    Column::Client,
    Column::State,
    Column::Speed,
    Column::Fuel,
    Column::Seen,
];

/// Of those without a class, or without a client.
const WITHOUT: &str = "-";

/// The page of all vehicles.
#[component]
pub fn Vehicles() -> Html {
    let phrases = use_phrases();
    let words = phrases.business;
    let live = use_live();
    let account = use_account();
    let (filters, set) = use_filters(Route::Vehicles);
    let (roster, reload) = use_roster();
    let shown = use_state(|| Open::Nothing);
    let sort = use_state_eq(|| (Column::Name, false));
    let (window, onscroll) = use_window(ROW_PX);
    let navigator = use_navigator();

    let fleet = live.fleet.borrow();
    let now = fleet.now(frame_ms());
    let search = filters.q.clone().unwrap_or_default();
    let filter = filters.f.as_deref().map(Filter::from_word).unwrap_or_default();
    let mut rows: Vec<&Vehicle> =
        fleet.select(filter, &search).filter(|vehicle| passes(&filters, &roster, vehicle.vin)).collect();
    let counts = fleet.counts();
    let (column, reversed) = *sort;
    rows.sort_by(|a, b| column.compare(a, b, &roster));
    if reversed {
        rows.reverse();
    }
    let open = move |vin: Vin| {
        let navigator = navigator.clone();
        Callback::from(move |()| {
            if let Some(navigator) = &navigator {
                navigator.push(&Route::Vehicle { vin });
            }
        })
    };
    let (first, count) = window.range(rows.len());
    let (above, below) = window.padding(rows.len());
    let change = {
        let (filters, set) = (filters.clone(), set.clone());
        // Changed filters are no saved view any more.
        move |change: &dyn Fn(Filters) -> Filters| set.emit(change(Filters { view: None, ..filters.clone() }))
    };
    let oninput = {
        let change = change.clone();
        move |event: InputEvent| {
            let q = said(event.target_unchecked_into::<HtmlInputElement>().value());
            change(&|filters| Filters { q: q.clone(), ..filters });
        }
    };
    let by_class = {
        let change = change.clone();
        Callback::from(move |class: Option<String>| change(&|filters| Filters { class: class.clone(), ..filters }))
    };
    let by_client = {
        let change = change.clone();
        Callback::from(move |client: Option<String>| change(&|filters| Filters { client: client.clone(), ..filters }))
    };
    let archived = filters.archived.is_some();
    let toggle_archived = {
        let change = change.clone();
        move |_: MouseEvent| change(&|filters| Filters { archived: (!archived).then(|| "1".to_owned()), ..filters })
    };
    let show = |what| {
        let shown = shown.setter();
        Callback::from(move |_: MouseEvent| shown.set(what))
    };
    let close = {
        let shown = shown.setter();
        Callback::from(move |()| shown.set(Open::Nothing))
    };
    let edits = account.may(Right::Vehicles);
    let classes_choices: Vec<(String, String)> =
        roster.classes().into_iter().map(|class| (class.clone(), class)).collect();
    let client_choices: Vec<(String, String)> = std::iter::once((WITHOUT.to_owned(), words.no_client.to_owned()))
        .chain(roster.clients().into_iter().map(|client| (client.id.to_string(), client.name)))
        .collect();
    let columns = COLUMNS.len() + usize::from(edits);
    html! {
        <section class="page vehicles">
            <Views page="vehicles" filters={filters.clone()} set={set.clone()} all={words.all_vehicles} />
            <div class="bar">
                <label class="search">
                    { Icon::Search.draw() }
                    <input type="search" data-search="" value={search.clone()} {oninput} placeholder={phrases.search_placeholder}
                        aria-label={phrases.search_label} data-testid="vehicle-search" />
                    <kbd aria-hidden="true">{ "/" }</kbd>
                </label>
                <div class="chips" role="group" aria-label={phrases.filter_label}>
                    for one in FILTERS {
                        <button key={one.word()} class="chip" aria-pressed={(filter == one).to_string()} data-testid={format!("vehicles-{}", one.word())}
                            onclick={let change = change.clone(); move |_: MouseEvent| change(&|filters| Filters { f: (one != Filter::All).then(|| one.word().to_owned()), ..filters })}>
                            { phrases.filter(one) }<small>{ counts.get(one) }</small>
                        </button>
                    }
                    if !classes_choices.is_empty() {
                        <Choice label={words.class} all={words.any_class} choices={classes_choices} value={filters.class.clone()} choose={by_class} testid="vehicles-class" />
                    }
                    if client_choices.len() > 1 {
                        <Choice label={words.client} all={words.any_client} choices={client_choices} value={filters.client.clone()} choose={by_client} testid="vehicles-client" />
                    }
                    if edits {
                        <button class="chip" aria-pressed={archived.to_string()} onclick={toggle_archived} data-testid="vehicles-archived">{ words.show_archived }</button>
                    }
                </div>
                if edits {
                    <div class="end">
                        <button class="secondary" onclick={show(Open::Import)} data-testid="vehicle-import">{ words.import }</button>
                        <button class="primary" onclick={show(Open::Add)} data-testid="vehicle-add">{ words.add_vehicle }</button>
                    </div>
                }
            </div>
            <div class="panel scroll" {onscroll}>
                <table class="table" aria-rowcount={rows.len().to_string()} data-testid="vehicle-table">
                    <thead><tr>
                        for column in COLUMNS {
                            <Heading {column} sort={*sort} set={let sort = sort.setter(); Callback::from(move |to| sort.set(to))} />
                        }
                        if edits { <th scope="col"><span class="unseen">{ words.actions }</span></th> }
                    </tr></thead>
                    <tbody>
                        <tr class="room" aria-hidden="true"><td colspan={columns.to_string()} ~style={style(format!("height:{above}px"))} /></tr>
                        for vehicle in rows.iter().skip(first).take(count) {
                            { row(phrases, vehicle, &roster, now, open(vehicle.vin), edits.then(|| show(Open::Books(vehicle.vin)))) }
                        }
                        <tr class="room" aria-hidden="true"><td colspan={columns.to_string()} ~style={style(format!("height:{below}px"))} /></tr>
                    </tbody>
                </table>
                if !fleet.is_loaded() {
                    <Skeleton rows=8 />
                } else if rows.is_empty() {
                    <div class="empty"><h2>{ phrases.nothing_found }</h2><p>{ phrases.nothing_found_hint }</p></div>
                }
            </div>
            {
                match *shown {
                    Open::Nothing => Html::default(),
                    Open::Add => html! { <VehicleSheet {close} changed={reload} /> },
                    Open::Import => html! { <ImportSheet {close} done={reload} /> },
                    Open::Books(vin) => html! { <VehicleSheet vin={Some(vin)} {close} changed={reload} /> },
                }
            }
        </section>
    }
}

/// Whether a vehicle passes the filters that it cannot tell of itself.
fn passes(filters: &Filters, roster: &Whole, vin: Vin) -> bool {
    let line = roster.line(vin);
    let of = |wanted: &Option<String>, is: Option<String>| match wanted.as_deref() {
        None => true,
        Some(WITHOUT) => is.is_none(),
        Some(wanted) => is.as_deref() == Some(wanted),
    };
    let is_archived = line.is_some_and(|line| line.archived);
    (filters.archived.is_some() || !is_archived)
        && of(&filters.class, line.and_then(|line| line.class.clone()))
        && of(&filters.client, line.and_then(|line| line.client).map(|client| client.to_string()))
}

#[derive(Properties, PartialEq)]
struct ChoiceProps {
    label: &'static str,
    all: &'static str,
    choices: Vec<(String, String)>,
    value: Option<String>,
    choose: Callback<Option<String>>,
    testid: &'static str,
}

/// A filter with many values.
#[component]
fn Choice(props: &ChoiceProps) -> Html {
    let onchange = props.choose.reform(|event: Event| said(event.target_unchecked_into::<HtmlSelectElement>().value()));
    html! {
        <select class={classes!("chip", props.value.is_some().then_some("on"))} aria-label={props.label} {onchange} data-testid={props.testid}>
            <option value="" selected={props.value.is_none()}>{ props.all }</option>
            for (value, name) in &props.choices {
                <option key={value.clone()} value={value.clone()} selected={props.value.as_ref() == Some(value)}>{ name }</option>
            }
        </select>
    }
}

fn row(
    phrases: &Phrases,
    vehicle: &Vehicle,
    roster: &Whole,
    now: i64,
    open: Callback<()>,
    books: Option<Callback<MouseEvent>>,
) -> Html {
    let words: &Business = phrases.business;
    let line = roster.line(vehicle.vin);
    let freshness = Freshness::of(vehicle.age_ms(now)).class();
    let heading = vehicle.value("hdg").unwrap_or_default();
    let onkeydown = {
        let open = open.clone();
        move |event: KeyboardEvent| {
            if event.key() == "Enter" {
                open.emit(());
            }
        }
    };
    let seen =
        if vehicle.received_ts == 0 { phrases.never.to_owned() } else { (phrases.ago)(Span::of(vehicle.age_ms(now))) };
    html! {
        <tr key={vehicle.vin.as_str()} class={classes!("link", freshness)} tabindex="0" data-row="" onclick={open.reform(|_| ())} {onkeydown}>
            <td class="strong">
                { &vehicle.name }<small class="mono">{ vehicle.vin.as_str() }</small>
                if line.is_some_and(|line| line.archived) { { " " }<span class="badge">{ words.archived }</span> }
            </td>
            <td class="plate">{ vehicle.plate.clone().unwrap_or_else(|| "–".to_owned()) }</td>
            <td class="maker">{ vehicle.maker.unwrap_or("–") }</td>
            <td class="class-column">{ line.and_then(|line| line.class.clone()).unwrap_or_else(|| words.none.to_owned()) }</td>
            <td class="client-column">{ roster.client(vehicle.vin).unwrap_or(words.none).to_owned() }</td>
            <td class="state"><Glyph look={vehicle.look()} {heading} />{ phrases.motion(vehicle.motion) }</td>
            <td class="number">{ cell(vehicle.speed_kmh().map(|speed| units().convert(speed, "km/h").0), units().speed_unit()) }</td>
            <td class="number fuel">{ cell(vehicle.value("fuel"), "%") }</td>
            <td class="number muted wide-only">{ seen }</td>
            if let Some(books) = books {
                <td class="number">
                    <button class="tool" aria-label={format!("{}: {}", words.edit, vehicle.name)} data-testid={format!("books-{}", vehicle.vin)}
                        onclick={move |event: MouseEvent| { event.stop_propagation(); books.emit(event); }} onkeydown={|event: KeyboardEvent| event.stop_propagation()}>
                        { Icon::Sliders.draw() }
                    </button>
                </td>
            }
        </tr>
    }
}

fn cell(value: Option<f64>, unit: &'static str) -> Html {
    match value {
        Some(value) => html! { <>{ number(value, 0) }<small class="unit">{ unit }</small></> },
        None => html! { "–" },
    }
}

#[derive(Properties, PartialEq)]
struct HeadingProps {
    column: Column,
    sort: (Column, bool),
    set: Callback<(Column, bool)>,
}

#[component]
fn Heading(props: &HeadingProps) -> Html {
    let phrases = use_phrases();
    let here = props.sort.0 == props.column;
    let next = (props.column, here && !props.sort.1);
    let direction = match (here, props.sort.1) {
        (false, _) => "none",
        (true, false) => "ascending",
        (true, true) => "descending",
    };
    html! {
        <th scope="col" class={props.column.class()} aria-sort={direction}>
            <button onclick={props.set.reform(move |_| next)}>{ props.column.name(phrases) }{ Icon::Chevron.draw() }</button>
        </th>
    }
}
