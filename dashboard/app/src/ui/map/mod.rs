//! The map's page: the surface, the list on its left, the drawer on its right.

mod area;
mod base;
mod canvas;
mod drawer;
mod layers;
mod leaflet;
mod list;
mod markers;
mod palette;
mod sketch;
mod surface;

use std::{cell::RefCell, rc::Rc};

use bugbrother_wire::Vin;
use web_sys::HtmlElement;
use yew::prelude::*;
use yew_router::prelude::*;

pub use self::{
    area::Area,
    base::BaseMap,
    sketch::{Drawing, Hands, Marker, STEPS_KMH, Sketch},
};
use self::{
    drawer::Drawer,
    layers::{Layer, Layers, use_areas, use_tint, use_way},
    list::List,
    surface::{Listeners, Order, Orders, Parts, Surface, Wishes},
};
use super::{
    browser::{self, Frames},
    feed::use_live,
    icon::Icon,
    keys::use_escape,
    route::Route,
    settings::{use_phrases, use_settings},
};
use crate::{
    address::Query,
    geo::{Insets, Point},
};

/// Width of the list and of the drawer with their margins, in pixels; the style sheet has the same.
const LIST_PX: f64 = 332.0;
const DRAWER_PX: f64 = 372.0;
/// Height of the sheets on a phone, as part of the map's.
const SHEET: f64 = 0.46;

/// The map's query in the address, and how to change it.
#[hook]
fn use_query() -> (Query, Callback<(Query, bool)>) {
    let query = use_location().and_then(|location| location.query::<Query>().ok()).unwrap_or_default();
    let navigator = use_navigator();
    let set = use_callback(navigator, |(query, push): (Query, bool), navigator| {
        let Some(navigator) = navigator else { return };
        let done = if push {
            navigator.push_with_query(&Route::Map, &query)
        } else {
            navigator.replace_with_query(&Route::Map, &query)
        };
        if let Err(error) = done {
            web_sys::console::warn_1(&error.to_string().into());
        }
    });
    (query, set)
}

/// The page.
#[component]
pub fn MapPage() -> Html {
    let phrases = use_phrases();
    let (query, set_query) = use_query();
    let list_open = use_state(|| true);
    let orders: Orders = use_mut_ref(Vec::new);
    // Callbacks that outlive a render find the newest query here.
    let newest = use_mut_ref(Query::default);
    newest.replace(query.clone());
    let change = {
        let newest = Rc::clone(&newest);
        move |push: bool, change: Box<dyn FnOnce(Query) -> Query>| {
            let query = change(newest.borrow().clone());
            if query != *newest.borrow() {
                newest.replace(query.clone());
                set_query.emit((query, push));
            }
        }
    };
    let select = {
        let change = change.clone();
        Callback::from(move |vin: Option<Vin>| change(true, Box::new(move |query| query.with_selected(vin))))
    };
    let moved = {
        let change = change.clone();
        Callback::from(move |(center, zoom): (Point, f64)| {
            change(false, Box::new(move |query| query.with_view(center, zoom)))
        })
    };
    let follow = {
        let change = change.clone();
        Callback::from(move |on: bool| change(false, Box::new(move |query| query.with_following(on))))
    };
    let filter = {
        let change = change.clone();
        Callback::from(move |filter| change(false, Box::new(move |query: Query| query.with_filter(filter))))
    };
    let search = {
        let change = change.clone();
        Callback::from(move |text: String| change(false, Box::new(move |query| query.with_search(&text))))
    };
    let order = {
        let orders = Rc::clone(&orders);
        Callback::from(move |order| orders.borrow_mut().push(order))
    };
    use_escape(select.reform(|()| None));
    let toggle_list = {
        let list_open = list_open.clone();
        Callback::from(move |_: MouseEvent| list_open.set(!*list_open))
    };

    let set_layers = {
        let change = change.clone();
        Callback::from(move |layers: Layer| {
            change(
                false,
                Box::new(move |query| match layers {
                    Layer::Colour(key) => query.with_colour(key.as_deref()),
                    Layer::Areas(on) => query.with_areas(on),
                }),
            );
        })
    };
    let layers_open = use_state(|| false);
    let toggle_layers = {
        let layers_open = layers_open.clone();
        Callback::from(move |_: MouseEvent| layers_open.set(!*layers_open))
    };

    let selected = query.selected();
    let areas = use_areas(query.shows_areas());
    let way = use_way(selected);
    let tint = use_tint(query.colour());
    let insets = insets(*list_open, selected.is_some());
    let wishes = Wishes { selected, following: query.is_following(), insets, areas, way, tint: tint.clone() };
    let listeners = Listeners { select: select.clone(), view: moved, let_go: follow.reform(|()| false) };
    let fit = order.reform(|_: MouseEvent| Order::Fit);
    let go = order.reform(|(at, zoom)| Order::Go(at, zoom));
    html! {
        <section class={classes!("map-page", list_open.then_some("with-list"), selected.map(|_| "with-drawer"))}>
            <MapSurface {wishes} {orders} {listeners} start={query.view()} />
            <List query={query.clone()} open={*list_open} select={select.clone()} {filter} {search} {go} />
            <div class="map-tools">
                <button class="tool list-toggle" onclick={toggle_list} aria-pressed={list_open.to_string()}
                    aria-label={if *list_open { phrases.hide_list } else { phrases.show_list }}>{ Icon::Collapse.draw() }</button>
                <button class="tool" onclick={toggle_layers} aria-pressed={layers_open.to_string()} data-testid="layers"
                    aria-label={phrases.geofence_page.colour_by} title={phrases.geofence_page.colour_by}>{ Icon::Layers.draw() }</button>
                <button class="tool" onclick={fit} aria-label={phrases.fit_fleet} title={phrases.fit_fleet}>{ Icon::Fit.draw() }</button>
            </div>
            if *layers_open { <Layers query={query.clone()} {tint} set={set_layers} /> }
            if let Some(vin) = selected {
                <Drawer {vin} following={query.is_following()} close={select.reform(|()| None)} {follow}
                    center={order.reform(move |()| Order::Center(vin))} />
            }
        </section>
    }
}

