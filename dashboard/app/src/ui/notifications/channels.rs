//! A list of channels: each is tried, changed and deleted.

use bugbrother_wire::{
    ChannelId,
    api::{ChannelEntry, ChannelKind, DeliveryEntry, DeliveryState, TestDelivery},
};
use yew::{platform::spawn_local, prelude::*};

use super::form::ChannelSheet;
use crate::ui::{
    api,
    kit::use_toasts,
    saving::{trouble, use_saving},
    settings::use_phrases,
};

/// Properties of [`Channels`].
#[derive(Properties, PartialEq)]
pub struct ChannelsProps {
    /// Where they are.
    pub base: &'static str,
    /// All of them.
    pub channels: Vec<ChannelEntry>,
    /// They have changed.
    pub reload: Callback<()>,
    /// More to do.
    #[prop_or_default]
    pub children: Html,
}

/// What is open.
#[derive(Clone, PartialEq)]
enum Open {
    Nothing,
    New,
    One(ChannelEntry),
}

/// The channels of somebody, or of the fleet.
#[component]
pub fn Channels(props: &ChannelsProps) -> Html {
    let words = use_phrases().notification;
    let open = use_state_eq(|| Open::Nothing);
    let close = {
        let (open, reload) = (open.setter(), props.reload.clone());
        Callback::from(move |changed: bool| {
            open.set(Open::Nothing);
            if changed {
                reload.emit(());
            }
        })
    };
    let begin = {
        let open = open.setter();
        Callback::from(move |_: MouseEvent| open.set(Open::New))
    };
    let change = {
        let open = open.setter();
        Callback::from(move |entry: ChannelEntry| open.set(Open::One(entry)))
    };
    html! {
        <>
            if props.channels.is_empty() {
                <p class="muted" data-testid="no-channels">{ words.none }</p>
            } else {
                <ul class="cards" data-testid="channels">
                    for entry in &props.channels {
                        <Card key={entry.id.to_string()} base={props.base} entry={entry.clone()} change={change.clone()} reload={props.reload.clone()} />
                    }
                </ul>
            }
            <div class="actions">
                <button class="secondary" onclick={begin} data-testid="channel-add">{ words.add }</button>
                { props.children.clone() }
            </div>
            { match &*open {
                Open::Nothing => Html::default(),
                Open::New => html! { <ChannelSheet base={props.base} close={close} /> },
                Open::One(entry) => html! { <ChannelSheet base={props.base} known={entry.clone()} close={close} /> },
            } }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct CardProps {
    base: &'static str,
    entry: ChannelEntry,
    change: Callback<ChannelEntry>,
    reload: Callback<()>,
}

/// How far a test has come.
#[derive(Clone, PartialEq)]
enum Test {
    None,
    Sending,
    Arrived,
    Not(String),
}

#[component]
fn Card(props: &CardProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.notification;
    let toasts = use_toasts();
    let saving = use_saving();
    let test = use_state_eq(|| Test::None);
    let entry = &props.entry;
    let (id, base) = (entry.id, props.base);
    let onclick = {
        let test = test.setter();
        Callback::from(move |_: MouseEvent| {
            let test = test.clone();
            test.set(Test::Sending);
            spawn_local(async move {
                test.set(match send(base, id).await {
                    Ok(told) if told.state == DeliveryState::Sent => Test::Arrived,
                    Ok(told) => {
                        Test::Not(told.error.map_or(words.still_waiting.to_owned(), |why| (words.not_arrived)(&why)))
                    }
                    Err(refusal) => Test::Not(trouble(phrases, &refusal).unwrap_or_default()),
                });
            });
        })
    };
    let delete = {
        let (reload, name) = (props.reload.clone(), entry.form.label.clone());
        let text = (phrases.business.deleted_text)(&name);
        Callback::from(move |_: MouseEvent| {
            let (reload, toasts, text) = (reload.clone(), toasts.clone(), text.clone());
            saving.run(async move { api::delete(&format!("{base}/channels/{id}")).await }, move |()| {
                toasts.say(text);
                reload.emit(());
            });
        })
    };
    let severities: Vec<_> = entry.form.severities.iter().map(|severity| phrases.severity(*severity)).collect();
    let hears = if severities.is_empty() { words.nothing.to_owned() } else { severities.join(", ") };
    let target = match entry.form.kind {
        ChannelKind::Email | ChannelKind::Webhook | ChannelKind::Telegram | ChannelKind::Ntfy | ChannelKind::Push => {
            Some(entry.form.target.clone()).filter(|target| !target.is_empty())
        }
        _ => None,
    };
    let change = {
        let entry = entry.clone();
        props.change.reform(move |_: MouseEvent| entry.clone())
    };
    html! {
        <li data-testid="channel">
            <div>
                <b>{ &entry.form.label }</b>
                <span class="badge">{ (words.kinds)(entry.form.kind) }</span>
                if !entry.form.enabled { <span class="badge warn">{ words.off }</span> }
                if entry.failing { <span class="badge bad">{ words.failing }</span> }
                if let Some(target) = target { <p class="muted">{ target }</p> }
                <p class="muted">{ words.hears }{ " " }{ hears }</p>
                <p role="status" data-testid="test-result">{ match &*test {
                    Test::None => Html::default(),
                    Test::Sending => html! { <span class="muted">{ words.testing }</span> },
                    Test::Arrived => html! { <span class="good">{ words.arrived }</span> },
                    Test::Not(why) => html! { <span class="error">{ why }</span> },
                } }</p>
            </div>
            <div class="actions">
                <button class="secondary" {onclick} disabled={*test == Test::Sending} data-testid="channel-test">{ words.test }</button>
                <button class="secondary" onclick={change} data-testid="channel-change">{ phrases.business.edit }</button>
                <button class="secondary" onclick={delete} data-testid="channel-delete">{ phrases.business.delete }</button>
            </div>
        </li>
    }
}

/// Sends a test, and what became of it; the server waits for its end for a while.
async fn send(base: &str, id: ChannelId) -> Result<DeliveryEntry, api::Refusal> {
    let test: TestDelivery = api::post(&format!("{base}/channels/{id}/test"), &()).await?;
    api::get(&format!("{base}/deliveries/{}", test.id)).await
}
