//! A trip, seen again: on the map, in charts and on the gauges at once.

use std::{collections::BTreeMap, rc::Rc};

use bugbrother_wire::{
    UnixMs, Vin,
    api::{EventList, KnownSignal, MediaList, SeriesList, SignalList, Track, Trip},
    message::EventKind,
};
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use super::{
    gauges::GaugeStrip,
    trips::{consumed, score_class},
};
use crate::{
    format::Span,
    geo::Point,
    groups::{DIALS, FIRST},
    replay::{Player, SPEEDS, Way},
    tiles::Columns,
    ui::{
        browser::Frames,
        chart::{Charts, Shared, Sight},
        fetch::{Fetched, use_fetch},
        icon::Icon,
        kit::Refused,
        map::{Drawing, Marker, STEPS_KMH, Sketch},
        moment::{day, second, time},
        settings::{told, units, use_phrases},
        table::Skeleton,
        video::{Frame, Reel},
    },
};

/// Gauges and the clock follow so often.
const READ_EVERY_MS: f64 = 120.0;
/// Values of the gauges over a trip.
const BUCKETS: u32 = 4000;

/// Properties of [`TripView`].
#[derive(Properties, PartialEq)]
pub struct TripViewProps {
    /// The vehicle.
    pub vin: Vin,
    /// When the trip began.
    pub start: UnixMs,
    /// Back to the list.
    pub close: Callback<()>,
}

/// The trip.
#[component]
pub fn TripView(props: &TripViewProps) -> Html {
    let (vin, start) = (props.vin, props.start);
    let words = &use_phrases().vehicle_page;
    let trip = use_fetch::<Trip>(Some(format!("/vehicles/{vin}/trips/{start}")));
    let back = html! {
        <button class="secondary" onclick={props.close.reform(|_| ())} data-testid="all-trips">{ "← " }{ words.all_trips }</button>
    };
    match &trip.is {
        Fetched::Loading => html! { <>{ back }<Skeleton rows=6 /></> },
        Fetched::Failed(refusal) => {
            html! { <>{ back }<Refused refusal={refusal.clone()} retry={trip.reload.clone()} /></> }
        }
        Fetched::Ready(trip) => html! { <Replay {vin} trip={Rc::clone(trip)} {back} /> },
    }
}

#[derive(Properties, PartialEq)]
struct ReplayProps {
    vin: Vin,
    trip: Rc<Trip>,
    back: Html,
}