/// What the list and the drawer hide of the map.
fn insets(list: bool, drawer: bool) -> Insets {
    if !browser::is_narrow() {
        let pick = |open, px| if open { px } else { 0.0 };
        return Insets { left: pick(list, LIST_PX), right: pick(drawer, DRAWER_PX), ..Insets::default() };
    }
    let height = browser::element(".map-page").map_or(600.0, |page| f64::from(page.client_height()));
    Insets { bottom: if list || drawer { height * SHEET } else { 0.0 }, ..Insets::default() }
}

#[derive(Properties, PartialEq)]
struct MapSurfaceProps {
    wishes: Wishes,
    orders: Orders,
    listeners: Listeners,
    start: Option<(Point, f64)>,
}

#[component]
fn MapSurface(props: &MapSurfaceProps) -> Html {
    let settings = use_settings();
    let fleet = use_live().fleet;
    let base: BaseMap = use_context().expect("the shell keeps the base map");
    let host = use_node_ref();
    let wishes = use_mut_ref(Wishes::default);
    wishes.replace(props.wishes.clone());
    {
        let (host, orders, listeners, start) =
            (host.clone(), Rc::clone(&props.orders), props.listeners.clone(), props.start);
        use_effect_with((), move |()| {
            let surface = host.cast::<HtmlElement>().map(|host| {
                let reduced_motion = browser::fits("(prefers-reduced-motion: reduce)");
                RefCell::new(Surface::new(Parts {
                    host,
                    base,
                    fleet,
                    wishes,
                    orders,
                    listeners,
                    start,
                    reduced_motion,
                }))
            });
            let frames = surface.map(|surface| Frames::start(move |_| surface.borrow_mut().frame()));
            move || drop(frames)
        });
    }
    {
        let orders = Rc::clone(&props.orders);
        use_effect_with(settings.is_dark, move |_| orders.borrow_mut().push(Order::Repaint));
    }
    html! {
        <div class="map" ref={host} role="application" aria-label={settings.phrases.map_of_the_fleet} data-testid="map" />
    }
}
