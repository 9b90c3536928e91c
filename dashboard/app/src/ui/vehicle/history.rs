//! What a vehicle measured, over any span: charts, and where it was.

use std::rc::Rc;

use bugbrother_wire::{
    Vin,
    api::{KnownSignal, Right, SignalList, Track},
};
use yew::prelude::*;

use super::signals::{MOST, SignalChoice};
use crate::{
    address::{PERIODS, Period, VehicleQuery},
    groups::FIRST,
    replay::Way,
    ui::{
        account::use_account,
        browser::Frames,
        chart::{Charts, Shared, Sight},
        feed::use_live,
        fetch::{Fetched, use_fetch},
        kit::{Empty, Refused},
        map::{Drawing, Marker, Sketch},
        moment::{midnight, moment, of_input, to_input},
        news::{clock, use_kept},
        settings::use_phrases,
        table::Skeleton,
    },
};

/// The track of a longer span would take too long to read.
const TRACK_MS: i64 = 8 * 86_400_000;

/// Properties of [`History`].
#[derive(Properties, PartialEq)]
pub struct HistoryProps {
    /// The vehicle.
    pub vin: Vin,
    /// What is in the address.
    pub query: VehicleQuery,
    /// Changes that.
    pub replace: Callback<VehicleQuery>,
}

/// The tab.
#[component]
pub fn History(props: &HistoryProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.vehicle_page;
    let live = use_live();
    let account = use_account();
    let vin = props.vin;
    let period = Period::of_word(props.query.span.as_deref());
    // In steps of a minute: a span that goes on is not asked for anew all the time.
    let now = clock(&live) / 60_000 * 60_000 + 60_000;
    let began = use_state_eq(|| now);
    let (from, to) = period.span(*began, midnight(*began));
    {
        let began = began.setter();
        use_effect_with(props.query.span.clone(), move |_| began.set(now));
    }
    let signals = use_fetch::<SignalList>(Some(format!("/vehicles/{vin}/signals?from={from}&to={to}")));
    let track = use_fetch::<Track>(
        (to - from <= TRACK_MS).then(|| format!("/vehicles/{vin}/track?from={from}&to={to}&zoom=15")),
    );
    let sight: Shared = use_mut_ref(Sight::default);
    let turn = use_state(|| 0_u32);
    {
        let (sight, turn) = (Rc::clone(&sight), turn.clone());
        use_effect_with((from, to, period.is_live()), move |(from, to, is_live)| {
            let own = sight.borrow().span;
            // What the charts said themselves is no news to them.
            if (own.0 - *from as f64).abs() > 1.0 || (own.1 - *to as f64).abs() > 1.0 {
                *sight.borrow_mut() = Sight { span: (*from as f64, *to as f64), is_live: *is_live, cursor: None };
                turn.set(turn.wrapping_add(1));
            }
        });
    }
    let way = use_kept(&track.is);
    let drawing = use_memo(way, |track| Drawing {
        way: track.as_ref().map(|track| Rc::new(Way::of(track))),
        ..Drawing::default()
    });
    let marker: Marker = use_mut_ref(|| None);
    use_cursor(vin, &drawing, &sight, &marker);

    let kept = use_kept(&signals.is);
    let known = match (kept, &signals.is) {
        (Some(list), _) => list,
        (None, Fetched::Failed(refusal)) => {
            return html! { <Refused refusal={refusal.clone()} retry={signals.reload.clone()} /> };
        }
        _ => return html! { <Skeleton rows=6 /> },
    };
    let chosen = chosen(&props.query, &known.signals);
    let drawn: Vec<KnownSignal> =
        chosen.iter().filter_map(|key| known.signals.iter().find(|signal| signal.key == *key).cloned()).collect();
    let set_period = {
        let (query, replace) = (props.query.clone(), props.replace.clone());
        Callback::from(move |period: Period| {
            replace.emit(VehicleQuery { span: Some(period.word()), ..query.clone() });
        })
    };
    let choose = {
        let (query, replace) = (props.query.clone(), props.replace.clone());
        Callback::from(move |keys: Vec<String>| {
            replace.emit(VehicleQuery { signals: Some(keys.join(",")), ..query.clone() });
        })
    };
    let moved = set_period.reform(|(from, to): (f64, f64)| Period::Between(from as i64, to as i64));
    let keys = chosen.join(",");
    // A map that is panned along with the charts would make one dizzy.
    let subject = if period.is_live() { period.word() } else { "between".to_owned() };
    let csv = format!("/api/frontend/vehicles/{vin}/export?format=csv&from={from}&to={to}&signals={keys}");
    html! {
        <div class="history">
            <div class="bar">
                <div class="chips" role="group" aria-label={words.span}>
                    for one in PERIODS {
                        <button key={one.word()} class="chip" aria-pressed={(one == period).to_string()}
                            onclick={set_period.reform(move |_| one)} data-testid={format!("span-{}", one.word())}>{ (words.period)(one) }</button>
                    }
                </div>
                <Between {from} {to} set={set_period.clone()} />
                <div class="end">
                    <SignalChoice signals={known.signals.clone()} {chosen} {choose} />
                    if account.may(Right::Export) && !keys.is_empty() {
                        <a class="secondary" href={csv} download="" data-testid="csv">{ "CSV" }</a>
                    }
                </div>
            </div>
            if known.signals.is_empty() {
                <Empty title={words.no_samples} hint={words.no_samples_hint}>
                    <button class="secondary" onclick={set_period.reform(|_| Period::Month)}>{ (words.period)(Period::Month) }</button>
                </Empty>
            } else if drawn.is_empty() {
                <Empty title={words.no_signal} hint={words.no_signal_hint} />
            } else {
                <div class="charts-and-map">
                    <Charts {vin} signals={drawn} sight={Rc::clone(&sight)} turn={*turn} {moved} label={words.charts} />
                    <aside class="panel">
                        <Sketch {drawing} {subject} {marker} label={words.map} />
                        <p class="muted">{ format!("{} – {}", moment(phrases, from), moment(phrases, to)) }</p>
                    </aside>
                </div>
            }
        </div>
    }
}