#[component]
fn Replay(props: &ReplayProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.vehicle_page;
    let (vin, trip) = (props.vin, &props.trip);
    // A trip of a moment would leave nothing to play.
    let (from, to) = (trip.start, trip.end.max(trip.start + 1000));
    let track = use_fetch::<Track>(Some(format!("/vehicles/{vin}/track?from={from}&to={to}&zoom=17")));
    let signals = use_fetch::<SignalList>(Some(format!("/vehicles/{vin}/signals?from={from}&to={to}")));
    let events = use_fetch::<EventList>(Some(format!("/vehicles/{vin}/events?from={from}&to={to}")));
    let media = use_fetch::<MediaList>(Some(format!("/vehicles/{vin}/media?from={from}&to={to}")));
    let dials: Vec<_> = DIALS.iter().map(|dial| dial.key).chain(["gspd"]).collect();
    let values = use_fetch::<SeriesList>(Some(format!(
        "/vehicles/{vin}/series?signals={}&from={from}&to={to}&buckets={BUCKETS}",
        dials.join(",")
    )));
    let columns = use_memo(values.is.ready().cloned(), |list| {
        let list = list.iter().flat_map(|list| list.series.iter());
        list.map(|series| {
            let ts = series.ts.iter().map(|ts| *ts as f64).collect();
            let columns = Columns { ts, mean: series.mean.clone(), ..Columns::default() };
            (series.signal.clone(), (columns, series.bucket_ms))
        })
        .collect::<BTreeMap<_, _>>()
    });
    let drawing = use_memo((track.is.ready().cloned(), events.is.ready().cloned()), |(track, events)| {
        let harsh = events.iter().flat_map(|list| &list.events).filter(|event| is_harsh(event.kind));
        Drawing {
            way: track.as_ref().map(|track| Rc::new(Way::of(track))),
            marks: harsh.filter_map(|event| Some(Point::from_degrees(event.lat?, event.lon?))).collect(),
            ..Drawing::default()
        }
    });
    let sight: Shared =
        use_mut_ref(|| Sight { span: (from as f64, to as f64), is_live: false, cursor: Some(from as f64) });
    let player = use_mut_ref(|| Player::new(from as f64, to as f64));
    let marker: Marker = use_mut_ref(|| None);
    // What is read of the player, some times a second.
    let read = use_state_eq(|| *player.borrow());
    {
        let (player, sight, marker, read) = (player.clone(), Rc::clone(&sight), Rc::clone(&marker), read.setter());
        let drawing = Rc::clone(&drawing);
        let key = Rc::as_ptr(&drawing) as usize;
        use_effect_with(key, move |_| {
            let (mut last, mut told, mut own) = (None::<f64>, 0.0, f64::NAN);
            let frames = Frames::start(move |now| {
                let mut player = player.borrow_mut();
                let mut sight = sight.borrow_mut();
                // A hand on the charts moves the moment, unless it moves by itself.
                if let Some(pointed) = sight.cursor.filter(|pointed| !player.plays && *pointed != own && !own.is_nan())
                {
                    player.seek(pointed);
                }
                player.go_on(last.map_or(0.0, |last| now - last));
                last = Some(now);
                own = player.ts;
                sight.cursor = Some(own);
                *marker.borrow_mut() = drawing.way.as_ref().and_then(|way| way.at(own));
                if now - told > READ_EVERY_MS {
                    told = now;
                    read.set(*player);
                }
            });
            move || drop(frames)
        });
    }
    let act = |act: Box<dyn Fn(&mut Player)>| {
        let (player, sight, read) = (player.clone(), Rc::clone(&sight), read.setter());
        move || {
            let mut player = player.borrow_mut();
            act(&mut player);
            sight.borrow_mut().cursor = Some(player.ts);
            read.set(*player);
        }
    };
    let toggle = {
        let toggle = act(Box::new(Player::toggle));
        Callback::from(move |_: MouseEvent| toggle())
    };
    let seek = {
        let (player, sight, read) = (player.clone(), Rc::clone(&sight), read.setter());
        Callback::from(move |event: InputEvent| {
            let typed = event.target_unchecked_into::<HtmlInputElement>().value_as_number();
            let mut player = player.borrow_mut();
            player.seek(typed);
            sight.borrow_mut().cursor = Some(player.ts);
            read.set(*player);
        })
    };
    let hurry = {
        let (player, read) = (player.clone(), read.setter());
        Callback::from(move |event: Event| {
            let chosen = event.target_unchecked_into::<HtmlSelectElement>().value();
            let mut player = player.borrow_mut();
            player.speed = chosen.parse().ok().filter(|speed| SPEEDS.contains(speed)).unwrap_or(1);
            read.set(*player);
        })
    };
    let now: BTreeMap<String, f64> = columns
        .iter()
        .filter_map(|(key, (columns, bucket))| {
            Some((key.clone(), columns.at(read.ts, (*bucket as f64 * 2.0).max(10_000.0))?))
        })
        .collect();
    let drawn = use_memo(signals.is.ready().cloned(), |list| drawn(list.as_deref()));
    html! {
        <div class="replay" data-testid="replay">
            <div class="bar">
                { props.back.clone() }
                <h2>{ format!("{}, {} – {}", day(phrases, from), time(phrases, from), time(phrases, to)) }</h2>
            </div>
            <dl class="panel facts">
                <div><dt>{ words.from }</dt><dd>{ trip.start_place.as_deref().unwrap_or(words.somewhere) }</dd></div>
                <div><dt>{ words.to }</dt><dd>{ trip.end_place.as_deref().unwrap_or(words.somewhere) }</dd></div>
                <div><dt>{ words.distance }</dt><dd>{ told(units().distance(trip.distance_m, 1)) }</dd></div>
                <div><dt>{ words.duration }</dt><dd>{ (phrases.lasting)(Span::of(to - from)) }</dd></div>
                <div><dt>{ words.consumed }</dt><dd>{ consumed(trip) }</dd></div>
                <div><dt>{ words.fastest }</dt><dd>{ told(units().speed(trip.max_kmh)) }</dd></div>
                <div><dt>{ words.score }</dt><dd class={classes!("score", score_class(trip.score))}>{ trip.score }</dd></div>
                <div><dt>{ words.harsh }</dt><dd>{ trip.harsh_accelerations + trip.harsh_brakings + trip.harsh_cornerings }</dd></div>
            </dl>
            <div class="panel player">
                <button class="primary" onclick={toggle} data-testid="play" aria-pressed={read.plays.to_string()}>
                    { if read.plays { Icon::Pause.draw() } else { Icon::Play.draw() } }
                    { if read.plays { words.pause } else { words.play } }
                </button>
                <select class="speed" aria-label={words.speed_of_replay} onchange={hurry} data-testid="replay-speed">
                    for speed in SPEEDS {
                        <option key={speed} value={speed.to_string()} selected={speed == read.speed}>{ format!("×{speed}") }</option>
                    }
                </select>
                <input type="range" min={from.to_string()} max={to.to_string()} step="1000" value={format!("{:.0}", read.ts)} oninput={seek}
                    aria-label={words.moment} aria-valuetext={second(phrases, read.ts as i64)} data-testid="replay-moment" />
                <output data-testid="replay-clock">{ second(phrases, read.ts as i64) }</output>
            </div>
            <GaugeStrip values={now} />
            <div class="charts-and-map wide-map">
                <aside class="panel">
                    <Sketch {drawing} subject={format!("trip-{from}-{}", track.is.ready().is_some())} marker={Some(marker)} label={words.map} testid="trip-map" />
                    <p class="legend" aria-hidden="true">
                        for step in 0..=STEPS_KMH.len() {
                            <span key={step} class={format!("speed-{}", step + 1)}>
                                { if step == 0 { format!("< {}", units().speed(STEPS_KMH[0]).0) } else { format!("≥ {}", units().speed(STEPS_KMH[step - 1]).0) } }
                            </span>
                        }
                        <span>{ units().speed_unit() }</span>
                    </p>
                    <Film media={media.is.ready().cloned()} />
                </aside>
                if drawn.is_empty() {
                    <Skeleton rows=4 />
                } else {
                    <Charts {vin} signals={(*drawn).clone()} {sight} turn={0} moved={Callback::noop()} bounds={Some((from as f64, to as f64))} label={words.charts} />
                }
            </div>
        </div>
    }
}

fn drawn(list: Option<&SignalList>) -> Vec<KnownSignal> {
    let signals = list.map(|list| list.signals.as_slice()).unwrap_or_default();
    let find = |key: &str| signals.iter().find(|signal| signal.key == key).cloned();
    let speed = find("spd").or_else(|| find("gspd"));
    let others = FIRST.iter().filter(|key| !["spd", "gspd"].contains(key)).filter_map(|key| find(key));
    speed.into_iter().chain(others).take(4).collect()
}

fn is_harsh(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::HarshBraking | EventKind::HarshAcceleration | EventKind::HarshCornering | EventKind::Crash
    )
}

#[derive(Properties, PartialEq)]
struct FilmProps {
    media: Option<Rc<MediaList>>,
}

/// What the cameras have of the trip.
#[component]
fn Film(props: &FilmProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.vehicle_page;
    let Some(list) = &props.media else { return Html::default() };
    if list.media.is_empty() {
        return html! { <p class="muted film" data-testid="no-film">{ words.no_film }</p> };
    }
    html! { <Reel frames={Frame::of_list(list).collect::<Vec<_>>()} testid="film" /> }
}
