//! A gauge: an arc of 240 degrees.

use std::f64::consts::PI;

use yew::prelude::*;

use crate::format::number;

/// Properties of [`Gauge`].
#[derive(Properties, PartialEq)]
pub struct GaugeProps {
    /// What it measures.
    pub label: AttrValue,
    /// In what.
    pub unit: AttrValue,
    /// The value; `None` if it is not told.
    pub value: Option<f64>,
    /// What is said then.
    pub unknown: AttrValue,
    /// Lowest value of the arc.
    #[prop_or_default]
    pub min: f64,
    /// Highest value of the arc.
    pub max: f64,
    /// From here on the arc warns.
    #[prop_or(f64::INFINITY)]
    pub warn_above: f64,
    /// Below this the arc warns.
    #[prop_or(f64::NEG_INFINITY)]
    pub warn_below: f64,
    /// Digits behind the point.
    #[prop_or_default]
    pub digits: usize,
    /// For tests.
    pub testid: &'static str,
}

const RADIUS: f64 = 42.0;
const SWEEP: f64 = PI * 4.0 / 3.0;

fn arc(part: f64) -> String {
    let at = |part: f64| {
        let angle = PI * 5.0 / 6.0 + SWEEP * part;
        (50.0 + RADIUS * angle.cos(), 50.0 + RADIUS * angle.sin())
    };
    let ((x0, y0), (x1, y1)) = (at(0.0), at(part));
    let large = u8::from(SWEEP * part > PI);
    format!("M{x0:.2} {y0:.2}A{RADIUS} {RADIUS} 0 {large} 1 {x1:.2} {y1:.2}")
}

/// A gauge.
#[component]
pub fn Gauge(props: &GaugeProps) -> Html {
    let part = props.value.map(|value| ((value - props.min) / (props.max - props.min)).clamp(0.0, 1.0));
    let warns = props.value.is_some_and(|value| value >= props.warn_above || value < props.warn_below);
    let text = props.value.map_or_else(|| "–".to_owned(), |value| number(value, props.digits));
    let spoken = match props.value {
        Some(_) => format!("{text} {}", props.unit),
        None => props.unknown.to_string(),
    };
    html! {
        <div class={classes!("gauge", warns.then_some("warns"), part.is_none().then_some("unknown"))}
            role="meter" aria-label={props.label.clone()} aria-valuemin={props.min.to_string()} aria-valuemax={props.max.to_string()}
            aria-valuenow={props.value.unwrap_or(props.min).to_string()} aria-valuetext={spoken}>
            <svg viewBox="0 0 100 82" aria-hidden="true" focusable="false">
                <path class="track" d={arc(1.0)} />
                if let Some(part) = part.filter(|part| *part > 0.004) {
                    <path class="fill" d={arc(part)} />
                }
                <text class="value" x="50" y="56" data-testid={props.testid}>{ text }</text>
                <text class="unit" x="50" y="73">{ props.unit.clone() }</text>
            </svg>
            <span class="label">{ props.label.clone() }</span>
        </div>
    }
}
