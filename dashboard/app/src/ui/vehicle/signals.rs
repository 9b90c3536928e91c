//! The choice of signals that are drawn.

use bugbrother_wire::api::KnownSignal;
use yew::prelude::*;

use super::gauges::label;
use crate::{
    groups::{GROUPS, Group},
    ui::{kit::Check, settings::use_phrases},
};

/// Most signals that are drawn at a time.
pub const MOST: usize = 8;

/// Properties of [`SignalChoice`].
#[derive(Properties, PartialEq)]
pub struct SignalChoiceProps {
    /// Those that the vehicle has.
    pub signals: Vec<KnownSignal>,
    /// Keys of those that are drawn.
    pub chosen: Vec<String>,
    /// Draws others.
    pub choose: Callback<Vec<String>>,
}

/// A list of all signals in groups, which opens.
#[component]
pub fn SignalChoice(props: &SignalChoiceProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.vehicle_page;
    let toggle = |key: &str| {
        let (key, chosen, choose) = (key.to_owned(), props.chosen.clone(), props.choose.clone());
        Callback::from(move |on: bool| {
            let mut next: Vec<String> = chosen.iter().filter(|known| **known != key).cloned().collect();
            if on && next.len() < MOST {
                next.push(key.clone());
            }
            choose.emit(next);
        })
    };
    html! {
        <details class="signal-choice" data-testid="signal-choice">
            <summary class="secondary">{ (words.signals_chosen)(props.chosen.len()) }</summary>
            <div class="panel groups">
                for group in GROUPS {
                    if props.signals.iter().any(|signal| Group::of(&signal.key) == group) {
                        <fieldset key={group as usize}>
                            <legend>{ (words.group)(group) }</legend>
                            for signal in props.signals.iter().filter(|signal| Group::of(&signal.key) == group) {
                                <Check key={signal.key.clone()} name={format!("signal-{}", signal.key)} label={label(phrases, &signal.key)}
                                    checked={props.chosen.contains(&signal.key)} onchange={toggle(&signal.key)} />
                            }
                        </fieldset>
                    }
                }
            </div>
        </details>
    }
}