/// The signals that are drawn: as the address says, or some that the vehicle has.
fn chosen(query: &VehicleQuery, known: &[KnownSignal]) -> Vec<String> {
    let has = |key: &str| known.iter().any(|signal| signal.key == key);
    match &query.signals {
        Some(keys) => keys.split(',').filter(|key| has(key)).take(MOST).map(str::to_owned).collect(),
        None => {
            let speed = if has("spd") { "gspd" } else { "" };
            let some: Vec<_> = FIRST.into_iter().filter(|key| has(key) && *key != speed).collect();
            let some =
                if some.is_empty() { known.iter().map(|signal| signal.key.as_str()).take(3).collect() } else { some };
            some.into_iter().map(str::to_owned).collect()
        }
    }
}

/// Moves the marker with the cursor; without one it is where the vehicle is.
#[hook]
fn use_cursor(vin: Vin, drawing: &Rc<Drawing>, sight: &Shared, marker: &Marker) {
    let fleet = use_live().fleet;
    let (drawing, sight, marker) = (Rc::clone(drawing), Rc::clone(sight), Rc::clone(marker));
    let key = Rc::as_ptr(&drawing) as usize;
    use_effect_with((vin, key), move |(vin, _)| {
        let vin = *vin;
        let frames = Frames::start(move |now| {
            let cursor = sight.borrow().cursor;
            let there = cursor.and_then(|ts| drawing.way.as_ref()?.at(ts));
            let here = || {
                let fleet = fleet.borrow();
                let pose = fleet.find(vin)?.track.as_ref()?.pose(now);
                Some((pose.at, pose.heading))
            };
            *marker.borrow_mut() = there.or_else(here);
        });
        move || drop(frames)
    });
}

#[derive(Properties, PartialEq)]
struct BetweenProps {
    from: i64,
    to: i64,
    set: Callback<Period>,
}

/// Two moments of one's own.
#[component]
fn Between(props: &BetweenProps) -> Html {
    let words = &use_phrases().vehicle_page;
    let (from, to) = (props.from, props.to);
    let input = |label: &'static str, ts: i64, make: fn(i64, i64, i64) -> (i64, i64), testid: &'static str| {
        let onchange = props.set.reform(move |event: Event| {
            let typed = event.target_unchecked_into::<web_sys::HtmlInputElement>().value();
            let (from, to) = of_input(&typed).map_or((from, to), |ts| make(ts, from, to));
            Period::Between(from, to)
        });
        html! { <input type="datetime-local" class="moment" aria-label={label} value={to_input(ts)} {onchange} data-testid={testid} /> }
    };
    html! {
        <span class="between">
            { input(words.from, from, |ts, _, to| (ts, to.max(ts + 60_000)), "span-from") }
            { "–" }
            { input(words.to, to, |ts, from, _| (from.min(ts - 60_000), ts), "span-to") }
        </span>
    }
}
