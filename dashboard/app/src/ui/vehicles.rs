//! The fleet as a table.

use std::cmp::Ordering;

use bugbrother_wire::Vin;
use web_sys::HtmlInputElement;
use yew::prelude::*;
use yew_router::prelude::*;

use super::{
    browser::frame_ms,
    feed::use_live,
    glyph::Glyph,
    icon::Icon,
    route::Route,
    settings::use_phrases,
    table::{Skeleton, style, use_window},
};
use crate::{
    address::Query,
    fleet::{Filter, Vehicle},
    format::{Freshness, Span, number},
    phrases::Phrases,
};

const ROW_PX: usize = 48;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    Plate,
    Maker,
    State,
    Speed,
    Fuel,
    Seen,
}

impl Column {
    fn name(self, phrases: &Phrases) -> &'static str {
        match self {
            Column::Name => phrases.name,
            Column::Plate => phrases.plate,
            Column::Maker => phrases.maker,
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
            Column::State => "state",
            Column::Speed | Column::Seen => "number",
            Column::Fuel => "number fuel",
        }
    }

    fn compare(self, a: &Vehicle, b: &Vehicle) -> Ordering {
        let value = |x: Option<f64>, y: Option<f64>| y.unwrap_or(-1.0).total_cmp(&x.unwrap_or(-1.0));
        match self {
            // They come in the order of their names.
            Column::Name => Ordering::Equal,
            Column::Plate => a.plate.cmp(&b.plate),
            Column::Maker => a.maker.cmp(&b.maker),
            Column::State => b.look().cmp(&a.look()),
            Column::Speed => value(a.speed_kmh(), b.speed_kmh()),
            Column::Fuel => value(a.value("fuel"), b.value("fuel")),
            Column::Seen => b.received_ts.cmp(&a.received_ts),
        }
    }
}

const COLUMNS: [Column; 7] =
    [Column::Name, Column::Plate, Column::Maker, Column::State, Column::Speed, Column::Fuel, Column::Seen];

/// The page of all vehicles.
#[component]
pub fn Vehicles() -> Html {
    let phrases = use_phrases();
    let live = use_live();
    let search = use_state(String::new);
    let sort = use_state_eq(|| (Column::Name, false));
    let (window, onscroll) = use_window(ROW_PX);
    let navigator = use_navigator();

    let fleet = live.fleet.borrow();
    let now = fleet.now(frame_ms());
    let mut rows: Vec<&Vehicle> = fleet.select(Filter::All, &search).collect();
    let (column, reversed) = *sort;
    rows.sort_by(|a, b| column.compare(a, b));
    if reversed {
        rows.reverse();
    }
    let open = move |vin: Vin| {
        let navigator = navigator.clone();
        Callback::from(move |()| {
            let pushed = navigator.as_ref().map(|navigator| navigator.push_with_query(&Route::Map, &Query::of(vin)));
            if let Some(Err(error)) = pushed {
                web_sys::console::warn_1(&error.to_string().into());
            }
        })
    };
    let (first, count) = window.range(rows.len());
    let (above, below) = window.padding(rows.len());
    let oninput = {
        let search = search.clone();
        move |event: InputEvent| search.set(event.target_unchecked_into::<HtmlInputElement>().value())
    };
    html! {
        <section class="page vehicles">
            <label class="search">
                { Icon::Search.draw() }
                <input type="search" data-search="" value={(*search).clone()} {oninput} placeholder={phrases.search_placeholder}
                    aria-label={phrases.search_label} />
                <kbd aria-hidden="true">{ "/" }</kbd>
            </label>
            <div class="panel scroll" {onscroll}>
                <table class="table" aria-rowcount={rows.len().to_string()} data-testid="vehicle-table">
                    <thead><tr>
                        for column in COLUMNS {
                            <Heading {column} sort={*sort} set={let sort = sort.setter(); Callback::from(move |to| sort.set(to))} />
                        }
                    </tr></thead>
                    <tbody>
                        <tr class="room" aria-hidden="true"><td colspan="7" ~style={style(format!("height:{above}px"))} /></tr>
                        for vehicle in rows.iter().skip(first).take(count) {
                            { row(phrases, vehicle, now, open(vehicle.vin)) }
                        }
                        <tr class="room" aria-hidden="true"><td colspan="7" ~style={style(format!("height:{below}px"))} /></tr>
                    </tbody>
                </table>
                if !fleet.is_loaded() {
                    <Skeleton rows=8 />
                } else if rows.is_empty() {
                    <div class="empty"><h2>{ phrases.nothing_found }</h2><p>{ phrases.nothing_found_hint }</p></div>
                }
            </div>
        </section>
    }
}

fn row(phrases: &Phrases, vehicle: &Vehicle, now: i64, open: Callback<()>) -> Html {
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
            <td class="strong">{ &vehicle.name }<small class="mono">{ vehicle.vin.as_str() }</small></td>
            <td class="plate">{ vehicle.plate.clone().unwrap_or_else(|| "–".to_owned()) }</td>
            <td class="maker">{ vehicle.maker.unwrap_or("–") }</td>
            <td class="state"><Glyph look={vehicle.look()} {heading} />{ phrases.motion(vehicle.motion) }</td>
            <td class="number">{ cell(vehicle.speed_kmh(), "km/h") }</td>
            <td class="number fuel">{ cell(vehicle.value("fuel"), "%") }</td>
            <td class="number muted">{ seen }</td>
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
