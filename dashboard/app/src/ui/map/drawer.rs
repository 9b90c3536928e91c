//! The drawer on the right: the selected vehicle.

use bugbrother_wire::{Vin, signal};
use yew::prelude::*;
use yew_router::prelude::*;

use crate::{
    fleet::{Fleet, Look, Vehicle},
    format::{Freshness, Span},
    phrases::Phrases,
    ui::{
        alerts::{severity_class, worst},
        browser::frame_ms,
        feed::{use_live, use_revision},
        gauge::Gauge,
        glyph::Glyph,
        icon::Icon,
        route::Route,
        settings::{units, use_phrases},
        table::Skeleton,
    },
};

/// Signals that the gauges show, and those that the map does.
const SHOWN: [&str; 7] = ["spd", "gspd", "rpm", "ect", "fuel", "lat", "lon"];

/// Properties of [`Drawer`].
#[derive(Properties, PartialEq)]
pub struct DrawerProps {
    /// The vehicle.
    pub vin: Vin,
    /// Whether the map follows it.
    pub following: bool,
    /// Closes the drawer.
    pub close: Callback<()>,
    /// Follow or not.
    pub follow: Callback<bool>,
    /// Moves the map to it.
    pub center: Callback<()>,
}

/// The drawer.
#[component]
pub fn Drawer(props: &DrawerProps) -> Html {
    let phrases = use_phrases();
    let live = use_live();
    use_revision(props.vin);
    let fleet = live.fleet.borrow();
    let close = props.close.reform(|_: MouseEvent| ());
    html! {
        <aside class="panel drawer" aria-label={phrases.vehicle} data-testid="drawer">
            <button class="tool close" onclick={close} aria-label={phrases.close}>{ Icon::Close.draw() }</button>
            if let Some(vehicle) = fleet.find(props.vin) {
                { body(phrases, &fleet, vehicle, props) }
            } else if fleet.is_loaded() {
                <div class="empty"><h2 class="mono">{ props.vin.as_str() }</h2><p>{ phrases.unknown_vehicle }</p></div>
            } else {
                <Skeleton rows=6 />
            }
        </aside>
    }
}

