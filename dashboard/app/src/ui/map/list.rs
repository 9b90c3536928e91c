//! The list on the left of the map.

use bugbrother_wire::Vin;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::{
    address::Query,
    fleet::{Filter, Look, Vehicle, filter::FILTERS},
    format::{Freshness, Span},
    geo::Point,
    phrases::Phrases,
    ui::{
        browser::frame_ms,
        feed::use_live,
        glyph::Glyph,
        icon::Icon,
        map::BaseMap,
        settings::{units, use_phrases},
        table::{Skeleton, style, use_window},
    },
};

const ROW_PX: usize = 56;
/// Places that are offered beside the vehicles.
const MOST_PLACES: usize = 4;

/// Properties of [`List`].
#[derive(Properties, PartialEq)]
pub struct ListProps {
    /// What is in the address.
    pub query: Query,
    /// Whether it is shown.
    pub open: bool,
    /// A vehicle was picked.
    pub select: Callback<Option<Vin>>,
    /// A filter was picked.
    pub filter: Callback<Filter>,
    /// Another text is searched for.
    pub search: Callback<String>,
    /// A place was picked.
    pub go: Callback<(Point, f64)>,
}

/// The list.
#[component]
pub fn List(props: &ListProps) -> Html {
    let phrases = use_phrases();
    let live = use_live();
    let base: BaseMap = use_context().expect("the shell keeps the base map");
    let (window, onscroll) = use_window(ROW_PX);
    let fleet = live.fleet.borrow();
    let counts = fleet.counts();
    let now = fleet.now(frame_ms());
    let here = props.query.filter();
    let rows: Vec<&Vehicle> = fleet.select(here, props.query.search()).collect();
    let selected = props.query.selected();
    let (first, count) = window.range(rows.len());
    let (above, below) = window.padding(rows.len());
    let oninput = props.search.reform(|event: InputEvent| event.target_unchecked_into::<HtmlInputElement>().value());
    let clear = {
        let (filter, search) = (props.filter.clone(), props.search.clone());
        move |_: MouseEvent| {
            filter.emit(Filter::All);
            search.emit(String::new());
        }
    };
    html! {
        <aside class="panel list" hidden={!props.open} aria-label={phrases.vehicle_list}>
            <label class="search">
                { Icon::Search.draw() }
                <input type="search" data-search="" value={props.query.search().to_owned()} {oninput}
                    placeholder={phrases.search_placeholder} aria-label={phrases.search_label} data-testid="search" />
                <kbd aria-hidden="true">{ "/" }</kbd>
            </label>
            <div class="chips" role="group" aria-label={phrases.filter_label}>
                for filter in FILTERS {
                    <button class={classes!("chip", filter.word())} aria-pressed={(filter == here).to_string()}
                        onclick={props.filter.reform(move |_| filter)} data-testid={format!("filter-{}", filter.word())}>
                        if let Some(look) = look_of(filter) { <Glyph {look} /> }
                        { phrases.filter(filter) }<b>{ counts.get(filter) }</b>
                    </button>
                }
            </div>
            if props.query.search().trim().chars().count() >= 2 { { places(phrases, &base, props) } }
            <div class="rows" {onscroll} data-testid="rows">
                if !fleet.is_loaded() {
                    <Skeleton rows=7 />
                } else if fleet.vehicles().is_empty() {
                    <div class="empty"><h2>{ phrases.no_vehicles }</h2><p>{ phrases.no_vehicles_hint }</p></div>
                } else if rows.is_empty() {
                    <div class="empty">
                        <h2>{ phrases.nothing_found }</h2><p>{ phrases.nothing_found_hint }</p>
                        <button class="secondary" onclick={clear}>{ phrases.clear_filters }</button>
                    </div>
                }
                <ul ~style={style(format!("padding:{above}px 0 {below}px"))}>
                    for vehicle in rows.into_iter().skip(first).take(count) {
                        { row(phrases, vehicle, now, selected == Some(vehicle.vin), &props.select) }
                    }
                </ul>
            </div>
        </aside>
    }
}

/// Places of that name, on the map itself.
fn places(phrases: &Phrases, base: &BaseMap, props: &ListProps) -> Html {
    let found = base.find(props.query.search(), MOST_PLACES);
    if found.is_empty() {
        return Html::default();
    }
    html! {
        <div class="places" data-testid="places">
            <h3>{ phrases.geofence_page.places }</h3>
            for (name, at, zoom) in found {
                <button key={format!("{name} {:.4} {:.4}", at.x, at.y)} data-row="" onclick={props.go.reform(move |_| (at, zoom))}>{ name }</button>
            }
        </div>
    }
}

fn look_of(filter: Filter) -> Option<Look> {
    Some(match filter {
        Filter::All => return None,
        Filter::Moving => Look::Moving,
        Filter::Idle => Look::Idle,
        Filter::Parked => Look::Parked,
        Filter::Silent => Look::Silent,
        Filter::Alert => Look::Alert,
    })
}

fn row(phrases: &Phrases, vehicle: &Vehicle, now: i64, here: bool, select: &Callback<Option<Vin>>) -> Html {
    let vin = vehicle.vin;
    let age = vehicle.age_ms(now);
    let seen = if vehicle.received_ts == 0 { phrases.never.to_owned() } else { (phrases.ago)(Span::of(age)) };
    let speed = vehicle.speed_kmh().filter(|_| Freshness::of(age) != Freshness::Stale);
    let degrees = |key| vehicle.value(key).map(|value| format!("{value:.6}"));
    html! {
        <li key={vin.as_str()}>
            <button class={classes!("row", Freshness::of(age).class())} aria-current={here.then_some("true")} data-row=""
                onclick={select.reform(move |_| Some(vin))} data-testid={format!("row-{vin}")}
                data-lat={degrees("lat")} data-lon={degrees("lon")}>
                <Glyph look={vehicle.look()} heading={vehicle.value("hdg").unwrap_or_default()} />
                <span class="name">{ &vehicle.name }<small>{ vehicle.plate.as_deref().or(vehicle.maker).unwrap_or(vin.as_str()) }</small></span>
                <span class="now">
                    if let Some(speed) = speed {
                        <b>{ units().speed(speed).0 }<i>{ units().speed_unit() }</i></b>
                    } else {
                        <b class="muted">{ phrases.motion(vehicle.motion) }</b>
                    }
                    <small>{ seen }</small>
                </span>
            </button>
        </li>
    }
}
