//! A strip of gauges: those of which there are values.

use std::collections::BTreeMap;

use bugbrother_wire::signal;
use yew::prelude::*;

use crate::{
    format::unit,
    groups::{DIALS, Dial},
    ui::{
        gauge::Gauge,
        settings::{units, use_phrases},
    },
};

/// Gauges that are there even without a value.
const ALWAYS: usize = 4;

/// Properties of [`GaugeStrip`].
#[derive(Properties, PartialEq)]
pub struct GaugeStripProps {
    /// Signal key → value.
    pub values: BTreeMap<String, f64>,
    /// How fresh they are.
    #[prop_or_default]
    pub class: AttrValue,
}

/// The strip.
#[component]
pub fn GaugeStrip(props: &GaugeStripProps) -> Html {
    let phrases = use_phrases();
    let told = |key: &str| match key {
        "spd" => props.values.get("spd").or_else(|| props.values.get("gspd")).copied(),
        key => props.values.get(key).copied(),
    };
    let is_electric = props.values.contains_key("soc") && !props.values.contains_key("fuel");
    let shown = DIALS.iter().enumerate().filter(|(n, dial)| {
        let replaced = is_electric && ["fuel", "ect"].contains(&dial.key);
        (*n < ALWAYS && !replaced) || told(dial.key).is_some()
    });
    html! {
        <div class={classes!("gauge-strip", props.class.to_string())} data-testid="gauges">
            for (_, dial) in shown {
                <DialGauge key={dial.key} dial={*dial} value={told(dial.key)} label={label(phrases, dial.key)} />
            }
        </div>
    }
}

/// What people call a signal.
pub fn label(phrases: &crate::phrases::Phrases, key: &str) -> String {
    match key {
        "spd" => phrases.speed.to_owned(),
        "rpm" => phrases.engine.to_owned(),
        "ect" => phrases.coolant.to_owned(),
        "fuel" => phrases.fuel.to_owned(),
        key => {
            let name = (phrases.signal)(key).or_else(|| signal::find(key).map(|signal| signal.label));
            name.unwrap_or(key).to_owned()
        }
    }
}

#[derive(Properties, PartialEq)]
struct DialGaugeProps {
    dial: Dial,
    value: Option<f64>,
    label: String,
}

#[component]
fn DialGauge(props: &DialGaugeProps) -> Html {
    let phrases = use_phrases();
    let Dial { key, range: (min, max), above, below } = props.dial;
    let metric = signal::find(key).map_or("", |signal| signal.unit);
    let of_unit = unit(units().convert(0.0, metric).1);
    let in_unit = |value: f64| if value.is_finite() { units().convert(value, metric).0.round() } else { value };
    let (min, max, above, below) = (in_unit(min), in_unit(max), in_unit(above), in_unit(below));
    let dial = Dial { key, range: (min, max), above, below };
    let shown = props.value.map(|value| units().convert(value, metric).0);
    html! {
        <div class="dial">
            <Gauge label={props.label.clone()} unit={of_unit} value={shown} {min} {max} warn_above={above} warn_below={below}
                unknown={phrases.not_told} digits={usize::from(key == "vbat")} testid={key} />
            <small class="limits" aria-hidden="true">{ limits(dial, of_unit) }</small>
        </div>
    }
}

/// Beyond what it warns, in a few letters.
fn limits(dial: Dial, unit: &str) -> String {
    match (dial.below.is_finite(), dial.above.is_finite()) {
        (true, true) => format!("{} … {} {unit}", dial.below, dial.above),
        (true, false) => format!("≥ {} {unit}", dial.below),
        (false, true) => format!("≤ {} {unit}", dial.above),
        (false, false) => String::new(),
    }
}
