//! The page of a vehicle: its head, its gauges, and a tab for each thing that one may want to know of it.

mod commands;
mod diagnostics;
mod eyes;
mod gauges;
mod history;
mod media;
mod signals;
mod trip;
mod trips;
mod wishes;

use bugbrother_wire::{
    Vin,
    api::{Right, VehicleCard},
    live::{Motion, News},
};
use yew::prelude::*;
use yew_router::prelude::*;

use self::{
    commands::Commands, diagnostics::Diagnostics, gauges::GaugeStrip, history::History, media::MediaTab,
    trip::TripView, trips::Trips,
};
pub use self::{commands::refusal_text, gauges::label};
use super::{
    account::use_account,
    api::Refusal,
    browser::frame_ms,
    feed::{use_live, use_revision},
    fetch::Fetched,
    glyph::Glyph,
    icon::Icon,
    kit::{Refused, Tabs},
    maintenance::Maintenance,
    news::use_fresh,
    route::Route,
    settings::use_phrases,
    table::Skeleton,
};
use crate::{
    address::{Query, VehicleQuery},
    fleet::Look,
    format::{Freshness, Span},
};

/// The page's query in the address, and how to change it.
#[hook]
fn use_query(vin: Vin) -> (VehicleQuery, Callback<(VehicleQuery, bool)>) {
    let query = use_location().and_then(|location| location.query::<VehicleQuery>().ok()).unwrap_or_default();
    let navigator = use_navigator();
    let set = use_callback((navigator, vin), |(query, push): (VehicleQuery, bool), (navigator, vin)| {
        let Some(navigator) = navigator else { return };
        let route = Route::Vehicle { vin: *vin };
        let done =
            if push { navigator.push_with_query(&route, &query) } else { navigator.replace_with_query(&route, &query) };
        if let Err(error) = done {
            web_sys::console::warn_1(&error.to_string().into());
        }
    });
    (query, set)
}

/// Properties of [`VehiclePage`].
#[derive(Properties, PartialEq)]
pub struct VehiclePageProps {
    /// The vehicle.
    pub vin: Vin,
}

