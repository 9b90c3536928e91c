//! What lies over the map: geofences, the way of the selected vehicle, and the colours of a signal.

use std::rc::Rc;

use bugbrother_wire::{
    Vin,
    api::{GeofenceList, Track},
    signal,
};
use yew::prelude::*;

use super::{Area, markers::Tint};
use crate::{
    address::Query,
    format::value,
    groups::DIALS,
    replay::Way,
    ui::{
        feed::use_live,
        fetch::use_fetch,
        geofences::area,
        kit::{Check, Select},
        news::{clock, use_kept},
        settings::use_phrases,
        vehicle::label,
    },
};

/// So much of the selected vehicle's way is shown.
const WAY_MS: i64 = 30 * 60_000;
/// Signals by which the map can be coloured.
const COLOURS: [&str; 7] = ["spd", "rpm", "fuel", "soc", "ect", "vbat", "load"];

/// What of the layers was changed.
pub enum Layer {
    /// The signal by which vehicles are coloured.
    Colour(Option<String>),
    /// Whether geofences are shown.
    Areas(bool),
}

/// The geofences, if they are to be shown.
#[hook]
pub fn use_areas(on: bool) -> Rc<Vec<Area>> {
    let list = use_fetch::<GeofenceList>(on.then(|| "/geofences".to_owned()));
    let kept = use_kept(&list.is);
    use_memo((kept, on), |(list, on)| {
        let list = list.iter().filter(|_| *on).flat_map(|list| &list.geofences);
        list.map(|entry| area(&entry.geofence)).collect()
    })
}

/// Where the selected vehicle was in the last half hour before it was selected; from then on it leaves its trail.
#[hook]
pub fn use_way(selected: Option<Vin>) -> Option<Rc<Way>> {
    let live = use_live();
    let path = use_memo(selected, move |selected| {
        let now = clock(&live);
        selected.map(|vin| format!("/vehicles/{vin}/track?from={}&to={now}&zoom=16", now - WAY_MS))
    });
    let track = use_fetch::<Track>((*path).clone());
    let way = use_memo(track.is.ready().cloned(), |track| track.as_ref().map(|track| Rc::new(Way::of(track))));
    (*way).clone()
}

/// The range of a signal: a gauge's, or what the fleet tells now.
#[hook]
pub fn use_tint(key: Option<&str>) -> Option<Tint> {
    let fleet = use_live().fleet;
    let key = key?;
    if let Some(dial) = DIALS.iter().find(|dial| dial.key == key) {
        return Some(Tint { key: key.to_owned(), range: dial.range });
    }
    let fleet = fleet.borrow();
    let values = fleet.vehicles().iter().filter_map(|vehicle| vehicle.value(key));
    let range = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    let known = signal::find(key).map(|signal| (signal.min, signal.max));
    Some(Tint { key: key.to_owned(), range: if range.0 < range.1 { range } else { known.unwrap_or((0.0, 1.0)) } })
}

/// Properties of [`Layers`].
#[derive(Properties, PartialEq)]
pub struct LayersProps {
    /// What is in the address.
    pub query: Query,
    /// The colours that are shown.
    pub tint: Option<Tint>,
    /// Changes a layer.
    pub set: Callback<Layer>,
}

/// The panel in which layers are chosen.
#[component]
pub fn Layers(props: &LayersProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.geofence_page;
    let mut choices = vec![(AttrValue::from(""), AttrValue::from(words.by_state))];
    choices.extend(COLOURS.iter().map(|key| (AttrValue::from(*key), AttrValue::from(label(phrases, key)))));
    let colour = props.query.colour().unwrap_or_default().to_owned();
    if !colour.is_empty() && !COLOURS.contains(&colour.as_str()) {
        choices.push((colour.clone().into(), label(phrases, &colour).into()));
    }
    html! {
        <aside class="panel map-layers">
            <Select name="colour" label={words.colour_by} value={colour} {choices}
                onchange={props.set.reform(|key: String| Layer::Colour((!key.is_empty()).then_some(key)))} />
            if let Some(Tint { key, range: (low, high) }) = &props.tint {
                <p class="scale" data-testid="scale">
                    <span>{ value(key, *low).0 }</span><i aria-hidden="true" /><span>{ format!("{} {}", value(key, *high).0, value(key, *high).1) }</span>
                </p>
            }
            <Check name="geofences" label={words.show} checked={props.query.shows_areas()} onchange={props.set.reform(Layer::Areas)} />
        </aside>
    }
}
