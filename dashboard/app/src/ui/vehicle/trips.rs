//! The trips of a vehicle, day by day.

use std::{collections::BTreeMap, rc::Rc};

use bugbrother_wire::{
    UnixMs, Vin,
    api::{Trip, TripList},
    live::News,
};
use yew::{platform::spawn_local, prelude::*};

use crate::{
    format::{Span, number},
    phrases::Phrases,
    ui::{
        api,
        fetch::Fetched,
        kit::{Empty, Refused},
        moment::{day, midnight, time},
        news::use_fresh,
        settings::{told, units, use_phrases},
        table::Skeleton,
    },
};

const PAGE: u32 = 100;
const DAY_MS: f64 = 86_400_000.0;

/// Properties of [`Trips`].
#[derive(Properties, PartialEq)]
pub struct TripsProps {
    /// The vehicle.
    pub vin: Vin,
    /// Opens a trip.
    pub open: Callback<UnixMs>,
}

/// The tab.
#[component]
pub fn Trips(props: &TripsProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.vehicle_page;
    let vin = props.vin;
    let newest = use_fresh::<TripList>(Some(format!("/vehicles/{vin}/trips?limit={PAGE}")), Some(vin), &[News::Trips]);
    let older = use_state(|| (Vec::<Trip>::new(), None::<Option<UnixMs>>));
    let first = match &newest.is {
        Fetched::Loading => return html! { <Skeleton rows=6 /> },
        Fetched::Failed(refusal) => {
            return html! { <Refused refusal={refusal.clone()} retry={newest.reload.clone()} /> };
        }
        Fetched::Ready(list) => Rc::clone(list),
    };
    if first.trips.is_empty() {
        return html! { <Empty title={words.no_trips} hint={words.no_trips_hint} /> };
    }
    let next = older.1.unwrap_or(first.next);
    let more = next.map(|before| {
        let older = older.clone();
        Callback::from(move |_: MouseEvent| {
            let older = older.clone();
            spawn_local(async move {
                let path = format!("/vehicles/{vin}/trips?limit={PAGE}&before={before}");
                if let Ok(page) = api::get::<TripList>(&path).await {
                    let mut trips = older.0.clone();
                    trips.extend(page.trips);
                    older.set((trips, Some(page.next)));
                }
            });
        })
    });
    let mut days: BTreeMap<UnixMs, Vec<&Trip>> = BTreeMap::new();
    for trip in first.trips.iter().chain(&older.0) {
        let day = days.entry(midnight(trip.start)).or_default();
        // A trip that was made anew meanwhile may be on both pages.
        if !day.iter().any(|known| known.start == trip.start) {
            day.push(trip);
        }
    }
    html! {
        <div class="trips" data-testid="trips">
            for (midnight, trips) in days.into_iter().rev() {
                { of_day(phrases, midnight, &trips, &props.open) }
            }
            if let Some(onclick) = more {
                <button class="secondary more" {onclick} data-testid="more-trips">{ words.more }</button>
            }
        </div>
    }
}

fn of_day(phrases: &Phrases, midnight: UnixMs, trips: &[&Trip], open: &Callback<UnixMs>) -> Html {
    let words = &phrases.vehicle_page;
    let metres: f64 = trips.iter().map(|trip| trip.distance_m).sum();
    let moving: i64 = trips.iter().map(|trip| trip.moving_ms + trip.idle_ms).sum();
    let part = |ts: UnixMs| ((ts - midnight) as f64 / DAY_MS * 1000.0).clamp(0.0, 1000.0);
    html! {
        <section key={midnight} class="panel day">
            <header>
                <h2>{ day(phrases, midnight) }</h2>
                <span>{ told(units().distance(metres, 1)) }</span>
                <span>{ (phrases.lasting)(Span::of(moving)) }</span>
            </header>
            <svg class="timeline" viewBox="0 0 1000 20" preserveAspectRatio="none" aria-hidden="true" focusable="false">
                <rect class="whole" x="0" y="4" width="1000" height="12" rx="3" />
                for trip in trips {
                    <rect key={trip.start} class={score_class(trip.score)} x={part(trip.start).to_string()} y="2" height="16" rx="2"
                        width={(part(trip.end) - part(trip.start)).max(3.0).to_string()} />
                }
            </svg>
            <div class="hours" aria-hidden="true"><span>{ "0" }</span><span>{ "6" }</span><span>{ "12" }</span><span>{ "18" }</span><span>{ "24" }</span></div>
            <ul>
                for trip in trips {
                    <li key={trip.start}>
                        <button class="trip" data-row="" onclick={let start = trip.start; open.reform(move |_| start)} data-testid={format!("trip-{}", trip.start)}>
                            <span class="when"><b>{ time(phrases, trip.start) }</b>{ if trip.open { words.under_way.to_owned() } else { time(phrases, trip.end) } }</span>
                            <span class="where">
                                <b>{ trip.start_place.as_deref().unwrap_or(words.somewhere) }</b>
                                <span>{ "→ " }{ trip.end_place.as_deref().unwrap_or(words.somewhere) }</span>
                            </span>
                            <span class="number">{ told(units().distance(trip.distance_m, 1)) }</span>
                            <span class="number">{ (phrases.lasting)(Span::of(trip.end - trip.start)) }</span>
                            <span class="number fuel">{ consumed(trip) }</span>
                            <span class={classes!("score", score_class(trip.score))} title={words.score}>{ trip.score }</span>
                        </button>
                    </li>
                }
            </ul>
        </section>
    }
}

/// Fuel or energy, as far as it is known.
pub fn consumed(trip: &Trip) -> String {
    match (trip.fuel_l, trip.energy_kwh) {
        (Some(fuel), _) => format!("{} l", number(fuel, 1)),
        (None, Some(energy)) => format!("{} kWh", number(energy, 1)),
        (None, None) => "–".to_owned(),
    }
}

/// Style class of a style of driving.
pub fn score_class(score: u8) -> &'static str {
    match score {
        80.. => "good",
        60..80 => "fair",
        _ => "poor",
    }
}