/// The page.
#[component]
pub fn VehiclePage(props: &VehiclePageProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.vehicle_page;
    let vin = props.vin;
    let account = use_account();
    let (query, set_query) = use_query(vin);
    let card = use_fresh::<VehicleCard>(Some(format!("/vehicles/{vin}/card")), Some(vin), &[News::Trips]);
    match &card.is {
        Fetched::Failed(refusal) if !matches!(refusal, Refusal::Unreachable) => {
            return html! { <Refused refusal={refusal.clone()} retry={card.reload.clone()} /> };
        }
        _ => {}
    }
    let mut tabs = vec![
        ("history", words.history.into()),
        ("trips", words.trips.into()),
        ("diagnostics", words.diagnostics.into()),
        ("maintenance", phrases.business.maintenance.into()),
    ];
    if account.may(Right::Command) {
        tabs.push(("commands", words.commands.into()));
    }
    tabs.push(("media", words.media.into()));
    let wanted = query.tab.clone().unwrap_or_default();
    let here = tabs.iter().map(|(word, _)| *word).find(|word| *word == wanted).unwrap_or("history");
    let choose = {
        let (set_query, query) = (set_query.clone(), query.clone());
        Callback::from(move |tab: &'static str| {
            let tab = (tab != "history").then(|| tab.to_owned());
            set_query.emit((VehicleQuery { tab, trip: None, ..query.clone() }, true));
        })
    };
    let open_trip = {
        let (set_query, query) = (set_query.clone(), query.clone());
        Callback::from(move |trip: Option<i64>| {
            set_query.emit((VehicleQuery { tab: Some("trips".to_owned()), trip, ..query.clone() }, true));
        })
    };
    let replace = set_query.reform(|query: VehicleQuery| (query, false));
    html! {
        <section class="page vehicle-page">
            <Head {vin} card={card.is.ready().cloned()} />
            if query.trip.is_none() { <LiveGauges {vin} /> }
            <Tabs label={words.tabs} tabs={tabs} {here} {choose} />
            <div class="tab" role="tabpanel">
                {
                    match here {
                        "trips" => match query.trip {
                            Some(start) => html! { <TripView {vin} {start} close={open_trip.reform(|()| None)} /> },
                            None => html! { <Trips {vin} open={open_trip.reform(Some)} /> },
                        },
                        "diagnostics" => html! { <Diagnostics {vin} /> },
                        "maintenance" => html! { <Maintenance {vin} /> },
                        "commands" => html! { <Commands {vin} /> },
                        "media" => html! { <MediaTab {vin} /> },
                        _ => html! { <History {vin} query={query.clone()} {replace} /> },
                    }
                }
            </div>
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct HeadProps {
    vin: Vin,
    card: Option<std::rc::Rc<VehicleCard>>,
}

#[component]
fn Head(props: &HeadProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.vehicle_page;
    let live = use_live();
    let Some(card) = &props.card else { return html! { <Skeleton rows=1 /> } };
    let fleet = live.fleet.borrow();
    let now = fleet.now(frame_ms());
    let vehicle = fleet.find(props.vin);
    let motion = vehicle.map_or(Motion::Silent, |vehicle| vehicle.motion);
    // Trips are made some minutes late; what was seen here is newer.
    let made = match motion {
        Motion::Moving | Motion::Idle => card.driving_since,
        Motion::Parked => card.standing_since,
        Motion::Silent => None,
    };
    let seen = vehicle.and_then(|vehicle| vehicle.since);
    let state = match made.or(seen) {
        Some(since) => phrases.motion_for(motion, Span::of(now - since)),
        None => phrases.motion(motion).to_owned(),
    };
    let age = vehicle.filter(|vehicle| vehicle.received_ts > 0).map(|vehicle| vehicle.age_ms(now));
    let heading = vehicle.and_then(|vehicle| vehicle.value("hdg")).unwrap_or_default();
    html! {
        <header class="vehicle-head">
            <div>
                <h1 data-testid="vehicle-name">{ &card.name }</h1>
                <p class="identity">
                    if let Some(plate) = &card.plate { <span class="plate">{ plate }</span> }
                    if let Some(maker) = &card.maker { <span>{ maker }</span> }
                    <span class="mono" title={phrases.vin}>{ props.vin.as_str() }</span>
                    for client in &card.clients { <span key={client.clone()} class="badge">{ client }</span> }
                </p>
            </div>
            <p class="doing" data-testid="vehicle-state">
                <Glyph look={Look::from(motion)} {heading} /><b>{ state }</b>
                if motion != Motion::Silent || age.is_none() {
                    <small>{ age.map_or_else(|| phrases.never.to_owned(), |age| (phrases.ago)(Span::of(age))) }</small>
                }
            </p>
            <Link<Route, Query> to={Route::Map} query={Some(Query::of(props.vin))} classes="secondary">
                { Icon::Map.draw() }{ words.on_the_map }
            </Link<Route, Query>>
        </header>
    }
}

#[derive(Properties, PartialEq)]
struct LiveGaugesProps {
    vin: Vin,
}

/// The gauges, as the feed moves them.
#[component]
fn LiveGauges(props: &LiveGaugesProps) -> Html {
    let live = use_live();
    use_revision(props.vin);
    let fleet = live.fleet.borrow();
    let now = fleet.now(frame_ms());
    match fleet.find(props.vin) {
        Some(vehicle) => {
            let freshness = Freshness::of(vehicle.age_ms(now));
            html! { <GaugeStrip values={vehicle.values.clone()} class={freshness.class()} /> }
        }
        None if fleet.is_loaded() => html! { <GaugeStrip values={std::collections::BTreeMap::new()} class="stale" /> },
        None => html! { <Skeleton rows=1 /> },
    }
}