fn body(phrases: &Phrases, fleet: &Fleet, vehicle: &Vehicle, props: &DrawerProps) -> Html {
    let now = fleet.now(frame_ms());
    let age = vehicle.age_ms(now);
    let seen = if vehicle.received_ts == 0 { phrases.never.to_owned() } else { (phrases.ago)(Span::of(age)) };
    let state = match vehicle.since {
        Some(since) => phrases.motion_for(vehicle.motion, Span::of(now - since)),
        None => phrases.motion(vehicle.motion).to_owned(),
    };
    let heading = vehicle.value("hdg").unwrap_or_default();
    let following = props.following;
    let follow = props.follow.reform(move |_: MouseEvent| !following);
    let gauge = |label: &'static str,
                 unit: &'static str,
                 key: &str,
                 max: f64,
                 above: f64,
                 below: f64,
                 testid: &'static str| {
        let value = if key == "spd" { vehicle.speed_kmh() } else { vehicle.value(key) };
        let in_unit = |value: f64| if value.is_finite() { units().convert(value, unit).0 } else { value };
        let (value, max) = (value.map(in_unit), in_unit(max));
        let (above, below, min) = (in_unit(above), in_unit(below), in_unit(0.0));
        let unit = units().convert(0.0, unit).1;
        html! { <Gauge {label} {unit} {value} {min} {max} warn_above={above} warn_below={below} unknown={phrases.not_told} {testid} /> }
    };
    let never = (f64::INFINITY, f64::NEG_INFINITY);
    html! {
        <>
            <header>
                <h2 data-testid="drawer-name">{ &vehicle.name }</h2>
                <p class="identity">
                    if let Some(plate) = &vehicle.plate { <span class="plate">{ plate }</span> }
                    if let Some(maker) = vehicle.maker { <span>{ maker }</span> }
                    <span class="mono" title={phrases.vin}>{ vehicle.vin.as_str() }</span>
                </p>
                <p class="doing"><Glyph look={Look::from(vehicle.motion)} {heading} /><b>{ state }</b><small>{ seen }</small></p>
            </header>
            <div class="actions">
                <Link<Route> to={Route::Vehicle { vin: vehicle.vin }} classes="secondary open-vehicle">{ Icon::Car.draw() }{ phrases.vehicle }</Link<Route>>
                <button class={classes!("secondary", following.then_some("on"))} aria-pressed={following.to_string()} onclick={follow}
                    disabled={vehicle.track.is_none()} data-testid="follow">
                    { Icon::Crosshair.draw() }{ if following { phrases.following } else { phrases.follow } }
                </button>
                <button class="secondary" onclick={props.center.reform(|_| ())} disabled={vehicle.track.is_none()}>
                    { Icon::Map.draw() }{ if vehicle.track.is_some() { phrases.center } else { phrases.no_position } }
                </button>
            </div>
            { alerts(phrases, fleet, vehicle, now) }
            <div class={classes!("gauges", Freshness::of(age).class())}>
                { gauge(phrases.speed, "km/h", "spd", 180.0, never.0, never.1, "speed-value") }
                { gauge(phrases.engine, "rpm", "rpm", 7_000.0, 6_000.0, never.1, "rpm-value") }
                { gauge(phrases.coolant, "celsius", "ect", 130.0, 110.0, never.1, "coolant-value") }
                { gauge(phrases.fuel, "percent", "fuel", 100.0, never.0, 10.0, "fuel-value") }
            </div>
            { others(phrases, vehicle) }
        </>
    }
}

fn alerts(phrases: &Phrases, fleet: &Fleet, vehicle: &Vehicle, now: i64) -> Html {
    let alerts: Vec<_> = fleet.alerts().into_iter().filter(|alert| alert.vin == vehicle.vin).collect();
    if alerts.is_empty() {
        return Html::default();
    }
    html! {
        <ul class="alerts" aria-label={phrases.alerts}>
            for alert in alerts {
                <li key={alert.id.to_string()} class={severity_class(alert.severity)}>
                    <Glyph look={Look::Alert} />
                    <span><b>{ &alert.title }</b>
                        <small>{ format!("{} · {}", phrases.severity(alert.severity), (phrases.ago)(Span::of(now - alert.opened))) }</small>
                    </span>
                    if alert.value.is_some() { <b class="value">{ worst(alert) }</b> }
                </li>
            }
        </ul>
    }
}

/// Values that no gauge shows: first those of the catalogue in its order, then the vehicle's own.
fn others(phrases: &Phrases, vehicle: &Vehicle) -> Html {
    let known = signal::CATALOGUE.iter().filter_map(|signal| Some((signal.key, vehicle.value(signal.key)?)));
    let own =
        vehicle.values.iter().filter(|(key, _)| signal::find(key).is_none()).map(|(key, value)| (key.as_str(), *value));
    let rows: Vec<_> = known.filter(|(key, _)| !SHOWN.contains(key)).chain(own).collect();
    if rows.is_empty() {
        return Html::default();
    }
    html! {
        <section class="values">
            <h3>{ phrases.all_values }</h3>
            <dl>
                for (key, number) in rows {
                    <div key={key.to_owned()}>
                        <dt>{ label(phrases, key) }</dt>
                        <dd>{ units().value(key, number).0 }<small>{ units().value(key, number).1 }</small></dd>
                    </div>
                }
            </dl>
        </section>
    }
}

fn label(phrases: &Phrases, key: &str) -> String {
    let name = (phrases.signal)(key).or_else(|| signal::find(key).map(|signal| signal.label));
    name.map_or_else(|| key.to_owned(), str::to_owned)
}
