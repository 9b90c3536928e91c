//! What became of messages.

use bugbrother_wire::api::{ChannelEntry, DeliveryEntry, DeliveryList, DeliveryState};
use yew::prelude::*;

use super::FLEET;
use crate::{
    phrases::Phrases,
    ui::{
        fetch::{Fetched, use_fetch},
        kit::{Refused, Select},
        moment,
        settings::use_phrases,
        table::Skeleton,
    },
};

const STATES: [(&str, DeliveryState); 3] =
    [("waiting", DeliveryState::Waiting), ("sent", DeliveryState::Sent), ("dead", DeliveryState::Dead)];

/// Properties of [`Log`].
#[derive(Properties, PartialEq)]
pub struct LogProps {
    /// The fleet's channels.
    pub channels: Vec<ChannelEntry>,
}

/// Deliveries, newest first.
#[component]
pub fn Log(props: &LogProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.notification;
    let state = use_state_eq(String::new);
    let channel = use_state_eq(String::new);
    let before = use_state_eq(|| None::<String>);
    let mut path = format!("{FLEET}/deliveries?");
    for (name, value) in
        [("state", &*state), ("channel", &*channel), ("before", &before.as_ref().cloned().unwrap_or_default())]
    {
        if !value.is_empty() {
            path += &format!("{name}={value}&");
        }
    }
    let fetch = use_fetch::<DeliveryList>(Some(path.trim_end_matches(['&', '?']).to_owned()));
    let choose = |what: &UseStateHandle<String>| {
        let (what, before) = (what.setter(), before.setter());
        Callback::from(move |value: String| {
            what.set(value);
            before.set(None);
        })
    };
    let mut states = vec![(AttrValue::from(""), AttrValue::from(words.all_states))];
    states.extend(STATES.map(|(word, state)| (AttrValue::from(word), AttrValue::from((words.states)(state)))));
    let mut channels = vec![(AttrValue::from(""), AttrValue::from(words.all_channels))];
    channels.extend(props.channels.iter().map(|one| (one.id.to_string().into(), one.form.label.clone().into())));
    let turn = |to: Option<String>| {
        let before = before.setter();
        Callback::from(move |_: MouseEvent| before.set(to.clone()))
    };
    let list = match &fetch.is {
        Fetched::Loading => html! { <Skeleton rows=6 /> },
        Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
        Fetched::Ready(list) if list.deliveries.is_empty() => html! { <p class="muted">{ words.no_log }</p> },
        Fetched::Ready(list) => html! {
            <>
                <div class="scroll">
                    <table class="table" data-testid="deliveries">
                        <thead><tr>
                            <th scope="col">{ phrases.people.when }</th><th scope="col">{ words.channel }</th>
                            <th scope="col">{ words.what }</th><th scope="col">{ words.state }</th>
                        </tr></thead>
                        <tbody>for delivery in &list.deliveries { { row(phrases, delivery) } }</tbody>
                    </table>
                </div>
                <div class="bar">
                    if before.is_some() { <button class="secondary" onclick={turn(None)}>{ phrases.people.newest }</button> }
                    if let Some(next) = &list.next { <button class="secondary" onclick={turn(Some(next.clone()))}>{ phrases.people.older }</button> }
                </div>
            </>
        },
    };
    html! {
        <section class="panel block">
            <h2>{ words.log }</h2>
            <div class="form columns">
                <Select name="log-channel" label={words.channel} choices={channels} value={(*channel).clone()} onchange={choose(&channel)} />
                <Select name="log-state" label={words.state} choices={states} value={(*state).clone()} onchange={choose(&state)} />
            </div>
            { list }
        </section>
    }
}

fn row(phrases: &Phrases, delivery: &DeliveryEntry) -> Html {
    let words = phrases.notification;
    let tone = match delivery.state {
        DeliveryState::Sent => "badge ok",
        DeliveryState::Dead => "badge bad",
        DeliveryState::Waiting if delivery.error.is_some() => "badge warn",
        DeliveryState::Waiting => "badge",
    };
    let whose = delivery.account.as_deref().unwrap_or(words.fleet);
    let vin = delivery.vin.map(|vin| vin.to_string()).unwrap_or_default();
    html! {
        <tr key={delivery.id.to_string()} data-testid="delivery">
            <td>{ moment::moment(phrases, delivery.made) }</td>
            <td><b>{ &delivery.label }</b>{ " " }<small class="muted">{ (words.kinds)(delivery.kind) }{ " · " }{ whose }</small></td>
            <td>{ (words.steps)(delivery.step) }{ " " }<small class="muted">{ vin }</small></td>
            <td>
                <span class={tone}>{ (words.states)(delivery.state) }</span>
                if delivery.tries > 1 { <small class="muted">{ " " }{ delivery.tries }{ " " }{ words.tries }</small> }
                if let Some(error) = &delivery.error { <p class="error">{ error }</p> }
            </td>
        </tr>
    }
}
